//! How the mirror is doing, as a value that screens draw and probes ask for. Rules and words only:
//! nothing is measured here. Times are the monotonic clock of this machine: chain time may jump by
//! days without anything here noticing.
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
    /// Another process writes the mirror; this one reads what that one writes.
    Following {
        /// Who holds the lease, as it named itself.
        writer: String,
    },
    /// The connection was lost, or never came about.
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

/// Why the mirror must not be taken for the chain at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// No complete reading since the start.
    Startup,
    /// The stream was interrupted, and what was missed is being read.
    GapFill,
    /// The mirror lags behind the newest slot known.
    NodeBehind,
    /// The store does not take what arrives.
    DbDown,
    /// The last list of accounts was not complete.
    SnapshotSuspect,
    /// A complete reading found rows that were wrong without a gap.
    Drift,
    /// The websocket says nothing.
    SocketSilent,
    /// Accounts cannot be decoded.
    Quarantine,
    /// Finalised transactions cannot be read, so that the audit log stands still.
    HistoryBehind,
    /// Another process has taken the mirror over from this one.
    Fenced,
    /// The mirror has given up, or was told to end.
    Stopped,
}

impl Reason {
    /// Every reason there is.
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

    /// Its name in JSON and in the counts.
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

/// When numbers become a reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most slots that the mirror may lag.
    pub behind: u64,
    /// Longest time without a word on the websocket.
    pub silent: Duration,
}

impl Default for Limits {
    /// 20 slots, as other indexers of this chain judge it, and three times the silence after which
    /// the connection is given up.
    fn default() -> Self {
        Self { behind: 20, silent: Duration::from_secs(30) }
    }
}

/// How the mirror is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// The connection.
    pub conn: Conn,
    /// Why the mirror must not be taken for the chain; empty when it may. What numbers say is
    /// added by [`Self::judged`].
    pub reasons: BTreeSet<Reason>,
    /// Newest slot the node has told of.
    pub slot: u64,
    /// Newest finalised slot the node has told of.
    pub root: u64,
    /// Newest confirmed slot that any endpoint has told of; 0 when only one is asked.
    pub tip: u64,
    /// Slot up to which nothing is missing in the store, for good: it is final. 0 before the first
    /// snapshot.
    pub frontier: u64,
    /// Newest confirmed slot whose changes are in the store; 0 before the first snapshot.
    pub confirmed: u64,
    /// Newest confirmed slot that the store itself names as complete: unlike `confirmed` it stands
    /// still while the store takes nothing. 0 before the first time.
    pub stored: u64,
    /// When `stored` last moved up.
    pub stored_at: Option<Instant>,
    /// Slot of the last complete snapshot in the store, of this run or of one before.
    pub snapshot: Option<u64>,
    /// The chain's `Clock.unix_timestamp`, seconds.
    pub chain_time: Option<i64>,
    /// When `chain_time` and its slot were read.
    pub read_at: Option<Instant>,
    /// When the node last said anything on the websocket.
    pub last_frame: Option<Instant>,
    /// What is wrong at the moment, as a sentence.
    pub error: Option<String>,
}

impl Health {
    /// Whether nothing speaks against taking the mirror for the chain.
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        self.reasons.is_empty()
    }

    /// Whether there is something to show: a complete snapshot is in the store.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.snapshot.is_some()
    }

    /// Slots between the newest one known and the newest one whose changes are in the store.
    #[must_use]
    pub fn lag(&self) -> u64 {
        self.slot.max(self.tip).saturating_sub(self.confirmed.max(self.frontier))
    }

    /// Time since the websocket last said anything; `None` if it never did.
    #[must_use]
    pub fn last_frame_age(&self, now: Instant) -> Option<Duration> {
        self.last_frame.map(|at| now.saturating_duration_since(at))
    }

    /// The store names `slot` as complete at `now`.
    pub fn store_has(&mut self, slot: u64, now: Instant) {
        if slot > self.stored {
            (self.stored, self.stored_at) = (slot, Some(now));
        }
    }

    /// Another process's store names `slot` as complete at `now`. Of what was there at the first
    /// look the age is not known: the writer may have ended long ago.
    pub fn saw_in_store(&mut self, slot: u64, now: Instant) {
        if self.stored == 0 {
            self.stored = slot;
        } else {
            self.store_has(slot, now);
        }
    }

    /// Gives or takes a reason; whether that changed anything.
    pub fn set(&mut self, reason: Reason, holds: bool) -> bool {
        if holds { self.reasons.insert(reason) } else { self.reasons.remove(&reason) }
    }

    /// The same with what the numbers say at `now`. Whoever answers probes asks this: a task that
    /// hangs sets no reason, but its numbers stand still. Nothing that is not live is healthy.
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
    fn twenty_slots_are_in_order_and_twenty_one_are_not() {
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
    fn one_who_follows_is_not_blamed_for_having_no_socket() {
        let now = Instant::now();
        let conn = Conn::Following { writer: "a".into() };
        let health = Health { conn, last_frame: None, ..live(now) };
        assert!(health.conn.is_live() && health.judged(now, &Limits::default()).is_healthy());
    }

    #[test]
    fn what_is_not_live_is_not_healthy_even_if_nobody_gave_a_reason() {
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
    fn a_reason_goes_when_it_no_longer_holds_and_others_stay() {
        let mut health = Health::default();
        assert!(health.set(Reason::DbDown, true) && !health.set(Reason::DbDown, true));
        assert!(health.set(Reason::Startup, false) && !health.is_healthy());
        assert!(health.set(Reason::DbDown, false) && health.is_healthy());
    }

    #[test]
    fn what_the_store_held_before_the_first_look_has_no_age() {
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
    fn no_two_reasons_share_a_name_and_every_one_says_what_to_do() {
        let names: BTreeSet<_> = Reason::ALL.iter().map(|r| r.name()).collect();
        assert_eq!(names.len(), Reason::ALL.len());
        for reason in Reason::ALL {
            assert_eq!(format!("{reason:?}"), reason.name());
            assert!(reason.sentence().ends_with('.'), "{reason:?}");
        }
    }
}
