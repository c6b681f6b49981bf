//! A proposal's life under the rules of `lifecycle`, without a chain.
use super::*;
use crate::{
    fixtures::{self, key},
    state::{Choice, MultisigRules, Votable},
};

const NOW: i64 = 1_000_000;

fn config() -> MultisigConfig {
    let rules = MultisigRules { guardian: Some(key(60)), ..fixtures::rules((1..=5).map(key)) };
    MultisigConfig::new(rules, (key(9), 0), key(7), 0).unwrap()
}

fn terms() -> Terms {
    fixtures::terms(NOW + 10 * 24 * 3600)
}

pub(in crate::state) fn proposal() -> UpgradeProposal {
    UpgradeProposal::new(terms(), 0, (key(1), key(7)), &config(), NOW).unwrap()
}

fn approved() -> UpgradeProposal {
    let mut p = proposal();
    for i in 1..=3 {
        p.cast(key(i), Choice::Approve, &config(), (NOW + 60, 500)).unwrap();
    }
    p
}

pub(in crate::state) fn state() -> ProgramUpgradeState {
    fixtures::program_state(&terms(), key(20))
}

#[test]
fn the_deciding_approval_starts_the_timelock_and_its_loss_stops_it() {
    let (mut p, config) = (approved(), config());
    assert_eq!(p.status, ProposalStatus::Timelocked);
    assert_eq!(p.eta, NOW + 60 + 48 * 3600);
    assert_eq!(p.window_end, p.eta + 24 * 3600);
    let floor = p.slot_floor(config.timelock);
    assert!(p.require_executable(&config, p.eta - 1, floor).is_err());
    assert!(p.require_executable(&config, p.eta, floor - 1).is_err());
    assert!(p.require_executable(&config, p.eta, floor).is_ok());
    assert!(p.require_executable(&config, p.window_end + 1, floor).is_err());

    p.revoke(&key(2), &config, (NOW + 90, 600)).unwrap();
    assert_eq!((p.status, p.eta), (ProposalStatus::Active, 0));
    p.cast(key(4), Choice::Approve, &config, (NOW + 100, 700)).unwrap();
    assert_eq!(p.eta, NOW + 100 + 48 * 3600, "the timelock starts again");
}

#[test]
fn a_proposal_is_rejected_once_approval_is_out_of_reach() {
    let (mut p, config) = (proposal(), config());
    for (i, status) in
        [(1, ProposalStatus::Active), (2, ProposalStatus::Active), (3, ProposalStatus::Rejected)]
    {
        p.cast(key(i), Choice::Reject, &config, (NOW, 1)).unwrap();
        assert_eq!(p.status, status, "after {i}");
    }
    assert!(p.require_voting(NOW).is_err());
}

#[test]
fn the_proposer_cancels_alone_only_before_any_vote() {
    let config = config();
    let mut p = proposal();
    p.cancel(key(1), &config).unwrap();
    assert_eq!(p.status, ProposalStatus::Cancelled);
    assert!(p.cancel(key(1), &config).is_err(), "it is over");

    let mut p = approved();
    for i in 1..=2 {
        p.cancel(key(i), &config).unwrap();
        assert_eq!(p.status, ProposalStatus::Timelocked);
    }
    assert!(p.cancel(key(2), &config).is_err(), "one member, one vote");
    assert!(p.cancel(key(6), &config).is_err(), "not a member");
    p.cancel(key(3), &config).unwrap();
    assert_eq!(p.status, ProposalStatus::Cancelled);
}

#[test]
fn giving_accounts_up_can_be_voted_after_the_window_of_an_approved_rollback() {
    let (mut p, config) = (approved(), config());
    assert!(p.require_rollback_vote(NOW).is_err(), "not executed");
    p.execute(&config, NOW, 9).unwrap();
    assert!(p.require_rollback_vote(p.rollback_until).is_ok());
    assert!(p.require_rollback_vote(p.rollback_until + 1).is_err());
    for (i, decides) in [(1, false), (2, false), (3, true), (4, false)] {
        assert_eq!(p.cast_rollback(key(i), false, &config, NOW).unwrap(), decides, "{i}");
    }
    assert_eq!(p.rollback_approved_at, NOW);
    assert!(p.require_rollback_vote(p.rollback_until + 1).is_ok(), "give-up votes may follow");
    assert!(p.require_ended(i64::MAX).is_err(), "a rollback is owed");
}

#[test]
fn upgrade_and_rollback_mirror_each_other() {
    let (proposal, terms) = (key(20), terms());
    let mut s = state();
    s.require_runs(&terms).unwrap();
    s.upgrade(proposal, &terms, NOW, 50);
    assert_eq!((s.version, s.elf_hash), (2, [13; 32]));
    assert!(s.require_steady().is_err());
    assert!(s.require_callable(50).is_err() && s.require_callable(51).is_ok());
    assert!(s.require_migrating(&proposal).is_ok() && s.require_migrating(&key(21)).is_err());
    assert!(s.require_rolling_back(&proposal).is_err());

    s.phase = Phase::RollingBack;
    assert!(s.require_migrating(&proposal).is_err());
    s.roll_back(&proposal, 60);
    assert_eq!((s.version, s.elf_hash, s.live_proposal), (1, [14; 32], None));
    assert!(s.require_last(&proposal).is_err(), "once per execution");
    assert!(s.require_runs(&terms).is_ok());
}

#[test]
fn ending_one_proposal_leaves_another_open() {
    let mut s = state();
    s.end(&key(21));
    assert!(s.require_live(&key(20)).is_ok());
    s.complete(&key(20));
    assert!(s.require_live(&key(20)).is_err());
}

#[test]
fn a_roll_forward_may_be_open_beside_an_unfinished_upgrade() {
    let (upgrade, forward) = (key(20), key(21));
    let mut s = state();
    assert!(s.require_can_open(ProposalKind::Upgrade).is_err(), "one is live");
    assert!(s.require_can_open(ProposalKind::RollForward).is_err(), "nothing is unfinished");
    s.upgrade(upgrade, &terms(), NOW, 50);
    assert_eq!(s.unfinished(), Some(upgrade));
    s.require_can_open(ProposalKind::RollForward).unwrap();
    s.open(forward, ProposalKind::RollForward);
    assert!(s.require_can_open(ProposalKind::RollForward).is_err(), "one at a time");
    assert_eq!((s.live_proposal, s.roll_forward), (Some(upgrade), Some(forward)));

    let turn = |s: &ProgramUpgradeState, key, kind, replaced| {
        s.require_can_upgrade(&key, kind, replaced).is_ok()
    };
    assert!(turn(&s, forward, ProposalKind::RollForward, Some(upgrade)));
    assert!(!turn(&s, forward, ProposalKind::RollForward, None), "which one it replaces");
    assert!(!turn(&s, forward, ProposalKind::RollForward, Some(forward)));
    assert!(!turn(&s, forward, ProposalKind::Upgrade, Some(upgrade)), "not by the other way");
    assert!(!turn(&s, upgrade, ProposalKind::RollForward, Some(upgrade)));
    s.phase = Phase::RollingBack;
    assert!(turn(&s, forward, ProposalKind::RollForward, Some(upgrade)));

    let next = Terms { from_version: 2, to_version: 3, ..terms() };
    s.upgrade(forward, &next, NOW, 60);
    assert_eq!((s.live_proposal, s.roll_forward), (Some(forward), None));
    assert_eq!((s.phase, s.version, s.previous_version), (Phase::Migrating, 3, 2));
}

#[test]
fn a_roll_forward_after_a_complete_migration_acts_like_an_upgrade() {
    let (upgrade, forward) = (key(20), key(21));
    let mut s = state();
    s.upgrade(upgrade, &terms(), NOW, 50);
    s.open(forward, ProposalKind::RollForward);
    s.complete(&upgrade);
    assert_eq!(s.unfinished(), None);
    s.require_can_upgrade(&forward, ProposalKind::RollForward, None).unwrap();
    assert!(s.require_can_upgrade(&forward, ProposalKind::RollForward, Some(upgrade)).is_err());
    assert!(s.require_can_open(ProposalKind::Upgrade).is_err(), "its place is taken");
    s.end(&forward);
    s.require_can_open(ProposalKind::Upgrade).unwrap();
}

#[test]
fn a_roll_forward_does_not_displace_a_proposal_that_is_still_voted_on() {
    let mut s = state();
    s.upgrade(key(20), &terms(), NOW, 50);
    s.complete(&key(20));
    s.open(key(22), ProposalKind::Upgrade);
    s.phase = Phase::RollingBack;
    assert!(s.require_can_open(ProposalKind::RollForward).is_err());
    s.end(&key(22));
    s.require_can_open(ProposalKind::RollForward).unwrap();
}

#[test]
fn a_program_is_released_only_when_steady_and_without_another_open_proposal() {
    let mut s = state();
    s.require_releasable(&key(20)).unwrap();
    assert!(s.require_releasable(&key(21)).is_err());
    s.roll_forward = Some(key(21));
    assert!(s.require_releasable(&key(20)).is_err());
    s.roll_forward = None;
    for phase in [Phase::Migrating, Phase::RollingBack, Phase::Released] {
        s.phase = phase;
        assert!(s.require_releasable(&key(20)).is_err(), "{phase:?}");
    }
    s.phase = Phase::Steady;
    s.last_executed = Some(key(19));
    s.release();
    assert_eq!((s.phase, s.live_proposal, s.last_executed), (Phase::Released, None, None));
    assert!(s.require_can_open(ProposalKind::Upgrade).is_err());
    assert!(s.require_can_open(ProposalKind::RollForward).is_err());
    assert!(s.require_last(&key(19)).is_err(), "no rollback of what is not ours");
}

#[test]
fn the_guardian_rolls_back_once_inside_the_window_without_giving_up_accounts() {
    let (mut p, config) = (approved(), config());
    p.execute(&config, NOW, 9).unwrap();
    let mut wide = p.clone();
    assert!(wide.guardian_rollback(true, NOW).is_err(), "only members give up");
    let late = p.rollback_until + 1;
    assert!(p.clone().guardian_rollback(false, late).is_err(), "after the window");
    let mut own = p.clone();
    own.terms.program = crate::ID;
    assert!(own.guardian_rollback(false, NOW).is_err(), "never the manager itself");
    p.guardian_rollback(false, p.rollback_until).unwrap();
    assert!(p.guardian_rollback(false, NOW).is_err(), "once");
    assert!(p.require_rolling_back().is_ok());
    assert!(!p.ballot.may_give_up(&config));
}

#[test]
fn rollback_votes_of_former_members_do_not_count_and_free_their_slots() {
    let (mut p, mut config) = (approved(), config());
    p.execute(&config, NOW, 9).unwrap();
    p.cast_rollback(key(4), true, &config, NOW).unwrap();
    p.cast_rollback(key(5), true, &config, NOW).unwrap();
    let mut rules = config.rules();
    rules.members.truncate(4);
    config.change(rules).unwrap();
    assert!(!p.cast_rollback(key(1), true, &config, NOW).unwrap());
    assert_eq!(p.ballot.rollback.len(), 2);
    assert!(!p.ballot.may_give_up(&config));
    assert!(p.cast_rollback(key(2), true, &config, NOW).unwrap());
    assert!(p.ballot.may_give_up(&config));
}

#[test]
fn the_program_of_a_state_is_read_from_its_bytes() {
    let mut data = vec![];
    state().try_serialize(&mut data).unwrap();
    assert_eq!(ProgramUpgradeState::read_program(&data), Some(key(11)));
    assert_eq!(ProgramUpgradeState::read_program(&data[..75]), None);
    data[0] ^= 1;
    assert_eq!(ProgramUpgradeState::read_program(&data), None);
}
