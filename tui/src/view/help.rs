//! The help screen: every command from the table, and what the statuses mean.
use ratatui::{Frame, layout::Rect, text::Line};

use super::title_with_filter;
use crate::{
    keymap::{COMMANDS, Group, Scope, label},
    model::{
        Model,
        ui::{Drawn, Screen},
    },
    theme::Meaning,
    widgets::panel,
};

const STATUSES: [(&str, &str); 10] = [
    ("Active", "Members vote. Enough approvals lock it."),
    ("Timelocked", "Approved; waits for its time, then says ready to execute."),
    ("Executed", "The new code is in place; no account has migrated."),
    ("Migrating", "Accounts are on their way to the new layout."),
    ("Completed", "Every account is accounted for; rollback stays open for its window."),
    ("Rejected", "Approval became impossible."),
    ("Cancelled", "Withdrawn by its proposer, by the threshold, or by the guardian's veto."),
    ("Expired", "Not executed in time."),
    ("RolledBack", "The old code is back, and the accounts' old bytes with it."),
    ("Superseded", "A roll-forward took its place before it was complete."),
];

pub(super) fn draw(model: &Model, frame: &mut Frame, area: Rect) -> Drawn {
    let theme = model.theme;
    let block = panel::block(theme, title_with_filter(model, "Help"), true);
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let scroll = model.ui.scroll.get(&Screen::Help).copied().unwrap_or(0);
    let overflow = panel::text(frame, inner, lines(model, usize::from(inner.width)), scroll);
    Drawn { overflow, page: inner.height, ..Drawn::default() }
}

fn lines(model: &Model, width: usize) -> Vec<Line<'static>> {
    let theme = model.theme;
    let needle = model.ui.needle();
    let matches = |text: &str| needle.is_empty() || text.to_lowercase().contains(needle.trim());
    let mut lines = vec![];
    for group in Group::ALL {
        let rows: Vec<_> = COMMANDS
            .iter()
            .filter(|c| c.group == group)
            .filter(|c| c.scope != Scope::Sandbox || !model.members.is_empty())
            .map(|c| (c.keys.iter().map(|k| label(k)).collect::<Vec<_>>().join(" "), c.help))
            .filter(|(keys, help)| matches(keys) || matches(help))
            .collect();
        if rows.is_empty() {
            continue;
        }
        lines.push(panel::heading(theme, group.title()));
        for (keys, help) in rows {
            lines.extend(panel::fact(theme, &keys, help, Meaning::Text, 20, width));
        }
        lines.push(Line::default());
    }
    let words: Vec<_> = STATUSES.iter().filter(|(w, m)| matches(w) || matches(m)).collect();
    if !words.is_empty() {
        lines.push(panel::heading(theme, "Statuses"));
        for (word, meaning) in words {
            lines.extend(panel::fact(theme, word, meaning, Meaning::Text, 20, width));
        }
    }
    lines
}
