//! Ends a proposal that ran out of time. Anyone may call it, so that none stays in the way.
use anchor_lang::prelude::*;

use crate::emit::emit;
use crate::error::ManagerError;
use crate::events::ProposalExpired;
use crate::seeds;
use crate::state::{Course, MultisigConfig, ProgramUpgradeState, ProposalStatus, UpgradeProposal};

/// Accounts of `expire`.
#[event_cpi]
#[derive(Accounts)]
pub struct Expire<'info> {
    /// The team.
    #[account(
        mut,
        dup,
        seeds = [seeds::MULTISIG, multisig.create_key.as_ref()],
        bump = multisig.bump,
    )]
    pub multisig: Box<Account<'info, MultisigConfig>>,
    /// The program.
    #[account(
        mut,
        dup,
        seeds = [seeds::PROGRAM, state.program.as_ref()],
        bump = state.bump,
        has_one = multisig @ ManagerError::WrongAccount,
    )]
    pub state: Box<Account<'info, ProgramUpgradeState>>,
    /// The proposal.
    #[account(
        mut,
        dup,
        seeds = [
            seeds::PROPOSAL,
            state.program.as_ref(),
            &proposal.terms.id.to_le_bytes(),
        ],
        bump = proposal.bump,
    )]
    pub proposal: Box<Account<'info, UpgradeProposal>>,
}

impl<'info> Expire<'info> {
    /// Ends the proposal.
    pub(crate) fn handle(ctx: Context<'info, Self>) -> Result<()> {
        let accounts = ctx.accounts;
        accounts.proposal.require_expired(&accounts.multisig, Clock::get()?.unix_timestamp)?;
        accounts.proposal.status = ProposalStatus::Expired;
        let (key, program) = (accounts.proposal.key(), accounts.state.program);
        accounts.state.end(&key);
        accounts.multisig.end_proposal(&accounts.proposal.proposer);
        emit(&accounts.event_authority, &ProposalExpired { proposal: key, program })
    }
}
