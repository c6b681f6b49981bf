//! Bulk writes: the indexer's first load, plain COPY as the upper bound, row by row as the lower bound.
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use indexer::{
    Fill, PubkeySet, Run, Store, StoreError, Update, replay::complete, store::LEASE_DURATION,
};
use sqlx::{Executor as _, PgConnection, Row as _};
use tokio::sync::mpsc;

use crate::{
    location::StoreLocation,
    rows::{PROGRAM_ID, SLOT},
};

/// Rows per message to the store.
const ROWS_PER_BATCH: usize = 5_000;

/// Rows per second.
pub fn rate(rows: usize, took: Duration) -> f64 {
    f64::from(u32::try_from(rows).unwrap_or(u32::MAX)) / took.as_secs_f64()
}

/// Begins a run after the previous run's lease has expired.
pub async fn begin(store: &dyn Store) -> Result<Run> {
    let end = Instant::now() + 2 * LEASE_DURATION;
    loop {
        match store.begin_run(&PROGRAM_ID, &[7; 32], "bench").await {
            Err(StoreError::Leased { .. }) if Instant::now() < end => {
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            begun => return Ok(begun?),
        }
    }
}

/// Duration of the indexer's first load, including the end of its snapshot.
pub async fn fill(store: &Arc<dyn Store>, rows: &Arc<Vec<Update>>) -> Result<Duration> {
    let run = begin(&**store).await?;
    let present: PubkeySet = rows.iter().map(|u| u.pubkey).collect();
    let (sender, receiver) = mpsc::channel(2);
    let feeding = Arc::clone(rows);
    let begun = Instant::now();
    tokio::spawn(async move {
        for part in feeding.chunks(ROWS_PER_BATCH) {
            if sender.send(Fill::Rows(part.to_vec(), vec![])).await.is_err() {
                return;
            }
        }
        let _ = sender.send(Fill::End).await;
    });
    let taken = store.fill(&run, receiver).await?;
    let took = begun.elapsed();
    ensure!(taken == u64::try_from(rows.len()).ok(), "the store took {taken:?} rows");
    complete(&**store, &run, SLOT, Arc::new(present)).await?;
    store.end_run(&run).await?;
    Ok(took)
}

/// Duration of a binary COPY into a table of the same columns without indexes.
pub async fn plain_copy(place: &StoreLocation, rows: &[Update]) -> Result<Duration> {
    let mut connection = place.sql().await?;
    connection.execute("CREATE TABLE plain (LIKE accounts INCLUDING GENERATED)").await?;
    connection.execute("CHECKPOINT").await?;
    let begun = Instant::now();
    let mut target = connection
        .copy_in_raw(
            "COPY plain (pubkey, kind, program, proposal, account, status, version, data_hash, raw,
                 slot, write_version) FROM STDIN (FORMAT binary)",
        )
        .await?;
    let mut out = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0".to_vec();
    for u in rows {
        let f = &u.facets;
        let version = f.version.map(|v| i32::from(v).to_be_bytes());
        let (slot, write_version) = (u.slot.to_be_bytes(), u.write_version.to_be_bytes());
        let columns: [Option<&[u8]>; 11] = [
            Some(u.pubkey.as_ref()),
            Some(f.kind.name().as_bytes()),
            f.program.as_ref().map(AsRef::as_ref),
            f.proposal.as_ref().map(AsRef::as_ref),
            f.account.as_ref().map(AsRef::as_ref),
            f.status.map(str::as_bytes),
            version.as_ref().map(|b| &b[..]),
            Some(&u.data_hash),
            Some(&u.raw),
            Some(&slot),
            Some(&write_version),
        ];
        out.extend_from_slice(&11i16.to_be_bytes());
        for column in columns {
            let len = column.map_or(Ok(-1), |c| i32::try_from(c.len()))?;
            out.extend_from_slice(&len.to_be_bytes());
            out.extend_from_slice(column.unwrap_or_default());
        }
        if out.len() > 256 * 1024 {
            target.send(out.as_slice()).await?;
            out.clear();
        }
    }
    out.extend_from_slice(&(-1i16).to_be_bytes());
    target.send(out.as_slice()).await?;
    let copied = target.finish().await?;
    let took = begun.elapsed();
    ensure!(usize::try_from(copied)? == rows.len(), "{copied} rows were copied");
    connection.execute("DROP TABLE plain").await?;
    Ok(took)
}

/// Duration with one statement and one commit per row, into the real table with its indexes.
pub async fn row_by_row(place: &StoreLocation, rows: &[Update]) -> Result<Duration> {
    let mut connection = place.sql().await?;
    let begun = Instant::now();
    for u in rows {
        let key = |k: &Option<solana_pubkey::Pubkey>| k.map(|k| k.to_bytes().to_vec());
        sqlx::query(
            "INSERT INTO accounts (pubkey, kind, program, proposal, account, status, version,
                 data_hash, raw, slot, write_version) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
             ON CONFLICT (pubkey) DO UPDATE SET kind = excluded.kind, program = excluded.program,
                 proposal = excluded.proposal, account = excluded.account,
                 status = excluded.status, version = excluded.version,
                 data_hash = excluded.data_hash, raw = excluded.raw, slot = excluded.slot,
                 write_version = excluded.write_version",
        )
        .bind(u.pubkey.as_ref())
        .bind(u.facets.kind.name())
        .bind(key(&u.facets.program))
        .bind(key(&u.facets.proposal))
        .bind(key(&u.facets.account))
        .bind(u.facets.status)
        .bind(u.facets.version.map(i32::from))
        .bind(u.data_hash.as_slice())
        .bind(u.raw.as_slice())
        .bind(i64::try_from(u.slot)?)
        .bind(i64::try_from(u.write_version)?)
        .execute(&mut connection)
        .await?;
    }
    Ok(begun.elapsed())
}

/// The writes of a repeated snapshot: rows of the mirror, and bytes of the server's WAL.
pub struct Again {
    /// Rows.
    pub rows: i64,
    /// Bytes.
    pub wal: i64,
    /// Duration.
    pub took: Duration,
}

/// Merges the same rows again, in batches as a snapshot does.
pub async fn merge_again(
    place: &StoreLocation,
    store: &Arc<dyn Store>,
    rows: &Arc<Vec<Update>>,
) -> Result<Again> {
    let mut sql = place.sql().await?;
    let run = begin(&**store).await?;
    let present: PubkeySet = rows.iter().map(|u| u.pubkey).collect();
    let (written, log) = (writes(&mut sql).await?, log_end(&mut sql).await?);
    let begun = Instant::now();
    for part in rows.chunks(ROWS_PER_BATCH) {
        let updates =
            part.iter().cloned().map(|u| Update { slot: SLOT + 1, ..u }).collect::<Vec<_>>();
        store.apply(&run, indexer::Batch { updates, ..Default::default() }).await?;
    }
    complete(&**store, &run, SLOT + 1, Arc::new(present)).await?;
    let took = begun.elapsed();
    let wal = log_end(&mut sql).await?.saturating_sub(log);
    store.end_run(&run).await?;
    Ok(Again { rows: writes(&mut sql).await?.saturating_sub(written), wal, took })
}

async fn writes(sql: &mut PgConnection) -> Result<i64> {
    // Connections report their statistics with a delay.
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    let row = sqlx::query(
        "SELECT n_tup_ins + n_tup_upd + n_tup_del FROM pg_stat_user_tables
         WHERE relname = 'accounts'",
    )
    .fetch_one(sql)
    .await?;
    Ok(row.try_get(0)?)
}

async fn log_end(sql: &mut PgConnection) -> Result<i64> {
    let row = sqlx::query("SELECT (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::bigint")
        .fetch_one(sql)
        .await?;
    Ok(row.try_get(0)?)
}

/// Maximum and median of many reads of the counters, in milliseconds.
pub async fn progress_query(store: &dyn Store) -> Result<(f64, f64)> {
    let mut took = vec![];
    for _ in 0..200 {
        let begun = Instant::now();
        let rows = store.progress(false).await?;
        ensure!(!rows.is_empty(), "there are no counters");
        took.push(begun.elapsed().as_secs_f64() * 1_000.0);
    }
    took.sort_by(f64::total_cmp);
    let at = |n: usize| took.get(n).copied().context("nothing was measured");
    Ok((at(took.len() / 2)?, at(took.len() * 99 / 100)?))
}

/// Milliseconds to read a page of 1,000 records, of any status and of the rarest.
pub async fn page(store: &dyn Store, rows: &[Update]) -> Result<f64> {
    let program = rows.first().and_then(|u| u.facets.program).context("no program")?;
    let mut took = vec![];
    for u in rows.iter().step_by(rows.len() / 50) {
        let query = indexer::RecordQuery { status: None, after: Some(u.pubkey), limit: 1_000 };
        let begun = Instant::now();
        store.account_versions(&program, query).await?;
        took.push(begun.elapsed().as_secs_f64() * 1_000.0);
    }
    took.sort_by(f64::total_cmp);
    took.get(took.len() / 2).copied().context("nothing was measured")
}
