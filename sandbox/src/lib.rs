//! A local chain with a seeded upgrade: what `control-room sandbox` and the end-to-end tests run
//! against. Everything it does to the chain goes through `backend`, as an operator's does.
pub mod chain;
pub mod doomed;
pub mod elves;
pub mod keys;
pub mod ledger;
pub mod life;
pub mod local;
pub mod ready;
pub mod snapshot;
pub mod steps;
pub mod vaults;
