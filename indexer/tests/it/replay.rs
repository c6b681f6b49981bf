//! One recording gives the same digest on every store.
use std::{
    collections::BTreeSet,
    io::{self, Cursor, Write},
    sync::{Arc, Mutex},
};

use anchor_lang::Event;
use indexer::{
    AuditEntry, Batch, Close, Fill, Marks, MirrorDigest, MirrorStore, PubkeySet, Quarantined, Run,
    SqliteStore, Store,
    audit::line_file,
    digest,
    replay::{Recorder, Recording, Replayed, complete, replay},
};
use proptest::prelude::*;
use solana_signature::Signature;
use upgrade_manager::{events::ProposalExpired, state::AccountStatus};

use crate::{
    common::fixtures::{PROGRAM_ID, key, record_update},
    on_both_stores,
};

/// One write of a store.
#[derive(Clone, Debug)]
enum Step {
    Batch(Vec<(u8, Option<AccountStatus>)>),
    Unreadable(u8),
    Snapshot(Vec<(u8, AccountStatus)>),
    Root,
    Orphan,
    History(u8),
}

fn status() -> impl Strategy<Value = AccountStatus> {
    prop::sample::select(AccountStatus::ALL.to_vec())
}

fn write() -> impl Strategy<Value = Step> {
    let told = (0u8..6, prop::option::weighted(0.8, status()));
    prop_oneof![
        4 => prop::collection::vec(told, 1..5).prop_map(Step::Batch),
        1 => (0u8..6).prop_map(Step::Unreadable),
        1 => prop::collection::vec((0u8..6, status()), 0..6).prop_map(Step::Snapshot),
        1 => Just(Step::Root),
        1 => Just(Step::Orphan),
        1 => (1u8..4).prop_map(Step::History),
    ]
}

/// Writes `story` into `store` as an indexer would, one slot per step.
async fn write_story(store: &dyn Store, story: &[Step]) {
    let run = store.begin_run(&PROGRAM_ID, &[1; 32], "a test").await.unwrap();
    let (mut seq, mut signature) = (0u32, 0u8);
    for (slot, write) in (10u64..).zip(story) {
        match write {
            Step::Batch(told) => {
                let mut batch = Batch { frontier: Some(slot), ..Batch::default() };
                for (n, status) in told {
                    seq += 1;
                    let write_version = run.write_version(seq);
                    match status {
                        Some(status) => {
                            batch.updates.push(record_update(*n, *status, slot, write_version))
                        }
                        None => batch.closes.push(Close { pubkey: key(*n), slot, write_version }),
                    }
                }
                store.apply(&run, batch).await.unwrap();
            }
            Step::Unreadable(n) => {
                let bad = Quarantined {
                    pubkey: key(*n),
                    slot,
                    owner: PROGRAM_ID,
                    error: "It is \"of no use\".\n".into(),
                    raw: vec![1, 2, 3],
                };
                let batch = Batch { quarantined: vec![bad], ..Batch::default() };
                store.apply(&run, batch).await.unwrap();
            }
            Step::Snapshot(rows) => {
                let updates =
                    rows.iter().map(|(n, status)| record_update(*n, *status, slot, 0)).collect();
                store.apply(&run, Batch { updates, ..Batch::default() }).await.unwrap();
                let present: PubkeySet = rows.iter().map(|(n, _)| key(*n)).collect();
                complete(store, &run, slot, Arc::new(present)).await.unwrap();
            }
            Step::Root => {
                let root = Some(slot.saturating_sub(3));
                store.keep(&run, Marks { root, ..Marks::default() }).await.unwrap();
            }
            Step::Orphan => {
                let slots = store.undo_slots(slot).await.unwrap();
                store.undo(&run, &slots[slots.len() / 2..]).await.unwrap();
            }
            Step::History(n) => {
                let entries = (0..*n).map(|inner| {
                    signature += 1;
                    AuditEntry {
                        slot,
                        tx_index: 0,
                        ix_index: 1,
                        inner_index: inner.into(),
                        signature: Signature::from([signature; 64]),
                        time: Some(1_700_000_000),
                        payload: ProposalExpired { proposal: key(60), program: key(n + 50) }.data(),
                    }
                });
                store.append_audit(&run, entries.collect(), slot).await.unwrap();
            }
        }
    }
}

/// An in-memory file of limited size.
#[derive(Clone, Default)]
struct Disk {
    bytes: Arc<Mutex<Vec<u8>>>,
    room: Option<usize>,
}

impl Write for Disk {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let mut bytes = self.bytes.lock().unwrap();
        if self.room.is_some_and(|room| bytes.len() + buf.len() > room) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        bytes.extend_from_slice(buf);
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The digest of a store after `story`, and its recording.
async fn recorded(store: Arc<dyn Store>, story: &[Step]) -> (MirrorDigest, Vec<u8>) {
    let disk = Disk::default();
    let recording =
        Recording::new(Arc::clone(&store), Recorder::to(disk.clone(), "memory").unwrap());
    write_story(&recording, story).await;
    assert_eq!(recording.trouble(), None);
    // The recording is complete once the store is dropped.
    drop(recording);
    let bytes = disk.bytes.lock().unwrap().clone();
    (digest(store.as_ref()).await.unwrap(), bytes)
}

async fn played(bytes: &[u8], store: &dyn Store) -> indexer::Result<Replayed> {
    replay(&mut Cursor::new(bytes), store).await
}

fn memory() -> Arc<dyn Store> {
    Arc::new(SqliteStore::open_in_memory().unwrap())
}

/// One write of every kind.
fn everything() -> Vec<Step> {
    use AccountStatus::{Migrated, Pending, Verified};
    vec![
        Step::Snapshot(vec![(1, Pending), (2, Pending), (3, Migrated)]),
        Step::Batch(vec![(1, Some(Migrated)), (4, Some(Pending))]),
        Step::Root,
        Step::History(3),
        Step::Batch(vec![(2, None), (1, Some(Verified))]),
        Step::Orphan,
        Step::Unreadable(5),
        Step::Snapshot(vec![(1, Verified), (4, Pending)]),
        Step::History(1),
    ]
}

on_both_stores! {
    async fn a_replay_gives_the_same_digest_and_audit_head(place) {
        let (first, bytes) = recorded(place.open().await, &everything()).await;
        assert_eq!((first.rows, first.audit_seq), (2, 4));
        for _ in 0..2 {
            let again = played(&bytes, memory().as_ref()).await.unwrap();
            assert_eq!((again.digest, again.cut), (first, false));
        }
        let (_, other) = recorded(memory(), &everything()[..7]).await;
        if let Some(fresh) = if place.is_postgres() { Place::postgres().await } else { Some(Place::sqlite()) } {
            let less = played(&other, fresh.open().await.as_ref()).await.unwrap();
            assert_ne!(less.digest, first, "a digest that never differs says nothing");
            fresh.remove().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_load_is_recorded() {
    let (store, disk) = (memory(), Disk::default());
    let recording =
        Recording::new(Arc::clone(&store), Recorder::to(disk.clone(), "memory").unwrap());
    let run = recording.begin_run(&PROGRAM_ID, &[1; 32], "a test").await.unwrap();
    let (tx, rows) = tokio::sync::mpsc::channel(1);
    let send = async {
        for part in 0..5u8 {
            let updates =
                (0..20).map(|n| record_update(part * 20 + n, AccountStatus::Pending, 9, 0));
            tx.send(Fill::Rows(updates.collect(), vec![])).await.unwrap();
        }
        tx.send(Fill::End).await.unwrap();
        drop(tx);
    };
    let (filled, ()) = tokio::join!(recording.fill(&run, rows), send);
    assert_eq!(filled.unwrap(), Some(100));
    let present: PubkeySet = (0..100).map(key).collect();
    complete(&recording, &run, 9, Arc::new(present)).await.unwrap();
    drop(recording);
    let bytes = disk.bytes.lock().unwrap().clone();
    let again = played(&bytes, memory().as_ref()).await.unwrap();
    assert_eq!((again.digest.rows, again.digest), (100, digest(store.as_ref()).await.unwrap()));
}

#[test]
fn any_recording_replays_to_the_same_digest() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    proptest!(ProptestConfig::with_cases(60), |(story in prop::collection::vec(write(), 0..25))| {
        runtime.block_on(async {
            let (first, bytes) = recorded(memory(), &story).await;
            let again = played(&bytes, memory().as_ref()).await.unwrap();
            assert_eq!((again.digest, again.cut), (first, false));
        });
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn compressed_recordings_replay_and_files_are_never_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let mut digests = BTreeSet::new();
    for name in ["plain.jsonl", "small.jsonl.zst"] {
        let path = folder.path().join(name);
        let recording = Recording::new(memory(), Recorder::create(&path).unwrap());
        write_story(&recording, &everything()).await;
        drop(recording);
        let error = Recorder::create(&path).unwrap_err().to_string();
        assert!(error.contains(name), "{error}");
        let replayed =
            replay(line_file::open(&path).unwrap().as_mut(), memory().as_ref()).await.unwrap();
        digests.insert((replayed.arrivals, replayed.digest.tables, replayed.digest.audit));
    }
    assert_eq!(digests.len(), 1);
    let size = |name| std::fs::metadata(folder.path().join(name)).unwrap().len();
    assert!(size("small.jsonl.zst") < size("plain.jsonl") / 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_truncated_recording_replays_its_complete_part() {
    let (first, bytes) = recorded(memory(), &everything()).await;
    let text = String::from_utf8(bytes.clone()).unwrap();
    let cuts = [bytes.len() - 20, text.rfind("\n{\"t\":\"event\"").unwrap() + 1];
    for cut in cuts.into_iter().chain((2..9).map(|n| bytes.len() * n / 9 - 3)) {
        let part = played(&bytes[..cut], memory().as_ref()).await.unwrap();
        let whole = bytes[..cut].ends_with(b"}\n");
        assert!(part.cut || whole, "cut at {cut} of {}", bytes.len());
        assert!(part.digest != first || whole, "cut at {cut}");
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cut.jsonl.zst");
    let recording = Recording::new(memory(), Recorder::create(&path).unwrap());
    write_story(&recording, &everything()).await;
    drop(recording);
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() - 5]).unwrap();
    let part = replay(line_file::open(&path).unwrap().as_mut(), memory().as_ref()).await.unwrap();
    assert!(part.cut);

    // The header reaches the file at once, however little follows it.
    let path = folder.path().join("header.jsonl.zst");
    drop(Recorder::create(&path).unwrap());
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() - 2]).unwrap();
    let part = replay(line_file::open(&path).unwrap().as_mut(), memory().as_ref()).await.unwrap();
    assert!(part.cut && part.arrivals == 0, "{part:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_ends_the_recording_but_not_the_mirror() {
    let (expected, bytes) = recorded(memory(), &everything()).await;
    let disk = Disk { room: Some(bytes.len() / 2), ..Disk::default() };
    let store = memory();
    let recording = Recording::new(Arc::clone(&store), Recorder::to(disk.clone(), "disk").unwrap());
    write_story(&recording, &everything()).await;
    assert_eq!(digest(store.as_ref()).await.unwrap(), expected);
    crate::common::until("the trouble is told", || async {
        recording.trouble().is_some_and(|why| why.contains("ended early"))
    })
    .await;
    drop(recording);
    let written = disk.bytes.lock().unwrap().clone();
    let part = played(&written, memory().as_ref()).await.unwrap();
    assert!(part.arrivals > 0, "what was written before is of use");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_or_newer_recording_is_refused_with_its_line() {
    let run = r#"{"t":"run","program":"11111111111111111111111111111111","genesis":"11111111111111111111111111111111"}"#;
    let header = |version: u32| {
        format!(r#"{{"format":"upgrade-control-room/arrivals","version":{version}}}"#)
    };
    for (text, said) in [
        (String::new(), "Line 1 of the recording cannot be played: the recording is empty"),
        ("{}\n".to_owned(), "Line 1 of the recording cannot be played: it does not say"),
        (format!("{}\n", header(2)), "of version 2, this build plays 1"),
        (format!("{}\n{{\"t\":\"apply\"}}\n", header(1)), "Line 2"),
        (format!("{}\n{run}\n{{\"t\":\"magic\"}}\n", header(1)), "Line 3"),
    ] {
        let error = played(text.as_bytes(), memory().as_ref()).await.unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
    }
    let used = memory();
    let _: Run = used.begin_run(&PROGRAM_ID, &[1; 32], "a test").await.unwrap();
    let error = played(format!("{}\n", header(1)).as_bytes(), used.as_ref()).await.unwrap_err();
    assert!(error.to_string().contains("already belongs to a run"), "{error}");
}
