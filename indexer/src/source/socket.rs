//! Our own websocket client: slots and the manager's accounts over one socket. The published client
//! cannot notice a dead socket; this one drops it when no data came for a while, whatever the pings
//! say, because the slot stream is never quiet on a living node.
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde::Deserialize;
use serde_json::{Value, json};
use solana_rpc_client_api::response::RpcKeyedAccount;
use tokio::{net::TcpStream, sync::mpsc, task::JoinHandle, time::Instant};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Error as WsError, Message, protocol::CloseFrame},
};

use super::{SourceConfig, possible, scrubbed, shown};
use crate::{IndexerError, Result};

type Stream = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Time between pings: providers cut connections on which nobody speaks.
const PING: Duration = Duration::from_secs(5);
/// Messages that wait for the join. When it is full, reading stops, so the server notices.
const WAITING: usize = 4_096;
const SLOTS: u64 = 1;
const ACCOUNTS: u64 = 2;

/// One message of the node.
#[derive(Clone, Debug)]
pub enum Frame {
    /// The node works on `slot`; `root` is final.
    Slot {
        /// Newest slot.
        slot: u64,
        /// Newest finalised slot.
        root: u64,
    },
    /// An account of the manager at a confirmed slot.
    Account {
        /// The slot.
        slot: u64,
        /// The account.
        keyed: Box<RpcKeyedAccount>,
    },
}

/// A socket on which both subscriptions are acknowledged.
pub struct Socket {
    frames: mpsc::Receiver<Result<Frame>>,
    reader: JoinHandle<()>,
    url: String,
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

impl Socket {
    /// Connects and subscribes; returns when both subscriptions are acknowledged.
    ///
    /// # Errors
    /// [`IndexerError::Socket`].
    pub async fn connect(config: &SourceConfig) -> Result<Self> {
        let url = shown(&config.ws_url);
        let broken = |what: String| IndexerError::Socket {
            url: url.clone(),
            what: scrubbed(&what, &config.ws_url),
        };
        let opening = async {
            let (mut stream, _) = connect_async(config.ws_url.as_str())
                .await
                .map_err(|e| broken(format!("cannot be opened: {e}")))?;
            for request in requests(config) {
                stream
                    .send(Message::text(request.to_string()))
                    .await
                    .map_err(|e| broken(format!("broke while subscribing: {e}")))?;
            }
            let early = acknowledged(&mut stream).await.map_err(&broken)?;
            Ok::<_, IndexerError>((stream, early))
        };
        let (stream, early) = tokio::time::timeout(config.timeout, opening)
            .await
            .map_err(|_| broken("did not acknowledge the subscriptions in time".to_owned()))??;
        let (tx, frames) = mpsc::channel(WAITING);
        let (silence, shown, full) = (config.silence, url.clone(), config.ws_url.clone());
        let reader = tokio::spawn(async move {
            let what = read(stream, early, silence, &tx).await;
            let what = scrubbed(&what, &full);
            // A receiver that is gone has dropped the socket on purpose.
            let _ = tx.send(Err(IndexerError::Socket { url: shown, what })).await;
        });
        Ok(Self { frames, reader, url })
    }

    /// The next message.
    ///
    /// # Errors
    /// [`IndexerError::Socket`] once the socket is gone.
    pub async fn next(&mut self) -> Result<Frame> {
        self.frames.recv().await.unwrap_or_else(|| {
            Err(IndexerError::Socket { url: self.url.clone(), what: "is closed".to_owned() })
        })
    }
}

fn requests(config: &SourceConfig) -> [Value; 2] {
    let accounts = json!([
        config.program_id.to_string(),
        {"encoding": "base64", "commitment": "confirmed"},
    ]);
    [
        json!({"jsonrpc": "2.0", "id": SLOTS, "method": "slotSubscribe"}),
        json!({"jsonrpc": "2.0", "id": ACCOUNTS, "method": "programSubscribe", "params": accounts}),
    ]
}

/// Reads until both requests are acknowledged; returns what came in between.
async fn acknowledged(stream: &mut Stream) -> Result<Vec<Frame>, String> {
    let (mut open, mut early) = (vec![SLOTS, ACCOUNTS], vec![]);
    while !open.is_empty() {
        match stream.next().await {
            Some(Ok(Message::Text(text))) => match parse(&text)? {
                Parsed::Ack(id) => open.retain(|o| *o != id),
                Parsed::Frame(_) if early.len() >= WAITING => {
                    return Err("told of too much before it acknowledged".to_owned());
                }
                Parsed::Frame(frame) => early.push(frame),
                Parsed::Other => {}
            },
            Some(Ok(Message::Close(frame))) => return Err(closed(frame)),
            Some(Ok(_)) => {}
            Some(Err(e)) => return Err(format!("broke while subscribing: {e}")),
            None => return Err("was closed while subscribing".to_owned()),
        }
    }
    Ok(early)
}

/// Passes messages on until the socket is of no more use; says why.
async fn read(
    mut stream: Stream,
    early: Vec<Frame>,
    silence: Duration,
    tx: &mpsc::Sender<Result<Frame>>,
) -> String {
    const GONE: &str = "is not needed any more";
    for frame in early {
        if tx.send(Ok(frame)).await.is_err() {
            return GONE.to_owned();
        }
    }
    let mut ping = tokio::time::interval(PING);
    ping.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut last_data = Instant::now();
    loop {
        let message = tokio::select! {
            message = tokio::time::timeout_at(last_data + silence, stream.next()) => message,
            _ = ping.tick() => {
                let sent = stream.send(Message::Ping(Vec::new().into()));
                match tokio::time::timeout(silence, sent).await {
                    Ok(Ok(())) => continue,
                    Ok(Err(e)) => return format!("broke: {e}"),
                    Err(_) => return "takes nothing more".to_owned(),
                }
            }
        };
        let frame = match message {
            Err(_) => return format!("said nothing for {} s", silence.as_secs_f32()),
            Ok(None) => return "was closed without a reason (code 1006)".to_owned(),
            Ok(Some(Err(WsError::ConnectionClosed | WsError::AlreadyClosed))) => {
                return "was closed".to_owned();
            }
            Ok(Some(Err(e))) => return format!("broke: {e}"),
            Ok(Some(Ok(Message::Close(frame)))) => return closed(frame),
            Ok(Some(Ok(Message::Text(text)))) => match parse(&text) {
                Ok(Parsed::Frame(frame)) => frame,
                Ok(_) => continue,
                Err(what) => return what,
            },
            Ok(Some(Ok(_))) => continue,
        };
        if tx.send(Ok(frame)).await.is_err() {
            return GONE.to_owned();
        }
        // Only now: waiting for a slow store is not the node's silence.
        last_data = Instant::now();
    }
}

fn closed(frame: Option<CloseFrame>) -> String {
    match frame {
        Some(f) if !f.reason.is_empty() => format!("was closed with code {}: {}", f.code, f.reason),
        Some(f) => format!("was closed with code {}", f.code),
        None => "was closed without a reason".to_owned(),
    }
}

enum Parsed {
    Ack(u64),
    Frame(Frame),
    Other,
}

#[derive(Deserialize)]
struct Envelope {
    id: Option<u64>,
    error: Option<Value>,
    method: Option<String>,
    params: Option<Params>,
}

#[derive(Deserialize)]
struct Params {
    result: Value,
}

#[derive(Deserialize)]
struct SlotInfo {
    slot: u64,
    root: u64,
}

#[derive(Deserialize)]
struct Notification {
    context: Context,
    value: RpcKeyedAccount,
}

#[derive(Deserialize)]
struct Context {
    slot: u64,
}

/// A message that cannot be read ends the connection: after the next snapshot nothing is missing,
/// while a message that was skipped would be.
fn parse(text: &str) -> Result<Parsed, String> {
    let unreadable = |e: serde_json::Error| format!("sent a message that cannot be read: {e}");
    let envelope: Envelope = serde_json::from_str(text).map_err(unreadable)?;
    if let Some(error) = envelope.error {
        let message = error.get("message").and_then(Value::as_str).unwrap_or("no reason given");
        return Err(format!("refused a subscription: {message}"));
    }
    let result = envelope.params.map(|p| p.result).unwrap_or_default();
    Ok(match (envelope.method.as_deref(), envelope.id) {
        (Some("slotNotification"), _) => {
            let SlotInfo { slot, root } = serde_json::from_value(result).map_err(unreadable)?;
            Parsed::Frame(Frame::Slot { slot: possible(slot)?, root: possible(root)? })
        }
        (Some("programNotification"), _) => {
            let told: Notification = serde_json::from_value(result).map_err(unreadable)?;
            let keyed = Box::new(told.value);
            Parsed::Frame(Frame::Account { slot: possible(told.context.slot)?, keyed })
        }
        (None, Some(id)) => Parsed::Ack(id),
        _ => Parsed::Other,
    })
}
