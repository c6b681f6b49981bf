//! The multisig: who may do what, who has voted, who is missing. Answers with the chain's own rules and
//! adds only the words.
use solana_pubkey::Pubkey;
use upgrade_manager::state::{Choice, MultisigConfig, MultisigRules, Votable, role};

use crate::{
    intent::Shown,
    operation::Verb,
    preflight::{Check, Fact},
    timelock::span,
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
    pub fn standing(config: &MultisigConfig, proposal: &impl Votable) -> String {
        let ballot = proposal.ballot();
        let (yes, no) = (ballot.count(Choice::Approve), ballot.count(Choice::Reject));
        format!(
            "{yes} of {} approvals, {no} rejections, {} of {} voters have not voted",
            config.threshold,
            ballot.missing(config).len(),
            config.voters()
        )
    }
}

/// Pins who has voted what: a vote by somebody else changes what a signer decides.
pub(crate) fn pin_votes(proposal: &impl Votable, config: &MultisigConfig, shown: &mut Shown) {
    let votes: Vec<_> = proposal
        .ballot()
        .votes
        .iter()
        .map(|v| format!("{} by {}", v.choice.name(), v.member))
        .collect();
    let votes = if votes.is_empty() { "none".into() } else { votes.join(", ") };
    shown.pin("the list of votes", votes);
    shown.pin("the multisig's epoch", config.config_epoch);
    shown.pin("the threshold", config.threshold);
}

/// Every vote and every voter who is missing, with full keys.
pub(crate) fn vote_facts(config: &MultisigConfig, proposal: &impl Votable) -> Vec<Fact> {
    let fact = |label: &str, value: String| Fact { label: label.into(), value };
    let mut facts = vec![fact("Votes", MultisigCoordinator::standing(config, proposal))];
    for vote in &proposal.ballot().votes {
        facts.push(fact(vote.choice.name(), vote.member.to_string()));
    }
    facts
}

/// Everything a multisig agrees on, one line each.
pub(crate) fn rule_facts(rules: &MultisigRules) -> Vec<Fact> {
    let mut facts = vec![];
    let mut fact = |label: &str, value: String| facts.push(Fact { label: label.into(), value });
    let voters = rules.members.iter().filter(|m| m.roles & role::VOTE != 0).count();
    fact("Approvals needed", format!("{} of {voters}", rules.threshold));
    for member in &rules.members {
        fact("Member", format!("{} may {}", member.key, role_list(member.roles)));
    }
    fact("Timelock", span(rules.timelock.into()));
    fact("Timelock, never below", span(rules.timelock_floor.into()));
    fact("Window to execute", span(rules.execution_window.into()));
    fact("Window to roll back", span(rules.rollback_window.into()));
    fact("Open proposals of a member", rules.open_cap.to_string());
    fact("Durable-nonce votes count", rules.allow_durable_nonce.to_string());
    fact("Treasury, gets surplus", rules.treasury.to_string());
    let guardian = rules.guardian.map_or("nobody".into(), |k| k.to_string());
    fact("Guardian, may veto and pause", guardian);
    if let Some(squads) = &rules.squads {
        fact("Voter is vault", format!("{} of Squads {}", squads.vault_index, squads.multisig));
        fact("Squads must demand", format!("{} of {}", squads.min_threshold, squads.min_voters));
    }
    facts
}

/// What is allowed and still deserves a look.
pub(crate) fn advice(rules: &MultisigRules) -> Vec<Check> {
    let mut out = vec![];
    let voters = rules.members.iter().filter(|m| m.roles & role::VOTE != 0).count();
    if usize::from(rules.threshold) == voters && rules.squads.is_none() {
        out.push(Check::warn(
            "Every voter must approve: one lost key stops all upgrades for good.",
        ));
    }
    if rules.guardian.is_none() {
        out.push(Check::warn(
            "Nobody is guardian: only a vote of the members can stop a proposal or go back.",
        ));
    }
    if rules.allow_durable_nonce {
        out.push(Check::warn(
            "Votes in durable-nonce transactions count: a signed vote can be kept and sent later.",
        ));
    }
    out
}

pub(crate) fn role_list(bits: u8) -> String {
    let names = [(role::PROPOSE, "propose"), (role::VOTE, "vote"), (role::EXECUTE, "execute")];
    let held: Vec<_> = names.iter().filter(|(b, _)| bits & b != 0).map(|(_, n)| *n).collect();
    held.join("+")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::preflight::Verdict;
    use upgrade_manager::state::{MemberArgs, MultisigRules};

    #[test]
    fn a_stranger_and_a_member_without_the_role_are_told_apart() {
        let key = |i| Pubkey::new_from_array([i; 32]);
        let rules = MultisigRules {
            threshold: 1,
            open_cap: 1,
            allow_durable_nonce: false,
            timelock_floor: 172_800,
            timelock: 172_800,
            execution_window: 3_600,
            rollback_window: 3_600,
            treasury: key(8),
            guardian: None,
            squads: None,
            members: vec![
                MemberArgs { key: key(1), roles: role::VOTE },
                MemberArgs { key: key(3), roles: role::PROPOSE | role::EXECUTE },
            ],
        };
        let config = MultisigConfig::new(rules, (key(9), 0), key(1), 0).unwrap();
        let check = |i, bits| MultisigCoordinator::check_role(&config, &key(i), bits);
        assert_eq!(check(1, role::VOTE).verdict, Verdict::Pass);
        let lacks = check(1, role::EXECUTE);
        assert!(lacks.verdict == Verdict::Fail && lacks.sentence.contains("may not execute"));
        let stranger = check(2, role::VOTE);
        assert!(stranger.verdict == Verdict::Fail && stranger.sentence.contains("not a member"));
    }

    #[test]
    fn what_locks_a_multisig_out_is_said() {
        let key = |n| Pubkey::new_from_array([n; 32]);
        let member = |n| MemberArgs { key: key(n), roles: role::ALL };
        let mut rules = MultisigRules {
            threshold: 3,
            open_cap: 1,
            allow_durable_nonce: false,
            timelock_floor: 48 * 3600,
            timelock: 48 * 3600,
            execution_window: 7 * 86_400,
            rollback_window: 7 * 86_400,
            treasury: key(9),
            guardian: Some(key(10)),
            squads: None,
            members: (1..=5).map(member).collect(),
        };
        assert!(MultisigConfig::new(rules.clone(), (key(8), 0), key(8), 0).is_ok());
        assert!(advice(&rules).is_empty());
        let said = rule_facts(&rules);
        assert!(said.iter().any(|f| f.value == "3 of 5"), "{said:?}");
        assert!(said.iter().any(|f| f.value == key(10).to_string()), "{said:?}");
        (rules.threshold, rules.guardian, rules.allow_durable_nonce) = (5, None, true);
        assert_eq!(advice(&rules).len(), 3);
        assert_eq!(role_list(role::PROPOSE | role::EXECUTE), "propose+execute");
    }
}
