//! One operation: its preflight, its progress and its report. The `Intent` stays in `runtime`, so nothing here can
//! be signed.
use std::time::{Duration, Instant};

use backend::{Check, Fact, Preflight, Simulation, Step, Verb};
use solana_pubkey::Pubkey;

use super::{Ticket, rate::Rate};

/// A job without progress for this long is shown as stalled.
const STALL_TIMEOUT: Duration = Duration::from_secs(10);

/// What a preflight shows, without the intent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreflightView {
    pub verb: Verb,
    pub proposal: Pubkey,
    /// Whether signing casts a vote or executes the verb, and the consequence.
    pub step: Step,
    pub title: String,
    /// Exactly what will be signed.
    pub facts: Vec<Fact>,
    pub checks: Vec<Check>,
    pub simulation: Option<Simulation>,
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
    /// For example `migrate`.
    pub label: String,
    pub done: u64,
    pub total: u64,
    /// Items that failed for good.
    pub failed: u64,
}

/// A job that was submitted and has not ended.
#[derive(Clone, Debug)]
pub struct Job {
    pub ticket: Ticket,
    /// The verb, capitalized to start a sentence.
    pub label: String,
    pub is_vote: bool,
    pub proposal: Pubkey,
    pub since: Instant,
    pub step: Option<JobStep>,
    pub rate: Rate,
    /// Whether the last check before signing has passed, so that transactions may be on their way.
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

    /// For how long the job has made no progress, if longer than [`STALL_TIMEOUT`]. A stalled job gets no estimate of
    /// the time left.
    pub fn stalled(&self, now: Instant) -> Option<Duration> {
        let still = now.saturating_duration_since(self.rate.unchanged_since()?);
        (still >= STALL_TIMEOUT).then_some(still)
    }

    /// What a job without steps is doing. "Nothing is signed yet" is said only while that is certain.
    pub fn phase(&self) -> &'static str {
        match (self.sent, self.sending) {
            (0, false) => "reading the chain again, nothing is signed yet",
            (0, true) => "signing, sending, waiting for the outcome",
            _ => "the outcome is known, recording it",
        }
    }

    /// Records the progress of a step.
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
    /// The verb, capitalized to start a sentence.
    pub label: String,
    /// One sentence.
    pub summary: String,
    /// One sentence for each failure.
    pub failures: Vec<String>,
    pub took: Duration,
}
