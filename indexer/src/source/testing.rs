//! A node for the tests of this module: answers each call as a test's function says.
use std::sync::{Arc, Mutex};

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use solana_pubkey::Pubkey;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use super::{Endpoint, SourceConfig, rpc::Rpc};

/// How the node answers one call.
#[derive(Clone, Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: String,
    pub body: Vec<u8>,
    /// Bytes after which the connection breaks.
    pub cut: Option<usize>,
}

impl Reply {
    pub fn result(result: &Value) -> Self {
        Self::raw(json!({"jsonrpc": "2.0", "result": result, "id": 1}).to_string())
    }

    pub fn error(code: i64, message: &str) -> Self {
        let error = json!({"code": code, "message": message});
        Self::raw(json!({"jsonrpc": "2.0", "error": error, "id": 1}).to_string())
    }

    pub fn raw(body: impl Into<Vec<u8>>) -> Self {
        Self { status: 200, headers: String::new(), body: body.into(), cut: None }
    }

    pub fn status(status: u16, headers: &str) -> Self {
        Self { status, headers: headers.to_owned(), body: b"<html>".to_vec(), cut: None }
    }
}

/// The node.
pub struct FakeNode {
    pub url: String,
    /// Every call: method and parameters.
    pub calls: Arc<Mutex<Vec<(String, Value)>>>,
}

impl FakeNode {
    pub async fn start(answer: impl Fn(&str, &Value) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let calls = Arc::new(Mutex::new(vec![]));
        let (answer, told) = (Arc::new(answer), Arc::clone(&calls));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (answer, told) = (Arc::clone(&answer), Arc::clone(&told));
                tokio::spawn(async move { serve(stream, &*answer, &told).await });
            }
        });
        Self { url, calls }
    }

    pub fn config(&self) -> SourceConfig {
        SourceConfig::new(self.url.clone(), "ws://127.0.0.1:1".into(), upgrade_manager::ID)
    }

    pub fn rpc(&self) -> Rpc {
        let endpoint = Endpoint { rpc_url: self.url.clone(), ws_url: String::new() };
        Rpc::at(&self.config(), &endpoint)
    }

    pub fn methods(&self) -> Vec<String> {
        self.calls.lock().unwrap().iter().map(|(method, _)| method.clone()).collect()
    }
}

async fn serve(
    mut stream: TcpStream,
    answer: &(impl Fn(&str, &Value) -> Reply + Send + Sync),
    told: &Mutex<Vec<(String, Value)>>,
) {
    stream.set_nodelay(true).unwrap();
    let mut buffer = vec![];
    while let Some(request) = request(&mut stream, &mut buffer).await {
        let method = request["method"].as_str().unwrap().to_owned();
        told.lock().unwrap().push((method.clone(), request["params"].clone()));
        let Reply { status, headers, body, cut } = answer(&method, &request["params"]);
        let head =
            format!("HTTP/1.1 {status} x\r\n{headers}content-length: {}\r\n\r\n", body.len());
        let sent = &body[..cut.unwrap_or(body.len()).min(body.len())];
        if stream.write_all(head.as_bytes()).await.is_err()
            || stream.write_all(sent).await.is_err()
            || cut.is_some()
        {
            return;
        }
    }
}

async fn request(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<Value> {
    loop {
        if let Some(end) = buffer.windows(4).position(|w| w == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&buffer[..end]).to_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
            let length: usize = length.unwrap().trim().parse().unwrap();
            let whole = end + 4 + length;
            if buffer.len() >= whole {
                let request = serde_json::from_slice(&buffer[end + 4..whole]).unwrap();
                buffer.drain(..whole);
                return Some(request);
            }
        }
        let mut part = [0; 4096];
        let n = stream.read(&mut part).await.ok().filter(|n| *n > 0)?;
        buffer.extend_from_slice(&part[..n]);
    }
}

/// An address that is as good as random, and always the same for `n`.
pub fn address(n: u32) -> Pubkey {
    use sha2::{Digest, Sha256};
    Pubkey::new_from_array(Sha256::digest(n.to_le_bytes()).into())
}

/// An account in a list, as the node sends it.
pub fn keyed(pubkey: &Pubkey, data: &[u8]) -> Value {
    json!({"pubkey": pubkey.to_string(), "account": account(&upgrade_manager::ID, data)})
}

pub fn account(owner: &Pubkey, data: &[u8]) -> Value {
    json!({
        "lamports": 5, "data": [BASE64_STANDARD.encode(data), "base64"], "owner": owner.to_string(),
        "executable": false, "rentEpoch": u64::MAX, "space": data.len(),
    })
}

/// The answer to `getProgramAccounts`.
pub fn listing(slot: u64, accounts: &[Value]) -> Value {
    json!({"context": {"apiVersion": "3.1.0", "slot": slot}, "value": accounts})
}
