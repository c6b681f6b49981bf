//! Code that a careless or bribed team might install in place of the demo vault's: it migrates and
//! restores vaults, and does wrong to those whose index asks for it. For tests only; never deployed.
use anchor_lang::{
    prelude::*,
    solana_program::{
        entrypoint::ProgramResult, instruction::Instruction, program::invoke, system_instruction,
    },
};
use demo_vault::{layout, v1, v2};
use migration_interface::{Call, MANAGER_ID};

/// Vaults with an index from here on name a wrong to do.
pub const FIRST: u32 = 1_000;

/// A wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// Says that it migrated.
    DoNothing,
    /// Raises the version and leaves the old layout.
    FlipVersion,
    /// Leaves another type of account behind.
    OtherType,
    /// Leaves a version that nobody agreed on.
    OtherVersion,
    /// Leaves more bytes than agreed.
    TooLong,
    /// Gives the account to the system program.
    GiveAway,
    /// Takes one lamport more from the payer than the growth costs.
    Overcharge,
    /// Pays for the growth, and one lamport to the payer, from the user's balance.
    TakeFromUser,
    /// Leaves an account that is not rent-exempt.
    Underfund,
    /// Migrates well, and uses the payer's signature to make the payer's account its own.
    TakePayer,
    /// Calls the manager back.
    CallManager,
    /// Uses the migrator's signature to move the program's authority.
    MoveAuthority,
    /// Migrates well, then restores other bytes than it was given.
    RestoreOther,
    /// Migrates well, then says that it restored.
    RestoreNothing,
    /// Migrates well, then pays the payer back from the user's balance too.
    RestoreTooMuch,
}

impl Wrong {
    /// Every wrong: vault [`FIRST`] + i suffers the i-th.
    pub const ALL: [Self; 15] = [
        Self::DoNothing,
        Self::FlipVersion,
        Self::OtherType,
        Self::OtherVersion,
        Self::TooLong,
        Self::GiveAway,
        Self::Overcharge,
        Self::TakeFromUser,
        Self::Underfund,
        Self::TakePayer,
        Self::CallManager,
        Self::MoveAuthority,
        Self::RestoreOther,
        Self::RestoreNothing,
        Self::RestoreTooMuch,
    ];

    fn of(index: u32) -> Option<Self> {
        let at = usize::try_from(index.checked_sub(FIRST)?).ok()?;
        Self::ALL.get(at).copied()
    }
}

#[cfg(not(feature = "no-entrypoint"))]
anchor_lang::solana_program::entrypoint!(process);

/// What every call comes to.
///
/// # Errors
/// Only when even the wrong could not be done.
pub fn process(_: &Pubkey, accounts: &[AccountInfo], data: &[u8]) -> ProgramResult {
    let [migrator, vault, rent, ..] = accounts else {
        return Err(ProgramError::NotEnoughAccountKeys);
    };
    let call = Call::decode(data).ok_or(ProgramError::InvalidInstructionData)?;
    match call {
        Call::Migrate(_) => migrate(migrator, vault, rent),
        Call::Restore { bytes, .. } => restore(vault, rent, bytes),
        Call::MigrateDown(_) => Err(ProgramError::InvalidInstructionData),
    }
}

fn migrate<'info>(
    migrator: &AccountInfo<'info>,
    vault: &AccountInfo<'info>,
    rent: &AccountInfo<'info>,
) -> ProgramResult {
    let old = v1::Vault::try_deserialize(&mut &vault.try_borrow_data()?[..])?;
    let wrong = Wrong::of(old.index);
    let growth =
        Rent::get()?.minimum_balance(v2::LEN).saturating_sub(Rent::get()?.minimum_balance(v1::LEN));
    let mut bytes = layout::encode(&v2::Vault::from(old))?;
    match wrong {
        Some(Wrong::DoNothing) => return Ok(()),
        Some(Wrong::FlipVersion) => return set_byte(&mut vault.try_borrow_mut_data()?, 8, 2),
        Some(Wrong::OtherType) => set_byte(&mut bytes, 0, 0xee)?,
        Some(Wrong::OtherVersion) => set_byte(&mut bytes, 8, 3)?,
        Some(Wrong::TooLong) => bytes.push(0),
        Some(Wrong::GiveAway) => {
            vault.resize(0)?;
            vault.assign(&system_program::ID);
            return Ok(());
        }
        Some(Wrong::CallManager) => return call_manager(migrator),
        Some(Wrong::MoveAuthority) => return move_authority(migrator),
        _ => {}
    }
    match wrong {
        Some(Wrong::TakeFromUser) => move_lamports(vault, rent, 1)?,
        Some(Wrong::Underfund) => {}
        Some(Wrong::Overcharge) => pay(rent, vault, growth.saturating_add(1))?,
        _ => pay(rent, vault, growth)?,
    }
    if wrong == Some(Wrong::TakePayer) {
        let assign = system_instruction::assign(rent.key, &demo_vault::ID);
        invoke(&assign, std::slice::from_ref(rent))?;
    }
    write(vault, &bytes)
}

fn restore(vault: &AccountInfo, rent: &AccountInfo, bytes: &[u8]) -> ProgramResult {
    let now = v2::Vault::try_deserialize(&mut &vault.try_borrow_data()?[..])?;
    let growth =
        Rent::get()?.minimum_balance(v2::LEN).saturating_sub(Rent::get()?.minimum_balance(v1::LEN));
    let mut bytes = bytes.to_vec();
    let mut back = growth;
    match Wrong::of(now.index) {
        Some(Wrong::RestoreNothing) => return Ok(()),
        Some(Wrong::RestoreOther) => set_byte(&mut bytes, 54, 0x7f)?,
        Some(Wrong::RestoreTooMuch) => back = growth.saturating_add(1),
        _ => {}
    }
    write(vault, &bytes)?;
    move_lamports(vault, rent, back)
}

fn call_manager(migrator: &AccountInfo) -> ProgramResult {
    let accounts = vec![AccountMeta::new_readonly(*migrator.key, true)];
    let program_id = Pubkey::new_from_array(MANAGER_ID);
    let back = Instruction { program_id, accounts, data: vec![0; 8] };
    invoke(&back, std::slice::from_ref(migrator))
}

fn move_authority(migrator: &AccountInfo) -> ProgramResult {
    const SET_AUTHORITY: [u8; 4] = [4, 0, 0, 0];
    let loader = anchor_lang::solana_program::bpf_loader_upgradeable::ID;
    let data = Pubkey::find_program_address(&[demo_vault::ID.as_ref()], &loader).0;
    let accounts =
        vec![AccountMeta::new(data, false), AccountMeta::new_readonly(*migrator.key, true)];
    let set = Instruction { program_id: loader, accounts, data: SET_AUTHORITY.to_vec() };
    invoke(&set, std::slice::from_ref(migrator))
}

fn pay<'info>(from: &AccountInfo<'info>, to: &AccountInfo<'info>, lamports: u64) -> ProgramResult {
    let transfer = system_instruction::transfer(from.key, to.key, lamports);
    invoke(&transfer, &[from.clone(), to.clone()])
}

fn move_lamports(from: &AccountInfo, to: &AccountInfo, lamports: u64) -> ProgramResult {
    let (less, more) = (from.lamports().checked_sub(lamports), to.lamports().checked_add(lamports));
    let (Some(less), Some(more)) = (less, more) else {
        return Err(ProgramError::ArithmeticOverflow);
    };
    **from.try_borrow_mut_lamports()? = less;
    **to.try_borrow_mut_lamports()? = more;
    Ok(())
}

fn set_byte(bytes: &mut [u8], at: usize, value: u8) -> ProgramResult {
    *bytes.get_mut(at).ok_or(ProgramError::AccountDataTooSmall)? = value;
    Ok(())
}

fn write(vault: &AccountInfo, bytes: &[u8]) -> ProgramResult {
    vault.resize(bytes.len())?;
    vault.try_borrow_mut_data()?.copy_from_slice(bytes);
    Ok(())
}
