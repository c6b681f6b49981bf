//! Which accounts get an `accountSubscribe` of their own. `programSubscribe` sends nothing when an
//! account is closed, so programs and open proposals are watched one by one.
use std::{sync::Arc, time::Duration};

use solana_pubkey::Pubkey;
use upgrade_manager::state::ProposalStatus;

use super::session::Session;
use crate::{
    source::{error::Result, websocket::MAX_WATCHED},
    store::View,
};

/// Changes of the view within this time are handled together.
const VIEW_DEBOUNCE_INTERVAL: Duration = Duration::from_millis(100);

/// The programs and open proposals of both kinds in `view`, last changed first, up to the limit.
pub(super) fn list(view: &View) -> Vec<Pubkey> {
    let programs = view.programs.iter().map(|r| (r.closed_slot, true, r.slot, r.pubkey));
    let upgrades = view
        .proposals
        .iter()
        .map(|r| (r.closed_slot, !r.account.status.is_final(), r.slot, r.pubkey));
    let governance = view.governance.iter().map(|r| {
        let status = r.account.status;
        let open = !status.is_final() && status != ProposalStatus::Executed;
        (r.closed_slot, open, r.slot, r.pubkey)
    });
    let all = programs.chain(upgrades).chain(governance);
    let live = all.filter(|(closed, open, ..)| closed.is_none() && *open);
    let mut live: Vec<(u64, Pubkey)> = live.map(|(_, _, slot, pubkey)| (slot, pubkey)).collect();
    live.sort_unstable_by(|a, b| b.cmp(a));
    live.into_iter().map(|(_, pubkey)| pubkey).take(MAX_WATCHED).collect()
}

/// Updates the watched list after each change of the store.
pub(super) async fn follow_view(session: Arc<Session>) -> Result<()> {
    loop {
        session.view_moved.notified().await;
        tokio::time::sleep(VIEW_DEBOUNCE_INTERVAL).await;
        let context = &session.context;
        let now = list(&context.retry_until_ok(|| context.store.view()).await?);
        session.watched.send_if_modified(|list| {
            // The order does not matter.
            let (mut before, mut after) = (list.clone(), now.clone());
            before.sort_unstable();
            after.sort_unstable();
            *list = now;
            before != after
        });
    }
}
