//! Connects the backend to the node, retrying for as long as it takes, and forwards the mirror's health to the screens.
use std::{sync::Arc, time::Duration};

use backend::{Backend, Signer};
use indexer::Health;
use tokio::sync::{mpsc, watch};

use crate::{action::Action, session::Session};

/// The pause between two attempts doubles up to this.
const MAX_RETRY_INTERVAL: Duration = Duration::from_secs(15);

/// Retries until the node answers, then publishes the backend and returns.
pub async fn connect_backend(
    session: Session,
    signer: Option<Arc<dyn Signer>>,
    found: watch::Sender<Option<Backend>>,
    actions: mpsc::Sender<Action>,
) {
    let mut pause = Duration::from_millis(500);
    loop {
        match session.backend(signer.clone()).await {
            Ok(backend) => {
                let cluster = session.cluster(Some(backend.chain().genesis_hash()));
                found.send_replace(Some(backend));
                let _ = actions.send(Action::Cluster(cluster)).await;
                return;
            }
            Err(e) => tracing::warn!("{e:#}"),
        }
        tokio::time::sleep(pause).await;
        pause = pause.saturating_mul(2).min(MAX_RETRY_INTERVAL);
    }
}

/// Sends every change of the mirror's health, without secrets.
pub async fn watch_health(
    session: Session,
    mut health: watch::Receiver<Health>,
    actions: mpsc::Sender<Action>,
) {
    loop {
        let mut now = health.borrow_and_update().clone();
        now.error = now.error.map(|e| session.secrets.scrub(&e));
        if let indexer::Conn::Stopped { reason } = &mut now.conn {
            *reason = session.secrets.scrub(reason);
        }
        if actions.send(Action::Health(now)).await.is_err() || health.changed().await.is_err() {
            return;
        }
    }
}
