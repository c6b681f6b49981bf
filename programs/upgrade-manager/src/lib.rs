//! Holds the upgrade authority of programs and enforces votes, timelock, migration and rollback.
#![allow(
    unexpected_cfgs,
    reason = "Anchor's macros test features that this crate does not declare"
)]
#![allow(
    missing_docs,
    reason = "Anchor generates structs of arguments and bumps beside ours and documents none; the \
              modules without its account macros turn the lint on again"
)]
#![cfg_attr(
    test,
    allow(
        clippy::arithmetic_side_effects,
        reason = "a test whose own arithmetic overflows fails, as it should"
    )
)]
use anchor_lang::prelude::*;

mod account_io;
#[warn(missing_docs)]
pub mod error;
#[warn(missing_docs)]
pub mod events;
#[warn(missing_docs)]
pub mod external;
#[cfg(any(test, feature = "test-fixtures"))]
#[warn(missing_docs)]
pub mod fixtures;
pub mod instructions;
#[warn(missing_docs)]
pub mod runtime;
#[cfg(not(feature = "no-entrypoint"))]
mod security;
#[warn(missing_docs)]
pub mod seeds;
#[warn(missing_docs)]
pub mod state;

use instructions::*;
use state::{BufferRole, Choice, MultisigRules};

declare_id!("FAgtu5Zwcc36ufZQygkhYcE6MxUAHKvGagUmHBVRriGL");

/// The instructions: each one doc line and one call.
#[program]
pub mod upgrade_manager {
    use super::*;

    /// Creates a multisig.
    pub fn create_multisig<'info>(
        ctx: Context<'info, CreateMultisig<'info>>,
        rules: MultisigRules,
    ) -> Result<()> {
        CreateMultisig::handle(ctx, rules)
    }

    /// Moves a program's upgrade authority to the manager; the present authority signs.
    pub fn register_program<'info>(
        ctx: Context<'info, RegisterProgram<'info>>,
        version: u16,
        trimmed_len: u32,
    ) -> Result<()> {
        RegisterProgram::handle(ctx, version, trimmed_len)
    }

    /// Moves a buffer's authority to the manager, so that its bytes can never change.
    pub fn freeze_buffer<'info>(
        ctx: Context<'info, FreezeBuffer<'info>>,
        role: BufferRole,
    ) -> Result<()> {
        FreezeBuffer::handle(ctx, role)
    }

    /// Records the hash of a frozen buffer with new code.
    pub fn attest_buffer<'info>(
        ctx: Context<'info, AttestBuffer<'info>>,
        trimmed_len: u32,
    ) -> Result<()> {
        AttestBuffer::handle(ctx, trimmed_len)
    }

    /// Hashes the next chunk of a frozen buffer that is too large for one transaction.
    pub fn attest_chunk<'info>(
        ctx: Context<'info, AttestChunk<'info>>,
        trimmed_len: u32,
    ) -> Result<()> {
        AttestChunk::handle(ctx, trimmed_len)
    }

    /// Checks that a frozen buffer holds the code that runs, and records its hash.
    pub fn attest_rollback<'info>(
        ctx: Context<'info, AttestRollback<'info>>,
        trimmed_len: u32,
    ) -> Result<()> {
        AttestRollback::handle(ctx, trimmed_len)
    }

    /// Proposes an upgrade: pins the code, the rollback code, the accounts and the times.
    pub fn propose_upgrade<'info>(
        ctx: Context<'info, ProposeUpgrade<'info>>,
        args: ProposeArgs,
    ) -> Result<()> {
        ProposeUpgrade::handle(ctx, args)
    }

    /// Proposes new rules for a multisig, to dissolve it, or to hand a program over.
    pub fn propose_governance<'info>(
        ctx: Context<'info, ProposeGovernance<'info>>,
        args: GovernanceArgs,
    ) -> Result<()> {
        ProposeGovernance::handle(ctx, args)
    }

    /// Votes for the proposal whose digest is `digest`.
    pub fn approve<'info>(ctx: Context<'info, CastVote<'info>>, digest: [u8; 32]) -> Result<()> {
        CastVote::cast(ctx, Choice::Approve, &digest)
    }

    /// Votes against the proposal whose digest is `digest`.
    pub fn reject<'info>(ctx: Context<'info, CastVote<'info>>, digest: [u8; 32]) -> Result<()> {
        CastVote::cast(ctx, Choice::Reject, &digest)
    }

    /// Takes the signer's vote back.
    pub fn revoke<'info>(ctx: Context<'info, CastVote<'info>>) -> Result<()> {
        CastVote::revoke(ctx)
    }

    /// Withdraws or vetoes a proposal, or votes to cancel it.
    pub fn cancel<'info>(ctx: Context<'info, Cancel<'info>>) -> Result<()> {
        Cancel::handle(ctx)
    }

    /// Ends a proposal whose time is over or whose multisig has changed.
    pub fn expire<'info>(ctx: Context<'info, Expire<'info>>) -> Result<()> {
        Expire::handle(ctx)
    }

    /// Installs the code of an approved upgrade proposal.
    pub fn execute_upgrade<'info>(ctx: Context<'info, ExecuteUpgrade<'info>>) -> Result<()> {
        ExecuteUpgrade::handle(ctx)
    }

    /// Applies the new rules of a multisig, or dissolves it.
    pub fn execute_config_change<'info>(
        ctx: Context<'info, ExecuteConfigChange<'info>>,
    ) -> Result<()> {
        ExecuteConfigChange::handle(ctx)
    }

    /// Moves a program's upgrade authority to the approved new authority.
    pub fn execute_transfer<'info>(ctx: Context<'info, ExecuteTransfer<'info>>) -> Result<()> {
        ExecuteTransfer::handle(ctx)
    }

    /// Pauses executions of a multisig; only its guardian can.
    pub fn pause<'info>(ctx: Context<'info, Pause<'info>>) -> Result<()> {
        Pause::handle(ctx)
    }

    /// Votes to lift a pause.
    pub fn unpause<'info>(ctx: Context<'info, Unpause<'info>>) -> Result<()> {
        Unpause::handle(ctx)
    }

    /// Migrates a batch of accounts to the new layout.
    pub fn migrate_accounts<'info>(ctx: Context<'info, MigrateAccounts<'info>>) -> Result<()> {
        MigrateAccounts::handle(ctx)
    }

    /// Checks a batch of migrated accounts again.
    pub fn verify_accounts<'info>(ctx: Context<'info, VerifyAccounts<'info>>) -> Result<()> {
        VerifyAccounts::handle(ctx)
    }

    /// Counts an account that was closed before it could migrate.
    pub fn mark_closed<'info>(
        ctx: Context<'info, MarkClosed<'info>>,
        index: u32,
        old_hash: [u8; 32],
        proof: Vec<[u8; 32]>,
    ) -> Result<()> {
        MarkClosed::handle(ctx, index, old_hash, &proof)
    }

    /// Quarantines an account that cannot migrate.
    pub fn quarantine<'info>(ctx: Context<'info, Quarantine<'info>>) -> Result<()> {
        Quarantine::handle(ctx)
    }

    /// Completes a migration whose accounts are all verified, quarantined or closed.
    pub fn complete<'info>(ctx: Context<'info, Complete<'info>>) -> Result<()> {
        Complete::handle(ctx)
    }

    /// Votes for rollback, and with `give_up` for giving up accounts that cannot be restored.
    pub fn approve_rollback<'info>(
        ctx: Context<'info, ApproveRollback<'info>>,
        digest: [u8; 32],
        give_up: bool,
    ) -> Result<()> {
        ApproveRollback::handle(ctx, &digest, give_up)
    }

    /// Restores a batch of accounts to the old layout.
    pub fn restore_accounts<'info>(
        ctx: Context<'info, RestoreAccounts<'info>>,
        items: Vec<RestoreItem>,
    ) -> Result<()> {
        RestoreAccounts::handle(ctx, items)
    }

    /// Installs the old code again.
    pub fn rollback_program<'info>(ctx: Context<'info, RollbackProgram<'info>>) -> Result<()> {
        RollbackProgram::handle(ctx)
    }

    /// Closes a buffer and its attestation.
    pub fn close_buffer<'info>(ctx: Context<'info, CloseBuffer<'info>>) -> Result<()> {
        CloseBuffer::handle(ctx)
    }

    /// Closes an upgrade proposal that has ended.
    pub fn close_proposal<'info>(ctx: Context<'info, CloseProposal<'info>>) -> Result<()> {
        CloseProposal::handle(ctx)
    }

    /// Closes a version record that no rollback can need.
    pub fn close_account_version<'info>(
        ctx: Context<'info, CloseAccountVersion<'info>>,
    ) -> Result<()> {
        CloseAccountVersion::handle(ctx)
    }

    /// Closes the state of a program that was handed over.
    pub fn close_program_state<'info>(ctx: Context<'info, CloseProgramState<'info>>) -> Result<()> {
        CloseProgramState::handle(ctx)
    }

    /// Closes a multisig that was dissolved.
    pub fn close_multisig<'info>(ctx: Context<'info, CloseMultisig<'info>>) -> Result<()> {
        CloseMultisig::handle(ctx)
    }

    /// Closes a governance proposal that has ended.
    pub fn close_governance<'info>(ctx: Context<'info, CloseGovernance<'info>>) -> Result<()> {
        CloseGovernance::handle(ctx)
    }

    /// Closes a backup that no rollback can need.
    pub fn close_backup<'info>(ctx: Context<'info, CloseBackup<'info>>) -> Result<()> {
        CloseBackup::handle(ctx)
    }

    /// Closes a buffer that was given to the manager without being frozen.
    pub fn reclaim_buffer<'info>(ctx: Context<'info, ReclaimBuffer<'info>>) -> Result<()> {
        ReclaimBuffer::handle(ctx)
    }
}
