use std::{collections::BTreeSet, time::Instant};

use super::*;
use crate::{
    fixtures,
    model::{dialog::Confirm, ui::Screen},
};

fn press(code: KeyCode) -> KeyEvent {
    KeyEvent::new(code, KeyModifiers::NONE)
}

#[test]
fn every_key_of_the_table_parses_and_has_a_label() {
    for c in COMMANDS {
        assert!(!c.keys.is_empty() && !c.help.is_empty() && !c.word.is_empty(), "{:?}", c.id);
        for key in c.keys {
            assert!(Chord::parse(key).is_some(), "{key} of {:?}", c.id);
            assert!(!label(key).is_empty());
        }
    }
}

#[test]
fn no_two_commands_share_a_key_where_both_work() {
    let now = Instant::now();
    for screen in Screen::ALL {
        for dialog in [false, true] {
            let mut model = fixtures::model(&fixtures::active(1), now);
            model.ui.screen = screen;
            if dialog {
                model.dialog = Some(Dialog::Members { at: 0 });
            }
            let mut seen = BTreeSet::new();
            for c in COMMANDS.iter().filter(|c| c.applies(&model)) {
                for key in c.keys {
                    assert!(seen.insert(*key), "{key} is taken twice on {screen:?}");
                }
            }
            let firsts: Vec<char> = seen
                .iter()
                .filter_map(|k| Chord::parse(k))
                .filter_map(|c| if let Chord::Two(a, _) = c { Some(a) } else { None })
                .collect();
            for c in firsts {
                assert!(!seen.contains(c.to_string().as_str()), "{c} begins a chord and is a key");
            }
        }
    }
}

#[test]
fn every_command_is_reached_by_its_own_keys() {
    let now = Instant::now();
    for c in COMMANDS {
        let reached = Screen::ALL.into_iter().any(|screen| {
            let mut model = fixtures::model(&fixtures::active(1), now);
            model.ui.screen = screen;
            if c.scope == Scope::Dialog {
                let shown = fixtures::preflight(backend::Verb::Approve);
                model.dialog =
                    Some(Dialog::Confirm(Box::new(Confirm::new(1, shown, Need::Yes))));
            }
            c.keys.iter().all(|key| match Chord::parse(key) {
                Some(Chord::One(code, modifiers)) => {
                    match action(&model, &KeyEvent::new(code, modifiers)) {
                        Action::Run(id) => id == c.id,
                        Action::Accept { .. } => c.id == CommandId::DialogAccept,
                        Action::Yes { .. } => c.id == CommandId::DialogYes,
                        _ => false,
                    }
                }
                Some(Chord::Two(a, b)) => {
                    let first = matches!(action(&model, &press(KeyCode::Char(a))), Action::Pending(p) if p == a);
                    model.ui.pending = Some(a);
                    let second = matches!(action(&model, &press(KeyCode::Char(b))), Action::Run(id) if id == c.id);
                    model.ui.pending = None;
                    first && second
                }
                None => false,
            })
        });
        assert!(reached, "{:?} cannot be reached", c.id);
    }
}

#[test]
fn the_keys_of_the_sandbox_do_not_exist_elsewhere() {
    let model = fixtures::shared(&fixtures::active(1), Instant::now());
    for code in [KeyCode::F(1), KeyCode::F(5), KeyCode::Char('K'), KeyCode::Char('T')] {
        assert!(matches!(action(&model, &press(code)), Action::Unknown), "{code:?}");
    }
    let model = fixtures::model(&fixtures::active(1), Instant::now());
    assert!(matches!(action(&model, &press(KeyCode::F(2))), Action::Run(CommandId::Member(1))));
}

#[test]
fn a_filter_takes_the_keys_of_commands_as_text() {
    let mut model = fixtures::model(&fixtures::active(1), Instant::now());
    model.ui.filtering = true;
    for c in "axmRqjk?1".chars() {
        let got = action(&model, &press(KeyCode::Char(c)));
        assert!(matches!(got, Action::FilterEdit(Edit::Insert(i)) if i == c));
    }
    assert!(matches!(action(&model, &press(KeyCode::Esc)), Action::FilterDrop));
}

#[test]
fn no_command_of_a_screen_works_below_a_dialog() {
    let mut model = fixtures::model(&fixtures::active(1), Instant::now());
    model.dialog = Some(Dialog::Members { at: 0 });
    for c in "axmRruv".chars() {
        assert!(matches!(action(&model, &press(KeyCode::Char(c))), Action::None), "{c}");
    }
}

#[test]
fn a_released_key_does_nothing() {
    let model = fixtures::model(&fixtures::active(1), Instant::now());
    let mut key = press(KeyCode::Char('q'));
    key.kind = KeyEventKind::Release;
    assert!(matches!(action(&model, &key), Action::None));
}
