//! Giving rent back once a proposal has ended.
use solana_instruction::Instruction;
use solana_pubkey::Pubkey;
use solana_sdk_ids::bpf_loader_upgradeable;
use upgrade_manager::{
    accounts, instruction, seeds,
    state::{AccountVersion, BufferAttestation, UpgradeProposal},
};

use super::{ProposalKeys, build, manager};

/// Closes a frozen buffer and its attestation. `closer` signs; before a proposal has pinned the
/// buffer, that must be the one who gets its rent.
#[must_use]
pub fn close_buffer(closer: &Pubkey, attestation: &BufferAttestation) -> Instruction {
    let accounts = accounts::CloseBuffer {
        closer: *closer,
        state: seeds::program_state(&attestation.program).0,
        buffer: attestation.buffer,
        attestation: seeds::attestation(&attestation.buffer).0,
        proposal: attestation.proposal,
        refund: attestation.refund,
        payer: attestation.payer,
        authority: seeds::authority(&attestation.program).0,
        loader: bpf_loader_upgradeable::ID,
        event_authority: seeds::event_authority(),
        program: manager(),
    };
    build(accounts, instruction::CloseBuffer {})
}

/// Closes an ended proposal whose buffers are closed. `closer` signs; anyone may.
#[must_use]
pub fn close_proposal(closer: &Pubkey, proposal: &UpgradeProposal) -> Instruction {
    let keys = ProposalKeys::from(proposal);
    let accounts = accounts::CloseProposal {
        closer: *closer,
        state: keys.state,
        proposal: keys.proposal,
        upgrade_attestation: seeds::attestation(&proposal.terms.upgrade.buffer).0,
        rollback_attestation: seeds::attestation(&proposal.terms.rollback.buffer).0,
        payer: proposal.payer,
        event_authority: seeds::event_authority(),
        program: manager(),
    };
    build(accounts, instruction::CloseProposal {})
}

/// Closes a version record that no rollback can need. `closer` signs; anyone may.
#[must_use]
pub fn close_account_version(closer: &Pubkey, record: &AccountVersion) -> Instruction {
    let accounts = accounts::CloseAccountVersion {
        closer: *closer,
        state: seeds::program_state(&record.program).0,
        record: seeds::account_version(&record.program, &record.account).0,
        proposal: record.proposal,
        payer: record.payer,
        event_authority: seeds::event_authority(),
        program: manager(),
    };
    build(accounts, instruction::CloseAccountVersion {})
}
