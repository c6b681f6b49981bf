//! Instructions before a proposal: the multisig, the program's registration, frozen and attested buffers.
use solana_instruction::Instruction;
use solana_pubkey::Pubkey;
use solana_sdk_ids::{bpf_loader_upgradeable, system_program};
use upgrade_manager::{
    accounts, instruction, seeds,
    state::{BufferRole, MultisigRules},
};

use super::{behind, build, manager, program_data_address};

/// Makes a multisig. `create_key` signs and seeds its address; `payer` signs and pays.
#[must_use]
pub fn create_multisig(create_key: &Pubkey, payer: &Pubkey, rules: MultisigRules) -> Instruction {
    let accounts = accounts::CreateMultisig {
        create_key: *create_key,
        payer: *payer,
        multisig: seeds::multisig(create_key).0,
        system_program: system_program::ID,
        event_authority: seeds::event_authority(),
        program: manager(),
    };
    let squads = rules.squads;
    behind(build(accounts, instruction::CreateMultisig { rules }), squads.as_ref())
}

/// Hands the upgrade authority of `program` over. `current_authority` and `payer` sign.
#[must_use]
pub fn register_program(
    current_authority: &Pubkey,
    payer: &Pubkey,
    multisig: &Pubkey,
    program: &Pubkey,
    version: u16,
    trimmed_len: u32,
) -> Instruction {
    let accounts = accounts::RegisterProgram {
        current_authority: *current_authority,
        payer: *payer,
        multisig: *multisig,
        target_program: *program,
        program_data: program_data_address(program),
        authority: seeds::authority(program).0,
        state: seeds::program_state(program).0,
        loader: bpf_loader_upgradeable::ID,
        system_program: system_program::ID,
        event_authority: seeds::event_authority(),
        program: manager(),
    };
    build(accounts, instruction::RegisterProgram { version, trimmed_len })
}

/// Freezes `buffer` for `program`. `current_authority` and `payer` sign.
#[must_use]
pub fn freeze_buffer(
    current_authority: &Pubkey,
    payer: &Pubkey,
    program: &Pubkey,
    buffer: &Pubkey,
    role: BufferRole,
) -> Instruction {
    let accounts = accounts::FreezeBuffer {
        current_authority: *current_authority,
        payer: *payer,
        state: seeds::program_state(program).0,
        buffer: *buffer,
        authority: seeds::authority(program).0,
        attestation: seeds::attestation(buffer).0,
        loader: bpf_loader_upgradeable::ID,
        system_program: system_program::ID,
        event_authority: seeds::event_authority(),
        program: manager(),
    };
    build(accounts, instruction::FreezeBuffer { role })
}

/// Attests the hash of a frozen upgrade buffer. Anyone pays.
#[must_use]
pub fn attest_buffer(program: &Pubkey, buffer: &Pubkey, trimmed_len: u32) -> Instruction {
    let accounts = accounts::AttestBuffer {
        state: seeds::program_state(program).0,
        buffer: *buffer,
        attestation: seeds::attestation(buffer).0,
        event_authority: seeds::event_authority(),
        program: manager(),
    };
    build(accounts, instruction::AttestBuffer { trimmed_len })
}

/// Takes the hash of the next chunk of a frozen buffer above 2 MiB. Anyone pays. Two of these in a
/// row are the same bytes, so each needs another blockhash, or a place of its own in a transaction.
#[must_use]
pub fn attest_chunk(program: &Pubkey, buffer: &Pubkey, trimmed_len: u32) -> Instruction {
    let accounts = accounts::AttestChunk {
        state: seeds::program_state(program).0,
        buffer: *buffer,
        attestation: seeds::attestation(buffer).0,
        event_authority: seeds::event_authority(),
        program: manager(),
    };
    build(accounts, instruction::AttestChunk { trimmed_len })
}

/// Attests that a frozen rollback buffer equals the code that runs. Anyone pays.
#[must_use]
pub fn attest_rollback(program: &Pubkey, buffer: &Pubkey, trimmed_len: u32) -> Instruction {
    let accounts = accounts::AttestRollback {
        state: seeds::program_state(program).0,
        program_data: program_data_address(program),
        buffer: *buffer,
        attestation: seeds::attestation(buffer).0,
        event_authority: seeds::event_authority(),
        program: manager(),
    };
    build(accounts, instruction::AttestRollback { trimmed_len })
}
