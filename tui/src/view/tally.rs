//! The votes of one proposal: how many, who, and who is missing.
use ratatui::text::{Line, Span};
use upgrade_manager::state::{Choice, Course, MultisigConfig};

use crate::{
    model::Model,
    theme::Meaning,
    widgets::{meter, panel},
};

/// `Approvals 2/5 (3 needed)`.
pub(super) fn approvals(proposal: &impl Course, team: Option<&MultisigConfig>) -> String {
    let n = proposal.ballot().count(Choice::Approve);
    match team {
        Some(team) => format!("Approvals {n}/{} ({} needed)", team.voters(), team.threshold),
        None => format!("Approvals {n} (team not mirrored yet)"),
    }
}

/// The votes in lines.
pub(super) fn lines(model: &Model, proposal: &impl Course, width: usize) -> Vec<Line<'static>> {
    let theme = model.theme;
    let team = model.snapshot.multisig(&proposal.multisig());
    let n = u64::try_from(proposal.ballot().count(Choice::Approve)).unwrap_or(0);
    let needed = team.map_or(0, |t| u64::from(t.threshold));
    let meaning = if needed > 0 && n >= needed { Meaning::Ok } else { Meaning::Pending };
    let mut head =
        vec![Span::styled(approvals(proposal, team), theme.style(Meaning::Title)), Span::raw(" ")];
    head.extend(meter::bar(theme, n.min(needed), needed, 12, meaning));
    let mut lines = vec![Line::from(head)];
    let who = |choice| {
        let votes = proposal.ballot().votes.iter().filter(move |v| v.choice == choice);
        votes.map(|v| model.name(&v.member)).collect::<Vec<_>>().join(", ")
    };
    let mut row = |label: &str, people: String, meaning| {
        if !people.is_empty() {
            lines.extend(panel::fact(theme, label, &people, meaning, 12, width));
        }
    };
    row("approved by", who(Choice::Approve), Meaning::Ok);
    row("rejected by", who(Choice::Reject), Meaning::Danger);
    let names = |keys: &[solana_pubkey::Pubkey]| {
        keys.iter().map(|k| model.name(k)).collect::<Vec<_>>().join(", ")
    };
    if let Some(team) = team.filter(|_| proposal.stage().status.is_voting()) {
        row("missing", names(&proposal.ballot().missing(team)), Meaning::Text);
    }
    row("cancel by", names(&proposal.ballot().cancel), Meaning::Warn);
    let rollback: Vec<_> = proposal.ballot().rollback.iter().map(|v| v.member).collect();
    if !rollback.is_empty() {
        let give_up = proposal.ballot().rollback.iter().filter(|v| v.give_up).count();
        let extra =
            if give_up > 0 { format!(", {give_up} giving up accounts") } else { String::new() };
        let text = format!("{}/{needed} votes{extra}: {}", rollback.len(), names(&rollback));
        row("rollback", text, Meaning::Warn);
    }
    lines
}
