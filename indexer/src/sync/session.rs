//! One connection to a node: the state that its tasks share, and what counts as complete on it.
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

/// One connection, as its tasks share it.
pub(crate) struct Session {
    pub(crate) context: Arc<MirrorContext>,
    pub(crate) rpc: Rpc,
    pub(crate) run: Run,
    /// Whether the slot in an account's message is that of its state, see [`Rpc::is_surfnet`].
    pub(crate) stamps_slots: bool,
    /// Its number.
    pub(super) connection: u64,
    pub(super) write_buffer: Mutex<WriteBuffer>,
    /// Something waits to be written.
    pub(super) arrived: Notify,
    /// Whether [`super::ingest`] has taken in its last message.
    pub(super) fed: AtomicBool,
    /// First slot that the stream tells of in full.
    pub(super) first: cell::Sender<Option<u64>>,
    /// How far the store holds the stream.
    pub(crate) written: cell::Sender<StreamProgress>,
    /// Write lock. The stream writer holds it per batch; the first snapshot holds it throughout,
    /// because bulk load needs an empty table.
    pub(super) write_lock: tokio::sync::Mutex<()>,
    pub(super) watched: cell::Sender<Vec<Pubkey>>,
    /// Something was written that may change which accounts are watched.
    pub(super) view_moved: Notify,
    /// Gaps in what is mirrored: the first is from before the connection.
    pub(super) gaps: AtomicU64,
    /// How many of them a complete reading has closed.
    pub(super) repaired: AtomicU64,
    /// Slots of complete snapshots that are not final yet.
    pub(super) unrooted: Mutex<Vec<u64>>,
    /// When it became live.
    pub(super) live_since: Mutex<Option<Instant>>,
    /// The highest slot that is plausible without asking the nodes again.
    pub(super) horizon: AtomicU64,
}

impl Session {
    pub(super) fn write_buffer(&self) -> MutexGuard<'_, WriteBuffer> {
        self.write_buffer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether nothing is missing but what is on its way.
    pub(crate) fn is_whole(&self) -> bool {
        self.gaps.load(Ordering::Relaxed) == self.repaired.load(Ordering::Relaxed)
    }

    /// Whether a snapshot of this connection is in the store.
    pub(super) fn is_joined(&self) -> bool {
        self.repaired.load(Ordering::Relaxed) > 0
    }

    /// Something may be missing: nothing counts as complete before everything was read again.
    pub(crate) fn gap(&self) {
        self.gaps.fetch_add(1, Ordering::Relaxed);
        self.context.reason(Reason::GapFill, true);
        self.context.reread.notify_one();
    }

    /// A reading, which began after gap number `gap`, is in the store. What it claims of its slot
    /// is less where the node's list was cut short.
    pub(super) fn repair(&self, gap: u64, joined: &Joined) {
        let slot = joined.slot;
        let before = self.repaired.fetch_max(gap, Ordering::Relaxed);
        if before < gap && self.connection > 1 {
            self.context.metrics.gap_repair();
        }
        let mut unrooted = self.unrooted.lock().unwrap_or_else(PoisonError::into_inner);
        // What was asked for by address is of a later slot, which may not stay either.
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

    /// What the stream told up to `progress` is in the store.
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

    /// The snapshots up to `root` are final, or were read again.
    pub(crate) fn forget_snapshots(&self, root: u64) {
        let mut unrooted = self.unrooted.lock().unwrap_or_else(PoisonError::into_inner);
        unrooted.retain(|slot| *slot > root);
    }
}
