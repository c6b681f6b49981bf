//! Moves a program's upgrade authority to the manager. The present authority signs, and so does the
//! manager's address, so the authority cannot go to a mistyped key.
use anchor_lang::prelude::*;

use crate::account_io::io;
use crate::account_io::io::Payer;
use crate::error::ManagerError;
use crate::events::ProgramRegistered;
use crate::external::loader::UpgradeAuthority;
use crate::external::{loader, squads};
use crate::runtime::emit::emit;
use crate::runtime::require::require;
use crate::seeds;
use crate::state::elf::MAX_INLINE_LEN;
use crate::state::{Counters, LAYOUT, MultisigConfig, Phase, ProgramUpgradeState, elf};

/// Accounts of `register_program`; behind them the Squads multisig, for a multisig that has one.
#[derive(Accounts)]
pub struct RegisterProgram<'info> {
    /// The program's present upgrade authority.
    pub current_authority: Signer<'info>,
    /// Pays for the state.
    #[account(mut)]
    pub payer: Signer<'info>,
    /// CHECK: the multisig that decides from now on; `handle` reads it.
    #[account(mut)]
    pub multisig: UncheckedAccount<'info>,
    /// CHECK: the program; `validate` reads it as a program of the loader.
    pub target_program: UncheckedAccount<'info>,
    /// CHECK: its ProgramData account; `validate` checks that the program points to it.
    #[account(mut)]
    pub program_data: UncheckedAccount<'info>,
    /// CHECK: the address that holds the upgrade authority; `handle` checks it.
    pub authority: UncheckedAccount<'info>,
    /// CHECK: the program's new state; `io::create` makes it at its address.
    #[account(mut)]
    pub state: UncheckedAccount<'info>,
    /// CHECK: the upgradeable loader.
    pub loader: UncheckedAccount<'info>,
    /// Makes the account.
    pub system_program: Program<'info, System>,
    /// CHECK: signs events; `emit` checks it.
    pub event_authority: UncheckedAccount<'info>,
    /// CHECK: the manager, which receives event CPIs.
    pub program: UncheckedAccount<'info>,
}

impl<'info> RegisterProgram<'info> {
    /// Checks the program and returns the hash of its code; zero for code that is too large to be
    /// hashed here, whose hash the first attested rollback buffer supplies.
    fn validate(&self, trimmed_len: u32) -> Result<[u8; 32]> {
        require!(*self.loader.key == loader::ID, ManagerError::WrongProgram);
        let program = &self.target_program;
        let points_to = loader::program_data_address(program.owner, &program.try_borrow_data()?)?;
        require!(points_to == self.program_data.key(), ManagerError::WrongAccount);
        let data = self.program_data.try_borrow_data()?;
        let held = loader::program_data(self.program_data.owner, &data)?;
        let current = Some(self.current_authority.key());
        require!(held.authority == current, ManagerError::NotUpgradeAuthority);
        let elf = elf::trimmed(held.elf, trimmed_len)?;
        elf::require_elf(elf)?;
        if elf.len() > MAX_INLINE_LEN { Ok([0; 32]) } else { elf::elf_hash(elf) }
    }

    /// Moves the authority and creates the program's state.
    pub(crate) fn handle(ctx: Context<'info, Self>, version: u16, trimmed_len: u32) -> Result<()> {
        let accounts = ctx.accounts;
        let elf_hash = accounts.validate(trimmed_len)?;
        let program = accounts.target_program.key();
        let mut config: Box<MultisigConfig> = io::read(&accounts.multisig)?;
        squads::require_policy(&config, ctx.remaining_accounts)?;
        config.add_program(&program)?;
        let (address, bump) = seeds::authority(&program);
        require!(accounts.authority.key() == address, ManagerError::WrongAccount);
        let authority = UpgradeAuthority { info: &accounts.authority, program: &program, bump };
        authority.take_over(
            &accounts.program_data,
            &accounts.current_authority,
            &accounts.loader,
        )?;
        io::write(&accounts.multisig, &*config)?;
        accounts.create(bump, version, elf_hash)?;
        let event = ProgramRegistered {
            program,
            multisig: accounts.multisig.key(),
            previous_authority: accounts.current_authority.key(),
            version,
            elf_hash,
        };
        emit(&accounts.event_authority, &event)
    }

    fn create(&self, authority_bump: u8, version: u16, elf_hash: [u8; 32]) -> Result<()> {
        let program = self.target_program.key();
        let (payer, system_program) = (&self.payer, &self.system_program);
        let by = Payer { payer, system_program, rent: &Rent::get()? };
        let (seeds, space) =
            ([seeds::PROGRAM, program.as_ref()], 8 + ProgramUpgradeState::INIT_SPACE);
        let state = Box::new(ProgramUpgradeState {
            layout: LAYOUT,
            bump: io::create(&self.state, &seeds, space, &by)?,
            authority_bump,
            migrator_bump: seeds::migrator(&program).1,
            multisig: self.multisig.key(),
            program,
            program_data: self.program_data.key(),
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
            payer: self.payer.key(),
            reserved: [0; 64],
        });
        io::write(&self.state, &*state)
    }
}
