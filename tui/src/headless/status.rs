//! `status`: programs, proposals and progress, from a mirror that was just brought up to date.
use anyhow::Result;
use serde_json::json;
use upgrade_manager::state::{Choice, Course, MultisigConfig};

use super::{fresh, fresh::Fresh, print, print_json, show};
use crate::{
    model::timing::{ChainNow, multisig_timing, timing},
    session::Session,
    text::utc,
};

pub(super) async fn run(session: &Session, json: bool) -> Result<u8> {
    let backend = session.backend(None).await?;
    let Fresh { snapshot, history } = fresh(session).await?;
    let time = backend.gateway().chain_time().await.map_err(|e| session.clean(&e))?;
    let now = ChainNow { unix: time.unix, slot: time.slot };
    let genesis = backend.gateway().genesis_hash();
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
        // Closed ones are history: `audit` tells it.
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
                votes(p, multisig)?;
            }
        }
    }
    for row in multisigs {
        print(&format!("\nmultisig {}{}", row.pubkey, standing(&row.account, now)))?;
        let open = snapshot.multisig_proposals(&row.pubkey).into_iter();
        for row in open.filter(|r| r.closed_slot.is_none()) {
            let (p, multisig) = (&row.account, snapshot.multisig(&row.account.terms.multisig));
            let phrase = multisig_timing(p, multisig, Some(now)).phrase();
            let (id, what) = (p.terms.id, p.terms.action.name());
            let status = p.status.name();
            print(&format!("  proposal {id} {} {what} {status}, {phrase}", row.pubkey))?;
            if let Some(multisig) = multisig {
                votes(p, multisig)?;
            }
        }
    }
    Ok(0)
}

/// What stands out about a multisig.
fn standing(multisig: &MultisigConfig, now: ChainNow) -> String {
    let mut text = format!(" {} of {}", multisig.threshold, multisig.voters());
    if let Some(guardian) = multisig.guardian {
        text.push_str(&format!(", guardian {guardian}"));
    }
    if now.unix < multisig.paused_until {
        text.push_str(&format!(", PAUSED until {}", utc(multisig.paused_until)));
    }
    if multisig.dissolved {
        text.push_str(", ended");
    }
    text
}

/// Who voted, and who has not.
fn votes(p: &impl Course, multisig: &MultisigConfig) -> Result<()> {
    let n = p.ballot().count(Choice::Approve);
    print(&format!("    Approvals {n}/{} ({} needed)", multisig.voters(), multisig.threshold))?;
    for key in show::voters(p, Choice::Approve) {
        print(&format!("    approved by {key}"))?;
    }
    for key in p.ballot().missing(multisig).iter().filter(|_| p.stage().status.is_voting()) {
        print(&format!("    missing     {key}"))?;
    }
    Ok(())
}
