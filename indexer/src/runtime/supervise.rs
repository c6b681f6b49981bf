//! One connection after the other: takes the lease or follows whoever has it, goes to another node
//! when one fails, and gives up only where trying again is pointless.
use std::{sync::Arc, time::Duration};

use serde_json::json;
use tokio::time::Instant;

use super::lease::{begin, fence, give_back};
use crate::{
    ops::health::{Conn, Reason},
    runtime::standby::{Followed, follow},
    source::{
        backoff::{Backoff, STABLE},
        error::{IndexerError, Result},
        websocket,
    },
    store::{Run, StoreError},
    sync::{
        connect,
        context::{Link, Origin},
    },
};

/// How long a note may hold up the next connection.
const NOTE: Duration = Duration::from_secs(1);

pub(super) async fn supervise(link: Arc<Link>) {
    let reason = go_on(&link).await;
    link.over.send_replace(true);
    give_back(&link).await;
    link.connection(Conn::Stopped { reason });
    link.reason(Reason::Stopped, true);
    link.end();
}

/// Returns when the mirror has ended, with the reason.
async fn go_on(link: &Arc<Link>) -> String {
    let mut backoff = Backoff::with_cap(link.config.backoff_cap);
    loop {
        let node = link.rpc().shown();
        let (ended, live_since) = one(link).await;
        if link.is_stopping() {
            return "The mirror was shut down.".to_owned();
        }
        let Err(error) = ended else { continue };
        let displaced = displaced(link, &error);
        if matches!(error, IndexerError::UsedUp) {
            give_back(link).await;
            continue;
        }
        link.report(Origin::Connection, Some(error.to_string()));
        let turned = match &error {
            // Another node may belong to the right cluster.
            IndexerError::Store(StoreError::WrongCluster { stored, given, .. }) => {
                let (url, stored, given) = (link.rpc().shown(), stored.clone(), given.clone());
                link.endpoints.failed(&IndexerError::ClusterChanged { url, stored, given })
            }
            error => link.endpoints.failed(error),
        };
        let goes_on = error.is_transient() || displaced || (turned && is_foreign(&error));
        if !goes_on {
            return error.to_string();
        }
        lost(link, &node, &error).await;
        // Only time in which the mirror was live counts: a node that takes half a minute to say
        // nothing did not hold.
        if let Some(since) = live_since {
            if since.elapsed() >= STABLE {
                link.endpoints.well();
            }
            backoff.settle(since.into_std(), Instant::now().into_std());
        }
        let wait = backoff.next(&mut rand::thread_rng());
        let retry_at = std::time::Instant::now() + wait;
        link.connection(Conn::Reconnecting { attempt: backoff.attempt(), retry_at });
        link.pause(wait).await;
    }
}

/// Whether the run may not write any more; then it is given up, and what follows is to stand by.
fn displaced(link: &Link, error: &IndexerError) -> bool {
    let IndexerError::Store(why @ (StoreError::Fenced { .. } | StoreError::ReadOnly { .. })) =
        error
    else {
        return false;
    };
    let run = *link.run.borrow();
    if let Some(run) = run {
        fence(link, &run, why);
    }
    true
}

/// Whether the node belongs to another cluster than the store.
fn is_foreign(error: &IndexerError) -> bool {
    let stored = matches!(error, IndexerError::Store(StoreError::WrongCluster { .. }));
    stored || matches!(error, IndexerError::ClusterChanged { .. })
}

/// Counts and notes that a connection to `node` was lost.
async fn lost(link: &Link, node: &str, error: &IndexerError) {
    let was_live = link.health.borrow().conn == Conn::Live;
    match error {
        // The socket has counted its end itself.
        IndexerError::Socket { reason, .. } => {
            let silent =
                matches!(reason, websocket::Reason::Silent | websocket::Reason::PongMissed);
            link.reason(Reason::SocketSilent, silent);
        }
        IndexerError::Behind { .. } => {
            link.reason(Reason::NodeBehind, true);
            link.metrics.reconnect(error.label());
        }
        _ => link.metrics.reconnect(error.label()),
    }
    // A start that has not come to anything is no gap.
    if was_live {
        link.reason(Reason::GapFill, true);
        link.connection(Conn::Reconnecting { attempt: 0, retry_at: std::time::Instant::now() });
        let detail = json!({"node": node, "reason": error.label(), "error": error.to_string()});
        // A store that is down must not keep the connection from being made again.
        let _ = tokio::time::timeout(NOTE, link.note("Disconnected", detail)).await;
    }
}

/// One connection, or one time of following; and since when it was live.
async fn one(link: &Arc<Link>) -> (Result<()>, Option<Instant>) {
    let held = *link.run.borrow();
    let opening = async {
        match held {
            Some(run) => link.same_cluster(&link.rpc()).await.map(|()| run),
            None => take(link).await,
        }
    };
    let opened = tokio::select! {
        opened = opening => opened,
        () = link.stopped() => return (Ok(()), None),
    };
    let run: Run = match opened {
        Ok(run) => run,
        Err(error) => match Followed::of(link, &error).await {
            Some(followed) => return (follow(link, followed).await, None),
            None => return (Err(error), None),
        },
    };
    let ended = connect(link, run).await;
    (ended.why, ended.live_since)
}

/// Makes sure that node and store belong together, and takes the lease.
async fn take(link: &Link) -> Result<Run> {
    let genesis = link.rpc().genesis_hash().await?;
    begin(link, &genesis).await
}
