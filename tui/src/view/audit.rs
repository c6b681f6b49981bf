//! The audit log: every event of the manager, newest first, and the selected one in full.
use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
};

use super::{empty_text, title_with_cap, title_with_filter};
use crate::{
    model::{Model, snapshot::MAX_HISTORY_ROWS, ui::Drawn},
    text::{clean, grouped, short, utc},
    theme::Meaning,
    widgets::{
        panel,
        table::{self, Column, TableProps, col, rest},
    },
};

const COLUMNS: [Column; 6] = [
    col("No", 5, 0),
    col("Time (UTC)", 19, 2),
    rest("Event", 18),
    col("By", 14, 0),
    col("About", 14, 1),
    col("Slot", 12, 3),
];

pub(super) fn draw(model: &Model, frame: &mut Frame, area: Rect) -> Drawn {
    let ids = model.audit_ids();
    let [top, bottom] = Layout::vertical([
        Constraint::Min(5),
        Constraint::Length(if area.height >= 16 { area.height / 3 } else { 0 }),
    ])
    .areas(area);
    let rows = &model.snapshot.audit;
    let props = TableProps {
        title: title_with_filter(
            model,
            &title_with_cap("Audit log", "the newest", rows.len(), MAX_HISTORY_ROWS),
        ),
        columns: &COLUMNS,
        empty: empty_text(model, "No event has been read yet; finalised events appear here."),
        focused: true,
    };
    let selected = model.ui.audit.index(&ids);
    let page = table::draw(frame, top, model.theme, &props, ids.len(), selected, |at| {
        let Some(row) = ids.get(at).and_then(|id| rows.iter().find(|r| r.seq == *id)) else {
            return vec![];
        };
        let name = |key: Option<solana_pubkey::Pubkey>| {
            key.map(|k| model.name_of_any(&k)).unwrap_or_else(|| "-".to_owned())
        };
        vec![
            (row.seq.to_string(), Meaning::Muted),
            (
                row.time.map(|t| utc(t).replace(" UTC", "")).unwrap_or_else(|| "-".to_owned()),
                Meaning::Muted,
            ),
            (clean(&row.kind), Meaning::Title),
            (name(row.actor), Meaning::Text),
            (name(row.subject), Meaning::Text),
            (grouped(row.slot), Meaning::Muted),
        ]
    });
    if bottom.height > 0 {
        detail(model, frame, bottom);
    }
    Drawn { page, ..Drawn::default() }
}

fn detail(model: &Model, frame: &mut Frame, area: Rect) {
    let theme = model.theme;
    let block = panel::block(theme, "Event".to_owned(), false);
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let Some(row) = model
        .ui
        .audit
        .selected()
        .and_then(|seq| model.snapshot.audit.iter().find(|r| r.seq == *seq))
    else {
        return;
    };
    let width = usize::from(inner.width);
    let mut lines = vec![];
    let mut fact = |label: &str, value: &str| {
        lines.extend(panel::fact(theme, label, &clean(value), Meaning::Text, 13, width));
    };
    fact("signature", &row.signature);
    if let serde_json::Value::Object(fields) = &row.detail {
        for (label, value) in fields {
            let value = match value {
                serde_json::Value::String(text) => text.clone(),
                serde_json::Value::Array(items) if items.len() > 8 => {
                    format!("{} entries", items.len())
                }
                other => other.to_string(),
            };
            fact(label, &value);
        }
    }
    fact("row hash", &short(&hex::encode(row.hash)));
    panel::text(frame, inner, lines, 0);
}
