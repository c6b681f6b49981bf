//! Stops executions of a multisig for a limited time. Only the guardian can pause; a pause ends by
//! itself.
use anchor_lang::prelude::*;

use crate::account_io::io;
use crate::account_io::multisig::require_direct;
use crate::events::PauseChanged;
use crate::runtime::emit::emit;
use crate::state::MultisigConfig;

/// Accounts of `pause`.
#[derive(Accounts)]
pub struct Pause<'info> {
    /// Pauses.
    pub guardian: Signer<'info>,
    /// CHECK: the multisig; `handle` reads it.
    #[account(mut)]
    pub multisig: UncheckedAccount<'info>,
    /// CHECK: signs events; `emit` checks it.
    pub event_authority: UncheckedAccount<'info>,
    /// CHECK: the manager, which receives event CPIs.
    pub program: UncheckedAccount<'info>,
}

impl<'info> Pause<'info> {
    pub(crate) fn handle(ctx: Context<'info, Self>) -> Result<()> {
        let (accounts, now) = (ctx.accounts, Clock::get()?.unix_timestamp);
        let mut config: Box<MultisigConfig> = io::read(&accounts.multisig)?;
        require_direct(&config)?;
        config.require_not_dissolved()?;
        config.require_guardian(accounts.guardian.key)?;
        config.pause(now)?;
        io::write(&accounts.multisig, &*config)?;
        let event = PauseChanged {
            multisig: accounts.multisig.key(),
            actor: accounts.guardian.key(),
            paused_until: config.paused_until,
            votes: 0,
        };
        emit(&accounts.event_authority, &event)
    }
}
