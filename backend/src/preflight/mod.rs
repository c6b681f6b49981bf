//! What an operator is shown before signing: facts, checks, the simulation. Values only. With a failed
//! check there is no intent, so nothing can be signed in spite of it.
use solana_pubkey::Pubkey;

pub mod check;
pub mod fact;
pub mod intent;
pub mod manifest;
pub mod operation;
pub mod pinned;
pub mod progress;
pub mod receipt;
pub(crate) mod rule_check;
pub mod step;
pub mod text;

use crate::preflight::{
    check::{Check, Verdict},
    fact::Fact,
    intent::Intent,
    operation::Verb,
    step::Step,
};

/// The node's simulation of the transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Simulation {
    /// Compute units.
    pub units: u64,
    /// Why it would fail, as a sentence.
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
    /// The title of the dialog.
    pub title: String,
    /// Exactly what will be signed.
    pub facts: Vec<Fact>,
    /// What was checked.
    pub checks: Vec<Check>,
    /// The simulation; for a long job, of its first transaction.
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
