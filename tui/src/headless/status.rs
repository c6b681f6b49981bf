//! `status`: brings the mirror up to date and prints programs, multisigs, proposals and their progress.
use anyhow::Result;
use serde_json::json;
use solana_pubkey::Pubkey;
use upgrade_manager::state::{Choice, MultisigConfig, UpgradeProposal, Votable};

use super::{
    current::{CurrentState, read_current},
    print, print_json, show,
};
use crate::{
    model::timing::{ChainNow, multisig_timing, timing},
    session::Session,
    text::utc,
};

pub(super) async fn run(session: &Session, json: bool) -> Result<u8> {
    let backend = session.backend(None).await?;
    let CurrentState { snapshot, history } = read_current(session).await?;
    let time = backend.chain().chain_time().await.map_err(|e| session.clean(&e))?;
    let now = ChainNow { unix: time.unix, slot: time.slot };
    let genesis = backend.chain().genesis_hash();
    let cluster = session.cluster(Some(genesis));
    let live = snapshot.view.proposals.iter().filter(|r| r.closed_slot.is_none());
    let multisigs = snapshot.view.multisigs.iter().filter(|r| r.closed_slot.is_none());
    let changes = snapshot.view.governance.iter().filter(|r| r.closed_slot.is_none());
    if json {
        print_json(&json!({
            "audit_complete": history.is_none(),
            "audit_error": history,
            "cluster": cluster.name,
            "node": cluster.node,
            "genesis_hash": solana_pubkey::Pubkey::new_from_array(genesis).to_string(),
            "slot": now.slot,
            "chain_time": now.unix,
            "programs": snapshot.programs().iter().map(|r| show::program(&r.account)).collect::<Vec<_>>(),
            "multisigs": multisigs.map(|r| show::multisig(&r.pubkey, &r.account, now)).collect::<Vec<_>>(),
            "multisig_proposals": changes.map(|r| show::multisig_proposal(&snapshot, &r.pubkey, &r.account, now)).collect::<Vec<_>>(),
            "proposals": live.map(|r| show::proposal(&snapshot, &r.pubkey, &r.account, now)).collect::<Vec<_>>(),
        }))?;
        return Ok(0);
    }
    print(&format!("{} {}, slot {}, {}", cluster.name, cluster.node, now.slot, utc(now.unix)))?;
    if snapshot.programs().is_empty() {
        print("No program is registered with the manager on this chain.")?;
    }
    for row in snapshot.programs() {
        let s = &row.account;
        let c = &s.counters;
        print(&format!("\nprogram {} v{} {}", s.program, s.version, s.phase.name()))?;
        print(&format!(
            "  accounts: {}/{} migrated, {}/{} verified, {} restored, {} quarantined, {} closed",
            c.on_new_layout(),
            c.total,
            c.verified,
            c.total,
            c.restored,
            c.quarantined,
            c.closed
        ))?;
        // Closed proposals are left out; `audit list` has their history.
        let open = snapshot.proposals(&s.program).into_iter().filter(|r| r.closed_slot.is_none());
        for row in open {
            let p = &row.account;
            let multisig = snapshot.multisig_of(p);
            let phrase = timing(p, multisig, Some(s), Some(now)).phrase();
            print(&format!(
                "  proposal {} {} v{} -> v{} {}, {phrase}",
                p.terms.id,
                row.pubkey,
                p.terms.from_version,
                p.terms.to_version,
                p.status.name()
            ))?;
            if let Some(multisig) = multisig {
                print_indented(&vote_lines(p, multisig))?;
                print_indented(&rollback_vote_lines(p, multisig))?;
            }
        }
    }
    for row in multisigs {
        print(&format!("\nmultisig {}{}", row.pubkey, multisig_summary(&row.account, now)))?;
        let open = snapshot.multisig_proposals(&row.pubkey).into_iter();
        for row in open.filter(|r| r.closed_slot.is_none()) {
            let (p, multisig) = (&row.account, snapshot.multisig(&row.account.terms.multisig));
            let phrase = multisig_timing(p, multisig, Some(now)).phrase();
            let (id, what) = (p.terms.id, p.terms.action.name());
            let status = p.status.name();
            print(&format!("  proposal {id} {} {what} {status}, {phrase}", row.pubkey))?;
            if let Some(multisig) = multisig {
                print_indented(&vote_lines(p, multisig))?;
            }
        }
    }
    Ok(0)
}

/// Threshold, guardian, pause and end of a multisig in one line.
fn multisig_summary(multisig: &MultisigConfig, now: ChainNow) -> String {
    let mut text = format!(" {} of {}", multisig.threshold, multisig.voters());
    if let Some(guardian) = multisig.guardian {
        text.push_str(&format!(", guardian {guardian}"));
    }
    if now.unix < multisig.paused_until {
        let votes = multisig.unpause_votes.count_ones();
        let until = utc(multisig.paused_until);
        text.push_str(&format!(
            ", PAUSED until {until}, {votes} of {} votes to lift the pause",
            multisig.threshold
        ));
    }
    if multisig.dissolved {
        text.push_str(", ended");
    }
    text
}

/// The votes to roll back, one line each; empty without any.
fn rollback_vote_lines(p: &UpgradeProposal, multisig: &MultisigConfig) -> Vec<String> {
    let votes = &p.ballot.rollback;
    if votes.is_empty() {
        return vec![];
    }
    let head = format!("Votes to roll back {} ({} needed)", votes.len(), multisig.threshold);
    let each = votes.iter().map(|vote| format!("roll back by {}", vote.member));
    std::iter::once(head).chain(each).collect()
}

/// The votes of every other kind, and the members whose vote is missing.
fn vote_lines(p: &impl Votable, multisig: &MultisigConfig) -> Vec<String> {
    let ballot = p.ballot();
    let approvals = ballot.count(Choice::Approve);
    let mut lines = vec![format!(
        "Approvals {approvals}/{} ({} needed)",
        multisig.voters(),
        multisig.threshold
    )];
    let by = |what: &str, keys: &[Pubkey]| -> Vec<String> {
        keys.iter().map(|key| format!("{what} {key}")).collect()
    };
    lines.extend(by("approved by", &show::voters(p, Choice::Approve)));
    lines.extend(by("rejected by", &show::voters(p, Choice::Reject)));
    if !ballot.cancel.is_empty() {
        let count = ballot.cancel.len();
        lines.push(format!("Votes to cancel {count} ({} needed)", multisig.threshold));
        lines.extend(by("cancel by  ", &ballot.cancel));
    }
    if p.voting_state().status.is_voting() {
        lines.extend(by("missing    ", &ballot.missing(multisig)));
    }
    lines
}

fn print_indented(lines: &[String]) -> Result<()> {
    lines.iter().try_for_each(|line| print(&format!("    {line}")))
}

#[cfg(test)]
mod tests {
    use upgrade_manager::state::RollbackVote;

    use super::*;
    use crate::fixtures;

    #[test]
    fn votes_to_cancel_and_to_roll_back_are_listed_too() {
        let mut f = fixtures::active(1);
        let member = f.multisig.members[1].key;
        f.proposal.ballot.cancel.push(member);
        let text = vote_lines(&f.proposal, &f.multisig).join("\n");
        assert!(text.contains("Votes to cancel 1 (3 needed)"), "{text}");
        assert!(text.contains(&format!("cancel by   {member}")), "{text}");
        assert!(rollback_vote_lines(&f.proposal, &f.multisig).is_empty());
        f.proposal.ballot.rollback.push(RollbackVote { member, give_up: false });
        let text = rollback_vote_lines(&f.proposal, &f.multisig).join("\n");
        assert!(text.contains("Votes to roll back 1 (3 needed)"), "{text}");
        assert!(text.contains(&member.to_string()), "{text}");
    }

    #[test]
    fn a_pause_says_how_many_votes_would_lift_it() {
        let mut multisig = fixtures::active(1).multisig;
        let now = ChainNow { unix: 10, slot: 1 };
        assert!(!multisig_summary(&multisig, now).contains("PAUSED"));
        (multisig.paused_until, multisig.unpause_votes) = (11, 0b101);
        assert!(multisig_summary(&multisig, now).ends_with("2 of 3 votes to lift the pause"));
    }
}
