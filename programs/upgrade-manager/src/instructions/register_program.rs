//! Takes over the upgrade authority of a program: its present authority signs, and so does the
//! manager's address, so that no mistyped key can receive it.
use anchor_lang::prelude::*;

use crate::emit::emit;
use crate::error::ManagerError;
use crate::events::ProgramRegistered;
use crate::loader::{self, Authority};
use crate::seeds;
use crate::state::{Counters, LAYOUT, MultisigConfig, Phase, ProgramUpgradeState};

/// Accounts of `register_program`.
#[event_cpi]
#[derive(Accounts)]
pub struct RegisterProgram<'info> {
    /// Has the upgrade authority now.
    pub current_authority: Signer<'info>,
    /// Pays for the state.
    #[account(mut)]
    pub payer: Signer<'info>,
    /// The team that decides from now on.
    #[account(seeds = [seeds::MULTISIG, multisig.create_key.as_ref()], bump = multisig.bump)]
    pub multisig: Box<Account<'info, MultisigConfig>>,
    /// CHECK: the program; `validate` reads it as a program of the loader.
    pub target_program: UncheckedAccount<'info>,
    /// CHECK: its ProgramData account; `validate` checks that the program points to it.
    #[account(mut)]
    pub program_data: UncheckedAccount<'info>,
    /// CHECK: an address that signs loader calls and holds nothing.
    #[account(seeds = [seeds::AUTHORITY, target_program.key().as_ref()], bump)]
    pub authority: UncheckedAccount<'info>,
    /// The program's new state.
    #[account(
        init,
        payer = payer,
        space = 8 + ProgramUpgradeState::INIT_SPACE,
        seeds = [seeds::PROGRAM, target_program.key().as_ref()],
        bump,
    )]
    pub state: Box<Account<'info, ProgramUpgradeState>>,
    /// CHECK: the upgradeable loader.
    #[account(address = loader::ID)]
    pub loader: UncheckedAccount<'info>,
    /// Makes the account.
    pub system_program: Program<'info, System>,
}

impl<'info> RegisterProgram<'info> {
    /// Checks the program and returns the hash of what runs.
    fn validate(&self, trimmed_len: u32) -> Result<[u8; 32]> {
        let program = &self.target_program;
        control!(program.key() != crate::ID, ManagerError::SelfRegistration);
        let points_to = loader::program_data_address(program.owner, &program.try_borrow_data()?)?;
        control!(points_to == self.program_data.key(), ManagerError::WrongAccount);
        let data = self.program_data.try_borrow_data()?;
        let held = loader::program_data(self.program_data.owner, &data)?;
        let current = Some(self.current_authority.key());
        control!(held.authority == current, ManagerError::NotUpgradeAuthority);
        loader::elf_hash(loader::trimmed(held.elf, trimmed_len)?)
    }

    /// Takes the authority over and writes down what runs.
    pub(crate) fn handle(ctx: Context<'info, Self>, version: u16, trimmed_len: u32) -> Result<()> {
        let (accounts, bumps) = (ctx.accounts, &ctx.bumps);
        let elf_hash = accounts.validate(trimmed_len)?;
        let program = accounts.target_program.key();
        let authority =
            Authority { info: &accounts.authority, program: &program, bump: bumps.authority };
        authority.take(&accounts.program_data, &accounts.current_authority, &accounts.loader)?;
        accounts.state.set_inner(ProgramUpgradeState {
            layout: LAYOUT,
            bump: bumps.state,
            authority_bump: bumps.authority,
            migrator_bump: seeds::migrator(&program).1,
            multisig: accounts.multisig.key(),
            program,
            program_data: accounts.program_data.key(),
            version,
            elf_hash,
            previous_version: version,
            previous_elf_hash: elf_hash,
            phase: Phase::Steady,
            live_proposal: None,
            roll_forward: None,
            last_executed: None,
            executed_slot: 0,
            executed_at: 0,
            counters: Counters::default(),
            payer: accounts.payer.key(),
            reserved: [0; 64],
        });
        let event = ProgramRegistered {
            program,
            multisig: accounts.multisig.key(),
            previous_authority: accounts.current_authority.key(),
            version,
            elf_hash,
        };
        emit(&accounts.event_authority, &event)
    }
}
