//! Multisigs whose voter is a Squads v4 vault, against the real Squads program.
mod member;
mod multisig;
mod real;
