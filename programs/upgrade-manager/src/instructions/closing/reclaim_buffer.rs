//! Closes a buffer whose authority somebody set to the manager's address without freezing it. There
//! is no attestation that says who gets the rent back, so the multisig's treasury gets it.
use anchor_lang::prelude::*;

use crate::account_io::multisig::read_multisig_and_state;
use crate::account_io::program::read_attestation_if_any;
use crate::error::ManagerError;
use crate::events::BufferReclaimed;
use crate::external::loader;
use crate::external::loader::UpgradeAuthority;
use crate::runtime::emit::emit;
use crate::runtime::require::require;
use crate::state::{MultisigConfig, ProgramUpgradeState, role};

/// Accounts of `reclaim_buffer`.
#[derive(Accounts)]
pub struct ReclaimBuffer<'info> {
    /// Executes.
    pub executor: Signer<'info>,
    /// CHECK: the multisig; `handle` reads it.
    pub multisig: UncheckedAccount<'info>,
    /// CHECK: the state of the program whose address has the buffer; `handle` reads it.
    pub state: UncheckedAccount<'info>,
    /// CHECK: the buffer; `validate` reads it.
    #[account(mut)]
    pub buffer: UncheckedAccount<'info>,
    /// CHECK: where an attestation of the buffer would be; must not exist.
    pub attestation: UncheckedAccount<'info>,
    /// CHECK: gets the rent; `validate` checks it.
    #[account(mut)]
    pub treasury: UncheckedAccount<'info>,
    /// CHECK: the address that holds the upgrade authority; `validate` checks it.
    pub authority: UncheckedAccount<'info>,
    /// CHECK: the upgradeable loader; `validate` checks it.
    pub loader: UncheckedAccount<'info>,
    /// CHECK: signs events; `emit` checks it.
    pub event_authority: UncheckedAccount<'info>,
    /// CHECK: the manager, which receives event CPIs.
    pub program: UncheckedAccount<'info>,
}

impl<'info> ReclaimBuffer<'info> {
    fn validate(&self, config: &MultisigConfig, state: &ProgramUpgradeState) -> Result<()> {
        config.require_role(self.executor.key, role::EXECUTE)?;
        require!(config.treasury == *self.treasury.key, ManagerError::WrongAccount);
        require!(*self.loader.key == loader::ID, ManagerError::WrongProgram);
        require!(*self.authority.key == state.authority(), ManagerError::WrongAccount);
        let known = read_attestation_if_any(&self.attestation, self.buffer.key)?;
        require!(known.is_none(), ManagerError::BufferKnown);
        let data = self.buffer.try_borrow_data()?;
        loader::buffer(self.buffer.owner, &data)?.require_frozen(self.authority.key)?;
        Ok(())
    }

    pub(crate) fn handle(ctx: Context<'info, Self>) -> Result<()> {
        let accounts = &*ctx.accounts;
        let (config, state) = read_multisig_and_state(&accounts.multisig, &accounts.state)?;
        accounts.validate(&config, &state)?;
        let (program, bump) = (state.program, state.authority_bump);
        let authority = UpgradeAuthority { info: &accounts.authority, program: &program, bump };
        authority.close(&accounts.buffer, &accounts.treasury, &accounts.loader)?;
        let event = BufferReclaimed {
            buffer: *accounts.buffer.key,
            program,
            executor: *accounts.executor.key,
            treasury: *accounts.treasury.key,
        };
        emit(&accounts.event_authority, &event)
    }
}
