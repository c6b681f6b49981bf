//! Proposals about multisigs, and backups, as JSON.
use serde_json::{Value, json};
use upgrade_manager::state::{
    Action, GovernanceProposal, GovernanceTerms, MemberArgs, MultisigRules, Transfer,
};

use super::{ballot, hash, key, maybe, squads_vault};
use crate::account::BackupHead;

/// Every field of a proposal about a multisig.
#[must_use]
pub fn proposal(a: &GovernanceProposal) -> Value {
    let GovernanceProposal {
        layout,
        bump,
        status,
        proposer,
        payer,
        proposed_at,
        digest,
        terms: t,
        ballot: b,
        approved_at,
        approved_slot,
        eta,
        window_end,
        executed_at,
        executed_slot,
        reserved,
    } = a;
    json!({
        "layout": layout, "bump": bump, "status": status.name(), "proposer": key(proposer),
        "payer": key(payer), "proposed_at": proposed_at, "digest": hash(digest),
        "terms": terms(t), "ballot": ballot(b), "approved_at": approved_at,
        "approved_slot": approved_slot, "eta": eta, "window_end": window_end,
        "executed_at": executed_at, "executed_slot": executed_slot, "reserved": hash(reserved),
    })
}

fn terms(t: &GovernanceTerms) -> Value {
    let GovernanceTerms { id, genesis_hash, multisig, config_epoch, expires_at, note, action: a } =
        t;
    json!({
        "id": id, "genesis_hash": hash(genesis_hash), "multisig": key(multisig),
        "config_epoch": config_epoch, "expires_at": expires_at, "note": note,
        "action": action(a),
    })
}

fn action(a: &Action) -> Value {
    match a {
        Action::ConfigChange(new) => json!({"kind": a.name(), "rules": rules(new)}),
        Action::TransferAuthority(Transfer { program, program_data, new_authority }) => json!({
            "kind": a.name(), "program": key(program), "program_data": key(program_data),
            "new_authority": key(new_authority),
        }),
        Action::Dissolve => json!({"kind": a.name()}),
    }
}

/// Every rule of a multisig.
#[must_use]
pub fn rules(r: &MultisigRules) -> Value {
    let MultisigRules {
        threshold,
        open_cap,
        allow_durable_nonce,
        timelock_floor,
        timelock,
        execution_window,
        rollback_window,
        treasury,
        guardian,
        squads,
        members,
    } = r;
    let members: Vec<Value> = members
        .iter()
        .map(|MemberArgs { key: k, roles }| json!({"key": key(k), "roles": roles}))
        .collect();
    json!({
        "threshold": threshold, "open_cap": open_cap, "allow_durable_nonce": allow_durable_nonce,
        "timelock_floor": timelock_floor, "timelock": timelock,
        "execution_window": execution_window, "rollback_window": rollback_window,
        "treasury": key(treasury), "guardian": maybe(guardian.as_ref()),
        "squads": squads.as_ref().map(squads_vault), "members": members,
    })
}

/// Every field of a backup, without the saved bytes.
#[must_use]
pub fn backup(a: &BackupHead) -> Value {
    let BackupHead { layout, bump, program, account, proposal, payer, sha256, len } = a;
    json!({
        "layout": layout, "bump": bump, "program": key(program), "account": key(account),
        "proposal": key(proposal), "payer": key(payer), "sha256": hash(sha256), "len": len,
    })
}
