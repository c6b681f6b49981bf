//! Commands outside dialogs: moving the selection, changing the screen, asking for a preflight. Nothing here signs.
use std::mem::discriminant;

use backend::Operation;

use super::neighbour;
use crate::{
    action::command_id::CommandId,
    effect::Effect,
    keymap::{self, command},
    model::{
        Level, Model, StepChecks,
        dialog::{Dialog, Focus},
        snapshot::Decision,
        ui::{Pane, Screen},
    },
    strings as s,
    text::capitalize,
};

/// Runs `id` on the current screen, or shows why it is refused.
pub fn run(model: &mut Model, id: CommandId) -> Vec<Effect> {
    if let Some(command) = command(id)
        && let Err(reason) = command.enabled(model)
    {
        model.say(Level::Warn, format!("{} refused. {reason}", capitalize(command.word)));
        return vec![];
    }
    match id {
        CommandId::Quit => return quit(model),
        CommandId::Help => show(model, Screen::Help),
        CommandId::Show(screen) => show(model, screen),
        CommandId::NextScreen => show(model, neighbour(model.ui.screen, 1)),
        CommandId::PreviousScreen => show(model, neighbour(model.ui.screen, -1)),
        CommandId::Back => back(model),
        CommandId::Open => open(model),
        CommandId::Down => step(model, 1),
        CommandId::Up => step(model, -1),
        CommandId::PageDown => step(model, page(model)),
        CommandId::PageUp => step(model, page(model).saturating_neg()),
        CommandId::Top => step(model, isize::MIN),
        CommandId::Bottom => step(model, isize::MAX),
        CommandId::Left => model.ui.pane = Pane::Programs,
        CommandId::Right => model.ui.pane = Pane::Proposals,
        CommandId::Filter => model.ui.filtering = true,
        CommandId::Members => model.dialog = Some(Dialog::Members { at: signing_member(model) }),
        CommandId::Clock => model.dialog = Some(Dialog::Clock { at: 0 }),
        CommandId::Suspend => return vec![Effect::Suspend],
        CommandId::Copy => return copy(model),
        CommandId::Member(n) => return use_member(model, n),
        CommandId::Check => return check(model),
        _ => return id.verb().map(|verb| prepare(model, verb)).unwrap_or_default(),
    }
    after_move(model)
}

/// Quits. Asks first if a job runs.
pub fn quit(model: &mut Model) -> Vec<Effect> {
    if model.job.is_none() {
        model.quit = true;
        return vec![];
    }
    let effects = super::dialogs::close(model);
    model.dialog = Some(Dialog::Quit { focus: Focus::Cancel, visible: None });
    effects
}

fn show(model: &mut Model, screen: Screen) {
    if model.ui.screen == screen {
        return;
    }
    let from = model.ui.screen;
    model.ui.back.retain(|s| *s != screen && *s != from);
    model.ui.back.push(from);
    model.ui.screen = screen;
}

fn back(model: &mut Model) {
    if model.dismiss() {
        return;
    }
    if model.ui.filter.remove(&model.ui.screen).is_some_and(|f| !f.is_empty()) {
        model.keep_selections();
        return;
    }
    model.ui.screen = match model.ui.screen {
        Screen::Migration => Screen::Proposal,
        Screen::Help => model.ui.back.pop().unwrap_or_default(),
        _ => Screen::Programs,
    };
}

fn open(model: &mut Model) {
    match (model.ui.screen, model.ui.pane) {
        (Screen::Programs, Pane::Programs) => model.ui.pane = Pane::Proposals,
        (Screen::Programs, Pane::Proposals) if model.ui.proposal.selected().is_some() => {
            show(model, Screen::Proposal);
        }
        (Screen::Proposal, _) => show(model, Screen::Migration),
        _ => {}
    }
}

fn page(model: &Model) -> isize {
    isize::try_from(model.ui.drawn.page.max(2).saturating_sub(1)).unwrap_or(1)
}

/// Moves the selection by `by` rows, or scrolls on a screen without a table.
pub fn step(model: &mut Model, by: isize) {
    match (model.ui.screen, model.ui.pane) {
        (Screen::Programs, Pane::Programs) => {
            let ids = model.program_ids();
            model.ui.program.step(&ids, by);
            let ids = model.proposal_ids();
            model.ui.proposal.keep(&ids);
        }
        (Screen::Programs, Pane::Proposals) => {
            let ids = model.proposal_ids();
            model.ui.proposal.step(&ids, by);
        }
        (Screen::Migration, _) => {
            let ids = model.record_ids();
            model.ui.record.step(&ids, by);
        }
        (Screen::Audit, _) => {
            let ids = model.audit_ids();
            model.ui.audit.step(&ids, by);
        }
        (Screen::Sent, _) => {
            let ids = model.sent_ids();
            model.ui.sent.step(&ids, by);
        }
        (screen @ (Screen::Proposal | Screen::Help), _) => {
            let overflow = model.ui.drawn.overflow;
            let at = model.ui.scroll.entry(screen).or_default();
            let to = isize::try_from(*at).unwrap_or(0).saturating_add(by).max(0);
            *at = u16::try_from(to).unwrap_or(u16::MAX).min(overflow);
        }
    }
}

/// The proposal's screen requests the checks of the next step by itself.
fn after_move(model: &mut Model) -> Vec<Effect> {
    if model.ui.screen == Screen::Proposal && needs_check(model) { check(model) } else { vec![] }
}

/// Whether the shown checks belong to another proposal or to an older state of this one. Checks made without a
/// connection are made again once it is back.
pub fn needs_check(model: &Model) -> bool {
    let Some(id) = model.ui.proposal.selected() else { return false };
    let Some(decision) = model.snapshot.decision(id) else { return false };
    match &model.checked {
        Some(c) if c.proposal != *id => true,
        Some(c) => {
            let live = model.health.conn.is_live();
            let moved = discriminant(&model.timing_of(decision)) != c.stage;
            c.result.is_some() && (c.row_slot != decision.slot() || (live && (moved || !c.live)))
        }
        None => true,
    }
}

/// Requests the checks of the selected proposal's next step.
pub fn check(model: &mut Model) -> Vec<Effect> {
    let Some(id) = model.ui.proposal.selected().copied() else { return vec![] };
    let Some(decision) = model.snapshot.decision(&id) else { return vec![] };
    let row_slot = decision.slot();
    let next = next_step(model, decision);
    let Some(verb) = next.filter(|_| model.signer.is_some()) else {
        model.checked = None;
        return vec![];
    };
    let stage = discriminant(&model.timing_of(decision));
    let ticket = model.ticket();
    model.checked = Some(StepChecks {
        ticket,
        proposal: id,
        row_slot,
        stage,
        live: model.health.conn.is_live(),
        result: None,
        at: model.now,
    });
    vec![Effect::Check(ticket, Operation { verb, proposal: id })]
}

fn next_step(model: &Model, decision: Decision<'_>) -> Option<backend::Verb> {
    match decision {
        Decision::Upgrade(row) => {
            let state = model.snapshot.program(&row.account.terms.program);
            let unmigrated = state.is_some_and(|s| {
                u64::from(s.counters.migrated).saturating_add(s.counters.settled())
                    < u64::from(s.counters.total)
            });
            keymap::command::next_step(&row.account, state.map(|s| s.phase), unmigrated)
        }
        Decision::Multisig(row) => keymap::command::next_multisig_step(&row.account),
    }
}

fn prepare(model: &mut Model, verb: backend::Verb) -> Vec<Effect> {
    let Some(proposal) = model.ui.proposal.selected().copied() else {
        model.say(Level::Warn, s::NO_PROPOSAL);
        return vec![];
    };
    let ticket = model.ticket();
    model.message = None;
    model.dialog = Some(Dialog::Preparing { ticket, verb, since: model.now });
    vec![Effect::Prepare(ticket, Operation { verb, proposal })]
}

fn signing_member(model: &Model) -> usize {
    model.members.iter().position(|m| Some(m.key) == model.signer).unwrap_or(0)
}

/// Changes the signer. Refused while a job runs, because the job signs with the old one.
pub fn use_member(model: &mut Model, n: usize) -> Vec<Effect> {
    if let Some(job) = &model.job {
        let reason = s::busy(&job.label);
        model.say(Level::Warn, reason);
        return vec![];
    }
    if n < model.members.len() { vec![Effect::UseMember(n)] } else { vec![] }
}

fn copy(model: &mut Model) -> Vec<Effect> {
    let ui = &model.ui;
    let text = match ui.screen {
        Screen::Programs if ui.pane == Pane::Programs => {
            ui.program.selected().map(ToString::to_string)
        }
        Screen::Programs => ui.proposal.selected().map(ToString::to_string),
        Screen::Proposal => ui
            .proposal
            .selected()
            .and_then(|p| model.snapshot.decision(p))
            .map(|d| hex::encode(d.digest())),
        Screen::Migration => {
            let rows = ui.program.selected().and_then(|p| model.snapshot.records.get(p));
            let row = rows.and_then(|rows| {
                rows.iter().find(|r| Some(&r.pubkey) == model.ui.record.selected())
            });
            row.map(|r| r.account.account.to_string())
        }
        Screen::Audit => {
            let rows = &model.snapshot.audit;
            let row = rows.iter().find(|r| Some(&r.seq) == ui.audit.selected());
            row.map(|r| r.signature.clone())
        }
        Screen::Sent => ui.sent.selected().cloned(),
        Screen::Help => None,
    };
    match text {
        Some(text) => {
            model.say(Level::Info, format!("Copied {text}"));
            vec![Effect::Copy(text)]
        }
        None => {
            model.say(Level::Warn, "Nothing is selected that could be copied.");
            vec![]
        }
    }
}
