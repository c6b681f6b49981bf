//! Parses the keys of the table of commands, and formats them for people. Pure.
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// One key with modifiers, or two characters typed one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chord {
    One(KeyCode, KeyModifiers),
    Two(char, char),
}

impl Chord {
    /// Parses `q`, `G`, `gg`, `ctrl-d`, `F1`, `enter`; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let (text, modifiers) = match text.strip_prefix("ctrl-") {
            Some(rest) => (rest, KeyModifiers::CONTROL),
            None => (text, KeyModifiers::NONE),
        };
        let code = match text {
            "enter" => KeyCode::Enter,
            "esc" => KeyCode::Esc,
            "tab" => KeyCode::Tab,
            "backtab" => KeyCode::BackTab,
            "backspace" => KeyCode::Backspace,
            "up" => KeyCode::Up,
            "down" => KeyCode::Down,
            "left" => KeyCode::Left,
            "right" => KeyCode::Right,
            "home" => KeyCode::Home,
            "end" => KeyCode::End,
            "pageup" => KeyCode::PageUp,
            "pagedown" => KeyCode::PageDown,
            other => {
                let mut chars = other.chars();
                match (chars.next(), chars.next(), chars.next()) {
                    (Some(c), None, _) => KeyCode::Char(c),
                    (Some('F'), Some(n), None) if n.is_ascii_digit() => {
                        KeyCode::F(u8::try_from(n.to_digit(10)?).ok()?)
                    }
                    (Some(a), Some(b), None) => return Some(Self::Two(a, b)),
                    _ => return None,
                }
            }
        };
        Some(Self::One(code, modifiers))
    }

    /// Whether `key` is this one. Shift does not count, because it already changes the character.
    pub fn is(self, key: &KeyEvent) -> bool {
        let held = key.modifiers.intersection(KeyModifiers::CONTROL | KeyModifiers::ALT);
        matches!(self, Self::One(code, modifiers) if code == key.code && modifiers == held)
    }

    /// Whether this is a two-character chord that begins with `c`.
    pub fn starts(self, c: char) -> bool {
        matches!(self, Self::Two(first, _) if first == c)
    }
}

/// How a key of the table is shown.
pub fn label(key: &str) -> String {
    match key {
        "enter" => "Enter".to_owned(),
        "esc" => "Esc".to_owned(),
        "tab" => "Tab".to_owned(),
        "backtab" => "Shift-Tab".to_owned(),
        "backspace" => "Backspace".to_owned(),
        "up" => "Up".to_owned(),
        "down" => "Down".to_owned(),
        "left" => "Left".to_owned(),
        "right" => "Right".to_owned(),
        "home" => "Home".to_owned(),
        "end" => "End".to_owned(),
        "pageup" => "PgUp".to_owned(),
        "pagedown" => "PgDn".to_owned(),
        other => other.replace("ctrl-", "Ctrl-"),
    }
}
