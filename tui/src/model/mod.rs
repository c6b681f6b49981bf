//! Everything a screen can show, as plain values: the last snapshot of the mirror, the connection,
//! the dialog, the running job, and where the operator is. Holds no key, no connection and no
//! intent; changed only by `update`.
pub mod cluster;
pub mod cursor;
pub mod dialog;
pub mod job;
pub mod rate;
pub mod snapshot;
pub mod timing;
pub mod ui;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::{Duration, Instant},
};

use indexer::{Conn, Health, Limits, Reason};
use solana_pubkey::Pubkey;
use upgrade_manager::state::UpgradeProposal;

use self::{
    cluster::Cluster,
    dialog::Dialog,
    job::{Job, PreflightView, Report},
    snapshot::{Decision, Snapshot},
    timing::{ChainNow, Timing, multisig_timing, timing},
    ui::Ui,
};
use crate::{text::short, theme::Theme};

/// After how long without news data counts as old.
pub const STALE_AFTER: Duration = Duration::from_secs(10);

/// One prepared or running operation; only the newest counts.
pub type Ticket = u64;

/// How urgent a message is; errors stay until they are dismissed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// For information.
    Info,
    /// Something worked.
    Ok,
    /// Something was refused, or deserves a look.
    Warn,
    /// Something failed.
    Error,
}

/// The last thing the operator was told.
#[derive(Clone, Debug)]
pub struct Message {
    /// How urgent.
    pub level: Level,
    /// One or two sentences.
    pub text: String,
    /// When.
    pub at: Instant,
}

/// One key of the sandbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SandboxMember {
    /// Its name on screen.
    pub name: String,
    /// Its address.
    pub key: Pubkey,
}

/// Checks of the open proposal, as of a moment.
#[derive(Clone, Debug)]
pub struct StepChecks {
    /// What was prepared.
    pub ticket: Ticket,
    /// For which proposal.
    pub proposal: Pubkey,
    /// Slot of the proposal's row at that time; another slot makes the checks old.
    pub row_slot: u64,
    /// What time meant for it: the end of a timelock makes the checks old as well.
    pub stage: std::mem::Discriminant<Timing>,
    /// Whether the connection was up; without it the checks tell of the connection only.
    pub live: bool,
    /// The result, `None` while it is being made.
    pub result: Option<Result<PreflightView, String>>,
    /// When.
    pub at: Instant,
}

/// The whole state of the screens.
#[derive(Clone, Debug)]
pub struct Model {
    /// The mirror's content.
    pub snapshot: Arc<Snapshot>,
    /// Whether a snapshot has been read at all.
    pub loaded: bool,
    /// The connection.
    pub health: Health,
    /// When numbers of the mirror become a reason not to trust it.
    pub limits: Limits,
    /// Which chain.
    pub cluster: Cluster,
    /// Whose key signs.
    pub signer: Option<Pubkey>,
    /// Whether writing is switched off.
    pub read_only: bool,
    /// The sandbox's keys; empty everywhere else.
    pub members: Vec<SandboxMember>,
    /// Names for addresses.
    pub names: BTreeMap<Pubkey, String>,
    /// Where the operator is.
    pub ui: Ui,
    /// The dialog on top.
    pub dialog: Option<Dialog>,
    /// What is being prepared or sent.
    pub job: Option<Job>,
    /// How the last job ended.
    pub report: Option<Report>,
    /// Checks of the open proposal.
    pub checked: Option<StepChecks>,
    /// The last thing said that is no error.
    pub message: Option<Message>,
    /// Errors that nobody has dismissed, oldest first.
    pub errors: Vec<Message>,
    /// Notices that were handed to the notifier by this process.
    pub noticed: BTreeSet<String>,
    /// Timelocks that expired while the operator looked elsewhere, for the window's title.
    pub unseen: usize,
    /// How it looks.
    pub theme: Theme,
    /// The present.
    pub now: Instant,
    /// The next ticket.
    pub next_ticket: Ticket,
    /// Whether to leave.
    pub quit: bool,
}

impl Model {
    /// An empty room.
    pub fn new(cluster: Cluster, theme: Theme, now: Instant) -> Self {
        Self {
            snapshot: Arc::new(Snapshot::default()),
            loaded: false,
            health: Health::default(),
            limits: Limits::default(),
            cluster,
            signer: None,
            read_only: false,
            members: vec![],
            names: BTreeMap::new(),
            ui: Ui::default(),
            dialog: None,
            job: None,
            report: None,
            checked: None,
            message: None,
            errors: vec![],
            noticed: BTreeSet::new(),
            unseen: 0,
            theme,
            now,
            next_ticket: 1,
            quit: false,
        }
    }

    /// A ticket nobody has.
    pub fn ticket(&mut self) -> Ticket {
        let ticket = self.next_ticket;
        self.next_ticket = ticket.saturating_add(1);
        ticket
    }

    /// Tells the operator something.
    pub fn say(&mut self, level: Level, text: impl Into<String>) {
        let text = self.named(&crate::text::clean(&text.into()));
        let message = Message { level, text, at: self.now };
        if level != Level::Error {
            self.message = Some(message);
        } else if self.errors.iter().all(|e| e.text != message.text) {
            self.errors.push(message);
        }
    }

    /// Takes away the oldest error, else the last thing said; whether there was one.
    pub fn dismiss(&mut self) -> bool {
        if self.errors.is_empty() {
            return self.message.take().is_some();
        }
        self.errors.remove(0);
        true
    }

    /// Why the mirror must not be taken for the chain at present, in words as well as in numbers.
    pub fn doubts(&self) -> BTreeSet<Reason> {
        self.health.clone().judged(self.now, &self.limits).reasons
    }

    /// The chain's clock, carried on from the last reading.
    pub fn chain_now(&self) -> Option<ChainNow> {
        if matches!(self.health.conn, Conn::Stopped { .. }) {
            return None;
        }
        let (unix, read_at) = (self.health.chain_time?, self.health.read_at?);
        let since = self.now.saturating_duration_since(read_at).as_secs();
        let since = i64::try_from(since).unwrap_or(0);
        Some(ChainNow { unix: unix.saturating_add(since), slot: self.health.slot })
    }

    /// What time means for `proposal` at present.
    pub fn timing(&self, proposal: &UpgradeProposal) -> Timing {
        let state = self.snapshot.program(&proposal.terms.program);
        timing(proposal, self.snapshot.multisig_of(proposal), state, self.chain_now())
    }

    /// What time means for a proposal of either kind at present.
    pub fn timing_of(&self, decision: Decision<'_>) -> Timing {
        match decision {
            Decision::Upgrade(row) => self.timing(&row.account),
            Decision::Multisig(row) => {
                let multisig = self.snapshot.multisig(&row.account.terms.multisig);
                multisig_timing(&row.account, multisig, self.chain_now())
            }
        }
    }

    /// Time since the store last took something newer from the chain, `None` before the first time.
    /// The node's clock does not count: it goes on while nothing is written.
    pub fn data_age(&self) -> Option<Duration> {
        self.health.stored_at.map(|at| self.now.saturating_duration_since(at))
    }

    /// Whether the data must not be taken for the present.
    pub fn is_stale(&self) -> bool {
        !self.health.conn.is_live() || self.data_age().is_none_or(|age| age > STALE_AFTER)
    }

    /// The name of an address, or its short form.
    pub fn name(&self, key: &Pubkey) -> String {
        self.names.get(key).cloned().unwrap_or_else(|| short(&key.to_string()))
    }

    /// What an address is called where it may be a proposal, a multisig or a buffer as well.
    pub fn called(&self, key: &Pubkey) -> String {
        if let Some(decision) = self.snapshot.decision(key) {
            return format!("proposal {}", decision.id());
        }
        match self.snapshot.multisig(key) {
            Some(_) if !self.names.contains_key(key) => {
                format!("multisig {}", short(&key.to_string()))
            }
            _ => self.name(key),
        }
    }

    /// `text` with addresses replaced by their names, for sentences; never for what is signed.
    pub fn named(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (key, name) in &self.names {
            text = text.replace(&key.to_string(), name);
        }
        text
    }

    /// The name and the full address.
    pub fn full_name(&self, key: &Pubkey) -> String {
        match self.names.get(key) {
            Some(name) => format!("{key} ({name})"),
            None => key.to_string(),
        }
    }

    /// Why nothing can be signed now, if so.
    pub fn write_block(&self) -> Option<String> {
        use crate::strings as s;
        if self.read_only {
            return Some(s::READ_ONLY.to_owned());
        }
        if self.signer.is_none() {
            return Some(s::NO_KEY.to_owned());
        }
        if let Some(job) = &self.job {
            return Some(s::busy(&job.label));
        }
        match &self.health.conn {
            Conn::Live | Conn::Following { .. } => None,
            Conn::Stopped { reason } => Some(s::offline(reason)),
            Conn::Connecting => Some(s::NOT_YET_CONNECTED.to_owned()),
            Conn::Reconnecting { .. } => {
                Some(s::offline(self.health.error.as_deref().unwrap_or(s::LOST)))
            }
        }
    }
}
