//! Accounts as JSON, for headless output and field-by-field comparison. Every struct is destructured
//! without `..`, so that a new field in the program fails to compile here.
use serde_json::{Value, json};
use solana_pubkey::Pubkey;
use upgrade_manager::state::{
    AccountVersion, Ballot, BufferAttestation, Counters, LenRange, Manifest, Member,
    MultisigConfig, PinnedElf, ProgramUpgradeState, RollbackVote, Source, SquadsVault, Terms,
    TypeRule, UpgradeProposal, Vote,
};

use crate::account::ManagerAccount;

mod governance;

pub use governance::{backup, proposal as governance_proposal, rules};

/// `key` in base58.
#[must_use]
pub fn key(key: &Pubkey) -> Value {
    Value::String(key.to_string())
}

/// `key` in base58, or null.
#[must_use]
pub fn maybe(value: Option<&Pubkey>) -> Value {
    value.map_or(Value::Null, key)
}

/// `bytes` in hexadecimal.
#[must_use]
pub fn hash(bytes: &[u8]) -> Value {
    Value::String(hex::encode(bytes))
}

/// Every field of `account`.
#[must_use]
pub fn account(account: &ManagerAccount) -> Value {
    match account {
        ManagerAccount::Multisig(a) => multisig(a),
        ManagerAccount::Program(a) => program(a),
        ManagerAccount::Proposal(a) => proposal(a),
        ManagerAccount::Attestation(a) => attestation(a),
        ManagerAccount::AccountVersion(a) => account_version(a),
        ManagerAccount::Governance(a) => governance::proposal(a),
        ManagerAccount::Backup(a) => governance::backup(a),
    }
}

/// Every field of a multisig.
#[must_use]
pub fn multisig(a: &MultisigConfig) -> Value {
    let MultisigConfig {
        layout,
        bump,
        create_key,
        config_epoch,
        threshold,
        open_cap,
        allow_durable_nonce,
        timelock_floor,
        timelock,
        execution_window,
        rollback_window,
        treasury,
        next_proposal,
        members,
        payer,
        guardian,
        squads,
        paused_until,
        pause_again,
        unpause_votes,
        programs,
        open_proposals,
        critical,
        dissolved,
        reserved,
    } = a;
    let members: Vec<Value> = members
        .iter()
        .map(|Member { key: k, roles, open }| json!({"key": key(k), "roles": roles, "open": open}))
        .collect();
    json!({
        "layout": layout, "bump": bump, "create_key": key(create_key),
        "config_epoch": config_epoch, "threshold": threshold, "open_cap": open_cap,
        "allow_durable_nonce": allow_durable_nonce, "timelock_floor": timelock_floor,
        "timelock": timelock, "execution_window": execution_window,
        "rollback_window": rollback_window, "treasury": key(treasury),
        "next_proposal": next_proposal, "members": members, "payer": key(payer),
        "guardian": maybe(guardian.as_ref()), "squads": squads.as_ref().map(squads_vault),
        "paused_until": paused_until, "pause_again": pause_again, "unpause_votes": unpause_votes,
        "programs": programs, "open_proposals": open_proposals, "critical": critical,
        "dissolved": dissolved, "reserved": hash(reserved),
    })
}

fn squads_vault(v: &SquadsVault) -> Value {
    let SquadsVault { multisig, vault_index, min_threshold, min_voters } = v;
    json!({
        "multisig": key(multisig), "vault_index": vault_index, "min_threshold": min_threshold,
        "min_voters": min_voters,
    })
}

/// Every field of a program's state.
#[must_use]
pub fn program(a: &ProgramUpgradeState) -> Value {
    let ProgramUpgradeState {
        layout,
        bump,
        authority_bump,
        migrator_bump,
        multisig,
        program,
        program_data,
        version,
        elf_hash,
        previous_version,
        previous_elf_hash,
        phase,
        live_proposal,
        roll_forward,
        last_executed,
        executed_slot,
        executed_at,
        counters: c,
        payer,
        reserved,
    } = a;
    json!({
        "layout": layout, "bump": bump, "authority_bump": authority_bump,
        "migrator_bump": migrator_bump, "multisig": key(multisig), "program": key(program),
        "program_data": key(program_data), "version": version, "elf_hash": hash(elf_hash),
        "previous_version": previous_version, "previous_elf_hash": hash(previous_elf_hash),
        "phase": phase.name(), "live_proposal": maybe(live_proposal.as_ref()),
        "roll_forward": maybe(roll_forward.as_ref()),
        "last_executed": maybe(last_executed.as_ref()), "executed_slot": executed_slot,
        "executed_at": executed_at, "counters": counters(c), "payer": key(payer),
        "reserved": hash(reserved),
    })
}

/// Every counter of a migration.
#[must_use]
pub fn counters(c: &Counters) -> Value {
    let Counters { total, migrated, verified, restored, quarantined, closed } = c;
    json!({
        "total": total, "migrated": migrated, "verified": verified, "restored": restored,
        "quarantined": quarantined, "closed": closed,
    })
}

/// Every field of a proposal.
#[must_use]
pub fn proposal(a: &UpgradeProposal) -> Value {
    let UpgradeProposal {
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
        rollback_until,
        rollback_approved_at,
        reserved,
    } = a;
    json!({
        "layout": layout, "bump": bump, "status": status.name(), "proposer": key(proposer),
        "payer": key(payer), "proposed_at": proposed_at, "digest": hash(digest),
        "terms": terms(t), "ballot": ballot(b), "approved_at": approved_at,
        "approved_slot": approved_slot, "eta": eta, "window_end": window_end,
        "executed_at": executed_at, "executed_slot": executed_slot,
        "rollback_until": rollback_until, "rollback_approved_at": rollback_approved_at,
        "reserved": hash(reserved),
    })
}

fn terms(t: &Terms) -> Value {
    let Terms {
        kind,
        id,
        genesis_hash,
        multisig,
        config_epoch,
        program,
        program_data,
        upgrade,
        rollback,
        spill,
        from_version,
        oldest_version,
        to_version,
        type_rules,
        manifest: Manifest { root, count },
        expires_at,
        source: Source { link, commit, image },
    } = t;
    json!({
        "kind": kind.name(), "id": id, "genesis_hash": hash(genesis_hash),
        "multisig": key(multisig), "config_epoch": config_epoch, "program": key(program),
        "program_data": key(program_data), "upgrade": elf(upgrade), "rollback": elf(rollback),
        "spill": key(spill), "from_version": from_version, "oldest_version": oldest_version,
        "to_version": to_version,
        "type_rules": type_rules.iter().map(type_rule).collect::<Vec<_>>(),
        "manifest": {"root": hash(root), "count": count}, "expires_at": expires_at,
        "source": {"link": link, "commit": commit, "image": image},
    })
}

fn elf(e: &PinnedElf) -> Value {
    let PinnedElf { buffer, len, trimmed_len, sha256 } = e;
    json!({"buffer": key(buffer), "len": len, "trimmed_len": trimmed_len, "sha256": hash(sha256)})
}

fn type_rule(r: &TypeRule) -> Value {
    let TypeRule { discriminator, version_offset, version_width, old_len, new_len, flags } = r;
    let range = |LenRange { min, max }: &LenRange| json!({"min": min, "max": max});
    json!({
        "discriminator": hash(discriminator), "version_offset": version_offset,
        "version_width": version_width, "old_len": range(old_len), "new_len": range(new_len),
        "flags": flags,
    })
}

fn ballot(b: &Ballot) -> Value {
    let Ballot { votes, cancel, rollback } = b;
    let votes: Vec<Value> = votes
        .iter()
        .map(|Vote { member, choice, at }| {
            json!({"member": key(member), "choice": choice.name(), "at": at})
        })
        .collect();
    let rollback: Vec<Value> = rollback
        .iter()
        .map(|RollbackVote { member, give_up }| json!({"member": key(member), "give_up": give_up}))
        .collect();
    json!({
        "votes": votes, "cancel": cancel.iter().map(key).collect::<Vec<_>>(),
        "rollback": rollback,
    })
}

/// Every field of a frozen buffer.
#[must_use]
pub fn attestation(a: &BufferAttestation) -> Value {
    let BufferAttestation {
        layout,
        bump,
        buffer,
        program,
        role,
        len,
        trimmed_len,
        sha256,
        attested,
        attested_slot,
        proposal,
        refund,
        payer,
        chunks,
        accumulator,
        reserved,
    } = a;
    json!({
        "layout": layout, "bump": bump, "buffer": key(buffer), "program": key(program),
        "role": role.name(), "len": len, "trimmed_len": trimmed_len, "sha256": hash(sha256),
        "attested": attested, "attested_slot": attested_slot,
        "proposal": maybe(proposal.as_ref()), "refund": key(refund), "payer": key(payer),
        "chunks": chunks, "accumulator": hash(accumulator), "reserved": hash(reserved),
    })
}

/// Every field of a version record.
#[must_use]
pub fn account_version(a: &AccountVersion) -> Value {
    let AccountVersion {
        layout,
        bump,
        program,
        account,
        status,
        version,
        previous_version,
        old_hash,
        new_hash,
        old_len,
        new_len,
        touched,
        proposal,
        slot,
        rent_paid,
        rent_payer,
        payer,
    } = a;
    json!({
        "layout": layout, "bump": bump, "program": key(program), "account": key(account),
        "status": status.name(), "version": version, "previous_version": previous_version,
        "old_hash": hash(old_hash), "new_hash": hash(new_hash), "old_len": old_len,
        "new_len": new_len, "touched": touched, "proposal": key(proposal), "slot": slot,
        "rent_paid": rent_paid, "rent_payer": key(rent_payer), "payer": key(payer),
    })
}

/// The leaves of `value` with their paths, for example `terms.upgrade.sha256`.
#[must_use]
pub fn leaves(value: &Value) -> Vec<(String, String)> {
    let mut out = vec![];
    walk(value, String::new(), &mut out);
    out
}

fn walk(value: &Value, path: String, out: &mut Vec<(String, String)>) {
    let join =
        |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    match value {
        Value::Object(fields) => fields.iter().for_each(|(k, v)| walk(v, join(k), out)),
        Value::Array(items) => {
            out.push((join("len"), items.len().to_string()));
            items.iter().enumerate().for_each(|(i, v)| walk(v, join(&i.to_string()), out));
        }
        Value::String(text) => out.push((path, text.clone())),
        other => out.push((path, other.to_string())),
    }
}
