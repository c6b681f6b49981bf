//! The node's websocket: each connection gets the notifications of its subscriptions, in order, with its
//! own subscription ids.
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use solana_pubkey::Pubkey;
use tokio::{
    net::TcpStream,
    sync::{Notify, mpsc},
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Message,
        protocol::{CloseFrame, frame::coding::CloseCode},
    },
};

use super::{FakeSolana, What, http};

/// A topic of subscriptions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Topic {
    Slots,
    Roots,
    Program,
    Account(Pubkey),
}

impl Topic {
    fn asked(method: &str, params: &Value) -> Option<Self> {
        Some(match method {
            "slotSubscribe" => Self::Slots,
            "rootSubscribe" => Self::Roots,
            "programSubscribe" => Self::Program,
            "accountSubscribe" => Self::Account(params[0].as_str()?.parse().ok()?),
            _ => return None,
        })
    }

    fn notification(self) -> &'static str {
        match self {
            Self::Slots => "slotNotification",
            Self::Roots => "rootNotification",
            Self::Program => "programNotification",
            Self::Account(_) => "accountNotification",
        }
    }
}

/// An action on every websocket.
#[derive(Clone)]
pub enum Push {
    /// A notification for subscribers.
    Notify(Topic, Arc<str>),
    Raw(Arc<str>),
    Close(u16),
    Drop,
}

impl Push {
    pub fn told(topic: Topic, result: &Value) -> Self {
        Self::Notify(topic, result.to_string().into())
    }
}

/// The channel to one connection.
pub struct Line {
    to: mpsc::UnboundedSender<Push>,
    waiting: Arc<AtomicUsize>,
    lagged: Arc<Notify>,
}

impl Line {
    /// Queues `push`; returns whether the connection is still open. Cuts one with more than
    /// `max_waiting` queued messages.
    pub fn push(&self, push: &Push, max_waiting: usize) -> bool {
        if self.waiting.fetch_add(1, Ordering::Relaxed) >= max_waiting {
            self.lagged.notify_one();
            return false;
        }
        self.to.send(push.clone()).is_ok()
    }
}

type Stream = WebSocketStream<TcpStream>;

/// One connection, until either side ends it.
pub async fn serve(fake: FakeSolana, mut stream: TcpStream) {
    let fault = fake.state().ask("websocket", &Value::Null);
    match fault {
        Some(What::Status(status, retry)) => {
            http::head(&mut stream).await;
            let _ = http::refuse(&mut stream, status, retry).await;
            return;
        }
        Some(What::Mute) => std::future::pending().await,
        Some(_) => return,
        None => {}
    }
    let Ok(mut socket) = tokio_tungstenite::accept_async(stream).await else { return };
    let (to, mut pushes) = mpsc::unbounded_channel();
    let (waiting, lagged) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
    {
        let mut state = fake.state();
        state.connections += 1;
        state.lines.push(Line { to, waiting: Arc::clone(&waiting), lagged: Arc::clone(&lagged) });
    }
    let mut topics = BTreeMap::new();
    loop {
        let (frozen, deaf) = {
            let state = fake.state();
            (state.frozen, state.deaf)
        };
        tokio::select! {
            message = socket.next(), if !frozen && !deaf => {
                let Some(Ok(message)) = message else { return };
                if let Message::Text(text) = message {
                    let ack = take(&fake, &mut topics, &text);
                    if socket.send(Message::text(ack)).await.is_err() {
                        return;
                    }
                }
            }
            push = pushes.recv(), if !frozen => {
                let Some(push) = push else { return };
                waiting.fetch_sub(1, Ordering::Relaxed);
                tokio::select! {
                    stands = pass_on(&mut socket, &topics, push) => if !stands { return },
                    () = lagged.notified() => return,
                }
            }
            () = lagged.notified() => return,
            // Checks regularly whether it is frozen or deaf now.
            () = tokio::time::sleep(Duration::from_millis(10)) => {}
        }
    }
}

/// Answers a request of the client.
fn take(fake: &FakeSolana, topics: &mut BTreeMap<Topic, u64>, text: &str) -> String {
    let request: Value = serde_json::from_str(text).unwrap();
    assert!(text.len() < 4_096, "a node closes the connection on such a request");
    let (method, params) = (request["method"].as_str().unwrap_or_default(), &request["params"]);
    let fault = fake.state().ask(method, params);
    let ack = match (fault, Topic::asked(method, params)) {
        (Some(What::Code(code, message)), _) => {
            json!({"jsonrpc": "2.0", "id": request["id"],
                "error": {"code": code, "message": message}})
        }
        (_, Some(topic)) => {
            let next = topics.values().max().map_or(77, |n| n + 1);
            let number = *topics.entry(topic).or_insert(next);
            json!({"jsonrpc": "2.0", "id": request["id"], "result": number})
        }
        (_, None) if method.ends_with("Unsubscribe") => {
            topics.retain(|_, number| Some(*number) != params[0].as_u64());
            json!({"jsonrpc": "2.0", "id": request["id"], "result": true})
        }
        (_, None) => json!({"jsonrpc": "2.0", "id": request["id"],
            "error": {"code": -32_601, "message": "Method not found"}}),
    };
    ack.to_string()
}

/// Sends `push`; returns whether the connection is still open.
async fn pass_on(socket: &mut Stream, topics: &BTreeMap<Topic, u64>, push: Push) -> bool {
    match push {
        Push::Notify(topic, result) => {
            let Some(number) = topics.get(&topic) else { return true };
            let text = format!(
                "{{\"jsonrpc\":\"2.0\",\"method\":\"{}\",\"params\":{{\"result\":{result},\"subscription\":{number}}}}}",
                topic.notification(),
            );
            socket.send(Message::text(text)).await.is_ok()
        }
        Push::Raw(text) => socket.send(Message::text(text.as_ref())).await.is_ok(),
        Push::Close(code) => {
            let code = CloseCode::from(code);
            let frame = CloseFrame { code, reason: "going away".into() };
            let _ = socket.close(Some(frame)).await;
            false
        }
        Push::Drop => false,
    }
}
