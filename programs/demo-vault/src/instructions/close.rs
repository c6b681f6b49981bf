//! Closes a vault.
use anchor_lang::prelude::*;

use crate::{VAULT_SEED, served::Vault};

/// Accounts of `close`.
#[derive(Accounts)]
pub struct Close<'info> {
    /// Receives everything.
    #[account(mut)]
    pub owner: Signer<'info>,
    /// The vault.
    #[account(
        mut,
        close = owner,
        has_one = owner,
        seeds = [VAULT_SEED, owner.key().as_ref(), &vault.index.to_le_bytes()],
        bump = vault.bump
    )]
    pub vault: Account<'info, Vault>,
}

/// Anchor's `close` moves balance and rent to the owner.
pub(crate) fn handle(_ctx: Context<Close>) -> Result<()> {
    Ok(())
}
