//! A scripted JSON-RPC node, for faults that a real node does not show on demand.
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// What the node does with one request.
#[derive(Clone, Debug)]
pub enum Reply {
    /// A JSON-RPC result.
    Result(Value),
    /// A JSON-RPC error.
    Error(i64, &'static str),
    /// A JSON-RPC error with more than code and message.
    Refusal(Value),
    /// An HTTP status and nothing else.
    Status(u16),
    /// HTTP 429 with a `Retry-After` of so many seconds.
    Busy(u64),
    /// Half an answer, then the connection closes.
    Cut,
    /// No answer at all.
    Hang,
}

type Script = dyn Fn(&str, &Value, usize) -> Reply + Send + Sync;

/// A node on a free port of this machine.
pub struct FakeNode {
    /// The address it listens on.
    pub url: String,
    asked: Arc<Mutex<Vec<(String, Value)>>>,
}

impl FakeNode {
    /// Starts a node; `script` gets the method, its parameters, and how often it was asked before.
    pub async fn start(
        script: impl Fn(&str, &Value, usize) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(vec![]));
        let (script, log): (Arc<Script>, _) = (Arc::new(script), Arc::clone(&asked));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&script), Arc::clone(&log)));
            }
        });
        Self { url, asked }
    }

    /// The parameters of every request for `method`, in order.
    pub fn asked(&self, method: &str) -> Vec<Value> {
        let asked = self.asked.lock().unwrap();
        asked.iter().filter(|(m, _)| m == method).map(|(_, p)| p.clone()).collect()
    }
}

async fn serve(
    mut stream: TcpStream,
    script: Arc<Script>,
    log: Arc<Mutex<Vec<(String, Value)>>>,
) -> Option<()> {
    let body = read_body(&mut stream).await?;
    let request: Value = serde_json::from_slice(&body).ok()?;
    let method = request["method"].as_str()?.to_owned();
    let params = request["params"].clone();
    let before = {
        let mut log = log.lock().unwrap();
        let before = log.iter().filter(|(m, _)| *m == method).count();
        log.push((method.clone(), params.clone()));
        before
    };
    let envelope =
        |key: &str, value: Value| json!({"jsonrpc": "2.0", "id": request["id"], key: value});
    let answer = match script(&method, &params, before) {
        Reply::Result(value) => http(200, &envelope("result", value).to_string()),
        Reply::Error(code, message) => {
            http(200, &envelope("error", json!({"code": code, "message": message})).to_string())
        }
        Reply::Refusal(error) => http(200, &envelope("error", error).to_string()),
        Reply::Status(status) => http(status, ""),
        Reply::Busy(seconds) => {
            let end = format!("\r\nretry-after: {seconds}\r\n\r\n");
            http(429, "").replace("\r\n\r\n", &end)
        }
        Reply::Cut => {
            let whole = http(200, &envelope("result", json!("x".repeat(400))).to_string());
            whole[..whole.len() - 100].to_owned()
        }
        Reply::Hang => {
            tokio::time::sleep(std::time::Duration::from_secs(600)).await;
            return None;
        }
    };
    stream.write_all(answer.as_bytes()).await.ok()?;
    stream.shutdown().await.ok()
}

fn http(status: u16, body: &str) -> String {
    let len = body.len();
    format!(
        "HTTP/1.1 {status} Said\r\ncontent-type: application/json\r\ncontent-length: {len}\r\n\
         connection: close\r\n\r\n{body}"
    )
}

async fn read_body(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut bytes = vec![];
    loop {
        let mut buffer = [0; 4096];
        let n = stream.read(&mut buffer).await.ok()?;
        if n == 0 {
            return None;
        }
        bytes.extend_from_slice(&buffer[..n]);
        let Some(end) = bytes.windows(4).position(|w| w == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
        let len: usize = head
            .lines()
            .find_map(|l| l.strip_prefix("content-length:"))
            .and_then(|l| l.trim().parse().ok())?;
        if bytes.len() >= end + 4 + len {
            return Some(bytes[end + 4..end + 4 + len].to_vec());
        }
    }
}
