//! Ends a migration whose accounts are all verified, quarantined or closed. The chain cannot know
//! whether the manifest left an account out; the event carries slot and counters, so that anyone
//! can repeat the scan.
use anchor_lang::prelude::*;

use crate::account_io::io;
use crate::account_io::multisig::{read_multisig_and_state, read_upgrade_proposal};
use crate::error::ManagerError;
use crate::events::MigrationCompleted;
use crate::runtime::emit::emit;
use crate::runtime::require::require;
use crate::state::{MultisigConfig, ProgramUpgradeState, ProposalStatus, UpgradeProposal, role};

/// Accounts of `complete`.
#[derive(Accounts)]
pub struct Complete<'info> {
    /// Completes the migration; needs the role execute.
    pub executor: Signer<'info>,
    /// CHECK: the multisig; `handle` reads it.
    pub multisig: UncheckedAccount<'info>,
    /// CHECK: the program's state; `handle` reads it.
    #[account(mut)]
    pub state: UncheckedAccount<'info>,
    /// CHECK: the proposal; `handle` reads it.
    #[account(mut)]
    pub proposal: UncheckedAccount<'info>,
    /// CHECK: signs events; `emit` checks it.
    pub event_authority: UncheckedAccount<'info>,
    /// CHECK: the manager, which receives event CPIs.
    pub program: UncheckedAccount<'info>,
}

impl<'info> Complete<'info> {
    fn validate(
        &self,
        config: &MultisigConfig,
        state: &ProgramUpgradeState,
        proposal: &UpgradeProposal,
    ) -> Result<()> {
        config.require_role(self.executor.key, role::EXECUTE)?;
        proposal.require_executed()?;
        require!(proposal.status != ProposalStatus::Completed, ManagerError::NotExecuted);
        state.require_migrating(self.proposal.key)?;
        require!(state.counters.is_complete(), ManagerError::NotComplete);
        Ok(())
    }

    /// Marks the proposal as completed and the program as steady.
    pub(crate) fn handle(ctx: Context<'info, Self>) -> Result<()> {
        let (accounts, slot) = (ctx.accounts, Clock::get()?.slot);
        let (config, mut state) = read_multisig_and_state(&accounts.multisig, &accounts.state)?;
        let mut proposal = read_upgrade_proposal(&state, &accounts.proposal)?;
        accounts.validate(&config, &state, &proposal)?;
        let key = accounts.proposal.key();
        proposal.status = ProposalStatus::Completed;
        state.complete(&key);
        io::write(&accounts.proposal, &*proposal)?;
        io::write(&accounts.state, &*state)?;
        let event = MigrationCompleted {
            proposal: key,
            program: state.program,
            executor: accounts.executor.key(),
            counters: state.counters,
            slot,
        };
        emit(&accounts.event_authority, &event)
    }
}
