//! The votes of one proposal: how many, by whom, and whose are missing.
use ratatui::text::{Line, Span};
use upgrade_manager::state::{Choice, MultisigConfig, Votable};

use crate::{
    model::Model,
    theme::Meaning,
    widgets::{meter, panel},
};

/// `Approvals 2/5 (3 needed)`.
pub(super) fn approvals(proposal: &impl Votable, multisig: Option<&MultisigConfig>) -> String {
    let n = proposal.ballot().count(Choice::Approve);
    match multisig {
        Some(multisig) => {
            format!("Approvals {n}/{} ({} needed)", multisig.voters(), multisig.threshold)
        }
        None => format!("Approvals {n} (multisig not mirrored yet)"),
    }
}

/// All votes, by kind.
pub(super) fn lines(model: &Model, proposal: &impl Votable, width: usize) -> Vec<Line<'static>> {
    let theme = model.theme;
    let multisig = model.snapshot.multisig(&proposal.multisig());
    let n = u64::try_from(proposal.ballot().count(Choice::Approve)).unwrap_or(0);
    let needed = multisig.map_or(0, |t| u64::from(t.threshold));
    let meaning = if needed > 0 && n >= needed { Meaning::Ok } else { Meaning::Pending };
    let mut head = vec![
        Span::styled(approvals(proposal, multisig), theme.style(Meaning::Title)),
        Span::raw(" "),
    ];
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
    if let Some(multisig) = multisig.filter(|_| proposal.voting_state().status.is_voting()) {
        row("missing", names(&proposal.ballot().missing(multisig)), Meaning::Text);
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
