//! The two lines at the top: cluster, connection, reasons to distrust the mirror, the data's age, tabs, signer.
use indexer::{Conn, Reason};
use ratatui::{
    Frame,
    layout::Rect,
    text::{Line, Span},
    widgets::Paragraph,
};
use unicode_width::UnicodeWidthStr;

use crate::{
    action::command_id::CommandId,
    keymap::command,
    model::{Model, cluster::ClusterKind, ui::Screen},
    text::{age, clean, fit, grouped},
    theme::Meaning,
};

/// Longest name of the mirror's writer, in columns.
const MAX_WRITER_LEN: usize = 20;

pub(super) fn draw(model: &Model, frame: &mut Frame, area: Rect) {
    let width = usize::from(area.width);
    let (state, meaning) = connection(model);
    let cluster = &model.cluster;
    let room = width.saturating_sub(state.width()).saturating_sub(1);
    let chain = format!(" {} {}", cluster.name, cluster.node);
    let whole = format!(" control-room {chain}");
    let left = if whole.width() <= room { whole } else { fit(&chain, room) };
    let gap = width.saturating_sub(left.width()).saturating_sub(state.width());
    let danger = if cluster.kind == ClusterKind::Shared { Meaning::Warn } else { Meaning::Title };
    let first = Line::from(vec![
        Span::styled(left, model.theme.style(danger)),
        Span::raw(" ".repeat(gap)),
        Span::styled(state, model.theme.style(meaning)),
    ]);
    frame.render_widget(Paragraph::new(vec![first, tabs(model, width)]), area);
}

fn tabs(model: &Model, width: usize) -> Line<'static> {
    let mut spans = vec![Span::raw(" ")];
    let mut used = 1usize;
    for screen in Screen::ALL {
        let id = if screen == Screen::Help { CommandId::Help } else { CommandId::Show(screen) };
        let key = command(id).and_then(|c| c.keys.first()).copied().unwrap_or_default();
        let label = format!("{key} {}", screen.name());
        let is = model.ui.screen == screen;
        let text = if is { format!("[{label}]") } else { format!(" {label} ") };
        used = used.saturating_add(text.width());
        let meaning = if is { Meaning::Selected } else { Meaning::Text };
        spans.push(Span::styled(text, model.theme.style(meaning)));
    }
    let who = match (model.read_only, &model.signer) {
        (true, _) => "READ-ONLY ".to_owned(),
        (false, Some(key)) => format!("key {} ", model.name(key)),
        (false, None) => "no key ".to_owned(),
    };
    let who = fit(&who, width.saturating_sub(used));
    let gap = width.saturating_sub(used).saturating_sub(who.width());
    spans.push(Span::raw(" ".repeat(gap)));
    spans.push(Span::styled(who, model.theme.style(Meaning::Key)));
    Line::from(spans)
}

/// The connection and the data's age in words.
fn connection(model: &Model) -> (String, Meaning) {
    let health = &model.health;
    let word = match &health.conn {
        Conn::Connecting => "Connecting".to_owned(),
        Conn::Live => "Live".to_owned(),
        Conn::Following { writer } => format!("Following {}", fit(&clean(writer), MAX_WRITER_LEN)),
        Conn::Reconnecting { attempt, retry_at } => {
            let wait = retry_at.saturating_duration_since(model.now).as_secs();
            format!("Reconnecting in {wait} s (attempt {attempt})")
        }
        Conn::Stopped { .. } => "Offline".to_owned(),
    };
    let doubts = model.doubts();
    let meaning = match &health.conn {
        Conn::Live | Conn::Following { .. } if model.is_stale() || !doubts.is_empty() => {
            Meaning::Warn
        }
        Conn::Live | Conn::Following { .. } => Meaning::Ok,
        Conn::Connecting => Meaning::Pending,
        Conn::Reconnecting { .. } => Meaning::Warn,
        Conn::Stopped { .. } => Meaning::Danger,
    };
    let data = match model.data_age() {
        None if health.stored > 0 => "age unknown".to_owned(),
        None => "no data yet".to_owned(),
        Some(d) if model.is_stale() => format!("stale, {} old", age(d)),
        Some(d) => format!("{} s old", d.as_secs()),
    };
    // Without a connection most reasons repeat what the connection's state says.
    let live = health.conn.is_live();
    let mut doubts = doubts.into_iter().filter(|r| live || *r == Reason::DbDown);
    let why = match (doubts.next(), doubts.count()) {
        (None, _) => String::new(),
        (Some(reason), 0) => format!(", {}", reason_words(model, reason)),
        (Some(reason), more) => format!(", {} +{more}", reason_words(model, reason)),
    };
    let glyph = model.theme.glyph(meaning);
    let slot = match health.stored {
        0 => String::new(),
        slot => format!("slot {}  ", grouped(slot)),
    };
    (format!("{glyph} {word}{why}  {slot}{data} "), meaning)
}

/// A reason to distrust the mirror, in two or three words.
fn reason_words(model: &Model, reason: Reason) -> String {
    let words = match reason {
        Reason::Startup => "first reading",
        Reason::GapFill => "reading a gap",
        Reason::NodeBehind => return format!("{} slots behind", grouped(model.health.lag())),
        Reason::DbDown => "store down",
        Reason::SnapshotSuspect => "accounts missing",
        Reason::Drift => "rows were wrong",
        Reason::SocketSilent => "node silent",
        Reason::Quarantine => "accounts unreadable",
        Reason::HistoryBehind => "audit log behind",
        Reason::Fenced => "taken over",
        Reason::Stopped => "ended",
    };
    words.to_owned()
}
