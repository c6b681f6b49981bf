//! What is announced without an event of its own: a timelock that is over, and an approval that was
//! lost. Both are read from the finalised part of the mirror, with a clock that is final as well,
//! and have an id of their own, so that each is told once ever.
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

/// How often the mirror is looked at.
const POLL_INTERVAL: Duration = Duration::from_secs(1);
/// Rows of the outbox that are read at once.
const PAGE_ROWS: u32 = 256;

/// Until when a pause of `multisig` stops the execution of `proposal`, seconds since 1970: 0
/// without one. What a multisig decides about itself is not paused.
#[must_use]
pub fn paused_until(proposal: &impl Votable, multisig: &MultisigConfig) -> i64 {
    if proposal.program().is_some() { multisig.paused_until } else { 0 }
}

/// Whether the chain would let a member execute `proposal` of `multisig` at `unix` and `slot`.
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

/// A moment of the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// A slot that the chain had reached.
    pub slot: u64,
    /// Chain time at or before that slot, seconds since 1970.
    pub unix: i64,
}

/// The newest approval that was announced of each proposal: the slot of the vote, and its eta.
pub type Approvals = BTreeMap<Pubkey, (u64, i64)>;

/// Adds what `rows` of the outbox say to `approvals`.
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

/// What there is to announce at `now`, a moment that is final, where `view` lacks nothing up to
/// slot
/// `upto`, which is final as well.
#[must_use]
pub fn due(view: &View, approvals: &Approvals, now: Moment, upto: u64) -> Vec<Announcement> {
    let upgrades = view.proposals.iter().filter_map(|row| one(view, approvals, row, now, upto));
    let changes = view.governance.iter().filter_map(|row| one(view, approvals, row, now, upto));
    upgrades.chain(changes).collect()
}

fn one<T: Votable>(
    view: &View,
    approvals: &Approvals,
    row: &Row<T>,
    now: Moment,
    upto: u64,
) -> Option<Announcement> {
    // What may still be undone is no fact, and neither is a moment behind what is known.
    if row.closed_slot.is_some() || row.slot > upto || now.slot > upto {
        return None;
    }
    let (proposal, stage) = (&row.account, row.account.voting_state());
    let (kind, eta) = match stage.status {
        ProposalStatus::Timelocked => {
            let multisig = view.multisigs.iter().find(|m| m.pubkey == proposal.multisig())?;
            // A pause that was lifted in a slot which is not final may still be on.
            let ready = multisig.slot <= upto
                && can_be_executed(proposal, &multisig.account, now.unix, now.slot);
            ready.then_some((AnnouncementKind::Ready, stage.eta))?
        }
        // A row that is older than the approval says nothing about it.
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

/// Watches the mirror that `run` writes, and puts into the outbox what falls due, until `stop` says
/// so, its sender is gone, or another run has taken the store over.
pub async fn watch(
    store: Arc<dyn Store>,
    run: Run,
    health: watch::Receiver<Health>,
    mut stop: watch::Receiver<bool>,
) {
    let mut watching = Watching::new(store, run);
    let mut told = None;
    loop {
        let (live, seen) = {
            let health = health.borrow();
            (
                health.conn == Conn::Live,
                health.chain_time.map(|unix| Moment { slot: health.slot, unix }),
            )
        };
        match watching.look(seen.filter(|_| live)).await {
            Ok(()) => told = None,
            Err(StoreError::Fenced { .. }) => return,
            Err(error) => {
                let text = error.to_string();
                if told.as_ref() != Some(&text) {
                    warn!("what falls due cannot be announced: {text}");
                    told = Some(text);
                }
            }
        }
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            () = tokio::time::sleep(POLL_INTERVAL) => {}
        }
    }
}

/// What has been seen so far.
struct Watching {
    store: Arc<dyn Store>,
    run: Run,
    /// A moment that is not final yet.
    pending: Option<Moment>,
    /// The newest one that is.
    now: Option<Moment>,
    approvals: Approvals,
    /// The newest row of the outbox that was read.
    read: u64,
    /// What the last look saw: the store's revision, the slot without gaps, the moment.
    looked: Option<(u64, u64, Moment)>,
    /// What is in the outbox already.
    told: BTreeSet<[u8; 32]>,
}

impl Watching {
    fn new(store: Arc<dyn Store>, run: Run) -> Self {
        Self {
            store,
            run,
            pending: None,
            now: None,
            approvals: Approvals::new(),
            read: 0,
            looked: None,
            told: BTreeSet::new(),
        }
    }

    /// Looks once; `seen` is the chain's newest moment, if the mirror is live.
    async fn look(&mut self, seen: Option<Moment>) -> Result<()> {
        let state = self.store.state().await?;
        let upto = state.frontier_slot.min(state.root_slot);
        self.pending = self.pending.or(seen);
        if let Some(moment) = self.pending.filter(|m| m.slot <= upto) {
            (self.now, self.pending) = (Some(moment), seen);
        }
        let Some(now) = self.now else { return Ok(()) };
        let look = (state.rev, upto, now);
        if self.looked == Some(look) {
            return Ok(());
        }
        self.read_outbox().await?;
        let view = self.store.view().await?;
        for said in due(&view, &self.approvals, now, upto) {
            if !self.told.contains(&said.event_id) {
                self.store.enqueue(&self.run, &said).await?;
                self.told.insert(said.event_id);
            }
        }
        self.looked = Some(look);
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
