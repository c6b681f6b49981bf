//! A scripted Solana node: real HTTP and websocket on loopback, and faults that a real node cannot
//! be made to show on command.
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use futures_util::{SinkExt, StreamExt};
use indexer::SourceConfig;
use serde_json::{Value, json};
use solana_pubkey::Pubkey;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::broadcast,
};
use tokio_tungstenite::tungstenite::{
    Message,
    protocol::{CloseFrame, frame::coding::CloseCode},
};

pub use super::wire::{Tx, emitted};
use super::{
    fixtures::PROGRAM_ID,
    http,
    wire::{account, notification, transaction},
};

/// What is wrong with the node's history.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Quirk {
    None,
    /// Every page of signatures is the first.
    Circle,
    /// Blocks come without their signatures.
    NoBlock,
    /// Transactions come without their inner instructions.
    NoInner,
}

/// What the node knows and how it misbehaves.
pub struct State {
    pub genesis: [u8; 32],
    pub slot: u64,
    pub finalized: u64,
    pub unix: i64,
    /// Owner and data of each account.
    pub accounts: BTreeMap<Pubkey, (Pubkey, Vec<u8>)>,
    pub history: Vec<Tx>,
    /// Whether slots pass on their own.
    pub ticks: bool,
    /// Whether slots are told; a half-open socket tells none.
    pub heartbeat: bool,
    /// Whether account changes are told; an acknowledged, dead subscription tells none.
    pub tells: bool,
    /// Delay of the next snapshots; what they hold is taken before it.
    pub snapshot_delay: Duration,
    /// Snapshots that answer -32016 first.
    pub not_reached: u32,
    /// Accounts that a snapshot leaves out, from the end.
    pub cut: usize,
    /// Be a surfnet, which stamps every account that it tells of with this slot.
    pub surfnet: Option<u64>,
    /// Answers nothing about its cluster until this is off, so nobody gets through a new connection.
    pub hold: bool,
    /// How history is answered.
    pub quirk: Quirk,
    /// A transaction that the node lists and no longer has.
    pub lost: Option<String>,
    /// Websocket connections so far.
    pub connections: u32,
    /// Snapshots answered so far.
    pub snapshots: u32,
}

#[derive(Clone)]
enum Push {
    Text(String),
    Close(u16),
    Drop,
}

/// The node.
#[derive(Clone)]
pub struct Fake {
    pub http: String,
    pub ws: String,
    state: Arc<Mutex<State>>,
    push: broadcast::Sender<Push>,
}

impl Fake {
    pub async fn start() -> Self {
        let http = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let ws = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let state = State {
            genesis: [1; 32],
            slot: 100,
            finalized: 68,
            unix: 1_700_000_000,
            accounts: BTreeMap::new(),
            history: vec![],
            ticks: true,
            heartbeat: true,
            tells: true,
            snapshot_delay: Duration::ZERO,
            not_reached: 0,
            cut: 0,
            surfnet: None,
            hold: false,
            quirk: Quirk::None,
            lost: None,
            connections: 0,
            snapshots: 0,
        };
        let fake = Self {
            http: format!("http://{}", http.local_addr().unwrap()),
            ws: format!("ws://{}", ws.local_addr().unwrap()),
            state: Arc::new(Mutex::new(state)),
            push: broadcast::channel(4_096).0,
        };
        let (a, b, c) = (fake.clone(), fake.clone(), fake.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = http.accept().await {
                tokio::spawn(a.clone().serve_http(stream));
            }
        });
        tokio::spawn(async move {
            while let Ok((stream, _)) = ws.accept().await {
                tokio::spawn(b.clone().serve_ws(stream));
            }
        });
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(Duration::from_millis(40)).await;
                if c.state().ticks {
                    c.tick();
                }
            }
        });
        fake
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub fn config(&self) -> SourceConfig {
        SourceConfig {
            silence: Duration::from_secs(20),
            reconcile: Duration::from_secs(60),
            clock: Duration::from_millis(50),
            history: Duration::from_millis(50),
            ..SourceConfig::new(self.http.clone(), self.ws.clone(), PROGRAM_ID)
        }
    }

    /// One slot passes.
    pub fn tick(&self) {
        let mut state = self.state();
        state.slot += 1;
        state.unix += 1;
        state.finalized = state.slot.saturating_sub(32);
        if state.heartbeat {
            let info =
                json!({"slot": state.slot, "parent": state.slot - 1, "root": state.finalized});
            let _ = self.push.send(Push::Text(notification("slotNotification", &info)));
        }
    }

    /// An account changes, and subscribers are told unless `tells` is off.
    pub fn set(&self, pubkey: Pubkey, data: Vec<u8>) {
        let mut state = self.state();
        state.accounts.insert(pubkey, (PROGRAM_ID, data.clone()));
        if state.tells {
            let slot = state.surfnet.unwrap_or(state.slot);
            drop(state);
            self.tell(pubkey, slot, PROGRAM_ID, &data);
        }
    }

    /// Tells subscribers of an account, whatever the node itself holds.
    pub fn tell(&self, pubkey: Pubkey, slot: u64, owner: Pubkey, data: &[u8]) {
        let value = json!({"pubkey": pubkey.to_string(), "account": account(&owner, data)});
        let result = json!({"context": {"slot": slot}, "value": value});
        let _ = self.push.send(Push::Text(notification("programNotification", &result)));
    }

    /// An account is closed: nobody is told.
    pub fn close_account(&self, pubkey: &Pubkey) {
        self.state().accounts.remove(pubkey);
    }

    /// Ends every websocket with a close frame.
    pub fn close_sockets(&self, code: u16) {
        let _ = self.push.send(Push::Close(code));
    }

    /// Ends every websocket without one: code 1006.
    pub fn drop_sockets(&self) {
        let _ = self.push.send(Push::Drop);
    }

    /// A message that is no notification.
    pub fn babble(&self) {
        let _ =
            self.push.send(Push::Text("{\"method\":\"programNotification\",\"params\":".into()));
    }

    async fn serve_ws(self, stream: TcpStream) {
        let Ok(mut socket) = tokio_tungstenite::accept_async(stream).await else { return };
        self.state().connections += 1;
        let mut pushes = self.push.subscribe();
        loop {
            tokio::select! {
                message = socket.next() => {
                    let Some(Ok(message)) = message else { return };
                    if let Message::Text(text) = message {
                        let request: Value = serde_json::from_str(&text).unwrap();
                        let ack = json!({"jsonrpc": "2.0", "id": request["id"], "result": 77});
                        if socket.send(Message::text(ack.to_string())).await.is_err() {
                            return;
                        }
                    }
                }
                push = pushes.recv() => match push {
                    Ok(Push::Text(text)) => {
                        if socket.send(Message::text(text)).await.is_err() {
                            return;
                        }
                    }
                    Ok(Push::Close(code)) => {
                        let code = CloseCode::from(code);
                        let frame = CloseFrame { code, reason: "going away".into() };
                        let _ = socket.close(Some(frame)).await;
                        return;
                    }
                    Ok(Push::Drop) | Err(_) => return,
                }
            }
        }
    }

    async fn serve_http(self, mut stream: TcpStream) {
        let mut buffer = vec![];
        while let Some(request) = http::request(&mut stream, &mut buffer).await {
            let method = request["method"].as_str().unwrap_or_default().to_owned();
            while method == "getGenesisHash" && self.state().hold {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            let answer = self.answer(&method, &request["params"]);
            if method == "getProgramAccounts" {
                let delay = self.state().snapshot_delay;
                tokio::time::sleep(delay).await;
            }
            let mut body = json!({"jsonrpc": "2.0", "id": request["id"]});
            match answer {
                Ok(result) => body["result"] = result,
                Err((code, message)) => body["error"] = json!({"code": code, "message": message}),
            }
            if http::respond(&mut stream, &body).await.is_err() {
                return;
            }
        }
    }

    fn answer(&self, method: &str, params: &Value) -> Result<Value, (i64, &'static str)> {
        let mut state = self.state();
        Ok(match method {
            "getGenesisHash" => json!(bs58::encode(state.genesis).into_string()),
            "getVersion" => match state.surfnet {
                Some(_) => json!({"solana-core": "4.2.1", "surfnet-version": "1.6.1"}),
                None => json!({"solana-core": "3.1.0", "feature-set": 1}),
            },
            "getSlot" => json!(state.finalized),
            "getAccountInfo" => {
                let mut clock = [0; 40];
                clock[..8].copy_from_slice(&state.slot.to_le_bytes());
                clock[32..].copy_from_slice(&state.unix.to_le_bytes());
                json!({"context": {"slot": state.slot}, "value": account(&Pubkey::default(), &clock)})
            }
            "getProgramAccounts" => {
                if state.not_reached > 0 {
                    state.not_reached -= 1;
                    return Err((-32_016, "Minimum context slot has not been reached"));
                }
                if params[1]["minContextSlot"].as_u64().is_some_and(|min| min > state.slot) {
                    return Err((-32_016, "Minimum context slot has not been reached"));
                }
                state.snapshots += 1;
                let kept = state.accounts.len().saturating_sub(state.cut);
                let all: Vec<Value> = state.accounts.iter().take(kept)
                    .map(|(k, (owner, data))| json!({"pubkey": k.to_string(), "account": account(owner, data)}))
                    .collect();
                json!({"context": {"slot": state.slot}, "value": all})
            }
            "getSignaturesForAddress" => {
                let before = params[1]["before"].as_str().filter(|_| state.quirk != Quirk::Circle);
                let newest_first = state.history.iter().rev();
                let mut seen = before.is_none();
                let mut out = vec![];
                for tx in newest_first {
                    if seen {
                        out.push(json!({
                            "signature": tx.signature, "slot": tx.slot, "memo": null,
                            "err": tx.failed.then(|| json!("AccountInUse")), "blockTime": null,
                            "confirmationStatus": "finalized",
                        }));
                    }
                    seen |= before == Some(&tx.signature);
                }
                Value::Array(out)
            }
            "getBlock" => {
                let slot = params[0].as_u64();
                let of_slot = state.history.iter().filter(|t| Some(t.slot) == slot);
                let mut signatures: Vec<&String> = of_slot.map(|t| &t.signature).collect();
                if state.quirk == Quirk::NoBlock {
                    signatures.clear();
                }
                json!({
                    "blockhash": bs58::encode([2; 32]).into_string(), "blockTime": 9,
                    "previousBlockhash": bs58::encode([1; 32]).into_string(),
                    "parentSlot": 1, "blockHeight": 1, "signatures": signatures,
                })
            }
            "getTransaction" => {
                let signature = params[0].as_str().unwrap_or_default();
                match state.history.iter().find(|t| t.signature == signature) {
                    Some(tx) if state.lost.as_deref() == Some(&tx.signature) => Value::Null,
                    Some(tx) if state.quirk == Quirk::NoInner => {
                        let mut answer = transaction(tx);
                        answer["meta"]["innerInstructions"] = Value::Null;
                        answer
                    }
                    Some(tx) => transaction(tx),
                    None => Value::Null,
                }
            }
            _ => return Err((-32_601, "Method not found")),
        })
    }
}
