//! Faults of files: a lock, a full device, a read-only folder.
use std::{
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::Path,
    process::{Command, Stdio},
    sync::{
        Arc, OnceLock,
        mpsc::{Sender, channel},
    },
};

use indexer::{
    Batch, IndexerError, LocalLog, MirrorStore, Run, SourceConfig, SqliteStore, Store, StoreError,
    backfill_once,
};
use rusqlite::trace::TraceEvent;
use solana_pubkey::Pubkey;
use upgrade_manager::state::AccountStatus;

use crate::common::{
    Place,
    fake::FakeSolana,
    fixtures::{PROGRAM_ID, RUN, bytes, key, record, record_update, update},
};

/// The task of a child process: the name of a test, and a path.
const CHILD: &str = "INDEXER_TEST_SQLITE_CHILD";

/// The path for `test`, if this process is a child that runs it.
fn job(test: &str) -> Option<String> {
    let job = std::env::var(CHILD).ok()?;
    job.strip_prefix(test)?.strip_prefix(' ').map(str::to_owned)
}

fn one(slot: u64) -> Batch {
    let updates = vec![record_update(1, AccountStatus::Migrated, slot, 1)];
    Batch { updates, ..Batch::default() }
}

static BEGUN: OnceLock<Sender<()>> = OnceLock::new();

fn announce_begin(event: TraceEvent<'_>) {
    if let (TraceEvent::Stmt(_, sql), Some(begun)) = (event, BEGUN.get())
        && sql.starts_with("BEGIN IMMEDIATE")
    {
        begun.send(()).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_waits_for_another_processs_lock() {
    let place = Place::sqlite();
    let store = SqliteStore::open_observed(place.path(), announce_begin).unwrap();
    let other = rusqlite::Connection::open(place.path()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE; INSERT INTO notices (key) VALUES ('theirs')").unwrap();
    let (begun, waits) = channel();
    BEGUN.set(begun).unwrap();
    let writing = tokio::spawn(async move { store.apply(&RUN, one(5)).await });
    waits.recv().unwrap();
    assert!(!writing.is_finished());
    other.execute_batch("COMMIT").unwrap();
    assert_eq!(writing.await.unwrap().unwrap().written, 1);
}

#[tokio::test]
async fn a_dropped_or_ended_run_frees_the_file() {
    let place = Place::sqlite();
    let open = || SqliteStore::open(place.path()).unwrap();
    let begin = async |store: &SqliteStore| store.begin_run(&PROGRAM_ID, &[1; 32], "one").await;
    let (first, second) = (open(), open());
    let run = begin(&first).await.unwrap();
    let error = begin(&second).await.unwrap_err();
    assert!(matches!(&error, StoreError::Leased { owner, .. } if owner == "one"), "{error}");
    // The system released the lock with the process; the lease has not expired.
    drop(first);
    assert!(second.state().await.unwrap().lease.unwrap().left > std::time::Duration::ZERO);
    let next = begin(&second).await.unwrap();
    assert_eq!(next.id, run.id + 1);
    second.end_run(&next).await.unwrap();
    assert_eq!(second.state().await.unwrap().lease, None);
    begin(&open()).await.unwrap();
}

#[tokio::test]
async fn a_dropped_store_leaves_a_complete_file() {
    let (place, copy) = (Place::sqlite(), Place::sqlite());
    let store = SqliteStore::open(place.path()).unwrap();
    store.apply(&RUN, one(5)).await.unwrap();
    drop(store);
    std::fs::copy(place.path(), copy.path()).unwrap();
    assert_eq!(copy.open().await.rows(None, 9).await.unwrap().len(), 1);
}

/// Runs this binary's `test` as a user without rights, in a folder that it may not write.
fn as_unprivileged_user(test: &str, place: &Place) {
    let folder = place.path().parent().unwrap().to_owned();
    // That user may not be allowed to read the binary's folder.
    let binary = folder.join("test-binary");
    if !binary.exists() {
        std::fs::copy(std::env::current_exe().unwrap(), &binary).unwrap();
    }
    for (path, mode) in [(&folder, 0o755), (&place.path(), 0o644), (&binary, 0o755)] {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }
    let output = loop {
        let started = Command::new(&binary)
            .args(["--exact", &format!("sqlite::{test}"), "--nocapture"])
            .env(CHILD, format!("{test} {}", place.path().display()))
            .current_dir("/")
            .uid(65_534)
            .gid(65_534)
            .output();
        match started {
            // "Text file busy": a child of another test, forked meanwhile, still has the copy open.
            Err(e) if e.kind() == std::io::ErrorKind::ExecutableFileBusy => {
                std::thread::yield_now();
            }
            started => break started.unwrap(),
        }
    };
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
}

async fn reads_and_does_not_write(path: &Path) {
    let store = SqliteStore::open(path).unwrap();
    assert!(store.read_only());
    assert_eq!(store.rows(None, 9).await.unwrap().len(), 1);
    let refused = [
        store.begin_run(&PROGRAM_ID, &[1; 32], "x").await.map(|_| ()).unwrap_err(),
        store.apply(&RUN, one(9)).await.map(|_| ()).unwrap_err(),
        store.claim_notice("x").await.map(|_| ()).unwrap_err(),
    ];
    for error in refused {
        assert!(matches!(error, StoreError::ReadOnly { .. }), "{error}");
    }
    assert_eq!(store.rows(None, 9).await.unwrap()[0].slot, 5);
}

#[tokio::test]
async fn a_read_only_user_reads_beside_and_after_a_writer() {
    let name = "a_read_only_user_reads_beside_and_after_a_writer";
    if let Some(path) = job(name) {
        return reads_and_does_not_write(Path::new(&path)).await;
    }
    let place = Place::sqlite();
    let store = SqliteStore::open(place.path()).unwrap();
    store.apply(&RUN, one(5)).await.unwrap();
    let read_only = SqliteStore::open_read_only(place.path()).unwrap();
    assert!(read_only.read_only() && !store.read_only());
    drop(read_only);
    // Only root can change the user.
    if std::fs::metadata("/proc/self").is_ok_and(|me| std::os::unix::fs::MetadataExt::uid(&me) == 0)
    {
        as_unprivileged_user(name, &place);
        drop(store);
        as_unprivileged_user(name, &place);
    } else {
        drop(store);
        for (path, mode) in [(place.path(), 0o444), (place.path().parent().unwrap().into(), 0o555)]
        {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        }
        reads_and_does_not_write(&place.path()).await;
        let folder = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(place.path().parent().unwrap(), folder).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_only_user_refuses_another_clusters_or_programs_mirror() {
    let (place, other) = (Place::sqlite(), FakeSolana::start().await);
    other.state().genesis = [8; 32];
    // Far ahead: a mirror of the right cluster would count as up to date.
    other.state().slot = 5_000;
    backfill_once(other.config(), place.open().await).await.unwrap();
    let reader = || -> Arc<dyn Store> {
        let store = SqliteStore::open_read_only(place.path()).unwrap();
        Arc::new(store)
    };
    let fake = FakeSolana::start().await;
    let error = backfill_once(fake.config(), reader()).await.unwrap_err();
    let refused = matches!(error, IndexerError::Store(StoreError::WrongCluster { .. }));
    assert!(refused, "{error}");
    let config = SourceConfig { program_id: key(3), ..other.config() };
    let error = backfill_once(config, reader()).await.unwrap_err();
    let refused = matches!(error, IndexerError::Store(StoreError::WrongProgram { .. }));
    assert!(refused, "{error}");
}

#[test]
fn opening_read_only_does_not_create_a_store() {
    let place = Place::sqlite();
    let error = SqliteStore::open_read_only(place.path()).err().unwrap();
    assert!(matches!(error, StoreError::Unavailable { .. }), "{error}");
    assert!(!place.path().exists());
}

fn hundred(batch: u8) -> Batch {
    let one = |n: u8| {
        let mut address = [batch; 32];
        address[0] = n;
        let data = bytes(&record(n, AccountStatus::Pending));
        update(Pubkey::new_from_array(address), u64::from(batch) + 1, 0, data)
    };
    Batch { updates: (0..100).map(one).collect(), ..Batch::default() }
}

/// Fills the device below `folder`, frees space, and resumes.
async fn fills_its_device(folder: &Path) {
    let ballast = folder.join("ballast");
    std::fs::write(&ballast, vec![1; 300 << 10]).unwrap();
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(folder.join("mirror.db")).unwrap());
    let run: Run = store.begin_run(&PROGRAM_ID, &[1; 32], "a test").await.unwrap();
    let mut whole = 0u8;
    let error = loop {
        match store.apply(&run, hundred(whole)).await {
            Ok(_) => whole = whole.checked_add(1).unwrap(),
            Err(error) => break error,
        }
    };
    assert!(error.is_transient(), "it is worth trying again: {error}");
    assert!(error.to_string().contains("no space left on the device of"), "{error}");
    assert!(whole > 0, "something was written before");
    let rows = || async { store.rows(None, 100_000).await.unwrap().len() };
    assert_eq!(rows().await, usize::from(whole) * 100, "whole batches");
    assert_eq!(store.progress(false).await.unwrap(), store.progress(true).await.unwrap());
    std::fs::remove_file(ballast).unwrap();
    store.apply(&run, hundred(whole)).await.unwrap();
    assert_eq!(rows().await, (usize::from(whole) + 1) * 100, "it goes on where it was");
    drop(store);
    let sound: String = rusqlite::Connection::open(folder.join("mirror.db"))
        .unwrap()
        .query_row("PRAGMA integrity_check", [], |r| r.get(0))
        .unwrap();
    assert_eq!(sound, "ok");
}

#[tokio::test]
async fn a_full_device_keeps_whole_batches_and_writing_resumes() {
    let name = "a_full_device_keeps_whole_batches_and_writing_resumes";
    if let Some(path) = job(name) {
        return fills_its_device(Path::new(&path)).await;
    }
    // A real device of two megabytes, mounted only for the child.
    let dir = tempfile::tempdir().unwrap();
    let inside = |script: &str| {
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--mount", "sh", "-c", script, "sh"]);
        command.arg(dir.path()).arg(std::env::current_exe().unwrap());
        command.arg(format!("sqlite::{name}"));
        command.env(CHILD, format!("{name} {}", dir.path().display()));
        command
    };
    let mount = "mount -t tmpfs -o size=2m tmpfs \"$1\"";
    let probe = inside(mount).stderr(Stdio::null()).status();
    if !probe.is_ok_and(|status| status.success()) {
        eprintln!("NOT RUN: this system lets no test mount a small device of its own.");
        return;
    }
    let run = format!("{mount} && exec \"$2\" --exact \"$3\" --nocapture");
    let output = inside(&run).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"), "the child ran");
}
