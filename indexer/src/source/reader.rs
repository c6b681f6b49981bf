//! The task that owns one websocket: reads, pings and hands on, no more. When nobody takes the
//! messages it stops reading, so that the server notices.
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
    rpc::Rpc,
    subscriptions::Subscriptions,
    websocket::{End, Reason, WAITING},
    wire::{Frame, Message, parse, request},
};
use crate::{ops::metrics::Metrics, source::error::Result};

type Stream = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// How long the answers that are not needed are waited for, once those that are have come.
const GRACE: Duration = Duration::from_secs(3);
/// Pings that may stay unanswered.
const MISSED: u32 = 2;
const SLOTS: u64 = 1;
const ROOTS: u64 = 2;
const ACCOUNTS: u64 = 3;
/// The code of a connection that ended without one.
const ABNORMAL: u16 = 1006;

/// The task that owns the connection.
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
    /// When a ping was sent that has no answer yet.
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
            grace: GRACE.min(config.timeout / 4),
            ping,
            missed: 0,
            pinged: false,
            last_data: Instant::now(),
            messages: 0,
            bytes: 0,
            metrics: config.metrics.clone(),
        }
    }

    /// `end` with what came before it.
    pub(super) fn sum_up(&self, (reason, what): End) -> End {
        let (age, messages, bytes) = (self.last_data.elapsed(), self.messages, self.bytes);
        let age = age.as_secs_f32();
        (reason, format!("{what} ({messages} messages, {bytes} bytes, the last {age:.1} s ago)"))
    }

    async fn send(&mut self, message: tungstenite::Message) -> std::result::Result<(), End> {
        match tokio::time::timeout(self.silence, self.stream.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(e)) => Err((Reason::Broken, format!("broke: {e}"))),
            Err(_) => Err((Reason::Silent, "takes nothing more".to_owned())),
        }
    }

    async fn send_all(&mut self, requests: Vec<String>) -> std::result::Result<(), End> {
        for request in requests {
            self.send(tungstenite::Message::text(request)).await?;
        }
        Ok(())
    }

    pub(super) async fn subscribe(
        &mut self,
        rpc: &Rpc,
        watched: &[Pubkey],
    ) -> std::result::Result<(), End> {
        let accounts = json!([
            rpc.0.program_id.to_string(),
            {"encoding": "base64", "commitment": "confirmed"},
        ]);
        let mut requests = vec![
            request(SLOTS, "slotSubscribe", &json!([])),
            request(ROOTS, "rootSubscribe", &json!([])),
            request(ACCOUNTS, "programSubscribe", &accounts),
        ];
        requests.extend(self.subscriptions.want(watched));
        self.send_all(requests).await?;
        let (mut needed, mut roots) = (vec![SLOTS, ACCOUNTS], true);
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
                Message::Ack { id: ROOTS, .. } => {
                    roots = false;
                    self.roots.store(true, Ordering::Relaxed);
                }
                Message::Refused { id: Some(ROOTS), .. } => roots = false,
                Message::Ack { id, .. } if needed.contains(&id) => needed.retain(|n| *n != id),
                other => {
                    for frame in self.take(other).await? {
                        if self.early.len() >= WAITING {
                            let what = "told of too much before it acknowledged".to_owned();
                            return Err((Reason::Refused, what));
                        }
                        self.early.push(frame);
                    }
                }
            }
        }
        Ok(())
    }

    /// What `message` says; one that is not for us is [`Message::Other`].
    fn understand(
        &mut self,
        message: Option<std::result::Result<tungstenite::Message, WsError>>,
    ) -> std::result::Result<Message, End> {
        let text = match message {
            None => {
                let what = format!("was closed without a reason (code {ABNORMAL})");
                return Err((Reason::Closed(ABNORMAL), what));
            }
            Some(Err(WsError::ConnectionClosed | WsError::AlreadyClosed)) => {
                return Err((Reason::Closed(ABNORMAL), "was closed".to_owned()));
            }
            Some(Err(e)) => return Err((Reason::Broken, format!("broke: {e}"))),
            Some(Ok(tungstenite::Message::Close(frame))) => return Err(closed(frame)),
            Some(Ok(tungstenite::Message::Text(text))) => text,
            Some(Ok(tungstenite::Message::Pong(_))) => {
                (self.pinged, self.missed) = (false, 0);
                return Ok(Message::Other);
            }
            Some(Ok(_)) => return Ok(Message::Other),
        };
        self.messages = self.messages.saturating_add(1);
        self.bytes = self.bytes.saturating_add(u64::try_from(text.len()).unwrap_or(u64::MAX));
        (self.last_data, self.pinged, self.missed) = (Instant::now(), false, 0);
        self.metrics.frame();
        parse(&text).map_err(|what| (Reason::Garbled, what))
    }

    /// What the join gets to know of `message`.
    async fn take(&mut self, message: Message) -> std::result::Result<Vec<Frame>, End> {
        match message {
            Message::Frame(frame) => {
                if let Frame::Root(_) = frame {
                    self.roots.store(true, Ordering::Relaxed);
                }
                Ok(vec![frame])
            }
            Message::Watched { subscription, slot, account } => {
                Ok(self.subscriptions.told(subscription, slot, account).into_iter().collect())
            }
            Message::Ack { id, subscription } => {
                let (frames, request) = self.subscriptions.acknowledged(id, subscription);
                self.send_all(request.into_iter().collect()).await?;
                Ok(frames)
            }
            Message::Refused { id: Some(ROOTS), .. } => Ok(vec![]),
            Message::Refused { id: Some(id), .. } if self.subscriptions.refuse(id) => Ok(vec![]),
            Message::Refused { error, .. } => {
                let what = format!(
                    "refused a subscription: {}",
                    crate::ops::redact::plain(&error.message)
                );
                Err((Reason::Refused, what))
            }
            Message::Other => Ok(vec![]),
        }
    }

    /// Reads until the connection ends; `None` when nobody listens any more.
    pub(super) async fn run(
        &mut self,
        mut orders: watch::Receiver<Vec<Pubkey>>,
        tx: &mpsc::Sender<Result<Frame>>,
    ) -> Option<End> {
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

    /// One message, ping or order; whether anybody still listens.
    async fn step(
        &mut self,
        orders: &mut watch::Receiver<Vec<Pubkey>>,
        tx: &mpsc::Sender<Result<Frame>>,
    ) -> std::result::Result<bool, End> {
        let full = tx.capacity() == 0;
        if full {
            // Waiting for a slow store is not the node's silence; pings keep the connection up.
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
                if self.missed >= MISSED {
                    let what = format!("answered none of {} pings and said nothing else", self.missed);
                    return Err((Reason::PongMissed, what));
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
            return Err((Reason::Silent, what));
        };
        let message = self.understand(message)?;
        for frame in self.take(message).await? {
            if tx.send(Ok(frame)).await.is_err() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn send_ping(&mut self) -> std::result::Result<(), End> {
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

fn closed(frame: Option<CloseFrame>) -> End {
    match frame {
        Some(f) => {
            let code = u16::from(f.code);
            let what = if f.reason.is_empty() {
                format!("was closed with code {code}")
            } else {
                format!("was closed with code {code}: {}", f.reason)
            };
            (Reason::Closed(code), what)
        }
        None => (Reason::Closed(1005), "was closed without a reason".to_owned()),
    }
}
