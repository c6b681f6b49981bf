//! The only place where the model changes: an action in, wishes out. Reads no clock, no terminal and
//! no network; what it decides can be replayed.
mod commands;
mod data;
mod dialogs;
#[cfg(test)]
mod recheck;
#[cfg(test)]
mod storm;
#[cfg(test)]
mod tests;

use std::time::{Duration, Instant};

use indexer::Conn;

use crate::{
    action::Action,
    effect::Effect,
    model::{Level, Model, ui::Screen},
};

/// How long messages that need no answer stay.
const MESSAGE: Duration = Duration::from_secs(20);

/// Applies `action` at `now` and returns what has to be done outside.
pub fn update(model: &mut Model, action: Action, now: Instant) -> Vec<Effect> {
    model.now = model.now.max(now);
    expire_message(model);
    if !matches!(action, Action::Tick | Action::Drawn { .. } | Action::Pending(_))
        && is_key(&action)
    {
        model.ui.pending = None;
        model.unseen = 0;
    }
    match action {
        Action::None | Action::Unknown | Action::Tick => vec![],
        Action::Pending(c) => {
            model.ui.pending = Some(c);
            vec![]
        }
        Action::Run(id) if model.dialog.is_some() => dialogs::run(model, id),
        Action::Run(id) => commands::run(model, id),
        Action::Accept { repeat } => dialogs::accept(model, repeat),
        Action::Yes { repeat } => dialogs::yes(model, repeat),
        Action::DialogEdit(edit) => dialogs::edit(model, &edit),
        Action::FilterEdit(edit) => {
            let screen = model.ui.screen;
            edit.apply(model.ui.filter.entry(screen).or_default());
            model.keep_selections();
            vec![]
        }
        Action::FilterKeep => {
            model.ui.filtering = false;
            vec![]
        }
        Action::FilterDrop => {
            model.ui.filtering = false;
            model.ui.filter.remove(&model.ui.screen);
            model.keep_selections();
            vec![]
        }
        Action::Paste(text) => paste(model, text),
        Action::Wheel(rows) => {
            if model.dialog.is_none() {
                commands::step(model, rows);
            }
            vec![]
        }
        Action::Focus(has) => {
            model.ui.unfocused = !has;
            if has {
                model.unseen = 0;
            }
            vec![]
        }
        Action::Drawn { overflow, page } => {
            (model.ui.overflow, model.ui.page) = (overflow, page);
            let screen = model.ui.screen;
            let scroll = model.ui.scroll.entry(screen).or_default();
            *scroll = (*scroll).min(overflow);
            vec![]
        }
        Action::Say(level, text) => {
            model.say(level, text);
            vec![]
        }
        other => data::take(model, other),
    }
}

fn is_key(action: &Action) -> bool {
    matches!(
        action,
        Action::Run(_)
            | Action::Unknown
            | Action::Accept { .. }
            | Action::Yes { .. }
            | Action::FilterEdit(_)
            | Action::DialogEdit(_)
    )
}

fn paste(model: &mut Model, text: String) -> Vec<Effect> {
    let edit = crate::action::Edit::Paste(text);
    if model.dialog.is_some() {
        return dialogs::edit(model, &edit);
    }
    if model.ui.filtering {
        return update(model, Action::FilterEdit(edit), model.now);
    }
    vec![]
}

fn expire_message(model: &mut Model) {
    let old = model.message.as_ref().is_some_and(|m| {
        m.level != Level::Error && model.now.saturating_duration_since(m.at) >= MESSAGE
    });
    if old {
        model.message = None;
    }
}

/// When the screen changes next without anything happening: `None` for never.
pub fn next_wake(model: &Model) -> Option<Instant> {
    let second = Duration::from_secs(1);
    // The data's age and the countdowns are on every screen, and both change every second. Nobody
    // reads them in a window without the focus, but its owner may still see it: slow down only.
    let pace = if model.ui.unfocused && model.job.is_none() { second * 5 } else { second };
    let base = match (&model.health.conn, model.health.read_at) {
        (Conn::Reconnecting { retry_at, .. }, _) => Some(*retry_at),
        (_, Some(read_at)) => Some(read_at),
        _ => None,
    };
    // Just after the next whole second from the reading, so that numbers change in step with it.
    let phase = base.map_or(Duration::ZERO, |base| {
        let since = if base > model.now { base - model.now } else { model.now - base };
        Duration::from_nanos(u64::from(since.subsec_nanos()))
    });
    let wake = match base {
        Some(base) if base > model.now => model.now + phase.max(Duration::from_millis(50)),
        Some(_) => model.now + pace.saturating_sub(phase).max(Duration::from_millis(50)),
        None => model.now + pace,
    };
    let message = model.message.as_ref().map(|m| m.at + MESSAGE).filter(|at| *at > model.now);
    Some(message.map_or(wake, |at| at.min(wake)))
}

/// The number of the screen that `Tab` leads to.
fn neighbour(screen: Screen, step: isize) -> Screen {
    let n = Screen::ALL.len();
    let at = Screen::ALL.iter().position(|s| *s == screen).unwrap_or(0);
    let to = at.saturating_add(n).saturating_add_signed(step) % n;
    Screen::ALL.get(to).copied().unwrap_or_default()
}
