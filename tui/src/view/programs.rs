//! The first screen: programs, the proposals of the selected program, and votes and timing of the selected proposal.
use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
};
use unicode_width::UnicodeWidthStr;
use upgrade_manager::state::{Choice, Votable};

use super::{empty_text, loading_text, multisig, tally, title_with_filter};
use crate::{
    model::{
        Model,
        snapshot::Decision,
        timing::{Timing, status_meaning, timing},
        ui::{Drawn, Pane},
    },
    text::{fit, utc},
    theme::Meaning,
    widgets::{
        panel,
        table::{self, Column, TableProps, col, rest},
    },
};

const PROGRAMS: [Column; 6] = [
    rest("Program", 14),
    col("Version", 7, 0),
    col("Phase", 12, 0),
    col("Proposals", 9, 3),
    col("Migrated", 11, 1),
    col("Verified", 11, 2),
];
const PROPOSALS: [Column; 5] = [
    col("Id", 4, 0),
    col("Upgrade", 10, 0),
    col("Status", 12, 0),
    col("Votes", 7, 0),
    rest("Time", 24),
];

pub(super) fn draw(model: &Model, frame: &mut Frame, area: Rect) -> Drawn {
    let programs = model.program_ids();
    let proposals = model.proposal_ids();
    let detail = detail(model, usize::from(area.width).saturating_sub(4));
    let rows = u16::try_from(programs.len()).unwrap_or(u16::MAX).clamp(1, area.height / 4);
    let below = u16::try_from(detail.len()).unwrap_or(0).saturating_add(2);
    let below = if area.height >= 12 { below.min(area.height / 2) } else { 0 };
    let [top, middle, bottom] = Layout::vertical([
        Constraint::Length(rows.saturating_add(3)),
        Constraint::Min(4),
        Constraint::Length(below),
    ])
    .areas(area);
    let first = table_of_programs(model, frame, top, &programs);
    let second = table_of_proposals(model, frame, middle, &proposals);
    if below > 0 {
        let title = selected_title(model);
        let block = panel::block(model.theme, title, false);
        let inner = block.inner(bottom);
        frame.render_widget(block, bottom);
        panel::text(frame, inner, detail, 0);
    }
    let page = if model.ui.pane == Pane::Programs { first } else { second };
    // A table with room for one row shows the selected one.
    let proposal = model.ui.proposal.selected().copied().filter(|_| second > 0);
    Drawn { page, proposal, ..Drawn::default() }
}

fn table_of_programs(
    model: &Model,
    frame: &mut Frame,
    area: Rect,
    ids: &[solana_pubkey::Pubkey],
) -> u16 {
    let none = loading_text(model)
        .unwrap_or_else(|| "No program is registered with the manager on this chain.".to_owned());
    let props = TableProps {
        title: title_with_filter(model, "Programs"),
        columns: &PROGRAMS,
        empty: empty_text(model, &none),
        focused: model.ui.pane == Pane::Programs,
    };
    let selected = model.ui.program.index(ids);
    table::draw(frame, area, model.theme, &props, ids.len(), selected, |at| {
        let Some(state) = ids.get(at).and_then(|id| model.snapshot.program(id)) else {
            return vec![];
        };
        let wide = area.width >= 130;
        let name = if wide { model.full_name(&state.program) } else { model.name(&state.program) };
        let c = &state.counters;
        let phase = match state.phase {
            upgrade_manager::state::Phase::Steady => Meaning::Ok,
            _ => Meaning::Pending,
        };
        vec![
            (name, Meaning::Title),
            (format!("v{}", state.version), Meaning::Text),
            (format!("{} {}", model.theme.glyph(phase), state.phase.name()), phase),
            (model.snapshot.decisions(&state.program).len().to_string(), Meaning::Text),
            (format!("{}/{}", c.on_new_layout(), c.total), Meaning::Text),
            (format!("{}/{}", c.verified, c.total), Meaning::Text),
        ]
    })
}

fn table_of_proposals(
    model: &Model,
    frame: &mut Frame,
    area: Rect,
    ids: &[solana_pubkey::Pubkey],
) -> u16 {
    let whose = model.ui.program.selected().map(|p| model.name(p)).unwrap_or_default();
    let none = loading_text(model).unwrap_or_else(|| "No proposal has been made.".to_owned());
    let props = TableProps {
        title: if whose.is_empty() {
            "Proposals".into()
        } else {
            format!("Proposals of {whose}{}", multisig::pause_or_guardian(model))
        },
        columns: &PROPOSALS,
        empty: &none,
        focused: model.ui.pane == Pane::Proposals,
    };
    let selected = model.ui.proposal.index(ids);
    table::draw(frame, area, model.theme, &props, ids.len(), selected, |at| {
        let Some(decision) = ids.get(at).and_then(|id| model.snapshot.decision(id)) else {
            return vec![];
        };
        let (what, (votes, voters)) = match decision {
            Decision::Upgrade(row) => {
                let (t, arrow) = (&row.account.terms, model.theme.arrow());
                let what = format!("v{} {arrow} v{}", t.from_version, t.to_version);
                (what, votes(model, &row.account))
            }
            Decision::Multisig(row) => {
                (multisig::short(&row.account.terms.action).to_owned(), votes(model, &row.account))
            }
        };
        let time = model.timing_of(decision);
        vec![
            (format!("#{}", decision.id()), Meaning::Title),
            (what, Meaning::Text),
            (decision.status().name().to_owned(), status_meaning(decision.status())),
            (format!("{votes}/{voters}"), Meaning::Text),
            if decision.is_closed() {
                ("account closed".to_owned(), Meaning::Muted)
            } else {
                let mark = model.theme.glyph(time.meaning());
                (format!("{mark} {}", time.phrase()), time.meaning())
            },
        ]
    })
}

/// Number of approvals and of voters.
fn votes(model: &Model, proposal: &impl Votable) -> (usize, usize) {
    let multisig = model.snapshot.multisig(&proposal.multisig());
    (proposal.ballot().count(Choice::Approve), multisig.map_or(0, |t| t.voters()))
}

fn selected_title(model: &Model) -> String {
    match model.ui.proposal.selected().and_then(|id| model.snapshot.decision(id)) {
        Some(Decision::Multisig(row)) => multisig::title(&row.account),
        Some(Decision::Upgrade(row)) => {
            format!(
                "Proposal {} of {}",
                row.account.terms.id,
                model.name(&row.account.terms.program)
            )
        }
        None => "Proposal".to_owned(),
    }
}

fn detail(model: &Model, width: usize) -> Vec<ratatui::text::Line<'static>> {
    let row = match model.ui.proposal.selected().and_then(|id| model.snapshot.decision(id)) {
        Some(Decision::Upgrade(row)) => row,
        Some(Decision::Multisig(row)) => {
            return multisig::status_lines(model, &row.account, width);
        }
        None => return vec![],
    };
    let p = &row.account;
    let theme = model.theme;
    let mut lines = vec![status_line(model, p, width)];
    lines.extend(tally::lines(model, p, width));
    if let Some(state) = model
        .snapshot
        .program(&p.terms.program)
        .filter(|s| s.last_executed == Some(row.pubkey) || s.live_proposal == Some(row.pubkey))
        && p.status.is_executed()
    {
        let c = &state.counters;
        let text = format!(
            "{}/{} migrated, {}/{} verified",
            c.on_new_layout(),
            c.total,
            c.verified,
            c.total
        );
        lines.extend(panel::fact(theme, "accounts", &text, Meaning::Text, 12, width));
    }
    lines
}

/// `Timelocked: executable in 47:59:58 (2026-01-03 10:00:00 UTC)`.
pub(super) fn status_line(
    model: &Model,
    p: &upgrade_manager::state::UpgradeProposal,
    width: usize,
) -> ratatui::text::Line<'static> {
    let time = timing(
        p,
        model.snapshot.multisig_of(p),
        model.snapshot.program(&p.terms.program),
        model.chain_now(),
    );
    let until = match time {
        Timing::Waiting(_) => format!(" ({})", utc(p.eta)),
        Timing::PausedPastWindow(_) => format!(" ({})", utc(p.window_end)),
        Timing::Ready(_) => format!(" (until {})", utc(p.window_end)),
        Timing::Executed(_) => format!(" (until {})", utc(p.rollback_until)),
        Timing::Voting(_) => format!(" ({})", utc(p.deadline())),
        _ => String::new(),
    };
    let text = match time {
        Timing::Ended => p.status.name().to_owned(),
        _ => format!("{}: {}{until}", p.status.name(), time.phrase()),
    };
    // The date repeats the countdown, so it is left out where it does not fit.
    let text = if text.width() > width { text.replace(&until, "") } else { text };
    let style = model.theme.style(status_meaning(p.status));
    ratatui::text::Line::styled(fit(&text, width), style)
}
