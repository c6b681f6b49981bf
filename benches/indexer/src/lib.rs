//! Benchmarks of the indexer on both stores: `cargo xtask bench indexer`, which also starts the Postgres
//! server. All figures come from one run on one machine, with the same rows. A missed goal is printed and
//! is no error.
//!
//! | module | does |
//! |---|---|
//! | `rows` | the version records of every figure |
//! | `bulk` | first load, COPY, single statements, repeated merge, reads |
//! | `node`, `live`, `timed` | a node on loopback, the live path against it, a store that records times |
//! | `memory` | a child process whose peak memory is measured |
//! | `location`, `report` | locations of stores; the table and its goals |
//!
//! May use a store only through the `Store` trait, except to count the bytes that Postgres wrote.
mod bulk;
mod live;
mod location;
mod memory;
mod node;
mod report;
mod rows;
mod timed;

use std::sync::Arc;

use anyhow::Result;
use indexer::Update;

use crate::{
    bulk::rate,
    location::StoreLocation,
    report::{Figure, Goal},
};

/// Records in the mirror; `--accounts` sets fewer for a quick run.
const DEFAULT_ACCOUNTS: u64 = 1_000_000;
/// Rows of the row-by-row figure.
const SINGLE_ROWS: usize = 20_000;
/// Updates per second offered to a mirror in Postgres.
const POSTGRES_RATE: u64 = 20_000;
/// Updates per second offered to SQLite, the store of a single operator.
const SQLITE_RATE: u64 = 5_000;
/// Seconds of offered updates, unless `--seconds` is given.
const DEFAULT_SECONDS: u64 = 25;

/// Measures and prints; with `memory::CHILD` as the first argument, runs as the process whose memory is
/// measured.
///
/// # Errors
/// When something cannot be measured.
pub async fn run(arguments: &[String]) -> Result<()> {
    match arguments.split_first() {
        Some((first, rest)) if first == memory::CHILD => memory::child(rest).await,
        _ => measure(arguments).await,
    }
}

fn number(arguments: &[String], name: &str) -> Option<u64> {
    let at = arguments.iter().position(|a| a == name)?;
    arguments.get(at.checked_add(1)?)?.parse().ok()
}

async fn measure(arguments: &[String]) -> Result<()> {
    let accounts = number(arguments, "--accounts").unwrap_or(DEFAULT_ACCOUNTS);
    let seconds = number(arguments, "--seconds").unwrap_or(DEFAULT_SECONDS);
    let only = arguments.iter().position(|a| a == "--only").and_then(|at| arguments.get(at + 1));
    let wanted = |what: &str| only.is_none_or(|only| only == what);
    let rows = Arc::new(rows::snapshot(accounts)?);
    let mut figures = vec![];
    let postgres = StoreLocation::postgres("bench_mirror").await?;
    let store = postgres.open().await?;
    println!("Indexer, {accounts} version records, one run on one machine");
    println!("  Postgres: {}", location::settings(&mut postgres.sql().await?).await?);
    println!("  SQLite: write-ahead log, as the product opens it");
    let mut say = |figure: Figure| {
        println!("{figure}");
        figures.push(figure);
    };
    if wanted("bulk") {
        for figure in bulk_figures(&postgres, &rows).await? {
            say(figure);
        }
    }
    let took = bulk::fill(&store, &rows).await?;
    say(Figure {
        what: "Postgres, first load (alone)".into(),
        goal: Goal::None,
        measured: rate(rows.len(), took),
        unit: "rows/s",
        how: "fill() again, for what follows".into(),
    });
    if wanted("read") {
        for figure in read_figures(&postgres, &store, &rows).await? {
            say(figure);
        }
    }
    if wanted("live") {
        for figure in live_figures("Postgres", Arc::clone(&store), accounts, seconds).await? {
            say(figure);
        }
    }
    drop(store);
    if wanted("sqlite") {
        let sqlite = StoreLocation::sqlite()?;
        let store = sqlite.open().await?;
        let took = bulk::fill(&store, &rows).await?;
        say(Figure {
            what: "SQLite, first load".into(),
            goal: Goal::AtLeast(80_000.0),
            measured: rate(rows.len(), took),
            unit: "rows/s",
            how: "fill()".into(),
        });
        for figure in live_figures("SQLite", store, accounts, seconds).await? {
            say(figure);
        }
    }
    drop(rows);
    if wanted("memory") {
        let postgres = StoreLocation::postgres("bench_memory").await?;
        let sqlite = StoreLocation::sqlite()?;
        for (store, place) in [("Postgres", postgres), ("SQLite", sqlite)] {
            let (peak, took) = memory::of_a_snapshot(&place.name(), accounts).await?;
            say(Figure {
                what: format!("{store}, memory while a snapshot is read"),
                goal: Goal::AtMost(150.0),
                measured: peak,
                unit: "MiB",
                how: format!("VmHWM of a process with backfill_once(), {took:.1} s over HTTP"),
            });
        }
    }
    let missed: Vec<_> = figures.iter().filter(|f| !f.holds()).map(|f| f.what.as_str()).collect();
    if missed.is_empty() {
        println!("Every goal is met.");
    } else {
        println!("Missed: {}.", missed.join("; "));
    }
    Ok(())
}

async fn bulk_figures(place: &StoreLocation, rows: &Arc<Vec<Update>>) -> Result<Vec<Figure>> {
    let plain = bulk::plain_copy(place, rows).await?;
    let other = StoreLocation::postgres("bench_bulk").await?;
    let store = other.open().await?;
    let filled = bulk::fill(&store, rows).await?;
    drop(store);
    let single = StoreLocation::postgres("bench_single").await?;
    drop(single.open().await?);
    let few = rows.get(..SINGLE_ROWS.min(rows.len())).unwrap_or_default();
    let one = bulk::row_by_row(&single, few).await?;
    let (plain, filled) = (rate(rows.len(), plain), rate(rows.len(), filled));
    let one = rate(few.len(), one);
    Ok(vec![
        Figure {
            what: "Postgres, plain COPY (ceiling)".into(),
            goal: Goal::None,
            measured: plain,
            unit: "rows/s",
            how: "binary, same columns, no index".into(),
        },
        Figure {
            what: "Postgres, one statement a row (floor)".into(),
            goal: Goal::None,
            measured: one,
            unit: "rows/s",
            how: format!("upsert, own round trip and commit; {} rows", few.len()),
        },
        Figure {
            what: "Postgres, first load".into(),
            goal: Goal::None,
            measured: filled,
            unit: "rows/s",
            how: "fill(): one transaction, every index made".into(),
        },
        Figure {
            what: "  of plain COPY".into(),
            goal: Goal::AtLeast(0.5),
            measured: filled / plain,
            unit: "times",
            how: String::new(),
        },
        Figure {
            what: "  of one statement a row".into(),
            goal: Goal::AtLeast(12.0),
            measured: filled / one,
            unit: "times",
            how: String::new(),
        },
    ])
}

async fn read_figures(
    place: &StoreLocation,
    store: &Arc<dyn indexer::Store>,
    rows: &Arc<Vec<Update>>,
) -> Result<Vec<Figure>> {
    let (middle, slow) = bulk::progress_query(&**store).await?;
    let page = bulk::page(&**store, rows).await?;
    let again = bulk::merge_again(place, store, rows).await?;
    let count = |n: i64| f64::from(u32::try_from(n).unwrap_or(u32::MAX));
    Ok(vec![
        Figure {
            what: "Postgres, reading the counters".into(),
            goal: Goal::AtMost(2.0),
            measured: slow,
            unit: "ms",
            how: format!("progress(), 99th of 100; the middle one {middle:.2} ms"),
        },
        Figure {
            what: "Postgres, a page of 1,000 records".into(),
            goal: Goal::None,
            measured: page,
            unit: "ms",
            how: "account_versions() anywhere in the mirror".into(),
        },
        Figure {
            what: "Postgres, rows written when nothing changed".into(),
            goal: Goal::AtMost(0.0),
            measured: count(again.rows),
            unit: "rows",
            how: format!("the same snapshot again, {:.1} s", again.took.as_secs_f64()),
        },
        Figure {
            what: "  log written by that".into(),
            goal: Goal::None,
            measured: count(again.wal) / 1_048_576.0,
            unit: "MiB",
            how: "marks and hints; difference of pg_current_wal_insert_lsn()".into(),
        },
    ])
}

async fn live_figures(
    name: &str,
    store: Arc<dyn indexer::Store>,
    accounts: u64,
    seconds: u64,
) -> Result<Vec<Figure>> {
    let postgres = name == "Postgres";
    let rate = if postgres { POSTGRES_RATE } else { SQLITE_RATE };
    // First, because the saturated run uses newer slots.
    let steady = match live::steady(Arc::clone(&store), accounts, rate, seconds).await {
        Ok(steady) => steady,
        // A store that is too slow misses its goal; the other figures are still measured.
        Err(why) => {
            return Ok(vec![Figure {
                what: format!("{name}, live, {rate} a second offered"),
                goal: Goal::AtLeast(f64::from(u32::try_from(rate)?) * 0.99),
                measured: 0.0,
                unit: "rows/s",
                how: format!("did not keep up: {why:#}"),
            }]);
        }
    };
    let most = live::saturated(&*store, accounts, 60).await?;
    let goal = |goal: Goal| if postgres { goal } else { Goal::None };
    Ok(vec![
        Figure {
            what: format!("{name}, live, as fast as it goes"),
            goal: Goal::None,
            measured: most,
            unit: "rows/s",
            how: "apply() of 5,000 waiting rows at a time, undo included".into(),
        },
        Figure {
            what: format!("{name}, live, {} a second offered", steady.offered),
            goal: goal(Goal::AtLeast(f64::from(u32::try_from(POSTGRES_RATE)?) * 0.99)),
            measured: steady.committed,
            unit: "rows/s",
            how: format!(
                "websocket to commit for {:.0} s; transactions of {} rows in {:.0} ms",
                steady.seconds, steady.batch.0, steady.batch.1
            ),
        },
        Figure {
            what: "  99 of 100 are committed within".into(),
            goal: goal(Goal::AtMost(150.0)),
            measured: steady.p99,
            unit: "ms",
            how: format!("half of them within {:.0} ms", steady.p50),
        },
    ])
}
