//! A local chain with a seeded upgrade: what `control-room sandbox` and the end-to-end tests run
//! against. Everything it does to the chain goes through `backend`, as an operator's does.
//!
//! | the chain | what is on it | the headless flow |
//! |---|---|---|
//! | [`chain`], [`local`] | [`scenario`], [`seed`], [`ahead`], [`keys`], [`elves`], [`vaults`], [`fill`] | [`flow`], [`operator`], [`expect`], [`snapshot`], [`doomed`], [`landed`], [`ledger`] |
pub mod ahead;
pub mod args;
pub mod chain;
pub mod doomed;
pub mod elves;
pub mod expect;
pub mod fill;
pub mod flow;
pub mod keys;
pub mod landed;
pub mod ledger;
pub mod life;
pub mod local;
pub mod operator;
pub mod ready;
pub mod records;
pub mod scenario;
pub mod seed;
pub mod snapshot;
pub mod steps;
pub mod vaults;
