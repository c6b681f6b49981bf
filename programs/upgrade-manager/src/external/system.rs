//! The four system instructions that the manager calls. They are encoded by hand, because the SDK's
//! encoder adds 5 KB to the ELF.
use anchor_lang::prelude::*;
use anchor_lang::solana_program::{instruction::Instruction, system_program};

/// Creates `new` with `space` bytes, owned by the manager. Both sign; `payer` pays `lamports`.
pub(crate) fn create_account(
    payer: &Pubkey,
    new: &Pubkey,
    lamports: u64,
    space: u64,
) -> Instruction {
    let metas = vec![AccountMeta::new(*payer, true), AccountMeta::new(*new, true)];
    call(0, metas, &[&lamports.to_le_bytes(), &space.to_le_bytes(), crate::ID.as_ref()])
}

/// Hands `account`, which signs, over to the manager.
pub(crate) fn assign(account: &Pubkey) -> Instruction {
    call(1, vec![AccountMeta::new(*account, true)], &[crate::ID.as_ref()])
}

/// Sends `lamports` from `from`, who signs.
pub(crate) fn transfer(from: &Pubkey, to: &Pubkey, lamports: u64) -> Instruction {
    let metas = vec![AccountMeta::new(*from, true), AccountMeta::new(*to, false)];
    call(2, metas, &[&lamports.to_le_bytes()])
}

/// Gives `account`, which signs, `space` bytes.
pub(crate) fn allocate(account: &Pubkey, space: u64) -> Instruction {
    call(8, vec![AccountMeta::new(*account, true)], &[&space.to_le_bytes()])
}

#[inline(never)]
fn call(number: u32, accounts: Vec<AccountMeta>, fields: &[&[u8]]) -> Instruction {
    let mut data = Vec::with_capacity(52);
    data.extend_from_slice(&number.to_le_bytes());
    for field in fields {
        data.extend_from_slice(field);
    }
    Instruction { program_id: system_program::ID, accounts, data }
}

#[cfg(test)]
mod tests {
    use anchor_lang::solana_program::system_instruction as sdk;

    use super::*;

    #[test]
    fn every_instruction_is_what_the_sdk_encodes() {
        let [a, b] = [3, 4].map(|i| Pubkey::new_from_array([i; 32]));
        let (lamports, space) = (0x0102_0304_0506_0708, 0x1112_1314_1516_1718);
        let created = sdk::create_account(&a, &b, lamports, space, &crate::ID);
        assert_eq!(create_account(&a, &b, lamports, space), created);
        assert_eq!(assign(&a), sdk::assign(&a, &crate::ID));
        assert_eq!(transfer(&a, &b, lamports), sdk::transfer(&a, &b, lamports));
        assert_eq!(allocate(&a, space), sdk::allocate(&a, space));
    }
}
