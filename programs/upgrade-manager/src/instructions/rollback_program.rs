//! Puts the old code back, once per execution, from the very buffer that was proved to hold it, and
//! only when no account is left behind on the new layout or the members gave those up.
use anchor_lang::prelude::*;
use anchor_lang::solana_program::sysvar::SysvarId;

use crate::emit::emit;
use crate::error::ManagerError;
use crate::events::ProgramRolledBack;
use crate::loader::{self, Authority, Install};
use crate::seeds;
use crate::state::{
    BufferAttestation, MultisigConfig, ProgramUpgradeState, ProposalStatus, UpgradeProposal, role,
};

/// Accounts of `rollback_program`.
#[event_cpi]
#[derive(Accounts)]
pub struct RollbackProgram<'info> {
    /// Executes.
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
    /// CHECK: the program.
    #[account(mut, address = state.program @ ManagerError::WrongAccount)]
    pub target_program: UncheckedAccount<'info>,
    /// CHECK: its code.
    #[account(mut, address = state.program_data @ ManagerError::WrongAccount)]
    pub program_data: UncheckedAccount<'info>,
    /// CHECK: the old code; `validate` reads it.
    #[account(mut, address = proposal.terms.rollback.buffer @ ManagerError::WrongAccount)]
    pub rollback_buffer: UncheckedAccount<'info>,
    /// What is known of it.
    #[account(
        mut,
        seeds = [seeds::ATTESTATION, rollback_buffer.key().as_ref()],
        bump = rollback_attestation.bump,
    )]
    pub rollback_attestation: Box<Account<'info, BufferAttestation>>,
    /// CHECK: gets surplus lamports; it is the treasury that was approved.
    #[account(mut, address = proposal.terms.spill @ ManagerError::WrongAccount)]
    pub spill: UncheckedAccount<'info>,
    /// CHECK: an address that signs loader calls and holds nothing.
    #[account(seeds = [seeds::AUTHORITY, state.program.as_ref()], bump = state.authority_bump)]
    pub authority: UncheckedAccount<'info>,
    /// CHECK: the rent sysvar, for the loader.
    #[account(address = Rent::id())]
    pub rent: UncheckedAccount<'info>,
    /// CHECK: the clock sysvar, for the loader.
    #[account(address = Clock::id())]
    pub clock: UncheckedAccount<'info>,
    /// CHECK: the upgradeable loader.
    #[account(address = loader::ID)]
    pub loader: UncheckedAccount<'info>,
}

impl<'info> RollbackProgram<'info> {
    fn validate(&self, slot: u64) -> Result<()> {
        let (key, proposal) = (self.proposal.key(), &self.proposal);
        self.multisig.require_role(&self.executor.key(), role::EXECUTE)?;
        proposal.require_rolling_back()?;
        self.state.require_rolling_back(&key)?;
        self.state.require_callable(slot)?;
        let restored = self.state.counters.on_new_layout() == 0;
        let given_up = proposal.ballot.may_give_up(&self.multisig);
        control!(restored || given_up, ManagerError::NotRestored);
        self.rollback_attestation.require_taken_by(&key)?;
        loader::require_authority(&self.program_data, self.authority.key)?;
        let pinned = &proposal.terms.rollback;
        loader::require_pinned(&self.rollback_buffer, pinned, self.authority.key)
    }

    /// Moves every status, then installs the old code.
    pub(crate) fn handle(ctx: Context<'info, Self>) -> Result<()> {
        let (accounts, slot) = (ctx.accounts, Clock::get()?.slot);
        accounts.validate(slot)?;
        let key = accounts.proposal.key();
        accounts.proposal.status = ProposalStatus::RolledBack;
        accounts.state.roll_back(&key, slot);
        accounts.install()?;
        let event = ProgramRolledBack {
            proposal: key,
            program: accounts.state.program,
            executor: accounts.executor.key(),
            elf_hash: accounts.state.elf_hash,
            version: accounts.state.version,
            given_up: accounts.state.counters.on_new_layout(),
        };
        emit(&accounts.event_authority, &event)
    }

    fn install(&self) -> Result<()> {
        let authority = Authority {
            info: &self.authority,
            program: &self.state.program,
            bump: self.state.authority_bump,
        };
        authority.install(&Install {
            program_data: &self.program_data,
            program: &self.target_program,
            buffer: &self.rollback_buffer,
            spill: &self.spill,
            rent: &self.rent,
            clock: &self.clock,
            loader: &self.loader,
        })
    }
}
