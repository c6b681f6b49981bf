//! Opens a vault.
use anchor_lang::prelude::*;

use crate::{
    VAULT_SEED,
    served::{LEN, Vault},
};

/// Accounts of `open`.
#[derive(Accounts)]
#[instruction(index: u32)]
pub struct Open<'info> {
    /// Pays the rent and owns the vault.
    #[account(mut)]
    pub owner: Signer<'info>,
    /// The vault.
    #[account(
        init,
        payer = owner,
        space = LEN,
        seeds = [VAULT_SEED, owner.key().as_ref(), &index.to_le_bytes()],
        bump
    )]
    pub vault: Account<'info, Vault>,
    /// Creates the account.
    pub system_program: Program<'info, System>,
}

pub(crate) fn handle(ctx: Context<Open>, index: u32) -> Result<()> {
    let vault = Vault::new(ctx.bumps.vault, ctx.accounts.owner.key(), index);
    ctx.accounts.vault.set_inner(vault);
    Ok(())
}
