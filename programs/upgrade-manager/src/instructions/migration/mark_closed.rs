//! Counts an account that was closed before it could migrate. The chain no longer holds the
//! account, so a Merkle proof shows that it was in the manifest that the members approved. Its
//! owner may have created a new account at the same address, already in the new layout; that one
//! needs no migration, and counts as closed too, because otherwise the migration could never be
//! completed.
use anchor_lang::prelude::*;

use crate::account_io::io;
use crate::account_io::io::Payer;
use crate::account_io::program::read_state_and_proposal;
use crate::account_io::version::read_or_create_record;
use crate::error::ManagerError;
use crate::events::{AccountMove, AccountsMoved};
use crate::external::target::old_version;
use crate::runtime::emit::emit;
use crate::runtime::require::require;
use crate::state::{AccountStatus, ProgramUpgradeState, UpgradeProposal, manifest};

/// Accounts of `mark_closed`.
#[derive(Accounts)]
pub struct MarkClosed<'info> {
    /// Pays for the record.
    #[account(mut)]
    pub payer: Signer<'info>,
    /// CHECK: the program's state; `handle` reads it.
    #[account(mut)]
    pub state: UncheckedAccount<'info>,
    /// CHECK: the proposal; `handle` reads it.
    #[account(mut)]
    pub proposal: UncheckedAccount<'info>,
    /// CHECK: the account, which must not be at an old version; `validate` checks that.
    pub account: UncheckedAccount<'info>,
    /// CHECK: its record; `handle` reads or creates it.
    #[account(mut)]
    pub record: UncheckedAccount<'info>,
    /// Makes the record.
    pub system_program: Program<'info, System>,
    /// CHECK: signs events; `emit` checks it.
    pub event_authority: UncheckedAccount<'info>,
    /// CHECK: the manager, which receives event CPIs.
    pub program: UncheckedAccount<'info>,
}

/// Where the account is in the manifest, as the caller claims; `validate` checks it.
struct ManifestClaim<'a> {
    index: u32,
    old_hash: [u8; 32],
    proof: &'a [[u8; 32]],
}

impl<'info> MarkClosed<'info> {
    fn validate(
        &self,
        state: &ProgramUpgradeState,
        proposal: &UpgradeProposal,
        claim: &ManifestClaim<'_>,
    ) -> Result<()> {
        proposal.require_executed()?;
        state.require_migrating(self.proposal.key)?;
        let terms = &proposal.terms;
        require!(old_version(&self.account, terms)?.is_none(), ManagerError::AccountExists);
        let leaf = manifest::leaf(claim.index, self.account.key, &claim.old_hash);
        let manifest = &terms.manifest;
        let in_manifest =
            manifest::verify(&manifest.root, manifest.count, claim.index, leaf, claim.proof);
        require!(in_manifest, ManagerError::BadProof);
        Ok(())
    }

    /// Records the account as closed, unless this proposal migrated it.
    pub(crate) fn handle(
        ctx: Context<'info, Self>,
        index: u32,
        old_hash: [u8; 32],
        proof: &[[u8; 32]],
    ) -> Result<()> {
        let (accounts, slot) = (&*ctx.accounts, Clock::get()?.slot);
        let (mut state, mut proposal) =
            read_state_and_proposal(&accounts.state, &accounts.proposal)?;
        accounts.validate(&state, &proposal, &ManifestClaim { index, old_hash, proof })?;
        proposal.start_migrating();
        let by = proposal.executed_as(*accounts.proposal.key);
        let (account, rent) = (accounts.account.key, Rent::get()?);
        let payer =
            Payer { payer: &accounts.payer, system_program: &accounts.system_program, rent: &rent };
        let (program, version) = (&state.program, proposal.terms.from_version);
        let mut record =
            read_or_create_record(program, account, version, &accounts.record, &payer)?;
        let from = record.require_untouched(&by)?;
        record.set_aside(AccountStatus::Closed, &by, version, old_hash, slot);
        state.counters.shift(from, AccountStatus::Closed)?;
        io::write(&accounts.record, &*record)?;
        io::write(&accounts.state, &*state)?;
        io::write(&accounts.proposal, &*proposal)?;
        let event = AccountsMoved {
            proposal: *accounts.proposal.key,
            program: state.program,
            actor: *accounts.payer.key,
            status: AccountStatus::Closed,
            accounts: vec![AccountMove { account: *account, before: old_hash, after: [0; 32] }],
            counters: state.counters,
        };
        emit(&accounts.event_authority, &event)
    }
}
