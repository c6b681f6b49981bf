//! Removes old rows every hour while this process holds the lease.
use std::{sync::Arc, time::Duration};

use tracing::{info, warn};

use crate::{store::Retention, sync::context::MirrorContext};

/// Time between two rounds.
const RETENTION_INTERVAL: Duration = Duration::from_secs(3_600);

pub(super) async fn retain(context: Arc<MirrorContext>, retention: Retention) {
    if retention == Retention::default() {
        return;
    }
    let rounds = async {
        let mut run = context.run.subscribe();
        loop {
            // Cannot fail: the context owns the sender.
            let current = run.wait_for(Option::is_some).await.ok().and_then(|run| *run);
            if let Some(run) = current {
                match context.store.retain(&run, &retention).await {
                    Ok(rows) => info!(rows, "what was too old was removed"),
                    Err(e) => warn!("what is too old could not be removed: {e}"),
                }
            }
            tokio::time::sleep(RETENTION_INTERVAL).await;
        }
    };
    tokio::select! {
        () = rounds => {}
        () = context.done() => {}
    }
}
