//! The life of a proposal step by step, and the bounds on compute units, hashes and sections that it keeps.
mod buffers;
mod close;
mod completion;
mod events;
mod execute;
mod hash;
mod lazy;
mod migrate;
mod rollback;
mod security;
mod setup;
mod times;
mod units;
mod upgrade;
mod vault;
mod votes;
