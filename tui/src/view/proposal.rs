//! One proposal in full. Nothing is shortened, because people compare these values with those from other sources.
use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    text::Line,
};
use upgrade_manager::state::{PinnedElf, UpgradeProposal};

use super::{dialog, multisig, programs::status_line, tally};
use crate::{
    model::{
        Model,
        snapshot::Decision,
        ui::{Drawn, Screen},
    },
    strings as s,
    text::{age, clean, grouped, span, utc},
    theme::Meaning,
    widgets::panel,
};

/// Makes the lines of a part of the screen, for a width.
type Lines<'a> = dyn Fn(usize) -> Vec<Line<'static>> + 'a;

/// Width of the column of labels.
pub(super) const INDENT: usize = 14;

pub(super) fn draw(model: &Model, frame: &mut Frame, area: Rect) -> Drawn {
    let theme = model.theme;
    let row = model.ui.proposal.selected().and_then(|id| model.snapshot.decision(id));
    let Some(decision) = row else {
        let block = panel::block(theme, "Proposal".to_owned(), true);
        let inner = block.inner(area);
        frame.render_widget(block, area);
        panel::text(
            frame,
            inner,
            vec![Line::styled(s::NO_PROPOSAL, theme.style(Meaning::Muted))],
            0,
        );
        return Drawn::default();
    };
    let (title, terms, status): (_, &Lines<'_>, &Lines<'_>) = match decision {
        Decision::Upgrade(row) => (
            format!("Proposal {} of {}", decision.id(), model.name(&row.account.terms.program)),
            &|width| terms(model, row.pubkey, &row.account, width),
            &|width| status(model, &row.account, width),
        ),
        Decision::Multisig(row) => (
            multisig::title(&row.account),
            &|width| multisig::terms(model, row.pubkey, &row.account, width),
            &|width| {
                let mut lines = multisig::status_lines(model, &row.account, width);
                lines.push(Line::default());
                lines
            },
        ),
    };
    let block = panel::block(theme, title, true);
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let scroll = model.ui.scroll.get(&Screen::Proposal).copied().unwrap_or(0);
    let page = inner.height;
    let proposal = Some(decision.address()).filter(|_| page > 0);
    if inner.width < 130 {
        let width = usize::from(inner.width);
        let mut lines = status(width);
        lines.extend(checks(model, width));
        lines.extend(terms(width));
        let overflow = panel::text(frame, inner, lines, scroll);
        return Drawn { overflow, page, proposal, ..Drawn::default() };
    }
    let [left, _, right] =
        Layout::horizontal([Constraint::Length(86), Constraint::Length(2), Constraint::Min(40)])
            .areas(inner);
    let lines = terms(usize::from(left.width));
    let first = panel::text(frame, left, lines, scroll);
    let width = usize::from(right.width);
    let mut lines = status(width);
    lines.extend(checks(model, width));
    let second = panel::text(frame, right, lines, scroll);
    Drawn { overflow: first.max(second), page, proposal, ..Drawn::default() }
}

fn status(model: &Model, p: &UpgradeProposal, width: usize) -> Vec<Line<'static>> {
    let mut lines = vec![status_line(model, p, width)];
    lines.extend(tally::lines(model, p, width));
    lines.push(Line::default());
    lines
}

fn checks(model: &Model, width: usize) -> Vec<Line<'static>> {
    let theme = model.theme;
    let id = model.ui.proposal.selected();
    let checked = model.checked.as_ref().filter(|c| Some(&c.proposal) == id);
    let Some(checked) = checked else { return vec![] };
    let mut lines = vec![];
    match &checked.result {
        None => {
            lines.push(panel::heading(theme, "Preflight"));
            lines.push(Line::styled("Reading the chain..", theme.style(Meaning::Pending)));
        }
        Some(Err(error)) => {
            let old = age(model.now.saturating_duration_since(checked.at));
            lines.push(panel::heading(theme, &format!("Preflight, {old} ago (p runs it again)")));
            lines.extend(panel::marked(theme, Meaning::Danger, "error", &clean(error), width));
        }
        Some(Ok(shown)) => {
            let old = age(model.now.saturating_duration_since(checked.at));
            let title = format!("Preflight: {}, {old} ago (p runs it again)", shown.step.label());
            lines.push(panel::heading(theme, &title));
            lines.extend(dialog::checks(theme, shown, width));
        }
    }
    lines.push(Line::default());
    lines
}

fn terms(
    model: &Model,
    address: solana_pubkey::Pubkey,
    p: &UpgradeProposal,
    width: usize,
) -> Vec<Line<'static>> {
    let theme = model.theme;
    let t = &p.terms;
    let mut lines = vec![];
    let mut fact = |label: &str, value: String| {
        lines.extend(panel::fact(theme, label, &clean(&value), Meaning::Text, INDENT, width));
    };
    fact("digest", hex::encode(p.digest));
    fact("proposal", address.to_string());
    fact("program", model.full_name(&t.program));
    fact("program data", t.program_data.to_string());
    fact("version", format!("{} {} {}", t.from_version, theme.arrow(), t.to_version));
    elf_facts(model, &mut fact, ["buffer", "elf hash", "elf size"], &t.upgrade);
    let rollback = ["rollback", "rollback hash", "rollback size"];
    elf_facts(model, &mut fact, rollback, &t.rollback);
    fact("spill", t.spill.to_string());
    fact("manifest", format!("{} accounts", grouped(u64::from(t.manifest.count))));
    fact("manifest root", hex::encode(t.manifest.root));
    for rule in &t.type_rules {
        let range = |r: upgrade_manager::state::LenRange| {
            if r.min == r.max { r.min.to_string() } else { format!("{}..{}", r.min, r.max) }
        };
        fact(
            "type rule",
            format!(
                "{}: {} {} {} bytes, version at byte {} ({} bytes)",
                hex::encode(rule.discriminator),
                range(rule.old_len),
                theme.arrow(),
                range(rule.new_len),
                rule.version_offset,
                rule.version_width
            ),
        );
    }
    for (label, text) in
        [("source", &t.source.link), ("commit", &t.source.commit), ("image", &t.source.image)]
    {
        fact(label, if text.is_empty() { "not given".to_owned() } else { text.clone() });
    }
    fact("proposer", model.full_name(&p.proposer));
    fact("proposed", utc(p.proposed_at));
    fact("expires", utc(t.expires_at));
    let time = |at: i64| if at == 0 { "not yet".to_owned() } else { utc(at) };
    fact("approved", time(p.approved_at));
    fact("eta", time(p.eta));
    fact("window end", time(p.window_end));
    fact("executed", time(p.executed_at));
    fact("rollback end", time(p.rollback_until));
    fact("multisig", model.full_name(&t.multisig));
    if let Some(multisig) = model.snapshot.multisig_of(p) {
        let policy = format!(
            "{} of {}, timelock {}, execution window {}, rollback window {}",
            multisig.threshold,
            multisig.voters(),
            span(multisig.timelock),
            span(multisig.execution_window),
            span(multisig.rollback_window)
        );
        fact("policy", policy);
        let stale = if multisig.config_epoch == t.config_epoch { "current" } else { "STALE" };
        fact("config epoch", format!("{} ({stale})", t.config_epoch));
    }
    lines
}

fn elf_facts(
    model: &Model,
    fact: &mut impl FnMut(&str, String),
    [buffer, hash, bytes]: [&str; 3],
    elf: &PinnedElf,
) {
    fact(buffer, elf.buffer.to_string());
    fact(hash, hex::encode(elf.sha256));
    let attested = match model.snapshot.attestation(&elf.buffer) {
        Some(row) if row.account.attested && row.account.sha256 == elf.sha256 => {
            format!(
                "attested on chain as {} in slot {}",
                row.account.role.name(),
                grouped(row.account.attested_slot)
            )
        }
        Some(_) => "NOT attested with this hash".to_owned(),
        None => "attestation not mirrored".to_owned(),
    };
    let size = grouped(u64::from(elf.trimmed_len));
    fact(bytes, format!("{size} bytes, {attested}"));
}
