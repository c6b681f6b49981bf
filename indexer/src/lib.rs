//! Mirrors the upgrade manager's accounts and events from a Solana node into SQLite or Postgres.
//! Reads the chain and writes the store; it signs nothing and sends no transaction.
//!
//! Nine modules. Data passes [`source`] → [`sync`] → [`account`] → [`store`]; [`runtime`] runs the
//! tasks.
//!
//! | module | holds | may import |
//! |---|---|---|
//! | [`account`] | the manager's accounts: types, decoding, JSON | – |
//! | [`ops`] | health, metrics, HTTP probe, redaction of secrets | `account` |
//! | [`store`] | Postgres and SQLite, merge rules, audit log rows, outbox | `account`, `ops` |
//! | [`source`] | websocket, snapshot, history, rate limiter, scan strategy, errors | `account`, `ops`, `store` |
//! | [`sync`] | stream and snapshot into one state, write buffer, reorgs | `account`, `ops`, `store`, `source` |
//! | [`webhooks`] | delivery of the outbox | `ops`, `store`, `source` |
//! | [`audit`] | checks, export, digest, comparison with the chain | `account`, `store`, `source` |
//! | [`replay`] | records what arrives, and plays it into a store | `account`, `store`, `source`, `audit` |
//! | [`runtime`] | connection, lease, standby, clock, history, retention, doctor | all but `account`, `replay` |
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
    LocalLog, Marks, MirrorState, MirrorStore, OpRow, Outbox, OutboxRow, ProgressRow, PubkeySet,
    RawRow, RecordQuery, Retention, Row, Run, Sent, SentRow, Store, StoreError, Undone, View,
    audit_log::{AuditEntry, AuditRow, AuditStore},
    postgres::PostgresStore,
    sqlite::SqliteStore,
};
pub use webhooks::ready::{can_be_executed, paused_until};
