//! One connection to a node: the state that its tasks share, and whether the mirror is complete.
use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use solana_pubkey::Pubkey;
use tokio::{
    sync::{Notify, watch as cell},
    time::Instant,
};

use super::{
    context::{MirrorContext, Origin},
    snapshot::Joined,
    write_buffer::{StreamProgress, WriteBuffer},
};
use crate::{
    ops::health::{Conn, Reason},
    source::rpc::Rpc,
    store::{Marks, Run},
};

/// The state of one connection.
pub(crate) struct Session {
    pub(crate) context: Arc<MirrorContext>,
    pub(crate) rpc: Rpc,
    pub(crate) run: Run,
    /// Whether account notifications carry the slot of the state; false on a surfnet, see
    /// [`Rpc::is_surfnet`].
    pub(crate) stamps_slots: bool,
    /// Its number, from 1.
    pub(super) connection: u64,
    pub(super) write_buffer: Mutex<WriteBuffer>,
    /// Notified when the write buffer has content.
    pub(super) arrived: Notify,
    /// Set when [`super::ingest`] has handled its last message.
    pub(super) fed: AtomicBool,
    /// First slot that the stream covers completely.
    pub(super) first: cell::Sender<Option<u64>>,
    /// Up to where the stream is in the store.
    pub(crate) written: cell::Sender<StreamProgress>,
    /// Write lock. The stream writer holds it per batch; the first snapshot holds it throughout,
    /// because bulk load needs an empty table.
    pub(super) write_lock: tokio::sync::Mutex<()>,
    pub(super) watched: cell::Sender<Vec<Pubkey>>,
    /// Notified after a write that may change the watched accounts.
    pub(super) view_moved: Notify,
    /// Number of gaps in the stream; the first is the time before the connection.
    pub(super) gaps: AtomicU64,
    /// Number of gaps that a complete reading has closed.
    pub(super) repaired: AtomicU64,
    /// Slots of complete snapshots that are not final yet.
    pub(super) unrooted: Mutex<Vec<u64>>,
    /// Since when it is live.
    pub(super) live_since: Mutex<Option<Instant>>,
    /// The highest slot that is plausible without asking the nodes again.
    pub(super) horizon: AtomicU64,
}

impl Session {
    pub(super) fn write_buffer(&self) -> MutexGuard<'_, WriteBuffer> {
        self.write_buffer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether every gap is closed.
    pub(crate) fn is_whole(&self) -> bool {
        self.gaps.load(Ordering::Relaxed) == self.repaired.load(Ordering::Relaxed)
    }

    /// Whether a snapshot of this connection is in the store.
    pub(super) fn is_joined(&self) -> bool {
        self.repaired.load(Ordering::Relaxed) > 0
    }

    /// Records a gap: changes may be missing until all accounts were read again.
    pub(crate) fn gap(&self) {
        self.gaps.fetch_add(1, Ordering::Relaxed);
        self.context.reason(Reason::GapFill, true);
        self.context.reread.notify_one();
    }

    /// Records that a reading, which began after gap number `gap`, is in the store. Its slot becomes
    /// the floor only if the node's list was complete.
    pub(super) fn repair(&self, gap: u64, joined: &Joined) {
        let slot = joined.slot;
        let before = self.repaired.fetch_max(gap, Ordering::Relaxed);
        if before < gap && self.connection > 1 {
            self.context.metrics.gap_repair();
        }
        let mut unrooted = self.unrooted.lock().unwrap_or_else(PoisonError::into_inner);
        // Accounts read by address are of a later slot, which can be orphaned too.
        unrooted.extend([slot, joined.asked].iter().filter(|slot| **slot > 0));
        drop(unrooted);
        self.live_since
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get_or_insert_with(Instant::now);
        if joined.is_snapshot() {
            self.context.raise_floor(slot);
            self.context.health.send_modify(|h| h.snapshot = h.snapshot.max(Some(slot)));
            self.context.reason(Reason::Startup, false);
        }
        self.context.reason(Reason::SocketSilent, false);
        self.context.reason(Reason::NodeBehind, false);
        self.context.report(Origin::Connection, None);
        let doubt = joined.doubt(self.rpc.shown()).map(|doubt| doubt.to_string());
        self.context.report(Origin::Snapshot, doubt);
        if self.is_whole() {
            self.context.reason(Reason::GapFill, false);
            self.context.connection(Conn::Live);
            let confirmed = Some(self.written.borrow().confirmed.max(slot));
            self.context.mark(Marks { confirmed, ..Marks::default() });
        }
    }

    /// Records that the stream up to `progress` is in the store.
    pub(super) fn reached(&self, progress: StreamProgress) {
        self.written.send_if_modified(|written| {
            let now = written.max(progress);
            std::mem::replace(written, now) != now
        });
        if self.is_whole() {
            let confirmed = Some(progress.confirmed).filter(|slot| *slot > 0);
            self.context.mark(Marks { confirmed, ..Marks::default() });
        }
    }

    /// Slots of complete snapshots up to `root`.
    pub(crate) fn snapshots_upto(&self, root: u64) -> Vec<u64> {
        let unrooted = self.unrooted.lock().unwrap_or_else(PoisonError::into_inner);
        unrooted.iter().copied().filter(|slot| *slot <= root).collect()
    }

    /// Forgets the snapshots up to `root`: they are final, or were read again.
    pub(crate) fn forget_snapshots(&self, root: u64) {
        let mut unrooted = self.unrooted.lock().unwrap_or_else(PoisonError::into_inner);
        unrooted.retain(|slot| *slot > root);
    }
}
