//! `replay`: plays a recording of `index --record` into a new mirror and prints the mirror's digest.
use std::path::Path;

use anyhow::{Context, Result, bail};
use indexer::{SqliteStore, audit::line_file, replay::replay};
use serde_json::json;

use super::{print, print_json};
use crate::cli::mirror::Replay;

/// Plays the recording. Needs no node and no settings.
///
/// # Errors
/// When the recording cannot be read, or the file for the mirror exists already.
pub async fn run(args: &Replay) -> Result<u8> {
    let shown = args.from.display();
    let mut from = line_file::open(&args.from)
        .with_context(|| format!("The recording {shown} cannot be read. Check the path."))?;
    let store = match &args.into {
        Some(path) => new_store(path)?,
        None => SqliteStore::open_in_memory()?,
    };
    let done = replay(&mut *from, &store).await?;
    let (tables, audit) = (hex::encode(done.digest.tables), hex::encode(done.digest.audit));
    if args.output.json {
        print_json(&json!({
            "arrivals": done.arrivals,
            "cut": done.cut,
            "accounts": done.digest.rows,
            "digest": tables,
            "audit_seq": done.digest.audit_seq,
            "audit_head": audit,
        }))?;
        return Ok(0);
    }
    print(&format!("Played {} arrivals.", done.arrivals))?;
    if done.cut {
        print("The recording ends in the middle of something, which was left out.")?;
    }
    print(&format!("Digest {tables} of {} accounts", done.digest.rows))?;
    print(&format!("Audit head {} {audit}", done.digest.audit_seq))?;
    Ok(0)
}

/// A store in a new file.
fn new_store(path: &Path) -> Result<SqliteStore> {
    if path.exists() {
        bail!("{} is there already. Name a new file for the mirror.", path.display());
    }
    Ok(SqliteStore::open(path)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Output;

    #[tokio::test]
    async fn a_bad_recording_is_an_error_and_an_existing_file_is_not_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("recording.jsonl");
        let args = |into: Option<&Path>| Replay {
            from: file.clone(),
            into: into.map(Path::to_owned),
            output: Output::default(),
        };
        let missing = run(&args(None)).await.unwrap_err();
        assert!(missing.to_string().contains("recording.jsonl"), "{missing}");
        std::fs::write(&file, "{}\n").unwrap();
        assert!(run(&args(None)).await.is_err(), "it has no head");
        let there = run(&args(Some(&file))).await.unwrap_err();
        assert!(there.to_string().contains("already"), "{there}");
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "{}\n");
    }
}
