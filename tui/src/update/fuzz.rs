//! Property test: random keys, pastes and data at random terminal sizes cause no panic, and the
//! selected proposal is always one of the rows.
use std::{sync::Arc, time::Instant};

use backend::Verb;
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use proptest::prelude::*;

use super::robot::Robot;
use crate::{action::Action, fixtures};

#[derive(Clone, Debug)]
enum FuzzEvent {
    Key(KeyEvent),
    Data(u8),
    Paste(String),
    Wheel(isize),
}

fn fuzz_event() -> impl Strategy<Value = FuzzEvent> {
    let named = [
        KeyCode::Enter,
        KeyCode::Esc,
        KeyCode::Tab,
        KeyCode::BackTab,
        KeyCode::Up,
        KeyCode::Down,
        KeyCode::PageDown,
        KeyCode::Backspace,
        KeyCode::F(1),
        KeyCode::F(5),
    ];
    let code = prop_oneof![
        prop::char::range(' ', '~').prop_map(KeyCode::Char),
        prop::sample::select(named.to_vec()),
    ];
    let key = (code, prop::bool::weighted(0.1)).prop_map(|(code, control)| {
        let held = if control { KeyModifiers::CONTROL } else { KeyModifiers::NONE };
        FuzzEvent::Key(KeyEvent::new(code, held))
    });
    prop_oneof![
        6 => key,
        1 => (0u8..6).prop_map(FuzzEvent::Data),
        1 => ".{0,9}".prop_map(FuzzEvent::Paste),
        1 => (-9isize..9).prop_map(FuzzEvent::Wheel),
    ]
}

/// Data of every stage; 5 answers whatever was prepared last.
fn data(robot: &Robot, n: u8) -> Action {
    let f = match n {
        0 => fixtures::active(2),
        1 => fixtures::timelocked(),
        2 => fixtures::migrating(120, 0),
        3 => fixtures::migrating(0, 200),
        4 => return Action::Loaded(Arc::default()),
        _ => {
            let ticket = robot.model.next_ticket.saturating_sub(1);
            return Action::Prepared { ticket, result: Ok(fixtures::preflight(Verb::Execute)) };
        }
    };
    Action::Loaded(fixtures::snapshot(&f))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(160))]
    #[test]
    fn random_events_at_any_size_cause_no_panic(
        events in prop::collection::vec((fuzz_event(), 0u64..900), 1..40),
        width in 0u16..=250,
        height in 0u16..=250,
        shared in any::<bool>(),
    ) {
        let f = fixtures::active(1);
        let make = if shared { fixtures::shared } else { fixtures::model };
        let mut r = Robot::new(make(&f, Instant::now()));
        r.size = (width, height);
        for (event, ms) in events {
            r.wait(ms);
            match event {
                FuzzEvent::Key(key) => r.event(key),
                FuzzEvent::Data(n) => {
                    let action = data(&r, n);
                    r.act(action)
                }
                FuzzEvent::Paste(text) => r.act(Action::Paste(text)),
                FuzzEvent::Wheel(n) => r.act(Action::Wheel(n)),
            };
            let ids = r.model.proposal_ids();
            match r.model.ui.proposal.selected() {
                Some(id) => prop_assert!(ids.contains(id)),
                None => prop_assert!(ids.is_empty()),
            }
        }
    }
}
