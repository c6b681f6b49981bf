//! Announcements without an event: a timelock has ended, an approval was lost. Both are derived from the
//! finalised part of the mirror with a finalised clock, and have a derived id, so that each is announced
//! only once.
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use solana_pubkey::Pubkey;
use tokio::sync::watch;
use tracing::warn;
use upgrade_manager::state::{MultisigConfig, ProposalStatus, Votable};

use crate::{
    ops::health::{Conn, Health},
    store::{
        Announcement, OutboxRow, Result, Row, Run, Store, StoreError, View,
        announcement::{AnnouncementKind, Detail, derived},
    },
};

/// How often the mirror is checked.
const POLL_INTERVAL: Duration = Duration::from_secs(1);
/// Outbox rows of one page.
const PAGE_ROWS: u32 = 256;

/// End of the pause that stops the execution of `proposal`, seconds since 1970; 0 without one. A pause
/// does not stop proposals about the multisig itself.
#[must_use]
pub fn paused_until(proposal: &impl Votable, multisig: &MultisigConfig) -> i64 {
    if proposal.program().is_some() { multisig.paused_until } else { 0 }
}

/// Whether the program would accept the execution of `proposal` at `unix` and `slot`.
#[must_use]
pub fn can_be_executed(
    proposal: &impl Votable,
    multisig: &MultisigConfig,
    unix: i64,
    slot: u64,
) -> bool {
    unix >= paused_until(proposal, multisig)
        && proposal.require_fresh(multisig).is_ok()
        && proposal.require_executable(multisig, unix, slot).is_ok()
}

/// A reading of the chain's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// A slot that the chain had reached.
    pub slot: u64,
    /// Chain time at or before that slot, seconds since 1970.
    pub unix: i64,
}

/// The newest announced approval of each proposal: slot of the vote, and its eta.
pub type Approvals = BTreeMap<Pubkey, (u64, i64)>;

/// Adds the approvals in `rows` of the outbox to `approvals`.
pub fn learn(approvals: &mut Approvals, rows: &[OutboxRow]) {
    for said in rows.iter().map(|row| &row.announcement) {
        let eta = || serde_json::from_str::<Detail>(&said.detail).ok()?.eta;
        if let (true, Some(proposal), Some(eta)) =
            (said.kind == AnnouncementKind::Approved.name(), said.subject, eta())
        {
            approvals.insert(proposal, (said.slot, eta));
        }
    }
}

/// The announcements due at `now`. `view` must be complete up to slot `upto`; both `now` and `upto` must
/// be final.
#[must_use]
pub fn due(view: &View, approvals: &Approvals, now: Moment, upto: u64) -> Vec<Announcement> {
    let upgrades = view.proposals.iter().filter_map(|row| due_for(view, approvals, row, now, upto));
    let changes = view.governance.iter().filter_map(|row| due_for(view, approvals, row, now, upto));
    upgrades.chain(changes).collect()
}

fn due_for<T: Votable>(
    view: &View,
    approvals: &Approvals,
    row: &Row<T>,
    now: Moment,
    upto: u64,
) -> Option<Announcement> {
    // Skips rows that a reorg may still undo, and clocks later than the complete part of the view.
    if row.closed_slot.is_some() || row.slot > upto || now.slot > upto {
        return None;
    }
    let (proposal, stage) = (&row.account, row.account.voting_state());
    let (kind, eta) = match stage.status {
        ProposalStatus::Timelocked => {
            let multisig = view.multisigs.iter().find(|m| m.pubkey == proposal.multisig())?;
            // The multisig must be final too: lifting a pause may still be undone.
            let ready = multisig.slot <= upto
                && can_be_executed(proposal, &multisig.account, now.unix, now.slot);
            ready.then_some((AnnouncementKind::Ready, stage.eta))?
        }
        // A row older than the approval does not show that the approval was lost.
        ProposalStatus::Active => {
            let (voted, eta) = approvals.get(&row.pubkey)?;
            (row.slot >= *voted).then_some((AnnouncementKind::ApprovalLost, *eta))?
        }
        _ => return None,
    };
    let detail = Detail {
        proposal: Some(row.pubkey.to_string()),
        program: proposal.program().map(|k| k.to_string()),
        multisig: Some(proposal.multisig().to_string()),
        eta: (kind == AnnouncementKind::Ready).then_some(eta),
        ..Detail::default()
    };
    Some(Announcement {
        event_id: derived(kind, Some(&row.pubkey), eta),
        kind: kind.name().to_owned(),
        slot: if kind == AnnouncementKind::Ready { now.slot } else { row.slot },
        chain_time: (kind == AnnouncementKind::Ready).then_some(now.unix),
        subject: Some(row.pubkey),
        detail: detail.json(),
    })
}

/// Puts due announcements into the outbox until `stop` is true, its sender is gone, or another run has
/// taken the store over.
pub async fn watch(
    store: Arc<dyn Store>,
    run: Run,
    health: watch::Receiver<Health>,
    mut stop: watch::Receiver<bool>,
) {
    let mut watcher = DueWatcher::new(store, run);
    let mut last_error = None;
    loop {
        let (live, seen) = {
            let health = health.borrow();
            (
                health.conn == Conn::Live,
                health.chain_time.map(|unix| Moment { slot: health.slot, unix }),
            )
        };
        match watcher.check(seen.filter(|_| live)).await {
            Ok(()) => last_error = None,
            Err(StoreError::Fenced { .. }) => return,
            Err(error) => {
                let text = error.to_string();
                if last_error.as_ref() != Some(&text) {
                    warn!("what falls due cannot be announced: {text}");
                    last_error = Some(text);
                }
            }
        }
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            () = tokio::time::sleep(POLL_INTERVAL) => {}
        }
    }
}

/// The state between two checks.
struct DueWatcher {
    store: Arc<dyn Store>,
    run: Run,
    /// A clock reading whose slot is not final yet.
    pending: Option<Moment>,
    /// The newest final clock reading.
    now: Option<Moment>,
    approvals: Approvals,
    /// The newest outbox row that was read.
    read: u64,
    /// Input of the last check: the store's revision, the complete slot, the clock.
    last_check: Option<(u64, u64, Moment)>,
    /// Ids of announcements that are in the outbox already.
    announced: BTreeSet<[u8; 32]>,
}

impl DueWatcher {
    fn new(store: Arc<dyn Store>, run: Run) -> Self {
        Self {
            store,
            run,
            pending: None,
            now: None,
            approvals: Approvals::new(),
            read: 0,
            last_check: None,
            announced: BTreeSet::new(),
        }
    }

    /// Checks once; `seen` is the newest clock reading, if the mirror is live.
    async fn check(&mut self, seen: Option<Moment>) -> Result<()> {
        let state = self.store.state().await?;
        let upto = state.frontier_slot.min(state.root_slot);
        self.pending = self.pending.or(seen);
        if let Some(moment) = self.pending.filter(|m| m.slot <= upto) {
            (self.now, self.pending) = (Some(moment), seen);
        }
        let Some(now) = self.now else { return Ok(()) };
        let check = (state.rev, upto, now);
        if self.last_check == Some(check) {
            return Ok(());
        }
        self.read_outbox().await?;
        let view = self.store.view().await?;
        for said in due(&view, &self.approvals, now, upto) {
            if !self.announced.contains(&said.event_id) {
                self.store.enqueue(&self.run, &said).await?;
                self.announced.insert(said.event_id);
            }
        }
        self.last_check = Some(check);
        Ok(())
    }

    async fn read_outbox(&mut self) -> Result<()> {
        loop {
            let rows = self.store.outbox(self.read, PAGE_ROWS).await?;
            let Some(last) = rows.last() else { return Ok(()) };
            self.read = last.id;
            learn(&mut self.approvals, &rows);
        }
    }
}
