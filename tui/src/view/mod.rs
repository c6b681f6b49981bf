//! From the model to the screen: one file a screen. Drawing changes nothing, reads no clock and does
//! no I/O; it returns what the layout was, so that keys can respect it.
mod audit;
mod dialog;
mod footer;
mod header;
mod help;
mod migration;
mod programs;
mod proposal;
mod sent;
mod tally;
mod team;
#[cfg(test)]
mod team_tests;
#[cfg(test)]
mod tests;

use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    text::Line,
    widgets::{Clear, Paragraph},
};

use crate::{
    model::{Model, ui::Screen},
    strings as s,
    text::grouped,
    theme::Meaning,
};

/// Least terminal that shows anything but a request for more room.
pub const LEAST: (u16, u16) = (60, 15);

/// What drawing found out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Drawn {
    /// Lines beyond the area of a text that scrolls.
    pub overflow: u16,
    /// Rows of a page of the table with the focus.
    pub page: u16,
}

/// Draws everything.
pub fn draw(model: &Model, frame: &mut Frame) -> Drawn {
    let area = frame.area();
    if area.width < LEAST.0 || area.height < LEAST.1 {
        too_small(model, frame, area);
        return Drawn::default();
    }
    let message = footer::message_lines(model, area.width);
    let job = u16::from(model.job.is_some());
    let said = u16::try_from(message.len()).unwrap_or(0);
    let [head, body, running, telling, keys] = Layout::vertical([
        Constraint::Length(2),
        Constraint::Min(3),
        Constraint::Length(job),
        Constraint::Length(said),
        Constraint::Length(1),
    ])
    .areas(area);
    header::draw(model, frame, head);
    let mut drawn = screen(model, frame, body);
    footer::job(model, frame, running);
    frame.render_widget(Paragraph::new(message), telling);
    footer::keys(model, frame, keys);
    if model.dialog.is_some() {
        drawn.overflow = dialog::draw(model, frame, body);
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

fn too_small(model: &Model, frame: &mut Frame, area: Rect) {
    frame.render_widget(Clear, area);
    let (width, height) = LEAST;
    let sentence = format!(
        "{}: {}x{}, needs {width}x{height}. q quits.",
        s::TOO_SMALL,
        area.width,
        area.height
    );
    let lines = crate::text::wrap(&sentence, usize::from(area.width));
    let style = model.theme.style(Meaning::Warn);
    let lines: Vec<_> = lines.into_iter().map(|l| Line::styled(l, style)).collect();
    frame.render_widget(Paragraph::new(lines), area);
}

/// The title of a table that does not hold all there is, and says so.
fn capped(title: &str, which: &str, rows: usize, most: u32) -> String {
    let full = u32::try_from(rows).unwrap_or(u32::MAX) >= most;
    if full { format!("{title}, {which} {}", grouped(u64::from(most))) } else { title.to_owned() }
}

/// What a table without rows says: with a filter, nothing more than that.
fn empty<'a>(model: &Model, otherwise: &'a str) -> &'a str {
    if model.ui.needle().trim().is_empty() { otherwise } else { s::NO_MATCH }
}

/// The title of a table whose rows are filtered.
fn filtered(model: &Model, title: &str) -> String {
    match model.ui.filter.get(&model.ui.screen) {
        Some(f) if model.ui.filtering => format!("{title} /{f}_"),
        Some(f) if !f.is_empty() => format!("{title} /{f}"),
        _ if model.ui.filtering => format!("{title} /_"),
        _ => title.to_owned(),
    }
}
