//! Installs the new code, after the timelock and inside the execution window, from the buffer that
//! was approved. The rollback buffer must still hold the code that runs.
use anchor_lang::prelude::*;

use crate::account_io::io;
use crate::account_io::multisig::{read_multisig_and_state, read_upgrade_proposal, require_direct};
use crate::account_io::program::read_attestation;
use crate::error::ManagerError;
use crate::events::UpgradeExecuted;
use crate::external::install::LoaderAccounts;
use crate::external::{install, loader, squads};
use crate::runtime::emit::emit;
use crate::runtime::require::require;
use crate::state::{
    MultisigConfig, ProgramUpgradeState, ProposalStatus, UpgradeProposal, Votable, role,
};

/// Accounts of `execute_upgrade`; behind them the Squads multisig, for a multisig that has one.
#[derive(Accounts)]
pub struct ExecuteUpgrade<'info> {
    /// Executes.
    pub executor: Signer<'info>,
    /// CHECK: the multisig; `handle` reads it.
    #[account(mut)]
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
    /// CHECK: the new code; `require_code` reads it.
    #[account(mut)]
    pub upgrade_buffer: UncheckedAccount<'info>,
    /// CHECK: its attestation; `require_code` reads it.
    pub upgrade_attestation: UncheckedAccount<'info>,
    /// CHECK: the rollback code; `require_code` compares it with what runs.
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
    /// CHECK: the unfinished proposal that a roll-forward supersedes; `supersede` reads it.
    #[account(mut)]
    pub superseded: Option<UncheckedAccount<'info>>,
    /// CHECK: signs events; `emit` checks it.
    pub event_authority: UncheckedAccount<'info>,
    /// CHECK: the manager, which receives event CPIs.
    pub program: UncheckedAccount<'info>,
}

impl<'info> ExecuteUpgrade<'info> {
    /// Checks the rules that need no buffer and no account of the loader. `require_direct` refuses a
    /// call by another program; `require_fresh` refuses a proposal that is older than the last
    /// change of the multisig's rules.
    fn validate(
        &self,
        config: &MultisigConfig,
        state: &ProgramUpgradeState,
        proposal: &UpgradeProposal,
        clock: &Clock,
    ) -> Result<()> {
        require_direct(config)?;
        config.require_role(self.executor.key, role::EXECUTE)?;
        proposal.require_executable(config, clock.unix_timestamp, clock.slot)?;
        proposal.require_fresh(config)?;
        config.require_not_paused(clock.unix_timestamp)?;
        let replaced = self.superseded.as_ref().map(|info| *info.key);
        state.require_can_upgrade(self.proposal.key, proposal.terms.kind, replaced)?;
        state.require_runs(&proposal.terms)
    }

    /// Both buffers are the ones that were attested and approved, and their bytes are unchanged. An
    /// attestation names the one proposal that pinned its buffer.
    #[inline(never)]
    fn require_code(&self, proposal: &UpgradeProposal) -> Result<()> {
        let (key, terms) = (self.proposal.key, &proposal.terms);
        require!(self.upgrade_buffer.key() == terms.upgrade.buffer, ManagerError::WrongAccount);
        require!(self.rollback_buffer.key() == terms.rollback.buffer, ManagerError::WrongAccount);
        let pairs = [
            (&self.upgrade_attestation, &self.upgrade_buffer),
            (&self.rollback_attestation, &self.rollback_buffer),
        ];
        for (info, buffer) in pairs {
            read_attestation(info, buffer, &terms.program)?.require_pinned_by(key)?;
        }
        let (authority, live) = (self.authority.key, &self.program_data);
        loader::require_live(&self.rollback_buffer, &terms.rollback, live, authority)?;
        loader::require_pinned(&self.upgrade_buffer, &terms.upgrade, authority)
    }

    /// Marks the superseded proposal as `Superseded`; it must be executed and unfinished.
    fn supersede(&self, state: &ProgramUpgradeState) -> Result<()> {
        let Some(info) = &self.superseded else { return Ok(()) };
        let mut replaced = read_upgrade_proposal(state, info)?;
        replaced.require_executed()?;
        replaced.status = ProposalStatus::Superseded;
        io::write(info, &*replaced)
    }

    /// Writes state and emits the event *before* the loader CPI: if the manager upgrades itself,
    /// its own code cannot be called again in this slot, and an event is a call of the manager.
    pub(crate) fn handle(ctx: Context<'info, Self>) -> Result<()> {
        let (accounts, clock) = (&*ctx.accounts, Clock::get()?);
        let (mut config, mut state) = read_multisig_and_state(&accounts.multisig, &accounts.state)?;
        let mut proposal = read_upgrade_proposal(&state, &accounts.proposal)?;
        accounts.validate(&config, &state, &proposal, &clock)?;
        squads::require_policy(&config, ctx.remaining_accounts)?;
        let loader = accounts.loader();
        install::require_accounts(&loader, &state, &proposal.terms)?;
        accounts.require_code(&proposal)?;
        accounts.supersede(&state)?;
        let (now, slot) = (clock.unix_timestamp, clock.slot);
        state.upgrade(accounts.proposal.key(), &proposal.terms, now, slot);
        proposal.execute(&config, now, slot)?;
        config.end_proposal(&proposal.proposer);
        io::write(&accounts.state, &*state)?;
        io::write(&accounts.proposal, &*proposal)?;
        io::write(&accounts.multisig, &*config)?;
        accounts.emit_event(&state)?;
        install::install(&loader, &state, &accounts.upgrade_buffer)
    }

    fn emit_event(&self, state: &ProgramUpgradeState) -> Result<()> {
        let event = UpgradeExecuted {
            proposal: self.proposal.key(),
            program: state.program,
            executor: self.executor.key(),
            elf_hash: state.elf_hash,
            previous_elf_hash: state.previous_elf_hash,
            version: state.version,
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
