//! Decides how each account on the new layout is restored: by its archived bytes when no user changed it
//! since its migration, else by the target's own `migrate_down`.
use std::collections::{BTreeMap, BTreeSet};

use solana_pubkey::Pubkey;
use upgrade_manager::{
    instructions::RestoreItem,
    state::{AccountStatus, AccountVersion, TypeRule},
};

use crate::{
    accounts::{self, proposal::ProposalContext},
    census::scan::{self, is_gone, sha256},
    chain::{
        read::RawAccount,
        simulate::{MAX_TRANSACTION_LEN, MAX_UNITS, transaction_size, with_budget},
    },
    error::Result,
    instructions::Restore,
    pipeline::{archiving::archived, context::Context, plan::Plan},
    preflight::check::Check,
    rollback::refunds::{self, FundedRestore, RefundAccount, RestoreOrder},
};

/// How a rollback would treat every account.
#[derive(Debug, Default)]
pub(super) struct RestoreItems {
    /// Accounts to restore, by address.
    pub restores: Vec<Restore>,
    /// Lamports that each of them gives back.
    refunds: BTreeMap<Pubkey, u64>,
    /// Refund accounts that are below the rent-exempt minimum.
    below_rent_exempt: BTreeMap<Pubkey, RefundAccount>,
    /// Accounts whose old bytes the chain keeps for this proposal.
    backups: BTreeSet<Pubkey>,
    /// Migrated accounts that no longer exist.
    pub gone: Vec<Pubkey>,
    /// Of the restores, accounts that users have changed since.
    pub touched: usize,
    /// Of the restores, accounts whose old bytes are not in the archive.
    pub unarchived: usize,
    /// Of the restores, accounts whose old bytes do not fit into a transaction.
    pub too_large: usize,
}

impl RestoreItems {
    /// The restores in the order in which the runtime accepts their refunds.
    pub(super) fn order(&self) -> RestoreOrder {
        refunds::order(self.restores.clone(), &self.refunds, &self.below_rent_exempt)
    }
}

/// Reads every account that holds the new layout and decides how it is restored.
pub(super) async fn plan_items(
    context: &Context,
    current: &ProposalContext,
) -> Result<RestoreItems> {
    let chain = context.chain();
    let under = scan::records(chain, &current.program(), &current.executed()).await?;
    let on_new: Vec<AccountVersion> = under
        .into_values()
        .filter(|r| matches!(r.status, AccountStatus::Migrated | AccountStatus::Verified))
        .collect();
    let kept = backups(context, current).await?;
    let addresses: Vec<Pubkey> = on_new.iter().map(|r| r.account).collect();
    let accounts = chain.accounts(&addresses).await?;
    let mut items = RestoreItems {
        refunds: on_new.iter().map(|r| (r.account, r.rent_paid)).collect(),
        below_rent_exempt: refunds::below_rent_exempt(chain, &on_new, context.signer()).await?,
        backups: kept,
        ..RestoreItems::default()
    };
    for (record, account) in on_new.iter().zip(accounts) {
        match account {
            Some(account) if !is_gone(Some(&account)) => {
                let item = item(context, current, record, &account, &mut items).await?;
                let (account, rent_refund) = (record.account, record.rent_payer);
                items.restores.push(Restore { account, rent_refund, item });
            }
            _ => items.gone.push(record.account),
        }
    }
    Ok(items)
}

async fn item(
    context: &Context,
    current: &ProposalContext,
    record: &AccountVersion,
    account: &RawAccount,
    items: &mut RestoreItems,
) -> Result<RestoreItem> {
    if sha256(&account.data) != record.new_hash {
        items.touched = items.touched.saturating_add(1);
        return Ok(RestoreItem::Down);
    }
    // A critical account has its old bytes in a backup account, so the transaction need not carry them.
    if items.backups.contains(&record.account) {
        return Ok(RestoreItem::Backup);
    }
    let Some(bytes) = archived(context.archive(), record.program, record.old_hash).await? else {
        items.unarchived = items.unarchived.saturating_add(1);
        return Ok(RestoreItem::Down);
    };
    let exact = RestoreItem::Bytes(bytes);
    if fits(context, current, record, &exact) {
        return Ok(exact);
    }
    items.too_large = items.too_large.saturating_add(1);
    Ok(RestoreItem::Down)
}

/// The accounts of critical types whose old bytes the chain keeps for this proposal.
async fn backups(context: &Context, current: &ProposalContext) -> Result<BTreeSet<Pubkey>> {
    if !current.proposal.terms.type_rules.iter().any(TypeRule::is_critical) {
        return Ok(BTreeSet::new());
    }
    let kept = accounts::backups(context.chain(), &current.program()).await?;
    Ok(kept.into_iter().filter(|b| b.proposal == current.address).map(|b| b.account).collect())
}

/// Whether one transaction can hold this restore alone, with the transfer that its refund account needs
/// before it.
fn fits(
    context: &Context,
    current: &ProposalContext,
    record: &AccountVersion,
    item: &RestoreItem,
) -> bool {
    // A payer other than the refund account makes the transaction as large as it can get.
    let payer = Pubkey::new_from_array([0xee; 32]);
    let restore =
        Restore { account: record.account, rent_refund: record.rent_payer, item: item.clone() };
    let message = refunds::fund_and_restore(
        &payer,
        &current.proposal.terms,
        &[FundedRestore { restore, missing: 1 }],
    );
    let price = context.chain().config().unit_price;
    transaction_size(&with_budget(&message, MAX_UNITS, price), &payer) <= MAX_TRANSACTION_LEN
}

/// Adds facts and checks about the restores to `plan`.
pub(super) fn describe(plan: &mut Plan, items: &RestoreItems) {
    let inverse = items.restores.iter().filter(|r| r.item == RestoreItem::Down).count();
    let exact = items.restores.len().saturating_sub(inverse);
    plan.fact("Accounts restored byte by byte", exact);
    plan.fact("Accounts restored by migrate-down", inverse);
    plan.fact("Migrated accounts that were closed since", items.gone.len());
    for funded_restore in items.order().first.iter().filter(|o| o.missing > 0) {
        plan.fact(
            "Sent before its refund",
            format!(
                "{} lamports from the signer to {}, which paid for growth, was emptied and could \
                 not take its rent back otherwise",
                funded_restore.missing, funded_restore.restore.rent_refund
            ),
        );
    }
    if items.touched > 0 {
        plan.check(Check::warn(format!(
            "{} accounts were changed by users since their migration: their present content is \
             kept and converted by the program's own migrate-down.",
            items.touched
        )));
    }
    if items.unarchived > 0 {
        plan.check(Check::warn(format!(
            "The old bytes of {} accounts are not in this archive: they come back by \
             migrate-down. Copy the archive of the machine that migrated them to restore exactly.",
            items.unarchived
        )));
    }
    if items.too_large > 0 {
        plan.check(Check::warn(format!(
            "The old bytes of {} accounts do not fit into a transaction: they come back by \
             migrate-down.",
            items.too_large
        )));
    }
    if inverse == 0 && !items.restores.is_empty() {
        plan.check(Check::pass(
            "Every account is untouched since its migration and its old bytes are archived and \
             verified.",
        ));
    }
}
