//! Storage of the mirror: four traits, implemented for SQLite and for Postgres. `merge` decides what a
//! write does, for both. A store never reads the chain.
pub mod announcement;
pub mod audit_log;
mod error;
mod full_row;
mod local_log;
mod merge;
mod mirror_store;
mod outbox;
pub mod postgres;
mod pubkey_set;
pub mod sqlite;
mod types;

use std::time::Duration;

use self::audit_log::AuditStore;

pub use error::{Result, StoreError};
pub use full_row::FullRow;
pub use local_log::{LocalLog, OpRow, SentRow};
pub use mirror_store::MirrorStore;
pub use outbox::{Announcement, DeadLetter, HookState, Outbox, OutboxRow, Sent};
pub use pubkey_set::PubkeySet;
pub use types::{
    Applied, Batch, Close, Closing, Fill, Lease, Marks, MirrorState, ProgressRow, RawRow,
    RecordQuery, Retention, Row, Run, Undone, View,
};

/// How long a lease lasts without renewal, by the store's clock.
pub const LEASE_DURATION: Duration = Duration::from_secs(10);
/// How often a lease is renewed.
pub const RENEW_INTERVAL: Duration = Duration::from_secs(3);

/// Number of the newest file in `migrations/`.
pub const SCHEMA: i64 = 3;

/// The whole interface of a store.
pub trait Store: MirrorStore + AuditStore + Outbox + LocalLog {}

impl<T: MirrorStore + AuditStore + Outbox + LocalLog + ?Sized> Store for T {}
