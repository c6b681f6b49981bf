//! Makes one connection after the other: takes the lease or stands by for its holder, changes the node
//! when one fails, and gives up only where a retry cannot help.
use std::{sync::Arc, time::Duration};

use serde_json::json;
use tokio::time::Instant;

use super::lease::{begin, fence, give_back};
use crate::{
    ops::health::{Conn, Reason},
    runtime::standby::{Standby, stand_by},
    source::{
        backoff::{Backoff, STABLE_AFTER},
        close_reason::CloseReason,
        error::{IndexerError, Result},
    },
    store::{Run, StoreError},
    sync::{
        connect,
        context::{MirrorContext, Origin},
    },
};

/// How long writing a note may delay the next connection.
const NOTE_TIMEOUT: Duration = Duration::from_secs(1);

pub(super) async fn supervise(context: Arc<MirrorContext>) {
    let reason = run_until_over(&context).await;
    context.over.send_replace(true);
    give_back(&context).await;
    context.connection(Conn::Stopped { reason });
    context.reason(Reason::Stopped, true);
    context.end();
}

/// Runs until the mirror ends; returns the reason.
async fn run_until_over(context: &Arc<MirrorContext>) -> String {
    let mut backoff = Backoff::with_cap(context.config.backoff_cap);
    loop {
        let node = context.rpc().shown();
        let (ended, live_since) = connect_or_stand_by(context).await;
        if context.is_stopping() {
            return "The mirror was shut down.".to_owned();
        }
        let Err(error) = ended else { continue };
        let displaced = give_up_if_displaced(context, &error);
        if matches!(error, IndexerError::UsedUp) {
            give_back(context).await;
            continue;
        }
        context.report(Origin::Connection, Some(error.to_string()));
        let turned = match &error {
            // Another node of the settings may belong to the right cluster.
            IndexerError::Store(StoreError::WrongCluster { stored, given, .. }) => {
                let (url, stored, given) = (context.rpc().shown(), stored.clone(), given.clone());
                context.endpoints.failed(&IndexerError::ClusterChanged { url, stored, given })
            }
            error => context.endpoints.failed(error),
        };
        let goes_on = error.is_transient() || displaced || (turned && is_foreign(&error));
        if !goes_on {
            return error.to_string();
        }
        lost(context, &node, &error).await;
        // Counts from when the mirror was live, not from the connect: a node that accepts and stays
        // silent for half a minute was not a stable connection.
        if let Some(since) = live_since {
            if since.elapsed() >= STABLE_AFTER {
                context.endpoints.reset_failures();
            }
            backoff.settle(since.into_std(), Instant::now().into_std());
        }
        let wait = backoff.next(&mut rand::thread_rng());
        let retry_at = std::time::Instant::now() + wait;
        context.connection(Conn::Reconnecting { attempt: backoff.attempt(), retry_at });
        context.pause(wait).await;
    }
}

/// Whether `error` says that the run may not write any more; then gives the run up, so that the next
/// round stands by.
fn give_up_if_displaced(context: &MirrorContext, error: &IndexerError) -> bool {
    let IndexerError::Store(why @ (StoreError::Fenced { .. } | StoreError::ReadOnly { .. })) =
        error
    else {
        return false;
    };
    let run = *context.run.borrow();
    if let Some(run) = run {
        fence(context, &run, why);
    }
    true
}

/// Whether the node belongs to another cluster than the store.
fn is_foreign(error: &IndexerError) -> bool {
    let stored = matches!(error, IndexerError::Store(StoreError::WrongCluster { .. }));
    stored || matches!(error, IndexerError::ClusterChanged { .. })
}

/// Counts a lost connection to `node`, and notes it if the mirror was live.
async fn lost(context: &MirrorContext, node: &str, error: &IndexerError) {
    let was_live = context.health.borrow().conn == Conn::Live;
    match error {
        // `Socket` has counted this already.
        IndexerError::Socket { reason, .. } => {
            let silent = matches!(reason, CloseReason::Silent | CloseReason::PongMissed);
            context.reason(Reason::SocketSilent, silent);
        }
        IndexerError::Behind { .. } => {
            context.reason(Reason::NodeBehind, true);
            context.metrics.reconnect(error.label());
        }
        _ => context.metrics.reconnect(error.label()),
    }
    // Only a live connection leaves a gap.
    if was_live {
        context.reason(Reason::GapFill, true);
        context.connection(Conn::Reconnecting { attempt: 0, retry_at: std::time::Instant::now() });
        let detail = json!({"node": node, "reason": error.label(), "error": error.to_string()});
        // A store that is down must not delay the next connection.
        let _ = tokio::time::timeout(NOTE_TIMEOUT, context.note("Disconnected", detail)).await;
    }
}

/// One connection, or one time of standing by; and since when it was live.
async fn connect_or_stand_by(context: &Arc<MirrorContext>) -> (Result<()>, Option<Instant>) {
    let held = *context.run.borrow();
    let opening = async {
        match held {
            Some(run) => context.same_cluster(&context.rpc()).await.map(|()| run),
            None => take(context).await,
        }
    };
    let opened = tokio::select! {
        opened = opening => opened,
        () = context.stopped() => return (Ok(()), None),
    };
    let run: Run = match opened {
        Ok(run) => run,
        Err(error) => match Standby::of(context, &error).await {
            Some(followed) => return (stand_by(context, followed).await, None),
            None => return (Err(error), None),
        },
    };
    let ended = connect(context, run).await;
    (ended.why, ended.live_since)
}

/// Takes the lease; the store refuses a node of another cluster.
async fn take(context: &MirrorContext) -> Result<Run> {
    let genesis = context.rpc().genesis_hash().await?;
    begin(context, &genesis).await
}
