//! Reads the mirror whenever it has changed and sends the screens a new snapshot. Also polls the store's revision,
//! because another process may write to the same mirror.
use std::{collections::BTreeMap, sync::Arc, time::Duration};

use indexer::{RecordQuery, Row, Store, StoreError};
use tokio::sync::{Notify, mpsc, watch};
use upgrade_manager::state::{AccountStatus, AccountVersion};

use crate::{
    action::Action,
    model::{
        Level,
        snapshot::{MAX_HISTORY_ROWS, MAX_RECORD_ROWS, Snapshot},
    },
};

/// Least time between two snapshots.
const MIN_RELOAD_INTERVAL: Duration = Duration::from_millis(120);
/// How often the store is asked for its revision.
const POLL_INTERVAL: Duration = Duration::from_secs(2);

/// Runs until the receiver of `actions` is dropped.
pub async fn run(
    store: Arc<dyn Store>,
    mut revision: watch::Receiver<u64>,
    reload: Arc<Notify>,
    actions: mpsc::Sender<Action>,
) {
    let mut seen = None;
    let mut failing = false;
    loop {
        match read_if_new(&*store, seen).await {
            Ok(None) => {}
            Ok(Some((now, snapshot))) => {
                seen = Some(now);
                if std::mem::take(&mut failing) {
                    let text = "The mirror answers again.".to_owned();
                    let _ = actions.send(Action::Say(Level::Info, text)).await;
                }
                if actions.send(Action::Loaded(Arc::new(snapshot))).await.is_err() {
                    return;
                }
            }
            Err(e) if !std::mem::replace(&mut failing, true) => {
                if actions.send(Action::Say(Level::Error, e.to_string())).await.is_err() {
                    return;
                }
            }
            Err(_) => {}
        }
        tokio::time::sleep(MIN_RELOAD_INTERVAL).await;
        tokio::select! {
            changed = revision.changed() => if changed.is_err() {
                tokio::time::sleep(POLL_INTERVAL).await;
            },
            () = reload.notified() => seen = None,
            () = tokio::time::sleep(POLL_INTERVAL) => {}
        }
    }
}

async fn read_if_new(
    store: &dyn Store,
    seen: Option<(u64, bool)>,
) -> Result<Option<((u64, bool), Snapshot)>, StoreError> {
    // On an empty chain the first complete snapshot changes no row and so no revision: compare its flag as well.
    let state = store.state().await?;
    let now = (state.rev, state.snapshot_slot > 0);
    if seen == Some(now) {
        return Ok(None);
    }
    Ok(Some((now, read(store).await?)))
}

/// Reads everything a screen shows.
///
/// # Errors
/// When the store cannot be read.
pub async fn read(store: &dyn Store) -> Result<Snapshot, StoreError> {
    // Asked before the rows are read: if a complete snapshot was there, the rows below contain it.
    let complete = store.state().await?.snapshot_slot > 0;
    let view = store.view().await?;
    let mut audit = store.audit(None, MAX_HISTORY_ROWS).await?;
    audit.reverse();
    let sent = store.sent(MAX_HISTORY_ROWS).await?;
    let mut records = BTreeMap::new();
    for program in &view.programs {
        let program = program.account.program;
        records.insert(program, records_of(store, &program).await?);
    }
    Ok(Snapshot { complete, view, audit, sent, records })
}

/// Version records of one program; those with a problem come first.
async fn records_of(
    store: &dyn Store,
    program: &solana_pubkey::Pubkey,
) -> Result<Vec<Row<AccountVersion>>, StoreError> {
    let query = |status| RecordQuery { status, after: None, limit: MAX_RECORD_ROWS };
    let mut rows = store.account_versions(program, query(None)).await?;
    if u32::try_from(rows.len()).is_ok_and(|n| n >= MAX_RECORD_ROWS) {
        // The list was cut at the limit. Fetch the records with a problem separately, so that none is missing.
        for status in [AccountStatus::Quarantined, AccountStatus::Pending, AccountStatus::Closed] {
            rows.extend(store.account_versions(program, query(Some(status))).await?);
        }
    }
    Ok(problems_first(rows))
}

/// Each record once; those with a problem come first.
fn problems_first(mut rows: Vec<Row<AccountVersion>>) -> Vec<Row<AccountVersion>> {
    rows.sort_by_key(|r| r.pubkey);
    rows.dedup_by_key(|r| r.pubkey);
    let rank = |status| match status {
        AccountStatus::Quarantined => 0,
        AccountStatus::Pending => 1,
        AccountStatus::Closed => 2,
        _ => 3,
    };
    rows.sort_by_key(|r| (rank(r.account.status), !r.account.touched, r.account.account));
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;

    #[test]
    fn records_with_a_problem_come_first_and_none_comes_twice() {
        let snapshot = fixtures::snapshot(&fixtures::migrating(4, 0));
        let mut rows = snapshot.records[&fixtures::key(30)].clone();
        rows[2].account.status = AccountStatus::Quarantined;
        let again = rows[2].clone();
        let wanted = again.pubkey;
        rows.push(again);
        let got = problems_first(rows);
        assert_eq!((got.len(), got[0].pubkey), (4, wanted));
    }
}
