//! Moves a program's upgrade authority to the key that the members approved, which signs too. This
//! is the only way for a program to leave the manager.
use anchor_lang::prelude::*;

use crate::account_io::io;
use crate::account_io::multisig::{
    read_governance_proposal, read_multisig_and_state, require_direct,
};
use crate::error::{ManagerError, to_error};
use crate::events::AuthorityTransferred;
use crate::external::loader::UpgradeAuthority;
use crate::external::{loader, squads};
use crate::runtime::emit::emit;
use crate::runtime::require::require;
use crate::state::{
    Action, GovernanceProposal, MultisigConfig, ProgramUpgradeState, Transfer, Votable, role,
};

/// Accounts of `execute_transfer`; behind them the Squads multisig, for a multisig that has one.
#[derive(Accounts)]
pub struct ExecuteTransfer<'info> {
    /// Executes.
    pub executor: Signer<'info>,
    /// The approved new upgrade authority.
    pub new_authority: Signer<'info>,
    /// CHECK: the multisig; `handle` reads it.
    #[account(mut)]
    pub multisig: UncheckedAccount<'info>,
    /// CHECK: the program's state; `handle` reads it.
    #[account(mut)]
    pub state: UncheckedAccount<'info>,
    /// CHECK: the proposal; `handle` reads it.
    #[account(mut)]
    pub proposal: UncheckedAccount<'info>,
    /// CHECK: the program's code; `validate` compares it with the state.
    #[account(mut)]
    pub program_data: UncheckedAccount<'info>,
    /// CHECK: the address that holds the upgrade authority; `validate` checks it.
    pub authority: UncheckedAccount<'info>,
    /// CHECK: the upgradeable loader.
    pub loader: UncheckedAccount<'info>,
    /// CHECK: signs events; `emit` checks it.
    pub event_authority: UncheckedAccount<'info>,
    /// CHECK: the manager, which receives event CPIs.
    pub program: UncheckedAccount<'info>,
}

impl<'info> ExecuteTransfer<'info> {
    fn validate(
        &self,
        config: &MultisigConfig,
        state: &ProgramUpgradeState,
        proposal: &GovernanceProposal,
        clock: &Clock,
    ) -> Result<()> {
        require_direct(config)?;
        config.require_role(self.executor.key, role::EXECUTE)?;
        proposal.require_executable(config, clock.unix_timestamp, clock.slot)?;
        proposal.require_fresh(config)?;
        config.require_not_paused(clock.unix_timestamp)?;
        state.require_releasable(self.proposal.key)?;
        require!(*self.loader.key == loader::ID, ManagerError::WrongProgram);
        require!(self.authority.key() == state.authority(), ManagerError::WrongAccount);
        require!(self.program_data.key() == state.program_data, ManagerError::WrongAccount);
        loader::require_authority(&self.program_data, self.authority.key)
    }

    /// Releases the program: writes state and emits the event before the loader CPI.
    pub(crate) fn handle(ctx: Context<'info, Self>) -> Result<()> {
        let (accounts, clock) = (ctx.accounts, Clock::get()?);
        let (mut config, mut state) = read_multisig_and_state(&accounts.multisig, &accounts.state)?;
        let mut proposal = read_governance_proposal(accounts.multisig.key, &accounts.proposal)?;
        // `require_releasable` checks that the state names this proposal, so the action is about
        // this program.
        let Action::TransferAuthority(Transfer { new_authority, .. }) = proposal.terms.action
        else {
            return Err(to_error(ManagerError::NotThisKind));
        };
        accounts.validate(&config, &state, &proposal, &clock)?;
        let is_approved_key = accounts.new_authority.key() == new_authority;
        require!(is_approved_key, ManagerError::NewAuthority);
        squads::require_policy(&config, ctx.remaining_accounts)?;
        state.release();
        config.remove_program(&state.program)?;
        config.end_proposal(&proposal.proposer);
        proposal.execute(clock.unix_timestamp, clock.slot);
        io::write(&accounts.state, &*state)?;
        io::write(&accounts.multisig, &*config)?;
        io::write(&accounts.proposal, &*proposal)?;
        accounts.emit_event(&state.program)?;
        let (program, bump) = (&state.program, state.authority_bump);
        let authority = UpgradeAuthority { info: &accounts.authority, program, bump };
        authority.hand_over(&accounts.program_data, &accounts.new_authority, &accounts.loader)
    }

    fn emit_event(&self, program: &Pubkey) -> Result<()> {
        let event = AuthorityTransferred {
            proposal: self.proposal.key(),
            program: *program,
            multisig: self.multisig.key(),
            executor: self.executor.key(),
            new_authority: self.new_authority.key(),
        };
        emit(&self.event_authority, &event)
    }
}
