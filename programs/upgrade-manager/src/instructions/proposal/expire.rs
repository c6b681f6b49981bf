//! Ends a proposal of either kind whose time is over, or whose multisig has changed since. Anyone
//! may call this, so that a dead proposal cannot block a new one.
use anchor_lang::prelude::*;

use crate::account_io::multisig::VotingAccounts;
use crate::events::ProposalExpired;
use crate::runtime::emit::emit;
use crate::state::{ProposalStatus, Votable};

/// Accounts of `expire`.
#[derive(Accounts)]
pub struct Expire<'info> {
    /// CHECK: the multisig; `VotingAccounts` reads it, and the proposal names it.
    #[account(mut)]
    pub multisig: UncheckedAccount<'info>,
    /// CHECK: the state of the proposal's program, if it has one; `VotingAccounts` checks it.
    #[account(mut)]
    pub state: Option<UncheckedAccount<'info>>,
    /// CHECK: the proposal; `VotingAccounts` reads it.
    #[account(mut)]
    pub proposal: UncheckedAccount<'info>,
    /// CHECK: signs events; `emit` checks it.
    pub event_authority: UncheckedAccount<'info>,
    /// CHECK: the manager, which receives event CPIs.
    pub program: UncheckedAccount<'info>,
}

impl<'info> Expire<'info> {
    /// Ends the proposal and frees its slot.
    pub(crate) fn handle(ctx: Context<'info, Self>) -> Result<()> {
        let accounts = ctx.accounts;
        let state = accounts.state.as_deref();
        let voted =
            VotingAccounts { multisig: &accounts.multisig, state, proposal: &accounts.proposal };
        let (mut config, mut proposal) = voted.read()?;
        proposal.require_expired(&config, Clock::get()?.unix_timestamp)?;
        proposal.end(ProposalStatus::Expired);
        voted.write(&mut config, &proposal)?;
        let (key, program) = (accounts.proposal.key(), proposal.program().unwrap_or_default());
        emit(&accounts.event_authority, &ProposalExpired { proposal: key, program })
    }
}
