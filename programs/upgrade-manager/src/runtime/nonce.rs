//! Refuses votes in durable-nonce transactions. Such a transaction stays valid for as long as its
//! nonce is not advanced, so somebody could send an old vote much later. A multisig can allow them.
//! Reads only the instructions sysvar.
use anchor_lang::prelude::*;
use anchor_lang::solana_program::system_program;

use crate::error::{ManagerError, OrErr as _};
use crate::runtime::require::require;

/// The instructions sysvar.
pub const INSTRUCTIONS: Pubkey = pubkey!("Sysvar1nstructions1111111111111111111111111");
/// Tag of the system program's `AdvanceNonceAccount`. The runtime treats a transaction as durable
/// only when this is its first instruction.
const ADVANCE_NONCE: [u8; 4] = [4, 0, 0, 0];

/// The transaction is not durable, or the multisig allows durable ones.
///
/// # Errors
/// [`ManagerError::WrongProgram`] or [`ManagerError::DurableNonce`].
pub fn require_allowed(allow_durable_nonce: bool, sysvar: &AccountInfo) -> Result<()> {
    require!(*sysvar.key == INSTRUCTIONS, ManagerError::WrongProgram);
    if allow_durable_nonce {
        return Ok(());
    }
    let durable = is_durable(&sysvar.try_borrow_data()?).or_err(ManagerError::WrongAccount)?;
    require!(!durable, ManagerError::DurableNonce);
    Ok(())
}

/// Whether the first instruction in the sysvar's `data` advances a nonce; `None` when `data` is not
/// the sysvar's.
///
/// Layout: the number of instructions as `u16`, then the offset of each as `u16`. At an offset: the
/// number of accounts as `u16`, for each account a flag byte and a key, the program's key, the
/// length of the instruction data as `u16`, the instruction data.
fn is_durable(data: &[u8]) -> Option<bool> {
    let first = data.get(usize::from(read_u16(data, 2)?)..)?;
    let accounts = usize::from(read_u16(first, 0)?).checked_mul(33)?;
    let rest = first.get(accounts.checked_add(2)?..)?;
    let (program, rest) = rest.split_first_chunk::<32>()?;
    let len = usize::from(read_u16(rest, 0)?);
    let instruction = rest.get(2..len.checked_add(2)?)?;
    Some(system_program::ID.to_bytes() == *program && instruction.starts_with(&ADVANCE_NONCE))
}

fn read_u16(data: &[u8], at: usize) -> Option<u16> {
    data.get(at..)?.first_chunk::<2>().copied().map(u16::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use anchor_lang::solana_program::sysvar::instructions::{
        BorrowedAccountMeta, BorrowedInstruction, construct_instructions_data,
    };

    fn sysvar(instructions: &[(Pubkey, &[u8])]) -> Vec<u8> {
        let key = Pubkey::new_from_array([3; 32]);
        let meta = || BorrowedAccountMeta { pubkey: &key, is_signer: true, is_writable: true };
        let all: Vec<_> = instructions
            .iter()
            .map(|(program_id, data)| BorrowedInstruction {
                program_id,
                accounts: vec![meta(), meta(), meta()],
                data,
            })
            .collect();
        construct_instructions_data(&all)
    }

    #[test]
    fn only_a_nonce_advance_of_the_system_program_in_first_place_makes_it_durable() {
        let (system, other) = (system_program::ID, Pubkey::new_from_array([1; 32]));
        let durable = |instructions: &[(Pubkey, &[u8])]| is_durable(&sysvar(instructions));
        assert_eq!(durable(&[(system, &[4, 0, 0, 0]), (other, &[1])]), Some(true));
        assert_eq!(durable(&[(other, &[1]), (system, &[4, 0, 0, 0])]), Some(false));
        assert_eq!(durable(&[(other, &[4, 0, 0, 0])]), Some(false));
        assert_eq!(durable(&[(system, &[2, 0, 0, 0])]), Some(false));
        assert_eq!(durable(&[(system, &[4])]), Some(false));
    }

    #[test]
    fn truncated_data_is_not_taken_for_a_plain_transaction() {
        let data = sysvar(&[(system_program::ID, &[4, 0, 0, 0])]);
        for len in 0..data.len() - 2 {
            assert_eq!(is_durable(&data[..len]), None, "{len}");
        }
    }
}
