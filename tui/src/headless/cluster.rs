//! Checks that the node is on the mirror's cluster. On another cluster the same id can mean a different
//! proposal, and so can a missing `--proposal`, which stands for the program's live proposal
//! (`ProgramUpgradeState::live_proposal`). A command that uses either is refused. The address of a proposal,
//! multisig or buffer is unambiguous, so a command that names one goes on without the mirror.
use std::{sync::Arc, time::Duration};

use anyhow::{Result, bail};
use backend::Backend;
use indexer::{IndexerError, SqliteStore, Store, StoreError, ops::redact::shown};
use solana_pubkey::Pubkey;

use super::warn;
use crate::{config::Settings, session::Session};

/// How long to wait for the store to say which cluster the mirror is of.
const STATE_TIMEOUT: Duration = Duration::from_secs(5);

/// Refuses a node that is on another cluster than the mirror. A store that does not answer only causes a warning.
pub(super) async fn check_cluster(session: &Session, backend: &Backend) -> Result<()> {
    match other_cluster(session, backend).await {
        Some(reason) => bail!("{reason} {}", advice(&session.settings)),
        None => Ok(()),
    }
}

/// The session for a command that names its target by address. If the mirror is of another cluster, prints a
/// warning and returns a session with an empty store instead.
pub(super) async fn session_for_address(session: &Session, backend: &Backend) -> Result<Session> {
    let Some(reason) = other_cluster(session, backend).await else {
        return Ok(session.clone());
    };
    warn(
        session,
        &format!(
            "{reason} Continuing with the chain of the RPC node alone; sent transactions are not recorded. {}",
            advice(&session.settings)
        ),
    );
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open_in_memory()?);
    Ok(Session { store, without_mirror: Some(reason), ..session.clone() })
}

/// The sentence that the mirror is of another cluster than the node, if it is. `None` also for a mirror that
/// was never filled, because it has no cluster yet; for one that does not answer, after a warning; and for a
/// session without a mirror, because a warning came when it was opened.
async fn other_cluster(session: &Session, backend: &Backend) -> Option<String> {
    if session.without_mirror.is_some() {
        return None;
    }
    let trouble = match tokio::time::timeout(STATE_TIMEOUT, session.store.state()).await {
        Ok(Ok(state)) => {
            let given = backend.chain().genesis_hash();
            let stored = state.genesis_hash.filter(|stored| *stored != given)?;
            let base58 = |hash: [u8; 32]| Pubkey::new_from_array(hash).to_string();
            return Some(other_cluster_sentence(
                &session.settings,
                &base58(stored),
                &base58(given),
            ));
        }
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("The mirror does not answer within {} s.", STATE_TIMEOUT.as_secs()),
    };
    warn(
        session,
        &format!("{trouble} Whether the node is on the mirror's cluster was not checked."),
    );
    None
}

/// `error` as a sentence without secrets. If the mirror is of another cluster or of another manager program,
/// the sentence names the setting that chooses the mirror.
pub(super) fn sentence_about(session: &Session, error: &IndexerError) -> anyhow::Error {
    session.clean(&explanation(&session.settings, error))
}

fn explanation(settings: &Settings, error: &IndexerError) -> String {
    match error {
        IndexerError::Store(StoreError::WrongCluster { stored, given, .. }) => {
            format!("{} {}", other_cluster_sentence(settings, stored, given), advice(settings))
        }
        IndexerError::Store(StoreError::WrongProgram { stored, given, .. }) => format!(
            "The mirror {} is of the manager program {stored}, not of {given}. Choose another one with {}.",
            mirror_location(settings),
            mirror_flag(settings)
        ),
        other => other.to_string(),
    }
}

fn other_cluster_sentence(settings: &Settings, stored: &str, given: &str) -> String {
    format!(
        "The mirror {} is of the cluster with genesis hash {stored}, but the RPC node belongs to {given}.",
        mirror_location(settings)
    )
}

fn advice(settings: &Settings) -> String {
    format!(
        "Point --rpc-url at a node of the mirror's cluster, or choose the mirror of the node's cluster with {}.",
        mirror_flag(settings)
    )
}

/// Where the mirror is: its URL without the password, or its file.
fn mirror_location(settings: &Settings) -> String {
    match &settings.database_url {
        Some(url) => shown(url.as_str()),
        None => settings.sqlite().display().to_string(),
    }
}

/// The flag that chooses the mirror.
fn mirror_flag(settings: &Settings) -> &'static str {
    match settings.database_url {
        Some(_) => "--database-url",
        None => "--data-dir",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Flags;

    #[test]
    fn the_advice_names_the_flag_that_chooses_the_mirror() {
        let dir = tempfile::tempdir().unwrap();
        let config = dir.path().join("config.toml");
        std::fs::write(&config, "").unwrap();
        let flags = Flags {
            config: Some(config),
            data_dir: Some(dir.path().to_owned()),
            ..Flags::default()
        };
        let file = Settings::load(&flags).unwrap();
        let url = Some("postgres://bob:hunter22@db.example/x".into());
        let postgres = Settings { database_url: url, ..file.clone() };
        let text = || "x".to_owned();
        for error in [
            StoreError::WrongCluster { place: text(), stored: text(), given: text() },
            StoreError::WrongProgram { place: text(), stored: text(), given: text() },
        ] {
            let error = IndexerError::Store(error);
            let said = explanation(&file, &error);
            assert!(said.contains("mirror.sqlite") && said.contains("--data-dir"), "{said}");
            assert!(!said.contains("--database-url"), "{said}");
            let said = explanation(&postgres, &error);
            assert!(said.contains("db.example") && said.contains("--database-url"), "{said}");
            assert!(!said.contains("--data-dir") && !said.contains("hunter"), "{said}");
        }
    }
}
