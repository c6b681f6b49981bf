//! Ends a proposal of either kind that ran out of time, or whose team has changed since. Anyone may
//! call it, so that none stays in the way.
use anchor_lang::prelude::*;

use crate::emit::emit;
use crate::events::ProposalExpired;
use crate::state::{Course, GovernanceProposal, ProposalStatus, UpgradeProposal};
use crate::team::{self, Voted};

/// Accounts of `expire`.
#[event_cpi]
#[derive(Accounts)]
pub struct Expire<'info> {
    /// CHECK: the team; `Voted` reads it, and the proposal names it.
    #[account(mut)]
    pub multisig: UncheckedAccount<'info>,
    /// CHECK: the state of the program that the proposal is about, if any; `Voted` ties them.
    #[account(mut)]
    pub state: Option<UncheckedAccount<'info>>,
    /// CHECK: the proposal; `Voted` reads it.
    #[account(mut)]
    pub proposal: UncheckedAccount<'info>,
}

impl<'info> Expire<'info> {
    /// Frees what the proposal held.
    pub(crate) fn handle(ctx: Context<'info, Self>) -> Result<()> {
        if team::is_governance(&ctx.accounts.proposal)? {
            ctx.accounts.on::<GovernanceProposal>()
        } else {
            ctx.accounts.on::<UpgradeProposal>()
        }
    }

    #[inline(never)]
    fn on<P>(&self) -> Result<()>
    where
        P: Course + AccountSerialize + AccountDeserialize,
    {
        let state = self.state.as_deref();
        let voted = Voted { multisig: &self.multisig, state, proposal: &self.proposal };
        let (mut config, mut proposal) = voted.read::<P>()?;
        proposal.require_expired(&config, Clock::get()?.unix_timestamp)?;
        proposal.end(ProposalStatus::Expired);
        voted.write(&mut config, &*proposal)?;
        let (key, program) = (self.proposal.key(), proposal.program().unwrap_or_default());
        emit(&self.event_authority, &ProposalExpired { proposal: key, program })
    }
}
