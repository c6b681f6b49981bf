//! Ends a migration whose accounts are all verified, quarantined or closed. That none was forgotten
//! the chain cannot know: the event carries slot and counts, so that anyone can repeat the scan.
use anchor_lang::prelude::*;

use crate::emit::emit;
use crate::error::ManagerError;
use crate::events::MigrationCompleted;
use crate::seeds;
use crate::state::{MultisigConfig, ProgramUpgradeState, ProposalStatus, UpgradeProposal, role};

/// Accounts of `complete`.
#[event_cpi]
#[derive(Accounts)]
pub struct Complete<'info> {
    /// Says so.
    pub executor: Signer<'info>,
    /// The team.
    #[account(seeds = [seeds::MULTISIG, multisig.create_key.as_ref()], bump = multisig.bump)]
    pub multisig: Box<Account<'info, MultisigConfig>>,
    /// The program's state.
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

impl<'info> Complete<'info> {
    fn validate(&self) -> Result<()> {
        self.multisig.require_role(&self.executor.key(), role::EXECUTE)?;
        self.proposal.require_executed()?;
        control!(self.proposal.status != ProposalStatus::Completed, ManagerError::NotExecuted);
        self.state.require_migrating(&self.proposal.key())?;
        control!(self.state.counters.is_complete(), ManagerError::NotComplete);
        Ok(())
    }

    /// Makes the program steady again.
    pub(crate) fn handle(ctx: Context<'info, Self>) -> Result<()> {
        let (accounts, slot) = (ctx.accounts, Clock::get()?.slot);
        accounts.validate()?;
        let key = accounts.proposal.key();
        accounts.proposal.status = ProposalStatus::Completed;
        accounts.state.complete(&key);
        let event = MigrationCompleted {
            proposal: key,
            program: accounts.state.program,
            executor: accounts.executor.key(),
            counters: accounts.state.counters,
            slot,
        };
        emit(&accounts.event_authority, &event)
    }
}
