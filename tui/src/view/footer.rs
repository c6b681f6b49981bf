//! The lines at the bottom: the running job, the last thing said, the keys that work here. The keys
//! come from the command table; those that are refused now are dimmed and say why when pressed.
use ratatui::{
    Frame,
    layout::Rect,
    text::{Line, Span},
    widgets::Paragraph,
};
use unicode_width::UnicodeWidthStr;

use crate::{
    keymap::{COMMANDS, Command, Id, label},
    model::{Level, Model, job::Job},
    strings as s,
    text::{age, clean, countdown, fit, wrap},
    theme::Meaning,
    widgets::meter,
};

/// Most lines of a message.
const MOST: usize = 4;

/// The last thing said, or what is wrong with the mirror, wrapped.
pub(super) fn message_lines(model: &Model, width: u16) -> Vec<Line<'static>> {
    let (level, text) = match (&model.message, &model.health.error) {
        (Some(message), _) => (message.level, message.text.clone()),
        (None, Some(error)) => (Level::Warn, clean(error)),
        (None, None) => return vec![],
    };
    let (meaning, word) = match level {
        Level::Info => (Meaning::Key, "info"),
        Level::Ok => (Meaning::Ok, "done"),
        Level::Warn => (Meaning::Warn, "note"),
        Level::Error => (Meaning::Danger, "error"),
    };
    let head = format!(" {} {word}: ", model.theme.glyph(meaning));
    let room = usize::from(width).saturating_sub(head.width()).saturating_sub(1);
    let mut parts = wrap(&text, room);
    if parts.len() > MOST {
        parts.truncate(MOST);
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

/// About how long `job` still takes, or for how long it has stood still.
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
        format!(" {} {}{which}: ", theme.glyph(Meaning::Pending), s::title(job.verb)),
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
            // A number that is cut off reads as another number.
            let used: usize = spans.iter().map(Span::width).sum();
            spans.push(Span::raw(fit(&text, usize::from(area.width).saturating_sub(used))));
        }
        None => spans.push(Span::raw(format!("sending, {elapsed}"))),
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
    let mut shown: Vec<&Command> = COMMANDS
        .iter()
        .filter(|c| c.applies(model))
        .filter(|c| model.dialog.is_some() || c.footer.is_some())
        .collect();
    shown.sort_by_key(|c| (c.enabled(model).is_err(), c.footer));
    let mut spans = vec![Span::raw(" ")];
    let mut used = 1usize;
    let mut said: Vec<(&str, Id)> = vec![];
    for command in shown {
        let key = command.keys.first().map(|k| label(k)).unwrap_or_default();
        let width = key.width().saturating_add(command.word.width()).saturating_add(3);
        if used.saturating_add(width) > usize::from(area.width)
            || said.iter().any(|(word, _)| *word == command.word)
        {
            continue;
        }
        said.push((command.word, command.id));
        used = used.saturating_add(width);
        let off = command.enabled(model).is_err();
        let meaning = if off { Meaning::Muted } else { Meaning::Key };
        spans.push(Span::styled(key, theme.style(meaning)));
        let word = if off { Meaning::Muted } else { Meaning::Text };
        spans.push(Span::styled(format!(" {}  ", command.word), theme.style(word)));
    }
    frame.render_widget(Paragraph::new(Line::from(spans)), area);
}
