//! Votes in durable-nonce transactions: one that was signed long ago can be sent at any later time,
//! so a multisig refuses them unless it says otherwise. Reads the instructions sysvar, nothing else.
use anchor_lang::prelude::*;
use anchor_lang::solana_program::system_program;

use crate::error::{ManagerError, OrErr as _};
use crate::runtime::require::require;
use crate::state::MultisigConfig;

/// The instructions sysvar.
pub const INSTRUCTIONS: Pubkey = pubkey!("Sysvar1nstructions1111111111111111111111111");
/// Tag of the system program's `AdvanceNonceAccount`, which must come first to be one.
const ADVANCE_NONCE: [u8; 4] = [4, 0, 0, 0];

/// The transaction is of a kind that `config` counts votes of.
///
/// # Errors
/// [`ManagerError::WrongProgram`] or [`ManagerError::DurableNonce`].
pub fn require_allowed(config: &MultisigConfig, sysvar: &AccountInfo) -> Result<()> {
    require!(*sysvar.key == INSTRUCTIONS, ManagerError::WrongProgram);
    if config.allow_durable_nonce {
        return Ok(());
    }
    let durable = is_durable(&sysvar.try_borrow_data()?).or_err(ManagerError::WrongAccount)?;
    require!(!durable, ManagerError::DurableNonce);
    Ok(())
}

/// Whether the first instruction in the sysvar's `data` advances a nonce; `None` for other data.
///
/// Layout: count `u16`, an offset `u16` an instruction; at the offset: count of accounts `u16`, a
/// flag byte and a key each, the program, length of the data `u16`, the data.
fn is_durable(data: &[u8]) -> Option<bool> {
    let first = data.get(usize::from(number(data, 2)?)..)?;
    let accounts = usize::from(number(first, 0)?).checked_mul(33)?;
    let rest = first.get(accounts.checked_add(2)?..)?;
    let (program, rest) = rest.split_first_chunk::<32>()?;
    let len = usize::from(number(rest, 0)?);
    let instruction = rest.get(2..len.checked_add(2)?)?;
    Some(system_program::ID.to_bytes() == *program && instruction.starts_with(&ADVANCE_NONCE))
}

fn number(data: &[u8], at: usize) -> Option<u16> {
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
