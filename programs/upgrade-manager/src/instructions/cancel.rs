//! Withdraws a proposal: its proposer alone before any vote, otherwise as many voters as it takes to
//! approve one.
use anchor_lang::prelude::*;

use crate::emit::emit;
use crate::error::ManagerError;
use crate::events::CancelRequested;
use crate::seeds;
use crate::state::{Course, MultisigConfig, ProgramUpgradeState, ProposalStatus, UpgradeProposal};

/// Accounts of `cancel`.
#[event_cpi]
#[derive(Accounts)]
pub struct Cancel<'info> {
    /// Asks.
    pub member: Signer<'info>,
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

impl<'info> Cancel<'info> {
    /// Counts the member's wish, and ends the proposal when that suffices.
    pub(crate) fn handle(ctx: Context<'info, Self>) -> Result<()> {
        let accounts = ctx.accounts;
        let (member, key) = (accounts.member.key(), accounts.proposal.key());
        accounts.proposal.cancel(member, &accounts.multisig)?;
        let status = accounts.proposal.status;
        if status == ProposalStatus::Cancelled {
            accounts.state.end(&key);
            accounts.multisig.end_proposal(&accounts.proposal.proposer);
        }
        let program = accounts.state.program;
        let event = CancelRequested { proposal: key, program, member, status };
        emit(&accounts.event_authority, &event)
    }
}
