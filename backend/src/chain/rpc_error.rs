//! Turns errors of the RPC client into sentences for the operator, without access keys.
use solana_client::client_error::{ClientError, ClientErrorKind};
use solana_rpc_client_api::{
    custom_error::{
        JSON_RPC_SERVER_ERROR_MIN_CONTEXT_SLOT_NOT_REACHED, JSON_RPC_SERVER_ERROR_NODE_UNHEALTHY,
    },
    request::RpcError,
};

use crate::{chain::config::ChainClientConfig, error::BackendError};

/// `error` of `method` as a sentence.
pub(super) fn translate(
    config: &ChainClientConfig,
    method: &'static str,
    error: &ClientError,
) -> BackendError {
    let url = config.site();
    let bad = |reason: String| BackendError::BadAnswer { method: method.into(), reason };
    match error.kind() {
        ClientErrorKind::Reqwest(e) if e.is_timeout() => {
            BackendError::Slow { url, timeout: config.timeout }
        }
        ClientErrorKind::Reqwest(e) => match e.status().map(|s| s.as_u16()) {
            Some(429) => BackendError::RateLimited { url },
            Some(status) => BackendError::Unreachable { url, reason: format!("HTTP {status}") },
            None if e.is_decode() || e.is_body() => bad(innermost(config, e)),
            None => BackendError::Unreachable { url, reason: innermost(config, e) },
        },
        ClientErrorKind::Io(e) => BackendError::Unreachable { url, reason: e.to_string() },
        ClientErrorKind::Middleware(e) => BackendError::Unreachable { url, reason: e.to_string() },
        ClientErrorKind::RpcError(RpcError::RpcResponseError { code, message, .. }) => {
            if *code == 429 || *code == -32429 {
                return BackendError::RateLimited { url };
            }
            BackendError::Rpc { method: method.into(), code: *code, message: message.clone() }
        }
        ClientErrorKind::RpcError(e) => bad(e.to_string()),
        other => bad(other.to_string()),
    }
}

/// Whether the same question may be answered a moment later. A node that counts requests is left
/// alone: the client has already waited for it.
pub(super) fn worth_another_try(error: &BackendError) -> bool {
    match error {
        BackendError::Unreachable { .. } | BackendError::BadAnswer { .. } => true,
        BackendError::Rpc { code, .. } => {
            *code == JSON_RPC_SERVER_ERROR_NODE_UNHEALTHY
                || *code == JSON_RPC_SERVER_ERROR_MIN_CONTEXT_SLOT_NOT_REACHED
        }
        _ => false,
    }
}

/// The last cause: "Connection refused" says more than "error sending request". An address may hold
/// an access key, so only its host is repeated.
fn innermost(config: &ChainClientConfig, error: &dyn std::error::Error) -> String {
    let mut at = error;
    while let Some(cause) = at.source() {
        at = cause;
    }
    at.to_string().replace(&config.rpc_url, &config.site())
}
