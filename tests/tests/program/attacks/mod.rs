//! Attacks, one file for each target of the attack. Every case must be refused with its own error.
mod accounts;
mod buffers;
mod custody;
mod governance;
mod insider;
mod money;
mod targets;
mod times;
mod votes;
