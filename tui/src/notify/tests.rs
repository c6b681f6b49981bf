use indexer::Conn;
use std::time::Instant;

use super::*;
use crate::{action::Action, effect::Effect, fixtures, model::Level, update::update};

/// The notices requested when the chain's clock is read as `unix`.
fn read_clock(model: &mut Model, unix: i64, slot: u64) -> Vec<Notice> {
    let now = model.now;
    let effects = update(model, Action::Health(fixtures::live(now, unix, slot)), now);
    let notices = effects.into_iter().filter_map(|e| match e {
        Effect::Notify(n) => Some(n),
        _ => None,
    });
    notices.flatten().collect()
}

#[test]
fn a_timelock_that_expires_is_announced_once() {
    let f = fixtures::timelocked();
    let mut model = fixtures::model(&f, Instant::now());
    let eta = f.proposal.eta;
    let floor = f.proposal.slot_floor(f.multisig.timelock);
    assert!(read_clock(&mut model, eta - 1, floor).is_empty(), "one second early");
    assert!(read_clock(&mut model, eta, floor - 1).is_empty(), "one slot early");
    let given = read_clock(&mut model, eta, floor);
    assert_eq!(given.len(), 1);
    assert!(given[0].body.contains("demo-vault is ready to execute"), "{}", given[0].body);
    assert!(read_clock(&mut model, eta + 1, floor + 1).is_empty(), "again");
}

#[test]
fn a_timelock_that_starts_again_after_a_revoked_vote_is_another_notice() {
    let f = fixtures::timelocked();
    let mut later = f.clone();
    later.proposal.eta += 60;
    let key = |f: &fixtures::Fixture| {
        let mut model = fixtures::model(f, Instant::now());
        let floor = f.proposal.slot_floor(f.multisig.timelock);
        read_clock(&mut model, f.proposal.eta, floor)[0].key.clone()
    };
    assert_ne!(key(&f), key(&later));
    assert_eq!(key(&f), key(&f), "the same after a restart, so that the store can tell");
}

#[test]
fn a_notice_that_could_not_be_claimed_is_due_again() {
    let f = fixtures::timelocked();
    let mut model = fixtures::model(&f, Instant::now());
    let floor = f.proposal.slot_floor(f.multisig.timelock);
    let given = read_clock(&mut model, f.proposal.eta, floor);
    let now = model.now;
    update(&mut model, Action::NoticesFailed(vec![given[0].key.clone()]), now);
    assert_eq!(read_clock(&mut model, f.proposal.eta + 1, floor), given);
}

#[test]
fn the_operators_clock_makes_no_notice_due() {
    let f = fixtures::timelocked();
    let mut model = fixtures::model(&f, Instant::now());
    let floor = f.proposal.slot_floor(f.multisig.timelock);
    assert!(read_clock(&mut model, f.proposal.eta - 60, floor).is_empty());
    let later = model.now + fixtures::SECOND * 120;
    assert!(update(&mut model, Action::Tick, later).is_empty());
    assert!(due(&model).is_empty(), "the chain was not heard of since");
}

#[test]
fn no_notice_is_due_while_the_connection_is_stopped() {
    let f = fixtures::timelocked();
    let mut model = fixtures::model(&f, Instant::now());
    let floor = f.proposal.slot_floor(f.multisig.timelock);
    model.health = fixtures::live(model.now, f.proposal.eta, floor);
    assert_eq!(due(&model).len(), 1);
    model.health.conn = Conn::Stopped { reason: "Another cluster.".into() };
    assert!(due(&model).is_empty() && model.chain_now().is_none());
}

#[test]
fn several_due_notices_are_delivered_as_one() {
    let notice = |n: u8| Notice { key: n.to_string(), title: "t".into(), body: format!("b{n}") };
    assert_eq!(summary(&[]), None);
    assert_eq!(summary(&[notice(1)]), Some(notice(1)));
    let many = summary(&[notice(1), notice(2)]).unwrap();
    assert!(many.title.starts_with('2') && many.body == "b1 b2");
}

#[test]
fn the_title_counts_notices_until_the_terminal_has_the_focus() {
    let mut model = fixtures::model(&fixtures::active(1), Instant::now());
    let now = model.now;
    update(&mut model, Action::Focus(false), now);
    update(&mut model, Action::Noticed("Timelock expired.".into()), now);
    assert_eq!(model.unseen, 1);
    assert_eq!(model.message.as_ref().map(|m| m.level), Some(Level::Info));
    update(&mut model, Action::Focus(true), now);
    assert_eq!(model.unseen, 0);
}

#[test]
fn a_pause_delays_the_notice_until_it_is_over_or_lifted() {
    let mut f = fixtures::timelocked();
    let (eta, floor) = (f.proposal.eta, f.proposal.slot_floor(f.multisig.timelock));
    f.multisig.paused_until = eta + 60;
    let mut model = fixtures::model(&f, Instant::now());
    assert!(read_clock(&mut model, eta + 59, floor).is_empty(), "nobody could execute it");
    assert_eq!(read_clock(&mut model, eta + 60, floor).len(), 1, "the pause has run out");
    assert!(read_clock(&mut model, eta + 61, floor).is_empty(), "again");

    let mut model = fixtures::model(&f, Instant::now());
    assert!(read_clock(&mut model, eta + 9, floor).is_empty());
    f.multisig.paused_until = 0;
    let now = model.now;
    let lifted = update(&mut model, Action::Loaded(fixtures::snapshot(&f)), now);
    assert!(matches!(lifted.as_slice(), [Effect::Notify(n)] if n.len() == 1), "lifted by votes");
}
