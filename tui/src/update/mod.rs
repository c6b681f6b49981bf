//! The only place where the model changes: an action goes in, effects come out. Reads no clock, no terminal and no
//! network, so the same actions always give the same result.
mod commands;
mod data;
mod dialogs;
#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod recheck_tests;
#[cfg(test)]
mod robot;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod visibility_tests;

use std::time::{Duration, Instant};

use indexer::Conn;

use crate::{
    action::{Action, command_id::CommandId},
    effect::Effect,
    model::{
        Model,
        dialog::{Dialog, armed},
        ui::{Drawn, Screen},
    },
};

/// How long a message that is no error stays on screen.
const MESSAGE_TIMEOUT: Duration = Duration::from_secs(20);

/// Applies `action` at `now` and returns the effects that the runtime must carry out.
pub fn update(model: &mut Model, action: Action, now: Instant) -> Vec<Effect> {
    model.now = model.now.max(now);
    expire_message(model);
    if model.ui.drawn.too_small && is_input(&action) {
        return when_too_small(model, &action);
    }
    if is_key(&action) {
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
        Action::Drawn(drawn) => {
            record_drawn(model, drawn);
            vec![]
        }
        Action::Resized { too_small } => {
            // After a resize the last frame stays visible until the next one, unless the terminal is now too small.
            if too_small {
                record_drawn(model, Drawn { too_small, ..Drawn::default() });
            }
            vec![]
        }
        Action::Say(level, text) => {
            model.say(level, text);
            vec![]
        }
        other => data::apply(model, other),
    }
}

/// Records what the last frame showed: keys act only on what was on the screen.
fn record_drawn(model: &mut Model, drawn: Drawn) {
    model.ui.drawn = drawn;
    match &mut model.dialog {
        Some(Dialog::Confirm(c)) => c.seen(drawn.dialog, model.now),
        Some(Dialog::Quit { visible, .. }) => {
            let since = visible.unwrap_or(model.now);
            *visible = drawn.dialog.is_some_and(|d| d.buttons).then_some(since);
        }
        _ => {}
    }
    if !drawn.too_small {
        let scroll = model.ui.scroll.entry(model.ui.screen).or_default();
        *scroll = (*scroll).min(drawn.overflow);
    }
}

/// Whether `action` comes from the keyboard or the mouse.
fn is_input(action: &Action) -> bool {
    is_key(action)
        || matches!(
            action,
            Action::Pending(_)
                | Action::FilterKeep
                | Action::FilterDrop
                | Action::Paste(_)
                | Action::Wheel(_)
        )
}

/// On a terminal that is too small, keys only quit or close what is open.
fn when_too_small(model: &mut Model, action: &Action) -> Vec<Effect> {
    match action {
        Action::Run(CommandId::Quit) => match &model.dialog {
            Some(Dialog::Quit { visible, .. }) if armed(*visible, model.now) => model.quit = true,
            Some(Dialog::Quit { .. }) => {}
            _ => return commands::quit(model),
        },
        Action::Run(CommandId::Back | CommandId::DialogClose) | Action::FilterDrop => {
            model.ui.filtering = false;
            return dialogs::close(model);
        }
        _ => {}
    }
    vec![]
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
    let old = |at| model.now.saturating_duration_since(at) >= MESSAGE_TIMEOUT;
    if model.message.as_ref().is_some_and(|m| old(m.at)) {
        model.message = None;
    }
}

/// When the screen must be drawn again even if no action arrives; `None` for never.
pub fn next_wake(model: &Model) -> Option<Instant> {
    let second = Duration::from_secs(1);
    // Ages and countdowns are on every screen and change every second. Without the focus the window may still be
    // visible, so draw less often instead of never.
    let pace = if model.ui.unfocused && model.job.is_none() { second * 5 } else { second };
    let base = match (&model.health.conn, model.health.read_at) {
        (Conn::Reconnecting { retry_at, .. }, _) => Some(*retry_at),
        (_, Some(read_at)) => Some(read_at),
        _ => None,
    };
    // Wake just after a whole second since the clock was read, so that countdowns change when the chain's second does.
    let phase = base.map_or(Duration::ZERO, |base| {
        let since = if base > model.now { base - model.now } else { model.now - base };
        Duration::from_nanos(u64::from(since.subsec_nanos()))
    });
    let wake = match base {
        Some(base) if base > model.now => model.now + phase.max(Duration::from_millis(50)),
        Some(_) => model.now + pace.saturating_sub(phase).max(Duration::from_millis(50)),
        None => model.now + pace,
    };
    let message =
        model.message.as_ref().map(|m| m.at + MESSAGE_TIMEOUT).filter(|at| *at > model.now);
    Some(message.map_or(wake, |at| at.min(wake)))
}

/// The screen `step` tabs after `screen`, wrapping around.
fn neighbour(screen: Screen, step: isize) -> Screen {
    let n = Screen::ALL.len();
    let at = Screen::ALL.iter().position(|s| *s == screen).unwrap_or(0);
    let to = at.saturating_add(n).saturating_add_signed(step) % n;
    Screen::ALL.get(to).copied().unwrap_or_default()
}
