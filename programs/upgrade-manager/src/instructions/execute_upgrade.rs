//! Installs the new code: after the timelock, inside the window, from the very buffer that was
//! approved, and only while the way back is proved to hold what runs.
use anchor_lang::prelude::*;
use anchor_lang::solana_program::sysvar::SysvarId;

use crate::emit::emit;
use crate::error::ManagerError;
use crate::events::UpgradeExecuted;
use crate::loader::{self, Authority, Install};
use crate::seeds;
use crate::state::{
    BufferAttestation, Course, MultisigConfig, ProgramUpgradeState, UpgradeProposal, role,
};

/// Accounts of `execute_upgrade`.
#[event_cpi]
#[derive(Accounts)]
pub struct ExecuteUpgrade<'info> {
    /// Executes.
    pub executor: Signer<'info>,
    /// The team.
    #[account(
        mut,
        dup,
        seeds = [seeds::MULTISIG, multisig.create_key.as_ref()],
        bump = multisig.bump,
    )]
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
    /// CHECK: its code; `validate` reads it.
    #[account(mut, address = state.program_data @ ManagerError::WrongAccount)]
    pub program_data: UncheckedAccount<'info>,
    /// CHECK: the new code; `validate` reads it.
    #[account(mut, address = proposal.terms.upgrade.buffer @ ManagerError::WrongAccount)]
    pub upgrade_buffer: UncheckedAccount<'info>,
    /// What is known of it.
    #[account(
        seeds = [seeds::ATTESTATION, upgrade_buffer.key().as_ref()],
        bump = upgrade_attestation.bump,
    )]
    pub upgrade_attestation: Box<Account<'info, BufferAttestation>>,
    /// CHECK: the way back; `validate` compares it with what runs.
    #[account(address = proposal.terms.rollback.buffer @ ManagerError::WrongAccount)]
    pub rollback_buffer: UncheckedAccount<'info>,
    /// What is known of it.
    #[account(
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

impl<'info> ExecuteUpgrade<'info> {
    fn validate(&self, clock: &Clock) -> Result<()> {
        let (key, terms) = (self.proposal.key(), &self.proposal.terms);
        self.multisig.require_role(&self.executor.key(), role::EXECUTE)?;
        let (now, slot) = (clock.unix_timestamp, clock.slot);
        self.proposal.require_executable(&self.multisig, now, slot)?;
        self.proposal.require_fresh(&self.multisig)?;
        self.state.require_live(&key)?;
        self.state.require_steady()?;
        self.state.require_runs(terms)?;
        self.upgrade_attestation.require_taken_by(&key)?;
        self.rollback_attestation.require_taken_by(&key)?;
        let (authority, live) = (self.authority.key, &self.program_data);
        loader::require_live(&self.rollback_buffer, &terms.rollback, live, authority)?;
        loader::require_pinned(&self.upgrade_buffer, &terms.upgrade, authority)
    }

    /// Moves every status, then installs the code.
    pub(crate) fn handle(ctx: Context<'info, Self>) -> Result<()> {
        let (accounts, clock) = (ctx.accounts, Clock::get()?);
        accounts.validate(&clock)?;
        let (key, previous_elf_hash) = (accounts.proposal.key(), accounts.state.elf_hash);
        let (now, slot) = (clock.unix_timestamp, clock.slot);
        accounts.state.upgrade(key, &accounts.proposal.terms, now, slot);
        accounts.proposal.execute(&accounts.multisig, now, slot)?;
        accounts.multisig.end_proposal(&accounts.proposal.proposer);
        accounts.install()?;
        let event = UpgradeExecuted {
            proposal: key,
            program: accounts.state.program,
            executor: accounts.executor.key(),
            elf_hash: accounts.state.elf_hash,
            previous_elf_hash,
            version: accounts.state.version,
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
            buffer: &self.upgrade_buffer,
            spill: &self.spill,
            rent: &self.rent,
            clock: &self.clock,
            loader: &self.loader,
        })
    }
}
