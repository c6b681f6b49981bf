//! The rules about multisigs, without a chain.
use super::*;
use crate::fixtures::{self, key};

const NOW: i64 = 1_000_000;

fn rules(voters: u8, threshold: u8) -> MultisigRules {
    MultisigRules {
        threshold,
        timelock: 72 * 3600,
        treasury: key(80),
        guardian: Some(key(90)),
        ..fixtures::rules((1..=voters).map(key))
    }
}

fn make(rules: MultisigRules) -> Result<MultisigConfig> {
    MultisigConfig::new(rules, (key(70), 255), key(71), 1_000)
}

fn config(voters: u8, threshold: u8) -> MultisigConfig {
    make(rules(voters, threshold)).unwrap()
}

fn is<T: std::fmt::Debug>(result: Result<T>, error: ManagerError) {
    assert_eq!(result.unwrap_err(), error.into());
}

#[test]
fn a_threshold_is_a_majority_of_the_voters() {
    for n in 1..=16u8 {
        for t in 0..=17u8 {
            let fits = t > n / 2 && t <= n;
            assert_eq!(make(rules(n, t)).is_ok(), fits, "{t} of {n}");
        }
    }
    is(make(rules(17, 9)), ManagerError::MemberCount);
    is(make(rules(0, 0)), ManagerError::MemberCount);
}

#[test]
fn members_are_sorted_unique_and_not_zero() {
    let with = |change: fn(&mut Vec<MemberArgs>)| {
        let mut rules = rules(3, 2);
        change(&mut rules.members);
        make(rules)
    };
    is(with(|m| m.swap(0, 1)), ManagerError::MembersNotSortedUnique);
    is(with(|m| m[1] = m[0]), ManagerError::MembersNotSortedUnique);
    is(with(|m| m[0].key = Pubkey::default()), ManagerError::MemberIsZero);
    is(with(|m| m[0].roles = 8), ManagerError::MemberRoles);
    is(with(|m| m[0].roles = 0), ManagerError::MemberRoles);
    is(
        with(|m| m.iter_mut().for_each(|m| m.roles &= !role::PROPOSE)),
        ManagerError::NobodyProposes,
    );
    is(
        with(|m| m.iter_mut().for_each(|m| m.roles &= !role::EXECUTE)),
        ManagerError::NobodyExecutes,
    );
    is(
        with(|m| m[0].roles &= !role::VOTE).and_then(|_| make(rules(2, 3))),
        ManagerError::Threshold,
    );
}

#[test]
fn every_number_has_its_bounds() {
    let with = |change: fn(&mut MultisigRules)| {
        let mut rules = rules(3, 2);
        change(&mut rules);
        make(rules)
    };
    assert!(with(|r| r.timelock = MIN_TIMELOCK).is_ok());
    assert!(with(|r| r.timelock = MAX_TIMELOCK).is_ok());
    is(with(|r| r.timelock = MIN_TIMELOCK - 1), ManagerError::Timelock);
    is(with(|r| r.timelock = MAX_TIMELOCK + 1), ManagerError::Timelock);
    is(with(|r| r.timelock_floor = MIN_TIMELOCK - 1), ManagerError::TimelockFloor);
    for window in [MIN_WINDOW - 1, MAX_WINDOW + 1] {
        let mut rules = rules(3, 2);
        rules.execution_window = window;
        is(make(rules.clone()), ManagerError::Window);
        (rules.execution_window, rules.rollback_window) = (MIN_WINDOW, window);
        is(make(rules), ManagerError::Window);
    }
    is(with(|r| r.open_cap = 0), ManagerError::OpenCap);
    is(with(|r| r.open_cap = MAX_OPEN_CAP + 1), ManagerError::OpenCap);
    is(with(|r| r.treasury = Pubkey::default()), ManagerError::TreasuryIsZero);
    is(with(|r| r.guardian = Some(Pubkey::default())), ManagerError::GuardianIsMember);
    is(with(|r| r.guardian = Some(r.members[2].key)), ManagerError::GuardianIsMember);
    assert!(with(|r| r.guardian = None).is_ok());
}

#[test]
fn a_change_keeps_counts_moves_the_epoch_and_never_lowers_the_floor() {
    let mut c = config(3, 2);
    c.open_proposal(&key(2)).unwrap();
    c.unpause_votes = 2;
    let mut next = rules(4, 3);
    next.timelock_floor = MIN_TIMELOCK + 1;
    c.change(next.clone()).unwrap();
    assert_eq!((c.config_epoch, c.unpause_votes, c.open_proposals), (1_001, 0, 1));
    assert_eq!(c.member(&key(2)).unwrap().open, 1);
    assert_eq!(c.rules(), next);
    is(c.change(rules(4, 3)), ManagerError::TimelockFloor);
}

#[test]
fn a_vault_votes_alone_and_its_policy_is_a_majority_of_two_or_more() {
    let squads = SquadsVault { multisig: key(60), vault_index: 1, min_threshold: 2, min_voters: 3 };
    let multisig = |squads: SquadsVault, voter: Pubkey| {
        let mut rules = rules(2, 1);
        rules.members[0].roles = role::PROPOSE;
        rules.members[1].roles = role::EXECUTE;
        rules.members.push(MemberArgs { key: voter, roles: role::VOTE });
        rules.members.sort_by_key(|m| m.key);
        make(MultisigRules { squads: Some(squads), ..rules })
    };
    assert!(multisig(squads, squads.vault()).is_ok());
    is(multisig(squads, key(61)), ManagerError::SquadsVoter);
    is(
        multisig(SquadsVault { vault_index: 0, ..squads }, squads.vault()),
        ManagerError::SquadsVoter,
    );
    for (threshold, voters, fits) in
        [(1, 1, false), (2, 2, true), (2, 4, false), (3, 4, true), (5, 4, false)]
    {
        let squads = SquadsVault { min_threshold: threshold, min_voters: voters, ..squads };
        assert_eq!(multisig(squads, squads.vault()).is_ok(), fits, "{threshold} of {voters}");
    }
    let mut two = rules(1, 1);
    two.members.push(MemberArgs { key: squads.vault(), roles: role::VOTE });
    two.members.sort_by_key(|m| m.key);
    two.threshold = 2;
    is(make(MultisigRules { squads: Some(squads), ..two }), ManagerError::SquadsVoter);
}

#[test]
fn only_a_strict_multisig_can_govern_the_manager_and_must_stay_strict() {
    let strict = MultisigRules {
        timelock_floor: MIN_CRITICAL_TIMELOCK,
        timelock: MIN_CRITICAL_TIMELOCK,
        ..rules(5, 4)
    };
    for weak in [
        MultisigRules { threshold: 3, ..strict.clone() },
        MultisigRules { timelock_floor: MIN_CRITICAL_TIMELOCK - 1, ..strict.clone() },
        MultisigRules {
            timelock_floor: MIN_CRITICAL_TIMELOCK,
            timelock: 8 * 86_400,
            ..rules(4, 4)
        },
        MultisigRules { members: rules(6, 4).members, ..strict.clone() },
    ] {
        let mut c = make(weak).unwrap();
        is(c.add_program(&crate::ID), ManagerError::CriticalPolicy);
        assert!(!c.critical && c.programs == 0);
        c.add_program(&key(50)).unwrap();
    }
    let mut c = make(strict.clone()).unwrap();
    c.add_program(&crate::ID).unwrap();
    assert!(c.critical);
    let mut weaker = c.clone();
    is(weaker.change(MultisigRules { threshold: 3, ..strict }), ManagerError::CriticalPolicy);
    c.remove_program(&crate::ID).unwrap();
    assert!(!c.critical);
    is(c.remove_program(&key(50)), ManagerError::Overflow);
}

#[test]
fn a_pause_ends_by_itself_and_the_next_needs_a_rest_of_the_same_length() {
    let mut c = config(3, 2);
    c.require_not_paused(NOW).unwrap();
    c.pause(NOW).unwrap();
    is(c.require_not_paused(NOW + PAUSE_SECONDS - 1), ManagerError::Paused);
    c.require_not_paused(NOW + PAUSE_SECONDS).unwrap();
    is(c.pause(NOW + 1), ManagerError::Paused);
    is(c.pause(NOW + 2 * PAUSE_SECONDS - 1), ManagerError::PauseTooSoon);
    c.pause(NOW + 2 * PAUSE_SECONDS).unwrap();
    is(config(3, 2).pause(i64::MAX), ManagerError::Overflow);
}

#[test]
fn enough_voters_lift_a_pause_and_no_vote_counts_twice() {
    let mut c = config(3, 2);
    is(c.unpause(&key(1), NOW), ManagerError::NotPaused);
    c.pause(NOW).unwrap();
    is(c.unpause(&key(90), NOW), ManagerError::NotAMember);
    c.unpause(&key(3), NOW).unwrap();
    is(c.unpause(&key(3), NOW), ManagerError::AlreadyVoted);
    is(c.require_not_paused(NOW), ManagerError::Paused);
    c.unpause(&key(1), NOW).unwrap();
    c.require_not_paused(NOW).unwrap();
    assert_eq!((c.paused_until, c.unpause_votes), (0, 0));
    is(c.pause(NOW + 1), ManagerError::PauseTooSoon);
}

#[test]
fn the_last_of_sixteen_members_can_ask_to_lift_a_pause() {
    let mut c = config(16, 9);
    c.pause(NOW).unwrap();
    for i in 8..=16 {
        assert!(c.paused_until > 0);
        c.unpause(&key(i), NOW).unwrap();
    }
    assert_eq!(c.paused_until, 0);
}

#[test]
fn a_multisig_is_dissolved_only_without_programs_and_open_proposals() {
    let mut c = config(3, 2);
    c.add_program(&key(50)).unwrap();
    is(c.dissolve(), ManagerError::ProgramsRegistered);
    c.remove_program(&key(50)).unwrap();
    c.open_proposal(&key(1)).unwrap();
    is(c.dissolve(), ManagerError::ProgramsRegistered);
    c.end_proposal(&key(1));
    c.dissolve().unwrap();
    is(c.require_not_dissolved(), ManagerError::Dissolved);
    is(c.add_program(&key(50)), ManagerError::Dissolved);
}

#[test]
fn a_proposal_of_a_former_member_still_counts_for_the_multisig() {
    let mut c = config(3, 2);
    c.open_proposal(&key(3)).unwrap();
    c.change(rules(2, 2)).unwrap();
    is(c.dissolve(), ManagerError::ProgramsRegistered);
    c.end_proposal(&key(3));
    assert_eq!(c.open_proposals, 0);
}

#[test]
fn a_member_cannot_open_more_than_the_cap() {
    let mut c = config(3, 2);
    let who = c.members[1].key;
    assert_eq!(c.open_proposal(&who).unwrap(), 0);
    assert_eq!(c.open_proposal(&who).unwrap(), 1);
    is(c.open_proposal(&who), ManagerError::TooManyOpen);
    c.end_proposal(&who);
    assert_eq!(c.open_proposal(&who).unwrap(), 2);
}
