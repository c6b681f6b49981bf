//! The state of the screens as plain values: the last snapshot of the mirror, the connection, the dialog, the
//! running job, the selections. Holds no secret key, no connection and no `Intent`. Only `update` changes it.
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

/// Data older than this counts as stale.
pub const STALE_AFTER: Duration = Duration::from_secs(10);

/// The number of a prepared or running operation. An answer with an older ticket is dropped.
pub type Ticket = u64;

/// How urgent a message is; errors stay until they are dismissed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// For information.
    Info,
    /// Something worked.
    Ok,
    /// Something was refused, or needs attention.
    Warn,
    /// Something failed.
    Error,
}

/// A message at the bottom of the screen.
#[derive(Clone, Debug)]
pub struct Message {
    pub level: Level,
    /// One or two sentences.
    pub text: String,
    pub at: Instant,
}

/// A member of the sandbox's multisig whose key the screens may sign with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SandboxMember {
    pub name: String,
    pub key: Pubkey,
}

/// The checks of the open proposal's next step, and what they were made from. They are made again when that changes.
#[derive(Clone, Debug)]
pub struct StepChecks {
    pub ticket: Ticket,
    pub proposal: Pubkey,
    /// Slot of the proposal's row at that time.
    pub row_slot: u64,
    /// The proposal's timing at that time: the end of a timelock changes it without a new row.
    pub stage: std::mem::Discriminant<Timing>,
    /// Whether the connection was up. If not, the checks failed for that reason only.
    pub live: bool,
    /// `None` until the backend has answered.
    pub result: Option<Result<PreflightView, String>>,
    pub at: Instant,
}

/// The whole state of the screens.
#[derive(Clone, Debug)]
pub struct Model {
    pub snapshot: Arc<Snapshot>,
    /// Whether a snapshot has been read at all.
    pub loaded: bool,
    /// The state of the connection and of the mirror.
    pub health: Health,
    /// From which lag and silence on the mirror counts as unhealthy.
    pub limits: Limits,
    pub cluster: Cluster,
    /// The address of the loaded key.
    pub signer: Option<Pubkey>,
    /// Whether signing is switched off.
    pub read_only: bool,
    /// Empty outside the sandbox.
    pub members: Vec<SandboxMember>,
    /// Names for addresses, from the configuration.
    pub names: BTreeMap<Pubkey, String>,
    /// Screen, selections, filters, scroll positions.
    pub ui: Ui,
    pub dialog: Option<Dialog>,
    /// The operation that is being sent.
    pub job: Option<Job>,
    /// How the last job ended.
    pub report: Option<Report>,
    /// Checks of the open proposal.
    pub checked: Option<StepChecks>,
    /// The last message that is no error. It disappears after a while.
    pub message: Option<Message>,
    /// Errors that the operator has not dismissed, oldest first.
    pub errors: Vec<Message>,
    /// Keys of the notices that this process has requested.
    pub noticed: BTreeSet<String>,
    /// Notices since the terminal lost the focus, for the window's title.
    pub unseen: usize,
    pub theme: Theme,
    /// The time of the last update or frame; drawing reads no clock of its own.
    pub now: Instant,
    pub next_ticket: Ticket,
    pub quit: bool,
}

impl Model {
    /// A model without data, key or dialog.
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

    /// A new ticket.
    pub fn ticket(&mut self) -> Ticket {
        let ticket = self.next_ticket;
        self.next_ticket = ticket.saturating_add(1);
        ticket
    }

    /// Shows a message. Errors queue up; any other message replaces the last one.
    pub fn say(&mut self, level: Level, text: impl Into<String>) {
        let text = self.with_names(&crate::text::clean(&text.into()));
        let message = Message { level, text, at: self.now };
        if level != Level::Error {
            self.message = Some(message);
        } else if self.errors.iter().all(|e| e.text != message.text) {
            self.errors.push(message);
        }
    }

    /// Dismisses the oldest error or, without errors, the last message. Returns whether there was one.
    pub fn dismiss(&mut self) -> bool {
        if self.errors.is_empty() {
            return self.message.take().is_some();
        }
        self.errors.remove(0);
        true
    }

    /// Why the mirror may not show what is on chain now.
    pub fn doubts(&self) -> BTreeSet<Reason> {
        self.health.clone().judged(self.now, &self.limits).reasons
    }

    /// The chain's clock now: the last reading plus the time since then.
    pub fn chain_now(&self) -> Option<ChainNow> {
        if matches!(self.health.conn, Conn::Stopped { .. }) {
            return None;
        }
        let (unix, read_at) = (self.health.chain_time?, self.health.read_at?);
        let since = self.now.saturating_duration_since(read_at).as_secs();
        let since = i64::try_from(since).unwrap_or(0);
        Some(ChainNow { unix: unix.saturating_add(since), slot: self.health.slot })
    }

    /// The timing of `proposal` now.
    pub fn timing(&self, proposal: &UpgradeProposal) -> Timing {
        let state = self.snapshot.program(&proposal.terms.program);
        timing(proposal, self.snapshot.multisig_of(proposal), state, self.chain_now())
    }

    /// The timing of a proposal of either kind now.
    pub fn timing_of(&self, decision: Decision<'_>) -> Timing {
        match decision {
            Decision::Upgrade(row) => self.timing(&row.account),
            Decision::Multisig(row) => {
                let multisig = self.snapshot.multisig(&row.account.terms.multisig);
                multisig_timing(&row.account, multisig, self.chain_now())
            }
        }
    }

    /// Time since the store last wrote something newer from the chain, `None` before the first time. The node's
    /// clock is no measure: it goes on while nothing is written.
    pub fn data_age(&self) -> Option<Duration> {
        self.health.stored_at.map(|at| self.now.saturating_duration_since(at))
    }

    /// Whether the data is too old to be taken for the state of the chain.
    pub fn is_stale(&self) -> bool {
        !self.health.conn.is_live() || self.data_age().is_none_or(|age| age > STALE_AFTER)
    }

    /// The name of an address, or its short form.
    pub fn name(&self, key: &Pubkey) -> String {
        self.names.get(key).cloned().unwrap_or_else(|| short(&key.to_string()))
    }

    /// The name of an address that may also be a proposal, a multisig or a buffer.
    pub fn name_of_any(&self, key: &Pubkey) -> String {
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

    /// `text` with addresses replaced by their names. Only for sentences: what is signed shows full addresses.
    pub fn with_names(&self, text: &str) -> String {
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
