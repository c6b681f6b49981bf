//! Vaults for lamports, in two layouts: the target program that the sandbox and the tests upgrade,
//! migrate and roll back. An example for authors of target programs.
//!
//! The feature `v2` builds the program of the second layout; without it, of the first. Both are compiled
//! either way, so that clients and tests read accounts of both.
//!
//! | module | holds |
//! |---|---|
//! | [`layout`] | what both layouts share: discriminator, offset of the version |
//! | [`v1`], [`v2`] | an account in each layout, with its rules; `v2` converts both ways |
//! | [`interface`] | the migration interface: the only code that changes an account's layout |
//! | [`instructions`] | what owners do: open, deposit, withdraw, set a limit, close |
//! | [`client`], [`mod@error`] | addresses and instructions for clients; errors as sentences |
//!
//! A target never calls the manager, holds no upgrade authority and decides nothing about versions: it
//! converts the one account that it is given.
#![allow(
    unexpected_cfgs,
    reason = "Anchor's macros test features that this crate does not declare"
)]
#![allow(missing_docs, reason = "Anchor's derives generate items that nobody can document")]
use anchor_lang::prelude::*;

#[warn(missing_docs)]
pub mod client;
#[warn(missing_docs)]
pub mod error;
pub mod instructions;
pub mod interface;
#[warn(missing_docs)]
pub mod layout;
#[warn(missing_docs)]
pub mod v1;
#[warn(missing_docs)]
pub mod v2;

/// The layout that this build's entrypoint serves.
#[cfg(not(feature = "v2"))]
pub use v1 as served;
#[cfg(feature = "v2")]
pub use v2 as served;

use instructions::*;
use interface::*;

declare_id!("9JMMhcLpSH5xUAtGWEGCbmBzQgkevWebJruGmGCCN67");

/// First seed of a vault: `[VAULT_SEED, owner, index as u32 LE]`.
pub const VAULT_SEED: &[u8] = b"vault";

/// The program.
#[program]
pub mod demo_vault {
    use super::*;

    /// Opens vault `index` of the signer.
    pub fn open(ctx: Context<Open>, index: u32) -> Result<()> {
        instructions::open::handle(ctx, index)
    }

    /// Moves lamports from the owner into the vault.
    pub fn deposit(ctx: Context<Deposit>, amount: u64) -> Result<()> {
        instructions::deposit::handle(ctx, amount)
    }

    /// Moves lamports from the vault to the owner.
    pub fn withdraw(ctx: Context<Withdraw>, amount: u64) -> Result<()> {
        instructions::withdraw::handle(ctx, amount)
    }

    /// Closes the vault; everything in it goes to the owner.
    pub fn close(ctx: Context<Close>) -> Result<()> {
        instructions::close::handle(ctx)
    }

    /// Sets the most lamports of one withdrawal, 0 for no limit.
    #[cfg(feature = "v2")]
    pub fn set_limit(ctx: Context<SetLimit>, limit: u64) -> Result<()> {
        instructions::set_limit::handle(ctx, limit)
    }

    /// Migration interface: brings a vault to the next layout.
    #[instruction(discriminator = &migration_interface::MIGRATE)]
    pub fn migrate(ctx: Context<Migrate>, call: Transition) -> Result<()> {
        interface::migrate(ctx, &call)
    }

    /// Migration interface: puts a vault's exact old bytes back.
    #[instruction(discriminator = &migration_interface::RESTORE)]
    pub fn restore(ctx: Context<Restore>, call: Transition, bytes: Tail) -> Result<()> {
        interface::restore(ctx, &call, &bytes)
    }

    /// Migration interface: computes the old layout from the new one.
    #[instruction(discriminator = &migration_interface::MIGRATE_DOWN)]
    pub fn migrate_down(ctx: Context<Restore>, call: Transition) -> Result<()> {
        interface::migrate_down(ctx, &call)
    }
}
