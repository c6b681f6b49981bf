//! `config check`: finds mistakes in a configuration file before anything runs with it. Reads only this file and checks
//! that the key file exists; connects to nothing and reads no secret.
use std::{io::ErrorKind, path::Path};

use anyhow::{Context, Result, bail};

use super::{File, Flags, KeyFile, expanded, nodes, webhooks};

/// Checks the file at `path`.
///
/// # Errors
/// What is wrong with it, with its line.
pub fn check_file(path: &Path) -> Result<()> {
    let file = File::read(path)?;
    let sound = || -> Result<()> {
        nodes::nodes(&Flags::default(), file.rpc_url, file.ws_url, file.endpoints)?;
        file.database_url.iter().try_for_each(nodes::check_database)?;
        file.keypair.iter().try_for_each(check_key_file)?;
        let folders = [("data_dir", file.data_dir), ("log_file", file.log_file)];
        folders.into_iter().try_for_each(|(key, path)| expanded(key, path).map(|_| ()))?;
        webhooks::validated(file.webhooks).map(|_| ())
    };
    sound().with_context(|| format!("The configuration {} cannot work", path.display()))
}

/// Whether the key file exists. Only `doctor` and signing commands read its content.
fn check_key_file(key: &KeyFile) -> Result<()> {
    const NEXT: &str =
        "Correct keypair, or take it out: then everything is shown and nothing can be signed.";
    let path = key.path()?;
    let shown = path.display();
    match std::fs::metadata(&path) {
        Ok(found) if found.is_dir() => bail!("The key file {shown} is a folder. {NEXT}"),
        Ok(_) => Ok(()),
        Err(e) if e.kind() == ErrorKind::NotFound => bail!("There is no key file {shown}. {NEXT}"),
        Err(e) => bail!("The key file {shown} cannot be reached: {e}. {NEXT}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::DEFAULT_FILE;

    #[test]
    fn every_kind_of_mistake_is_found_and_names_its_place() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config.toml");
        for (text, name) in [
            ("rpc_url = 'example.com'", "rpc_url"),
            ("ws_url = 'http://x'", "ws_url"),
            ("endpoints = [{ rpc_url = 'x' }]", "endpoints"),
            ("endpoints = [{ rpc_url = 'http://x', key = 'y' }]", "key"),
            ("[index]\nreconcile_seconds = 0", "line 2"),
            ("[index]\nlisten = 'localhost'", "line 2"),
            ("[retention]\naudit_days = 1", "audit_days"),
            ("\npriority_fee = 50000001", "line 2"),
            ("priority_fee = -1", "line 1"),
            ("outcome_timeout_seconds = 0", "line 1"),
            ("database_url = 'postgres://u:12/x@h/d'", "database_url"),
            ("database_url = 'mysql://h/d'", "database_url"),
            ("data_dir = '~other/x'", "~other/x"),
            ("keypair = 'usb://ledger?key=0'", "not supported yet"),
            ("keypair = '/nope/id.json'", "There is no key file /nope/id.json"),
            ("keypair = '/'", "is a folder"),
        ] {
            std::fs::write(&path, text).unwrap();
            let error = format!("{:#}", check_file(&path).unwrap_err());
            assert!(error.contains(name) && error.contains("config.toml"), "{error}");
        }
        let there = format!("keypair = '{}'", path.display());
        for text in [DEFAULT_FILE, &there] {
            std::fs::write(&path, text).unwrap();
            check_file(&path).unwrap();
        }
        let missing = format!("{:#}", check_file(&dir.path().join("none.toml")).unwrap_err());
        assert!(missing.contains("none.toml cannot be read"), "{missing}");
    }
}
