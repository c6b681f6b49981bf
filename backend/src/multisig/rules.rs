//! The rules of a multisig as facts, and warnings about rules that are legal but risky.
use upgrade_manager::state::{MultisigRules, role};

use crate::preflight::{check::Check, fact::Fact, text::span};

/// Every rule of a multisig as a fact.
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

/// Warnings about rules that the chain accepts but that can lock the members out or weaken a vote.
pub(crate) fn rule_warnings(rules: &MultisigRules) -> Vec<Check> {
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
    use upgrade_manager::{
        fixtures::{self, key},
        state::MultisigConfig,
    };

    use super::*;

    #[test]
    fn risky_rules_are_warned_of() {
        let mut rules = MultisigRules {
            open_cap: 1,
            execution_window: 7 * 86_400,
            guardian: Some(key(10)),
            ..fixtures::rules((1..=5).map(key))
        };
        assert!(MultisigConfig::new(rules.clone(), (key(8), 0), key(8), 0).is_ok());
        assert!(rule_warnings(&rules).is_empty());
        let said = rule_facts(&rules);
        assert!(said.iter().any(|f| f.value == "3 of 5"), "{said:?}");
        assert!(said.iter().any(|f| f.value == key(10).to_string()), "{said:?}");
        (rules.threshold, rules.guardian, rules.allow_durable_nonce) = (5, None, true);
        assert_eq!(rule_warnings(&rules).len(), 3);
        assert_eq!(role_list(role::PROPOSE | role::EXECUTE), "propose+execute");
    }
}
