//! Makes a team. The key that seeds its address signs, so that nobody can take the address first.
use anchor_lang::prelude::*;

use crate::emit::emit;
use crate::events::MultisigCreated;
use crate::seeds;
use crate::state::{MultisigConfig, TeamRules};

/// Accounts of `create_multisig`.
#[event_cpi]
#[derive(Accounts)]
pub struct CreateMultisig<'info> {
    /// Seeds the address.
    pub create_key: Signer<'info>,
    /// Pays for the account.
    #[account(mut)]
    pub payer: Signer<'info>,
    /// The new multisig.
    #[account(
        init,
        payer = payer,
        space = 8 + MultisigConfig::INIT_SPACE,
        seeds = [seeds::MULTISIG, create_key.key().as_ref()],
        bump,
    )]
    pub multisig: Box<Account<'info, MultisigConfig>>,
    /// Makes the account.
    pub system_program: Program<'info, System>,
}

impl<'info> CreateMultisig<'info> {
    /// Checks every rule about a team and writes it down.
    pub(crate) fn handle(ctx: Context<'info, Self>, rules: TeamRules) -> Result<()> {
        let accounts = ctx.accounts;
        let seed = (accounts.create_key.key(), ctx.bumps.multisig);
        let config = MultisigConfig::new(rules, seed, accounts.payer.key(), Clock::get()?.slot)?;
        let event = MultisigCreated {
            multisig: accounts.multisig.key(),
            members: config.members.iter().map(|m| m.key).collect(),
            threshold: config.threshold,
            timelock: config.timelock,
        };
        accounts.multisig.set_inner(config);
        emit(&accounts.event_authority, &event)
    }
}
