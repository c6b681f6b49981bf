//! Asks by address for the accounts that a list lacks. A list that a node cut short looks as if
//! accounts were closed, so a list alone closes no row.
use std::{
    collections::{BTreeSet, HashSet},
    sync::atomic::Ordering,
};

use solana_pubkey::Pubkey;

use crate::{
    account::decode::Raw,
    source::{error::Result, rpc::Rpc},
    store::PubkeySet,
    sync::context::MirrorContext,
};

/// Rows of one page.
const PAGE_ACCOUNTS: u32 = 1_000;

/// The node's answer about accounts that its list lacks.
#[derive(Debug, Default)]
pub(super) struct Asked {
    /// Accounts that exist and are the manager's: the list left them out.
    pub(super) there: Vec<Raw>,
    /// Accounts that do not exist, or are not the manager's any more.
    pub(super) gone: Vec<Pubkey>,
    /// The oldest slot of the answers. Each account of `gone` was absent at this slot or a later one.
    pub(super) closed_at: u64,
    /// The newest slot of the answers.
    pub(super) slot: u64,
}

/// Asks `rpc` for `pubkeys`, which its list at `slot` lacks.
///
/// # Errors
/// As [`Rpc::by_address`].
pub(super) async fn ask(rpc: &Rpc, pubkeys: Vec<Pubkey>, slot: u64) -> Result<Asked> {
    if pubkeys.is_empty() {
        return Ok(Asked::default());
    }
    let found = rpc.by_address(&pubkeys, slot).await?;
    let there: HashSet<Pubkey> = found.accounts.iter().map(|raw| raw.pubkey).collect();
    let gone = pubkeys.into_iter().filter(|pubkey| !there.contains(pubkey)).collect();
    Ok(Asked { there: found.accounts, gone, closed_at: found.oldest, slot: found.newest })
}

/// Accounts that the mirror holds from before `slot` and that `present` lacks, including quarantined
/// ones.
pub(super) async fn lacking(
    context: &MirrorContext,
    slot: u64,
    present: &PubkeySet,
) -> Result<Vec<Pubkey>> {
    let bad = context.retry_until_ok(|| context.store.quarantined()).await?;
    let bad = bad.into_iter().map(|q| (q.pubkey, q.slot));
    let mut held: Vec<(Pubkey, u64)> = bad.collect();
    held.retain(|(pubkey, at)| *at < slot && !present.contains(pubkey));
    let mut after = None;
    loop {
        let page = context.retry_until_ok(|| context.store.rows(after, PAGE_ACCOUNTS)).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.pubkey);
        let rows = page.iter().map(|row| (row.pubkey, row.slot));
        held.extend(rows.filter(|(pubkey, at)| *at < slot && !present.contains(pubkey)));
    }
    let lacking: BTreeSet<Pubkey> = held.into_iter().map(|(pubkey, _)| pubkey).collect();
    Ok(lacking.into_iter().collect())
}

/// Addresses that programs and proposals named at `slot` or before and that the mirror does not hold: a
/// list may have left them out too. Searched only if the mirror has changed since the last search.
pub(super) async fn named_only(context: &MirrorContext, slot: u64) -> Result<Vec<Pubkey>> {
    if context.named_at.load(Ordering::Relaxed) == *context.revision.borrow() {
        return Ok(vec![]);
    }
    let view = context.retry_until_ok(|| context.store.view()).await?;
    let mut known: HashSet<Pubkey> = view.multisigs.iter().map(|r| r.pubkey).collect();
    known.extend(view.programs.iter().map(|r| r.pubkey));
    known.extend(view.proposals.iter().map(|r| r.pubkey));
    known.extend(view.governance.iter().map(|r| r.pubkey));
    let mut named = BTreeSet::new();
    for row in view.programs.iter().filter(|r| r.closed_slot.is_none() && r.slot <= slot) {
        let state = &row.account;
        named.insert(state.multisig);
        named.extend(state.live_proposal);
        named.extend(state.roll_forward);
        named.extend(state.last_executed);
    }
    for row in view.proposals.iter().filter(|r| r.closed_slot.is_none() && r.slot <= slot) {
        named.insert(row.account.terms.multisig);
    }
    for row in view.governance.iter().filter(|r| r.closed_slot.is_none() && r.slot <= slot) {
        named.insert(row.account.terms.multisig);
    }
    named.retain(|pubkey| !known.contains(pubkey));
    // A row newer than the list may name an account that only the next list can hold.
    let is_old = view.programs.iter().all(|r| r.slot <= slot)
        && view.proposals.iter().all(|r| r.slot <= slot)
        && view.governance.iter().all(|r| r.slot <= slot);
    if named.is_empty() && is_old {
        context.named_at.store(view.rev, Ordering::Relaxed);
    }
    Ok(named.into_iter().collect())
}
