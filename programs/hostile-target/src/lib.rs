//! A hostile version of the demo vault, as a careless or bribed multisig might install it. It
//! migrates and restores vaults, but breaks the rules for each vault whose index names a [`Wrong`].
//! With [`PASS_ON`] it forwards any call with the signatures that it was given. For tests only;
//! never deployed.
use anchor_lang::{
    prelude::*,
    solana_program::{
        entrypoint::ProgramResult, instruction::Instruction, program::invoke, system_instruction,
    },
};
use demo_vault::{layout, v1, v2};
use migration_interface::{Call, MANAGER_ID};

mod wrong;

pub use wrong::{FIRST_WRONG_INDEX, Wrong};

/// First bytes of a call to forward. The first account is the program to call; it gets the other
/// accounts and the bytes behind these.
pub const PASS_ON: [u8; 8] = *b"pass-on!";
/// First bytes of `emit_cpi!`'s self-calls, Anchor's `EVENT_IX_TAG_LE`.
const EVENT_TAG: [u8; 8] = 0x1d9a_cb51_2ea5_45e4_u64.to_le_bytes();
/// The loader's instructions.
const UPGRADE: u8 = 3;
const SET_AUTHORITY: u8 = 4;
const CLOSE: u8 = 5;

#[cfg(not(feature = "no-entrypoint"))]
anchor_lang::solana_program::entrypoint!(process);

/// The entrypoint.
///
/// # Errors
/// When the call is neither of the migration interface nor [`PASS_ON`], or what it asks for fails.
pub fn process(_: &Pubkey, accounts: &[AccountInfo], data: &[u8]) -> ProgramResult {
    if let Some(call) = data.strip_prefix(&PASS_ON) {
        return pass_on(accounts, call);
    }
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
        Some(Wrong::CallManager) => return call_manager(migrator, &[0; 8]),
        Some(Wrong::EmitAsManager) => return call_manager(migrator, &EVENT_TAG),
        Some(Wrong::MoveAuthority) => return call_loader(migrator, vault, SET_AUTHORITY),
        Some(Wrong::UpgradeItself) => return call_loader(migrator, vault, UPGRADE),
        Some(Wrong::CloseItself) => return call_loader(migrator, vault, CLOSE),
        Some(Wrong::BurnUnits) => {
            // Logging costs a compute unit a byte, so the budget is soon spent.
            let noise = "x".repeat(10_000);
            loop {
                anchor_lang::solana_program::log::sol_log(&noise);
            }
        }
        Some(Wrong::LogEvent) => {
            let event = [&EVENT_TAG[..], &[0; 96]].concat();
            anchor_lang::solana_program::log::sol_log_data(&[&event]);
            msg!("Program data: {}", "A".repeat(128));
        }
        _ => {}
    }
    match wrong {
        Some(Wrong::TakeFromUser) => move_lamports(vault, rent, 1)?,
        Some(Wrong::Underfund) => {}
        Some(Wrong::Drain) => move_lamports(vault, rent, vault.lamports())?,
        Some(Wrong::Overcharge) => pay(rent, vault, growth.saturating_add(1))?,
        _ => pay(rent, vault, growth)?,
    }
    if wrong == Some(Wrong::TakePayer) {
        let assign = system_instruction::assign(rent.key, &demo_vault::ID);
        invoke(&assign, std::slice::from_ref(rent))?;
    }
    write(vault, &bytes)
}

fn restore<'info>(
    vault: &AccountInfo<'info>,
    rent: &AccountInfo<'info>,
    bytes: &[u8],
) -> ProgramResult {
    let now = v2::Vault::try_deserialize(&mut &vault.try_borrow_data()?[..])?;
    let growth =
        Rent::get()?.minimum_balance(v2::LEN).saturating_sub(Rent::get()?.minimum_balance(v1::LEN));
    let mut bytes = bytes.to_vec();
    let mut back = growth;
    match Wrong::of(now.index) {
        Some(Wrong::RestoreNothing) => return Ok(()),
        Some(Wrong::RestoreOther) => set_byte(&mut bytes, 54, 0x7f)?,
        Some(Wrong::RestoreTooMuch) => back = growth.saturating_add(1),
        Some(Wrong::RestoreSpend) => pay(rent, vault, 1)?,
        _ => {}
    }
    write(vault, &bytes)?;
    move_lamports(vault, rent, back)
}

fn call_manager(migrator: &AccountInfo, data: &[u8]) -> ProgramResult {
    let accounts = vec![AccountMeta::new_readonly(*migrator.key, true)];
    let program_id = Pubkey::new_from_array(MANAGER_ID);
    let back = Instruction { program_id, accounts, data: data.to_vec() };
    invoke(&back, std::slice::from_ref(migrator))
}

fn call_loader<'info>(
    migrator: &AccountInfo<'info>,
    vault: &AccountInfo<'info>,
    tag: u8,
) -> ProgramResult {
    let loader = anchor_lang::solana_program::bpf_loader_upgradeable::ID;
    let data = Pubkey::find_program_address(&[demo_vault::ID.as_ref()], &loader).0;
    let signer = AccountMeta::new_readonly(*migrator.key, true);
    let (code, rest) = (AccountMeta::new(data, false), AccountMeta::new(*vault.key, false));
    let accounts = match tag {
        SET_AUTHORITY => vec![code, signer],
        CLOSE => vec![code, rest, signer, AccountMeta::new(demo_vault::ID, false)],
        _ => vec![code, AccountMeta::new(demo_vault::ID, false), rest.clone(), rest, signer],
    };
    let call = Instruction { program_id: loader, accounts, data: vec![tag, 0, 0, 0] };
    invoke(&call, &[migrator.clone(), vault.clone()])
}

/// Calls the first account's program with the other accounts and `data`.
fn pass_on(accounts: &[AccountInfo], data: &[u8]) -> ProgramResult {
    let Some((program, rest)) = accounts.split_first() else {
        return Err(ProgramError::NotEnoughAccountKeys);
    };
    let meta = |info: &AccountInfo| AccountMeta {
        pubkey: *info.key,
        is_signer: info.is_signer,
        is_writable: info.is_writable,
    };
    let accounts_of = rest.iter().map(meta).collect();
    let call = Instruction { program_id: *program.key, accounts: accounts_of, data: data.to_vec() };
    invoke(&call, accounts)
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
