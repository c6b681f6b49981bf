//! Decodes an event: name, actor, subject and fields. The stored bytes stay the source; a later build
//! can decode them again.
mod governance;

use anchor_lang::{AnchorDeserialize, Discriminator, Event};
use serde_json::{Value, json};
use solana_pubkey::Pubkey;
use upgrade_manager::events::{
    AccountClosed, AccountMove, AccountsMoved, BufferAttested, BufferFrozen, BufferReclaimed,
    CancelRequested, ChunkAttested, ClosedKind, MigrationCompleted, MultisigCreated,
    ProgramRegistered, ProgramRolledBack, ProposalCreated, ProposalExpired, RollbackVoted,
    UpgradeExecuted, VoteCast, VoteRevoked,
};

use crate::account::describe::{counters, hash, key};

/// A decoded event.
#[derive(Clone, Debug, PartialEq)]
pub struct Described {
    /// Name of the event; `Unknown` for one that this build cannot decode.
    pub kind: &'static str,
    /// The signer, where the event names one.
    pub actor: Option<Pubkey>,
    /// The proposal it is about, else the program, buffer or multisig.
    pub subject: Option<Pubkey>,
    /// Its fields.
    pub detail: Value,
}

impl Described {
    fn new(kind: &'static str, actor: Option<Pubkey>, subject: Pubkey, detail: Value) -> Self {
        Self { kind, actor, subject: Some(subject), detail }
    }
}

fn read<E: Event + AnchorDeserialize + Discriminator>(payload: &[u8]) -> Option<E> {
    let body = payload.strip_prefix(E::DISCRIMINATOR)?;
    E::try_from_slice(body).ok()
}

/// Decodes `payload`; an unknown event gets its bytes as detail, so that it is not lost.
#[must_use]
pub fn describe(payload: &[u8]) -> Described {
    let known = setup(payload).or_else(|| voting(payload)).or_else(|| execution(payload));
    known.or_else(|| governance::describe(payload)).unwrap_or_else(|| Described {
        kind: "Unknown",
        actor: None,
        subject: None,
        detail: json!({ "bytes": hash(payload) }),
    })
}

/// Whether `payload` reports a closed account. `programSubscribe` never reports one.
#[must_use]
pub fn closes_an_account(payload: &[u8]) -> bool {
    read::<AccountClosed>(payload).is_some()
}

fn setup(payload: &[u8]) -> Option<Described> {
    if let Some(MultisigCreated { multisig, members, threshold, timelock }) = read(payload) {
        let members: Vec<Value> = members.iter().map(key).collect();
        let detail = json!({
            "multisig": key(&multisig), "members": members, "threshold": threshold,
            "timelock": timelock,
        });
        return Some(Described::new("MultisigCreated", None, multisig, detail));
    }
    if let Some(ProgramRegistered { program, multisig, previous_authority, version, elf_hash }) =
        read(payload)
    {
        let detail = json!({
            "program": key(&program), "multisig": key(&multisig),
            "previous_authority": key(&previous_authority), "version": version,
            "elf_hash": hash(&elf_hash),
        });
        let actor = Some(previous_authority);
        return Some(Described::new("ProgramRegistered", actor, program, detail));
    }
    if let Some(BufferFrozen { buffer, program, role, len, refund }) = read(payload) {
        let detail = json!({
            "buffer": key(&buffer), "program": key(&program), "role": role.name(), "len": len,
            "refund": key(&refund),
        });
        return Some(Described::new("BufferFrozen", Some(refund), buffer, detail));
    }
    if let Some(BufferAttested { buffer, program, role, sha256 }) = read(payload) {
        let detail = json!({
            "buffer": key(&buffer), "program": key(&program), "role": role.name(),
            "sha256": hash(&sha256),
        });
        return Some(Described::new("BufferAttested", None, buffer, detail));
    }
    if let Some(ChunkAttested { buffer, program, chunk, accumulator }) = read(payload) {
        let detail = json!({
            "buffer": key(&buffer), "program": key(&program), "chunk": chunk,
            "accumulator": hash(&accumulator),
        });
        return Some(Described::new("ChunkAttested", None, buffer, detail));
    }
    if let Some(BufferReclaimed { buffer, program, executor, treasury }) = read(payload) {
        let detail = json!({
            "buffer": key(&buffer), "program": key(&program), "executor": key(&executor),
            "treasury": key(&treasury),
        });
        return Some(Described::new("BufferReclaimed", Some(executor), buffer, detail));
    }
    if let Some(AccountClosed { kind, account, program, refund }) = read(payload) {
        let kind = match kind {
            ClosedKind::Buffer => "Buffer",
            ClosedKind::Proposal => "Proposal",
            ClosedKind::AccountVersion => "AccountVersion",
            ClosedKind::ProgramState => "ProgramState",
            ClosedKind::Multisig => "Multisig",
            ClosedKind::Governance => "Governance",
            ClosedKind::Backup => "Backup",
        };
        let detail = json!({
            "kind": kind, "account": key(&account), "program": key(&program),
            "refund": key(&refund),
        });
        return Some(Described::new("AccountClosed", None, account, detail));
    }
    None
}

fn voting(payload: &[u8]) -> Option<Described> {
    if let Some(e) = read::<ProposalCreated>(payload) {
        let ProposalCreated {
            proposal,
            program,
            id,
            proposer,
            digest,
            elf_hash,
            from_version,
            to_version,
            accounts,
        } = e;
        let detail = json!({
            "proposal": key(&proposal), "program": key(&program), "id": id,
            "proposer": key(&proposer), "digest": hash(&digest), "elf_hash": hash(&elf_hash),
            "from_version": from_version, "to_version": to_version, "accounts": accounts,
        });
        return Some(Described::new("ProposalCreated", Some(proposer), proposal, detail));
    }
    if let Some(VoteCast { proposal, program, member, choice, approvals, status, eta }) =
        read(payload)
    {
        let detail = json!({
            "proposal": key(&proposal), "program": key(&program), "member": key(&member),
            "choice": choice.name(), "approvals": approvals, "status": status.name(), "eta": eta,
        });
        return Some(Described::new("VoteCast", Some(member), proposal, detail));
    }
    if let Some(VoteRevoked { proposal, program, member, approvals, status }) = read(payload) {
        let detail = json!({
            "proposal": key(&proposal), "program": key(&program), "member": key(&member),
            "approvals": approvals, "status": status.name(),
        });
        return Some(Described::new("VoteRevoked", Some(member), proposal, detail));
    }
    if let Some(CancelRequested { proposal, program, member, status }) = read(payload) {
        let detail = json!({
            "proposal": key(&proposal), "program": key(&program), "member": key(&member),
            "status": status.name(),
        });
        return Some(Described::new("CancelRequested", Some(member), proposal, detail));
    }
    if let Some(ProposalExpired { proposal, program }) = read(payload) {
        let detail = json!({"proposal": key(&proposal), "program": key(&program)});
        return Some(Described::new("ProposalExpired", None, proposal, detail));
    }
    if let Some(RollbackVoted { proposal, program, member, give_up, votes, approved }) =
        read(payload)
    {
        let detail = json!({
            "proposal": key(&proposal), "program": key(&program), "member": key(&member),
            "give_up": give_up, "votes": votes, "approved": approved,
        });
        return Some(Described::new("RollbackVoted", Some(member), proposal, detail));
    }
    None
}

fn execution(payload: &[u8]) -> Option<Described> {
    if let Some(e) = read::<UpgradeExecuted>(payload) {
        let UpgradeExecuted { proposal, program, executor, elf_hash, previous_elf_hash, version } =
            e;
        let detail = json!({
            "proposal": key(&proposal), "program": key(&program), "executor": key(&executor),
            "elf_hash": hash(&elf_hash), "previous_elf_hash": hash(&previous_elf_hash),
            "version": version,
        });
        return Some(Described::new("UpgradeExecuted", Some(executor), proposal, detail));
    }
    if let Some(AccountsMoved { proposal, program, actor, status, accounts, counters: c }) =
        read(payload)
    {
        let accounts: Vec<Value> = accounts
            .iter()
            .map(|AccountMove { account, before, after }| {
                json!({"account": key(account), "before": hash(before), "after": hash(after)})
            })
            .collect();
        let detail = json!({
            "proposal": key(&proposal), "program": key(&program), "actor": key(&actor),
            "status": status.name(), "accounts": accounts, "counters": counters(&c),
        });
        return Some(Described::new("AccountsMoved", Some(actor), proposal, detail));
    }
    if let Some(MigrationCompleted { proposal, program, executor, counters: c, slot }) =
        read(payload)
    {
        let detail = json!({
            "proposal": key(&proposal), "program": key(&program), "executor": key(&executor),
            "counters": counters(&c), "slot": slot,
        });
        return Some(Described::new("MigrationCompleted", Some(executor), proposal, detail));
    }
    if let Some(ProgramRolledBack { proposal, program, executor, elf_hash, version, given_up }) =
        read(payload)
    {
        let detail = json!({
            "proposal": key(&proposal), "program": key(&program), "executor": key(&executor),
            "elf_hash": hash(&elf_hash), "version": version, "given_up": given_up,
        });
        return Some(Described::new("ProgramRolledBack", Some(executor), proposal, detail));
    }
    None
}
