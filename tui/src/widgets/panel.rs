//! A framed area with a title, scrolling text, and lines of label and value.
use ratatui::{
    Frame,
    layout::Rect,
    text::{Line, Span},
    widgets::{Block, Paragraph},
};
use unicode_width::UnicodeWidthStr;

use crate::{
    text::wrap,
    theme::{Meaning, Theme},
};

/// A frame with `title`. The focused one has a mark as well as a colour.
pub fn block(theme: Theme, title: String, focused: bool) -> Block<'static> {
    let meaning = if focused { Meaning::Title } else { Meaning::Muted };
    let mark = if focused { theme.glyph(Meaning::Selected) } else { "" };
    let title = if mark.is_empty() { format!(" {title} ") } else { format!(" {mark} {title} ") };
    Block::bordered()
        .border_set(theme.border())
        .border_style(theme.style(meaning))
        .title(Span::styled(title, theme.style(Meaning::Title)))
}

/// Draws `lines` from line `scroll` on. Returns how many lines do not fit.
pub fn text(frame: &mut Frame, area: Rect, lines: Vec<Line<'static>>, scroll: u16) -> u16 {
    let total = u16::try_from(lines.len()).unwrap_or(u16::MAX);
    let overflow = total.saturating_sub(area.height);
    let from = usize::from(scroll.min(overflow));
    let shown: Vec<_> = lines.into_iter().skip(from).take(usize::from(area.height)).collect();
    frame.render_widget(Paragraph::new(shown), area);
    overflow
}

/// `label` in a column of `indent`, or above if it is longer, then `value` wrapped at `width`. Neither is ever
/// shortened.
pub fn fact(
    theme: Theme,
    label: &str,
    value: &str,
    meaning: Meaning,
    indent: usize,
    width: usize,
) -> Vec<Line<'static>> {
    let room = width.saturating_sub(indent).max(8);
    let mut parts = wrap(value, room);
    if parts.is_empty() {
        parts.push("-".to_owned());
    }
    let pad = indent.saturating_sub(1);
    if label.width() > pad && label.width().saturating_add(value.width()) < width {
        // A long label with a short value shares its line.
        return vec![Line::from(vec![
            Span::styled(format!("{label} "), theme.style(Meaning::Muted)),
            Span::styled(value.to_owned(), theme.style(meaning)),
        ])];
    }
    let above = label.width() > pad;
    let mut lines = vec![];
    if above {
        lines.extend(
            wrap(label, width).into_iter().map(|l| Line::styled(l, theme.style(Meaning::Muted))),
        );
    }
    lines.extend(parts.into_iter().enumerate().map(|(i, part)| {
        let head = if i == 0 && !above { label } else { "" };
        Line::from(vec![
            Span::styled(format!("{head:pad$} "), theme.style(Meaning::Muted)),
            Span::styled(part, theme.style(meaning)),
        ])
    }));
    lines
}

/// A sentence after a glyph and a word, wrapped under its own start.
pub fn marked(
    theme: Theme,
    meaning: Meaning,
    word: &str,
    sentence: &str,
    width: usize,
) -> Vec<Line<'static>> {
    let head = format!("{} {word:<5}", theme.glyph(meaning));
    let indent = head.chars().count().saturating_add(1);
    let parts = wrap(sentence, width.saturating_sub(indent).max(8));
    parts
        .into_iter()
        .enumerate()
        .map(|(i, part)| {
            let head = if i == 0 { head.clone() } else { String::new() };
            Line::from(vec![
                Span::styled(format!("{head:<indent$}"), theme.style(meaning)),
                Span::styled(part, theme.style(Meaning::Text)),
            ])
        })
        .collect()
}

pub fn heading(theme: Theme, title: &str) -> Line<'static> {
    Line::styled(title.to_owned(), theme.style(Meaning::Title))
}
