//! Proposals about a multisig under the rules they share with upgrades, without a chain.
use proptest::prelude::*;

use super::*;
use crate::fixtures::{self, key};
use crate::state::{Choice, MIN_TIMELOCK, Votable};

const NOW: i64 = 1_000_000;
const GUARDIAN: u8 = 60;

fn rules() -> MultisigRules {
    MultisigRules { guardian: Some(key(GUARDIAN)), ..fixtures::rules((1..=5).map(key)) }
}

fn config() -> MultisigConfig {
    MultisigConfig::new(rules(), (key(9), 0), key(7), 40).unwrap()
}

fn terms(action: Action) -> GovernanceTerms {
    GovernanceTerms {
        id: 3,
        genesis_hash: [1; 32],
        multisig: key(10),
        config_epoch: 40,
        expires_at: NOW + 10 * 24 * 3600,
        note: "why".into(),
        action,
    }
}

fn transfer() -> Action {
    let (program, program_data, new_authority) = (key(11), key(12), key(13));
    Action::TransferAuthority(Transfer { program, program_data, new_authority })
}

fn proposal(action: Action) -> GovernanceProposal {
    GovernanceProposal::new(terms(action), 0, (key(1), key(7)), &config(), NOW).unwrap()
}

fn error<T: std::fmt::Debug>(result: Result<T>) -> Error {
    result.unwrap_err()
}

#[test]
fn every_term_changes_the_digest() {
    let base = terms(transfer());
    let Action::TransferAuthority(to) = transfer() else { unreachable!() };
    let with = |to| GovernanceTerms { action: Action::TransferAuthority(to), ..base.clone() };
    let others = [
        GovernanceTerms { id: 4, ..base.clone() },
        GovernanceTerms { genesis_hash: [2; 32], ..base.clone() },
        GovernanceTerms { multisig: key(20), ..base.clone() },
        GovernanceTerms { config_epoch: 41, ..base.clone() },
        GovernanceTerms { expires_at: NOW, ..base.clone() },
        GovernanceTerms { note: "because".into(), ..base.clone() },
        GovernanceTerms { action: Action::Dissolve, ..base.clone() },
        with(Transfer { program: key(20), ..to }),
        with(Transfer { program_data: key(20), ..to }),
        with(Transfer { new_authority: key(20), ..to }),
    ];
    let digest = base.digest().unwrap();
    assert_eq!(digest, terms(transfer()).digest().unwrap());
    for other in others {
        assert_ne!(other.digest().unwrap(), digest, "{other:?}");
    }
}

#[test]
fn a_proposal_that_could_never_be_executed_is_refused() {
    let config = config();
    let lower = MultisigRules { timelock_floor: MIN_TIMELOCK - 1, ..rules() };
    let none = MultisigRules { threshold: 0, ..rules() };
    let refused = |terms: GovernanceTerms| error(terms.invariant(&config, NOW));
    assert_eq!(refused(terms(Action::ConfigChange(lower))), ManagerError::TimelockFloor.into());
    assert_eq!(refused(terms(Action::ConfigChange(none))), ManagerError::Threshold.into());
    let note = "x".repeat(MAX_NOTE_LEN + 1);
    let long = GovernanceTerms { note, ..terms(Action::Dissolve) };
    assert_eq!(refused(long), ManagerError::NoteTooLong.into());
    for (expires_at, fits) in [
        (NOW + i64::from(MIN_TIMELOCK), false),
        (NOW + i64::from(MIN_TIMELOCK) + 1, true),
        (NOW + MAX_PROPOSAL_SECONDS, true),
        (NOW + MAX_PROPOSAL_SECONDS + 1, false),
        (i64::MAX, false),
        (i64::MIN, false),
    ] {
        let terms = GovernanceTerms { expires_at, ..terms(Action::Dissolve) };
        assert_eq!(terms.invariant(&config, NOW).is_ok(), fits, "{expires_at}");
    }
}

#[test]
fn the_guardian_vetoes_everything_but_a_change_of_the_guardian_alone() {
    let config = config();
    let alone = MultisigRules { guardian: Some(key(61)), ..rules() };
    let gone = MultisigRules { guardian: None, ..rules() };
    let more = MultisigRules { guardian: None, threshold: 4, ..rules() };
    for (action, may) in [
        (Action::ConfigChange(alone), false),
        (Action::ConfigChange(gone), false),
        (Action::ConfigChange(more), true),
        (transfer(), true),
        (Action::Dissolve, true),
    ] {
        let mut p = proposal(action);
        let vetoed = p.cancel(key(GUARDIAN), &config);
        assert_eq!(vetoed.is_ok(), may, "{:?}", p.terms.action);
        assert_eq!(p.status == ProposalStatus::Cancelled, may);
    }
    let mut locked = proposal(transfer());
    for i in 1..=3 {
        locked.cast(key(i), Choice::Approve, &config, (NOW, 5)).unwrap();
    }
    assert_eq!(locked.status, ProposalStatus::Timelocked);
    locked.cancel(key(GUARDIAN), &config).unwrap();
    assert!(locked.cancel(key(GUARDIAN), &config).is_err(), "it is over");
}

#[test]
fn a_change_of_the_multisig_makes_a_proposal_stale_and_anyone_can_expire_it() {
    let (mut config, p) = (config(), proposal(transfer()));
    p.require_fresh(&config).unwrap();
    assert_eq!(error(p.require_expired(&config, NOW)), ManagerError::NotExpired.into());
    config.change(rules()).unwrap();
    assert_eq!(error(p.require_fresh(&config)), ManagerError::StaleProposal.into());
    p.require_expired(&config, NOW).unwrap();
}

#[test]
fn cancel_votes_of_former_members_do_not_count() {
    let (mut config, mut p) = (config(), proposal(transfer()));
    p.cast(key(1), Choice::Approve, &config, (NOW, 5)).unwrap();
    p.cancel(key(4), &config).unwrap();
    p.cancel(key(5), &config).unwrap();
    let members = rules().members.into_iter().filter(|m| m.key != key(5)).collect();
    config.change(MultisigRules { members, ..rules() }).unwrap();
    assert_eq!(error(p.cancel(key(5), &config)), ManagerError::NotAMember.into());
    p.cancel(key(3), &config).unwrap();
    assert_eq!((p.status, p.ballot.cancel.len()), (ProposalStatus::Active, 2));
    p.cancel(key(2), &config).unwrap();
    assert_eq!(p.status, ProposalStatus::Cancelled);
}

#[test]
fn a_proposal_is_closed_only_when_nothing_can_happen_any_more() {
    let mut p = proposal(transfer());
    for status in ProposalStatus::ALL {
        p.status = status;
        let over = status.is_final() || status == ProposalStatus::Executed;
        assert_eq!(p.require_closable().is_ok(), over, "{status:?}");
    }
    p.execute(NOW, 9);
    assert_eq!((p.executed_at, p.executed_slot), (NOW, 9));
    p.require_closable().unwrap();
}

proptest! {
    /// After any sequence of votes, the status follows from the votes that stand.
    #[test]
    fn status_follows_from_the_votes(
        moves in prop::collection::vec((1u8..=5, 0u8..3), 0..40),
    ) {
        let (config, mut p) = (config(), proposal(transfer()));
        let mut stands = [None; 5];
        for (slot, (who, verb)) in (100u64..).zip(moves) {
            if !p.status.is_voting() {
                break;
            }
            let (at, now) = (usize::from(who) - 1, (NOW + slot as i64, slot));
            let choice = [Some(Choice::Approve), Some(Choice::Reject), None][usize::from(verb)];
            let done = match choice {
                Some(choice) => p.cast(key(who), choice, &config, now),
                None => p.revoke(&key(who), &config, now),
            };
            prop_assert_eq!(done.is_ok(), stands[at] != choice);
            stands[at] = choice;
            let count = |c| stands.iter().filter(|s| **s == Some(c)).count();
            let expected = if count(Choice::Approve) >= 3 {
                ProposalStatus::Timelocked
            } else if count(Choice::Reject) >= 3 {
                ProposalStatus::Rejected
            } else {
                ProposalStatus::Active
            };
            prop_assert_eq!(p.status, expected);
            let waits = expected == ProposalStatus::Timelocked;
            let over = expected == ProposalStatus::Rejected;
            prop_assert!(over || waits == (p.eta != 0 && p.approved_slot != 0));
            prop_assert!(!waits || p.eta - p.approved_at == i64::from(MIN_TIMELOCK));
            prop_assert!(!waits || p.window_end <= p.terms.expires_at);
        }
    }
}
