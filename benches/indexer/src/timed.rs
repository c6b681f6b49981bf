//! A store wrapper that records how long each change took from sending to commit.
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use async_trait::async_trait;
use indexer::{
    Announcement, Applied, AuditEntry, AuditRow, AuditStore, Batch, Closing, DeadLetter, Fill,
    FullRow, HookState, LocalLog, Marks, MirrorState, MirrorStore, OpRow, Outbox, OutboxRow,
    ProgressRow, PubkeySet, Quarantined, RawRow, RecordQuery, Retention, Row, Run, Sent, SentRow,
    Store, Undone, View, store::Result,
};
use solana_pubkey::Pubkey;
use tokio::sync::mpsc;
use upgrade_manager::state::AccountVersion;

use crate::rows::stamp;

/// Times from socket to commit.
#[derive(Default)]
pub struct Times {
    /// Microseconds of each committed change.
    pub micros: Vec<u64>,
    /// Time of the last commit.
    pub last: Option<Instant>,
    /// Rows and time of each transaction.
    pub batches: Vec<(usize, Duration)>,
}

/// The wrapper.
pub struct Timed {
    /// The wrapped store.
    pub inner: Arc<dyn Store>,
    /// Zero point of the stamps.
    pub start: Instant,
    /// The recorded times.
    pub times: Mutex<Times>,
}

impl Timed {
    fn note(&self, stamps: &[u64], begun: Instant) {
        let now = u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX);
        let mut times = self.times.lock().unwrap_or_else(PoisonError::into_inner);
        times.micros.extend(stamps.iter().map(|stamp| now.saturating_sub(*stamp)));
        times.last = Some(Instant::now());
        times.batches.push((stamps.len(), begun.elapsed()));
    }
}

macro_rules! handed_on {
    ($trait:ident { $($own:tt)* } $(fn $name:ident($($argument:ident: $type:ty),*) -> $out:ty;)*) => {
        #[async_trait]
        impl $trait for Timed {
            $($own)*

            $(async fn $name(&self, $($argument: $type),*) -> Result<$out> {
                self.inner.$name($($argument),*).await
            })*
        }
    };
}

handed_on! {
    MirrorStore {
        fn read_only(&self) -> bool {
            self.inner.read_only()
        }

        async fn apply(&self, run: &Run, batch: Batch) -> Result<Applied> {
            let told = batch.updates.iter().filter(|u| u.write_version != 0);
            let stamps: Vec<u64> = told.filter_map(|u| stamp(&u.raw)).collect();
            let begun = Instant::now();
            let applied = self.inner.apply(run, batch).await?;
            if !stamps.is_empty() {
                self.note(&stamps, begun);
            }
            Ok(applied)
        }
    }
    fn begin_run(program_id: &Pubkey, genesis_hash: &[u8; 32], owner: &str) -> Run;
    fn keep(run: &Run, marks: Marks) -> ();
    fn end_run(run: &Run) -> ();
    fn state() -> MirrorState;
    fn fill(run: &Run, rows: mpsc::Receiver<Fill>) -> Option<u64>;
    fn tombstone_missing(run: &Run, slot: u64, present: Arc<PubkeySet>, gone: Arc<PubkeySet>) -> Closing;
    fn undo_slots(upto: u64) -> Vec<u64>;
    fn undo(run: &Run, orphaned: &[u64]) -> Undone;
    fn view() -> View;
    fn account_versions(program: &Pubkey, query: RecordQuery) -> Vec<Row<AccountVersion>>;
    fn rows(after: Option<Pubkey>, limit: u32) -> Vec<RawRow>;
    fn full_rows(after: Option<Pubkey>, limit: u32) -> Vec<FullRow>;
    fn progress(recount: bool) -> BTreeMap<(Pubkey, Pubkey), ProgressRow>;
    fn quarantined() -> Vec<Quarantined>;
    fn retain(run: &Run, retention: &Retention) -> u64;
}

handed_on! {
    AuditStore {}
    fn append_audit(run: &Run, entries: Vec<AuditEntry>, upto: u64) -> u64;
    fn audit(after_seq: Option<u64>, limit: u32) -> Vec<AuditRow>;
}

handed_on! {
    Outbox {}
    fn enqueue(run: &Run, announcement: &Announcement) -> bool;
    fn outbox(after: u64, limit: u32) -> Vec<OutboxRow>;
    fn hook(name: &str, since_slot: u64) -> HookState;
    fn hooks() -> Vec<HookState>;
    fn hook_sent(name: &str, id: u64, sent: &Sent) -> ();
    fn dead_letters() -> Vec<DeadLetter>;
    fn forget_dead(hook: &str, id: u64) -> bool;
}

handed_on! {
    LocalLog {}
    fn record_sent(row: &SentRow) -> ();
    fn sent(limit: u32) -> Vec<SentRow>;
    fn claim_notice(key: &str) -> bool;
    fn log_op(kind: &str, detail: &serde_json::Value) -> ();
    fn ops(limit: u32) -> Vec<OpRow>;
}
