//! A multisig beside its programs: what its own proposals say, and whether it is paused.
use ratatui::text::Line;
use solana_pubkey::Pubkey;
use upgrade_manager::state::{Action, GovernanceProposal, MultisigConfig, MultisigRules, role};

use super::{proposal::INDENT, tally};
use crate::{
    model::{
        Model,
        snapshot::Decision,
        timing::{Timing, status_meaning},
    },
    text::{clean, countdown, fit, span, utc},
    theme::Meaning,
    widgets::panel,
};

/// What an action is called where there is little room.
pub(super) fn short(action: &Action) -> &'static str {
    match action {
        Action::ConfigChange(_) => "new rules",
        Action::TransferAuthority(_) => "transfer",
        Action::Dissolve => "dissolve",
    }
}

/// The head of a proposal about a multisig.
pub(super) fn title(p: &GovernanceProposal) -> String {
    format!("Proposal {}: {}", p.terms.id, p.terms.action.name())
}

/// What stands out about the multisig of the selected program, behind a title: pause and guardian.
pub(super) fn standing(model: &Model) -> String {
    let state = model.ui.program.selected().and_then(|p| model.snapshot.program(p));
    let Some(multisig) = state.and_then(|s| model.snapshot.multisig(&s.multisig)) else {
        return String::new();
    };
    let left = model.chain_now().map_or(0, |now| multisig.paused_until.saturating_sub(now.unix));
    if left > 0 {
        return format!(": PAUSED for {} by the guardian", countdown(left));
    }
    match &multisig.guardian {
        Some(guardian) => format!(", guardian {}", model.name(guardian)),
        None => ", no guardian".to_owned(),
    }
}

/// Status, time and votes.
pub(super) fn standing_lines(
    model: &Model,
    p: &GovernanceProposal,
    width: usize,
) -> Vec<Line<'static>> {
    let time = model
        .snapshot
        .multisig_proposals(&p.terms.multisig)
        .into_iter()
        .find(|row| row.account.terms.id == p.terms.id)
        .map_or(Timing::Unknown, |row| model.timing_of(Decision::Multisig(row)));
    let text = match time {
        Timing::Ended => p.status.name().to_owned(),
        _ => format!("{}: {}", p.status.name(), time.phrase()),
    };
    let style = model.theme.style(status_meaning(p.status));
    let mut lines = vec![Line::styled(fit(&text, width), style)];
    lines.extend(tally::lines(model, p, width));
    lines
}

/// Everything that a vote agrees to.
pub(super) fn terms(
    model: &Model,
    address: Pubkey,
    p: &GovernanceProposal,
    width: usize,
) -> Vec<Line<'static>> {
    let (theme, t) = (model.theme, &p.terms);
    let mut lines = vec![];
    let mut fact = |label: &str, value: String| {
        lines.extend(panel::fact(theme, label, &clean(&value), Meaning::Text, INDENT, width));
    };
    fact("digest", hex::encode(p.digest));
    fact("proposal", address.to_string());
    fact("multisig", model.full_name(&t.multisig));
    fact("action", t.action.name().to_owned());
    let config = model.snapshot.multisig(&t.multisig);
    match &t.action {
        Action::ConfigChange(rules) => new_rules(model, config, rules, &mut fact),
        Action::TransferAuthority(transfer) => {
            fact("program", model.full_name(&transfer.program));
            fact("new authority", model.full_name(&transfer.new_authority));
        }
        Action::Dissolve => {}
    }
    fact("note", if t.note.is_empty() { "none".to_owned() } else { t.note.clone() });
    fact("proposer", model.full_name(&p.proposer));
    fact("proposed", utc(p.proposed_at));
    fact("expires", utc(t.expires_at));
    let time = |at: i64| if at == 0 { "not yet".to_owned() } else { utc(at) };
    fact("approved", time(p.approved_at));
    fact("eta", time(p.eta));
    fact("window end", time(p.window_end));
    fact("executed", time(p.executed_at));
    if let Some(config) = config {
        let stale = if config.config_epoch == t.config_epoch { "current" } else { "STALE" };
        fact("config epoch", format!("{} ({stale})", t.config_epoch));
    }
    lines
}

/// The rules to be; what differs from those in force is marked.
fn new_rules(
    model: &Model,
    config: Option<&MultisigConfig>,
    new: &MultisigRules,
    fact: &mut impl FnMut(&str, String),
) {
    let old = config.map_or_else(|| new.clone(), MultisigConfig::rules);
    let mut row = |label: &str, was: String, is: String| {
        fact(label, if was == is { is } else { format!("{is} (NEW, was {was})") });
    };
    let times = |r: &MultisigRules| {
        [
            ("threshold", r.threshold.to_string()),
            ("timelock", span(r.timelock)),
            ("floor", span(r.timelock_floor)),
            ("window", span(r.execution_window)),
            ("rollback", span(r.rollback_window)),
            ("open cap", r.open_cap.to_string()),
            ("nonce votes", r.allow_durable_nonce.to_string()),
        ]
    };
    for ((label, is), (_, was)) in times(new).into_iter().zip(times(&old)) {
        row(label, was, is);
    }
    let guardian = |r: &MultisigRules| r.guardian.map_or("none".into(), |k| model.full_name(&k));
    row("guardian", guardian(&old), guardian(new));
    row("treasury", model.full_name(&old.treasury), model.full_name(&new.treasury));
    let vault = |r: &MultisigRules| r.squads.map_or("none".into(), |s| s.multisig.to_string());
    row("squads", vault(&old), vault(new));
    for m in &new.members {
        let was = old.members.iter().find(|o| o.key == m.key);
        let who = format!("{} {}", model.full_name(&m.key), roles(m.roles));
        let mark = match was {
            None => " (NEW)".to_owned(),
            Some(o) if o.roles != m.roles => format!(" (NEW, was {})", roles(o.roles)),
            Some(_) => String::new(),
        };
        fact("member", format!("{who}{mark}"));
    }
    for o in old.members.iter().filter(|o| new.members.iter().all(|m| m.key != o.key)) {
        fact("REMOVED", model.full_name(&o.key));
    }
}

fn roles(bits: u8) -> String {
    let names = [(role::PROPOSE, "propose"), (role::VOTE, "vote"), (role::EXECUTE, "execute")];
    let held: Vec<_> = names.iter().filter(|(b, _)| bits & b != 0).map(|(_, n)| *n).collect();
    held.join("+")
}
