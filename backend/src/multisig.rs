//! The team: who may do what, who has voted, who is missing. Answers with the chain's own rules and
//! adds only the words.
use solana_pubkey::Pubkey;
use upgrade_manager::state::{Choice, MultisigConfig, UpgradeProposal, role};

use crate::{
    intent::Shown,
    lookup::Scene,
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

/// A role's bits in words.
fn role_name(bits: u8) -> &'static str {
    match bits {
        role::PROPOSE => "propose",
        role::VOTE => "vote",
        role::EXECUTE => "execute",
        _ => "take part",
    }
}

/// Answers who may do what and where the votes stand.
#[derive(Clone, Copy, Debug, Default)]
pub struct MultisigCoordinator;

impl MultisigCoordinator {
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
        let (yes, no) =
            (proposal.ballot.count(Choice::Approve), proposal.ballot.count(Choice::Reject));
        format!(
            "{yes} of {} approvals, {no} rejections, {} of {} voters have not voted",
            config.threshold,
            proposal.ballot.missing(config).len(),
            config.voters()
        )
    }
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
    let mut facts =
        vec![fact("Votes", MultisigCoordinator::standing(&scene.multisig, &scene.proposal))];
    for vote in &scene.proposal.ballot.votes {
        facts.push(fact(vote.choice.name(), vote.member.to_string()));
    }
    facts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::preflight::Verdict;
    use upgrade_manager::state::Member;

    #[test]
    fn a_stranger_and_a_member_without_the_role_are_told_apart() {
        let key = |i| Pubkey::new_from_array([i; 32]);
        let config = MultisigConfig {
            layout: 1,
            bump: 0,
            create_key: key(9),
            config_epoch: 0,
            threshold: 1,
            open_cap: 1,
            allow_durable_nonce: false,
            timelock_floor: 1,
            timelock: 1,
            execution_window: 3_600,
            rollback_window: 3_600,
            treasury: key(8),
            next_proposal: 0,
            members: vec![Member { key: key(1), roles: role::VOTE, open: 0 }],
            reserved: [0; 128],
        };
        let check = |i, bits| MultisigCoordinator::check_role(&config, &key(i), bits);
        assert_eq!(check(1, role::VOTE).verdict, Verdict::Pass);
        let lacks = check(1, role::EXECUTE);
        assert!(lacks.verdict == Verdict::Fail && lacks.sentence.contains("may not execute"));
        let stranger = check(2, role::VOTE);
        assert!(stranger.verdict == Verdict::Fail && stranger.sentence.contains("not a member"));
    }
}
