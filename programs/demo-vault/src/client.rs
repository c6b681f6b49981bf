//! Addresses and instructions for clients of the vault program. Pure: no RPC, no signing.
use anchor_lang::{
    InstructionData, ToAccountMetas,
    prelude::*,
    solana_program::{instruction::Instruction, system_program},
};

use crate::{VAULT_SEED, accounts, instruction, layout, v1, v2};

/// `sha256("global:set_limit")[..8]`: only builds of the second layout have the instruction.
const SET_LIMIT: [u8; 8] = [0x33, 0xe0, 0xfc, 0xee, 0x9a, 0x54, 0x3c, 0xae];

/// Address of vault `index` of `owner`.
#[must_use]
pub fn vault_address(owner: &Pubkey, index: u32) -> Pubkey {
    let seeds = [VAULT_SEED, owner.as_ref(), &index.to_le_bytes()];
    Pubkey::find_program_address(&seeds, &crate::ID).0
}

fn call(accounts: Vec<AccountMeta>, data: Vec<u8>) -> Instruction {
    Instruction { program_id: crate::ID, accounts, data }
}

/// Opens vault `index` of `owner`, who signs and pays.
#[must_use]
pub fn open_ix(owner: &Pubkey, index: u32) -> Instruction {
    let vault = vault_address(owner, index);
    let accounts = accounts::Open { owner: *owner, vault, system_program: system_program::ID };
    call(accounts.to_account_metas(None), instruction::Open { index }.data())
}

/// Moves `amount` lamports from `owner`, who signs, into the vault.
#[must_use]
pub fn deposit_ix(owner: &Pubkey, index: u32, amount: u64) -> Instruction {
    let vault = vault_address(owner, index);
    let accounts = accounts::Deposit { owner: *owner, vault, system_program: system_program::ID };
    call(accounts.to_account_metas(None), instruction::Deposit { amount }.data())
}

/// Moves `amount` lamports from the vault to `owner`, who signs.
#[must_use]
pub fn withdraw_ix(owner: &Pubkey, index: u32, amount: u64) -> Instruction {
    let accounts = accounts::Withdraw { owner: *owner, vault: vault_address(owner, index) };
    call(accounts.to_account_metas(None), instruction::Withdraw { amount }.data())
}

/// Closes the vault in favour of `owner`, who signs.
#[must_use]
pub fn close_ix(owner: &Pubkey, index: u32) -> Instruction {
    let accounts = accounts::Close { owner: *owner, vault: vault_address(owner, index) };
    call(accounts.to_account_metas(None), instruction::Close {}.data())
}

/// Sets the limit of one withdrawal; `owner` signs. Programs of the first layout refuse it.
#[must_use]
pub fn set_limit_ix(owner: &Pubkey, index: u32, limit: u64) -> Instruction {
    let accounts = vec![
        AccountMeta::new_readonly(*owner, true),
        AccountMeta::new(vault_address(owner, index), false),
    ];
    call(accounts, [&SET_LIMIT[..], &limit.to_le_bytes()].concat())
}

/// What an upgrade proposal must say about vaults, as plain numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TypeRule {
    /// First eight bytes of the account.
    pub discriminator: [u8; 8],
    /// Where the version is stored, bytes from the start.
    pub version_offset: u16,
    /// Bytes of the version.
    pub version_width: u8,
    /// Least and most bytes before migration.
    pub old_len: (u32, u32),
    /// Least and most bytes after migration.
    pub new_len: (u32, u32),
}

/// The rule for v1 to v2.
#[must_use]
#[allow(clippy::cast_possible_truncation, reason = "constants of two digits")]
pub fn type_rule() -> TypeRule {
    const OLD: u32 = v1::LEN as u32;
    const NEW: u32 = v2::LEN as u32;
    TypeRule {
        discriminator: layout::DISCRIMINATOR,
        version_offset: layout::VERSION_OFFSET as u16,
        version_width: layout::VERSION_WIDTH as u8,
        old_len: (OLD, OLD),
        new_len: (NEW, NEW),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use solana_sha256_hasher::hash;

    #[test]
    fn the_discriminator_of_set_limit_follows_anchors_formula() {
        assert_eq!(hash(b"global:set_limit").to_bytes()[..8], SET_LIMIT);
    }

    #[test]
    fn every_owner_and_index_has_a_vault_of_its_own() {
        let (a, b) = (Pubkey::new_from_array([1; 32]), Pubkey::new_from_array([2; 32]));
        let mut all: Vec<_> = [(a, 0), (a, 1), (a, 256), (b, 0)]
            .iter()
            .map(|(owner, index)| vault_address(owner, *index))
            .collect();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), 4);
    }
}
