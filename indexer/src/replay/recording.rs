//! A store wrapper that records every successful write. The writer does not notice the recording.
use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use solana_pubkey::Pubkey;
use tokio::sync::mpsc;
use upgrade_manager::state::AccountVersion;

use super::{Arrival, Recorder};
use crate::{
    account::{Quarantined, Update},
    store::{
        Announcement, Applied, Batch, Closing, DeadLetter, Fill, FullRow, HookState, LocalLog,
        Marks, MirrorState, MirrorStore, OpRow, Outbox, OutboxRow, ProgressRow, PubkeySet, RawRow,
        RecordQuery, Result, Retention, Row, Run, Sent, SentRow, Store, Undone, View,
        audit_log::{AuditEntry, AuditRow, AuditStore},
    },
};

/// Capacity of the queue for parts of a first snapshot.
const MAX_QUEUED_PARTS: usize = 2;

/// A store with a recorder.
pub struct Recording {
    store: Arc<dyn Store>,
    recorder: Arc<Recorder>,
}

impl Recording {
    /// `store`, recorded by `recorder`.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, recorder: Recorder) -> Self {
        Self { store, recorder: Arc::new(recorder) }
    }

    /// Why the recording ended early, as a sentence.
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        self.recorder.trouble()
    }

    async fn note(&self, arrivals: impl FnOnce() -> Vec<Arrival>) {
        if self.recorder.is_recording() {
            self.recorder.note(arrivals()).await;
        }
    }
}

/// The arrivals of one part of a first snapshot.
fn of_part(updates: &[Update], quarantined: &[Quarantined]) -> Vec<Arrival> {
    let batch =
        Batch { updates: updates.to_vec(), quarantined: quarantined.to_vec(), ..Batch::default() };
    Arrival::of_batch(&batch)
}

#[async_trait]
impl MirrorStore for Recording {
    async fn begin_run(&self, program: &Pubkey, genesis: &[u8; 32], owner: &str) -> Result<Run> {
        let run = self.store.begin_run(program, genesis, owner).await?;
        let (program, genesis) = (*program, *genesis);
        self.note(|| vec![Arrival::Run { program, genesis }]).await;
        Ok(run)
    }

    async fn keep(&self, run: &Run, marks: Marks) -> Result<()> {
        self.store.keep(run, marks).await?;
        if marks != Marks::default() {
            self.note(|| vec![Arrival::of_marks(marks)]).await;
        }
        Ok(())
    }

    async fn end_run(&self, run: &Run) -> Result<()> {
        self.store.end_run(run).await
    }

    async fn state(&self) -> Result<MirrorState> {
        self.store.state().await
    }

    fn read_only(&self) -> bool {
        self.store.read_only()
    }

    async fn apply(&self, run: &Run, batch: Batch) -> Result<Applied> {
        let noted = if self.recorder.is_recording() { Arrival::of_batch(&batch) } else { vec![] };
        let applied = self.store.apply(run, batch).await?;
        self.note(|| noted).await;
        Ok(applied)
    }

    /// Records each part before the store takes it. If the load fails, the parts are sent and recorded
    /// again, which a replay tolerates.
    async fn fill(&self, run: &Run, mut rows: mpsc::Receiver<Fill>) -> Result<Option<u64>> {
        let (tx, passed) = mpsc::channel(MAX_QUEUED_PARTS);
        let pass = async move {
            while let Some(part) = rows.recv().await {
                if let Fill::Rows(updates, quarantined) = &part {
                    self.note(|| of_part(updates, quarantined)).await;
                }
                if tx.send(part).await.is_err() {
                    break;
                }
            }
        };
        let (filled, ()) = tokio::join!(self.store.fill(run, passed), pass);
        filled
    }

    async fn tombstone_missing(
        &self,
        run: &Run,
        slot: u64,
        present: Arc<PubkeySet>,
        gone: Arc<PubkeySet>,
    ) -> Result<Closing> {
        let there = Arc::clone(&present);
        let closing = self.store.tombstone_missing(run, slot, present, gone).await?;
        // Unproved changed nothing; the snapshot ends again once the absence is proved.
        if matches!(closing, Closing::Closed(_)) && self.recorder.is_recording() {
            for part in Arrival::of_snapshot(slot, &there) {
                self.note(|| vec![part]).await;
            }
        }
        Ok(closing)
    }

    async fn undo_slots(&self, upto: u64) -> Result<Vec<u64>> {
        self.store.undo_slots(upto).await
    }

    async fn undo(&self, run: &Run, orphaned: &[u64]) -> Result<Undone> {
        let undone = self.store.undo(run, orphaned).await?;
        self.note(|| vec![Arrival::Undo { slots: orphaned.to_vec() }]).await;
        Ok(undone)
    }

    async fn history_mark(&self) -> Result<u64> {
        self.store.history_mark().await
    }

    async fn view(&self) -> Result<View> {
        self.store.view().await
    }

    async fn account_versions(
        &self,
        program: &Pubkey,
        query: RecordQuery,
    ) -> Result<Vec<Row<AccountVersion>>> {
        self.store.account_versions(program, query).await
    }

    async fn rows(&self, after: Option<Pubkey>, limit: u32) -> Result<Vec<RawRow>> {
        self.store.rows(after, limit).await
    }

    async fn full_rows(&self, after: Option<Pubkey>, limit: u32) -> Result<Vec<FullRow>> {
        self.store.full_rows(after, limit).await
    }

    async fn progress(&self, recount: bool) -> Result<BTreeMap<(Pubkey, Pubkey), ProgressRow>> {
        self.store.progress(recount).await
    }

    async fn quarantined(&self) -> Result<Vec<Quarantined>> {
        self.store.quarantined().await
    }

    async fn revision(&self) -> Result<u64> {
        self.store.revision().await
    }

    async fn retain(&self, run: &Run, retention: &Retention) -> Result<u64> {
        self.store.retain(run, retention).await
    }
}

#[async_trait]
impl AuditStore for Recording {
    async fn append_audit(&self, run: &Run, entries: Vec<AuditEntry>, upto: u64) -> Result<u64> {
        let noted = Arrival::of_history(&entries, upto);
        let added = self.store.append_audit(run, entries, upto).await?;
        self.note(|| noted).await;
        Ok(added)
    }

    async fn audit(&self, after_seq: Option<u64>, limit: u32) -> Result<Vec<AuditRow>> {
        self.store.audit(after_seq, limit).await
    }
}

#[async_trait]
impl Outbox for Recording {
    async fn enqueue(&self, run: &Run, announcement: &Announcement) -> Result<bool> {
        self.store.enqueue(run, announcement).await
    }

    async fn outbox(&self, after: u64, limit: u32) -> Result<Vec<OutboxRow>> {
        self.store.outbox(after, limit).await
    }

    async fn hook(&self, name: &str, since_slot: u64) -> Result<HookState> {
        self.store.hook(name, since_slot).await
    }

    async fn hooks(&self) -> Result<Vec<HookState>> {
        self.store.hooks().await
    }

    async fn hook_sent(&self, name: &str, id: u64, sent: &Sent) -> Result<()> {
        self.store.hook_sent(name, id, sent).await
    }

    async fn dead_letters(&self) -> Result<Vec<DeadLetter>> {
        self.store.dead_letters().await
    }

    async fn forget_dead(&self, hook: &str, id: u64) -> Result<bool> {
        self.store.forget_dead(hook, id).await
    }
}

#[async_trait]
impl LocalLog for Recording {
    async fn record_sent(&self, row: &SentRow) -> Result<()> {
        self.store.record_sent(row).await
    }

    async fn sent(&self, limit: u32) -> Result<Vec<SentRow>> {
        self.store.sent(limit).await
    }

    async fn claim_notice(&self, key: &str) -> Result<bool> {
        self.store.claim_notice(key).await
    }

    async fn log_op(&self, kind: &str, detail: &serde_json::Value) -> Result<()> {
        self.store.log_op(kind, detail).await
    }

    async fn ops(&self, limit: u32) -> Result<Vec<OpRow>> {
        self.store.ops(limit).await
    }
}
