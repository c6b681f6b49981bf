//! Cancels a proposal of either kind: the proposer alone before any vote, the guardian alone while
//! members vote, otherwise as many voters as it takes to approve.
use anchor_lang::prelude::*;

use crate::account_io::multisig::{VotingAccounts, require_direct};
use crate::events::CancelRequested;
use crate::external::squads;
use crate::runtime::emit::emit;
use crate::runtime::nonce;
use crate::state::Votable;

/// Accounts of `cancel`; behind them the Squads multisig, when its vault asks.
#[derive(Accounts)]
pub struct Cancel<'info> {
    /// Requests the cancellation.
    pub member: Signer<'info>,
    /// CHECK: the multisig; `VotingAccounts` reads it, and the proposal names it.
    #[account(mut)]
    pub multisig: UncheckedAccount<'info>,
    /// CHECK: the state of the proposal's program, if it has one; `VotingAccounts` checks it.
    #[account(mut)]
    pub state: Option<UncheckedAccount<'info>>,
    /// CHECK: the proposal; `VotingAccounts` reads it.
    #[account(mut)]
    pub proposal: UncheckedAccount<'info>,
    /// CHECK: the instructions sysvar; `nonce` checks that.
    pub instructions_sysvar: UncheckedAccount<'info>,
    /// CHECK: signs events; `emit` checks it.
    pub event_authority: UncheckedAccount<'info>,
    /// CHECK: the manager, which receives event CPIs.
    pub program: UncheckedAccount<'info>,
}

impl<'info> Cancel<'info> {
    /// Counts the request, and ends the proposal when enough members asked.
    pub(crate) fn handle(ctx: Context<'info, Self>) -> Result<()> {
        let (accounts, member) = (&*ctx.accounts, ctx.accounts.member.key());
        let state = accounts.state.as_deref();
        let voted =
            VotingAccounts { multisig: &accounts.multisig, state, proposal: &accounts.proposal };
        let (mut config, mut proposal) = voted.read()?;
        require_direct(&config)?;
        nonce::require_allowed(config.allow_durable_nonce, &accounts.instructions_sysvar)?;
        // The guardian's veto and the proposer's withdrawal do not depend on the Squads multisig.
        if config.may_vote(&member) {
            squads::require_policy(&config, ctx.remaining_accounts)?;
        }
        proposal.cancel(member, &config)?;
        voted.write(&mut config, &proposal)?;
        let event = CancelRequested {
            proposal: accounts.proposal.key(),
            program: proposal.program().unwrap_or_default(),
            member,
            status: proposal.voting_state().status,
        };
        emit(&accounts.event_authority, &event)
    }
}
