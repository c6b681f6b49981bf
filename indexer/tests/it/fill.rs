//! The first load: all rows or none, with the same result as batches.
use std::sync::Arc;

use indexer::{Batch, Fill, MirrorStore, Quarantined, RecordQuery, Run, Store, Update};
use solana_pubkey::Pubkey;
use tokio::sync::mpsc;
use upgrade_manager::state::{AccountStatus, ProposalStatus};

use crate::{
    common::{
        fixtures::{PROGRAM_ID, RUN, bytes, key, multisig, program, proposal, record, update},
        until,
    },
    on_both_stores,
};

/// An address whose byte order differs from the order of `n`.
fn address(n: u32) -> Pubkey {
    let mut address = [3; 32];
    address[..2].copy_from_slice(&n.wrapping_mul(40_503).to_be_bytes()[2..]);
    address[28..].copy_from_slice(&n.to_be_bytes());
    Pubkey::new_from_array(address)
}

fn snapshot(records: u32) -> Vec<Update> {
    let mut all = vec![
        update(key(40), 70, 0, bytes(&multisig())),
        update(key(41), 70, 0, bytes(&program(1))),
        update(key(60), 70, 0, bytes(&proposal(ProposalStatus::Active))),
    ];
    all.extend((0..records).map(|n| {
        let status = AccountStatus::ALL[usize::try_from(n % 6).unwrap()];
        update(address(n), 70, 0, bytes(&record(1, status)))
    }));
    all
}

fn unreadable() -> Quarantined {
    let error = "no account\0of the manager".to_owned();
    Quarantined { pubkey: key(99), slot: 70, owner: PROGRAM_ID, error, raw: vec![1, 2] }
}

async fn fill(store: &dyn Store, run: &Run, rows: Vec<Update>) -> Option<u64> {
    let (sender, receiver) = mpsc::channel(2);
    let sending = async move {
        for part in rows.chunks(100) {
            // A store that refuses the load drops the receiver.
            if sender.send(Fill::Rows(part.to_vec(), vec![])).await.is_err() {
                return;
            }
        }
        let _ = sender.send(Fill::Rows(vec![], vec![unreadable()])).await;
        let _ = sender.send(Fill::End).await;
    };
    let (taken, ()) = tokio::join!(store.fill(run, receiver), sending);
    taken.unwrap()
}

on_both_stores! {
    async fn a_first_load_equals_batches(place) {
        let rows = snapshot(700);
        let filled = place.open().await;
        let run = filled.begin_run(&PROGRAM_ID, &[1; 32], "a test").await.unwrap();
        let before = filled.revision().await.unwrap();
        assert_eq!(fill(&*filled, &run, rows.clone()).await, Some(703));
        assert!(filled.revision().await.unwrap() > before);
        let batched = crate::common::Place::sqlite();
        let other = batched.open().await;
        other.apply(&RUN, Batch { updates: rows, ..Batch::default() }).await.unwrap();
        let (left, right) =
            (filled.full_rows(None, 9_999).await.unwrap(), other.full_rows(None, 9_999).await.unwrap());
        assert_eq!(left, right);
        let counted = filled.progress(true).await.unwrap();
        assert_eq!(filled.progress(false).await.unwrap(), counted);
        assert_eq!(other.progress(false).await.unwrap(), counted);
        assert_eq!(filled.quarantined().await.unwrap()[0].pubkey, key(99));
        let (view, same) = (filled.view().await.unwrap(), other.view().await.unwrap());
        assert_eq!((view.proposals, view.multisigs), (same.proposals, same.multisigs));
    }

    async fn a_non_empty_mirror_refuses_a_first_load(place) {
        let store = place.open().await;
        assert_eq!(fill(&*store, &RUN, snapshot(3)).await, Some(6));
        let (rows, state) = (store.full_rows(None, 99).await.unwrap(), store.state().await.unwrap());
        assert_eq!(fill(&*store, &RUN, snapshot(50)).await, None);
        assert_eq!(store.full_rows(None, 99).await.unwrap(), rows);
        assert_eq!(store.state().await.unwrap(), state);
    }

    async fn an_aborted_first_load_leaves_nothing_and_can_restart(place) {
        let store = place.open().await;
        let (sender, receiver) = mpsc::channel(2);
        let cut = async move {
            sender.send(Fill::Rows(snapshot(300), vec![unreadable()])).await.unwrap();
        };
        let (taken, ()) = tokio::join!(store.fill(&RUN, receiver), cut);
        let error = taken.unwrap_err();
        assert!(error.is_transient(), "{error}");
        assert_eq!(store.full_rows(None, 9).await.unwrap(), []);
        assert!(store.progress(false).await.unwrap().is_empty());
        assert_eq!(store.quarantined().await.unwrap(), []);
        // Its future is dropped in the middle.
        let (sender, receiver) = mpsc::channel(1);
        let filling = {
            let store = Arc::clone(&store);
            tokio::spawn(async move { store.fill(&RUN, receiver).await })
        };
        for _ in 0..3 {
            sender.send(Fill::Rows(snapshot(30), vec![])).await.unwrap();
        }
        filling.abort();
        let _ = filling.await;
        drop(sender);
        until("the store is free again", || async {
            fill_or_busy(&*store).await == Some(303)
        })
        .await;
        let counted = store.progress(true).await.unwrap();
        assert_eq!(store.progress(false).await.unwrap(), counted);
    }

    async fn records_page_completely_in_order_after_a_first_load(place) {
        let store = place.open().await;
        fill(&*store, &RUN, snapshot(700)).await;
        // Pages as a screen does, by status and over all, with limits that cut anywhere.
        for status in AccountStatus::ALL.map(Some).into_iter().chain([None]) {
            let (mut after, mut seen) = (None, vec![]);
            loop {
                let query = RecordQuery { status, after, limit: 37 };
                let page = store.account_versions(&key(50), query).await.unwrap();
                let Some(last) = page.last() else { break };
                after = Some(last.pubkey);
                assert!(page.iter().all(|r| status.is_none_or(|s| s == r.account.status)));
                seen.extend(page.into_iter().map(|r| r.pubkey));
            }
            let mut expected: Vec<_> = (0..700u32)
                .filter(|n| status.is_none_or(|s| s == AccountStatus::ALL[usize::try_from(n % 6).unwrap()]))
                .map(address)
                .collect();
            expected.sort();
            assert_eq!(seen, expected, "{status:?}");
        }
        let none = RecordQuery { limit: 9, ..RecordQuery::default() };
        assert!(store.account_versions(&key(51), none).await.unwrap().is_empty());
    }
}

async fn fill_or_busy(store: &dyn Store) -> Option<u64> {
    let (sender, receiver) = mpsc::channel(4);
    sender.send(Fill::Rows(snapshot(300), vec![])).await.unwrap();
    sender.send(Fill::End).await.unwrap();
    store.fill(&RUN, receiver).await.ok().flatten()
}

mod on_postgres {
    use indexer::PostgresStore;
    use sqlx::{Connection, PgConnection, raw_sql};

    use super::*;
    use crate::common::Place;

    async fn indexes(place: &Place) -> Vec<(String, String)> {
        let mut connection = PgConnection::connect(&place.url()).await.unwrap();
        let sql = "SELECT indexname::text, indexdef FROM pg_indexes WHERE tablename = 'accounts'
            ORDER BY indexname";
        sqlx::query_as(sql).fetch_all(&mut connection).await.unwrap()
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_first_load_keeps_every_index_even_when_it_is_cut() {
        let Some(place) = Place::postgres().await else { return };
        let store = place.open().await;
        place.sql("CREATE INDEX their_own ON accounts (slot)").await.unwrap();
        let before = indexes(&place).await;
        assert!(before.len() >= 4, "{before:?}");
        let (sender, receiver) = mpsc::channel(1);
        let filling = {
            let store = Arc::clone(&store);
            tokio::spawn(async move { store.fill(&RUN, receiver).await })
        };
        for _ in 0..3 {
            sender.send(Fill::Rows(snapshot(900), vec![])).await.unwrap();
        }
        // Readers see an empty mirror and do not wait.
        assert_eq!(store.rows(None, 9).await.unwrap(), []);
        assert!(store.view().await.unwrap().proposals.is_empty());
        place
            .sql(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                 WHERE datname = current_database() AND query LIKE 'COPY accounts%'",
            )
            .await
            .unwrap();
        let _ = sender.send(Fill::End).await;
        let error = filling.await.unwrap().unwrap_err();
        assert!(error.is_transient(), "{error}");
        assert_eq!(indexes(&place).await, before);
        assert_eq!(fill(&*store, &RUN, snapshot(900)).await, Some(903));
        assert_eq!(indexes(&place).await, before);
        drop(store);
        place.remove().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_user_without_schema_rights_can_load() {
        let Some(place) = Place::postgres().await else { return };
        let owner = place.open().await;
        let name = format!("writer_{}", std::process::id());
        let grants = format!(
            "DROP ROLE IF EXISTS {name}; CREATE ROLE {name} LOGIN PASSWORD 'writer';
             GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {name}"
        );
        place.sql(&grants).await.unwrap();
        let (_, rest) =
            place.url().rsplit_once('@').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
        let store =
            PostgresStore::connect(&format!("postgres://{name}:writer@{rest}")).await.unwrap();
        assert!(!store.read_only());
        assert_eq!(fill(&store, &RUN, snapshot(700)).await, Some(703));
        assert_eq!(owner.progress(true).await.unwrap(), owner.progress(false).await.unwrap());
        drop((owner, store));
        place.sql(&format!("DROP OWNED BY {name}; DROP ROLE {name}")).await.unwrap();
        place.remove().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_load_gives_up_when_the_table_stays_locked() {
        let Some(place) = Place::postgres().await else { return };
        let store = place.open().await;
        let mut other = PgConnection::connect(&place.url()).await.unwrap();
        raw_sql("BEGIN; LOCK TABLE accounts IN SHARE MODE").execute(&mut other).await.unwrap();
        assert_eq!(fill_or_busy(&*store).await, None);
        raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
        assert_eq!(fill_or_busy(&*store).await, Some(303));
        drop((store, other));
        place.remove().await;
    }
}
