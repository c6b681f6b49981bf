//! Restores migrated accounts to their old layout, once the members decided for rollback. An
//! account that nobody has changed since its migration gets its exact old bytes; for any other the
//! target computes the old layout from the new one.
use anchor_lang::prelude::*;

use crate::account_io::multisig::{read_multisig_and_state, read_upgrade_proposal};
use crate::account_io::version::read_record;
use crate::account_io::{backup, io};
use crate::error::{ManagerError, OrErr as _};
use crate::events::{AccountMove, AccountsMoved};
use crate::external::loader;
use crate::external::target::{RestoreMethod, Target};
use crate::runtime::batch::Batch;
use crate::runtime::emit::emit_sized;
use crate::runtime::require::require;
use crate::state::{AccountStatus, Executed, MultisigConfig, ProgramUpgradeState, UpgradeProposal};

/// How one account is brought back to its old layout.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Debug, PartialEq, Eq)]
pub enum RestoreItem {
    /// The account's exact old bytes, for one that nobody has changed since its migration.
    Bytes(Vec<u8>),
    /// The target computes the old layout from the new one.
    Down,
    /// The account's exact old bytes from its on-chain backup, which comes behind the account.
    Backup,
}

/// Accounts of `restore_accounts`; behind them, for every account: the account `[w]`, its record
/// `[w]`, who paid for its growth `[w]` and, when it comes back from it, its backup, in ascending
/// order of the accounts.
#[derive(Accounts)]
pub struct RestoreAccounts<'info> {
    /// Restores.
    pub executor: Signer<'info>,
    /// Pays for accounts that were larger before.
    #[account(mut)]
    pub payer: Signer<'info>,
    /// CHECK: the multisig; `handle` reads it.
    pub multisig: UncheckedAccount<'info>,
    /// CHECK: the program's state; `handle` reads it.
    #[account(mut)]
    pub state: UncheckedAccount<'info>,
    /// CHECK: the proposal; `handle` reads it.
    pub proposal: UncheckedAccount<'info>,
    /// CHECK: the program's code; `validate` checks who may change it.
    pub program_data: UncheckedAccount<'info>,
    /// CHECK: the address that signs calls into the target; `validate` checks it.
    pub migrator: UncheckedAccount<'info>,
    /// CHECK: the target; `validate` checks it.
    pub target_program: UncheckedAccount<'info>,
    /// Moves rent.
    pub system_program: Program<'info, System>,
    /// CHECK: signs events; `emit` checks it.
    pub event_authority: UncheckedAccount<'info>,
    /// CHECK: the manager, which receives event CPIs.
    pub program: UncheckedAccount<'info>,
}

impl<'info> RestoreAccounts<'info> {
    fn validate(
        &self,
        config: &MultisigConfig,
        state: &ProgramUpgradeState,
        proposal: &UpgradeProposal,
        slot: u64,
    ) -> Result<()> {
        config.require_restorer(self.executor.key)?;
        proposal.require_rolling_back()?;
        state.require_rolling_back(self.proposal.key)?;
        state.require_callable(slot)?;
        require!(*self.target_program.key == state.program, ManagerError::WrongAccount);
        require!(*self.program_data.key == state.program_data, ManagerError::WrongAccount);
        require!(*self.migrator.key == state.migrator(), ManagerError::WrongAccount);
        loader::require_authority(&self.program_data, &state.authority())
    }

    /// Restores every account of the batch; one failure fails the whole instruction.
    pub(crate) fn handle(ctx: Context<'info, Self>, items: Vec<RestoreItem>) -> Result<()> {
        let (accounts, slot) = (&*ctx.accounts, Clock::get()?.slot);
        let (config, mut state) = read_multisig_and_state(&accounts.multisig, &accounts.state)?;
        let proposal = read_upgrade_proposal(&state, &accounts.proposal)?;
        accounts.validate(&config, &state, &proposal, slot)?;
        let mut batch = Batch::of(ctx.remaining_accounts)?;
        let mut moves = Vec::with_capacity(items.len());
        let rent = Rent::get()?;
        let target = Target {
            terms: &proposal.terms,
            migrator: &accounts.migrator,
            migrator_bump: state.migrator_bump,
            program: &accounts.target_program,
            system_program: &accounts.system_program,
            rent: &rent,
        };
        let executed = proposal.executed_as(*accounts.proposal.key);
        let shared = RestoreBatch { target, payer: &accounts.payer, executed, slot };
        for item in &items {
            let group = batch.next()?.or_err(ManagerError::BadBatch)?;
            let (from, moved) = shared.restore(group, item, &mut batch)?;
            state.counters.shift(from, AccountStatus::Restored)?;
            moves.push(moved);
        }
        require!(batch.next::<3>()?.is_none(), ManagerError::BadBatch);
        io::write(&accounts.state, &*state)?;
        let event = AccountsMoved {
            proposal: *accounts.proposal.key,
            program: state.program,
            actor: *accounts.executor.key,
            status: AccountStatus::Restored,
            accounts: moves,
            counters: state.counters,
        };
        emit_sized(&accounts.event_authority, &event, event.size())
    }
}

/// What is the same for every account of a batch.
struct RestoreBatch<'a, 'info> {
    target: Target<'a, 'info>,
    payer: &'a AccountInfo<'info>,
    executed: Executed,
    slot: u64,
}

impl<'info> RestoreBatch<'_, 'info> {
    /// Restores `account`, whose record is in `info`. Returns its status before and its part of the
    /// event.
    #[inline(never)]
    fn restore(
        &self,
        [account, info, refund]: &[AccountInfo<'info>; 3],
        item: &RestoreItem,
        batch: &mut Batch<'_, 'info>,
    ) -> Result<(AccountStatus, AccountMove)> {
        let program = &self.target.terms.program;
        let mut record = read_record(program, account.key, info)?;
        let from = record.require_migrated(&self.executed)?;
        require!(*refund.key == record.rent_payer, ManagerError::WrongAccount);
        let back = |method: &RestoreMethod<'_>| {
            self.target.restore(&record, method, account, refund, self.payer)
        };
        let done = match item {
            RestoreItem::Bytes(bytes) => back(&RestoreMethod::Bytes(bytes))?,
            RestoreItem::Down => back(&RestoreMethod::Down)?,
            RestoreItem::Backup => {
                let kept = batch.backup()?;
                let (of, data) = ((program, &self.executed.proposal), kept.try_borrow_data()?);
                back(&RestoreMethod::Bytes(backup::bytes(of, account.key, kept, &data)?))?
            }
        };
        record.restore(done.freed, self.slot);
        io::write(info, &*record)?;
        Ok((from, AccountMove { account: *account.key, before: done.before, after: done.after }))
    }
}
