//! Mirrors the upgrade manager's accounts and events from a Solana node into SQLite or Postgres.
//! Reads the chain and writes the store; it signs nothing, sends nothing and draws nothing.
//!
//! Data passes the modules in this order: [`source`] (websocket, snapshot, history) → [`decode`] →
//! [`mod@join`] → [`store`]; [`audit`] turns history into the hash chain, [`health`] says how it goes.
pub mod account;
pub mod announce;
pub mod audit;
pub mod backoff;
pub mod decode;
pub mod describe;
pub mod digest;
pub mod doctor;
pub mod error;
mod follow;
mod fork;
pub mod health;
pub mod join;
pub mod lines;
mod link;
pub mod metrics;
pub mod replay;
mod run;
pub mod serve;
pub mod source;
pub mod store;
pub mod verify;

pub use account::{BackupHead, Facets, Kind, ManagerAccount};
pub use announce::ready::{can_be_executed, paused_until};
pub use audit::{AuditEntry, AuditRow, ChainFault, StoreFault, StoreReport, check_store};
pub use digest::{MirrorDigest, digest};
pub use error::{IndexerError, Result};
pub use health::{Conn, Health, Limits, Reason};
pub use metrics::Metrics;
pub use run::{
    Backfill, Indexer, Mirror, Refreshed, accounts_once, backfill_once, refresh_once, spawn,
};
pub use source::SourceConfig;
pub use store::postgres::PostgresStore;
pub use store::sqlite::SqliteStore;
pub use store::{
    Announcement, Applied, Batch, Close, Closing, DeadLetter, Fill, HookState, KeptRow, Lease,
    Marks, MirrorState, OpRow, OutboxRow, Present, ProgressRow, Quarantined, RawRow, RecordQuery,
    Retention, Row, Run, Sent, SentRow, Store, StoreError, Undone, Update, View,
};
pub use verify::{Difference, VerifyReport, verify};
