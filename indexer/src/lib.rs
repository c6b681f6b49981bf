//! Mirrors the upgrade manager's accounts and events from a Solana node into SQLite or Postgres.
//! Reads the chain and writes the store; it signs nothing, sends nothing and draws nothing.
pub mod account;
pub mod audit;
pub mod ops;
pub mod replay;
pub mod runtime;
pub mod source;
pub mod store;
pub mod sync;
pub mod webhooks;

pub use account::{AccountKind, BackupHead, Facets, ManagerAccount, Quarantined, Update};
pub use audit::{
    ChainFault, StoreFault, StoreReport, check_store,
    digest::{MirrorDigest, digest},
    verify::{Difference, VerifyReport, verify},
};
pub use ops::{
    health::{Conn, Health, Limits, Reason},
    metrics::Metrics,
};
pub use runtime::{
    Backfill, Indexer, Mirror, Refreshed, accounts_once, backfill_once, refresh_once, spawn,
};
pub use source::{
    SourceConfig,
    error::{IndexerError, Result},
};
pub use store::{
    Announcement, Applied, Batch, Close, Closing, DeadLetter, Fill, FullRow, HookState, Lease,
    Marks, MirrorState, OpRow, OutboxRow, ProgressRow, PubkeySet, RawRow, RecordQuery, Retention,
    Row, Run, Sent, SentRow, Store, StoreError, Undone, View,
    audit_log::{AuditEntry, AuditRow},
    postgres::PostgresStore,
    sqlite::SqliteStore,
};
pub use webhooks::ready::{can_be_executed, paused_until};
