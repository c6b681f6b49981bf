//! A local chain with a seeded upgrade: what `control-room sandbox` and the end-to-end tests run
//! against.
//!
//! | module | holds |
//! |---|---|
//! | [`chain`] | the embedded chain, the requests that only a local chain answers, and looks at what is on it |
//! | [`scenario`] | two programs, a multisig, vaults and a proposal with one approval: keys, ELFs, seeding |
//! | [`flow`] | the headless run: votes, timelock, upgrade, migration, rollback, and what must hold after each |
//! | [`args`], [`shutdown`] | command line and end of the process `control-room-sandbox` |
//!
//! `flow` uses `scenario` and `chain`, and `scenario` uses `chain`; never the other way round.
//!
//! What an operator does, the sandbox does through `backend`, too. It may not know the indexer or the
//! screens: the control room starts it as a child process and reads one line of JSON from it.
pub mod args;
pub mod chain;
pub mod flow;
pub mod scenario;
pub mod shutdown;
