//! Tests that keys act only on what was on the screen, and that an error stays until it is dismissed.
use std::time::Instant;

use backend::{Check, Step, Verb};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::robot::{Robot, sandbox};
use crate::{
    action::{Action, command_id::CommandId},
    effect::Effect,
    fixtures,
    keymap::COMMANDS,
    model::{Level, dialog::Dialog, job::Job, ui::Screen},
};

const SMALL: (u16, u16) = (40, 10);

impl Robot {
    fn resize(&mut self, size: (u16, u16)) -> &mut Self {
        self.size = size;
        self.act(Action::Resized { too_small: crate::view::is_too_small(size.0, size.1) })
    }
}

/// The parts of the model that a key could have changed.
fn state(r: &Robot) -> String {
    let (m, ui) = (&r.model, &r.model.ui);
    let place = (ui.screen, ui.pane, &ui.program, &ui.proposal, &ui.audit, &ui.filter, &ui.scroll);
    format!("{place:?} {} {:?} {:?} {:?}", ui.filtering, ui.pending, m.dialog, m.signer)
}

/// Presses every key, pastes, and turns the wheel.
fn press_everything(r: &mut Robot, leave: &[KeyCode]) {
    let named = [KeyCode::Enter, KeyCode::Tab, KeyCode::Down, KeyCode::PageUp, KeyCode::Backspace];
    let codes = (' '..='~').map(KeyCode::Char).chain((1..=12).map(KeyCode::F)).chain(named);
    for code in codes.filter(|c| !leave.contains(c)) {
        r.wait(700).press(code);
        assert!(r.requested.is_empty(), "{code:?}: {:?}", r.requested);
        r.wait(700).event(KeyEvent::new(code, KeyModifiers::ALT));
        assert!(r.requested.is_empty(), "Alt-{code:?}: {:?}", r.requested);
    }
    r.act(Action::Paste("y\n".into()));
    r.act(Action::Wheel(1));
    for c in COMMANDS.iter().filter(|c| !matches!(c.keys, ["q", ..] | ["esc", ..])) {
        r.act(Action::Run(c.id));
        assert!(r.requested.is_empty(), "{:?}: {:?}", c.id, r.requested);
    }
    for action in [Action::Yes { repeat: false }, Action::Accept { repeat: false }] {
        r.act(action);
        assert!(r.requested.is_empty(), "{:?}", r.requested);
    }
}

#[test]
fn on_a_too_small_terminal_keys_only_quit() {
    for size in [SMALL, (59, 24), (80, 14), (1, 1)] {
        let mut r = sandbox(&fixtures::active(1));
        r.resize(size);
        let before = state(&r);
        press_everything(&mut r, &[KeyCode::Char('q')]);
        assert_eq!(state(&r), before, "{size:?}");
        assert!(!r.model.quit);
        r.press(KeyCode::Char('q'));
        assert!(r.model.quit, "q still quits");
    }
}

#[test]
fn a_dialog_hidden_by_a_small_terminal_is_not_confirmed_there_nor_right_after() {
    let mut r = sandbox(&fixtures::active(1));
    r.open('a').wait(600).resize(SMALL);
    let is_open = |r: &Robot| matches!(r.model.dialog, Some(Dialog::Confirm(_)));
    press_everything(&mut r, &[KeyCode::Char('q')]);
    assert!(is_open(&r), "it stays open");
    r.wait(5_000).resize((80, 24)).wait(400).keys("y");
    assert!(!r.submitted() && is_open(&r), "it has just come back: {}", r.message());
    r.wait(1_100).keys("y");
    assert!(r.submitted(), "read once more: {}", r.message());

    let mut r = sandbox(&fixtures::active(1));
    r.open('a').resize(SMALL).press(KeyCode::Esc);
    assert!(r.model.dialog.is_none(), "Esc closes it");
    assert!(matches!(r.requested.first(), Some(Effect::Discard(_))), "and its intent is discarded");
}

#[test]
fn a_dialog_that_opens_on_a_too_small_terminal_is_not_armed_there() {
    let mut r = sandbox(&fixtures::active(1));
    r.press(KeyCode::Char('a'));
    let Some(Effect::Prepare(ticket, _)) = r.requested.first().cloned() else { panic!() };
    r.resize(SMALL);
    r.act(Action::Prepared { ticket, result: Ok(fixtures::preflight(Verb::Approve)) });
    r.wait(9_000).resize((80, 24)).keys("y");
    assert!(!r.submitted());
}

#[test]
fn quitting_on_a_small_terminal_asks_while_a_job_runs() {
    let mut r = sandbox(&fixtures::migrating(10, 0));
    let migrate = Step::of(Verb::Migrate);
    r.model.job = Some(Job::new(9, &migrate, fixtures::key(40), r.now));
    r.resize(SMALL).press(KeyCode::Char('q')).press(KeyCode::Char('q'));
    assert!(!r.model.quit, "a key that is held down");
    r.press(KeyCode::Esc);
    assert!(r.model.dialog.is_none());
    r.press(KeyCode::Char('q')).wait(600).press(KeyCode::Char('q'));
    assert!(r.model.quit);
}

#[test]
fn no_key_acts_on_a_proposal_that_the_screen_does_not_show() {
    let all = "arucxmvRWE".chars();
    for screen in [Screen::Help, Screen::Audit, Screen::Sent] {
        for c in all.clone() {
            for f in [fixtures::active(1), fixtures::timelocked(), fixtures::migrating(200, 0)] {
                let mut r = sandbox(&f);
                r.act(Action::Run(CommandId::Show(screen))).press(KeyCode::Char(c));
                assert!(r.requested.is_empty() && r.model.dialog.is_none(), "{c} on {screen:?}");
                assert!(r.message().contains("not on view here"), "{c}: {}", r.message());
            }
        }
    }
    let mut r = sandbox(&fixtures::active(1));
    r.keys("3").press(KeyCode::Char('a'));
    assert!(
        r.model.dialog.is_none() && r.message().contains("not on view"),
        "the terms are elsewhere"
    );
    let mut r = sandbox(&fixtures::migrating(10, 0));
    r.keys("3").open('m');
}

#[test]
fn keys_do_not_act_on_a_row_that_does_not_fit() {
    let mut r = sandbox(&fixtures::active(1));
    r.model.ui.drawn.proposal = None;
    r.requested = super::update(&mut r.model, Action::Run(CommandId::Approve), r.now);
    assert!(r.requested.is_empty() && r.message().contains("not on view"), "{}", r.message());
}

#[test]
fn a_dialog_is_confirmed_only_after_every_required_line_was_visible() {
    let mut r = sandbox(&fixtures::active(1));
    r.size = (80, 24);
    r.press(KeyCode::Char('a'));
    let Some(Effect::Prepare(ticket, _)) = r.requested.first().cloned() else { panic!() };
    let mut shown = fixtures::preflight(Verb::Approve);
    shown.checks = (0..30).map(|i| Check::warn(format!("Warning {i}."))).collect();
    r.act(Action::Prepared { ticket, result: Ok(shown) });
    r.wait(2_000).keys("y");
    assert!(!r.submitted() && r.message().contains("Press Down"), "{}", r.message());
    for _ in 0..40 {
        r.wait(300).press(KeyCode::Down);
    }
    r.wait(2_000).keys("y");
    assert!(r.submitted(), "{}", r.message());
}

#[test]
fn a_dialog_without_room_for_its_buttons_is_not_confirmed() {
    let mut r = sandbox(&fixtures::active(1));
    r.open('a').wait(600);
    r.size = (60, 15);
    r.act(Action::Say(Level::Error, "e ".repeat(400)));
    r.act(Action::Say(Level::Warn, "w ".repeat(400)));
    r.wait(2_000);
    if let Some(Dialog::Confirm(c)) = &mut r.model.dialog {
        c.seen(None, r.now);
    }
    r.requested = super::update(&mut r.model, Action::Yes { repeat: false }, r.now);
    assert!(!r.submitted() && r.message().starts_with("e "));
    let why = r.model.message.as_ref().map(|m| m.text.clone()).unwrap_or_default();
    assert!(why.contains("no room for its buttons"), "{why}");
}

#[test]
fn an_error_stays_until_it_is_dismissed() {
    let mut r = Robot::new(fixtures::model(&fixtures::active(1), Instant::now()));
    let say = |r: &mut Robot, level, text: &str| {
        r.act(Action::Say(level, text.to_owned()));
    };
    say(&mut r, Level::Error, "The first failed.");
    say(&mut r, Level::Info, "Signing as member-2.");
    say(&mut r, Level::Error, "The second failed.");
    say(&mut r, Level::Error, "The second failed.");
    r.act(Action::Noticed("Timelock expired.".into()));
    assert_eq!(r.message(), "The first failed.", "later messages do not replace it");
    r.open('a').wait(600).keys("y");
    assert!(r.submitted());
    assert_eq!(r.message(), "The first failed.", "nor do later actions");
    r.wait(600_000).press(KeyCode::Esc);
    assert_eq!(r.message(), "The second failed.", "one at a time");
    r.press(KeyCode::Esc);
    assert!(r.model.errors.is_empty(), "the same error is queued once");
}

#[test]
fn an_error_of_a_dialog_is_not_dismissed_by_closing_the_next_one() {
    let mut r = sandbox(&fixtures::active(1));
    r.press(KeyCode::Char('a'));
    let Some(Effect::Prepare(ticket, _)) = r.requested.first().cloned() else { panic!() };
    r.act(Action::Prepared { ticket, result: Err("The node refused.".into()) });
    r.open('a').wait(600).press(KeyCode::Esc);
    assert_eq!(r.message(), "The node refused.");
}
