//! The migration interface: the only code that changes a vault's layout. Only the pinned manager
//! can call it. A call changes one vault and moves only the rent of the bytes gained or lost.
use anchor_lang::{
    prelude::*,
    system_program::{Transfer, transfer},
};
use migration_interface::MANAGER_ID;
use solana_sha256_hasher::hash;

use crate::{
    error::VaultError,
    layout::{encode, version_of},
    served, v1, v2,
};

/// The upgrade manager that may migrate this program's vaults.
pub const MANAGER: Pubkey = Pubkey::new_from_array(MANAGER_ID);
/// The manager's migrator address for this program, `[MIGRATOR_SEED, this program]`. A constant,
/// checked by a test, because deriving it in every call costs compute units.
pub const MIGRATOR: Pubkey = pubkey!("CHRv48ho7AGyAuUEYpRLYAPDxmmJgMBjbVyTiJ4YiSMZ");

/// The fixed part of every call, behind the discriminator.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transition {
    /// Version the vault must hold.
    pub from: u16,
    /// Version it must hold afterwards.
    pub to: u16,
    /// sha256 of its bytes before the call.
    pub expected_sha256: [u8; 32],
}

/// All bytes behind the fixed part. They have no length prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tail(pub Vec<u8>);

impl AnchorDeserialize for Tail {
    fn deserialize_reader<R: std::io::Read>(reader: &mut R) -> std::io::Result<Self> {
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes)?;
        Ok(Self(bytes))
    }
}

impl AnchorSerialize for Tail {
    fn serialize<W: std::io::Write>(&self, writer: &mut W) -> std::io::Result<()> {
        writer.write_all(&self.0)
    }
}

/// An IDL cannot describe bytes without a length prefix, so it only names the type.
#[cfg(feature = "idl-build")]
impl IdlBuild for Tail {}

/// Accounts of `migrate`.
#[derive(Accounts)]
pub struct Migrate<'info> {
    /// The pinned manager's signature.
    #[account(address = MIGRATOR @ VaultError::NotTheMigrator)]
    pub migrator: Signer<'info>,
    /// CHECK: owned by this program; `check_transition` checks type and version.
    #[account(mut, owner = crate::ID)]
    pub vault: UncheckedAccount<'info>,
    /// Pays the rent of the bytes gained.
    #[account(mut, constraint = rent.key() != vault.key() @ VaultError::RentIsVault)]
    pub rent: Signer<'info>,
    /// Moves the rent.
    pub system_program: Program<'info, System>,
}

/// Accounts of `restore` and `migrate_down`.
#[derive(Accounts)]
pub struct Restore<'info> {
    /// The pinned manager's signature.
    #[account(address = MIGRATOR @ VaultError::NotTheMigrator)]
    pub migrator: Signer<'info>,
    /// CHECK: owned by this program; `check_transition` checks type and version.
    #[account(mut, owner = crate::ID)]
    pub vault: UncheckedAccount<'info>,
    /// CHECK: only receives the rent of the bytes lost; the manager says who paid it.
    #[account(mut, constraint = rent.key() != vault.key() @ VaultError::RentIsVault)]
    pub rent: UncheckedAccount<'info>,
    /// Part of the interface, not called.
    pub system_program: Program<'info, System>,
}

/// Checks a call. Returns false when the vault is at `call.to` already and there is nothing to do.
fn check_transition(data: &[u8], call: &Transition, from: u16, to: u16) -> Result<bool> {
    let known = (call.from, call.to) == (from, to) && from.max(to) <= served::VERSION;
    require!(known, VaultError::UnknownTransition);
    let stored = version_of(data)?;
    if stored == to {
        return Ok(false);
    }
    require!(stored == from, VaultError::WrongVersion);
    require!(hash(data).to_bytes() == call.expected_sha256, VaultError::WrongHash);
    Ok(true)
}

/// v1 to v2. The payer pays for exactly the bytes gained, whatever else the vault holds: lamports
/// of the owner or of a stranger must not change what a restore gives back.
pub(crate) fn migrate(ctx: Context<Migrate>, call: &Transition) -> Result<()> {
    let Migrate { vault, rent, system_program, .. } = ctx.accounts;
    let old = {
        let data = vault.try_borrow_data()?;
        if !check_transition(&data, call, v1::VERSION, v2::VERSION)? {
            return Ok(());
        }
        v1::Vault::try_deserialize(&mut &data[..])?
    };
    let growth = rent_between(v1::LEN, v2::LEN)?;
    let accounts = Transfer { from: rent.to_account_info(), to: vault.to_account_info() };
    transfer(CpiContext::new(system_program.key(), accounts), growth)?;
    replace(vault, &encode(&v2::Vault::from(old))?)
}

/// v2 to v1 with the exact bytes from before the migration, which must be this vault's own.
pub(crate) fn restore(ctx: Context<Restore>, call: &Transition, bytes: &Tail) -> Result<()> {
    let Restore { vault, rent, .. } = ctx.accounts;
    let Some(now) = vault_to_shrink(vault, call)? else { return Ok(()) };
    let old =
        v1::Vault::try_deserialize(&mut &bytes.0[..]).map_err(|_| VaultError::ForeignBytes)?;
    let own = (old.owner, old.index, old.bump) == (now.owner, now.index, now.bump);
    require!(own && bytes.0.len() == v1::LEN, VaultError::ForeignBytes);
    replace(vault, &bytes.0)?;
    give_back(vault, rent, old.balance)
}

/// v2 to v1 by computation, for a vault that was used since its migration.
pub(crate) fn migrate_down(ctx: Context<Restore>, call: &Transition) -> Result<()> {
    let Restore { vault, rent, .. } = ctx.accounts;
    let Some(now) = vault_to_shrink(vault, call)? else { return Ok(()) };
    let old = now.down()?;
    replace(vault, &encode(&old)?)?;
    give_back(vault, rent, old.balance)
}

/// The vault in the second layout; `None` when it is in the first already.
fn vault_to_shrink(info: &UncheckedAccount, call: &Transition) -> Result<Option<v2::Vault>> {
    let data = info.try_borrow_data()?;
    if !check_transition(&data, call, v2::VERSION, v1::VERSION)? {
        return Ok(None);
    }
    v2::Vault::try_deserialize(&mut &data[..]).map(Some)
}

/// Lamports that `long` bytes need beyond `short` ones, at today's rent.
fn rent_between(short: usize, long: usize) -> Result<u64> {
    let rent = Rent::get()?;
    let more = rent.minimum_balance(long).checked_sub(rent.minimum_balance(short));
    more.ok_or_else(|| VaultError::Overflow.into())
}

fn replace(info: &UncheckedAccount, bytes: &[u8]) -> Result<()> {
    info.resize(bytes.len())?;
    info.try_borrow_mut_data()?.copy_from_slice(bytes);
    Ok(())
}

/// Sends the rent of the bytes lost to `to`, but leaves at least the rent and `balance`.
fn give_back(vault: &UncheckedAccount, to: &UncheckedAccount, balance: u64) -> Result<()> {
    let rent = Rent::get()?.minimum_balance(v1::LEN);
    let needed = rent.checked_add(balance).ok_or(VaultError::Overflow)?;
    let spare = vault.lamports().checked_sub(needed).ok_or(VaultError::RentNeeded)?;
    let amount = spare.min(rent_between(v1::LEN, v2::LEN)?);
    vault.sub_lamports(amount)?;
    to.add_lamports(amount)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_migrator_is_the_pinned_managers() {
        let seeds = [migration_interface::MIGRATOR_SEED, crate::ID.as_ref()];
        assert_eq!(Pubkey::find_program_address(&seeds, &MANAGER).0, MIGRATOR);
    }

    #[test]
    fn a_call_reads_as_the_interface_writes_it() {
        let header = migration_interface::Header { from: 2, to: 1, expected_sha256: [7; 32] };
        let mut data = header.encode(migration_interface::RESTORE).to_vec();
        data.extend([1, 2, 3]);
        let mut args = &data[8..];
        let call = Transition::deserialize(&mut args).unwrap();
        assert_eq!(call, Transition { from: 2, to: 1, expected_sha256: [7; 32] });
        assert_eq!(Tail::deserialize(&mut args).unwrap(), Tail(vec![1, 2, 3]));
    }

    #[test]
    fn a_build_refuses_versions_it_does_not_serve() {
        let old = encode(&v1::Vault::new(1, Pubkey::default(), 0)).unwrap();
        let expected_sha256 = hash(&old).to_bytes();
        let up = Transition { from: 1, to: 2, expected_sha256 };
        let answer = check_transition(&old, &up, 1, 2);
        if cfg!(feature = "v2") {
            assert!(answer.unwrap());
        } else {
            assert_eq!(answer.unwrap_err(), VaultError::UnknownTransition.into());
        }
        let further = Transition { from: 2, to: 3, ..up };
        assert_eq!(
            check_transition(&old, &further, 1, 2).unwrap_err(),
            VaultError::UnknownTransition.into()
        );
    }

    #[cfg(feature = "v2")]
    #[test]
    fn wrong_bytes_are_refused_and_a_finished_vault_is_left_alone() {
        let old = encode(&v1::Vault::new(1, Pubkey::default(), 0)).unwrap();
        let wrong = Transition { from: 1, to: 2, expected_sha256: [0; 32] };
        assert_eq!(check_transition(&old, &wrong, 1, 2).unwrap_err(), VaultError::WrongHash.into());
        let done = encode(&v2::Vault::new(1, Pubkey::default(), 0)).unwrap();
        assert!(!check_transition(&done, &wrong, 1, 2).unwrap());
        let mut odd = done;
        odd[8] = 9;
        assert_eq!(
            check_transition(&odd, &wrong, 1, 2).unwrap_err(),
            VaultError::WrongVersion.into()
        );
    }
}
