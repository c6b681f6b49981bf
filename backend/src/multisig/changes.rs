//! Changes of a multisig's rules: from the operator's options to new rules, and from a proposal to facts
//! that name every old and new value.
use solana_pubkey::Pubkey;
use upgrade_manager::state::{Action, MemberArgs, MultisigConfig, MultisigRules};

use crate::{
    multisig::rules::{role_list, rule_facts},
    preflight::fact::Fact,
};

/// The changes an operator asks for; a rule that is not named stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MultisigChange {
    /// Members to add. A present member gets these roles instead of the old ones.
    pub add: Vec<MemberArgs>,
    /// Members to remove.
    pub remove: Vec<Pubkey>,
    /// Approvals that lock a proposal.
    pub threshold: Option<u8>,
    /// Seconds of timelock.
    pub timelock: Option<u32>,
    /// Seconds below which the timelock can never be set; it can only rise.
    pub timelock_floor: Option<u32>,
    /// Seconds in which a proposal can be executed.
    pub execution_window: Option<u32>,
    /// Seconds in which members can vote for rollback.
    pub rollback_window: Option<u32>,
    /// Proposals one member may have open.
    pub open_cap: Option<u8>,
    /// Who may veto and pause; `Some(None)` for nobody.
    pub guardian: Option<Option<Pubkey>>,
    /// Who gets surplus lamports.
    pub treasury: Option<Pubkey>,
}

impl MultisigChange {
    /// The rules after the change, with members sorted.
    ///
    /// # Errors
    /// A sentence, when a key to remove is not a member.
    pub fn apply(&self, mut rules: MultisigRules) -> std::result::Result<MultisigRules, String> {
        for key in &self.remove {
            let before = rules.members.len();
            rules.members.retain(|m| m.key != *key);
            if rules.members.len() == before {
                return Err(format!("{key} is not a member, so it cannot be removed."));
            }
        }
        for new in &self.add {
            rules.members.retain(|m| m.key != new.key);
            rules.members.push(*new);
        }
        rules.members.sort_by_key(|m| m.key);
        rules.threshold = self.threshold.unwrap_or(rules.threshold);
        rules.timelock = self.timelock.unwrap_or(rules.timelock);
        rules.timelock_floor = self.timelock_floor.unwrap_or(rules.timelock_floor);
        rules.execution_window = self.execution_window.unwrap_or(rules.execution_window);
        rules.rollback_window = self.rollback_window.unwrap_or(rules.rollback_window);
        rules.open_cap = self.open_cap.unwrap_or(rules.open_cap);
        rules.guardian = self.guardian.unwrap_or(rules.guardian);
        rules.treasury = self.treasury.unwrap_or(rules.treasury);
        Ok(rules)
    }
}

/// What `action` would do to the multisig `config`: one fact for each change.
pub(crate) fn action_facts(action: &Action, config: &MultisigConfig) -> Vec<Fact> {
    let fact = |label: &str, value: String| Fact { label: label.into(), value };
    let mut facts = vec![fact("What it does", action.name().into())];
    match action {
        Action::ConfigChange(rules) => facts.extend(changes(&config.rules(), rules)),
        Action::TransferAuthority(transfer) => {
            facts.push(fact("Program that leaves", transfer.program.to_string()));
            facts.push(fact("NEW UPGRADE AUTHORITY", transfer.new_authority.to_string()));
        }
        Action::Dissolve => {
            facts.push(fact("Afterwards", "the multisig decides nothing any more".into()))
        }
    }
    facts
}

fn changes(old: &MultisigRules, new: &MultisigRules) -> Vec<Fact> {
    let fact = |label: &str, value: String| Fact { label: label.into(), value };
    let (was, is) = (rule_facts(old), rule_facts(new));
    let single = |f: &&Fact| f.label != "Member";
    let mut facts: Vec<Fact> = is
        .iter()
        .filter(single)
        .filter(|f| !was.contains(f))
        .map(|f| {
            let before = was.iter().find(|w| w.label == f.label);
            let before = before.map_or("nothing", |w| w.value.as_str());
            fact(&f.label, format!("{before} BECOMES {}", f.value))
        })
        .collect();
    let gone = was.iter().filter(single).filter(|w| !is.iter().any(|f| f.label == w.label));
    facts.extend(gone.map(|w| fact(&w.label, format!("{} BECOMES nothing", w.value))));
    for member in &new.members {
        match old.members.iter().find(|m| m.key == member.key) {
            None => facts.push(fact(
                "MEMBER ADDED",
                format!("{} may {}", member.key, role_list(member.roles)),
            )),
            Some(before) if before.roles != member.roles => facts.push(fact(
                "Member's roles",
                format!(
                    "{}: {} BECOMES {}",
                    member.key,
                    role_list(before.roles),
                    role_list(member.roles)
                ),
            )),
            Some(_) => {}
        }
    }
    for member in &old.members {
        if !new.members.iter().any(|m| m.key == member.key) {
            facts.push(fact("MEMBER REMOVED", member.key.to_string()));
        }
    }
    if facts.is_empty() {
        facts.push(fact("Changes", "none".into()));
    }
    facts
}

#[cfg(test)]
mod tests {
    use super::*;
    use upgrade_manager::state::role;

    fn key(n: u8) -> Pubkey {
        Pubkey::new_from_array([n; 32])
    }

    fn rules() -> MultisigRules {
        MultisigRules {
            threshold: 2,
            open_cap: 2,
            allow_durable_nonce: false,
            timelock_floor: 172_800,
            timelock: 172_800,
            execution_window: 86_400,
            rollback_window: 604_800,
            treasury: key(80),
            guardian: Some(key(90)),
            squads: None,
            members: (1..=3).map(|n| MemberArgs { key: key(n), roles: role::ALL }).collect(),
        }
    }

    #[test]
    fn only_named_rules_change_and_members_stay_sorted() {
        let change = MultisigChange {
            add: vec![
                MemberArgs { key: key(0xf), roles: role::VOTE },
                MemberArgs { key: key(1), roles: role::PROPOSE },
            ],
            remove: vec![key(2)],
            guardian: Some(None),
            ..MultisigChange::default()
        };
        let after = change.apply(rules()).unwrap();
        let members: Vec<_> = after.members.iter().map(|m| (m.key, m.roles)).collect();
        assert_eq!(members, [(key(1), role::PROPOSE), (key(3), role::ALL), (key(0xf), role::VOTE)]);
        assert_eq!((after.guardian, after.threshold, after.timelock), (None, 2, 172_800));
        let stranger = MultisigChange { remove: vec![key(9)], ..MultisigChange::default() };
        assert!(stranger.apply(rules()).unwrap_err().contains("not a member"));
        assert_eq!(MultisigChange::default().apply(rules()).unwrap(), rules());
    }

    #[test]
    fn every_change_names_both_values_and_nothing_else_is_listed() {
        let mut new = rules();
        (new.timelock, new.guardian) = (345_600, None);
        new.members.remove(0);
        new.members[0].roles = role::VOTE;
        new.members.push(MemberArgs { key: key(4), roles: role::VOTE });
        let said = changes(&rules(), &new);
        let of = |label: &str| said.iter().find(|f| f.label == label).map(|f| f.value.clone());
        assert!(of("Timelock").unwrap().contains("BECOMES"));
        assert!(of("Guardian, may veto and pause").unwrap().ends_with("BECOMES nobody"));
        assert_eq!(of("MEMBER REMOVED").unwrap(), key(1).to_string());
        assert!(of("MEMBER ADDED").unwrap().contains(&key(4).to_string()));
        assert!(of("Member's roles").unwrap().starts_with(&key(2).to_string()));
        assert_eq!(said.len(), 5, "{said:?}");
        assert_eq!(changes(&rules(), &rules())[0].value, "none");
    }
}
