//! Progress bars.
use ratatui::text::{Line, Span};

use crate::{
    text::ratio,
    theme::{Meaning, Theme},
};

/// A bar of `width` cells, `part` of `whole` of them full.
pub fn bar(
    theme: Theme,
    part: u64,
    whole: u64,
    width: u16,
    meaning: Meaning,
) -> Vec<Span<'static>> {
    let (full, empty) = theme.bar();
    let filled = filled(part, whole, width);
    vec![
        Span::styled(full.repeat(usize::from(filled)), theme.style(meaning)),
        Span::styled(
            empty.repeat(usize::from(width.saturating_sub(filled))),
            theme.style(Meaning::Muted),
        ),
    ]
}

/// Number of full cells: all of them only when everything is done, at least one when anything is.
fn filled(part: u64, whole: u64, width: u16) -> u16 {
    let share = ratio(part, whole) * f64::from(width);
    let cells = (0..=width).rev().find(|cells| f64::from(*cells) <= share).unwrap_or(0);
    match (part, part < whole) {
        (0, _) => 0,
        (_, true) => cells.max(1).min(width.saturating_sub(1)),
        (_, false) => cells,
    }
}

/// A bar followed by its text: `████░░ 120/200 migrated`.
pub fn line(
    theme: Theme,
    part: u64,
    whole: u64,
    word: &str,
    width: u16,
    meaning: Meaning,
) -> Line<'static> {
    let mut spans = bar(theme, part, whole, width, meaning);
    spans.push(Span::styled(format!(" {part}/{whole} {word}"), theme.style(Meaning::Text)));
    Line::from(spans)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_full_only_when_all_is_done() {
        assert_eq!(filled(0, 200, 10), 0);
        assert_eq!(filled(1, 200, 10), 1);
        assert_eq!(filled(199, 200, 10), 9);
        assert_eq!(filled(200, 200, 10), 10);
        assert_eq!(filled(0, 0, 10), 0);
        assert_eq!(filled(3, 200, 0), 0);
    }
}
