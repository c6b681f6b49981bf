//! Carries out a rollback: records closed accounts as closed, restores the others in batches, compares
//! the restored bytes with the archived hashes, and installs the old code last.
use std::collections::BTreeMap;

use solana_pubkey::Pubkey;
use upgrade_manager::{
    error::ManagerError,
    external::loader::{self, PROGRAM_DATA_HEADER},
    state::{AccountStatus, Phase, ProposalStatus},
};

use crate::{
    accounts::proposal::ProposalContext,
    census::scan::{self, sha256},
    chain::simulate::{MAX_UNITS, with_budget},
    code::elf,
    error::Result,
    instructions::{self, ProposalKeys, Restore},
    keys::signer::Signer,
    pipeline::{
        batches::{BatchLane, FailedItem},
        reporter::Reporter,
        slot_retry::send_with_slot_retry,
    },
    preflight::receipt::{Receipt, SentTx},
    rollback::{
        RollbackHandler, items,
        refunds::{self, FundedRestore, RestoreOrder},
        unrestorable_accounts,
    },
};

/// Most passes in one run; each pass reads the chain again.
const MAX_PASSES: u32 = 8;

/// How many restored accounts hold their old bytes, and how many hold other bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Comparison {
    equal: u64,
    different: u64,
}

impl RollbackHandler {
    pub(super) async fn restore_all(
        &self,
        proposal: Pubkey,
        give_up: bool,
        key: &dyn Signer,
        reporter: &Reporter,
    ) -> Result<Receipt> {
        let mut sent = vec![];
        let mut failed: BTreeMap<Pubkey, FailedItem> = BTreeMap::new();
        for _ in 0..MAX_PASSES {
            if !self.pass(proposal, key, reporter, &mut sent, &mut failed).await? {
                break;
            }
        }
        let current = ProposalContext::load(self.context.chain(), proposal).await?;
        let compared = self.compare(&current, reporter).await?;
        let mut failures: Vec<String> = failed.values().map(ToString::to_string).collect();
        let accounts = format!(
            "{} accounts hold their old bytes again, compared by sha256; {} came back by \
             migrate-down with other bytes",
            compared.equal, compared.different
        );
        let left = current.state.counters.on_new_layout();
        let given_up = give_up && current.proposal.ballot.may_give_up(&current.multisig);
        if left > 0 && !given_up {
            failures.push(format!(
                "{left} accounts still hold the new layout, so the old code stays out: restore \
                 them, or let the threshold vote for rollback with giving up."
            ));
            return Ok(Receipt {
                sent,
                summary: format!("{accounts}; the code is not rolled back."),
                failures,
                subject: None,
            });
        }
        let code = self.roll_code_back(&current, key, reporter, &mut sent).await?;
        // Accounts that the members gave up by vote are not failures; the summary still names the reasons.
        let mut lost = String::new();
        if left > 0 {
            let reasons = std::mem::take(&mut failures).join(" ");
            lost = format!("; {left} were given up ({reasons})").replace(" ()", "");
        }
        // The rollback is done: an RPC error from here on must not make it look undone.
        let terms = &current.proposal.terms;
        let new =
            match scan::unrestorable_accounts(self.context.chain(), terms, &current.executed())
                .await
            {
                Ok(new) => unrestorable_accounts::afterwards(&new),
                Err(error) => {
                    format!("; accounts made on the new layout were not counted: {error}")
                }
            };
        let summary = format!("{accounts}{lost}; {code}{new}.");
        Ok(Receipt { sent, summary, failures, subject: None })
    }

    /// One pass: reads the chain and restores everything that it shows. False when nothing was left.
    async fn pass(
        &self,
        proposal: Pubkey,
        key: &dyn Signer,
        reporter: &Reporter,
        sent: &mut Vec<SentTx>,
        failed: &mut BTreeMap<Pubkey, FailedItem>,
    ) -> Result<bool> {
        let current = ProposalContext::load(self.context.chain(), proposal).await?;
        let mut items = items::plan_items(&self.context, &current).await?;
        let open = |a: &Pubkey| !failed.contains_key(a);
        let gone: Vec<Pubkey> = items.gone.iter().copied().filter(open).collect();
        items.restores.retain(|r| open(&r.account));
        // Restores that wait for a refund account come with the next pass.
        let RestoreOrder { first, free, .. } = items.order();
        if gone.is_empty() && items.restores.is_empty() {
            return Ok(false);
        }
        let lane = |what, label| BatchLane {
            chain: self.context.chain(),
            key,
            reporter,
            what,
            label,
            before: u64::from(current.state.counters.restored),
            failed: u64::try_from(failed.len()).unwrap_or(u64::MAX),
        };
        let terms = &current.proposal.terms;
        let (keys, payer) = (ProposalKeys::of(terms), key.pubkey());
        let verify = |t: &[Pubkey]| vec![instructions::verify_accounts(&keys, t)];
        let closed = lane("verify closed accounts", "Accounting for closed accounts")
            .run(gone, |t| *t, verify)
            .await?;
        let funded_restore = |t: &[FundedRestore]| refunds::fund_and_restore(&payer, terms, t);
        let opened = lane("restore accounts", "Restoring accounts")
            .run(first, |t| t.restore.account, funded_restore)
            .await?;
        let restore =
            |t: &[Restore]| vec![instructions::restore_accounts(&payer, &payer, terms, t)];
        let restored = lane("restore accounts", "Restoring accounts")
            .run(free, |t| t.account, restore)
            .await?;
        sent.extend(closed.sent);
        sent.extend(opened.sent);
        sent.extend(restored.sent);
        // An account that a user changed meanwhile is restored by migrate-down in the next pass; one that
        // another member restored needs nothing more.
        let ours = |f: &FailedItem| {
            !matches!(f.manager, Some(ManagerError::Touched | ManagerError::RecordStatus))
        };
        let bad =
            closed.failed.into_iter().chain(opened.failed).chain(restored.failed).filter(ours);
        failed.extend(bad.map(|f| (f.account, f)));
        Ok(true)
    }

    /// Compares every restored account with the hash it had before its migration.
    async fn compare(&self, current: &ProposalContext, reporter: &Reporter) -> Result<Comparison> {
        let chain = self.context.chain();
        let restored: Vec<_> = scan::records(chain, &current.program(), &current.executed())
            .await?
            .into_values()
            .filter(|r| r.status == AccountStatus::Restored)
            .collect();
        let addresses: Vec<Pubkey> = restored.iter().map(|r| r.account).collect();
        let accounts = chain.accounts(&addresses).await?;
        let mut out = Comparison::default();
        for (record, account) in restored.iter().zip(accounts) {
            if account.is_some_and(|a| sha256(&a.data) == record.old_hash) {
                out.equal = out.equal.saturating_add(1);
            } else {
                out.different = out.different.saturating_add(1);
            }
        }
        let total = out.equal.saturating_add(out.different);
        reporter.step("Comparing with the old bytes", out.equal, total, 0);
        Ok(out)
    }

    /// Installs the old code, reads ProgramData back and compares its hash with the attested one.
    async fn roll_code_back(
        &self,
        current: &ProposalContext,
        key: &dyn Signer,
        reporter: &Reporter,
        sent: &mut Vec<SentTx>,
    ) -> Result<String> {
        let (chain, terms) = (self.context.chain(), &current.proposal.terms);
        if current.proposal.status != ProposalStatus::RolledBack
            && current.state.phase == Phase::RollingBack
        {
            reporter.step("Installing the old code", 0, 1, 0);
            let ix = instructions::rollback_program(&key.pubkey(), terms);
            let message = with_budget(&[ix], MAX_UNITS, chain.config().unit_price);
            let what = "roll program back";
            let done = send_with_slot_retry(self.context.chain(), what, &message, &[key], None)
                .await?
                .succeeded()?;
            reporter.sent(&done).await;
            sent.push(done);
            reporter.step("Installing the old code", 1, 1, 0);
        }
        let live = chain.account(&terms.program_data).await?;
        let same = live.is_some_and(|a| {
            a.owner == loader::ID
                && elf::verify_hash(a.data.get(PROGRAM_DATA_HEADER..).unwrap_or_default())
                    == terms.rollback.sha256
        });
        Ok(if same {
            "the old code is back, hashed here".into()
        } else {
            "the code in ProgramData does not have the old hash: look at the program".into()
        })
    }
}
