//! Maps a key to an action. Text fields get keys first, then dialogs, then screens. Every key but text is looked up in
//! the one table of commands.
mod chord;
pub mod command;
mod table;

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use self::chord::Chord;
pub use self::{
    chord::label,
    command::{Group, KeyCommand, Scope},
    table::{COMMANDS, command},
};
use crate::{
    action::{Action, Edit, command_id::CommandId},
    model::{
        Model,
        dialog::{Dialog, Need},
    },
};

/// The action of `key` in the current dialog or screen.
pub fn action(model: &Model, key: &KeyEvent) -> Action {
    if key.kind == KeyEventKind::Release {
        return Action::None;
    }
    let repeat = key.kind == KeyEventKind::Repeat;
    if model.ui.drawn.too_small {
        return when_too_small(key, repeat);
    }
    if model.dialog.is_some() {
        return in_dialog(model, key, repeat);
    }
    if model.ui.filtering {
        return in_filter(key);
    }
    if let Some(first) = model.ui.pending
        && let KeyCode::Char(second) = key.code
        && let Some(c) = find(model, |chord| chord == Chord::Two(first, second))
    {
        return Action::Run(c.id);
    }
    if let Some(c) = find(model, |chord| chord.is(key)) {
        return Action::Run(c.id);
    }
    match key.code {
        KeyCode::Char(c) if find(model, |chord| chord.starts(c)).is_some() => Action::Pending(c),
        _ => Action::Unknown,
    }
}

/// On a terminal that is too small, only keys that quit or close work.
fn when_too_small(key: &KeyEvent, repeat: bool) -> Action {
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    match key.code {
        KeyCode::Char('q') if !control && !repeat => Action::Run(CommandId::Quit),
        KeyCode::Char('c') if control && !repeat => Action::Run(CommandId::Quit),
        KeyCode::Esc => Action::Run(CommandId::Back),
        _ => Action::None,
    }
}

fn in_dialog(model: &Model, key: &KeyEvent, repeat: bool) -> Action {
    let types =
        matches!(&model.dialog, Some(Dialog::Confirm(c)) if matches!(c.need, Need::Typed(_)));
    if types && let Some(edit) = edit(key) {
        return Action::DialogEdit(edit);
    }
    let found = find(model, |chord| chord.is(key));
    match found.map(|c| c.id) {
        Some(CommandId::DialogAccept) => Action::Accept { repeat },
        Some(CommandId::DialogYes) => Action::Yes { repeat },
        Some(id) => Action::Run(id),
        None => match (&model.dialog, key.code) {
            (Some(Dialog::Members { .. } | Dialog::Clock { .. }), KeyCode::Char('j')) => {
                Action::Run(CommandId::DialogDown)
            }
            (Some(Dialog::Members { .. } | Dialog::Clock { .. }), KeyCode::Char('k')) => {
                Action::Run(CommandId::DialogUp)
            }
            (_, KeyCode::Char('q' | 'n')) => Action::Run(CommandId::DialogClose),
            (_, KeyCode::Char('h' | 'l')) => Action::Run(CommandId::DialogNext),
            (_, KeyCode::Char('j')) => Action::Run(CommandId::DialogDown),
            (_, KeyCode::Char('k')) => Action::Run(CommandId::DialogUp),
            _ => Action::None,
        },
    }
}

fn in_filter(key: &KeyEvent) -> Action {
    match key.code {
        KeyCode::Enter => Action::FilterKeep,
        KeyCode::Esc => Action::FilterDrop,
        KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => Action::FilterDrop,
        _ => edit(key).map_or(Action::None, Action::FilterEdit),
    }
}

fn edit(key: &KeyEvent) -> Option<Edit> {
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    match key.code {
        KeyCode::Char('u' | 'w') if control => Some(Edit::Clear),
        KeyCode::Char(c) if !control && !key.modifiers.contains(KeyModifiers::ALT) => {
            Some(Edit::Insert(c))
        }
        KeyCode::Backspace => Some(Edit::Backspace),
        _ => None,
    }
}

fn find(model: &Model, wanted: impl Fn(Chord) -> bool) -> Option<&'static KeyCommand> {
    COMMANDS
        .iter()
        .filter(|c| c.applies(model))
        .find(|c| c.keys.iter().filter_map(|k| Chord::parse(k)).any(&wanted))
}

#[cfg(test)]
mod tests;
