//! Instructions that install new code, vote for a rollback, and install the old code.
use solana_instruction::Instruction;
use solana_pubkey::Pubkey;
use solana_sdk_ids::{bpf_loader_upgradeable, sysvar};
use upgrade_manager::{accounts, instruction, seeds, state::Terms};

use super::{ProposalKeys, build, manager};

/// Installs the new code. `executor` signs. `superseded` is the unfinished proposal whose place a
/// roll-forward takes, which `ProgramUpgradeState::unfinished` names.
#[must_use]
pub fn execute_upgrade(
    executor: &Pubkey,
    terms: &Terms,
    superseded: Option<Pubkey>,
) -> Instruction {
    let keys = ProposalKeys::of(terms);
    let accounts = accounts::ExecuteUpgrade {
        executor: *executor,
        multisig: keys.multisig,
        state: keys.state,
        proposal: keys.proposal,
        target_program: keys.program,
        program_data: terms.program_data,
        upgrade_buffer: terms.upgrade.buffer,
        upgrade_attestation: seeds::attestation(&terms.upgrade.buffer).0,
        rollback_buffer: terms.rollback.buffer,
        rollback_attestation: seeds::attestation(&terms.rollback.buffer).0,
        spill: terms.spill,
        authority: seeds::authority(&keys.program).0,
        rent: sysvar::rent::ID,
        clock: sysvar::clock::ID,
        loader: bpf_loader_upgradeable::ID,
        superseded,
        event_authority: seeds::event_authority(),
        program: manager(),
    };
    build(accounts, instruction::ExecuteUpgrade {})
}

/// A vote to roll back the proposal with this digest. `voter` signs.
#[must_use]
pub fn approve_rollback(
    voter: &Pubkey,
    keys: &ProposalKeys,
    digest: [u8; 32],
    give_up: bool,
) -> Instruction {
    let accounts = accounts::ApproveRollback {
        voter: *voter,
        multisig: keys.multisig,
        state: keys.state,
        proposal: keys.proposal,
        instructions_sysvar: sysvar::instructions::ID,
        event_authority: seeds::event_authority(),
        program: manager(),
    };
    build(accounts, instruction::ApproveRollback { digest, give_up })
}

/// Installs the old code again. `executor` signs.
#[must_use]
pub fn rollback_program(executor: &Pubkey, terms: &Terms) -> Instruction {
    let keys = ProposalKeys::of(terms);
    let accounts = accounts::RollbackProgram {
        executor: *executor,
        multisig: keys.multisig,
        state: keys.state,
        proposal: keys.proposal,
        target_program: keys.program,
        program_data: terms.program_data,
        rollback_buffer: terms.rollback.buffer,
        rollback_attestation: seeds::attestation(&terms.rollback.buffer).0,
        spill: terms.spill,
        authority: seeds::authority(&keys.program).0,
        rent: sysvar::rent::ID,
        clock: sysvar::clock::ID,
        loader: bpf_loader_upgradeable::ID,
        event_authority: seeds::event_authority(),
        program: manager(),
    };
    build(accounts, instruction::RollbackProgram {})
}
