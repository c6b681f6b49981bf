//! `doctor`: checks everything that the mirror and the control room need and prints one line for each check.
//! It really tries to write, but leaves no file behind and changes no row.
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use anyhow::Result;
use backend::FileSigner;
use indexer::{
    ops::redact::Secrets,
    runtime::doctor::{CheckResult, Finding, mirror, nodes, schema, sqlite_schema},
    store::{MirrorState, SCHEMA, Store, StoreError, postgres},
};
use rustix::fs::statvfs;
use serde_json::json;

use super::{print, print_json};
use crate::{
    config::Settings,
    model::cluster::ClusterKind,
    session::{self, Session},
    text::clean,
};

/// With less free space `doctor` warns. A mirror of a million accounts takes about half of this.
const LOW_DISK_BYTES: u64 = 1 << 30;
/// With less free space `doctor` reports a failure, because the disk will soon be full.
const FULL_DISK_BYTES: u64 = 64 << 20;
/// Parts of the indexer's error texts that promise a retry, and what `doctor`, which never retries, says instead.
const RETRY_PHRASES: [(&str, &str); 2] =
    [("; the indexer keeps trying.", "."), ("It is asked again after that; a plan", "A plan")];

/// Runs every check. The exit code is 1 when one fails.
///
/// # Errors
/// When the output cannot be written.
pub async fn run(settings: Settings, secrets: Secrets, json: bool) -> Result<u8> {
    let mut found = check_files(&settings);
    let state = check_store(&settings, &secrets, &mut found).await;
    let stored = state.and_then(|state| state.genesis_hash);
    found.extend(nodes(&session::source(&settings, ClusterKind::Shared), stored).await);
    let failed = found.iter().any(|f| f.verdict == CheckResult::Fail);
    for f in &mut found {
        f.text = clean(&secrets.scrub(&without_retries(&f.text)));
        f.about = clean(&f.about);
    }
    if json {
        print_json(&json!({
            "healthy": !failed,
            "findings": found.iter().map(|f| json!({
                "verdict": f.verdict.name(),
                "about": f.about,
                "text": f.text,
            })).collect::<Vec<_>>(),
        }))?;
    } else {
        for f in &found {
            print(&format!("{:<4}  {}: {}", f.verdict.name(), f.about, f.text))?;
        }
    }
    Ok(u8::from(failed))
}

/// `text` without promises of a retry.
fn without_retries(text: &str) -> String {
    RETRY_PHRASES
        .iter()
        .fold(text.to_owned(), |text, (retrying, here)| text.replace(retrying, here))
}

/// Checks the schema's number and, if it is that of this build, the mirror's own state.
async fn check_store(
    settings: &Settings,
    secrets: &Secrets,
    found: &mut Vec<Finding>,
) -> Option<MirrorState> {
    let number = match &settings.database_url {
        Some(url) => postgres::admin::schema(url.as_str()).await.map_err(|e| e.to_string()),
        None => schema_of_file(&settings.sqlite()),
    };
    let number = match number {
        Ok(number) => number,
        Err(why) => {
            found.push(Finding::fail("mirror", why));
            return None;
        }
    };
    found.push(schema(number));
    if number != Some(SCHEMA) {
        return None;
    }
    match read_state(settings, secrets).await {
        Ok((state, read_only, writes)) => {
            found.extend(mirror(&state, &upgrade_manager::ID, read_only));
            found.extend(writes);
            Some(state)
        }
        Err(e) => {
            found.push(Finding::fail("mirror", e.to_string()));
            None
        }
    }
}

/// The schema's number in `file`; [`None`] if there is no file but one can be made.
fn schema_of_file(file: &Path) -> Result<Option<i64>, String> {
    let shown = file.display();
    let number = sqlite_schema(file).map_err(|e| match is_locked(&e) {
        true => format!(
            "{shown} cannot be read: another process has locked it. End that process, or choose another --data-dir."
        ),
        false => format!(
            "{shown} cannot be read: {e}. Move it away; the mirror rebuilds itself from the chain."
        ),
    })?;
    if number.is_none() {
        can_make(file).map_err(|why| {
            format!("There is none, and {shown} cannot be made: {why}. Choose another --data-dir.")
        })?;
    }
    Ok(number)
}

/// The mirror's state, whether this user may only read it, and whether it takes a write.
async fn read_state(
    settings: &Settings,
    secrets: &Secrets,
) -> Result<(MirrorState, bool, Option<Finding>)> {
    // The caller has checked that the schema is that of this build, so opening for writing changes nothing.
    let session = Session::open(settings.clone(), secrets.clone()).await?;
    let (state, read_only) = (session.store.state().await?, session.store.read_only());
    let writes = if read_only { None } else { Some(try_to_write(&*session.store).await) };
    Ok((state, read_only, writes))
}

/// Whether the mirror takes a write. Deletes the dead letters of a webhook with an empty name, which cannot exist.
async fn try_to_write(store: &dyn Store) -> Finding {
    match store.forget_dead("", 0).await {
        Ok(_) => Finding::ok("mirror", "It takes writes."),
        Err(error) => Finding::fail("mirror", unwritable(&error)),
    }
}

/// The sentence that the mirror can be read but not written because of `error`, and what to do.
fn unwritable(error: &StoreError) -> String {
    match error {
        StoreError::Unavailable { place, detail } if is_locked(detail) => format!(
            "{place} can be read but not written: another process holds its write lock. An indexer does so during its first load: then wait. Else end the process that has the file open."
        ),
        StoreError::Paused { place, detail, .. } => format!(
            "{place} can be read but takes no writes at the moment: {detail}. If this stays, look at the database."
        ),
        other => format!("It can be read, but a write was tried and failed. {other}"),
    }
}

/// Whether this error text of SQLite means that another process holds a lock.
fn is_locked(words: &str) -> bool {
    words.contains("locked")
}

/// Checks the data folder, its disk, the key file and the configuration file.
fn check_files(settings: &Settings) -> Vec<Finding> {
    let mut out = vec![check_folder(&settings.data_dir)];
    out.extend(check_free_space(&settings.data_dir));
    if let Some(key) = &settings.keypair {
        let opened = key.path().and_then(|path| {
            FileSigner::open(&path)?;
            Ok(path)
        });
        out.push(match opened {
            Ok(path) => Finding::ok("key file", format!("{} can sign.", path.display())),
            Err(e) => Finding::fail("key file", e.to_string()),
        });
    }
    if let Some(path) = &settings.file {
        out.push(check_configuration(path));
    }
    out
}

/// `path` if it exists, else the nearest folder above it that does.
fn nearest_existing(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    path.ancestors().find(|p| p.exists()).unwrap_or(Path::new("/")).to_owned()
}

/// Whether something can be made at `path`. Makes an unnamed temporary file in the nearest folder that exists.
/// Permission bits are not enough: root has all of them in /proc and can make no file there.
fn can_make(path: &Path) -> Result<(), String> {
    let there = nearest_existing(path);
    if !there.is_dir() {
        return Err(format!("{} is not a folder", there.display()));
    }
    let made = tempfile::tempfile_in(&there);
    made.map(drop).map_err(|e| format!("{} takes no new file ({})", there.display(), e.kind()))
}

fn check_folder(path: &Path) -> Finding {
    let (about, shown) = ("data folder", path.display());
    match can_make(path) {
        Ok(()) if path.is_dir() => Finding::ok(about, format!("{shown} can be written.")),
        Ok(()) => Finding::ok(about, format!("{shown} can be made.")),
        Err(why) => Finding::fail(
            about,
            format!(
                "{shown} cannot be used: {why}. Choose another --data-dir, or give this user the right to write there."
            ),
        ),
    }
}

fn check_free_space(path: &Path) -> Option<Finding> {
    let about = "disk";
    let stat = statvfs(nearest_existing(path)).ok()?;
    let free = stat.f_bavail.saturating_mul(stat.f_frsize);
    let text = format!("{} MiB are free for {}.", free >> 20, path.display());
    Some(match free {
        _ if free < FULL_DISK_BYTES => Finding::fail(about, format!("Only {text} Make room.")),
        _ if free < LOW_DISK_BYTES => {
            Finding::new(CheckResult::Warn, about, format!("Only {text} Make room soon."))
        }
        _ => Finding::ok(about, text),
    })
}

/// Warns when others can read the configuration file, which may hold access keys and a password.
fn check_configuration(path: &Path) -> Finding {
    let about = "configuration";
    match fs::metadata(path).map(|m| m.permissions().mode()) {
        Ok(mode) if mode & 0o077 == 0 => {
            Finding::ok(about, format!("{} is readable by its owner only.", path.display()))
        }
        Ok(_) => Finding::new(
            CheckResult::Warn,
            about,
            format!(
                "{0} can be read by others. If it holds access keys or a password: chmod 600 {0}.",
                path.display()
            ),
        ),
        Err(e) => Finding::fail(about, format!("{} cannot be read: {e}.", path.display())),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_data_folder_that_is_a_file_or_cannot_be_made_fails_and_a_missing_one_does_not() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(check_folder(dir.path()).verdict, CheckResult::Ok);
        assert_eq!(check_folder(&dir.path().join("a/b")).verdict, CheckResult::Ok);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "the check leaves no file");
        let file = dir.path().join("file");
        fs::write(&file, "x").unwrap();
        assert_eq!(check_folder(&file.join("a")).verdict, CheckResult::Fail);
    }

    #[test]
    fn a_folder_that_takes_no_files_fails_even_for_root() {
        let found = check_folder(Path::new("/proc/nope"));
        assert_eq!(found.verdict, CheckResult::Fail, "{}", found.text);
        assert!(found.text.contains("--data-dir"), "{}", found.text);
        let why = schema_of_file(Path::new("/proc/nope/x.db")).unwrap_err();
        assert!(why.contains("/proc/nope/x.db cannot be made"), "{why}");
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(schema_of_file(&dir.path().join("a/x.db")), Ok(None));
    }

    #[test]
    fn findings_promise_no_retry() {
        let url = || "ws://x".to_owned();
        let reason = indexer::source::close_reason::CloseReason::Connect;
        let socket = indexer::IndexerError::Socket { url: url(), reason, what: "is shut".into() };
        assert_eq!(
            without_retries(&socket.to_string()),
            "The websocket at ws://x is shut. Check --ws-url."
        );
        let fault = indexer::source::fault::RpcFault::Limited { retry_after: Duration::ZERO };
        let text = without_retries(fault.advice());
        assert!(text.starts_with("A plan with higher limits"), "{text}");
    }

    #[tokio::test]
    async fn a_locked_store_is_told_apart_from_other_write_errors() {
        let store = indexer::SqliteStore::open_in_memory().unwrap();
        assert_eq!(try_to_write(&store).await.verdict, CheckResult::Ok);
        let error = |detail: &str| {
            unwritable(&StoreError::Unavailable { place: "x.db".into(), detail: detail.into() })
        };
        let locked = error("database is locked");
        assert!(locked.contains("write lock") && locked.contains("end the process"), "{locked}");
        let other = error("disk I/O error");
        assert!(other.contains("disk I/O error") && !other.contains("lock"), "{other}");
    }

    #[test]
    fn a_configuration_that_others_can_read_is_a_warning() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config.toml");
        fs::write(&path, "").unwrap();
        for (mode, verdict) in
            [(0o600, CheckResult::Ok), (0o640, CheckResult::Warn), (0o604, CheckResult::Warn)]
        {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(check_configuration(&path).verdict, verdict, "{mode:o}");
        }
        assert_eq!(check_configuration(&dir.path().join("none")).verdict, CheckResult::Fail);
    }
}
