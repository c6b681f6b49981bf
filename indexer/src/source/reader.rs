//! The task that owns one websocket: reads, pings and forwards messages. It stops reading when its queue
//! is full, so that the server notices a slow client.
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures_util::{SinkExt, StreamExt};
use serde_json::json;
use solana_pubkey::Pubkey;
use tokio::{
    net::TcpStream,
    sync::{mpsc, watch},
    time::{Instant, Interval, MissedTickBehavior},
};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream,
    tungstenite::{self, Error as WsError, protocol::CloseFrame},
};

use super::{
    SourceConfig,
    close_reason::{CloseReason, ConnectionEnd},
    rpc::Rpc,
    subscriptions::Subscriptions,
    wire::{Frame, SocketMessage, parse, request},
};
use crate::{ops::metrics::Metrics, source::error::Result};

type Stream = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Capacity of the queue to the ingest task. When it is full, reading stops.
pub(super) const MAX_QUEUED_FRAMES: usize = 4_096;
/// Wait for the optional acknowledgements, once the required ones have arrived.
const LATE_ACK_TIMEOUT: Duration = Duration::from_secs(3);
/// Pings that may stay unanswered.
const MAX_MISSED_PINGS: u32 = 2;
const SLOTS_REQUEST: u64 = 1;
const ROOTS_REQUEST: u64 = 2;
const ACCOUNTS_REQUEST: u64 = 3;
/// Close code that stands for "no close frame".
const ABNORMAL_CLOSE: u16 = 1006;

/// The state of the task.
pub(super) struct Reader {
    stream: Stream,
    subscriptions: Subscriptions,
    pub(super) roots: Arc<AtomicBool>,
    early: Vec<Frame>,
    silence: Duration,
    grace: Duration,
    ping: Interval,
    /// Unanswered pings in a row, while no data came.
    missed: u32,
    /// Whether a ping has no answer yet.
    pinged: bool,
    last_data: Instant,
    messages: u64,
    bytes: u64,
    metrics: Metrics,
}

impl Reader {
    pub(super) fn new(config: &SourceConfig, stream: Stream) -> Self {
        let mut ping = tokio::time::interval_at(Instant::now() + config.ping, config.ping);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            stream,
            subscriptions: Subscriptions::default(),
            roots: Arc::default(),
            early: vec![],
            silence: config.silence,
            grace: LATE_ACK_TIMEOUT.min(config.timeout / 4),
            ping,
            missed: 0,
            pinged: false,
            last_data: Instant::now(),
            messages: 0,
            bytes: 0,
            metrics: config.metrics.clone(),
        }
    }

    /// Adds the connection's counts to `end`.
    pub(super) fn sum_up(&self, (reason, what): ConnectionEnd) -> ConnectionEnd {
        let (age, messages, bytes) = (self.last_data.elapsed(), self.messages, self.bytes);
        let age = age.as_secs_f32();
        (reason, format!("{what} ({messages} messages, {bytes} bytes, the last {age:.1} s ago)"))
    }

    async fn send(
        &mut self,
        message: tungstenite::Message,
    ) -> std::result::Result<(), ConnectionEnd> {
        match tokio::time::timeout(self.silence, self.stream.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(e)) => Err((CloseReason::Broken, format!("broke: {e}"))),
            Err(_) => Err((CloseReason::Silent, "takes nothing more".to_owned())),
        }
    }

    async fn send_all(&mut self, requests: Vec<String>) -> std::result::Result<(), ConnectionEnd> {
        for request in requests {
            self.send(tungstenite::Message::text(request)).await?;
        }
        Ok(())
    }

    pub(super) async fn subscribe(
        &mut self,
        rpc: &Rpc,
        watched: &[Pubkey],
    ) -> std::result::Result<(), ConnectionEnd> {
        let accounts = json!([
            rpc.0.program_id.to_string(),
            {"encoding": "base64", "commitment": "confirmed"},
        ]);
        let mut requests = vec![
            request(SLOTS_REQUEST, "slotSubscribe", &json!([])),
            request(ROOTS_REQUEST, "rootSubscribe", &json!([])),
            request(ACCOUNTS_REQUEST, "programSubscribe", &accounts),
        ];
        requests.extend(self.subscriptions.want(watched));
        self.send_all(requests).await?;
        let (mut needed, mut roots) = (vec![SLOTS_REQUEST, ACCOUNTS_REQUEST], true);
        let mut end = None;
        while !needed.is_empty() || roots || self.subscriptions.is_waiting() {
            if needed.is_empty() {
                end.get_or_insert_with(|| Instant::now() + self.grace);
            }
            let message = tokio::select! {
                message = self.stream.next() => self.understand(message)?,
                () = until(end) => return Ok(()),
            };
            match message {
                SocketMessage::Ack { id: ROOTS_REQUEST, .. } => {
                    roots = false;
                    self.roots.store(true, Ordering::Relaxed);
                }
                SocketMessage::Refused { id: Some(ROOTS_REQUEST), .. } => roots = false,
                SocketMessage::Ack { id, .. } if needed.contains(&id) => {
                    needed.retain(|n| *n != id)
                }
                other => {
                    for frame in self.take(other).await? {
                        if self.early.len() >= MAX_QUEUED_FRAMES {
                            let what = "told of too much before it acknowledged".to_owned();
                            return Err((CloseReason::Refused, what));
                        }
                        self.early.push(frame);
                    }
                }
            }
        }
        Ok(())
    }

    /// Parses `message`; [`SocketMessage::Other`] for one without meaning here.
    fn understand(
        &mut self,
        message: Option<std::result::Result<tungstenite::Message, WsError>>,
    ) -> std::result::Result<SocketMessage, ConnectionEnd> {
        let text = match message {
            None => {
                let what = format!("was closed without a reason (code {ABNORMAL_CLOSE})");
                return Err((CloseReason::Closed(ABNORMAL_CLOSE), what));
            }
            Some(Err(WsError::ConnectionClosed | WsError::AlreadyClosed)) => {
                return Err((CloseReason::Closed(ABNORMAL_CLOSE), "was closed".to_owned()));
            }
            Some(Err(e)) => return Err((CloseReason::Broken, format!("broke: {e}"))),
            Some(Ok(tungstenite::Message::Close(frame))) => return Err(closed(frame)),
            Some(Ok(tungstenite::Message::Text(text))) => text,
            Some(Ok(tungstenite::Message::Pong(_))) => {
                (self.pinged, self.missed) = (false, 0);
                return Ok(SocketMessage::Other);
            }
            Some(Ok(_)) => return Ok(SocketMessage::Other),
        };
        self.messages = self.messages.saturating_add(1);
        self.bytes = self.bytes.saturating_add(u64::try_from(text.len()).unwrap_or(u64::MAX));
        (self.last_data, self.pinged, self.missed) = (Instant::now(), false, 0);
        self.metrics.frame();
        parse(&text).map_err(|what| (CloseReason::Garbled, what))
    }

    /// Handles `message`; returns the frames for the ingest task.
    async fn take(
        &mut self,
        message: SocketMessage,
    ) -> std::result::Result<Vec<Frame>, ConnectionEnd> {
        match message {
            SocketMessage::Frame(frame) => {
                if let Frame::Root(_) = frame {
                    self.roots.store(true, Ordering::Relaxed);
                }
                Ok(vec![frame])
            }
            SocketMessage::Watched { subscription, slot, account } => {
                Ok(self.subscriptions.notified(subscription, slot, account).into_iter().collect())
            }
            SocketMessage::Ack { id, subscription } => {
                let (frames, request) = self.subscriptions.acknowledged(id, subscription);
                self.send_all(request.into_iter().collect()).await?;
                Ok(frames)
            }
            SocketMessage::Refused { id: Some(ROOTS_REQUEST), .. } => Ok(vec![]),
            SocketMessage::Refused { id: Some(id), .. } if self.subscriptions.refuse(id) => {
                Ok(vec![])
            }
            SocketMessage::Refused { error, .. } => {
                let what = format!(
                    "refused a subscription: {}",
                    crate::ops::redact::plain(&error.message)
                );
                Err((CloseReason::Refused, what))
            }
            SocketMessage::Other => Ok(vec![]),
        }
    }

    /// Reads until the connection ends; [`None`] when the receiver was dropped.
    pub(super) async fn run(
        &mut self,
        mut orders: watch::Receiver<Vec<Pubkey>>,
        tx: &mpsc::Sender<Result<Frame>>,
    ) -> Option<ConnectionEnd> {
        for frame in std::mem::take(&mut self.early) {
            tx.send(Ok(frame)).await.ok()?;
        }
        self.last_data = Instant::now();
        loop {
            let step = self.step(&mut orders, tx).await;
            match step {
                Ok(true) => {}
                Ok(false) => return None,
                Err(end) => return Some(end),
            }
        }
    }

    /// Handles one message, ping or new watch list; false when the receiver was dropped.
    async fn step(
        &mut self,
        orders: &mut watch::Receiver<Vec<Pubkey>>,
        tx: &mpsc::Sender<Result<Frame>>,
    ) -> std::result::Result<bool, ConnectionEnd> {
        let full = tx.capacity() == 0;
        if full {
            // While the queue is full, the silence is ours, not the node's. Pings keep the connection.
            tokio::select! {
                room = tx.reserve() => {
                    if room.is_err() {
                        return Ok(false);
                    }
                    (self.last_data, self.pinged, self.missed) = (Instant::now(), false, 0);
                }
                _ = self.ping.tick() => self.send_ping().await?,
            }
            return Ok(true);
        }
        let message = tokio::select! {
            message = tokio::time::timeout_at(self.last_data + self.silence, self.stream.next()) => {
                message
            }
            _ = self.ping.tick() => {
                if self.pinged {
                    self.missed = self.missed.saturating_add(1);
                }
                if self.missed >= MAX_MISSED_PINGS {
                    let what = format!("answered none of {} pings and said nothing else", self.missed);
                    return Err((CloseReason::PongMissed, what));
                }
                self.send_ping().await?;
                return Ok(true);
            }
            changed = orders.changed() => {
                if changed.is_err() {
                    return Ok(false);
                }
                let list = orders.borrow_and_update().clone();
                let requests = self.subscriptions.want(&list);
                self.send_all(requests).await?;
                return Ok(true);
            }
        };
        let Ok(message) = message else {
            let what = format!("said nothing for {} s", self.silence.as_secs_f32());
            return Err((CloseReason::Silent, what));
        };
        let message = self.understand(message)?;
        for frame in self.take(message).await? {
            if tx.send(Ok(frame)).await.is_err() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn send_ping(&mut self) -> std::result::Result<(), ConnectionEnd> {
        self.send(tungstenite::Message::Ping(Vec::new().into())).await?;
        self.pinged = true;
        Ok(())
    }
}

async fn until(when: Option<Instant>) {
    match when {
        Some(when) => tokio::time::sleep_until(when).await,
        None => std::future::pending().await,
    }
}

fn closed(frame: Option<CloseFrame>) -> ConnectionEnd {
    match frame {
        Some(f) => {
            let code = u16::from(f.code);
            let what = if f.reason.is_empty() {
                format!("was closed with code {code}")
            } else {
                format!("was closed with code {code}: {}", f.reason)
            };
            (CloseReason::Closed(code), what)
        }
        None => (CloseReason::Closed(1005), "was closed without a reason".to_owned()),
    }
}
