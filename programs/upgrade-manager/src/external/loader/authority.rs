//! The three instructions that the manager sends to the loader, signed by the address that holds a
//! program's upgrade authority. No caller can choose their data.
use anchor_lang::prelude::*;
use anchor_lang::solana_program::{instruction::Instruction, program::invoke_signed};

use super::ID;
use crate::seeds;

const UPGRADE: u8 = 3;
const CLOSE: u8 = 5;
const SET_AUTHORITY_CHECKED: u8 = 7;

/// The manager's address that holds the upgrade authority of `program`, with its bump to sign.
pub struct UpgradeAuthority<'a, 'info> {
    /// Its account.
    pub info: &'a AccountInfo<'info>,
    /// The program.
    pub program: &'a Pubkey,
    /// Its bump.
    pub bump: u8,
}

impl<'info> UpgradeAuthority<'_, 'info> {
    /// Moves the authority over `held`, a buffer or ProgramData account, from `current`, who signs
    /// too, to the manager.
    ///
    /// # Errors
    /// Whatever the loader refuses.
    pub fn take_over(
        &self,
        held: &AccountInfo<'info>,
        current: &AccountInfo<'info>,
        loader: &AccountInfo<'info>,
    ) -> Result<()> {
        let metas = vec![
            AccountMeta::new(*held.key, false),
            AccountMeta::new_readonly(*current.key, true),
            AccountMeta::new_readonly(*self.info.key, true),
        ];
        let infos = [held.clone(), current.clone(), self.info.clone(), loader.clone()];
        self.call(SET_AUTHORITY_CHECKED, metas, &infos)
    }

    /// Moves the authority over `held`, a ProgramData account, from the manager to `new`, who signs
    /// too.
    ///
    /// # Errors
    /// Whatever the loader refuses.
    pub fn hand_over(
        &self,
        held: &AccountInfo<'info>,
        new: &AccountInfo<'info>,
        loader: &AccountInfo<'info>,
    ) -> Result<()> {
        let metas = vec![
            AccountMeta::new(*held.key, false),
            AccountMeta::new_readonly(*self.info.key, true),
            AccountMeta::new_readonly(*new.key, true),
        ];
        let infos = [held.clone(), self.info.clone(), new.clone(), loader.clone()];
        self.call(SET_AUTHORITY_CHECKED, metas, &infos)
    }

    /// Closes a frozen buffer and sends its lamports to `refund`.
    ///
    /// # Errors
    /// Whatever the loader refuses.
    pub fn close(
        &self,
        buffer: &AccountInfo<'info>,
        refund: &AccountInfo<'info>,
        loader: &AccountInfo<'info>,
    ) -> Result<()> {
        let metas = vec![
            AccountMeta::new(*buffer.key, false),
            AccountMeta::new(*refund.key, false),
            AccountMeta::new_readonly(*self.info.key, true),
        ];
        let infos = [buffer.clone(), refund.clone(), self.info.clone(), loader.clone()];
        self.call(CLOSE, metas, &infos)
    }

    /// Upgrades the program to the code in a buffer.
    ///
    /// # Errors
    /// Whatever the loader refuses, for example a broken ELF.
    pub fn install(&self, with: &InstallAccounts<'_, 'info>) -> Result<()> {
        let metas = vec![
            AccountMeta::new(*with.program_data.key, false),
            AccountMeta::new(*with.program.key, false),
            AccountMeta::new(*with.buffer.key, false),
            AccountMeta::new(*with.spill.key, false),
            AccountMeta::new_readonly(*with.rent.key, false),
            AccountMeta::new_readonly(*with.clock.key, false),
            AccountMeta::new_readonly(*self.info.key, true),
        ];
        let infos = [
            with.program_data.clone(),
            with.program.clone(),
            with.buffer.clone(),
            with.spill.clone(),
            with.rent.clone(),
            with.clock.clone(),
            self.info.clone(),
            with.loader.clone(),
        ];
        self.call(UPGRADE, metas, &infos)
    }

    fn call(
        &self,
        tag: u8,
        accounts: Vec<AccountMeta>,
        infos: &[AccountInfo<'info>],
    ) -> Result<()> {
        let instruction = Instruction { program_id: ID, accounts, data: vec![tag, 0, 0, 0] };
        let signer: &[&[u8]] = &[seeds::AUTHORITY, self.program.as_ref(), &[self.bump]];
        Ok(invoke_signed(&instruction, infos, &[signer])?)
    }
}

/// The accounts of the loader's `Upgrade`, in its order.
pub struct InstallAccounts<'a, 'info> {
    /// The program's ProgramData account.
    pub program_data: &'a AccountInfo<'info>,
    /// The program.
    pub program: &'a AccountInfo<'info>,
    /// The buffer with the code; the loader empties it.
    pub buffer: &'a AccountInfo<'info>,
    /// Receives surplus lamports.
    pub spill: &'a AccountInfo<'info>,
    /// The rent sysvar.
    pub rent: &'a AccountInfo<'info>,
    /// The clock sysvar.
    pub clock: &'a AccountInfo<'info>,
    /// The loader.
    pub loader: &'a AccountInfo<'info>,
}
