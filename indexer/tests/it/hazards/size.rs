//! Lists larger than memory. Measured in a child process, so that other tests' memory does not count.
use std::process::Command;

use indexer::{SourceConfig, backfill_once};

use crate::{
    common::{Place, fake::FakeSolana},
    on_both_stores,
};

const CHILD: &str = "INDEXER_TEST_SIZE_CHILD";
/// Accounts of the list: about 100 MB of JSON.
const LIST_LEN: u32 = 200_000;
/// How many more KiB the full list may take than half of it: half of that half's data, because the
/// stores' caches still grow there.
const MAX_GROWTH_KIB: u64 = 48 << 10;

/// Peak memory of this process in KiB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// Reads half of the list, then all of it into another store, and prints the difference in memory.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "not a test: the process that is measured"]
async fn child_that_reads_a_large_list() {
    let Ok(kind) = std::env::var(CHILD) else { return };
    let place = async || match kind.as_str() {
        "postgres" => Place::postgres().await.unwrap(),
        _ => Place::sqlite(),
    };
    let mut peaks = vec![];
    for many in [LIST_LEN / 2, LIST_LEN] {
        let fake = FakeSolana::start().await;
        fake.state().crowd = many;
        let place = place().await;
        let store = place.open().await;
        let config = SourceConfig { history: crate::common::mirror::HOUR, ..fake.config() };
        let done = backfill_once(config, std::sync::Arc::clone(&store)).await.unwrap();
        assert_eq!((done.accounts, done.written), (u64::from(many), u64::from(many)));
        let counted: u64 = store.progress(true).await.unwrap().values().map(|r| r.migrated).sum();
        assert_eq!(counted, u64::from(many));
        assert_eq!(store.progress(false).await.unwrap(), store.progress(true).await.unwrap());
        drop(store);
        place.remove().await;
        peaks.push(peak());
    }
    println!("GREW {}", peaks[1] - peaks[0]);
}

fn grew(kind: &str) -> u64 {
    let child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "hazards::size::child_that_reads_a_large_list",
            "--ignored",
            "--nocapture",
        ])
        .env(CHILD, kind)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&child.stdout).into_owned();
    let found = said.lines().find_map(|l| l.split("GREW ").nth(1));
    let found = found.unwrap_or_else(|| {
        panic!("{said}{}", String::from_utf8_lossy(&child.stderr));
    });
    found.trim().parse().unwrap()
}

on_both_stores! {
    async fn hazard_14_a_list_is_larger_than_memory(place) {
        let grew = grew(if place.is_postgres() { "postgres" } else { "sqlite" });
        assert!(grew <= MAX_GROWTH_KIB, "{LIST_LEN} accounts took {grew} kB more than half of them");
    }
}
