//! Reads program states, proposals, attestations and version records, and checks that they belong
//! to each other. An open account is identified by the keys it holds; a closed one holds none, so
//! where an account may be closed its address is checked.
use anchor_lang::prelude::*;

use crate::account_io::io;
use crate::account_io::multisig::read_upgrade_proposal;
use crate::error::ManagerError;
use crate::runtime::require::require;
use crate::seeds;
use crate::state::{AccountVersion, BufferAttestation, ProgramUpgradeState, UpgradeProposal};

/// Reads the state of a program.
#[inline(never)]
pub(crate) fn read_state(state: &AccountInfo) -> Result<Box<ProgramUpgradeState>> {
    io::read(state)
}

/// Reads the state of a program and one of its upgrade proposals.
pub(crate) fn read_state_and_proposal(
    state: &AccountInfo,
    proposal: &AccountInfo,
) -> Result<(Box<ProgramUpgradeState>, Box<UpgradeProposal>)> {
    let state = read_state(state)?;
    let proposal = read_upgrade_proposal(&state, proposal)?;
    Ok((state, proposal))
}

/// Reads the attestation of `buffer` in `info`, which must be for `program`.
#[inline(never)]
pub(crate) fn read_attestation(
    info: &AccountInfo,
    buffer: &AccountInfo,
    program: &Pubkey,
) -> Result<Box<BufferAttestation>> {
    let attestation: Box<BufferAttestation> = io::read(info)?;
    require!(attestation.buffer == *buffer.key, ManagerError::WrongAccount);
    require!(attestation.program == *program, ManagerError::WrongAccount);
    Ok(attestation)
}

/// Reads the state of `program` in `info`, `None` when it is closed.
pub(crate) fn read_state_if_any(
    info: &AccountInfo,
    program: &Pubkey,
) -> Result<Option<Box<ProgramUpgradeState>>> {
    require!(*info.key == seeds::program_state(program).0, ManagerError::WrongAccount);
    io::read_if_any(info)
}

/// Reads the proposal at `address` in `info`, `None` when it is closed.
pub(crate) fn read_proposal_if_any(
    info: &AccountInfo,
    address: &Pubkey,
) -> Result<Option<Box<UpgradeProposal>>> {
    require!(*info.key == *address, ManagerError::WrongAccount);
    io::read_if_any(info)
}

/// Reads the version record of `account` of `program` in `info`, `None` when it is closed.
pub(crate) fn read_record_if_any(
    info: &AccountInfo,
    program: &Pubkey,
    account: &Pubkey,
) -> Result<Option<Box<AccountVersion>>> {
    let address = seeds::account_version(program, account).0;
    require!(*info.key == address, ManagerError::WrongAccount);
    io::read_if_any(info)
}

/// Reads the attestation of `buffer` in `info`, `None` when there is none.
pub(crate) fn read_attestation_if_any(
    info: &AccountInfo,
    buffer: &Pubkey,
) -> Result<Option<Box<BufferAttestation>>> {
    require!(*info.key == seeds::attestation(buffer).0, ManagerError::WrongAccount);
    io::read_if_any(info)
}
