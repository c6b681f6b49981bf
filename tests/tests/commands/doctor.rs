//! `doctor` without a chain: it reports a mirror that cannot be made or written, and leaves nothing
//! behind.
use std::{fs, path::Path, process::Command};

use indexer::SqliteStore;
use rusqlite::{Connection, TransactionBehavior};

/// The output of `doctor` for `data_dir`. No node answers, so the exit code is 1.
fn doctor(data_dir: &Path) -> String {
    let home = tempfile::tempdir().expect("a folder");
    let out = Command::new(e2e::robot::control_room())
        .env_clear()
        .env("HOME", home.path())
        .args(["doctor", "--rpc-url", "http://127.0.0.1:9", "--data-dir"])
        .arg(data_dir)
        .output()
        .expect("the control room starts");
    let said = String::from_utf8(out.stdout).expect("text");
    assert_eq!(out.status.code(), Some(1), "{said}");
    assert!(said.contains("FAIL  websocket") && !said.contains("keeps trying"), "{said}");
    said
}

#[test]
fn a_mirror_that_another_process_has_locked_is_not_called_fine() {
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("mirror.sqlite");
    drop(SqliteStore::open(&file).expect("a mirror"));
    let said = doctor(dir.path());
    assert!(said.contains("ok    mirror: It takes writes."), "{said}");

    let mut other = Connection::open(&file).expect("the mirror");
    let lock = other.transaction_with_behavior(TransactionBehavior::Immediate).expect("the lock");
    let said = doctor(dir.path());
    assert!(said.contains("FAIL  mirror: ") && said.contains("write lock"), "{said}");
    assert!(!said.contains("It takes writes"), "{said}");
    drop(lock);
    assert!(doctor(dir.path()).contains("It takes writes"));
}

#[test]
fn a_mirror_that_cannot_be_created_is_reported_as_a_failure() {
    let said = doctor(Path::new("/proc/nope"));
    for line in ["FAIL  data folder: ", "FAIL  mirror: "] {
        assert!(said.contains(line), "{line} is missing in:\n{said}");
    }
    assert!(!said.contains("can be made") && !said.contains("first start"), "{said}");

    let dir = tempfile::tempdir().expect("a folder");
    assert!(doctor(&dir.path().join("a/b")).contains("first start"));
    assert_eq!(fs::read_dir(dir.path()).expect("the folder").count(), 0, "looking leaves nothing");
}
