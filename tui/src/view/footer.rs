//! The lines at the bottom: the running job, messages, the keys that work here. The keys come from the command table.
//! A key that would be refused now is left out; pressed anyway, it shows why.
use indexer::Reason;
use ratatui::{
    Frame,
    layout::Rect,
    text::{Line, Span},
    widgets::Paragraph,
};
use unicode_width::UnicodeWidthStr;

use crate::{
    action::command_id::CommandId,
    keymap::{COMMANDS, KeyCommand, label},
    model::{Level, Model, job::Job},
    text::{age, clean, countdown, fit, grouped, wrap},
    theme::Meaning,
    widgets::meter,
};

/// A message is cut after this many lines.
const MAX_MESSAGE_LINES: usize = 4;

/// The oldest error, the last message, or what is wrong with the mirror.
pub(super) fn message_lines(model: &Model, area: Rect) -> Vec<Line<'static>> {
    let (width, in_dialog) = (area.width, model.dialog.is_some());
    let mut lines = vec![];
    if let Some(error) = model.errors.first() {
        let room = usize::from(area.height / 4).max(MAX_MESSAGE_LINES);
        let most = if in_dialog { 2 } else { room };
        lines.extend(one_message(model, Level::Error, &error.text, width, most));
        lines.push(dismissal(model, in_dialog));
    }
    let most = if in_dialog || !lines.is_empty() { 2 } else { MAX_MESSAGE_LINES };
    let text = match &model.message {
        Some(message) => Some((message.level, message.text.clone())),
        None if lines.is_empty() => mirror_warnings(model).map(|text| (Level::Warn, text)),
        None => None,
    };
    if let Some((level, text)) = text {
        lines.extend(one_message(model, level, &text, width, most));
    }
    lines
}

/// How to dismiss the error above, and how many more wait.
fn dismissal(model: &Model, in_dialog: bool) -> Line<'static> {
    let how = if in_dialog { "Esc, once the dialog is closed," } else { "Esc" };
    let more = match model.errors.len().saturating_sub(1) {
        0 => String::new(),
        1 => " 1 more error waits.".to_owned(),
        n => format!(" {n} more errors wait."),
    };
    Line::styled(format!("   {how} dismisses this error.{more}"), model.theme.style(Meaning::Muted))
}

/// What is wrong with the mirror.
fn mirror_warnings(model: &Model) -> Option<String> {
    let doubts = model.doubts();
    let mut parts: Vec<String> = model.health.error.as_deref().map(clean).into_iter().collect();
    if doubts.contains(&Reason::NodeBehind) {
        parts.push(format!("The mirror is {} slots behind.", grouped(model.health.lag())));
    }
    parts.extend(doubts.iter().map(|r| r.sentence().to_owned()));
    (!parts.is_empty()).then(|| parts.join(" "))
}

fn one_message(
    model: &Model,
    level: Level,
    text: &str,
    width: u16,
    most: usize,
) -> Vec<Line<'static>> {
    let (meaning, word) = match level {
        Level::Info => (Meaning::Key, "info"),
        Level::Ok => (Meaning::Ok, "done"),
        Level::Warn => (Meaning::Warn, "note"),
        Level::Error => (Meaning::Danger, "error"),
    };
    let head = format!(" {} {word}: ", model.theme.glyph(meaning));
    let room = usize::from(width).saturating_sub(head.width()).saturating_sub(1);
    let mut parts = wrap(text, room);
    if parts.len() > most {
        parts.truncate(most);
        if let Some(last) = parts.last_mut() {
            *last = format!("{}..", fit(last, room.saturating_sub(2)));
        }
    }
    let indent = head.width();
    parts
        .into_iter()
        .enumerate()
        .map(|(i, part)| {
            let head = if i == 0 { head.clone() } else { " ".repeat(indent) };
            Line::from(vec![
                Span::styled(head, model.theme.style(meaning)),
                Span::styled(part, model.theme.style(Meaning::Text)),
            ])
        })
        .collect()
}

/// The estimated time left of `job`, or for how long it has been stalled.
pub(super) fn time_left(model: &Model, job: &Job) -> String {
    if let Some(still) = job.stalled(model.now) {
        return format!(", no progress for {}", age(still));
    }
    let left = job.step.as_ref().map(|step| step.total.saturating_sub(step.done));
    let left = left.filter(|left| *left > 0).and_then(|left| job.rate.seconds_for(left));
    left.map(|s| format!(", about {} left", countdown(s))).unwrap_or_default()
}

/// The running job in one line.
pub(super) fn job(model: &Model, frame: &mut Frame, area: Rect) {
    let Some(job) = &model.job else { return };
    let theme = model.theme;
    let elapsed = age(model.now.saturating_duration_since(job.since));
    let which = model.snapshot.decision(&job.proposal).map(|d| format!(" #{}", d.id()));
    let which = which.unwrap_or_default();
    let mut spans = vec![Span::styled(
        format!(" {} {}{which}: ", theme.glyph(Meaning::Pending), job.label),
        theme.style(Meaning::Pending),
    )];
    match &job.step {
        Some(step) => {
            spans.extend(meter::bar(theme, step.done, step.total, 10, Meaning::Ok));
            let failed = match step.failed {
                0 => String::new(),
                n => format!(", {n} failed"),
            };
            let left = time_left(model, job);
            let text =
                format!(" {} {}/{}{failed}{left}, {elapsed}", step.label, step.done, step.total);
            // `fit` marks the cut: a number that is cut off silently reads as another number.
            let used: usize = spans.iter().map(Span::width).sum();
            spans.push(Span::raw(fit(&text, usize::from(area.width).saturating_sub(used))));
        }
        None => {
            let used: usize = spans.iter().map(Span::width).sum();
            let text = format!("{}, {elapsed}", job.phase());
            spans.push(Span::raw(fit(&text, usize::from(area.width).saturating_sub(used))));
        }
    }
    frame.render_widget(Paragraph::new(Line::from(spans)), area);
}

/// The keys that work here.
pub(super) fn keys(model: &Model, frame: &mut Frame, area: Rect) {
    let theme = model.theme;
    if model.ui.filtering {
        let text = " Filter: type words, Enter keeps it, Esc clears it";
        frame.render_widget(Paragraph::new(Line::styled(text, theme.style(Meaning::Key))), area);
        return;
    }
    let mut shown: Vec<&KeyCommand> = COMMANDS
        .iter()
        .filter(|c| c.applies(model))
        .filter(|c| model.dialog.is_some() || c.footer.is_some())
        .filter(|c| c.enabled(model).is_ok())
        .collect();
    shown.sort_by_key(|c| c.footer);
    let mut spans = vec![Span::raw(" ")];
    let mut used = 1usize;
    let mut named: Vec<(&str, CommandId)> = vec![];
    for command in shown {
        let key = command.keys.first().map(|k| label(k)).unwrap_or_default();
        let word = command.word_for(model);
        let width = key.width().saturating_add(word.width()).saturating_add(3);
        if used.saturating_add(width) > usize::from(area.width)
            || named.iter().any(|(other, _)| *other == word)
        {
            continue;
        }
        named.push((word, command.id));
        used = used.saturating_add(width);
        spans.push(Span::styled(key, theme.style(Meaning::Key)));
        spans.push(Span::styled(format!(" {word}  "), theme.style(Meaning::Text)));
    }
    frame.render_widget(Paragraph::new(Line::from(spans)), area);
}
