//! The migration screen: progress bars, speed, time left, failures, and the accounts.
use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    text::Line,
};
use upgrade_manager::state::{AccountStatus, ProgramUpgradeState};

use super::{empty_text, footer, title_with_cap, title_with_filter};
use crate::{
    model::{
        Model,
        snapshot::{Decision, MAX_RECORD_ROWS},
        ui::Drawn,
    },
    text::{age, clean, fit, short, wrap},
    theme::Meaning,
    widgets::{
        meter, panel,
        table::{self, Column, TableProps, col, rest},
    },
};

const COLUMNS: [Column; 6] = [
    rest("Account", 11),
    col("Status", 13, 0),
    col("Version", 9, 0),
    col("Bytes", 12, 1),
    col("Changed", 8, 2),
    col("Hash now", 10, 3),
];

pub(super) fn draw(model: &Model, frame: &mut Frame, area: Rect) -> Drawn {
    let width = usize::from(area.width).saturating_sub(4);
    let lines = summary(model, width);
    let height = u16::try_from(lines.len()).unwrap_or(0).saturating_add(2);
    let [top, bottom] = Layout::vertical([
        Constraint::Length(height.min(area.height.saturating_sub(6))),
        Constraint::Min(4),
    ])
    .areas(area);
    let program = model.ui.program.selected();
    let whose = program.map(|p| model.name(p)).unwrap_or_default();
    let block = panel::block(model.theme, format!("Migration of {whose}"), false);
    let inner = block.inner(top);
    frame.render_widget(block, top);
    panel::text(frame, inner, lines, 0);
    // The first line names the upgrade proposal. One about the multisig migrates nothing.
    let proposal = model.ui.proposal.selected().copied().filter(|p| {
        inner.height > 0 && matches!(model.snapshot.decision(p), Some(Decision::Upgrade(_)))
    });
    Drawn { page: accounts(model, frame, bottom), proposal, ..Drawn::default() }
}

fn summary(model: &Model, width: usize) -> Vec<Line<'static>> {
    let theme = model.theme;
    let state = model.ui.program.selected().and_then(|p| model.snapshot.program(p));
    let Some(state) = state else {
        return vec![Line::styled("No program is selected.", theme.style(Meaning::Muted))];
    };
    let c = &state.counters;
    let total = u64::from(c.total);
    let bar = u16::try_from(width / 3).unwrap_or(20).clamp(8, 40);
    let row = |n: u64, word: &str, meaning| meter::line(theme, n, total, word, bar, meaning);
    let mut lines = vec![phase_line(model, state, width)];
    lines.push(row(c.on_new_layout(), "migrated", Meaning::Ok));
    lines.push(row(u64::from(c.verified), "verified", Meaning::Ok));
    if c.restored > 0 || state.phase == upgrade_manager::state::Phase::RollingBack {
        lines.push(row(u64::from(c.restored), "restored", Meaning::Warn));
    }
    if c.quarantined > 0 || c.closed > 0 {
        let text = format!("{} quarantined, {} closed before migration", c.quarantined, c.closed);
        lines.push(Line::styled(text, theme.style(Meaning::Warn)));
    }
    lines.extend(job_lines(model, width));
    lines.extend(failures(model, width));
    lines
}

fn phase_line(model: &Model, state: &ProgramUpgradeState, width: usize) -> Line<'static> {
    let status = model
        .ui
        .proposal
        .selected()
        .and_then(|p| model.snapshot.decision(p))
        .map(|d| format!("proposal {} {}", d.id(), d.status().name()))
        .unwrap_or_default();
    let text = format!("{}, running v{}, {status}", state.phase.name(), state.version);
    Line::styled(fit(&text, width), model.theme.style(Meaning::Title))
}

fn job_lines(model: &Model, width: usize) -> Vec<Line<'static>> {
    let theme = model.theme;
    let Some(job) = &model.job else {
        let text = match &model.report {
            Some(r) => format!("Last: {} in {}. {}", r.label, age(r.took), r.summary),
            None => "No job runs here; m migrates, v verifies, R votes for rollback or rolls back."
                .to_owned(),
        };
        let style = theme.style(Meaning::Muted);
        let lines = wrap(&model.with_names(&clean(&text)), width);
        return lines.into_iter().map(|l| Line::styled(l, style)).collect();
    };
    let text = match (&job.step, job.rate.per_second()) {
        (Some(step), Some(rate)) => {
            let rate = match job.stalled(model.now) {
                Some(_) => String::new(),
                None => format!(": {rate:.1}/s"),
            };
            let left = footer::time_left(model, job);
            format!("{}{rate}{left}, {} transactions sent", clean(&step.label), job.sent)
        }
        _ => format!("{} transactions sent", job.sent),
    };
    vec![Line::styled(fit(&text, width), theme.style(Meaning::Pending))]
}

fn failures(model: &Model, width: usize) -> Vec<Line<'static>> {
    let theme = model.theme;
    let Some(report) = model.report.as_ref().filter(|r| !r.failures.is_empty()) else {
        return vec![];
    };
    let mut lines = vec![panel::heading(theme, &format!("{} failures", report.failures.len()))];
    for failure in &report.failures {
        lines.extend(panel::marked(theme, Meaning::Danger, "fail", &clean(failure), width));
    }
    lines
}

fn accounts(model: &Model, frame: &mut Frame, area: Rect) -> u16 {
    let ids = model.record_ids();
    let theme = model.theme;
    let rows = model
        .ui
        .program
        .selected()
        .and_then(|p| model.snapshot.records.get(p))
        .map(Vec::as_slice)
        .unwrap_or_default();
    let props = TableProps {
        title: title_with_filter(
            model,
            &title_with_cap("Accounts", "the first", rows.len(), MAX_RECORD_ROWS),
        ),
        columns: &COLUMNS,
        empty: empty_text(model, "No account of this program has been migrated yet."),
        focused: true,
    };
    let selected = model.ui.record.index(&ids);
    table::draw(frame, area, theme, &props, ids.len(), selected, |at| {
        let Some(row) = ids.get(at).and_then(|id| rows.iter().find(|r| r.pubkey == *id)) else {
            return vec![];
        };
        let r = &row.account;
        let meaning = match r.status {
            AccountStatus::Verified => Meaning::Ok,
            AccountStatus::Migrated | AccountStatus::Pending => Meaning::Pending,
            AccountStatus::Restored | AccountStatus::Closed => Meaning::Warn,
            AccountStatus::Quarantined => Meaning::Danger,
        };
        let arrow = theme.arrow();
        let (key, touched) = (r.account.to_string(), if r.touched { "by users" } else { "" });
        let key = if area.width >= 100 { key } else { short(&key) };
        // A restored record still holds the migration that was undone: show the old version alone.
        let restored = r.status == AccountStatus::Restored;
        let (version, bytes, hash) = if restored {
            (format!("v{}", r.version), r.old_len.to_string(), r.old_hash)
        } else {
            let version = format!("v{} {arrow} v{}", r.previous_version, r.version);
            (version, format!("{} {arrow} {}", r.old_len, r.new_len), r.new_hash)
        };
        vec![
            (key, Meaning::Text),
            (format!("{} {}", theme.glyph(meaning), r.status.name()), meaning),
            (version, Meaning::Text),
            (bytes, Meaning::Text),
            (touched.to_owned(), Meaning::Warn),
            (short(&hex::encode(hash)), Meaning::Muted),
        ]
    })
}
