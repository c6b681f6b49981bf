//! Moves lamports into a vault.
use anchor_lang::{
    prelude::*,
    system_program::{Transfer, transfer},
};

use crate::{VAULT_SEED, served::Vault};

/// Accounts of `deposit`.
#[derive(Accounts)]
pub struct Deposit<'info> {
    /// Pays.
    #[account(mut)]
    pub owner: Signer<'info>,
    /// The vault.
    #[account(
        mut,
        has_one = owner,
        seeds = [VAULT_SEED, owner.key().as_ref(), &vault.index.to_le_bytes()],
        bump = vault.bump
    )]
    pub vault: Account<'info, Vault>,
    /// Moves the lamports.
    pub system_program: Program<'info, System>,
}

pub(crate) fn handle(ctx: Context<Deposit>, amount: u64) -> Result<()> {
    let Deposit { owner, vault, system_program } = ctx.accounts;
    vault.credit(amount, Clock::get()?.unix_timestamp)?;
    let accounts = Transfer { from: owner.to_account_info(), to: vault.to_account_info() };
    transfer(CpiContext::new(system_program.key(), accounts), amount)
}
