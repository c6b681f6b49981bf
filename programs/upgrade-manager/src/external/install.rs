//! Replaces the code of a program, in an upgrade and in a rollback. The instruction calls
//! [`require_accounts`] before it writes anything, and [`install`], which calls the loader, last.
use anchor_lang::prelude::*;

use crate::error::ManagerError;
use crate::external::loader;
use crate::external::loader::{InstallAccounts, UpgradeAuthority};
use crate::runtime::require::require;
use crate::state::{ProgramUpgradeState, Terms};

/// The rent sysvar. A constant, because the SDK's function decodes it from base58 at every call.
const RENT: Pubkey = pubkey!("SysvarRent111111111111111111111111111111111");
/// The clock sysvar.
const CLOCK: Pubkey = pubkey!("SysvarC1ock11111111111111111111111111111111");

/// The loader's accounts as the caller passed them, before any check. The buffer is not among them,
/// because an upgrade and a rollback check it differently.
pub(crate) struct LoaderAccounts<'a, 'info> {
    /// The program to upgrade.
    pub program: &'a AccountInfo<'info>,
    /// Its ProgramData account.
    pub program_data: &'a AccountInfo<'info>,
    /// Receives surplus lamports.
    pub spill: &'a AccountInfo<'info>,
    /// The address that holds the upgrade authority and signs.
    pub authority: &'a AccountInfo<'info>,
    /// The rent sysvar.
    pub rent: &'a AccountInfo<'info>,
    /// The clock sysvar.
    pub clock: &'a AccountInfo<'info>,
    /// The loader.
    pub loader: &'a AccountInfo<'info>,
}

/// Every account in `with` is the right one: program, ProgramData and authority are those of `state`,
/// the spill is the one that the members approved in `terms`, the rest have fixed addresses.
#[inline(never)]
pub(crate) fn require_accounts(
    with: &LoaderAccounts,
    state: &ProgramUpgradeState,
    terms: &Terms,
) -> Result<()> {
    require!(*with.program.key == state.program, ManagerError::WrongAccount);
    require!(*with.program_data.key == state.program_data, ManagerError::WrongAccount);
    require!(*with.spill.key == terms.spill, ManagerError::WrongAccount);
    require!(*with.authority.key == state.authority(), ManagerError::WrongAccount);
    require!(*with.rent.key == RENT, ManagerError::WrongProgram);
    require!(*with.clock.key == CLOCK, ManagerError::WrongProgram);
    require!(*with.loader.key == loader::ID, ManagerError::WrongProgram);
    Ok(())
}

/// Installs the code of `buffer`. The manager signs as the address that holds the upgrade authority.
/// [`require_accounts`] must have accepted `with`.
pub(crate) fn install<'info>(
    with: &LoaderAccounts<'_, 'info>,
    state: &ProgramUpgradeState,
    buffer: &AccountInfo<'info>,
) -> Result<()> {
    let (program, bump) = (&state.program, state.authority_bump);
    let authority = UpgradeAuthority { info: with.authority, program, bump };
    authority.install(&InstallAccounts {
        program_data: with.program_data,
        program: with.program,
        buffer,
        spill: with.spill,
        rent: with.rent,
        clock: with.clock,
        loader: with.loader,
    })
}

#[cfg(test)]
mod tests {
    use anchor_lang::solana_program::sysvar::SysvarId as _;

    use super::*;

    #[test]
    fn the_sysvars_are_the_sdks() {
        assert_eq!((RENT, CLOCK), (Rent::id(), Clock::id()));
    }
}
