//! The live path: a node sends changes over a websocket, the mirror stores them, and each change is timed until its transaction has committed.
use std::{
    sync::{Arc, Mutex, PoisonError, atomic::Ordering},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use indexer::{Batch, Conn, SourceConfig, Store, spawn};

use crate::{
    bulk::begin,
    node::{Node, Offer},
    rows::{PROGRAM_ID, SLOT, record, scattered, update},
    timed::{Timed, Times},
};

/// How long the first snapshot may take.
const JOIN_TIMEOUT: Duration = Duration::from_secs(300);

/// The result of a steady load.
pub struct Steady {
    /// Offered updates per second.
    pub offered: u64,
    /// Committed updates per second, up to the last commit.
    pub committed: f64,
    /// Duration of the load in seconds.
    pub seconds: f64,
    /// Median milliseconds from socket to commit.
    pub p50: f64,
    /// 99th percentile of the same.
    pub p99: f64,
    /// Rows and milliseconds of the median transaction.
    pub batch: (usize, f64),
}

/// Offers `rate` updates per second for `seconds` to a mirror of `accounts` records in `store`.
pub async fn steady(
    store: Arc<dyn Store>,
    accounts: u64,
    rate: u64,
    seconds: u64,
) -> Result<Steady> {
    let node = Node::start(accounts).await?;
    let timed =
        Arc::new(Timed { inner: store, start: node.start, times: Mutex::new(Times::default()) });
    let hour = Duration::from_secs(3_600);
    let mut config = SourceConfig::new(node.rpc_url.clone(), node.ws_url.clone(), PROGRAM_ID);
    (config.reconcile, config.probe) = (hour, hour);
    let indexer = spawn(config, Arc::clone(&timed) as Arc<dyn Store>);
    let mut health = indexer.health.clone();
    let joined = health.wait_for(|h| h.conn == Conn::Live);
    tokio::time::timeout(JOIN_TIMEOUT, joined)
        .await
        .context("the mirror did not join in time")??;
    // Lets the writes of the first snapshot finish before the clock starts.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let count = rate.saturating_mul(seconds);
    let begun = Instant::now();
    node.offer.send_replace(Offer { rate, count });
    let end = begun + Duration::from_secs(seconds * 4 + 30);
    let mut seen = (0, Instant::now());
    loop {
        tokio::time::sleep(Duration::from_millis(250)).await;
        let done = timed.times.lock().unwrap_or_else(PoisonError::into_inner).micros.len();
        if done != seen.0 {
            seen = (done, Instant::now());
        }
        let all_sent = node.sent.load(Ordering::Relaxed) >= count;
        // Commits can be fewer than updates: the buffer keeps only the newest change of an account.
        if all_sent && seen.1.elapsed() > Duration::from_secs(3) {
            break;
        }
        if Instant::now() > end {
            bail!("of {count} updates {done} were committed in time: {:?}", *health.borrow());
        }
    }
    indexer.shutdown().await;
    let mut times = timed.times.lock().unwrap_or_else(PoisonError::into_inner);
    let took = times.last.context("nothing was committed")?.duration_since(begun);
    times.micros.sort_unstable();
    times.batches.sort_by_key(|batch| batch.1);
    let at = |part: usize| {
        let place = times.micros.len().saturating_sub(1) * part / 100;
        let micros = times.micros.get(place).copied().unwrap_or(u64::MAX);
        std::time::Duration::from_micros(micros).as_secs_f64() * 1_000.0
    };
    let (rows, middle) = times.batches.get(times.batches.len() / 2).copied().unwrap_or_default();
    // Changes that a newer one replaced in the buffer count too.
    let taken = u32::try_from(count)?;
    Ok(Steady {
        offered: rate,
        committed: f64::from(taken) / took.as_secs_f64(),
        seconds: f64::from(u32::try_from(seconds)?),
        p50: at(50),
        p99: at(99),
        batch: (rows, middle.as_secs_f64() * 1_000.0),
    })
}

/// Rows per second when stream batches already wait, with their undo log, into a mirror of `accounts`
/// records.
pub async fn saturated(store: &dyn Store, accounts: u64, batches: u64) -> Result<f64> {
    const ROWS: u64 = 5_000;
    let run = begin(store).await?;
    let mut waiting = vec![];
    for batch in 0..batches {
        let numbers = (0..ROWS).map(|n| batch * ROWS + n);
        let updates = numbers.map(|number| {
            let n = scattered(number ^ 0x5555) % accounts;
            let write_version = run.write_version(u32::try_from(number + 1)?);
            update(n, record(n, number + 7, number)?, SLOT + 1_000_000 + batch, write_version)
        });
        waiting.push(updates.collect::<Result<Vec<_>>>()?);
    }
    let begun = Instant::now();
    let mut rows = 0;
    for (updates, batch) in waiting.into_iter().zip(0..) {
        rows += updates.len();
        store.apply(&run, Batch { updates, ..Batch::default() }).await?;
        // A rising root deletes finalised undo-log entries.
        let root = Some(SLOT + 1_000_000 + batch - 32.min(batch));
        if batch % 8 == 7 {
            store.keep(&run, indexer::Marks { root, ..Default::default() }).await?;
        }
    }
    let took = begun.elapsed();
    store.end_run(&run).await?;
    Ok(crate::bulk::rate(rows, took))
}
