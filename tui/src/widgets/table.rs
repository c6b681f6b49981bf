//! A table that formats only the visible rows, however many there are, and drops its least important columns on a
//! narrow terminal.
use ratatui::{
    Frame,
    layout::{Constraint, Rect},
    text::Span,
    widgets::{Cell, Row, Table},
};

use super::panel;
use crate::{
    text::fit,
    theme::{Meaning, Theme},
};

#[derive(Clone, Copy, Debug)]
pub struct Column {
    pub title: &'static str,
    /// The least width.
    pub width: u16,
    /// Columns with a higher number are dropped first; 0 is never dropped.
    pub drop: u8,
    /// Whether it takes the rest of the table's width.
    pub grows: bool,
}

/// A column of fixed width.
pub const fn col(title: &'static str, width: u16, drop: u8) -> Column {
    Column { title, width, drop, grows: false }
}

/// The column that takes the rest.
pub const fn rest(title: &'static str, width: u16) -> Column {
    Column { title, width, drop: 0, grows: true }
}

/// A cell's text and what it means.
pub type Value = (String, Meaning);

/// Everything about a table but its rows.
#[derive(Clone, Debug)]
pub struct TableProps<'a> {
    pub title: String,
    pub columns: &'a [Column],
    /// The text when there are no rows.
    pub empty: &'a str,
    /// Whether the keys move this table.
    pub focused: bool,
}

/// Draws a table of `len` rows with the row `selected` visible; `row` formats one row. Returns how many rows fit.
pub fn draw(
    frame: &mut Frame,
    area: Rect,
    theme: Theme,
    props: &TableProps<'_>,
    len: usize,
    selected: Option<usize>,
    row: impl Fn(usize) -> Vec<Value>,
) -> u16 {
    let title = match selected {
        Some(at) => format!("{} {}/{len}", props.title, at.saturating_add(1)),
        None => props.title.clone(),
    };
    let block = panel::block(theme, title, props.focused);
    let inner = block.inner(area);
    let height = inner.height.saturating_sub(1);
    if len == 0 {
        frame.render_widget(block, area);
        let lines = crate::text::wrap(props.empty, usize::from(inner.width));
        let lines = lines
            .into_iter()
            .map(|l| ratatui::text::Line::styled(l, theme.style(Meaning::Muted)))
            .collect();
        panel::text(frame, inner, lines, 0);
        return height;
    }
    let kept = keep(props.columns, inner.width.saturating_sub(2));
    let from = window(len, selected.unwrap_or(0), usize::from(height));
    let to = from.saturating_add(usize::from(height)).min(len);
    let rows = (from..to).map(|at| {
        let is = selected == Some(at);
        let mark = if is && props.focused { theme.glyph(Meaning::Selected) } else { " " };
        let values = row(at);
        let cells = kept.iter().map(|(i, width)| {
            let (text, meaning) = values.get(*i).cloned().unwrap_or((String::new(), Meaning::Text));
            Cell::from(Span::styled(fit(&text, usize::from(*width)), theme.style(meaning)))
        });
        let cells = std::iter::once(Cell::from(mark.to_owned())).chain(cells);
        let style = if is && props.focused {
            theme.style(Meaning::Selected)
        } else if is {
            theme.style(Meaning::Title)
        } else {
            theme.style(Meaning::Text)
        };
        Row::new(cells.collect::<Vec<_>>()).style(style)
    });
    let titles = kept.iter().filter_map(|(i, _)| props.columns.get(*i)).map(|c| c.title);
    let header = Row::new(std::iter::once(" ").chain(titles).collect::<Vec<_>>())
        .style(theme.style(Meaning::Muted));
    let widths = std::iter::once(Constraint::Length(1))
        .chain(kept.iter().map(|(_, w)| Constraint::Length(*w)));
    let table = Table::new(rows.collect::<Vec<_>>(), widths).header(header).block(block);
    frame.render_widget(table, area);
    height
}

/// The first visible row: the selection is in the middle unless the table ends before.
fn window(len: usize, selected: usize, height: usize) -> usize {
    selected.saturating_sub(height / 2).min(len.saturating_sub(height))
}

/// The columns that fit into `width`, with their widths.
fn keep(columns: &[Column], width: u16) -> Vec<(usize, u16)> {
    let mut kept: Vec<(usize, &Column)> = columns.iter().enumerate().collect();
    let need = |kept: &[(usize, &Column)]| {
        kept.iter().fold(0u16, |sum, (_, c)| sum.saturating_add(c.width).saturating_add(1))
    };
    while need(&kept) > width {
        let worst = kept.iter().map(|(_, c)| c.drop).max().unwrap_or(0);
        let Some(at) = kept.iter().rposition(|(_, c)| c.drop == worst && worst > 0) else { break };
        kept.remove(at);
    }
    let spare = width.saturating_sub(need(&kept));
    kept.iter()
        .map(|(i, c)| (*i, if c.grows { c.width.saturating_add(spare) } else { c.width }))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const COLUMNS: [Column; 3] = [col("a", 10, 0), rest("b", 10), col("c", 10, 2)];

    #[test]
    fn the_least_important_column_goes_first_and_one_takes_the_rest() {
        assert_eq!(keep(&COLUMNS, 40), [(0, 10), (1, 17), (2, 10)]);
        assert_eq!(keep(&COLUMNS, 30), [(0, 10), (1, 18)]);
        assert_eq!(
            keep(&COLUMNS, 5),
            [(0, 10), (1, 10)],
            "columns that may not be dropped are cut"
        );
    }

    proptest! {
        #[test]
        fn the_selected_row_is_visible(len in 1usize..500, pick in 0usize..500, height in 1usize..60) {
            let selected = pick % len;
            let from = window(len, selected, height);
            prop_assert!(from <= selected && selected < from + height);
            prop_assert!(from + height <= len || from == 0);
        }
    }
}
