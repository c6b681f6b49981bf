//! Account layouts and the accounts of each instruction.

use anchor_lang::prelude::*;

/// A growing account of Borsh fields.
#[account]
#[derive(InitSpace)]
pub struct Roster {
    pub limit: u8,
    pub bump: u8,
    pub created: i64,
    #[max_len(12)]
    pub title: String,
    #[max_len(0)]
    pub names: Vec<Pubkey>,
}

/// Rows of a [`Table`].
pub const ROWS: usize = 128;

/// A zero-copy account. `total` is a `u128` as bytes: the alignment of `u128` differs between
/// toolchains.
#[account(zero_copy)]
#[repr(C)]
pub struct Table {
    pub total: [u8; 16],
    pub rows: [Row; ROWS],
}

#[zero_copy]
#[repr(C)]
pub struct Row {
    pub key: Pubkey,
    pub amount: u64,
}

#[derive(Accounts)]
#[instruction(limit: u8, names: Vec<Pubkey>)]
pub struct Create<'info> {
    #[account(mut)]
    pub payer: Signer<'info>,
    #[account(
        init,
        payer = payer,
        space = 8 + Roster::INIT_SPACE + 32 * names.len(),
        seeds = [b"roster"],
        bump,
    )]
    pub roster: Account<'info, Roster>,
    pub system_program: Program<'info, System>,
}

#[derive(Accounts)]
pub struct Add<'info> {
    #[account(mut)]
    pub payer: Signer<'info>,
    #[account(
        mut,
        seeds = [b"roster"],
        bump = roster.bump,
        realloc = roster.to_account_info().data_len() + 32,
        realloc::payer = payer,
        realloc::zero = false,
    )]
    pub roster: Account<'info, Roster>,
    pub system_program: Program<'info, System>,
}

#[derive(Accounts)]
pub struct Pay<'info> {
    #[account(mut)]
    pub payer: Signer<'info>,
    #[account(mut, seeds = [b"vault"], bump)]
    pub vault: SystemAccount<'info>,
    /// CHECK: only receives lamports
    #[account(mut)]
    pub to: UncheckedAccount<'info>,
    pub system_program: Program<'info, System>,
}

#[derive(Accounts)]
pub struct Plain<'info> {
    pub payer: Signer<'info>,
}

#[event_cpi]
#[derive(Accounts)]
pub struct Note<'info> {
    pub payer: Signer<'info>,
}

#[derive(Accounts)]
pub struct OpenTable<'info> {
    #[account(mut)]
    pub payer: Signer<'info>,
    #[account(init, payer = payer, space = 8 + size_of::<Table>(), seeds = [b"table"], bump)]
    pub table: AccountLoader<'info, Table>,
    pub system_program: Program<'info, System>,
}

#[derive(Accounts)]
pub struct FillRow<'info> {
    pub payer: Signer<'info>,
    #[account(mut, seeds = [b"table"], bump)]
    pub table: AccountLoader<'info, Table>,
}
