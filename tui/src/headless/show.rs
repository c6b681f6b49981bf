//! Accounts as JSON. Statuses are spelled as on chain; addresses are base58, hashes hex, times seconds since 1970.
use indexer::can_be_executed;
use serde_json::{Value, json};
use solana_pubkey::Pubkey;
use upgrade_manager::state::{
    Choice, Counters, GovernanceProposal, MultisigConfig, ProgramUpgradeState, UpgradeProposal,
    Votable,
};

use crate::model::{snapshot::Snapshot, timing::ChainNow};

fn keys(keys: &[Pubkey]) -> Vec<String> {
    keys.iter().map(ToString::to_string).collect()
}

pub fn counters(c: &Counters) -> Value {
    json!({
        "total": c.total,
        "on_new_layout": c.on_new_layout(),
        "migrated": c.migrated,
        "verified": c.verified,
        "restored": c.restored,
        "quarantined": c.quarantined,
        "closed": c.closed,
    })
}

pub fn program(s: &ProgramUpgradeState) -> Value {
    json!({
        "program": s.program.to_string(),
        "program_data": s.program_data.to_string(),
        "multisig": s.multisig.to_string(),
        "version": s.version,
        "elf_hash": hex::encode(s.elf_hash),
        "previous_version": s.previous_version,
        "phase": s.phase.name(),
        "live_proposal": s.live_proposal.map(|k| k.to_string()),
        "last_executed": s.last_executed.map(|k| k.to_string()),
        "counters": counters(&s.counters),
    })
}

pub fn multisig(address: &Pubkey, t: &MultisigConfig, now: ChainNow) -> Value {
    let mut value = indexer::account::describe::rules(&t.rules());
    let more = json!({
        "multisig": address.to_string(),
        "config_epoch": t.config_epoch,
        "programs": t.programs,
        "open_proposals": t.open_proposals,
        "paused": now.unix < t.paused_until,
        "paused_until": t.paused_until,
        "unpause_votes": t.unpause_votes.count_ones(),
        "critical": t.critical,
        "dissolved": t.dissolved,
    });
    if let (Some(all), Value::Object(more)) = (value.as_object_mut(), more) {
        all.extend(more);
    }
    value
}

/// A proposal about a multisig's rules, its end, or a program's handover.
pub fn multisig_proposal(
    snapshot: &Snapshot,
    address: &Pubkey,
    p: &GovernanceProposal,
    now: ChainNow,
) -> Value {
    let multisig = snapshot.multisig(&p.terms.multisig);
    let ready = multisig.is_some_and(|t| can_be_executed(p, t, now.unix, now.slot));
    json!({
        "proposal": address.to_string(),
        "id": p.terms.id,
        "multisig": p.terms.multisig.to_string(),
        "kind": p.terms.action.name(),
        "program": p.terms.action.program().map(|k| k.to_string()),
        "terms": indexer::account::describe::governance_proposal(p).get("terms"),
        "status": p.status.name(),
        "ready": ready,
        "approvals": p.ballot.count(Choice::Approve),
        "rejections": p.ballot.count(Choice::Reject),
        "threshold": multisig.map(|t| t.threshold),
        "voters": multisig.map(|t| t.voters()),
        "approved_by": keys(&voters(p, Choice::Approve)),
        "rejected_by": keys(&voters(p, Choice::Reject)),
        "missing": multisig.map(|t| keys(&p.ballot.missing(t))),
        "cancel_votes": keys(&p.ballot.cancel),
        "proposer": p.proposer.to_string(),
        "digest": hex::encode(p.digest),
        "proposed_at": p.proposed_at,
        "expires_at": p.terms.expires_at,
        "approved_at": p.approved_at,
        "eta": p.eta,
        "window_end": p.window_end,
        "executed_at": p.executed_at,
    })
}

/// Members who voted `choice`.
pub fn voters(p: &impl Votable, choice: Choice) -> Vec<Pubkey> {
    p.ballot().votes.iter().filter(|v| v.choice == choice).map(|v| v.member).collect()
}

/// Whether the proposal could be executed at `now`.
pub fn ready(snapshot: &Snapshot, p: &UpgradeProposal, now: ChainNow) -> bool {
    snapshot.multisig_of(p).is_some_and(|t| can_be_executed(p, t, now.unix, now.slot))
}

/// A proposal to upgrade a program.
pub fn proposal(
    snapshot: &Snapshot,
    address: &Pubkey,
    p: &UpgradeProposal,
    now: ChainNow,
) -> Value {
    let multisig = snapshot.multisig_of(p);
    let t = &p.terms;
    json!({
        "proposal": address.to_string(),
        "id": t.id,
        "program": t.program.to_string(),
        "multisig": t.multisig.to_string(),
        "status": p.status.name(),
        "ready": ready(snapshot, p, now),
        "approvals": p.ballot.count(Choice::Approve),
        "rejections": p.ballot.count(Choice::Reject),
        "threshold": multisig.map(|t| t.threshold),
        "voters": multisig.map(|t| t.voters()),
        "approved_by": keys(&voters(p, Choice::Approve)),
        "rejected_by": keys(&voters(p, Choice::Reject)),
        "missing": multisig.map(|t| keys(&p.ballot.missing(t))),
        "cancel_votes": keys(&p.ballot.cancel),
        "rollback_votes": p.ballot.rollback.len(),
        "proposer": p.proposer.to_string(),
        "digest": hex::encode(p.digest),
        "from_version": t.from_version,
        "to_version": t.to_version,
        "buffer": t.upgrade.buffer.to_string(),
        "elf_hash": hex::encode(t.upgrade.sha256),
        "rollback_buffer": t.rollback.buffer.to_string(),
        "rollback_elf_hash": hex::encode(t.rollback.sha256),
        "spill": t.spill.to_string(),
        "manifest_root": hex::encode(t.manifest.root),
        "manifest_count": t.manifest.count,
        "proposed_at": p.proposed_at,
        "expires_at": t.expires_at,
        "approved_at": p.approved_at,
        "eta": p.eta,
        "window_end": p.window_end,
        "executed_at": p.executed_at,
        "rollback_until": p.rollback_until,
    })
}
