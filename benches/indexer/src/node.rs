//! A node on loopback: answers the indexer's calls, streams a snapshot of the records, and sends changes
//! over a websocket at a given rate. It stores no accounts.
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use solana_pubkey::Pubkey;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, BufWriter},
    net::{TcpListener, TcpStream},
    sync::watch,
};
use tokio_tungstenite::tungstenite::Message;

use crate::rows::{PROGRAM_ID, SLOT, address, record, scattered};

/// Length of a slot.
const SLOT_INTERVAL: Duration = Duration::from_millis(400);
/// Slots between the newest slot and the root.
const ROOT_DISTANCE: u64 = 32;

/// The load on the websocket.
#[derive(Clone, Copy, Debug, Default)]
pub struct Offer {
    /// Updates per second.
    pub rate: u64,
    /// Total number of updates.
    pub count: u64,
}

/// A running node.
pub struct Node {
    /// RPC address.
    pub rpc_url: String,
    /// Websocket address.
    pub ws_url: String,
    /// Set it to start updates.
    pub offer: watch::Sender<Offer>,
    /// Updates sent to the socket.
    pub sent: Arc<AtomicU64>,
    /// Zero point of the stamps, which are in microseconds.
    pub start: Instant,
}

#[derive(Clone)]
struct State {
    accounts: u64,
    start: Instant,
    sent: Arc<AtomicU64>,
}

impl State {
    fn slot(&self) -> u64 {
        let ticks = self.start.elapsed().as_millis() / SLOT_INTERVAL.as_millis();
        SLOT.saturating_add(u64::try_from(ticks).unwrap_or(u64::MAX)).saturating_add(1)
    }
}

impl Node {
    /// A node with the first `accounts` records.
    pub async fn start(accounts: u64) -> Result<Self> {
        let (http, ws) = (listen().await?, listen().await?);
        let (offer, offered) = watch::channel(Offer::default());
        let sent = Arc::new(AtomicU64::new(0));
        let start = Instant::now();
        let node = Self {
            rpc_url: format!("http://{}", http.local_addr()?),
            ws_url: format!("ws://{}", ws.local_addr()?),
            offer,
            sent: Arc::clone(&sent),
            start,
        };
        let state = State { accounts, start, sent };
        let calls = state.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = http.accept().await {
                tokio::spawn(serve_http(stream, calls.clone()));
            }
        });
        tokio::spawn(async move {
            while let Ok((stream, _)) = ws.accept().await {
                tokio::spawn(serve_websocket(stream, state.clone(), offered.clone()));
            }
        });
        Ok(node)
    }
}

async fn listen() -> Result<TcpListener> {
    TcpListener::bind("127.0.0.1:0").await.context("no port is free on 127.0.0.1")
}

async fn serve_http(stream: TcpStream, state: State) -> Result<()> {
    stream.set_nodelay(true)?;
    let mut stream = BufReader::new(stream);
    loop {
        let mut length = 0;
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).await? == 0 {
                return Ok(());
            }
            let line = line.trim().to_ascii_lowercase();
            if let Some(n) = line.strip_prefix("content-length:") {
                length = n.trim().parse()?;
            }
            if line.is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await?;
        let call: Value = serde_json::from_slice(&body)?;
        if call["method"] == "getProgramAccounts" {
            return snapshot(stream.into_inner(), &call["id"], &state).await;
        }
        let mut answer = json!({"jsonrpc": "2.0", "id": call["id"]});
        match result(&call, &state) {
            Some(result) => answer["result"] = result,
            None => answer["error"] = json!({"code": -32601, "message": "Method not found"}),
        }
        let body = answer.to_string();
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        stream.get_mut().write_all(format!("{head}{body}").as_bytes()).await?;
    }
}

fn result(call: &Value, state: &State) -> Option<Value> {
    let slot = state.slot();
    let at =
        |value: Value| json!({"context": {"slot": slot, "apiVersion": "3.1.0"}, "value": value});
    Some(match call["method"].as_str()? {
        "getGenesisHash" => json!(Pubkey::new_from_array([7; 32]).to_string()),
        "getVersion" => json!({"solana-core": "3.1.0", "feature-set": 1}),
        "getSlot" if call["params"].to_string().contains("finalized") => {
            json!(slot - ROOT_DISTANCE)
        }
        "getSlot" => json!(slot),
        "getBlocks" => {
            let number = |n: usize| call["params"][n].as_u64().unwrap_or(slot);
            json!((number(0)..=number(1).min(slot)).collect::<Vec<_>>())
        }
        "getAccountInfo" => at(account(&clock(slot), &Pubkey::default())),
        "getMultipleAccounts" => {
            let asked = call["params"][0].as_array().map_or(0, Vec::len);
            at(json!(vec![Value::Null; asked]))
        }
        "getSignaturesForAddress" => json!([]),
        _ => return None,
    })
}

fn clock(slot: u64) -> Vec<u8> {
    [slot, 0, 0, 0, 1_700_000_000].iter().flat_map(|n| n.to_le_bytes()).collect()
}

fn account(data: &[u8], owner: &Pubkey) -> Value {
    json!({
        "lamports": 1, "data": [BASE64_STANDARD.encode(data), "base64"],
        "owner": owner.to_string(), "executable": false, "rentEpoch": 0, "space": data.len(),
    })
}

/// A keyed account as JSON text, formatted directly for speed.
fn keyed(n: u64, data: &[u8]) -> String {
    format!(
        r#"{{"pubkey":"{}","account":{{"lamports":1,"data":["{}","base64"],"owner":"{PROGRAM_ID}","executable":false,"rentEpoch":0,"space":{}}}}}"#,
        address(n),
        BASE64_STANDARD.encode(data),
        data.len()
    )
}

async fn snapshot(stream: TcpStream, id: &Value, state: &State) -> Result<()> {
    let mut out = BufWriter::with_capacity(1 << 16, stream);
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n";
    out.write_all(head.as_bytes()).await?;
    let slot = state.slot();
    let start = format!(
        r#"{{"jsonrpc":"2.0","result":{{"context":{{"apiVersion":"3.1.0","slot":{slot}}},"value":["#
    );
    out.write_all(start.as_bytes()).await?;
    for n in 0..state.accounts {
        if n > 0 {
            out.write_all(b",").await?;
        }
        out.write_all(keyed(n, &record(n, 0, 0)?).as_bytes()).await?;
    }
    out.write_all(format!(r#"]}},"id":{id}}}"#).as_bytes()).await?;
    out.flush().await?;
    out.shutdown().await?;
    Ok(())
}

/// The subscriptions of one socket.
#[derive(Default)]
struct Subscribed {
    slots: bool,
    roots: bool,
    program: bool,
}

const SLOTS: u64 = 1;
const ROOTS: u64 = 2;
const PROGRAM: u64 = 3;
const OTHERS: u64 = 4;

async fn serve_websocket(
    stream: TcpStream,
    state: State,
    mut offered: watch::Receiver<Offer>,
) -> Result<()> {
    stream.set_nodelay(true)?;
    let socket = tokio_tungstenite::accept_async(stream).await?;
    let (mut out, mut requests) = socket.split();
    let mut subscribed = Subscribed::default();
    let mut slots = tokio::time::interval(SLOT_INTERVAL);
    let mut pace = tokio::time::interval(Duration::from_millis(2));
    pace.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    let (mut begun, mut sent): (Option<Instant>, u64) = (None, 0);
    loop {
        tokio::select! {
            request = requests.next() => match request {
                Some(Ok(Message::Text(text))) => {
                    let call: Value = serde_json::from_str(&text)?;
                    let number = match call["method"].as_str() {
                        Some("slotSubscribe") => { subscribed.slots = true; SLOTS }
                        Some("rootSubscribe") => { subscribed.roots = true; ROOTS }
                        Some("programSubscribe") => { subscribed.program = true; PROGRAM }
                        _ => OTHERS,
                    };
                    let answer = json!({"jsonrpc": "2.0", "result": number, "id": call["id"]});
                    out.send(Message::text(answer.to_string())).await?;
                }
                Some(Ok(Message::Ping(data))) => out.send(Message::Pong(data)).await?,
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Ok(()),
            },
            _ = slots.tick() => {
                let slot = state.slot();
                if subscribed.slots {
                    let result = json!({"parent": slot - 1, "root": slot - ROOT_DISTANCE, "slot": slot});
                    out.send(note("slot", SLOTS, &result)).await?;
                }
                if subscribed.roots {
                    out.send(note("root", ROOTS, &json!(slot - ROOT_DISTANCE))).await?;
                }
            }
            _ = offered.changed() => begun = Some(Instant::now()),
            _ = pace.tick(), if begun.is_some() && subscribed.program => {
                let Offer { rate, count } = *offered.borrow();
                let millis = begun.map_or(0, |b| b.elapsed().as_micros());
                let due = u128::from(rate) * millis / 1_000_000;
                let due = u64::try_from(due).unwrap_or(u64::MAX).min(count);
                while sent < due {
                    out.feed(Message::text(change(&state, sent)?)).await?;
                    sent += 1;
                }
                out.flush().await?;
                state.sent.store(sent, Ordering::Relaxed);
            }
        }
    }
}

fn note(what: &str, subscription: u64, result: &Value) -> Message {
    let params = json!({"result": result, "subscription": subscription});
    let note = json!({
        "jsonrpc": "2.0", "method": format!("{what}Notification"), "params": params,
    });
    Message::text(note.to_string())
}

/// The `number`th change, of a pseudo-random record, stamped with the current time.
fn change(state: &State, number: u64) -> Result<String> {
    let n = scattered(number) % state.accounts;
    let stamp = u64::try_from(state.start.elapsed().as_micros())?;
    let value = keyed(n, &record(n, number + 1, stamp)?);
    let slot = state.slot();
    Ok(format!(
        r#"{{"jsonrpc":"2.0","method":"programNotification","params":{{"result":{{"context":{{"slot":{slot}}},"value":{value}}},"subscription":{PROGRAM}}}}}"#
    ))
}
