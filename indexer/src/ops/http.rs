//! The HTTP probe: `/healthz`, `/readyz` and `/metrics`, read-only. It answers from memory, never asks
//! node or store, and shows no secret. Requests are bounded in number, size and time, so that no client
//! can slow the mirror down.
use std::{
    convert::Infallible, future::Future, io, net::SocketAddr, sync::Arc, time::Duration,
    time::Instant,
};

use http_body_util::Full;
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Bytes, Incoming},
    header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue, X_CONTENT_TYPE_OPTIONS},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::{Value, json};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
    task::JoinSet,
};

use crate::ops::{
    health::{Conn, Health, Limits, Reason},
    metrics::{self, Metrics},
};

/// Default address of the probe.
pub const DEFAULT_ADDRESS: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 9464);

/// Most concurrent connections; further ones wait in the system's queue.
const MAX_CONNECTIONS: usize = 32;
/// How long the head of a request may take.
const HEAD_TIMEOUT: Duration = Duration::from_secs(3);
/// How long a whole connection may take.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(10);
/// Most bytes of a request's head; hyper's minimum.
const MAX_HEAD_BYTES: usize = 8_192;
/// Most headers of a request.
const MAX_HEADERS: usize = 64;
/// Wait after a failed accept, for example without free file descriptors.
const ACCEPT_RETRY_INTERVAL: Duration = Duration::from_millis(100);

/// The served values.
#[derive(Clone, Debug)]
pub struct Probe {
    /// The mirror's health.
    pub health: watch::Receiver<Health>,
    /// Its metrics.
    pub metrics: Metrics,
    /// Thresholds of the health.
    pub limits: Limits,
}

impl Probe {
    /// The current health. A dropped sender means that the mirror has ended.
    fn now(&self) -> Health {
        let mut health = self.health.borrow().clone();
        if self.health.has_changed().is_err() {
            health.reasons.insert(Reason::Stopped);
        }
        health.judged(Instant::now(), &self.limits)
    }
}

/// A running server. Dropping it stops it.
#[derive(Debug)]
pub struct Serving {
    /// Its address.
    pub at: SocketAddr,
    // Aborts the server when dropped.
    _task: JoinSet<()>,
}

/// Listens at `at` and answers `GET` and `HEAD` of `/healthz`, `/readyz` and `/metrics`.
///
/// # Errors
/// When the address cannot be bound, for example because another process listens there.
pub async fn start(at: SocketAddr, probe: Probe) -> io::Result<Serving> {
    let listener = TcpListener::bind(at).await?;
    let at = listener.local_addr()?;
    let mut task = JoinSet::new();
    task.spawn(accept(listener, probe));
    Ok(Serving { at, _task: task })
}

async fn accept(listener: TcpListener, probe: Probe) {
    let room = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    // Open connections end with the server.
    let mut open = JoinSet::new();
    // Always succeeds: the semaphore is never closed.
    while let Ok(permit) = Arc::clone(&room).acquire_owned().await {
        while open.try_join_next().is_some() {}
        match listener.accept().await {
            Ok((stream, _)) => {
                let probe = probe.clone();
                open.spawn(async move {
                    // Errors and timeouts of a client are ignored.
                    let _ = tokio::time::timeout(CONNECTION_TIMEOUT, talk(stream, probe)).await;
                    drop(permit);
                });
            }
            Err(_) => tokio::time::sleep(ACCEPT_RETRY_INTERVAL).await,
        }
    }
}

fn talk(stream: TcpStream, probe: Probe) -> impl Future<Output = hyper::Result<()>> {
    let service = service_fn(move |request: Request<Incoming>| {
        let answer = answer(&request, &probe);
        async move { Ok::<_, Infallible>(answer) }
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .keep_alive(false)
        .max_buf_size(MAX_HEAD_BYTES)
        .max_headers(MAX_HEADERS)
        .serve_connection(TokioIo::new(stream), service)
}

const JSON_TYPE: HeaderValue = HeaderValue::from_static("application/json");
const TEXT_TYPE: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const METRICS_TYPE: HeaderValue = HeaderValue::from_static(metrics::CONTENT_TYPE);

fn answer<B>(request: &Request<B>, probe: &Probe) -> Response<Full<Bytes>> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut refused =
            reply(StatusCode::METHOD_NOT_ALLOWED, TEXT_TYPE, "Only GET and HEAD are answered.\n");
        refused.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return refused;
    }
    let status = |good| if good { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    match request.uri().path() {
        "/healthz" => {
            let health = probe.now();
            reply(status(health.is_healthy()), JSON_TYPE, body(&health))
        }
        "/readyz" => {
            let health = probe.now();
            reply(status(health.is_ready()), JSON_TYPE, body(&health))
        }
        "/metrics" => {
            probe.metrics.health(&probe.now());
            reply(StatusCode::OK, METRICS_TYPE, probe.metrics.encode())
        }
        _ => reply(StatusCode::NOT_FOUND, TEXT_TYPE, "Here are /healthz, /readyz and /metrics.\n"),
    }
}

fn reply(status: StatusCode, kind: HeaderValue, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, kind);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// Health as JSON, without the error text, which may quote a node.
fn body(health: &Health) -> String {
    let value = json!({
        "healthy": health.is_healthy(),
        "ready": health.is_ready(),
        "state": state(&health.conn),
        "reasons": reasons(health),
        "lag_slots": health.lag(),
        "slot": health.slot,
        "confirmed": health.confirmed,
        "root": health.root,
        "frontier": health.frontier,
        "snapshot": health.snapshot,
        "last_frame_age_seconds":
            health.last_frame_age(Instant::now()).map(|age| age.as_secs_f64()),
    });
    format!("{value}\n")
}

/// The reasons with their sentences, as JSON.
#[must_use]
pub fn reasons(health: &Health) -> Value {
    health.reasons.iter().map(|r| json!({"name": r.name(), "what": r.sentence()})).collect()
}

/// The connection in one word.
#[must_use]
pub fn state(conn: &Conn) -> &'static str {
    match conn {
        Conn::Connecting => "Connecting",
        Conn::Live => "Live",
        Conn::Following { .. } => "Following",
        Conn::Reconnecting { .. } => "Reconnecting",
        Conn::Stopped { .. } => "Stopped",
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    fn healthy() -> Health {
        Health {
            conn: Conn::Live,
            reasons: [].into(),
            slot: 120,
            root: 88,
            frontier: 88,
            confirmed: 119,
            snapshot: Some(90),
            last_frame: Some(Instant::now()),
            error: Some("the node said https://node.example/?key=hunter2".into()),
            ..Health::default()
        }
    }

    /// Longer than any timeout of the server: reached only if it hangs.
    const HANG_TIMEOUT: Duration = Duration::from_secs(120);

    struct Site {
        serving: Serving,
        health: watch::Sender<Health>,
    }

    async fn site() -> Site {
        let (health, receiver) = watch::channel(healthy());
        let probe = Probe { health: receiver, metrics: Metrics::new(), limits: Limits::default() };
        let serving = start(SocketAddr::new(DEFAULT_ADDRESS.ip(), 0), probe).await.unwrap();
        Site { serving, health }
    }

    impl Site {
        /// Sends `bytes` unchanged and returns everything until the server closes.
        async fn send(&self, bytes: &[u8]) -> String {
            let mut stream = TcpStream::connect(self.serving.at).await.unwrap();
            // Ignored: the server may close before it has read everything.
            let _ = stream.write_all(bytes).await;
            let mut back = Vec::new();
            let reading = stream.read_to_end(&mut back);
            let read = tokio::time::timeout(HANG_TIMEOUT, reading).await;
            assert!(read.is_ok(), "the server held the connection open");
            String::from_utf8_lossy(&back).into_owned()
        }

        /// Status and body of `GET path`.
        async fn get(&self, path: &str) -> (u16, String) {
            let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n");
            split(&self.send(request.as_bytes()).await)
        }
    }

    fn split(answer: &str) -> (u16, String) {
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }

    #[tokio::test]
    async fn healthz_returns_numbers_and_no_error_text() {
        let site = site().await;
        let (status, text) = site.get("/healthz").await;
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(
            (status, &value["healthy"], &value["lag_slots"]),
            (200, &true.into(), &1.into())
        );
        assert_eq!((&value["root"], &value["frontier"]), (&88.into(), &88.into()));
        assert!(value["last_frame_age_seconds"].is_number() && !text.contains("hunter2"));
    }

    #[tokio::test]
    async fn a_reason_makes_healthz_503_but_not_readyz() {
        let site = site().await;
        site.health.send_modify(|h| _ = h.set(Reason::Drift, true));
        let (status, text) = site.get("/healthz").await;
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!((status, &value["reasons"][0]["name"]), (503, &"Drift".into()));
        assert_eq!(site.get("/readyz").await.0, 200);
        site.health.send_modify(|h| h.snapshot = None);
        assert_eq!(site.get("/readyz").await.0, 503);
    }

    #[tokio::test]
    async fn an_ended_mirror_is_not_healthy_although_its_last_value_was() {
        let Site { serving, health } = site().await;
        drop(health);
        let site = Site { serving, health: watch::channel(healthy()).0 };
        let (status, text) = site.get("/healthz").await;
        assert!(status == 503 && text.contains("Stopped"), "{text}");
    }

    #[tokio::test]
    async fn metrics_agree_with_health() {
        let site = site().await;
        let (status, text) = site.get("/metrics?x=y").await;
        assert_eq!(status, 200);
        assert!(text.contains("control_room_slot_seen 120\n") && text.ends_with("# EOF\n"));
        assert!(text.contains("control_room_frontier_lag_slots 1\n"), "{text}");
    }

    #[tokio::test]
    async fn other_paths_and_methods_are_refused() {
        let site = site().await;
        for path in ["/", "/healthz/", "//metrics", "/../metrics", "/%68ealthz", "/favicon.ico"] {
            assert_eq!(site.get(path).await.0, 404, "{path}");
        }
        for method in ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "CONNECT", "BREW"] {
            let request = format!("{method} /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
            let status = split(&site.send(request.as_bytes()).await).0;
            assert!(status == 405 || status == 400, "{method}: {status}");
        }
        let head = site.send(b"HEAD /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await;
        assert_eq!(split(&head), (200, String::new()), "a head has no body");
    }

    #[tokio::test]
    async fn hostile_requests_do_not_stop_the_server() {
        let site = site().await;
        let long = format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(100_000));
        let fields: String = (0..500).map(|n| format!("X-{n}: y\r\n")).collect();
        let many = format!("GET /healthz HTTP/1.1\r\n{fields}\r\n");
        let fat = format!("GET /healthz HTTP/1.1\r\nX: {}\r\n\r\n", "b".repeat(100_000));
        let body = "POST /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\nxx";
        let cases: [&[u8]; 9] = [
            b"\0\0\0\0\r\n\r\n",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            b"GET /healthz HTTP/9.9\r\n\r\n",
            b"GET  /healthz\r\n\r\n",
            long.as_bytes(),
            many.as_bytes(),
            fat.as_bytes(),
            body.as_bytes(),
        ];
        for case in cases {
            let answer = site.send(case).await;
            assert!(!answer.starts_with("HTTP/1.1 200"), "{answer}");
            assert_eq!(site.get("/healthz").await.0, 200);
        }
    }

    #[tokio::test]
    async fn a_second_request_hidden_behind_the_first_is_not_answered() {
        let site = site().await;
        let two =
            b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /metrics HTTP/1.1\r\nHost: x\r\n\r\n";
        let answer = site.send(two).await;
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{answer}");
    }

    #[tokio::test]
    async fn idle_clients_do_not_lock_others_out() {
        let site = site().await;
        let mut idle = vec![];
        for _ in 0..MAX_CONNECTIONS * 2 {
            let mut stream = TcpStream::connect(site.serving.at).await.unwrap();
            stream.write_all(b"GET /heal").await.unwrap();
            idle.push(stream);
        }
        // The server times them out and answers this one.
        assert_eq!(site.get("/healthz").await.0, 200);
        drop(idle);
    }

    #[tokio::test]
    async fn a_used_address_is_an_error_and_a_dropped_server_frees_it() {
        let Site { serving, health } = site().await;
        let probe = Probe {
            health: health.subscribe(),
            metrics: Metrics::new(),
            limits: Limits::default(),
        };
        assert!(start(serving.at, probe.clone()).await.is_err());
        let at = serving.at;
        drop(serving);
        let freed = async {
            while start(at, probe.clone()).await.is_err() {
                tokio::task::yield_now().await;
            }
        };
        assert!(tokio::time::timeout(HANG_TIMEOUT, freed).await.is_ok(), "the address stays taken");
    }
}
