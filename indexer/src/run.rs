//! Starts the mirror. (Being written; the shape of the public types is settled.)
use std::sync::Arc;

use tokio::sync::watch;

use crate::{Health, SourceConfig, Store};

/// A running mirror.
pub struct Indexer {
    /// How it goes.
    pub health: watch::Receiver<Health>,
    /// The store's revision, changed after each commit.
    pub revision: watch::Receiver<u64>,
    stop: watch::Sender<bool>,
}

impl Indexer {
    /// Ends the mirror after what is being written.
    pub async fn shutdown(self) {
        let _ = self.stop.send(true);
    }
}

/// Starts mirroring what `config` names into `store`.
#[must_use]
pub fn spawn(_config: SourceConfig, _store: Arc<dyn Store>) -> Indexer {
    let (_, health) = watch::channel(Health::default());
    let (_, revision) = watch::channel(0);
    Indexer { health, revision, stop: watch::channel(false).0 }
}
