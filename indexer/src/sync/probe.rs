//! Notices a subscription that the node acknowledged and then never served: at intervals it reads
//! the watched accounts and compares them with the mirror. A single difference may still be in
//! flight; the same difference twice in a row means that the subscription is dead.
use std::{collections::HashMap, sync::Arc};

use serde_json::json;
use solana_pubkey::Pubkey;

use super::session::Session;
use crate::{
    account::{
        ManagerAccount,
        decode::{Raw, manager_account},
    },
    source::error::{IndexerError, Result},
    store::{Row, View},
    sync::context::Origin,
};

/// An account in the mirror: slot of its state, and the state while it is live.
type Mirrored = (u64, Option<ManagerAccount>);

pub(super) async fn probe(session: Arc<Session>) -> Result<()> {
    let context = &session.context;
    // Accounts that differed last time, with the mirror's slot at that time.
    let mut doubted: HashMap<Pubkey, u64> = HashMap::new();
    loop {
        tokio::time::sleep(context.config.probe).await;
        let watched = session.watched.borrow().clone();
        if watched.is_empty() || !session.is_whole() {
            doubted.clear();
            continue;
        }
        let min_slot = context.marks().frontier.unwrap_or(0).max(context.floor());
        let (slot, chain) = match session.rpc.accounts(&watched, min_slot).await {
            Ok(read) => read,
            Err(e) if e.is_transient() => {
                tracing::debug!("the probe was not answered: {e}");
                continue;
            }
            Err(e) => return Err(e),
        };
        session.check_slot_plausible(slot).await?;
        let mirror = mirrored(context.retry_until_ok(|| context.store.view()).await?);
        let different = differing(slot, chain, &mirror);
        let again: Vec<Pubkey> = different
            .iter()
            .filter(|(pubkey, slot)| doubted.get(*pubkey) == Some(slot))
            .map(|(pubkey, _)| *pubkey)
            .collect();
        doubted = different;
        if again.is_empty() {
            continue;
        }
        let accounts = again.len();
        context.metrics.drift_rows(u64::try_from(accounts).unwrap_or(u64::MAX));
        let names: Vec<String> = again.iter().take(10).map(ToString::to_string).collect();
        let detail = json!({"slot": slot, "rows": accounts, "accounts": names});
        context.note("SubscriptionDead", detail).await;
        let deaf = IndexerError::Deaf { url: session.rpc.shown_socket(), accounts };
        context.report(Origin::Connection, Some(deaf.to_string()));
        return Err(deaf);
    }
}

/// The accounts of `view` that can be watched.
fn mirrored(view: View) -> HashMap<Pubkey, Mirrored> {
    fn each<T>(
        rows: Vec<Row<T>>,
        account: impl Fn(Box<T>) -> ManagerAccount,
    ) -> impl Iterator<Item = (Pubkey, Mirrored)> {
        rows.into_iter().map(move |row| {
            let slot = row.closed_slot.unwrap_or(row.slot).max(row.slot);
            let state = row.closed_slot.is_none().then(|| account(Box::new(row.account)));
            (row.pubkey, (slot, state))
        })
    }
    each(view.programs, ManagerAccount::Program)
        .chain(each(view.proposals, ManagerAccount::Proposal))
        .chain(each(view.governance, ManagerAccount::Governance))
        .collect()
}

/// The accounts that differ on the node at `slot`, of those that the mirror has from before.
fn differing(
    slot: u64,
    chain: Vec<(Pubkey, Option<Raw>)>,
    mirror: &HashMap<Pubkey, Mirrored>,
) -> HashMap<Pubkey, u64> {
    let mut out = HashMap::new();
    for (pubkey, raw) in chain {
        let Some((known, state)) = mirror.get(&pubkey) else { continue };
        let theirs = match raw.map(|raw| manager_account(&raw.data)) {
            None => None,
            Some(Ok(account)) => Some(account),
            // Undecodable accounts are left to quarantine.
            Some(Err(_)) => continue,
        };
        if *known < slot && theirs != *state {
            out.insert(pubkey, *known);
        }
    }
    out
}
