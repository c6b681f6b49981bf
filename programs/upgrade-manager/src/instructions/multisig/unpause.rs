//! Votes to lift a pause early. It takes as many voters as approving a proposal.
use anchor_lang::prelude::*;

use crate::account_io::io;
use crate::account_io::multisig::require_direct;
use crate::events::PauseChanged;
use crate::external::squads;
use crate::runtime::emit::emit;
use crate::runtime::nonce;
use crate::state::MultisigConfig;

/// Accounts of `unpause`; behind them the Squads multisig, for a multisig that has one.
#[derive(Accounts)]
pub struct Unpause<'info> {
    /// Votes.
    pub member: Signer<'info>,
    /// CHECK: the multisig; `handle` reads it.
    #[account(mut)]
    pub multisig: UncheckedAccount<'info>,
    /// CHECK: the instructions sysvar; `nonce` checks that.
    pub instructions_sysvar: UncheckedAccount<'info>,
    /// CHECK: signs events; `emit` checks it.
    pub event_authority: UncheckedAccount<'info>,
    /// CHECK: the manager, which receives event CPIs.
    pub program: UncheckedAccount<'info>,
}

impl<'info> Unpause<'info> {
    /// Counts the vote; the one that reaches the threshold lifts the pause.
    pub(crate) fn handle(ctx: Context<'info, Self>) -> Result<()> {
        let (accounts, now) = (ctx.accounts, Clock::get()?.unix_timestamp);
        let mut config: Box<MultisigConfig> = io::read(&accounts.multisig)?;
        require_direct(&config)?;
        nonce::require_allowed(config.allow_durable_nonce, &accounts.instructions_sysvar)?;
        squads::require_policy(&config, ctx.remaining_accounts)?;
        config.unpause(accounts.member.key, now)?;
        io::write(&accounts.multisig, &*config)?;
        let votes = config.unpause_votes.count_ones();
        let event = PauseChanged {
            multisig: accounts.multisig.key(),
            actor: accounts.member.key(),
            paused_until: config.paused_until,
            votes: u8::try_from(votes).unwrap_or(u8::MAX),
        };
        emit(&accounts.event_authority, &event)
    }
}
