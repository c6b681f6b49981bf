//! The way back: its votes, the accounts, then the old code.
pub mod approve_rollback;
pub mod restore_accounts;
pub mod rollback_program;

pub use approve_rollback::*;
pub use restore_accounts::*;
pub use rollback_program::*;
