//! A scripted node, a store and a mirror between them, with checks.
use std::sync::Arc;

use indexer::{
    Conn, Health, Indexer, Metrics, SourceConfig, Store, account::decode::mirrored, backfill_once,
    spawn,
};
use upgrade_manager::state::AccountStatus::Pending;

use super::{
    Place, TEST_TIMEOUT,
    fake::FakeSolana,
    fixtures::{bytes, key, record},
    until,
};

/// Whether the store's live rows equal the mirrored bytes of the node's accounts.
pub async fn equal(store: &Arc<dyn Store>, fake: &FakeSolana) -> bool {
    let Ok(rows) = store.rows(None, 10_000).await else { return false };
    let rows: Vec<_> = rows.into_iter().map(|r| (r.pubkey, r.raw)).collect();
    let chain: Vec<_> =
        fake.state().accounts.iter().map(|(k, (_, data))| (*k, mirrored(data).to_vec())).collect();
    rows == chain
}

pub async fn live(indexer: &Indexer) {
    health(indexer, "live", |h| h.conn == Conn::Live).await;
}

pub async fn health(indexer: &Indexer, what: &str, test: impl FnMut(&Health) -> bool) -> Health {
    let mut health = indexer.health.clone();
    let wait = health.wait_for(test);
    match tokio::time::timeout(TEST_TIMEOUT, wait).await {
        Ok(found) => found.unwrap().clone(),
        Err(_) => panic!("did not happen in time: {what}: {:?}", indexer.health.borrow()),
    }
}

pub fn is_reconnecting(health: &Health) -> bool {
    matches!(health.conn, Conn::Reconnecting { .. })
}

/// A node, a store and a mirror that is live.
pub struct Mirror {
    pub fake: FakeSolana,
    pub store: Arc<dyn Store>,
    pub indexer: Indexer,
    pub metrics: Metrics,
}

impl Mirror {
    /// A live mirror of a node with `records` pending records, which it lists only once.
    pub async fn start(place: &Place, records: u8) -> Self {
        Self::start_with(place, records, |config| config).await
    }

    /// As [`Self::start`], with changed settings.
    pub async fn start_with(
        place: &Place,
        records: u8,
        change: impl FnOnce(SourceConfig) -> SourceConfig,
    ) -> Self {
        let fake = FakeSolana::start().await;
        for n in 1..=records {
            fake.set(key(n), bytes(&record(n, Pending)));
        }
        let mirror = Self::of(fake, place, change).await;
        live(&mirror.indexer).await;
        mirror
    }

    /// A mirror of `fake` that may not be live yet.
    pub async fn of(
        fake: FakeSolana,
        place: &Place,
        change: impl FnOnce(SourceConfig) -> SourceConfig,
    ) -> Self {
        let rarely = SourceConfig { reconcile: HOUR, probe: HOUR, ..fake.config() };
        let (config, store) = (change(rarely), place.open().await);
        let metrics = config.metrics.clone();
        let indexer = spawn(config, Arc::clone(&store));
        Self { fake, store, indexer, metrics }
    }

    pub async fn health(&self, what: &str, test: impl FnMut(&Health) -> bool) -> Health {
        health(&self.indexer, what, test).await
    }

    /// Waits until the mirror equals the chain, then checks the counters.
    pub async fn equal(&self, what: &str) {
        until(what, || equal(&self.store, &self.fake)).await;
        self.counted().await;
    }

    /// Checks that the counters equal a recount.
    pub async fn counted(&self) {
        let kept = self.store.progress(false).await.unwrap();
        assert_eq!(kept, self.store.progress(true).await.unwrap());
    }

    /// Checks that the mirror equals a fresh one of the same node.
    pub async fn equals_a_fresh_one(&self) {
        let fresh: Arc<dyn Store> = Arc::new(indexer::SqliteStore::open_in_memory().unwrap());
        backfill_once(self.fake.config(), Arc::clone(&fresh)).await.unwrap();
        let of = async |store: &Arc<dyn Store>| {
            let rows = store.rows(None, 10_000).await.unwrap();
            rows.into_iter().map(|r| (r.pubkey, r.raw)).collect::<Vec<_>>()
        };
        assert_eq!(of(&self.store).await, of(&fresh).await);
        // A counter that went back to zero may leave a row of zeroes.
        let kept = self.store.progress(false).await.unwrap();
        let counted = fresh.progress(false).await.unwrap();
        for (place, row) in kept {
            assert_eq!(row, counted.get(&place).copied().unwrap_or_default(), "{place:?}");
        }
    }

    /// The sum of all metrics whose line starts with `name`.
    pub fn metric(&self, name: &str) -> f64 {
        let name = format!("control_room_{name}");
        let text = self.metrics.encode();
        let lines = text.lines().filter(|l| l.starts_with(&name));
        lines.map(|l| l.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).sum()
    }

    pub async fn end(self) -> (FakeSolana, Arc<dyn Store>) {
        self.indexer.shutdown().await;
        (self.fake, self.store)
    }
}

/// Longer than any test.
pub const HOUR: std::time::Duration = std::time::Duration::from_secs(3_600);
