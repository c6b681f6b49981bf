//! Sets an account aside that cannot migrate, or that no longer looks migrated, so that it does not
//! keep the program from ever being steady again. An executor answers for it by name.
use anchor_lang::prelude::*;
use solana_sha256_hasher::hash;

use crate::emit::emit;
use crate::error::ManagerError;
use crate::events::{AccountMove, AccountsMoved};
use crate::record;
use crate::seeds;
use crate::state::{
    AccountStatus, AccountVersion, MultisigConfig, ProgramUpgradeState, UpgradeProposal, role,
    rule_for,
};
use crate::stored::{self, Payer};
use crate::target::{is_gone, is_old};

/// Accounts of `quarantine`.
#[event_cpi]
#[derive(Accounts)]
pub struct Quarantine<'info> {
    /// Answers for it.
    pub executor: Signer<'info>,
    /// Pays for the record.
    #[account(mut)]
    pub payer: Signer<'info>,
    /// The team.
    #[account(seeds = [seeds::MULTISIG, multisig.create_key.as_ref()], bump = multisig.bump)]
    pub multisig: Box<Account<'info, MultisigConfig>>,
    /// The program's state.
    #[account(
        mut,
        dup,
        seeds = [seeds::PROGRAM, state.program.as_ref()],
        bump = state.bump,
        has_one = multisig @ ManagerError::WrongAccount,
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
    /// CHECK: the account; `leaves` looks at it.
    pub account: UncheckedAccount<'info>,
    /// CHECK: its record; made or read by hand.
    #[account(mut)]
    pub record: UncheckedAccount<'info>,
    /// Makes the record.
    pub system_program: Program<'info, System>,
}

impl<'info> Quarantine<'info> {
    fn validate(&self) -> Result<()> {
        self.multisig.require_role(&self.executor.key(), role::EXECUTE)?;
        self.proposal.require_executed()?;
        self.state.require_migrating(&self.proposal.key())
    }

    /// The status the account leaves. One that was not migrated must be of a pinned type at the old
    /// version; one that was must have lost its new layout without being closed.
    fn leaves(&self, record: &AccountVersion) -> Result<AccountStatus> {
        let (key, terms) = (self.proposal.key(), &self.proposal.terms);
        let data = self.account.try_borrow_data()?;
        let rule = rule_for(&terms.type_rules, &data);
        let owned = *self.account.owner == terms.program;
        if let Ok(status) = record.require_migrated(&key) {
            let sound = owned && rule.is_some_and(|rule| rule.arrived(&data, terms.to_version));
            control!(!sound && !is_gone(&self.account), ManagerError::RecordStatus);
            return Ok(status);
        }
        control!(is_old(&self.account, terms)?, ManagerError::NotEligible);
        record.require_untouched(&key)
    }

    /// Writes down that the account stays behind.
    pub(crate) fn handle(ctx: Context<'info, Self>) -> Result<()> {
        let (accounts, slot) = (ctx.accounts, Clock::get()?.slot);
        accounts.validate()?;
        accounts.proposal.start_migrating();
        let (key, account) = (accounts.proposal.key(), accounts.account.key());
        let (terms, rent) = (&accounts.proposal.terms, Rent::get()?);
        let by =
            Payer { payer: &accounts.payer, system_program: &accounts.system_program, rent: &rent };
        let (program, version) = (&terms.program, terms.from_version);
        let mut record = record::load_or_create(program, &account, version, &accounts.record, &by)?;
        let from = accounts.leaves(&record)?;
        let seen = hash(&accounts.account.try_borrow_data()?).to_bytes();
        record.set_aside(AccountStatus::Quarantined, key, terms, seen, slot);
        stored::write(&accounts.record, &*record)?;
        accounts.state.counters.shift(from, AccountStatus::Quarantined)?;
        let event = AccountsMoved {
            proposal: key,
            program: accounts.state.program,
            actor: accounts.executor.key(),
            status: AccountStatus::Quarantined,
            accounts: vec![AccountMove { account, before: seen, after: seen }],
            counters: accounts.state.counters,
        };
        emit(&accounts.event_authority, &event)
    }
}
