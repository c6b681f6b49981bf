//! `doctor`: everything that the mirror and the control room need, one line each. Changes nothing.
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use anyhow::Result;
use backend::FileSigner;
use indexer::{
    MirrorState,
    ops::redact::Secrets,
    runtime::doctor::{CheckResult, Finding, mirror, nodes, schema, sqlite_schema},
    store::{SCHEMA, postgres},
};
use rustix::fs::{Access, access, statvfs};
use serde_json::json;

use super::{print, print_json};
use crate::{
    config::Settings,
    model::cluster::Kind,
    session::{self, Session},
    text::clean,
};

/// Room below which a disk is nearly full; a mirror of a million accounts takes half of it.
const ROOM: u64 = 1 << 30;
/// Room below which nothing can be written for long.
const NO_ROOM: u64 = 64 << 20;

/// Looks at everything; 1 when something does not work.
///
/// # Errors
/// When the output cannot be written.
pub async fn run(settings: Settings, secrets: Secrets, json: bool) -> Result<u8> {
    let mut found = files(&settings);
    let state = store(&settings, &secrets, &mut found).await;
    let stored = state.and_then(|state| state.genesis_hash);
    found.extend(nodes(&session::source(&settings, Kind::Shared), stored).await);
    let failed = found.iter().any(|f| f.verdict == CheckResult::Fail);
    for f in &mut found {
        f.text = clean(&secrets.scrub(&f.text));
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

/// Looks at the schema, and asks the mirror where it is of this build.
async fn store(
    settings: &Settings,
    secrets: &Secrets,
    found: &mut Vec<Finding>,
) -> Option<MirrorState> {
    let number = match &settings.database_url {
        Some(url) => postgres::admin::schema(url.as_str()).await.map_err(|e| e.to_string()),
        None => sqlite_schema(&settings.sqlite()).map_err(|e| {
            format!(
                "{} cannot be read: {e}. Move it away; the mirror rebuilds itself from the chain.",
                settings.sqlite().display()
            )
        }),
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
    let read = async {
        let session = Session::open_reading(settings.clone(), secrets.clone()).await?;
        // A file is opened for reading here whatever this user may do with it.
        let read_only = match settings.database_url {
            Some(_) => session.store.read_only(),
            None => access(settings.sqlite(), Access::WRITE_OK).is_err(),
        };
        anyhow::Ok((session.store.state().await?, read_only))
    };
    match read.await {
        Ok((state, read_only)) => {
            found.extend(mirror(&state, &upgrade_manager::ID, read_only));
            Some(state)
        }
        Err(e) => {
            found.push(Finding::fail("mirror", e.to_string()));
            None
        }
    }
}

/// Folders, disks and files of this machine.
fn files(settings: &Settings) -> Vec<Finding> {
    let mut out = vec![folder(&settings.data_dir)];
    out.extend(room(&settings.data_dir));
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
        out.push(configuration(path));
    }
    out
}

/// The nearest folder above `path` that exists, or `path`.
fn existing(path: &Path) -> PathBuf {
    path.ancestors().find(|p| p.exists()).unwrap_or(Path::new("/")).to_owned()
}

fn folder(path: &Path) -> Finding {
    let about = "data folder";
    let there = existing(path);
    if !there.is_dir() {
        let text = format!("{} is no folder. Choose another --data-dir.", there.display());
        return Finding::fail(about, text);
    }
    match access(&there, Access::WRITE_OK | Access::EXEC_OK) {
        Ok(()) if there == path => {
            Finding::ok(about, format!("{} can be written.", path.display()))
        }
        Ok(()) => Finding::ok(about, format!("{} can be made.", path.display())),
        Err(e) => Finding::fail(
            about,
            format!(
                "{} cannot be written: {e}. Change its owner, or choose another --data-dir.",
                there.display()
            ),
        ),
    }
}

fn room(path: &Path) -> Option<Finding> {
    let about = "disk";
    let stat = statvfs(existing(path)).ok()?;
    let free = stat.f_bavail.saturating_mul(stat.f_frsize);
    let text = format!("{} MiB are free for {}.", free >> 20, path.display());
    Some(match free {
        _ if free < NO_ROOM => Finding::fail(about, format!("Only {text} Make room.")),
        _ if free < ROOM => {
            Finding::new(CheckResult::Warn, about, format!("Only {text} Make room soon."))
        }
        _ => Finding::ok(about, text),
    })
}

/// The configuration may hold access keys and a password.
fn configuration(path: &Path) -> Finding {
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
    use super::*;

    #[test]
    fn a_data_folder_that_is_a_file_or_cannot_be_made_fails_and_a_missing_one_does_not() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(folder(dir.path()).verdict, CheckResult::Ok);
        assert_eq!(folder(&dir.path().join("a/b")).verdict, CheckResult::Ok);
        assert!(!dir.path().join("a").exists(), "looking makes nothing");
        let file = dir.path().join("file");
        fs::write(&file, "x").unwrap();
        assert_eq!(folder(&file.join("a")).verdict, CheckResult::Fail);
    }

    #[test]
    fn a_configuration_that_others_can_read_is_told_of() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config.toml");
        fs::write(&path, "").unwrap();
        for (mode, verdict) in
            [(0o600, CheckResult::Ok), (0o640, CheckResult::Warn), (0o604, CheckResult::Warn)]
        {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(configuration(&path).verdict, verdict, "{mode:o}");
        }
        assert_eq!(configuration(&dir.path().join("none")).verdict, CheckResult::Fail);
    }
}
