//! A scripted webhook receiver on loopback, one request per connection, that records every request.
use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// Its behaviour for one request.
#[derive(Clone, Debug)]
pub enum Reply {
    /// Answers with this status, headers and body.
    With(u16, String, String),
    /// Closes the connection without an answer.
    Cut,
    /// Answers with this status and a body that never ends.
    Endless(u16),
    /// Never answers.
    Hang,
}

impl Reply {
    pub fn status(status: u16) -> Self {
        Self::With(status, String::new(), String::new())
    }
}

#[derive(Clone, Debug)]
pub struct Request {
    pub path: String,
    /// Headers by lower-case name.
    pub headers: HashMap<String, String>,
    pub body: Vec<u8>,
    pub at: std::time::Instant,
}

impl Request {
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

#[derive(Default)]
struct Shared {
    got: Vec<Request>,
    plan: VecDeque<Reply>,
    /// Behaviour after the end of the plan.
    then: Option<Reply>,
    /// Bytes of endless bodies that were sent.
    poured: usize,
}

pub struct Receiver {
    port: u16,
    shared: Arc<Mutex<Shared>>,
    task: JoinHandle<()>,
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Receiver {
    /// Follows `plan`, then answers 200.
    pub async fn start(plan: impl IntoIterator<Item = Reply>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared =
            Arc::new(Mutex::new(Shared { plan: plan.into_iter().collect(), ..Shared::default() }));
        let for_task = Arc::clone(&shared);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&for_task)));
            }
        });
        Self { port, shared, task }
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/services/k3y-k3y-k3y", self.port)
    }

    pub fn got(&self) -> Vec<Request> {
        self.shared.lock().unwrap().got.clone()
    }

    pub fn count(&self) -> usize {
        self.shared.lock().unwrap().got.len()
    }

    pub fn poured(&self) -> usize {
        self.shared.lock().unwrap().poured
    }

    /// Sets the behaviour after the end of the plan.
    pub fn then(&self, reply: Reply) {
        self.shared.lock().unwrap().then = Some(reply);
    }
}

async fn serve(mut stream: TcpStream, shared: Arc<Mutex<Shared>>) {
    let Some(request) = read(&mut stream).await else { return };
    let reply = {
        let mut shared = shared.lock().unwrap();
        shared.got.push(request);
        let then = shared.then.clone();
        shared.plan.pop_front().or(then).unwrap_or_else(|| Reply::status(200))
    };
    match reply {
        Reply::Cut => {}
        Reply::With(status, headers, body) => {
            let len = body.len();
            let text =
                format!("HTTP/1.1 {status} X\r\n{headers}content-length: {len}\r\n\r\n{body}");
            let _ = stream.write_all(text.as_bytes()).await;
        }
        Reply::Endless(status) => {
            let head = format!("HTTP/1.1 {status} X\r\ncontent-length: 1000000000\r\n\r\n");
            let _ = stream.write_all(head.as_bytes()).await;
            let part = [b'x'; 16_384];
            while stream.write_all(&part).await.is_ok() {
                shared.lock().unwrap().poured += part.len();
            }
        }
        Reply::Hang => {
            let _ = tokio::time::timeout(Duration::from_secs(60), stream.read(&mut [0])).await;
        }
    }
}

async fn read(stream: &mut TcpStream) -> Option<Request> {
    let mut buffer = vec![];
    loop {
        if let Some(end) = buffer.windows(4).position(|w| w == b"\r\n\r\n") {
            let head = String::from_utf8(buffer[..end].to_vec()).unwrap();
            let mut lines = head.lines();
            let path = lines.next()?.split(' ').nth(1)?.to_owned();
            let headers: HashMap<String, String> = lines
                .filter_map(|l| l.split_once(": "))
                .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
                .collect();
            let len: usize = headers.get("content-length")?.parse().ok()?;
            if buffer.len() >= end + 4 + len {
                let body = buffer[end + 4..end + 4 + len].to_vec();
                return Some(Request { path, headers, body, at: std::time::Instant::now() });
            }
        }
        let mut chunk = [0; 4096];
        let n = stream.read(&mut chunk).await.ok().filter(|n| *n > 0)?;
        buffer.extend_from_slice(&chunk[..n]);
    }
}
