//! A scripted Solana node: real HTTP and websocket on loopback, with faults on command. The settings are
//! in `state.rs`.
mod answers;
mod http;
mod listing;
mod script;
mod socket;
mod state;
mod wire;

use std::{
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use indexer::SourceConfig;
use serde_json::{Value, json};
use solana_pubkey::Pubkey;
use tokio::net::{TcpListener, TcpStream};

use self::socket::{Push, Topic};
use super::fixtures::PROGRAM_ID;

#[allow(unused_imports, reason = "what a test may need of the node")]
pub use self::{
    script::crowd,
    state::{Change, Fault, Form, Quirk, State, What},
    wire::{Tx, emitted},
};

/// The node.
#[derive(Clone)]
pub struct FakeSolana {
    pub http: String,
    pub ws: String,
    state: Arc<Mutex<State>>,
}

impl FakeSolana {
    pub async fn start() -> Self {
        let http = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let ws = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let fake = Self {
            http: format!("http://{}", http.local_addr().unwrap()),
            ws: format!("ws://{}", ws.local_addr().unwrap()),
            state: Arc::default(),
        };
        let (a, b, c) = (fake.clone(), fake.clone(), fake.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = http.accept().await {
                // Answers are written in several parts; with Nagle's algorithm each would wait for an
                // acknowledgement.
                stream.set_nodelay(true).unwrap();
                tokio::spawn(a.clone().serve_http(stream));
            }
        });
        tokio::spawn(async move {
            while let Ok((stream, _)) = ws.accept().await {
                tokio::spawn(socket::serve(b.clone(), stream));
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
            // High enough that the rate limiter never delays a test.
            requests_per_second: 1_000,
            ..SourceConfig::new(self.http.clone(), self.ws.clone(), PROGRAM_ID)
        }
    }

    /// Fails the next `times` requests of `method` with `what`; `u32::MAX` is always.
    pub fn fail(&self, method: &'static str, times: u32, what: What) {
        self.state().faults.push(Fault { method, times, what, only: |_| true });
    }

    /// Advances slot and root by one.
    pub fn tick(&self) {
        let mut state = self.state();
        let (slot, depth) = (state.slot + 1, state.depth);
        (state.slot, state.unix) = (slot, state.unix + 1);
        let final_now = slot.saturating_sub(depth).max(state.finalized);
        let rooted = state.finalized < final_now;
        state.finalized = final_now;
        if state.heartbeat {
            let info = json!({"slot": slot, "parent": slot - 1, "root": final_now});
            state.push(&Push::told(Topic::Slots, &info));
        }
        if rooted && state.roots && state.heartbeat {
            state.push(&Push::told(Topic::Roots, &json!(final_now)));
        }
    }

    /// Changes an account and notifies subscribers, unless `notifies` is off.
    pub fn set(&self, pubkey: Pubkey, data: Vec<u8>) {
        let mut state = self.state();
        let slot = state.surfnet.unwrap_or(state.slot);
        let change = Change { slot: state.slot, pubkey, data: Some(data.clone()) };
        state.changes.push(change);
        state.accounts.insert(pubkey, (PROGRAM_ID, data.clone()));
        if state.notifies {
            let account = wire::account(state.form, &PROGRAM_ID, &data);
            state.push(&Push::told(Topic::Account(pubkey), &wire::at(slot, &account)));
            let keyed = json!({"pubkey": pubkey.to_string(), "account": account});
            state.push(&Push::told(Topic::Program, &wire::at(slot, &keyed)));
        }
    }

    /// Notifies the program's subscribers of an account that the node need not hold.
    pub fn notify(&self, pubkey: Pubkey, slot: u64, owner: Pubkey, data: &[u8]) {
        let account = wire::account(self.state().form, &owner, data);
        let value = json!({"pubkey": pubkey.to_string(), "account": account});
        self.state().push(&Push::told(Topic::Program, &wire::at(slot, &value)));
    }

    /// Closes an account and notifies only its `accountSubscribe` subscribers.
    pub fn close_account(&self, pubkey: &Pubkey) {
        let mut state = self.state();
        let slot = state.slot;
        state.changes.push(Change { slot, pubkey: *pubkey, data: None });
        state.accounts.remove(pubkey);
        if state.notifies {
            state.push(&Push::told(Topic::Account(*pubkey), &wire::at(slot, &wire::gone())));
        }
    }

    /// Ends every websocket with a close frame.
    pub fn close_sockets(&self, code: u16) {
        self.state().push(&Push::Close(code));
    }

    /// Ends every websocket without a close frame: code 1006.
    pub fn drop_sockets(&self) {
        self.state().push(&Push::Drop);
    }

    /// Sends a malformed message.
    pub fn send_malformed(&self) {
        let text = "{\"method\":\"programNotification\",\"params\":";
        self.state().push(&Push::Raw(text.into()));
    }

    async fn serve_http(self, mut stream: TcpStream) {
        let mut buffer = vec![];
        while let Some(request) = http::request(&mut stream, &mut buffer).await {
            let method = request["method"].as_str().unwrap_or_default().to_owned();
            while method == "getGenesisHash" && self.state().hold {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            if self.reply(&mut stream, &method, &request).await.is_err() {
                return;
            }
        }
    }

    async fn reply(
        &self,
        stream: &mut TcpStream,
        method: &str,
        request: &Value,
    ) -> std::io::Result<()> {
        let (id, params) = (&request["id"], &request["params"]);
        let fault = self.state().ask(method, params);
        match fault {
            Some(What::Status(status, retry)) => return http::refuse(stream, status, retry).await,
            Some(What::Mute) => std::future::pending().await,
            Some(What::HangUp) => return Err(std::io::ErrorKind::ConnectionAborted.into()),
            Some(What::Code(code, message)) => {
                return http::respond(stream, &wire::error(id, code, message)).await;
            }
            Some(What::Cut { .. }) | None => {}
        }
        if let Some(listing) = listing::asked(self, method, params) {
            let delay = self.state().snapshot_delay;
            tokio::time::sleep(delay).await;
            match listing {
                Ok(listing) => return listing.send(self, stream, id, fault).await,
                Err(What::Code(code, message)) => {
                    return http::respond(stream, &wire::error(id, code, message)).await;
                }
                Err(What::Status(status, retry)) => {
                    return http::refuse(stream, status, retry).await;
                }
                Err(_) => std::future::pending().await,
            }
        }
        let answer = answers::answer(&mut self.state(), method, params);
        let body = match answer {
            Ok(result) => json!({"jsonrpc": "2.0", "id": id, "result": result}).to_string(),
            Err((code, message)) => wire::error(id, code, message),
        };
        http::respond(stream, &body).await
    }
}
