//! Instructions that close accounts and refund their rent.
use solana_instruction::Instruction;
use solana_pubkey::Pubkey;
use solana_sdk_ids::bpf_loader_upgradeable;
use upgrade_manager::{
    accounts, instruction, seeds,
    state::{
        AccountBackup, AccountVersion, BufferAttestation, GovernanceProposal, MultisigConfig,
        ProgramUpgradeState, UpgradeProposal,
    },
};

use super::{ProposalKeys, build, manager};

/// Closes a frozen buffer and its attestation. `closer` signs; before a proposal has pinned the
/// buffer, that must be the account that its rent is refunded to.
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

/// Closes the state of a program that was handed over. `closer` signs; anyone may.
#[must_use]
pub fn close_program_state(closer: &Pubkey, state: &ProgramUpgradeState) -> Instruction {
    let accounts = accounts::CloseProgramState {
        closer: *closer,
        state: seeds::program_state(&state.program).0,
        payer: state.payer,
        event_authority: seeds::event_authority(),
        program: manager(),
    };
    build(accounts, instruction::CloseProgramState {})
}

/// Closes a multisig that was dissolved. `closer` signs; anyone may.
#[must_use]
pub fn close_multisig(closer: &Pubkey, config: &MultisigConfig) -> Instruction {
    let accounts = accounts::CloseMultisig {
        closer: *closer,
        multisig: seeds::multisig(&config.create_key).0,
        payer: config.payer,
        event_authority: seeds::event_authority(),
        program: manager(),
    };
    build(accounts, instruction::CloseMultisig {})
}

/// Closes a proposal about a multisig that has ended. `closer` signs; anyone may.
#[must_use]
pub fn close_governance(closer: &Pubkey, proposal: &GovernanceProposal) -> Instruction {
    let accounts = accounts::CloseGovernance {
        closer: *closer,
        proposal: seeds::governance(&proposal.terms.multisig, proposal.terms.id).0,
        payer: proposal.payer,
        event_authority: seeds::event_authority(),
        program: manager(),
    };
    build(accounts, instruction::CloseGovernance {})
}

/// Closes the backup of an account that is restored, or that no rollback can need. `closer` signs;
/// anyone may.
#[must_use]
pub fn close_backup(closer: &Pubkey, backup: &AccountBackup) -> Instruction {
    let accounts = accounts::CloseBackup {
        closer: *closer,
        state: seeds::program_state(&backup.program).0,
        backup: seeds::backup(&backup.program, &backup.account).0,
        record: seeds::account_version(&backup.program, &backup.account).0,
        proposal: backup.proposal,
        payer: backup.payer,
        event_authority: seeds::event_authority(),
        program: manager(),
    };
    build(accounts, instruction::CloseBackup {})
}

/// Closes a buffer that was handed to the manager's address of `program` without being frozen; its
/// rent goes to the `treasury` of `multisig`. `executor` signs.
#[must_use]
pub fn reclaim_buffer(
    executor: &Pubkey,
    (multisig, treasury): (&Pubkey, &Pubkey),
    program: &Pubkey,
    buffer: &Pubkey,
) -> Instruction {
    let accounts = accounts::ReclaimBuffer {
        executor: *executor,
        multisig: *multisig,
        state: seeds::program_state(program).0,
        buffer: *buffer,
        attestation: seeds::attestation(buffer).0,
        treasury: *treasury,
        authority: seeds::authority(program).0,
        loader: bpf_loader_upgradeable::ID,
        event_authority: seeds::event_authority(),
        program: manager(),
    };
    build(accounts, instruction::ReclaimBuffer {})
}
