//! Every transaction that this control room sent, newest first.
use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
};

use super::{empty_text, title_with_cap, title_with_filter};
use crate::{
    model::{Model, snapshot::MAX_HISTORY_ROWS, ui::Drawn},
    text::{clean, grouped, short, time_of_day},
    theme::Meaning,
    widgets::{
        panel,
        table::{self, Column, TableProps, col, rest},
    },
};

const COLUMNS: [Column; 8] = [
    col("Outcome (UTC)", 14, 2),
    rest("What", 12),
    col("Result", 8, 0),
    col("Signature", 10, 0),
    col("Slot", 12, 3),
    col("Units", 9, 1),
    col("Bytes", 5, 4),
    col("Took", 9, 0),
];

pub(super) fn draw(model: &Model, frame: &mut Frame, area: Rect) -> Drawn {
    let ids = model.sent_ids();
    let rows = &model.snapshot.sent;
    let theme = model.theme;
    let [top, bottom] = Layout::vertical([
        Constraint::Min(5),
        Constraint::Length(if area.height >= 14 { 5 } else { 0 }),
    ])
    .areas(area);
    let props = TableProps {
        title: title_with_filter(
            model,
            &title_with_cap("Sent transactions", "the newest", rows.len(), MAX_HISTORY_ROWS),
        ),
        columns: &COLUMNS,
        empty: empty_text(model, "Nothing has been sent from here yet."),
        focused: true,
    };
    let selected = model.ui.sent.index(&ids);
    let page = table::draw(frame, top, theme, &props, ids.len(), selected, |at| {
        let Some(row) = ids.get(at).and_then(|id| rows.iter().find(|r| r.signature == *id)) else {
            return vec![];
        };
        let (word, meaning) = match row.error {
            None => ("ok", Meaning::Ok),
            Some(_) => ("failed", Meaning::Danger),
        };
        let units = row.units.map(grouped).unwrap_or_else(|| "-".to_owned());
        vec![
            (time_of_day(row.at_ms), Meaning::Muted),
            (clean(&row.verb), Meaning::Title),
            (format!("{} {word}", theme.glyph(meaning)), meaning),
            (short(&row.signature), Meaning::Text),
            (grouped(row.slot), Meaning::Muted),
            (units, Meaning::Text),
            (row.bytes.to_string(), Meaning::Muted),
            (format!("{} ms", row.elapsed_ms), Meaning::Text),
        ]
    });
    if bottom.height > 0 {
        let block = panel::block(theme, "Transaction".to_owned(), false);
        let inner = block.inner(bottom);
        frame.render_widget(block, bottom);
        let chosen = model.ui.sent.selected();
        if let Some(row) = chosen.and_then(|id| rows.iter().find(|r| r.signature == *id)) {
            let width = usize::from(inner.width);
            let mut lines =
                panel::fact(theme, "signature", &row.signature, Meaning::Text, 11, width);
            let error = row.error.as_deref().map(clean);
            let text = error.unwrap_or_else(|| "confirmed".to_owned());
            lines.extend(panel::fact(theme, "result", &text, Meaning::Text, 11, width));
            panel::text(frame, inner, lines, 0);
        }
    }
    Drawn { page, ..Drawn::default() }
}
