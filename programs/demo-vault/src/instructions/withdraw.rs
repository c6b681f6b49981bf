//! Moves lamports out of a vault. What stays always covers the rent and the remaining balance.
use anchor_lang::prelude::*;

use crate::{
    VAULT_SEED,
    error::VaultError,
    served::{LEN, Vault},
};

/// Accounts of `withdraw`.
#[derive(Accounts)]
pub struct Withdraw<'info> {
    /// Receives.
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
}

pub(crate) fn handle(ctx: Context<Withdraw>, amount: u64) -> Result<()> {
    let Withdraw { owner, vault } = ctx.accounts;
    vault.debit(amount, Clock::get()?.unix_timestamp)?;
    vault.sub_lamports(amount).map_err(|_| VaultError::RentNeeded)?;
    owner.add_lamports(amount)?;
    let rent = Rent::get()?.minimum_balance(LEN);
    let needed = rent.checked_add(vault.balance).ok_or(VaultError::Overflow)?;
    require!(vault.get_lamports() >= needed, VaultError::RentNeeded);
    Ok(())
}
