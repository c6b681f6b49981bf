//! One attempt to send a message. Follows no redirects, reads only the part of an answer that it shows,
//! and never shows the address or the secret.
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use reqwest::{Client, Response, StatusCode, header, redirect::Policy};

use super::{
    hook::{Hook, Target},
    message::WebhookMessage,
};
use crate::{ops::redact::scrubbed, source::rate_limiter::retry_after};

/// How long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the whole request may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(15);
/// Most bytes read of an answer.
const MAX_ANSWER_BYTES: usize = 2_048;

/// The header with the kind.
pub const EVENT: &str = "X-Control-Room-Event";
/// The header with the announcement's id.
pub const ID: &str = "X-Control-Room-Id";
/// The header with the time of sending, seconds since 1970 by this machine's clock.
pub const TIMESTAMP: &str = "X-Control-Room-Timestamp";
/// The header with the signature over timestamp and body.
pub const SIGNATURE: &str = "X-Control-Room-Signature";

/// The result of one attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReceiverAnswer {
    /// The receiver accepted it.
    Taken {
        /// HTTP status.
        status: u16,
    },
    /// A later attempt may succeed.
    Again {
        /// The error, as a sentence.
        error: String,
        /// The receiver's `Retry-After`.
        wait: Option<Duration>,
    },
    /// No attempt will succeed.
    Refused {
        /// The error, as a sentence.
        error: String,
    },
}

/// A client for `target`.
///
/// # Errors
/// The system's error, as a sentence.
pub fn client(target: &Target) -> Result<Client, String> {
    let mut builder = Client::builder()
        .user_agent(concat!("control-room/", env!("CARGO_PKG_VERSION")))
        .redirect(Policy::none())
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(ANSWER_TIMEOUT)
        .https_only(!target.is_local())
        // No decompression: a small answer must not expand into a large one.
        .no_gzip()
        .no_brotli()
        .no_deflate()
        .no_zstd()
        // Messages are rare; an idle pooled connection is usually closed by the receiver.
        .pool_max_idle_per_host(0);
    if target.is_local() {
        builder = builder.no_proxy();
    }
    builder.build().map_err(|e| {
        format!(
            "No connection can be prepared for the webhook {}: {}.",
            target.name,
            e.without_url()
        )
    })
}

/// Sends `message` to `hook` once, at `now` by this machine's clock.
pub async fn send(
    client: &Client,
    hook: &Hook,
    message: &WebhookMessage,
    now: SystemTime,
) -> ReceiverAnswer {
    let seconds = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let timestamp = seconds.to_string();
    let sent = client
        .post(hook.target.url().clone())
        .header(header::CONTENT_TYPE, "application/json")
        .header(EVENT, message.kind.name())
        .header(ID, &message.id)
        .header(SIGNATURE, hook.secret.sign(&timestamp, &message.body))
        .header(TIMESTAMP, timestamp)
        .body(message.body.clone())
        .send()
        .await;
    match sent {
        Ok(response) => classify_response(hook, response, now).await,
        Err(e) => {
            let what = if e.is_timeout() { "did not answer in time" } else { "cannot be reached" };
            let error = sentence(hook, what, &causes(e));
            ReceiverAnswer::Again { error, wait: None }
        }
    }
}

async fn classify_response(hook: &Hook, response: Response, now: SystemTime) -> ReceiverAnswer {
    let status = response.status();
    if status.is_success() {
        return ReceiverAnswer::Taken { status: status.as_u16() };
    }
    let wait = response
        .headers()
        .get(header::RETRY_AFTER)
        .and_then(|v| retry_after(v.to_str().ok()?, now));
    let said = format!("answered {status}");
    if status.is_redirection() {
        let hint = "Redirects are not followed: set its url to where it is now";
        return ReceiverAnswer::Refused { error: sentence(hook, &said, hint) };
    }
    let error = sentence(hook, &said, &beginning(response).await);
    let later = matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS);
    if later || status.is_server_error() {
        ReceiverAnswer::Again { error, wait }
    } else {
        ReceiverAnswer::Refused { error }
    }
}

/// The first bytes of an answer, as far as they arrive.
async fn beginning(mut response: Response) -> String {
    let mut bytes = vec![];
    while let Ok(Some(chunk)) = response.chunk().await {
        bytes.extend(chunk.iter().take(MAX_ANSWER_BYTES.saturating_sub(bytes.len())));
        if bytes.len() >= MAX_ANSWER_BYTES {
            break;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A sentence about `hook` with `detail` from the receiver or the system, without address and secret.
fn sentence(hook: &Hook, what: &str, detail: &str) -> String {
    let target = &hook.target;
    let detail = scrubbed(&hook.secret.redact(detail.trim()), target.url().as_str());
    let end = if detail.is_empty() { String::new() } else { format!(": {detail}") };
    format!("The webhook {} at {} {what}{end}.", target.name, target.shown())
}

/// The causes of `error`: reqwest's own text only says that a request failed.
fn causes(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = String::new();
    let mut next = std::error::Error::source(&error);
    while let Some(cause) = next {
        if !text.is_empty() {
            text.push_str(": ");
        }
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    if text.is_empty() { error.to_string() } else { text }
}
