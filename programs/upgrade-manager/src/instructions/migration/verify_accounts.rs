//! Checks migrated accounts again, in a later transaction. Anyone may call this: it only reads the
//! target's accounts. One that users have changed since its migration is marked as touched, one
//! that they have closed as closed.
use anchor_lang::prelude::*;
use solana_sha256_hasher::hash;

use crate::account_io::io;
use crate::account_io::program::read_state_and_proposal;
use crate::account_io::version::read_record;
use crate::error::ManagerError;
use crate::events::{AccountMove, AccountsMoved};
use crate::external::target::is_closed;
use crate::runtime::batch::Batch;
use crate::runtime::emit::emit_sized;
use crate::runtime::require::require;
use crate::state::{AccountStatus, Executed, ProgramUpgradeState, Terms, rule_for};

/// Accounts of `verify_accounts`; behind them, for every account: the account and its record `[w]`,
/// in ascending order of the accounts.
#[derive(Accounts)]
pub struct VerifyAccounts<'info> {
    /// CHECK: the program's state; `handle` reads it.
    #[account(mut)]
    pub state: UncheckedAccount<'info>,
    /// CHECK: the proposal; `handle` reads it.
    pub proposal: UncheckedAccount<'info>,
    /// CHECK: signs events; `emit` checks it.
    pub event_authority: UncheckedAccount<'info>,
    /// CHECK: the manager, which receives event CPIs.
    pub program: UncheckedAccount<'info>,
}

impl<'info> VerifyAccounts<'info> {
    /// Checks every account of the batch. Emits one event for the verified accounts and one for the
    /// closed ones.
    pub(crate) fn handle(ctx: Context<'info, Self>) -> Result<()> {
        let (accounts, slot) = (&*ctx.accounts, Clock::get()?.slot);
        let (mut state, proposal) = read_state_and_proposal(&accounts.state, &accounts.proposal)?;
        proposal.require_executed()?;
        state.require_last(accounts.proposal.key)?;
        let by = proposal.executed_as(*accounts.proposal.key);
        let mut batch = Batch::of(ctx.remaining_accounts)?;
        let count = ctx.remaining_accounts.len() / 2;
        let (mut verified, mut closed) = (Vec::with_capacity(count), Vec::new());
        while let Some([account, info]) = batch.next()? {
            let (from, to, seen) = verify(&proposal.terms, &by, account, info, slot)?;
            state.counters.shift(from, to)?;
            let seen_as = if to == AccountStatus::Closed { &mut closed } else { &mut verified };
            seen_as.push(seen);
        }
        io::write(&accounts.state, &*state)?;
        accounts.emit_event(&state, AccountStatus::Verified, verified)?;
        accounts.emit_event(&state, AccountStatus::Closed, closed)
    }

    fn emit_event(
        &self,
        state: &ProgramUpgradeState,
        status: AccountStatus,
        accounts: Vec<AccountMove>,
    ) -> Result<()> {
        if accounts.is_empty() {
            return Ok(());
        }
        let event = AccountsMoved {
            proposal: *self.proposal.key,
            program: state.program,
            actor: Pubkey::default(),
            status,
            accounts,
            counters: state.counters,
        };
        emit_sized(&self.event_authority, &event, event.size())
    }
}

/// Checks `account`, whose record is in `info`. Returns its status before and now, and its part of
/// the event.
fn verify(
    terms: &Terms,
    by: &Executed,
    account: &AccountInfo,
    info: &AccountInfo,
    slot: u64,
) -> Result<(AccountStatus, AccountStatus, AccountMove)> {
    let mut record = read_record(&terms.program, account.key, info)?;
    let from = record.require_migrated(by)?;
    let before = record.new_hash;
    let after = if is_closed(account) {
        record.set_aside(AccountStatus::Closed, by, record.version, before, slot);
        [0; 32]
    } else {
        require!(from == AccountStatus::Migrated, ManagerError::RecordStatus);
        require!(*account.owner == terms.program, ManagerError::TargetBroke);
        let data = account.try_borrow_data()?;
        let rule = rule_for(&terms.type_rules, &data);
        let arrived = rule.is_some_and(|rule| rule.is_migrated(&data, terms.to_version));
        require!(arrived, ManagerError::TargetBroke);
        let seen = hash(&data).to_bytes();
        record.verify(seen, slot);
        seen
    };
    io::write(info, &*record)?;
    Ok((from, record.status, AccountMove { account: *account.key, before, after }))
}
