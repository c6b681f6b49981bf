//! Looks at migrated accounts again. Anyone may call it: it only reads the accounts. One that users
//! have changed since is marked as touched, one that they have closed as closed.
use anchor_lang::prelude::*;
use solana_sha256_hasher::hash;

use crate::emit::emit_sized;
use crate::error::ManagerError;
use crate::events::{AccountMove, AccountsMoved};
use crate::record;
use crate::seeds;
use crate::state::{AccountStatus, ProgramUpgradeState, UpgradeProposal, rule_for};
use crate::stored;
use crate::target::{groups, is_gone};

/// Accounts of `verify_accounts`; behind them, for every account: the account and its record `[w]`,
/// in ascending order of the accounts.
#[event_cpi]
#[derive(Accounts)]
pub struct VerifyAccounts<'info> {
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
        seeds = [
            seeds::PROPOSAL,
            state.program.as_ref(),
            &proposal.terms.id.to_le_bytes(),
        ],
        bump = proposal.bump,
    )]
    pub proposal: Box<Account<'info, UpgradeProposal>>,
}

impl<'info> VerifyAccounts<'info> {
    fn validate(&self) -> Result<()> {
        self.proposal.require_executed()?;
        self.state.require_last(&self.proposal.key())
    }

    /// Looks at every account of the batch; emits one event for each status that one came to.
    pub(crate) fn handle(ctx: Context<'info, Self>) -> Result<()> {
        let (accounts, slot) = (ctx.accounts, Clock::get()?.slot);
        accounts.validate()?;
        let groups = groups::<2>(ctx.remaining_accounts)?;
        let (mut verified, mut closed) = (Vec::with_capacity(groups.len()), Vec::new());
        for [account, record] in groups {
            match accounts.verify(account, record, slot)? {
                (AccountStatus::Closed, seen) => closed.push(seen),
                (_, seen) => verified.push(seen),
            }
        }
        accounts.tell(AccountStatus::Verified, verified)?;
        accounts.tell(AccountStatus::Closed, closed)
    }

    fn verify(
        &mut self,
        account: &AccountInfo,
        info: &AccountInfo,
        slot: u64,
    ) -> Result<(AccountStatus, AccountMove)> {
        let (key, terms) = (self.proposal.key(), &self.proposal.terms);
        let mut record = record::load(&terms.program, account.key, info)?;
        let from = record.require_migrated(&key)?;
        let before = record.new_hash;
        let after = if is_gone(account) {
            record.set_aside(AccountStatus::Closed, key, terms, before, slot);
            [0; 32]
        } else {
            control!(from == AccountStatus::Migrated, ManagerError::RecordStatus);
            let data = account.try_borrow_data()?;
            let arrived = rule_for(&terms.type_rules, &data)
                .is_some_and(|rule| rule.arrived(&data, terms.to_version));
            control!(arrived && *account.owner == terms.program, ManagerError::TargetBroke);
            record.verify(hash(&data).to_bytes(), slot);
            hash(&data).to_bytes()
        };
        stored::write(info, &*record)?;
        self.state.counters.shift(from, record.status)?;
        Ok((record.status, AccountMove { account: *account.key, before, after }))
    }

    fn tell(&self, status: AccountStatus, accounts: Vec<AccountMove>) -> Result<()> {
        if accounts.is_empty() {
            return Ok(());
        }
        let event = AccountsMoved {
            proposal: self.proposal.key(),
            program: self.state.program,
            actor: Pubkey::default(),
            status,
            accounts,
            counters: self.state.counters,
        };
        emit_sized(&self.event_authority, &event, event.size())
    }
}
