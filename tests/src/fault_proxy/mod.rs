//! A faulty node: serves JSON-RPC over HTTP on a loopback port, forwards each call to the real
//! chain, and changes answers by rules. FaultRules count calls and read no clock, so every run of a case
//! is the same.
mod change;
mod rule;
mod transaction;

use std::{convert::Infallible, sync::Arc};

use http_body_util::{BodyExt, Full};
use hyper::{
    Request, Response,
    body::{Bytes, Incoming},
    header::CONTENT_TYPE,
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::{net::TcpListener, runtime::Runtime};

pub use change::Change;
use rule::FaultRules;
pub use rule::Rule;

const JSON: &str = "application/json";

/// The proxy. It stops when it is dropped.
pub struct FaultProxy {
    url: String,
    node: Arc<Node>,
    // Dropping the runtime ends the serving tasks.
    _runtime: Runtime,
}

struct Node {
    client: reqwest::Client,
    url: String,
    rules: FaultRules,
}

impl FaultProxy {
    /// Serves the chain at `url`, with the faults that `rules` describe.
    pub fn start(url: &str, rules: Vec<Rule>) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let node = Arc::new(Node {
            client: reqwest::Client::new(),
            url: url.to_owned(),
            rules: FaultRules::new(rules),
        });
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("a port"));
        runtime.spawn(serve(listener, Arc::clone(&node)));
        Self { url, node, _runtime: runtime }
    }

    /// The proxy's URL.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Signatures of the transactions that clients sent, each once, in their order.
    pub fn sent(&self) -> Vec<String> {
        self.node.rules.sent()
    }

    /// FaultRules that changed no answer although they should have. Without its fault a case proves
    /// nothing.
    pub fn unused(&self) -> Vec<Rule> {
        self.node.rules.unused()
    }
}

async fn serve(listener: TcpListener, node: Arc<Node>) {
    while let Ok((stream, _)) = listener.accept().await {
        let node = Arc::clone(&node);
        tokio::spawn(async move {
            let service = service_fn(|request: Request<Incoming>| answer(&node, request));
            // A client that closes the connection early is no fault of the proxy.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn answer(
    node: &Node,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let body = match request.into_body().collect().await {
        Ok(body) => body.to_bytes(),
        // The client closed the connection: nobody reads the answer.
        Err(_) => Bytes::new(),
    };
    let (status, body) = match node.answer(&body).await {
        Ok(body) => (200, body),
        Err(reason) => (502, reason),
    };
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status.try_into().expect("a status");
    response.headers_mut().insert(CONTENT_TYPE, JSON.try_into().expect("a header"));
    Ok(response)
}

impl Node {
    async fn answer(&self, body: &[u8]) -> Result<String, String> {
        let request: Value = serde_json::from_slice(body).map_err(|e| e.to_string())?;
        let call = self.rules.call(&request);
        let mut answer = match call.instead() {
            Some(answer) => answer,
            None => self.forward(call.forwarded()).await.map_err(|e| e.to_string())?,
        };
        call.change(&mut answer);
        Ok(change::text(&answer))
    }

    async fn forward(&self, request: &Value) -> Result<Value, Box<dyn std::error::Error>> {
        let post = self.client.post(&self.url).header(CONTENT_TYPE.as_str(), JSON);
        let body = post.body(request.to_string()).send().await?.bytes().await?;
        Ok(serde_json::from_slice(&body)?)
    }
}
