//! Installs the old code again, once per execution, from the buffer that was attested to hold it.
//! No account may be left on the new layout, unless the members voted to give such accounts up.
use anchor_lang::prelude::*;

use crate::account_io::io;
use crate::account_io::multisig::{read_multisig_and_state, read_upgrade_proposal, require_direct};
use crate::account_io::program::read_attestation;
use crate::error::ManagerError;
use crate::events::ProgramRolledBack;
use crate::external::install::LoaderAccounts;
use crate::external::{install, loader};
use crate::runtime::emit::emit;
use crate::runtime::require::require;
use crate::state::{MultisigConfig, ProgramUpgradeState, ProposalStatus, UpgradeProposal};

/// Accounts of `rollback_program`. A Squads multisig is not among them: the decision stands,
/// however the Squads multisig has changed since.
#[derive(Accounts)]
pub struct RollbackProgram<'info> {
    /// Executes.
    pub executor: Signer<'info>,
    /// CHECK: the multisig; `handle` reads it.
    pub multisig: UncheckedAccount<'info>,
    /// CHECK: the program's state; `handle` reads it.
    #[account(mut)]
    pub state: UncheckedAccount<'info>,
    /// CHECK: the proposal; `handle` reads it.
    #[account(mut)]
    pub proposal: UncheckedAccount<'info>,
    /// CHECK: the program; `install` compares it with the state.
    #[account(mut)]
    pub target_program: UncheckedAccount<'info>,
    /// CHECK: its code; `install` compares it with the state.
    #[account(mut)]
    pub program_data: UncheckedAccount<'info>,
    /// CHECK: the old code; `require_code` reads it.
    #[account(mut)]
    pub rollback_buffer: UncheckedAccount<'info>,
    /// CHECK: its attestation; `require_code` reads it.
    pub rollback_attestation: UncheckedAccount<'info>,
    /// CHECK: gets surplus lamports; `install` compares it with the treasury that was approved.
    #[account(mut)]
    pub spill: UncheckedAccount<'info>,
    /// CHECK: the address that holds the upgrade authority; `install` checks it.
    pub authority: UncheckedAccount<'info>,
    /// CHECK: the rent sysvar, for the loader.
    pub rent: UncheckedAccount<'info>,
    /// CHECK: the clock sysvar, for the loader.
    pub clock: UncheckedAccount<'info>,
    /// CHECK: the upgradeable loader.
    pub loader: UncheckedAccount<'info>,
    /// CHECK: signs events; `emit` checks it.
    pub event_authority: UncheckedAccount<'info>,
    /// CHECK: the manager, which receives event CPIs.
    pub program: UncheckedAccount<'info>,
}

impl<'info> RollbackProgram<'info> {
    fn validate(
        &self,
        config: &MultisigConfig,
        state: &ProgramUpgradeState,
        proposal: &UpgradeProposal,
        slot: u64,
    ) -> Result<()> {
        require_direct(config)?;
        config.require_restorer(self.executor.key)?;
        proposal.require_rolling_back()?;
        state.require_rolling_back(self.proposal.key)?;
        state.require_callable(slot)?;
        let restored = state.counters.on_new_layout() == 0;
        let given_up = restored || proposal.ballot.may_give_up(config);
        require!(given_up, ManagerError::NotRestored);
        Ok(())
    }

    /// The buffer is the one that was attested and approved, and its bytes are unchanged.
    fn require_code(&self, proposal: &UpgradeProposal) -> Result<()> {
        let pinned = &proposal.terms.rollback;
        require!(self.rollback_buffer.key() == pinned.buffer, ManagerError::WrongAccount);
        let (info, program) = (&self.rollback_attestation, &proposal.terms.program);
        let known = read_attestation(info, &self.rollback_buffer, program)?;
        known.require_pinned_by(self.proposal.key)?;
        loader::require_authority(&self.program_data, self.authority.key)?;
        loader::require_pinned(&self.rollback_buffer, pinned, self.authority.key)
    }

    /// Writes state and emits the event *before* the loader CPI: if the manager rolls itself back,
    /// its own code cannot be called again in this slot.
    pub(crate) fn handle(ctx: Context<'info, Self>) -> Result<()> {
        let (accounts, slot) = (ctx.accounts, Clock::get()?.slot);
        let (config, mut state) = read_multisig_and_state(&accounts.multisig, &accounts.state)?;
        let mut proposal = read_upgrade_proposal(&state, &accounts.proposal)?;
        accounts.validate(&config, &state, &proposal, slot)?;
        let loader = accounts.loader();
        install::require_accounts(&loader, &state, &proposal.terms)?;
        accounts.require_code(&proposal)?;
        proposal.status = ProposalStatus::RolledBack;
        state.roll_back(accounts.proposal.key, slot);
        io::write(&accounts.proposal, &*proposal)?;
        io::write(&accounts.state, &*state)?;
        accounts.emit_event(&state)?;
        install::install(&loader, &state, &accounts.rollback_buffer)
    }

    fn emit_event(&self, state: &ProgramUpgradeState) -> Result<()> {
        let event = ProgramRolledBack {
            proposal: self.proposal.key(),
            program: state.program,
            executor: self.executor.key(),
            elf_hash: state.elf_hash,
            version: state.version,
            given_up: state.counters.on_new_layout(),
        };
        emit(&self.event_authority, &event)
    }

    fn loader(&self) -> LoaderAccounts<'_, 'info> {
        LoaderAccounts {
            program: &self.target_program,
            program_data: &self.program_data,
            spill: &self.spill,
            authority: &self.authority,
            rent: &self.rent,
            clock: &self.clock,
            loader: &self.loader,
        }
    }
}
