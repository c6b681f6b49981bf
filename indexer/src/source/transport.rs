//! JSON-RPC over HTTP: waits for the node's rate limiter, bounds answers in time and size, and
//! classifies refusals as [`RpcFault`]. The typed calls are in `rpc`.
use std::{
    error::Error,
    time::{Duration, SystemTime},
};

use reqwest::{
    Client, Response,
    header::{CONTENT_TYPE, RETRY_AFTER},
    redirect::Policy,
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::{
    Endpoint, SourceConfig,
    fault::{JsonRpcError, RpcFault},
    rate_limiter::{Permit, RateLimiter, retry_after},
};
use crate::ops::redact::shown;

/// Most bytes of an answer that is read into memory.
const MAX_ANSWER_BYTES: usize = 64 << 20;
/// Most bytes read of a refusal: enough for its message.
const MAX_REFUSAL_BYTES: usize = 16 << 10;
/// How long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest rate-limit pause that a call waits out silently; a longer one is returned as an error.
pub(super) const MAX_SHORT_PAUSE: Duration = Duration::from_secs(5);
/// Attempts of one call around such pauses.
pub(super) const MAX_TRIES: u32 = 4;

/// A fault and the node's message.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    pub(super) fault: RpcFault,
    pub(super) detail: String,
}

impl Failure {
    pub(super) fn new(fault: RpcFault, detail: impl Into<String>) -> Self {
        Self { fault, detail: detail.into() }
    }

    /// The failure for an error object.
    pub(super) fn of(error: &JsonRpcError) -> Self {
        let fault = RpcFault::of_code(error.code, &error.message);
        Self::new(fault, format!("{} (code {})", error.message, error.code))
    }

    fn limited(wait: Duration) -> Self {
        let seconds = wait.as_secs_f32().ceil();
        let detail = format!("it allows no more calls for {seconds} s (429)");
        Self::new(RpcFault::Limited { retry_after: wait }, detail)
    }
}

/// The HTTP side of one node.
pub(super) struct Transport {
    client: Client,
    url: String,
    pub(super) limiter: RateLimiter,
    timeout: Duration,
}

impl std::fmt::Debug for Transport {
    /// Without the access key that the address may hold.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Transport").field("url", &shown(&self.url)).finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
#[serde(bound = "T: DeserializeOwned")]
struct RpcAnswer<T> {
    result: Option<T>,
    error: Option<JsonRpcError>,
}

impl Transport {
    pub(super) fn new(config: &SourceConfig, endpoint: &Endpoint) -> Self {
        let client = Client::builder()
            .connect_timeout(CONNECT_TIMEOUT.min(config.timeout))
            // A redirect would turn POST into GET and could send the key in the address elsewhere.
            .redirect(Policy::none())
            .user_agent(concat!("control-room/", env!("CARGO_PKG_VERSION")));
        Self {
            // Building fails only where TLS cannot be set up; then every call fails with the reason.
            client: client.build().unwrap_or_default(),
            url: endpoint.rpc_url.clone(),
            limiter: RateLimiter::new(config.requests_per_second, config.backoff_cap),
            timeout: config.timeout,
        }
    }

    /// The result of `method`; [`None`] where it is null.
    pub(super) async fn call<T: DeserializeOwned>(
        &self,
        method: &str,
        params: &Value,
    ) -> Result<Option<T>, Failure> {
        let mut tries = 1;
        loop {
            match self.call_once(method, params).await {
                Err(Failure { fault: RpcFault::Limited { retry_after }, .. })
                    if retry_after <= MAX_SHORT_PAUSE && tries < MAX_TRIES =>
                {
                    tries += 1;
                }
                done => return done,
            }
        }
    }

    async fn call_once<T: DeserializeOwned>(
        &self,
        method: &str,
        params: &Value,
    ) -> Result<Option<T>, Failure> {
        let whole = async {
            let (mut response, permit) = self.open(method, params, self.timeout).await?;
            let body = body(&mut response, MAX_ANSWER_BYTES).await?;
            let answer: RpcAnswer<T> = serde_json::from_slice(&body)
                .map_err(|e| Failure::new(RpcFault::Garbled, format!("cannot be read: {e}")))?;
            match answer.error {
                Some(error) => Err(self.refused(permit, &error)),
                None => {
                    self.limiter.answered(permit);
                    Ok(answer.result)
                }
            }
        };
        // Twice the timeout: once for the rate limiter, once for the answer.
        let whole = tokio::time::timeout(self.timeout.saturating_mul(2), whole);
        whole.await.unwrap_or_else(|_| Err(too_late()))
    }

    /// The failure for `error`; "too many calls" also pauses the rate limiter.
    pub(super) fn refused(&self, permit: Permit, error: &JsonRpcError) -> Failure {
        let failure = Failure::of(error);
        if let RpcFault::Limited { .. } = failure.fault {
            return Failure::limited(self.limiter.limited(permit, None));
        }
        self.limiter.answered(permit);
        failure
    }

    /// Sends the call and waits up to `first` for the head of a successful answer.
    pub(super) async fn open(
        &self,
        method: &str,
        params: &Value,
        first: Duration,
    ) -> Result<(Response, Permit), Failure> {
        let permit = self.limiter.acquire(self.timeout).await.map_err(Failure::limited)?;
        let request = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        let request = self
            .client
            .post(&self.url)
            .header(CONTENT_TYPE, "application/json")
            .body(request.to_string());
        let sent = tokio::time::timeout(first, request.send());
        let mut response = sent.await.map_err(|_| too_late())?.map_err(unsent)?;
        let status = response.status();
        if status.is_success() {
            return Ok((response, permit));
        }
        let asked = response.headers().get(RETRY_AFTER).and_then(|v| v.to_str().ok());
        let asked = asked.and_then(|v| retry_after(v, SystemTime::now()));
        let words =
            tokio::time::timeout(self.timeout, body(&mut response, MAX_REFUSAL_BYTES)).await;
        let words = words.ok().and_then(Result::ok).unwrap_or_default();
        let words = String::from_utf8_lossy(&words);
        let fault = RpcFault::of_status(status.as_u16(), &words);
        if let RpcFault::Limited { .. } = fault {
            return Err(Failure::limited(self.limiter.limited(permit, asked)));
        }
        self.limiter.answered(permit);
        let status = status.as_u16();
        let detail = match super::fault::error_in(&words) {
            Some(error) => format!("{} (code {}, HTTP {status})", error.message, error.code),
            None if (300..400).contains(&status) => {
                format!("it sends calls to another address (HTTP {status}); use that one")
            }
            None => format!("it answers with HTTP {status}"),
        };
        Err(Failure::new(fault, detail))
    }
}

pub(super) fn too_late() -> Failure {
    Failure::new(RpcFault::Timeout, "it took too long")
}

/// The failure for a connection error, without the address, which may hold a key.
fn unsent(e: reqwest::Error) -> Failure {
    let e = e.without_url();
    if e.is_timeout() {
        return too_late();
    }
    let mut detail = if e.is_connect() { "no connection".to_owned() } else { e.to_string() };
    let mut cause = e.source();
    while let Some(inner) = cause {
        // Only the innermost cause is informative.
        cause = inner.source();
        if cause.is_none() {
            detail = format!("{detail}: {inner}");
        }
    }
    Failure::new(RpcFault::Connect, detail)
}

/// The failure for a body that broke off.
pub(super) fn broken_off(e: reqwest::Error) -> Failure {
    let mut failure = unsent(e);
    if failure.fault != RpcFault::Timeout {
        failure.fault = RpcFault::Cut;
    }
    failure
}

async fn body(response: &mut Response, most: usize) -> Result<Vec<u8>, Failure> {
    let mut out = vec![];
    while let Some(part) = response.chunk().await.map_err(broken_off)? {
        if out.len().saturating_add(part.len()) > most {
            let detail = format!("its answer is longer than {most} bytes");
            return Err(Failure::new(RpcFault::TooLarge, detail));
        }
        out.extend_from_slice(&part);
    }
    Ok(out)
}
