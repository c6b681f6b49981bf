//! The dialogs. The one before signing shows exactly what will be signed, scrolls if that does not fit, and keeps its
//! buttons visible.
use backend::{Fact, Verdict};
use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    text::{Line, Span},
    widgets::{Clear, Paragraph},
};

use crate::{
    model::{
        Model,
        dialog::{CLOCK_STEPS, Confirm, Dialog, Focus, Need, armed},
        job::PreflightView,
        ui::DialogDrawn,
    },
    strings as s,
    text::{age, clean, grouped, wrap},
    theme::{Meaning, Theme},
    widgets::panel,
};

/// Draws the dialog over `area`. Returns what was visible, if it has buttons.
pub(super) fn draw(model: &Model, frame: &mut Frame, area: Rect) -> Option<DialogDrawn> {
    let theme = model.theme;
    match &model.dialog {
        None => None,
        Some(Dialog::Preparing { verb, since, .. }) => {
            let elapsed = age(model.now.saturating_duration_since(*since));
            let lines = vec![
                Line::raw(format!("Reading the chain and simulating.. {elapsed}")),
                Line::styled("Nothing has been signed. Esc stops.", theme.style(Meaning::Muted)),
            ];
            small(frame, area, theme, s::question(*verb), lines);
            None
        }
        Some(Dialog::Confirm(c)) => Some(confirm(model, frame, area, c)),
        Some(Dialog::Members { at }) => {
            let rows = model.members.iter().map(|m| {
                let now = if Some(m.key) == model.signer { " (signs now)" } else { "" };
                format!("{} {}{now}", m.name, m.key)
            });
            let lines = choices(theme, rows, *at);
            small(frame, area, theme, "Whose key signs?", lines);
            None
        }
        Some(Dialog::Clock { at }) => {
            let rows = CLOCK_STEPS.iter().map(|(name, _)| format!("+ {name}"));
            let mut lines = choices(theme, rows, *at);
            lines.push(Line::styled("The clock goes forward only.", theme.style(Meaning::Muted)));
            small(frame, area, theme, "Move the chain's clock", lines);
            None
        }
        Some(Dialog::Quit { focus, .. }) => {
            let running = model.job.as_ref().map_or("A job", |j| &j.label);
            let lines = vec![
                Line::raw(format!("{running} is running. What has been sent stays; the same key")),
                Line::raw("continues it the next time."),
                Line::default(),
                buttons(theme, *focus, "Stay", "Quit", true),
            ];
            let buttons = small(frame, area, theme, "Quit?", lines);
            Some(DialogDrawn { buttons, ..DialogDrawn::default() })
        }
    }
}

fn choices(theme: Theme, rows: impl Iterator<Item = String>, at: usize) -> Vec<Line<'static>> {
    rows.enumerate()
        .map(|(i, text)| {
            let (mark, meaning) = if i == at {
                (theme.glyph(Meaning::Selected), Meaning::Selected)
            } else {
                (" ", Meaning::Text)
            };
            Line::styled(format!("{mark} {text} "), theme.style(meaning))
        })
        .collect()
}

fn centred(area: Rect, width: u16, height: u16) -> Rect {
    let (width, height) = (width.min(area.width), height.min(area.height));
    Rect {
        x: area.x.saturating_add(area.width.saturating_sub(width) / 2),
        y: area.y.saturating_add(area.height.saturating_sub(height) / 2),
        width,
        height,
    }
}

/// Draws a dialog that is as small as its lines. Returns whether all of them fit.
fn small(
    frame: &mut Frame,
    area: Rect,
    theme: Theme,
    title: &str,
    lines: Vec<Line<'static>>,
) -> bool {
    let width = lines.iter().map(Line::width).max().unwrap_or(0).max(30);
    let width = u16::try_from(width).unwrap_or(u16::MAX).saturating_add(4);
    let height = u16::try_from(lines.len()).unwrap_or(u16::MAX).saturating_add(2);
    let at = centred(area, width, height);
    frame.render_widget(Clear, at);
    let block = panel::block(theme, title.to_owned(), true);
    let inner = block.inner(at);
    frame.render_widget(block, at);
    let fits = lines.len() <= usize::from(inner.height);
    frame.render_widget(Paragraph::new(lines), inner);
    fits
}

fn confirm(model: &Model, frame: &mut Frame, area: Rect, c: &Confirm) -> DialogDrawn {
    let theme = model.theme;
    let width = area.width.min(112);
    let room = usize::from(width.saturating_sub(4));
    let tall = |n: usize| u16::try_from(n).unwrap_or(u16::MAX);
    let (body, must) = body(model, c, room);
    let mut foot = foot(model, c, room, true);
    let left = area.height.saturating_sub(tall(foot.len())).saturating_sub(2);
    // The same rule as in `Confirm::seen`, so that this frame already shows whether confirming is possible.
    let shows = c.scroll <= c.read_to && c.scroll.saturating_add(left) >= tall(must);
    if !(c.read || shows) {
        foot = self::foot(model, c, room, false);
    }
    let height = tall(body.len()).saturating_add(tall(foot.len())).saturating_add(2);
    let at = centred(area, width, height);
    frame.render_widget(Clear, at);
    let block = panel::block(theme, model.with_names(&clean(&c.shown.title)), true);
    let inner = block.inner(at);
    frame.render_widget(block, at);
    let [text, below] =
        Layout::vertical([Constraint::Min(1), Constraint::Length(tall(foot.len()))]).areas(inner);
    let (lines, buttons) = (tall(body.len()), usize::from(below.height) >= foot.len());
    let hidden = lines.saturating_sub(text.height);
    let overflow = panel::text(frame, text, body, c.scroll);
    frame.render_widget(Paragraph::new(foot), below);
    if hidden > 0 && at.height > 0 {
        let note = format!(
            " line {}/{} Up Down scroll ",
            c.scroll.min(overflow).saturating_add(text.height),
            hidden.saturating_add(text.height)
        );
        let line = Rect { y: at.y.saturating_add(at.height).saturating_sub(1), height: 1, ..at };
        let line =
            Rect { x: line.x.saturating_add(2), width: line.width.saturating_sub(4), ..line };
        frame.render_widget(Paragraph::new(Line::styled(note, theme.style(Meaning::Warn))), line);
    }
    let from = c.scroll.min(overflow);
    let to = from.saturating_add(text.height).min(lines);
    let buttons = buttons && text.height > 0;
    DialogDrawn { buttons, overflow, from, to, must: tall(must), width }
}

/// Labels of the facts that must have been visible before signing, in the order of the dialog: who signs what, at
/// which price.
const REQUIRED_FACTS: [&str; 12] = [
    "signer",
    "program",
    "proposal",
    "multisig",
    "multisig",
    "digest",
    "digest that votes will name",
    "what it does",
    "account to set aside",
    "fee",
    "priority fee",
    "next step",
];

/// The text of the dialog, and how many of its first lines must have been visible: the consequence, the checks that did
/// not pass, and [`REQUIRED_FACTS`].
fn body(model: &Model, c: &Confirm, width: usize) -> (Vec<Line<'static>>, usize) {
    let theme = model.theme;
    let consequence = model.with_names(&clean(&c.shown.step.consequence));
    let style = theme.style(Meaning::Title);
    let mut lines: Vec<_> =
        wrap(&consequence, width).into_iter().map(|l| Line::styled(l, style)).collect();
    // Checks that did not pass come next, because nobody scrolls to look for problems.
    lines.extend(verdicts(theme, &c.shown, width, |v| v != Verdict::Pass));
    let place = |fact: &Fact| REQUIRED_FACTS.iter().position(|l| *l == fact.label.to_lowercase());
    let (mut first, rest): (Vec<_>, Vec<_>) =
        c.shown.facts.iter().partition(|fact| place(fact).is_some());
    first.sort_by_key(|fact| place(fact));
    lines.extend(first.into_iter().flat_map(|f| fact(model, f, width)));
    let must = lines.len();
    lines.extend(rest.into_iter().flat_map(|f| fact(model, f, width)));
    lines.extend(simulation(theme, &c.shown, width));
    lines.extend(verdicts(theme, &c.shown, width, |v| v == Verdict::Pass));
    (lines, must)
}

/// A fact, never shortened; an address is followed by its name.
fn fact(model: &Model, fact: &Fact, width: usize) -> Vec<Line<'static>> {
    let value = match fact.value.parse() {
        Ok(key) => model.full_name(&key),
        Err(_) => fact.value.clone(),
    };
    let (label, value) = (clean(&fact.label), clean(&value));
    panel::fact(model.theme, &label, &value, Meaning::Text, indent(width), width)
}

/// Width of the column of labels. Leaves room for a hash in one line, even in 80 columns.
fn indent(width: usize) -> usize {
    if width < 90 { 12 } else { 26 }
}

/// The checks, those that did not pass first, and the simulation.
pub(super) fn checks(theme: Theme, shown: &PreflightView, width: usize) -> Vec<Line<'static>> {
    let mut lines = verdicts(theme, shown, width, |v| v != Verdict::Pass);
    lines.extend(verdicts(theme, shown, width, |v| v == Verdict::Pass));
    lines.extend(simulation(theme, shown, width));
    lines
}

fn verdicts(
    theme: Theme,
    shown: &PreflightView,
    width: usize,
    wanted: impl Fn(Verdict) -> bool,
) -> Vec<Line<'static>> {
    let mut lines = vec![];
    for check in shown.checks.iter().filter(|c| wanted(c.verdict)) {
        let (meaning, word) = match check.verdict {
            Verdict::Pass => (Meaning::Ok, "pass"),
            Verdict::Warn => (Meaning::Warn, "warn"),
            Verdict::Fail => (Meaning::Danger, "FAIL"),
        };
        lines.extend(panel::marked(theme, meaning, word, &clean(&check.sentence), width));
    }
    lines
}

fn simulation(theme: Theme, shown: &PreflightView, width: usize) -> Vec<Line<'static>> {
    let Some(sim) = &shown.simulation else { return vec![] };
    let units = grouped(sim.units);
    let (meaning, text) = match &sim.error {
        None => (Meaning::Text, format!("succeeds with {units} compute units")),
        Some(error) => (Meaning::Danger, format!("fails: {}", clean(error))),
    };
    let mut lines = panel::fact(theme, "Simulation", &text, meaning, indent(width), width);
    let logs: &[String] = if sim.error.is_some() { &sim.logs } else { &[] };
    for log in logs.iter().skip(logs.len().saturating_sub(4)) {
        lines.extend(panel::fact(
            theme,
            "  log",
            &clean(log),
            Meaning::Muted,
            indent(width),
            width,
        ));
    }
    lines
}

/// `Checks: 12 pass, 1 warn. Simulation: 23,456 units.`
fn tally(shown: &PreflightView) -> String {
    let n = |v| shown.checks.iter().filter(|c| c.verdict == v).count();
    let mut text = format!("Checks: {} pass", n(Verdict::Pass));
    for (count, word) in [(n(Verdict::Warn), "warn"), (n(Verdict::Fail), "FAIL")] {
        if count > 0 {
            text.push_str(&format!(", {count} {word}"));
        }
    }
    match &shown.simulation {
        Some(sim) if sim.error.is_none() => {
            text.push_str(&format!(". Simulation: {} units.", grouped(sim.units)));
        }
        Some(_) => text.push_str(". Simulation: FAILS."),
        None => text.push('.'),
    }
    text
}

/// The lines below the text. `read`: whether every line that must be seen was visible.
fn foot(model: &Model, c: &Confirm, width: usize, read: bool) -> Vec<Line<'static>> {
    let theme = model.theme;
    let mut lines = vec![Line::styled(tally(&c.shown), theme.style(Meaning::Muted))];
    if !c.shown.sendable {
        lines.extend(panel::marked(theme, Meaning::Danger, "STOP", s::NOTHING_TO_SIGN, width));
        lines.push(Line::styled("[ Close ]", theme.style(Meaning::Selected)));
        return lines;
    }
    let many = match c.shown.transactions {
        1 => "1 transaction will be signed.".to_owned(),
        n => format!("About {n} transactions will be signed."),
    };
    let how = match &c.need {
        _ if !read => format!("{many} Press Down: not all of it was on the screen yet."),
        Need::Yes => format!("{many} y confirms, Esc goes back."),
        Need::Typed(word) => format!("{many} Type {word} to confirm: {}_", c.input),
    };
    let style = theme.style(Meaning::Title);
    lines.extend(wrap(&how, width).into_iter().map(|l| Line::styled(l, style)));
    let on = read && armed(c.visible, model.now) && c.typed();
    lines.push(buttons(theme, c.focus, "Go back", "Confirm", on));
    lines
}

fn buttons(theme: Theme, focus: Focus, no: &str, yes: &str, on: bool) -> Line<'static> {
    let style = |is: bool, on: bool| match (is, on) {
        (true, _) => theme.style(Meaning::Selected),
        (false, true) => theme.style(Meaning::Text),
        (false, false) => theme.style(Meaning::Muted),
    };
    let mark = |is: bool| if is { theme.glyph(Meaning::Selected) } else { " " };
    let (c, y) = (focus == Focus::Cancel, focus == Focus::Confirm);
    Line::from(vec![
        Span::styled(format!("{}[ {no} ]", mark(c)), style(c, true)),
        Span::raw("   "),
        Span::styled(format!("{}[ {yes} ]", mark(y)), style(y, on)),
    ])
}
