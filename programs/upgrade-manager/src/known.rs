//! Accounts around code and migrations, read and tied to each other: which one an account is follows
//! from the keys it holds, and of one that may be closed from its address.
use anchor_lang::prelude::*;

use crate::error::ManagerError;
use crate::multisig;
use crate::seeds;
use crate::state::{AccountVersion, BufferAttestation, ProgramUpgradeState, UpgradeProposal};
use crate::stored;

/// The state of a program in `state`.
#[inline(never)]
pub(crate) fn program(state: &AccountInfo) -> Result<Box<ProgramUpgradeState>> {
    stored::read(state)
}

/// The state of a program in `state`, and one of its proposals in `proposal`.
pub(crate) fn proposed(
    state: &AccountInfo,
    proposal: &AccountInfo,
) -> Result<(Box<ProgramUpgradeState>, Box<UpgradeProposal>)> {
    let state = program(state)?;
    let proposal = multisig::upgrade_of(&state, proposal)?;
    Ok((state, proposal))
}

/// What is known of `buffer` in `info`, which must be for the program of `state`.
#[inline(never)]
pub(crate) fn attestation(
    info: &AccountInfo,
    buffer: &AccountInfo,
    program: &Pubkey,
) -> Result<Box<BufferAttestation>> {
    let attestation: Box<BufferAttestation> = stored::read(info)?;
    control!(attestation.buffer == *buffer.key, ManagerError::WrongAccount);
    control!(attestation.program == *program, ManagerError::WrongAccount);
    Ok(attestation)
}

/// The state of `program` in `info`, `None` when it is closed.
pub(crate) fn program_if_any(
    info: &AccountInfo,
    program: &Pubkey,
) -> Result<Option<Box<ProgramUpgradeState>>> {
    control!(*info.key == seeds::program_state(program).0, ManagerError::WrongAccount);
    stored::read_if_any(info)
}

/// The proposal at `address` in `info`, `None` when it is closed.
pub(crate) fn proposal_if_any(
    info: &AccountInfo,
    address: &Pubkey,
) -> Result<Option<Box<UpgradeProposal>>> {
    control!(*info.key == *address, ManagerError::WrongAccount);
    stored::read_if_any(info)
}

/// The record of `account` of `program` in `info`, `None` when it is closed.
pub(crate) fn record_if_any(
    info: &AccountInfo,
    program: &Pubkey,
    account: &Pubkey,
) -> Result<Option<Box<AccountVersion>>> {
    let address = seeds::account_version(program, account).0;
    control!(*info.key == address, ManagerError::WrongAccount);
    stored::read_if_any(info)
}

/// The attestation of `buffer` in `info`, `None` when there is none.
pub(crate) fn attestation_if_any(
    info: &AccountInfo,
    buffer: &Pubkey,
) -> Result<Option<Box<BufferAttestation>>> {
    control!(*info.key == seeds::attestation(buffer).0, ManagerError::WrongAccount);
    stored::read_if_any(info)
}
