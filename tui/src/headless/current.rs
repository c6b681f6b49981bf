//! Reads all accounts before a command looks something up. Problems of the mirror cause a warning, and the command
//! reads the accounts from the chain alone.
use std::sync::Arc;

use anyhow::Result;
use indexer::{
    Backfill, IndexerError, Refreshed, SqliteStore, Store, StoreError, accounts_once, refresh_once,
};

use super::{cluster, warn};
use crate::{model::snapshot::Snapshot, runtime::loader, session::Session};

/// The accounts of the chain, read just now.
pub(super) struct CurrentState {
    pub(super) snapshot: Snapshot,
    /// Why the audit log is incomplete, if it is.
    pub(super) history: Option<String>,
}

/// Brings the mirror up to date and reads it. If the mirror cannot be written or its writer is behind, prints a
/// warning and reads the accounts into a store in memory instead.
pub(super) async fn read_current(session: &Session) -> Result<CurrentState> {
    if let Some(reason) = &session.without_mirror {
        let done = accounts_once(session.source(), Arc::clone(&session.store))
            .await
            .map_err(|e| session.clean(&e))?;
        warn_of_gaps(session, &done);
        let snapshot = loader::read(&*session.store).await?;
        return Ok(CurrentState { snapshot, history: Some(reason.clone()) });
    }
    let read = async {
        let Refreshed { done, history } =
            refresh_once(session.source(), Arc::clone(&session.store)).await?;
        warn_of_gaps(session, &done);
        Ok::<_, IndexerError>((loader::read(&*session.store).await?, history))
    };
    match read.await {
        Ok((snapshot, history)) => {
            let history = history.map(|e| session.clean(&e).to_string());
            if let Some(reason) = &history {
                warn(session, reason);
            }
            Ok(CurrentState { snapshot, history })
        }
        Err(error) if is_mirror_problem(&error) => {
            let reason = session.clean(&error).to_string();
            warn(session, &format!("{reason} Continuing with the chain alone."));
            let memory: Arc<dyn Store> = Arc::new(SqliteStore::open_in_memory()?);
            let done = accounts_once(session.source(), Arc::clone(&memory))
                .await
                .map_err(|e| session.clean(&e))?;
            warn_of_gaps(session, &done);
            Ok(CurrentState { snapshot: loader::read(&*memory).await?, history: Some(reason) })
        }
        Err(error) => Err(cluster::sentence_about(session, &error)),
    }
}

/// Whether `error` is a problem of the mirror alone, so that the chain can be read without it. A mirror of another
/// cluster or program is not: then a setting is wrong.
fn is_mirror_problem(error: &IndexerError) -> bool {
    match error {
        IndexerError::Store(StoreError::WrongCluster { .. } | StoreError::WrongProgram { .. }) => {
            false
        }
        IndexerError::Store(_) | IndexerError::WriterBehind { .. } => true,
        _ => false,
    }
}

/// Warns when the node listed not all accounts. It is no error, because a vote or a veto must not wait for another
/// node.
fn warn_of_gaps(session: &Session, done: &Backfill) {
    if let Some(doubt) = &done.doubt {
        warn(session, doubt);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_problems_of_the_mirror_itself_are_worked_around() {
        let store = |e| is_mirror_problem(&IndexerError::Store(e));
        let place = || "here".to_owned();
        assert!(store(StoreError::Unavailable { place: place(), detail: String::new() }));
        assert!(store(StoreError::ReadOnly { place: place(), what: "x" }));
        let (stored, given) = (String::new(), String::new());
        assert!(!store(StoreError::WrongCluster { place: place(), stored, given }));
        let behind = IndexerError::Behind { url: String::new(), slot: 1, seen: 2 };
        assert!(!is_mirror_problem(&behind), "then the node is at fault");
    }
}
