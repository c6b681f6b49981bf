//! Tests of when the proposal's screen requests new checks by itself.
use std::time::Instant;

use backend::Verb;
use upgrade_manager::state::Votable;

use super::robot::Robot;
use crate::{
    action::{Action, command_id::CommandId},
    effect::Effect,
    fixtures,
    model::ui::Screen,
};

#[test]
fn checks_are_made_again_when_the_timelock_ends_or_the_node_is_back() {
    let f = fixtures::timelocked();
    let mut r = Robot::new(fixtures::model(&f, Instant::now()));
    let answered = |r: &mut Robot, result| {
        let Some(Effect::Check(ticket, _)) =
            r.requested.iter().rev().find(|e| matches!(e, Effect::Check(..))).cloned()
        else {
            panic!("no check: {:?}", r.requested);
        };
        r.act(Action::Checked { ticket, result });
    };
    r.act(Action::Run(CommandId::Show(Screen::Proposal)));
    answered(&mut r, Ok(fixtures::preflight(Verb::Execute)));
    let now = r.now;
    let health = |unix, slot| Action::Health(fixtures::live(now, unix, slot));
    let (eta, slot) = (f.proposal.eta, f.proposal.slot_floor(f.multisig.timelock));
    r.act(health(eta - 9, slot));
    assert!(r.requested.is_empty(), "nothing has changed");
    r.act(health(eta + 9, slot));
    answered(&mut r, Err("The node does not answer.".to_owned()));
    r.act(health(eta + 10, slot));
    assert!(r.requested.is_empty(), "an error is not asked for again and again");
    r.model.health.conn = indexer::Conn::Connecting;
    r.act(Action::Run(CommandId::Check));
    answered(&mut r, Err("The node does not answer.".to_owned()));
    r.act(health(eta + 11, slot));
    answered(&mut r, Ok(fixtures::preflight(Verb::Execute)));
}
