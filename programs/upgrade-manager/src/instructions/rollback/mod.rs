//! Undoes an upgrade: members vote, accounts are restored, then the old code is installed.
pub mod approve_rollback;
pub mod restore_accounts;
pub mod rollback_program;

pub use approve_rollback::*;
pub use restore_accounts::*;
pub use rollback_program::*;
