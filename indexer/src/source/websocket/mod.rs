//! The websocket client: slots, roots, the manager's accounts and a few watched ones over one socket.
//! Solana's own client crate cannot notice a dead socket. This one closes it after a silence even if
//! pings are answered, because a live node always sends slots. The reading task is in `reader`.
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime},
};

use solana_pubkey::Pubkey;
use tokio::{
    sync::{mpsc, watch},
    task::JoinHandle,
};
use tokio_tungstenite::{connect_async, tungstenite::Error as WsError};

use super::{
    SourceConfig,
    close_reason::{CloseReason, ConnectionEnd},
    rate_limiter::retry_after,
    reader::{MAX_QUEUED_FRAMES, Reader},
    rpc::Rpc,
};
pub use super::{subscriptions::MAX_WATCHED, wire::Frame};
use crate::{
    ops::redact::scrubbed,
    source::error::{IndexerError, Result},
};

/// A socket with acknowledged subscriptions.
#[derive(Debug)]
pub struct Socket {
    frames: mpsc::Receiver<Result<Frame>>,
    watched: watch::Sender<Vec<Pubkey>>,
    roots: Arc<AtomicBool>,
    reader: JoinHandle<()>,
    url: String,
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

impl Socket {
    /// Connects to the websocket of `rpc` and subscribes, also to the accounts in `watched`; returns
    /// when the subscriptions are acknowledged. The node may refuse those to roots and watched accounts.
    ///
    /// # Errors
    /// [`IndexerError::Socket`].
    pub async fn connect(config: &SourceConfig, rpc: &Rpc, watched: &[Pubkey]) -> Result<Self> {
        let full = rpc.0.endpoint.ws_url.clone();
        let (url, metrics) = (rpc.shown_socket(), config.metrics.clone());
        let failed = move |(reason, what): ConnectionEnd| {
            metrics.reconnect(reason.label());
            IndexerError::Socket { url: url.clone(), reason, what: scrubbed(&what, &full) }
        };
        let opening = tokio::time::timeout(config.timeout, open(config, rpc, watched));
        let opened = opening.await.unwrap_or_else(|_| {
            let what = "did not acknowledge the subscriptions in time".to_owned();
            Err((CloseReason::Silent, what))
        });
        let mut reader = opened.map_err(&failed)?;
        let roots = Arc::clone(&reader.roots);
        let (tx, frames) = mpsc::channel(MAX_QUEUED_FRAMES);
        let (watched, orders) = watch::channel(watched.to_vec());
        let reader = tokio::spawn(async move {
            if let Some(end) = reader.run(orders, &tx).await {
                // Fails only if the owner has dropped the socket on purpose.
                let _ = tx.send(Err(failed(reader.sum_up(end)))).await;
            }
        });
        Ok(Self { frames, watched, roots, reader, url: rpc.shown_socket() })
    }

    /// The next message. Cancel-safe.
    ///
    /// # Errors
    /// [`IndexerError::Socket`] once the socket is gone.
    pub async fn next(&mut self) -> Result<Frame> {
        self.frames.recv().await.unwrap_or_else(|| {
            let (reason, what) = (CloseReason::Broken, "is closed".to_owned());
            Err(IndexerError::Socket { url: self.url.clone(), reason, what })
        })
    }

    /// Whether the node sends roots.
    #[must_use]
    pub fn has_roots(&self) -> bool {
        self.roots.load(Ordering::Relaxed)
    }

    /// Number of messages that wait for [`Self::next`].
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.frames.len()
    }

    /// Watches the first [`MAX_WATCHED`] accounts of `list` instead of the previous ones. The node does
    /// not report changes from before it has accepted a subscription.
    pub fn watch(&self, list: &[Pubkey]) {
        self.watched.send_if_modified(|now| {
            let changed = now != list;
            if changed {
                *now = list.to_vec();
            }
            changed
        });
    }
}

/// Connects and subscribes; returns after the acknowledgements.
async fn open(
    config: &SourceConfig,
    rpc: &Rpc,
    watched: &[Pubkey],
) -> std::result::Result<Reader, ConnectionEnd> {
    let limiter = &rpc.0.transport.limiter;
    let limited = |wait: Duration| {
        let seconds = wait.as_secs_f32().ceil();
        (CloseReason::Limited, format!("allows no more connections for {seconds} s (429)"))
    };
    let permit = limiter.acquire(config.timeout).await.map_err(limited)?;
    let stream = match connect_async(rpc.0.endpoint.ws_url.as_str()).await {
        Ok((stream, _)) => stream,
        Err(WsError::Http(answer)) if answer.status().as_u16() == 429 => {
            let asked = answer.headers().get("retry-after").and_then(|v| v.to_str().ok());
            let asked = asked.and_then(|v| retry_after(v, SystemTime::now()));
            return Err(limited(limiter.limited(permit, asked)));
        }
        Err(WsError::Http(answer)) => {
            let status = answer.status().as_u16();
            return Err((CloseReason::Refused, format!("refuses connections (HTTP {status})")));
        }
        Err(e) => return Err((CloseReason::Connect, format!("cannot be opened: {e}"))),
    };
    limiter.answered(permit);
    let mut reader = Reader::new(config, stream);
    reader.subscribe(rpc, watched).await?;
    Ok(reader)
}

#[cfg(test)]
mod tests;
