//! The team: who may do what, who has voted, who is missing. Answers with the chain's own rules and
//! adds only the words.
use solana_pubkey::Pubkey;
use upgrade_manager::state::{Choice, MultisigConfig, UpgradeProposal, role};

use crate::{
    backend::Backend,
    error::Result,
    intent::Shown,
    lookup::{Scene, decode},
    operation::Verb,
    preflight::{Check, Fact},
};

/// What a verb asks of its signer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// Nothing but a signature: anyone may.
    Nobody,
    /// Membership with this role.
    Role(u8),
}

/// What `verb` asks of its signer.
#[must_use]
pub fn needs(verb: Verb) -> Needs {
    match verb {
        Verb::Propose => Needs::Role(role::PROPOSE),
        Verb::Approve | Verb::Reject | Verb::Revoke => Needs::Role(role::VOTE),
        Verb::Execute | Verb::Quarantine { .. } => Needs::Role(role::EXECUTE),
        // Who may cancel or roll back depends on the step, and is checked there.
        Verb::Cancel | Verb::RollBack { .. } | Verb::Expire | Verb::Migrate | Verb::Verify => {
            Needs::Nobody
        }
    }
}

/// A role's bits in words.
#[must_use]
pub fn role_name(bits: u8) -> &'static str {
    match bits {
        role::PROPOSE => "propose",
        role::VOTE => "vote",
        role::EXECUTE => "execute",
        _ => "take part",
    }
}

/// Reads teams and says where they stand.
#[derive(Clone)]
pub struct MultisigCoordinator {
    backend: Backend,
}

impl MultisigCoordinator {
    /// Over the gateway of `backend`.
    #[must_use]
    pub fn new(backend: &Backend) -> Self {
        Self { backend: backend.clone() }
    }

    /// The team at `address`.
    ///
    /// # Errors
    /// The network's, or what is wrong with the account.
    pub async fn config(&self, address: &Pubkey) -> Result<MultisigConfig> {
        let raw = self.backend.gateway().account(address).await?;
        decode("multisig", *address, raw.as_ref())
    }
}

/// Whether `signer` is a member with `bits`.
#[must_use]
pub fn check_role(config: &MultisigConfig, signer: &Pubkey, bits: u8) -> Check {
    match config.member(signer) {
        None => Check::fail(format!(
            "The signer {signer} is not a member of this multisig; use a member's key."
        )),
        Some(member) if member.may(bits) => {
            Check::pass(format!("The signer is a member who may {}.", role_name(bits)))
        }
        Some(_) => Check::fail(format!(
            "The signer {signer} is a member, but may not {}; ask one who may.",
            role_name(bits)
        )),
    }
}

/// Where the votes stand, in one line.
#[must_use]
pub fn standing(config: &MultisigConfig, proposal: &UpgradeProposal) -> String {
    let (yes, no) = (proposal.ballot.count(Choice::Approve), proposal.ballot.count(Choice::Reject));
    format!(
        "{yes} of {} approvals, {no} rejections, {} of {} voters have not voted",
        config.threshold,
        proposal.ballot.missing(config).len(),
        config.voters()
    )
}

/// Pins who has voted what: a vote by somebody else changes what a signer decides.
pub(crate) fn pin_votes(scene: &Scene, shown: &mut Shown) {
    let votes: Vec<_> = scene
        .proposal
        .ballot
        .votes
        .iter()
        .map(|v| format!("{} by {}", v.choice.name(), v.member))
        .collect();
    let votes = if votes.is_empty() { "none".into() } else { votes.join(", ") };
    shown.pin("the list of votes", votes);
    shown.pin("the multisig's epoch", scene.multisig.config_epoch);
    shown.pin("the threshold", scene.multisig.threshold);
}

/// Every vote and every voter who is missing, with full keys.
pub(crate) fn vote_facts(scene: &Scene) -> Vec<Fact> {
    let fact = |label: &str, value: String| Fact { label: label.into(), value };
    let mut facts = vec![fact("Votes", standing(&scene.multisig, &scene.proposal))];
    for vote in &scene.proposal.ballot.votes {
        facts.push(fact(vote.choice.name(), vote.member.to_string()));
    }
    facts
}
