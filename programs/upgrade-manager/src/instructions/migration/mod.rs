//! Migrates the target's accounts after an upgrade and counts each, until the migration is
//! complete.
pub mod complete;
pub mod mark_closed;
pub mod migrate_accounts;
pub mod quarantine;
pub mod verify_accounts;

pub use complete::*;
pub use mark_closed::*;
pub use migrate_accounts::*;
pub use quarantine::*;
pub use verify_accounts::*;
