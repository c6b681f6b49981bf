//! Roles and votes of a multisig's members. The chain's own rules decide; this module words the result.
use solana_pubkey::Pubkey;
use upgrade_manager::state::{Choice, MultisigConfig, Votable, role};

use crate::preflight::{check::Check, fact::Fact, operation::Verb, pinned::PinnedState};

/// The membership that a verb needs of its signer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SignerRequirement {
    /// None: anyone may sign.
    AnyKey,
    /// Membership with this role.
    Role(u8),
}

/// The name of a role.
fn role_name(bits: u8) -> &'static str {
    match bits {
        role::PROPOSE => "propose",
        role::VOTE => "vote",
        role::EXECUTE => "execute",
        _ => "take part",
    }
}

/// The membership that `verb` needs of its signer.
pub(crate) fn needs(verb: Verb) -> SignerRequirement {
    match verb {
        Verb::Propose => SignerRequirement::Role(role::PROPOSE),
        Verb::Approve | Verb::Reject | Verb::Revoke => SignerRequirement::Role(role::VOTE),
        Verb::Execute | Verb::Quarantine { .. } => SignerRequirement::Role(role::EXECUTE),
        // Who may cancel or roll back depends on the step, and is checked there.
        Verb::Cancel | Verb::RollBack { .. } | Verb::Expire | Verb::Migrate | Verb::Verify => {
            SignerRequirement::AnyKey
        }
    }
}

/// Whether `signer` is a member with `bits`.
pub(crate) fn check_role(config: &MultisigConfig, signer: &Pubkey, bits: u8) -> Check {
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

/// The tally in one line.
fn tally(config: &MultisigConfig, proposal: &impl Votable) -> String {
    let ballot = proposal.ballot();
    let (yes, no) = (ballot.count(Choice::Approve), ballot.count(Choice::Reject));
    format!(
        "{yes} of {} approvals, {no} rejections, {} of {} voters have not voted",
        config.threshold,
        ballot.missing(config).len(),
        config.voters()
    )
}
/// Pins every vote: a vote by another member changes what this signature leads to.
pub(crate) fn pin_votes(
    proposal: &impl Votable,
    config: &MultisigConfig,
    pinned: &mut PinnedState,
) {
    let votes: Vec<_> = proposal
        .ballot()
        .votes
        .iter()
        .map(|v| format!("{} by {}", v.choice.name(), v.member))
        .collect();
    let votes = if votes.is_empty() { "none".into() } else { votes.join(", ") };
    pinned.pin("the list of votes", votes);
    pinned.pin("the multisig's epoch", config.config_epoch);
    pinned.pin("the threshold", config.threshold);
}

/// The tally and every vote, with full keys.
pub(crate) fn vote_facts(config: &MultisigConfig, proposal: &impl Votable) -> Vec<Fact> {
    let fact = |label: &str, value: String| Fact { label: label.into(), value };
    let mut facts = vec![fact("Votes", tally(config, proposal))];
    for vote in &proposal.ballot().votes {
        facts.push(fact(vote.choice.name(), vote.member.to_string()));
    }
    facts
}

#[cfg(test)]
mod tests {
    use upgrade_manager::{
        fixtures::{self, key},
        state::{MemberArgs, MultisigRules},
    };

    use super::*;
    use crate::preflight::check::Verdict;

    #[test]
    fn a_stranger_and_a_member_without_the_role_are_told_apart() {
        let rules = MultisigRules {
            threshold: 1,
            members: vec![
                MemberArgs { key: key(1), roles: role::VOTE },
                MemberArgs { key: key(3), roles: role::PROPOSE | role::EXECUTE },
            ],
            ..fixtures::rules([])
        };
        let config = MultisigConfig::new(rules, (key(9), 0), key(1), 0).unwrap();
        let check = |i, bits| check_role(&config, &key(i), bits);
        assert_eq!(check(1, role::VOTE).verdict, Verdict::Pass);
        let lacks = check(1, role::EXECUTE);
        assert!(lacks.verdict == Verdict::Fail && lacks.sentence.contains("may not execute"));
        let stranger = check(2, role::VOTE);
        assert!(stranger.verdict == Verdict::Fail && stranger.sentence.contains("not a member"));
    }
}
