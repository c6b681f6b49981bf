//! Counts an account that was closed before it could migrate. The chain cannot see what it was, so a
//! proof leads from it to the manifest that the members approved. Its owner may have made another at
//! its address since, which was born on the new layout: that one needs no migration, and without
//! this nobody could ever complete the one before.
use anchor_lang::prelude::*;

use crate::emit::emit;
use crate::error::ManagerError;
use crate::events::{AccountMove, AccountsMoved};
use crate::record;
use crate::seeds;
use crate::state::{AccountStatus, ProgramUpgradeState, UpgradeProposal, manifest};
use crate::stored::{self, Payer};
use crate::target::is_old;

/// Accounts of `mark_closed`.
#[event_cpi]
#[derive(Accounts)]
pub struct MarkClosed<'info> {
    /// Pays for the record.
    #[account(mut)]
    pub payer: Signer<'info>,
    /// The program's state.
    #[account(
        mut,
        dup,
        seeds = [seeds::PROGRAM, state.program.as_ref()],
        bump = state.bump,
    )]
    pub state: Box<Account<'info, ProgramUpgradeState>>,
    /// The proposal.
    #[account(
        mut,
        dup,
        seeds = [
            seeds::PROPOSAL,
            state.program.as_ref(),
            &proposal.terms.id.to_le_bytes(),
        ],
        bump = proposal.bump,
    )]
    pub proposal: Box<Account<'info, UpgradeProposal>>,
    /// CHECK: the account that is gone, or not old any more; `validate` checks that and the proof.
    pub account: UncheckedAccount<'info>,
    /// CHECK: its record; made or read by hand.
    #[account(mut)]
    pub record: UncheckedAccount<'info>,
    /// Makes the record.
    pub system_program: Program<'info, System>,
}

impl<'info> MarkClosed<'info> {
    fn validate(&self, index: u32, old_hash: &[u8; 32], proof: &[[u8; 32]]) -> Result<()> {
        self.proposal.require_executed()?;
        self.state.require_migrating(&self.proposal.key())?;
        let terms = &self.proposal.terms;
        control!(!is_old(&self.account, terms)?, ManagerError::AccountExists);
        let (seen, leaf) = (&terms.manifest, manifest::leaf(index, self.account.key, old_hash));
        let leads = manifest::verify(&seen.root, seen.count, index, leaf, proof);
        control!(leads, ManagerError::BadProof);
        Ok(())
    }

    /// Writes down that the account is gone; one that was migrated is not.
    pub(crate) fn handle(
        ctx: Context<'info, Self>,
        index: u32,
        old_hash: [u8; 32],
        proof: &[[u8; 32]],
    ) -> Result<()> {
        let (accounts, slot) = (ctx.accounts, Clock::get()?.slot);
        accounts.validate(index, &old_hash, proof)?;
        accounts.proposal.start_migrating();
        let (key, account) = (accounts.proposal.key(), accounts.account.key());
        let (terms, rent) = (&accounts.proposal.terms, Rent::get()?);
        let by =
            Payer { payer: &accounts.payer, system_program: &accounts.system_program, rent: &rent };
        let (program, version) = (&terms.program, terms.from_version);
        let mut record = record::load_or_create(program, &account, version, &accounts.record, &by)?;
        let from = record.require_untouched(&key)?;
        record.set_aside(AccountStatus::Closed, key, terms, old_hash, slot);
        stored::write(&accounts.record, &*record)?;
        accounts.state.counters.shift(from, AccountStatus::Closed)?;
        let event = AccountsMoved {
            proposal: key,
            program: accounts.state.program,
            actor: accounts.payer.key(),
            status: AccountStatus::Closed,
            accounts: vec![AccountMove { account, before: old_hash, after: [0; 32] }],
            counters: accounts.state.counters,
        };
        emit(&accounts.event_authority, &event)
    }
}
