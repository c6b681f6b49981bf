//! What an operator is shown before signing: the exact facts, the checks in words, the simulation.
//! Values only; a failed check leaves no intent, so it cannot be signed away.
use solana_pubkey::Pubkey;

use crate::{intent::Intent, operation::Verb, step::Step};

/// One line of what will be signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// What it is.
    pub label: String,
    /// Its full value, never shortened.
    pub value: String,
}

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Holds.
    Pass,
    /// Holds, but look at it.
    Warn,
    /// Does not hold; nothing can be signed.
    Fail,
}

/// One check in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// How it ended.
    pub verdict: Verdict,
    /// What was checked, and what to do when it failed.
    pub sentence: String,
}

impl Check {
    /// A check that holds.
    #[must_use]
    pub fn pass(sentence: impl Into<String>) -> Self {
        Self { verdict: Verdict::Pass, sentence: sentence.into() }
    }

    /// A check that holds with a reservation.
    #[must_use]
    pub fn warn(sentence: impl Into<String>) -> Self {
        Self { verdict: Verdict::Warn, sentence: sentence.into() }
    }

    /// A check that does not hold.
    #[must_use]
    pub fn fail(sentence: impl Into<String>) -> Self {
        Self { verdict: Verdict::Fail, sentence: sentence.into() }
    }

    /// `pass` when `holds`, else `fail`.
    #[must_use]
    pub fn when(holds: bool, pass: impl Into<String>, fail: impl Into<String>) -> Self {
        if holds { Self::pass(pass) } else { Self::fail(fail) }
    }
}

/// What the node said the transaction would do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Simulation {
    /// Compute units.
    pub units: u64,
    /// Why it would fail, in words.
    pub error: Option<String>,
    /// Its log.
    pub logs: Vec<String>,
}

/// Everything an operator sees before signing.
#[derive(Clone, Debug)]
pub struct Preflight {
    /// What will be done.
    pub verb: Verb,
    /// To which proposal.
    pub proposal: Pubkey,
    /// What signing does: a vote, or the act itself.
    pub step: Step,
    /// One line for the head of the dialog.
    pub title: String,
    /// Exactly what will be signed.
    pub facts: Vec<Fact>,
    /// What was checked.
    pub checks: Vec<Check>,
    /// What the node said; for a long job, about its first transaction.
    pub simulation: Option<Simulation>,
    /// Transactions that will be sent, as far as can be told now.
    pub transactions: usize,
    /// What can be signed; `None` when a check failed.
    pub intent: Option<Intent>,
}

impl Preflight {
    /// The checks that failed.
    pub fn failures(&self) -> impl Iterator<Item = &Check> {
        self.checks.iter().filter(|c| c.verdict == Verdict::Fail)
    }
}
