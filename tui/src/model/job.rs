//! One operation on its way: what was shown before signing, how far it is, how it ended. Values
//! only; the intent stays with the runtime, so nothing here can be signed.
use std::time::{Duration, Instant};

use backend::{Check, Fact, Preflight, Simulation, Step, Verb};
use solana_pubkey::Pubkey;

use super::{Ticket, rate::Rate};

/// After how long without progress a job says so.
const STALL_TIMEOUT: Duration = Duration::from_secs(10);

/// What a preflight shows, without the intent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreflightView {
    /// What will be done.
    pub verb: Verb,
    /// To which proposal.
    pub proposal: Pubkey,
    /// What signing does: a vote, or the act itself.
    pub step: Step,
    /// Head line.
    pub title: String,
    /// Exactly what will be signed.
    pub facts: Vec<Fact>,
    /// What was checked.
    pub checks: Vec<Check>,
    /// What the node said.
    pub simulation: Option<Simulation>,
    /// How many transactions.
    pub transactions: usize,
    /// Whether the backend made an intent.
    pub sendable: bool,
}

impl From<&Preflight> for PreflightView {
    fn from(p: &Preflight) -> Self {
        Self {
            verb: p.verb,
            proposal: p.proposal,
            step: p.step.clone(),
            title: p.title.clone(),
            facts: p.facts.clone(),
            checks: p.checks.clone(),
            simulation: p.simulation.clone(),
            transactions: p.transactions,
            sendable: p.intent.is_some(),
        }
    }
}

/// One step of a running job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobStep {
    /// What is being done.
    pub label: String,
    /// Items done.
    pub done: u64,
    /// Items in all.
    pub total: u64,
    /// Items that failed for good.
    pub failed: u64,
}

/// A job that was submitted and has not ended.
#[derive(Clone, Debug)]
pub struct Job {
    /// Names it.
    pub ticket: Ticket,
    /// What it does, at the head of a sentence.
    pub label: String,
    /// Whether it is a vote only.
    pub is_vote: bool,
    /// To which proposal.
    pub proposal: Pubkey,
    /// Since when.
    pub since: Instant,
    /// The step it is at.
    pub step: Option<JobStep>,
    /// How fast it goes.
    pub rate: Rate,
    /// Whether the last check before signing has passed.
    pub sending: bool,
    /// Transactions whose outcome is known so far.
    pub sent: usize,
}

impl Job {
    /// A job that starts now.
    pub fn new(ticket: Ticket, does: &Step, proposal: Pubkey, now: Instant) -> Self {
        Self {
            ticket,
            label: does.label(),
            is_vote: does.is_vote,
            proposal,
            since: now,
            step: None,
            rate: Rate::default(),
            sending: false,
            sent: 0,
        }
    }

    /// For how long nothing has moved, once that is long enough to be worth saying. What the job
    /// still needs is then anybody's guess.
    pub fn stalled(&self, now: Instant) -> Option<Duration> {
        let still = now.saturating_duration_since(self.rate.still_since()?);
        (still >= STALL_TIMEOUT).then_some(still)
    }

    /// Where a job without steps is, claiming no more than is known.
    pub fn phase(&self) -> &'static str {
        match (self.sent, self.sending) {
            (0, false) => "reading the chain again, nothing is signed yet",
            (0, true) => "signing, sending, waiting for the outcome",
            _ => "the outcome is known, writing it down",
        }
    }

    /// Takes news of a step.
    pub fn advance(&mut self, step: JobStep, now: Instant) {
        if self.step.as_ref().is_some_and(|s| s.label != step.label) {
            self.rate = Rate::default();
        }
        self.rate.record(now, step.done);
        self.step = Some(step);
    }
}

/// How the last job ended.
#[derive(Clone, Debug)]
pub struct Report {
    /// What it did, at the head of a sentence.
    pub label: String,
    /// One sentence.
    pub summary: String,
    /// What did not work, one sentence each.
    pub failures: Vec<String>,
    /// How long it took.
    pub took: Duration,
}
