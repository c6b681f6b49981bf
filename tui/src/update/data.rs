//! Applies what arrives in the background: snapshots, health, the backend's answers. Never changes the screen or the
//! selection, and never a dialog that shows something to sign.
use std::time::Duration;

use backend::{Danger, Progress, Receipt};

use super::commands;
use crate::{
    action::Action,
    effect::Effect,
    model::{
        Level, Model, Ticket,
        dialog::{Confirm, Dialog, Need},
        job::{JobStep, PreflightView, Report},
        snapshot::Decision,
        ui::Screen,
    },
    notify,
};

/// Applies an action from the background.
pub fn apply(model: &mut Model, action: Action) -> Vec<Effect> {
    match action {
        Action::Loaded(snapshot) => {
            model.snapshot = snapshot;
            model.loaded = true;
            model.keep_selections();
            follow_up(model)
        }
        Action::Health(health) => {
            model.health = health;
            follow_up(model)
        }
        Action::Prepared { ticket, result } => prepared(model, ticket, result),
        Action::Checked { ticket, result } => {
            let now = model.now;
            if let Some(c) = model.checked.as_mut().filter(|c| c.ticket == ticket) {
                (c.result, c.at) = (Some(result), now);
            }
            vec![]
        }
        Action::Progress { ticket, progress } => {
            let now = model.now;
            if let Some(job) = model.job.as_mut().filter(|j| j.ticket == ticket) {
                match progress {
                    Progress::Step { label, done, total, failed } => {
                        job.advance(JobStep { label, done, total, failed }, now);
                    }
                    Progress::Sending => job.sending = true,
                    Progress::Sent(_) => job.sent = job.sent.saturating_add(1),
                }
            }
            vec![]
        }
        Action::Finished { ticket, result } => finished(model, ticket, result),
        Action::Cluster(cluster) => {
            model.cluster = cluster;
            vec![]
        }
        Action::SignerChanged(signer) => {
            model.signer = signer;
            if let Some(key) = signer {
                let text = format!("Signing as {}.", model.name(&key));
                model.say(Level::Info, text);
            }
            if model.ui.screen == Screen::Proposal { commands::check(model) } else { vec![] }
        }
        Action::NoticesFailed(keys) => {
            for key in keys {
                model.noticed.remove(&key);
            }
            vec![]
        }
        Action::Noticed(text) => {
            if model.ui.unfocused {
                model.unseen = model.unseen.saturating_add(1);
            }
            model.say(Level::Info, text);
            vec![]
        }
        _ => vec![],
    }
}

/// Effects of a new snapshot or health: notices that became due, and new checks if the shown ones are old.
fn follow_up(model: &mut Model) -> Vec<Effect> {
    let mut effects = due(model);
    if model.ui.screen == Screen::Proposal && model.dialog.is_none() && commands::needs_check(model)
    {
        effects.extend(commands::check(model));
    }
    effects
}

/// Requests the notices that have become due and were not requested before.
fn due(model: &mut Model) -> Vec<Effect> {
    let notices: Vec<_> =
        notify::due(model).into_iter().filter(|n| !model.noticed.contains(&n.key)).collect();
    if notices.is_empty() {
        return vec![];
    }
    model.noticed.extend(notices.iter().map(|n| n.key.clone()));
    vec![Effect::Notify(notices)]
}

fn prepared(
    model: &mut Model,
    ticket: Ticket,
    result: Result<PreflightView, String>,
) -> Vec<Effect> {
    let waits = matches!(&model.dialog, Some(Dialog::Preparing { ticket: t, .. }) if *t == ticket);
    if !waits {
        return vec![Effect::Discard(ticket)];
    }
    match result {
        Ok(shown) => {
            let need = match model.cluster.danger(shown.verb) {
                Danger::TypeToConfirm => Need::Typed(program_word(model, &shown)),
                Danger::Safe | Danger::Confirm => Need::Yes,
            };
            let confirm = Confirm::new(ticket, shown, need);
            model.dialog = Some(Dialog::Confirm(Box::new(confirm)));
        }
        Err(error) => {
            model.dialog = None;
            model.say(Level::Error, error);
        }
    }
    vec![]
}

/// The word to type: the configured name of the program, or the first characters of its address.
fn program_word(model: &Model, shown: &PreflightView) -> String {
    let program = match model.snapshot.decision(&shown.proposal) {
        Some(Decision::Upgrade(row)) => Some(row.account.terms.program),
        // A handover names the program; a change of the multisig names the multisig.
        Some(Decision::Multisig(row)) => {
            row.account.terms.action.program().or(Some(row.account.terms.multisig))
        }
        None => None,
    };
    match program {
        Some(program) => match model.names.get(&program) {
            Some(name) => name.clone(),
            None => program.to_string().chars().take(8).collect(),
        },
        None => shown.proposal.to_string().chars().take(8).collect(),
    }
}

fn finished(model: &mut Model, ticket: Ticket, result: Result<Receipt, String>) -> Vec<Effect> {
    let Some(job) = model.job.take_if(|j| j.ticket == ticket) else { return vec![] };
    let took: Duration = model.now.saturating_duration_since(job.since);
    let label = job.label;
    let vote_cast = job.is_vote && result.is_ok();
    let (level, summary, failures) = match result {
        Ok(receipt) if receipt.failures.is_empty() => (Level::Ok, receipt.summary, vec![]),
        Ok(receipt) => (Level::Warn, receipt.summary, receipt.failures),
        Err(error) => (Level::Error, error, vec![]),
    };
    let text = match failures.first() {
        Some(first) => format!("{summary} First of {} failures: {first}", failures.len()),
        None => summary.clone(),
    };
    // The summary of a vote names the vote already.
    let says = vote_cast || text.starts_with(&label);
    model.say(level, if says { text } else { format!("{label}: {text}") });
    model.report = Some(Report { label, summary, failures, took });
    if model.ui.screen == Screen::Proposal { commands::check(model) } else { vec![] }
}
