//! The self-test program: an instruction for each thing that a toolchain for sBPF can get wrong.
//! What an instruction computes lives in `arithmetic`, `calls` and `collections`, modules without a
//! dependency: the test compiles the same files for the host and expects the same results.

use anchor_lang::prelude::*;
use anchor_lang::solana_program::program::set_return_data;
use anchor_lang::system_program;

pub mod arithmetic;
pub mod calls;
pub mod collections;
pub mod contexts;

pub use contexts::*;

declare_id!("E1fSe1fTest11111111111111111111111111111111");

/// One event for the log and one for the CPI.
#[event]
pub struct Created {
    pub limit: u8,
    pub by: Pubkey,
}

#[event]
pub struct Noted {
    pub value: u64,
    pub note: String,
}

#[error_code]
pub enum SelfTestError {
    #[msg("the limit must be positive")]
    NoLimit,
    #[msg("the roster is full")]
    Full,
    #[msg("listed already")]
    Listed,
    #[msg("the result does not fit")]
    Overflow,
    #[msg("no such operation")]
    NoSuchOperation,
}

#[program]
pub mod elf_selftest {
    use super::*;

    /// `init` with seeds and computed space, strings, vectors, the clock, an event, a formatted log.
    pub fn create(
        ctx: Context<Create>,
        limit: u8,
        names: Vec<Pubkey>,
        title: String,
    ) -> Result<()> {
        require!(limit > 0, SelfTestError::NoLimit);
        require!(names.len() <= usize::from(limit), SelfTestError::Full);
        let roster = &mut ctx.accounts.roster;
        roster.limit = limit;
        roster.bump = ctx.bumps.roster;
        roster.created = Clock::get()?.unix_timestamp;
        roster.title = title;
        roster.names = names;
        emit!(Created { limit, by: ctx.accounts.payer.key() });
        msg!("{}: {} of {} for {}", roster.title, roster.names.len(), limit, roster.created);
        Ok(())
    }

    /// Growing an account, std's stable sort (patched for sBPF's stack) and a search.
    pub fn add(ctx: Context<Add>, name: Pubkey) -> Result<()> {
        let roster = &mut ctx.accounts.roster;
        require!(roster.names.len() < usize::from(roster.limit), SelfTestError::Full);
        require!(!roster.names.contains(&name), SelfTestError::Listed);
        roster.names.push(name);
        roster.names.sort();
        msg!("at {:?}", roster.names.binary_search(&name));
        Ok(())
    }

    /// A CPI with the caller's signature, and one with the program's.
    pub fn pay(ctx: Context<Pay>, amount: u64) -> Result<()> {
        let transfer = |from, to| system_program::Transfer { from, to };
        let (payer, vault) = (&ctx.accounts.payer, &ctx.accounts.vault);
        let system = ctx.accounts.system_program.key();
        let deposit = transfer(payer.to_account_info(), vault.to_account_info());
        system_program::transfer(CpiContext::new(system, deposit), amount)?;
        let seeds: &[&[&[u8]]] = &[&[b"vault", &[ctx.bumps.vault]]];
        let payout = transfer(vault.to_account_info(), ctx.accounts.to.to_account_info());
        system_program::transfer(CpiContext::new_with_signer(system, payout, seeds), amount / 4)
    }

    /// Integer and floating-point operations of every width.
    pub fn calculate(_ctx: Context<Plain>, operation: u8, a: u128, b: u128) -> Result<()> {
        require!(operation < arithmetic::OPERATIONS, SelfTestError::NoSuchOperation);
        let result = arithmetic::calculate(operation, a, b).ok_or(SelfTestError::Overflow)?;
        set_return_data(&result.to_le_bytes());
        Ok(())
    }

    /// A bounds check and an overflow check, both of which panic.
    pub fn index(_ctx: Context<Plain>, len: u64, at: u64) -> Result<()> {
        let values: Vec<u64> = (0..len).collect();
        set_return_data(&(values[at as usize] + len - at).to_le_bytes());
        Ok(())
    }

    /// The hash system call.
    pub fn hash(_ctx: Context<Plain>, data: Vec<u8>) -> Result<()> {
        set_return_data(solana_sha256_hasher::hashv(&[&data, b"tail"]).as_ref());
        Ok(())
    }

    /// Arguments on the stack: direct, recursive, through a vtable; large frames.
    pub fn call(_ctx: Context<Plain>, depth: u64, a: u64, b: i64, c: u128, kind: u8) -> Result<()> {
        let results = calls::run(depth, a, b, c, kind);
        set_return_data(&results.map(u128::to_le_bytes).concat());
        Ok(())
    }

    /// Maps, sets, queues, formatting, parsing.
    pub fn collect(_ctx: Context<Plain>, count: u32) -> Result<()> {
        for line in collections::run(count) {
            msg!("{}", line);
        }
        Ok(())
    }

    /// Moving and growing on the heap, up to its end.
    pub fn heap(_ctx: Context<Plain>, count: u32) -> Result<()> {
        set_return_data(&collections::shuffle(count).to_le_bytes());
        Ok(())
    }

    /// An event by CPI into the program itself.
    pub fn note(ctx: Context<Note>, value: u64) -> Result<()> {
        emit_cpi!(Noted { value, note: format!("note {value}") });
        Ok(())
    }

    /// A zero-copy account, larger than a stack frame would allow.
    pub fn open_table(ctx: Context<OpenTable>) -> Result<()> {
        let mut table = ctx.accounts.table.load_init()?;
        table.total = 5u128.to_le_bytes();
        table.rows[ROWS - 1].amount = 99;
        Ok(())
    }

    /// Writing to it, with a checked index and a checked sum.
    pub fn fill_row(ctx: Context<FillRow>, at: u16, amount: u64, key: Pubkey) -> Result<()> {
        let table = &mut *ctx.accounts.table.load_mut()?;
        let row = table.rows.get_mut(usize::from(at)).ok_or(SelfTestError::NoSuchOperation)?;
        row.amount = row.amount.checked_add(amount).ok_or(SelfTestError::Overflow)?;
        row.key = key;
        let total: u128 = table.rows.iter().map(|row| u128::from(row.amount)).sum();
        table.total = total.to_le_bytes();
        Ok(())
    }
}
