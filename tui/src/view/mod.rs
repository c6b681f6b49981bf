//! Draws the model, one file for each screen. Changes nothing, reads no clock and does no I/O. Returns what was visible,
//! so that keys act only on that.
#[cfg(test)]
mod accuracy_tests;
mod audit;
mod dialog;
mod footer;
mod header;
mod help;
mod migration;
mod multisig;
#[cfg(test)]
mod multisig_tests;
mod programs;
mod proposal;
mod sent;
mod tally;
#[cfg(test)]
mod tests;

use indexer::{Conn, Reason};
use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    text::Line,
    widgets::{Clear, Paragraph},
};

use crate::{
    model::{
        Model,
        dialog::Dialog,
        ui::{DialogDrawn, Drawn, Screen},
    },
    strings as s,
    text::{clean, grouped},
    theme::Meaning,
};

/// Smaller terminals show only that they are too small: columns and rows.
pub const MIN_SIZE: (u16, u16) = (60, 15);

pub fn is_too_small(width: u16, height: u16) -> bool {
    width < MIN_SIZE.0 || height < MIN_SIZE.1
}

/// Draws the current screen, the lines around it, and the dialog on top.
pub fn draw(model: &Model, frame: &mut Frame) -> Drawn {
    let area = frame.area();
    if is_too_small(area.width, area.height) {
        let dialog = too_small(model, frame, area);
        return Drawn { too_small: true, dialog, ..Drawn::default() };
    }
    let message = footer::message_lines(model, area);
    let job = u16::from(model.job.is_some());
    let message_height = u16::try_from(message.len()).unwrap_or(0);
    let [head, body, running, below, keys] = Layout::vertical([
        Constraint::Length(2),
        Constraint::Min(3),
        Constraint::Length(job),
        Constraint::Length(message_height),
        Constraint::Length(1),
    ])
    .areas(area);
    header::draw(model, frame, head);
    let mut drawn = screen(model, frame, body);
    footer::job(model, frame, running);
    frame.render_widget(Paragraph::new(message), below);
    footer::keys(model, frame, keys);
    if model.dialog.is_some() {
        drawn.dialog = dialog::draw(model, frame, body);
    }
    drawn
}

fn screen(model: &Model, frame: &mut Frame, area: Rect) -> Drawn {
    match model.ui.screen {
        Screen::Programs => programs::draw(model, frame, area),
        Screen::Proposal => proposal::draw(model, frame, area),
        Screen::Migration => migration::draw(model, frame, area),
        Screen::Audit => audit::draw(model, frame, area),
        Screen::Sent => sent::draw(model, frame, area),
        Screen::Help => help::draw(model, frame, area),
    }
}

/// Draws the size that is needed and the keys that work. Returns what was visible of the question whether to quit.
fn too_small(model: &Model, frame: &mut Frame, area: Rect) -> Option<DialogDrawn> {
    frame.render_widget(Clear, area);
    let (width, height) = MIN_SIZE;
    let keys = match &model.dialog {
        Some(Dialog::Quit { .. }) => {
            let running = model.job.as_ref().map_or("A job", |j| &j.label);
            format!("{running} is running; what was sent stays. q again quits, Esc stays.")
        }
        Some(_) => "A dialog is open; nothing is signed here. Esc closes it, q quits.".to_owned(),
        None => "q quits.".to_owned(),
    };
    let sentence =
        format!("{}: {}x{}, needs {width}x{height}. {keys}", s::TOO_SMALL, area.width, area.height);
    let lines = crate::text::wrap(&sentence, usize::from(area.width));
    let style = model.theme.style(Meaning::Warn);
    let lines: Vec<_> = lines.into_iter().map(|l| Line::styled(l, style)).collect();
    let buttons = lines.len() <= usize::from(area.height);
    frame.render_widget(Paragraph::new(lines), area);
    let asks = matches!(model.dialog, Some(Dialog::Quit { .. }));
    asks.then(|| DialogDrawn { buttons, ..DialogDrawn::default() })
}

/// The text of an empty table before the mirror holds a complete snapshot, when "nothing there" would be a guess.
fn loading_text(model: &Model) -> Option<String> {
    let health = &model.health;
    if model.snapshot.complete && !health.reasons.contains(&Reason::Startup) {
        return None;
    }
    let error = health.error.as_deref().map(clean);
    let waits = match &health.conn {
        Conn::Stopped { reason } => {
            return Some(format!("The chain was not read. {}", clean(reason)));
        }
        _ if !model.loaded => return Some(s::LOADING.to_owned()),
        Conn::Connecting => error.unwrap_or_else(|| {
            format!("waiting for {} to answer and to list the accounts.", model.cluster.node)
        }),
        Conn::Reconnecting { retry_at, .. } => {
            let wait = retry_at.saturating_duration_since(model.now).as_secs();
            let why = error.unwrap_or_else(|| s::LOST.to_owned());
            format!("{}; trying again in {wait} s.", s::bare(&why))
        }
        Conn::Following { writer } => format!(
            "waiting for {}, which writes this mirror, to read all accounts once.",
            clean(writer)
        ),
        Conn::Live => "waiting until all accounts are in the mirror.".to_owned(),
    };
    Some(format!("Reading the chain: {waits}"))
}

/// The title of a table; says so when rows beyond `most` were left out.
fn title_with_cap(title: &str, which: &str, rows: usize, most: u32) -> String {
    let full = u32::try_from(rows).unwrap_or(u32::MAX) >= most;
    if full { format!("{title}, {which} {}", grouped(u64::from(most))) } else { title.to_owned() }
}

/// The text of a table without rows: `otherwise`, or that the filter hides them.
fn empty_text<'a>(model: &Model, otherwise: &'a str) -> &'a str {
    if model.ui.needle().trim().is_empty() { otherwise } else { s::NO_MATCH }
}

/// The title of a table, with its filter.
fn title_with_filter(model: &Model, title: &str) -> String {
    match model.ui.filter.get(&model.ui.screen) {
        Some(f) if model.ui.filtering => format!("{title} /{f}_"),
        Some(f) if !f.is_empty() => format!("{title} /{f}"),
        _ if model.ui.filtering => format!("{title} /_"),
        _ => title.to_owned(),
    }
}
