//! The mirror's health, a value for screens and probes. Only rules and texts; other modules measure.
//! Times are this machine's monotonic clock, because chain time can jump by days.
use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

/// The connection to the node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Conn {
    /// The first connection is being made.
    Connecting,
    /// Subscribed, and the snapshot is in the store.
    Live,
    /// Another process writes the mirror; this one reads the same store.
    Following {
        /// Display name of the lease's holder.
        writer: String,
    },
    /// The connection was lost, or could not be made.
    Reconnecting {
        /// Attempts since the last time it was live.
        attempt: u32,
        /// When the next one starts.
        retry_at: Instant,
    },
    /// The indexer has given up or was shut down.
    Stopped {
        /// Why, as a sentence.
        reason: String,
    },
}

impl Conn {
    /// Whether the mirror is kept up to date, by this process or by another.
    #[must_use]
    pub fn is_live(&self) -> bool {
        matches!(self, Self::Live | Self::Following { .. })
    }
}

/// Why the mirror may differ from the chain at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// No complete reading since the start.
    Startup,
    /// The stream was interrupted, and a new snapshot is being read.
    GapFill,
    /// The mirror lags behind the newest slot known.
    NodeBehind,
    /// The store accepts no writes.
    DbDown,
    /// The last list of accounts was incomplete.
    SnapshotSuspect,
    /// A complete reading found wrong rows although the stream had no gap.
    Drift,
    /// The websocket is silent.
    SocketSilent,
    /// Accounts cannot be decoded.
    Quarantine,
    /// A finalised transaction cannot be read, so the audit log has stopped.
    HistoryBehind,
    /// Another process has taken over the lease.
    Fenced,
    /// The mirror has given up or was shut down.
    Stopped,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Self; 11] = [
        Self::Startup,
        Self::GapFill,
        Self::NodeBehind,
        Self::DbDown,
        Self::SnapshotSuspect,
        Self::Drift,
        Self::SocketSilent,
        Self::Quarantine,
        Self::HistoryBehind,
        Self::Fenced,
        Self::Stopped,
    ];

    /// Its name in JSON and metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Startup => "Startup",
            Self::GapFill => "GapFill",
            Self::NodeBehind => "NodeBehind",
            Self::DbDown => "DbDown",
            Self::SnapshotSuspect => "SnapshotSuspect",
            Self::Drift => "Drift",
            Self::SocketSilent => "SocketSilent",
            Self::Quarantine => "Quarantine",
            Self::HistoryBehind => "HistoryBehind",
            Self::Fenced => "Fenced",
            Self::Stopped => "Stopped",
        }
    }

    /// What it means and what to do, as a sentence.
    #[must_use]
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Startup => {
                "The accounts have not been read completely since the start; wait for the first snapshot."
            }
            Self::GapFill => {
                "The stream was interrupted and what was missed is being read; wait, it ends by itself."
            }
            Self::NodeBehind => {
                "The mirror lags behind the newest slot known; if it does not catch up, add or change an endpoint."
            }
            Self::DbDown => {
                "The store does not take what arrives; check the database and its disk. What is missing is read again afterwards."
            }
            Self::SnapshotSuspect => {
                "The node's list of accounts is not complete, so accounts may be missing here; none was closed because of it. Use another node."
            }
            Self::Drift => {
                "The last complete reading found rows that were wrong without a gap; run `control-room index --verify` and report it."
            }
            Self::SocketSilent => {
                "The websocket says nothing; the mirror connects again by itself. If it stays so, use another endpoint."
            }
            Self::Quarantine => {
                "Accounts of the manager cannot be decoded and are not mirrored; a newer control room may know them."
            }
            Self::HistoryBehind => {
                "A finalised transaction cannot be read, so the audit log stands still before it; accounts are mirrored all the same. The error names it: use a node that keeps the history, or a newer control room."
            }
            Self::Fenced => {
                "Another process has taken this mirror over; this one writes nothing, stands by, and goes on by itself when the other has ended."
            }
            Self::Stopped => {
                "The mirror has ended; its last words are in the log. Start `control-room index` again."
            }
        }
    }
}

/// Thresholds of [`Health::judged`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most slots that the mirror may lag.
    pub behind: u64,
    /// Longest silence of the websocket.
    pub silent: Duration,
}

impl Default for Limits {
    /// 20 slots, as other Solana indexers use, and three times the silence that ends a connection.
    fn default() -> Self {
        Self { behind: 20, silent: Duration::from_secs(30) }
    }
}

/// The mirror's health.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// The connection.
    pub conn: Conn,
    /// Why the mirror may differ from the chain; empty when it is healthy. [`Self::judged`] adds the
    /// reasons that follow from numbers.
    pub reasons: BTreeSet<Reason>,
    /// Newest slot from the node.
    pub slot: u64,
    /// Newest finalised slot from the node.
    pub root: u64,
    /// Newest confirmed slot of any endpoint; 0 with a single endpoint.
    pub tip: u64,
    /// Final slot up to which the store is complete. 0 before the first snapshot.
    pub frontier: u64,
    /// Newest confirmed slot whose changes are in the store; 0 before the first snapshot.
    pub confirmed: u64,
    /// Newest confirmed slot recorded in the store: unlike `confirmed` it stops while the store accepts
    /// no writes. 0 before the first record.
    pub stored: u64,
    /// When `stored` last grew.
    pub stored_at: Option<Instant>,
    /// Slot of the last complete snapshot in the store, of this run or an earlier one.
    pub snapshot: Option<u64>,
    /// The chain's `Clock.unix_timestamp`, seconds.
    pub chain_time: Option<i64>,
    /// When `chain_time` and its slot were read.
    pub read_at: Option<Instant>,
    /// When the last websocket message arrived.
    pub last_frame: Option<Instant>,
    /// The current error, as a sentence.
    pub error: Option<String>,
}

impl Health {
    /// Whether the mirror can be trusted to show the chain.
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        self.reasons.is_empty()
    }

    /// Whether a complete snapshot is in the store.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.snapshot.is_some()
    }

    /// Slots between the newest known slot and the newest slot in the store.
    #[must_use]
    pub fn lag(&self) -> u64 {
        self.slot.max(self.tip).saturating_sub(self.confirmed.max(self.frontier))
    }

    /// Time since the last websocket message; [`None`] without one.
    #[must_use]
    pub fn last_frame_age(&self, now: Instant) -> Option<Duration> {
        self.last_frame.map(|at| now.saturating_duration_since(at))
    }

    /// Records that the store is complete up to `slot` at `now`.
    pub fn store_has(&mut self, slot: u64, now: Instant) {
        if slot > self.stored {
            (self.stored, self.stored_at) = (slot, Some(now));
        }
    }

    /// As [`Self::store_has`], for a store that another process writes. The first value gets no time:
    /// that writer may have ended long ago.
    pub fn saw_in_store(&mut self, slot: u64, now: Instant) {
        if self.stored == 0 {
            self.stored = slot;
        } else {
            self.store_has(slot, now);
        }
    }

    /// Adds or removes a reason; returns whether that changed anything.
    pub fn set(&mut self, reason: Reason, holds: bool) -> bool {
        if holds { self.reasons.insert(reason) } else { self.reasons.remove(&reason) }
    }

    /// Adds the reasons that follow from the numbers at `now`. For probes: a task that hangs sets no
    /// reason, but its numbers stop moving. A connection that is not live is never healthy.
    #[must_use]
    pub fn judged(mut self, now: Instant, limits: &Limits) -> Self {
        match self.conn {
            Conn::Live => {
                if self.lag() > limits.behind {
                    self.reasons.insert(Reason::NodeBehind);
                }
                if self.last_frame_age(now).is_none_or(|age| age > limits.silent) {
                    self.reasons.insert(Reason::SocketSilent);
                }
            }
            Conn::Following { .. } => {}
            Conn::Connecting => {
                self.reasons.insert(Reason::Startup);
            }
            Conn::Reconnecting { .. } => {
                self.reasons.insert(Reason::GapFill);
            }
            Conn::Stopped { .. } => {
                self.reasons.insert(Reason::Stopped);
            }
        }
        self
    }
}

impl Default for Health {
    fn default() -> Self {
        Self {
            conn: Conn::Connecting,
            reasons: BTreeSet::from([Reason::Startup]),
            slot: 0,
            root: 0,
            tip: 0,
            frontier: 0,
            confirmed: 0,
            stored: 0,
            stored_at: None,
            snapshot: None,
            chain_time: None,
            read_at: None,
            last_frame: None,
            error: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn live(now: Instant) -> Health {
        Health {
            conn: Conn::Live,
            reasons: BTreeSet::new(),
            slot: 120,
            frontier: 80,
            confirmed: 100,
            last_frame: Some(now),
            ..Health::default()
        }
    }

    #[test]
    fn a_start_is_neither_healthy_nor_ready() {
        let health = Health::default();
        assert!(!health.is_healthy() && !health.is_ready());
    }

    #[test]
    fn twenty_slots_of_lag_are_healthy_and_twenty_one_are_not() {
        let now = Instant::now();
        let judge = |h: Health| h.judged(now, &Limits::default());
        assert!(judge(live(now)).is_healthy(), "20 slots");
        let late = judge(Health { slot: 121, ..live(now) });
        assert_eq!(late.reasons, [Reason::NodeBehind].into());
        let elsewhere = judge(Health { tip: 121, ..live(now) });
        assert_eq!(elsewhere.reasons, [Reason::NodeBehind].into(), "another endpoint knows more");
    }

    #[test]
    fn a_task_that_hangs_is_noticed_by_its_last_frame() {
        let now = Instant::now();
        let later = now + Duration::from_secs(31);
        let health = live(now).judged(later, &Limits::default());
        assert_eq!(health.reasons, [Reason::SocketSilent].into());
        assert!(
            !Health { last_frame: None, ..live(now) }.judged(now, &Limits::default()).is_healthy()
        );
    }

    #[test]
    fn standby_is_healthy_without_a_socket() {
        let now = Instant::now();
        let conn = Conn::Following { writer: "a".into() };
        let health = Health { conn, last_frame: None, ..live(now) };
        assert!(health.conn.is_live() && health.judged(now, &Limits::default()).is_healthy());
    }

    #[test]
    fn a_connection_that_is_not_live_is_never_healthy() {
        let now = Instant::now();
        let retry_at = now;
        for (conn, reason) in [
            (Conn::Connecting, Reason::Startup),
            (Conn::Reconnecting { attempt: 1, retry_at }, Reason::GapFill),
            (Conn::Stopped { reason: "x".into() }, Reason::Stopped),
        ] {
            let health = Health { conn, ..live(now) }.judged(now, &Limits::default());
            assert_eq!(health.reasons, [reason].into());
        }
    }

    #[test]
    fn removing_a_reason_keeps_the_others() {
        let mut health = Health::default();
        assert!(health.set(Reason::DbDown, true) && !health.set(Reason::DbDown, true));
        assert!(health.set(Reason::Startup, false) && !health.is_healthy());
        assert!(health.set(Reason::DbDown, false) && health.is_healthy());
    }

    #[test]
    fn the_first_slot_seen_in_another_writers_store_has_no_age() {
        let (start, second) = (Instant::now(), Duration::from_secs(1));
        let mut health = Health::default();
        health.saw_in_store(90, start);
        assert_eq!((health.stored, health.stored_at), (90, None), "the writer may be gone");
        health.saw_in_store(90, start + second);
        assert_eq!(health.stored_at, None);
        health.saw_in_store(91, start + second * 2);
        assert_eq!(health.stored_at, Some(start + second * 2));
        health.store_has(91, start + second * 3);
        assert_eq!(health.stored_at, Some(start + second * 2), "nothing newer");
    }

    #[test]
    fn reasons_have_unique_names_and_a_sentence() {
        let names: BTreeSet<_> = Reason::ALL.iter().map(|r| r.name()).collect();
        assert_eq!(names.len(), Reason::ALL.len());
        for reason in Reason::ALL {
            assert_eq!(format!("{reason:?}"), reason.name());
            assert!(reason.sentence().ends_with('.'), "{reason:?}");
        }
    }
}
