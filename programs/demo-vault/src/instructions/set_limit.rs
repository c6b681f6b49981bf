//! Sets the limit of one withdrawal. Only builds of the second layout have this instruction.
use anchor_lang::prelude::*;

use crate::{VAULT_SEED, v2::Vault};

/// Accounts of `set_limit`.
#[derive(Accounts)]
pub struct SetLimit<'info> {
    /// Owns the vault.
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

#[cfg(feature = "v2")]
pub(crate) fn handle(ctx: Context<SetLimit>, limit: u64) -> Result<()> {
    ctx.accounts.vault.limit = limit;
    Ok(())
}
