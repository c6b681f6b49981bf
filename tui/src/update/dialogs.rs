//! Keys inside a dialog. `model::dialog` has the rules of confirming.
use crate::{
    action::Edit,
    action::command_id::CommandId,
    effect::Effect,
    model::{
        Level, Model,
        dialog::{CLOCK_STEPS, Confirm, Dialog, Focus, Need, Refusal, armed},
        job::Job,
    },
    strings as s,
};

/// Runs a command that works in dialogs.
pub fn run(model: &mut Model, id: CommandId) -> Vec<Effect> {
    let members = model.members.len();
    match (id, model.dialog.as_mut()) {
        (CommandId::DialogClose, _) => return close(model),
        (CommandId::DialogNext, Some(Dialog::Confirm(c))) => toggle(&mut c.focus),
        (CommandId::DialogNext, Some(Dialog::Quit { focus, .. })) => toggle(focus),
        (CommandId::DialogDown, Some(Dialog::Confirm(c))) => {
            let overflow = model.ui.drawn.dialog.map_or(0, |d| d.overflow);
            c.scroll = c.scroll.saturating_add(1).min(overflow);
        }
        (CommandId::DialogUp, Some(Dialog::Confirm(c))) => c.scroll = c.scroll.saturating_sub(1),
        (CommandId::DialogDown, Some(Dialog::Members { at })) => {
            *at = at.saturating_add(1).min(members.saturating_sub(1));
        }
        (CommandId::DialogDown, Some(Dialog::Clock { at })) => {
            *at = at.saturating_add(1).min(CLOCK_STEPS.len().saturating_sub(1));
        }
        (CommandId::DialogUp, Some(Dialog::Members { at } | Dialog::Clock { at })) => {
            *at = at.saturating_sub(1);
        }
        _ => {}
    }
    vec![]
}

fn toggle(focus: &mut Focus) {
    *focus = match focus {
        Focus::Cancel => Focus::Confirm,
        Focus::Confirm => Focus::Cancel,
    };
}

/// Closes the dialog and discards its intent.
pub fn close(model: &mut Model) -> Vec<Effect> {
    match model.dialog.take() {
        Some(Dialog::Confirm(c)) => vec![Effect::Discard(c.ticket)],
        Some(Dialog::Preparing { ticket, .. }) => vec![Effect::Discard(ticket)],
        _ => vec![],
    }
}

/// Enter: presses the focused button.
pub fn accept(model: &mut Model, repeat: bool) -> Vec<Effect> {
    let now = model.now;
    match model.dialog.as_mut() {
        Some(Dialog::Confirm(c)) => match c.focus {
            Focus::Cancel if repeat => vec![],
            Focus::Cancel => close(model),
            Focus::Confirm => {
                let counts = c.press(now, repeat);
                pressed(model, counts)
            }
        },
        Some(Dialog::Quit { focus, visible }) => match focus {
            Focus::Cancel if !repeat => close(model),
            Focus::Confirm if !repeat && armed(*visible, now) => {
                model.quit = true;
                vec![]
            }
            _ => vec![],
        },
        Some(Dialog::Members { at }) if !repeat => {
            let n = *at;
            model.dialog = None;
            super::commands::use_member(model, n)
        }
        Some(Dialog::Clock { at }) if !repeat => {
            let step = CLOCK_STEPS.get(*at).map(|(_, seconds)| *seconds);
            model.dialog = None;
            step.map(|seconds| vec![Effect::MoveClock(seconds)]).unwrap_or_default()
        }
        _ => vec![],
    }
}

/// `y`: confirms, unless a word must be typed.
pub fn yes(model: &mut Model, repeat: bool) -> Vec<Effect> {
    let now = model.now;
    match model.dialog.as_mut() {
        Some(Dialog::Confirm(c)) if c.need != Need::Yes => vec![],
        Some(Dialog::Confirm(c)) => {
            let counts = c.press(now, repeat);
            pressed(model, counts)
        }
        _ => vec![],
    }
}

fn pressed(model: &mut Model, counts: bool) -> Vec<Effect> {
    let Some(Dialog::Confirm(c)) = &model.dialog else { return vec![] };
    match c.ready(model.now) {
        Err(why @ (Refusal::NothingToSign | Refusal::Hidden | Refusal::Unread)) => {
            refuse(model, why)
        }
        _ if !counts => refuse(model, Refusal::NotArmed),
        _ => confirm(model),
    }
}

/// Typing: changes the word, if one must be typed.
pub fn edit(model: &mut Model, edit: &Edit) -> Vec<Effect> {
    if let Some(Dialog::Confirm(c)) = model.dialog.as_mut()
        && matches!(c.need, Need::Typed(_))
    {
        edit.apply(&mut c.input);
    }
    vec![]
}

fn confirm(model: &mut Model) -> Vec<Effect> {
    let Some(Dialog::Confirm(c)) = &model.dialog else { return vec![] };
    if let Err(refusal) = c.ready(model.now) {
        return refuse(model, refusal);
    }
    // Checked again, because the connection may have been lost since the dialog opened.
    if let Some(reason) = model.write_block() {
        model.say(Level::Warn, reason);
        return vec![];
    }
    let Some(Dialog::Confirm(c)) = model.dialog.take() else { return vec![] };
    let Confirm { ticket, shown, .. } = *c;
    model.job = Some(Job::new(ticket, &shown.step, shown.proposal, model.now));
    model.message = None;
    vec![Effect::Submit(ticket)]
}

fn refuse(model: &mut Model, refusal: Refusal) -> Vec<Effect> {
    let word = match &model.dialog {
        Some(Dialog::Confirm(c)) => match &c.need {
            Need::Typed(word) => word.clone(),
            Need::Yes => String::new(),
        },
        _ => return vec![],
    };
    let text = match refusal {
        Refusal::NothingToSign => s::NOTHING_TO_SIGN.to_owned(),
        Refusal::Hidden => s::HIDDEN.to_owned(),
        Refusal::Unread => s::UNREAD.to_owned(),
        Refusal::NotArmed => s::NOT_ARMED.to_owned(),
        Refusal::Word => {
            format!("Not confirmed: type {word}, move to Confirm with Tab, then press Enter.")
        }
    };
    model.say(Level::Warn, text);
    vec![]
}
