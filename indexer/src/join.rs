//! How stream and snapshot become one state: subscribe, wait for the acknowledgement and the first
//! slot, only then read all accounts; what the stream says meanwhile waits. The store's rule
//! `(slot, wv)` makes the order of arrival irrelevant, so nothing here compares contents.
use std::{collections::HashMap, time::Duration};

use rand::Rng;
use solana_pubkey::Pubkey;
use tokio::time::Instant;

use crate::{
    IndexerError, Result,
    decode::{Raw, decode},
    health::Conn,
    link::{Link, Origin},
    source::{
        plain,
        snapshot::Snapshot,
        socket::{Frame, Reason, Socket},
    },
    store::{Batch, Closing, Present, Quarantined, Run, Update},
};

/// Rows of one transaction.
const ROWS: usize = 1_000;
/// How long an update may wait for others.
const LINGER: Duration = Duration::from_millis(100);
/// How soon a snapshot that is not believed is read again.
pub const RECHECK: Duration = Duration::from_secs(5);

/// What has arrived and is not written yet: the newest state of each account.
pub struct Intake {
    run: Run,
    program_id: Pubkey,
    seq: u32,
    newest: HashMap<Pubkey, Update>,
    bad: Vec<Quarantined>,
}

impl Intake {
    /// An empty intake of `run`.
    #[must_use]
    pub fn new(run: Run, program_id: Pubkey) -> Self {
        Self { run, program_id, seq: 0, newest: HashMap::new(), bad: vec![] }
    }

    /// Takes in an account that the websocket told of; arrival numbers order equal slots.
    pub fn take(&mut self, pubkey: Pubkey, slot: u64, ui: &solana_account_decoder::UiAccount) {
        self.seq = self.seq.saturating_add(1);
        let wv = self.run.write_order(self.seq);
        match Raw::from_ui(pubkey, ui, slot, wv) {
            Ok(raw) if raw.is_blank() => {}
            Ok(raw) => match decode(&self.program_id, raw) {
                Ok(update) => self.keep(update),
                Err(bad) => self.bad.push(*bad),
            },
            Err(error) => {
                let owner = Pubkey::default();
                self.bad.push(Quarantined { pubkey, slot, owner, error, raw: vec![] });
            }
        }
    }

    fn keep(&mut self, update: Update) {
        match self.newest.get(&update.pubkey) {
            Some(kept) if (kept.slot, kept.wv) >= (update.slot, update.wv) => {}
            _ => {
                self.newest.insert(update.pubkey, update);
            }
        }
    }

    /// How much waits.
    #[must_use]
    pub fn len(&self) -> usize {
        self.newest.len().saturating_add(self.bad.len())
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Everything that waits, as one batch.
    pub fn drain(&mut self, frontier: Option<u64>) -> Batch {
        let updates = self.newest.drain().map(|(_, update)| update).collect();
        Batch { updates, closes: vec![], quarantined: std::mem::take(&mut self.bad), frontier }
    }
}

/// What a snapshot did to the store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Joined {
    /// Accounts in the snapshot.
    pub accounts: u64,
    /// Rows with new content.
    pub written: u64,
    /// Rows that were closed.
    pub closed: u64,
}

/// Writes `snapshot` and closes what it lacks. `trusted` closes even more than half of the mirror.
///
/// # Errors
/// [`IndexerError::Suspect`] when so much is missing that the answer is not believed; the accounts
/// that it did hold are written all the same. Else when the store does not answer.
pub async fn merge(link: &Link, snapshot: Snapshot, trusted: bool) -> Result<Joined> {
    let slot = snapshot.slot;
    let present: Present = snapshot.accounts.iter().map(|a| a.pubkey).collect();
    let accounts = present.len();
    let mut joined = Joined { accounts, ..Joined::default() };
    let mut rest = snapshot.accounts.into_iter();
    loop {
        let mut batch = Batch::default();
        for raw in rest.by_ref().take(ROWS) {
            match decode(&link.config.program_id, raw) {
                Ok(update) => batch.updates.push(update),
                Err(bad) => batch.quarantined.push(*bad),
            }
        }
        if batch == Batch::default() {
            break;
        }
        joined.written = joined.written.saturating_add(link.apply(batch).await?.written);
    }
    match link.tombstone(slot, present, trusted).await? {
        Closing::Closed(closed) => Ok(Joined { closed, ..joined }),
        Closing::Suspect { known } => {
            Err(IndexerError::Suspect { url: link.rpc.shown(), seen: accounts, known })
        }
    }
}

/// What a connection leaves behind for the next.
#[derive(Clone, Copy, Debug, Default)]
pub struct Held {
    /// Slot of the last complete snapshot.
    pub floor: u64,
    /// Since when the connection was live; `None` if it never was.
    pub live_since: Option<Instant>,
}

/// One connection, from subscribing to its end. Returns only when it failed or was told to stop.
/// No snapshot older than the floor of `held` is taken; it rises with each one.
///
/// # Errors
/// Why the connection is of no more use.
pub async fn session(link: &Link, intake: &mut Intake, held: &mut Held) -> Result<()> {
    held.live_since = None;
    let opening = async {
        let stamps_slots = !link.rpc.is_surfnet().await?;
        Ok::<_, IndexerError>((stamps_slots, Socket::connect(&link.config, &link.rpc, &[]).await?))
    };
    let (stamps_slots, mut socket) = tokio::select! {
        opened = opening => opened?,
        () = link.stopped() => return Ok(()),
    };
    let mut session = Session {
        link,
        intake,
        held,
        stamps_slots,
        heard: 0,
        root: 0,
        flush_at: None,
        reconcile_at: None,
        doubted: None,
        joined: false,
        min_slot: None,
    };
    let mut reading = None;
    loop {
        let due = session.reconcile_at;
        let flush = session.flush_at;
        tokio::select! {
            () = link.stopped() => {
                session.flush().await?;
                return Ok(());
            }
            frame = socket.next() => {
                if session.frame(frame?).await? {
                    reading = Some(Box::pin(link.snapshot(session.oldest())));
                }
            }
            () = at(flush), if flush.is_some() => session.flush().await?,
            snapshot = until_read(&mut reading), if reading.is_some() => {
                reading = None;
                session.snapshot(snapshot).await?;
            }
            () = at(due), if due.is_some() && reading.is_none() => {
                session.reconcile_at = None;
                reading = Some(Box::pin(link.snapshot(session.oldest())));
            }
            () = link.reread.notified(), if due.is_some() && reading.is_none() => {
                session.reconcile_at = Some(Instant::now());
            }
        }
    }
}

async fn at(when: Option<Instant>) {
    match when {
        Some(when) => tokio::time::sleep_until(when).await,
        None => std::future::pending().await,
    }
}

async fn until_read<F>(reading: &mut Option<std::pin::Pin<Box<F>>>) -> Result<Snapshot>
where
    F: Future<Output = Result<Snapshot>>,
{
    match reading {
        Some(reading) => reading.as_mut().await,
        None => std::future::pending().await,
    }
}

struct Session<'a> {
    link: &'a Link,
    intake: &'a mut Intake,
    held: &'a mut Held,
    /// Whether the slot in an account's message is that of its state, see `Rpc::is_surfnet`.
    stamps_slots: bool,
    /// Newest slot on this socket.
    heard: u64,
    root: u64,
    flush_at: Option<Instant>,
    reconcile_at: Option<Instant>,
    /// Accounts in the last snapshot, if it was not believed.
    doubted: Option<u64>,
    /// Whether a snapshot of this connection is in the store.
    joined: bool,
    /// First slot that the stream tells of in full.
    min_slot: Option<u64>,
}

impl Session<'_> {
    /// The oldest slot at which a snapshot is of use.
    fn oldest(&self) -> u64 {
        self.min_slot.unwrap_or(0).max(self.held.floor)
    }

    /// Takes a message in; whether it is the one after which the first snapshot can be read.
    async fn frame(&mut self, frame: Frame) -> Result<bool> {
        self.link.heard(&frame);
        match frame {
            Frame::Slot { slot, root } => {
                (self.heard, self.root) = (slot, self.root.max(root.min(slot)));
                Ok(self.min_slot.replace(self.min_slot.unwrap_or(slot)).is_none())
            }
            Frame::Account { slot, keyed } => {
                let pubkey = keyed.pubkey.parse().map_err(|_| IndexerError::Socket {
                    url: self.link.rpc.shown_socket(),
                    reason: Reason::Garbled,
                    what: format!("told of {:?}, which is no address", plain(&keyed.pubkey)),
                })?;
                // Messages come in order: one that is heard now is of this slot or one before.
                let slot = if self.stamps_slots { slot } else { self.heard.max(self.held.floor) };
                self.intake.take(pubkey, slot, &keyed.account);
                self.flush_at.get_or_insert_with(|| Instant::now() + LINGER);
                if self.intake.len() >= ROWS {
                    self.flush().await?;
                }
                Ok(false)
            }
            Frame::Root(_) | Frame::Closed { .. } => Ok(false),
        }
    }

    async fn flush(&mut self) -> Result<()> {
        self.flush_at = None;
        // Before the first snapshot the stream alone says nothing about completeness.
        let frontier = self.joined.then_some(self.root);
        if !self.intake.is_empty() {
            self.link.apply(self.intake.drain(frontier)).await?;
        }
        Ok(())
    }

    async fn snapshot(&mut self, answer: Result<Snapshot>) -> Result<()> {
        let snapshot = match answer {
            Ok(snapshot) => snapshot,
            Err(e) if self.joined && e.is_transient() => {
                // The stream still flows: the mirror is fresh, only closes go unnoticed for longer.
                self.link.report(Origin::Connection, Some(e.to_string()));
                self.reconcile_at = Some(Instant::now() + RECHECK.min(self.link.config.reconcile));
                return Ok(());
            }
            Err(e) => return Err(e),
        };
        let slot = snapshot.slot;
        let seen = u64::try_from(snapshot.accounts.len()).unwrap_or(u64::MAX);
        // Twice the same answer is believed, unless it is an empty one.
        let trusted = seen > 0 && self.doubted == Some(seen);
        let merged = tokio::select! {
            merged = merge(self.link, snapshot, trusted) => merged,
            // What is merged halfway is as if the snapshot had come in smaller parts.
            () = self.link.stopped() => return Ok(()),
        };
        let pause = match merged {
            Ok(_) => {
                (self.doubted, self.joined) = (None, true);
                self.held.floor = self.held.floor.max(slot);
                self.held.live_since.get_or_insert_with(Instant::now);
                self.link.report(Origin::Connection, None);
                self.link.connection(Conn::Live);
                let usual = self.link.config.reconcile;
                usual.mul_f64(rand::thread_rng().gen_range(0.9..=1.1))
            }
            Err(suspect @ IndexerError::Suspect { .. }) => {
                self.doubted = Some(seen);
                self.link.report(Origin::Connection, Some(suspect.to_string()));
                RECHECK.min(self.link.config.reconcile)
            }
            Err(other) => return Err(other),
        };
        self.reconcile_at = Some(Instant::now() + pause);
        Ok(())
    }
}
