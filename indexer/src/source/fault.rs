//! Classifies refusals of nodes. Nodes express the same few conditions as an HTTP status, an error code
//! or only a message; callers act on the kind alone.
use std::time::Duration;

use serde::Deserialize;

/// Why a call failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RpcFault {
    /// The node has not reached the requested slot (−32016).
    NotReached,
    /// The node keeps no index for this program (−32010).
    KeyExcluded,
    /// The search found more accounts than the node collects (−32012).
    ScanLimit,
    /// Too many accounts; the node wants them to be read page by page.
    TooMany,
    /// The answer or the request is too large (413), for the node or for this client.
    TooLarge,
    /// Too many calls (429).
    Limited {
        /// Calls to this node wait for this long.
        retry_after: Duration,
    },
    /// No answer in time.
    Timeout,
    /// No connection, or one that broke before the answer began.
    Connect,
    /// The answer broke off in the middle.
    Cut,
    /// The answer cannot be read.
    Garbled,
    /// The node does not offer the method (−32601).
    MethodMissing,
    /// The node does not keep blocks or transactions of that age.
    LongTermMissing,
    /// The transaction has a version that this build does not request (−32015). It exists, but its
    /// content is unknown.
    NewerVersion,
    /// Anything else, with the JSON-RPC code or HTTP status.
    Other {
        /// The code.
        code: i64,
    },
}

/// The error object of JSON-RPC.
#[derive(Clone, Debug, Deserialize)]
pub struct JsonRpcError {
    /// Its code.
    #[serde(default)]
    pub code: i64,
    /// Its message.
    #[serde(default)]
    pub message: String,
}

impl RpcFault {
    /// The kind of an error object. [`Self::Limited`] gets no wait here; the rate limiter sets it.
    #[must_use]
    pub fn of_code(code: i64, message: &str) -> Self {
        let says = |words: &str| message.to_ascii_lowercase().contains(words);
        match code {
            -32_016 => Self::NotReached,
            -32_010 => Self::KeyExcluded,
            -32_012 => Self::ScanLimit,
            // Providers use their own codes; their messages are more uniform.
            _ if says("too many accounts") || says("getprogramaccountsv2") => Self::TooMany,
            413 => Self::TooLarge,
            _ if says("too large") || says("response size") => Self::TooLarge,
            429 | -32_429 => Self::Limited { retry_after: Duration::ZERO },
            _ if says("too many requests") || says("rate limit") => {
                Self::Limited { retry_after: Duration::ZERO }
            }
            -32_601 => Self::MethodMissing,
            -32_015 => Self::NewerVersion,
            _ if says("method not found") || says("method not supported") => Self::MethodMissing,
            // Cleaned up, skipped or missing in long-term storage, long-term storage unreachable.
            -32_001 | -32_007 | -32_009 | -32_011 | -32_019 => Self::LongTermMissing,
            408 | 504 => Self::Timeout,
            code => Self::Other { code },
        }
    }

    /// The kind of an unsuccessful HTTP answer.
    #[must_use]
    pub fn of_status(status: u16, body: &str) -> Self {
        match status {
            429 => Self::Limited { retry_after: Duration::ZERO },
            413 => Self::TooLarge,
            408 | 504 => Self::Timeout,
            _ => match error_in(body) {
                Some(error) => Self::of_code(error.code, &error.message),
                None => Self::of_code(i64::from(status), body),
            },
        }
    }

    /// Whether a smaller request can help.
    #[must_use]
    pub fn is_size(self) -> bool {
        matches!(self, Self::KeyExcluded | Self::ScanLimit | Self::TooMany | Self::TooLarge)
    }

    /// Whether the same call may succeed in a moment.
    #[must_use]
    pub fn is_passing(self) -> bool {
        match self {
            Self::Timeout | Self::Connect | Self::Cut | Self::NotReached => true,
            Self::Limited { .. } => true,
            Self::Other { code } => matches!(code, 500..=599 | -32_603 | -32_005 | -32_004),
            _ => false,
        }
    }

    /// Advice for the operator, as a sentence.
    #[must_use]
    pub fn advice(self) -> &'static str {
        match self {
            Self::Limited { .. } => {
                "It is asked again after that; a plan with higher limits or a second node ends the waiting."
            }
            Self::KeyExcluded | Self::ScanLimit | Self::TooMany | Self::TooLarge => {
                "Use a node that answers getProgramAccounts or getProgramAccountsV2 for this program."
            }
            Self::MethodMissing => "Use a node that offers this method.",
            Self::LongTermMissing => "Use a node that keeps older blocks and transactions.",
            Self::NewerVersion => "Use a newer control room, which can read it.",
            Self::Garbled => "Use another node.",
            _ => "Check --rpc-url and that the node runs.",
        }
    }

    /// Its label in metrics.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::NotReached => "-32016",
            Self::KeyExcluded => "-32010",
            Self::ScanLimit => "-32012",
            Self::TooMany => "too_many",
            Self::TooLarge => "413",
            Self::Limited { .. } => "429",
            Self::Timeout => "timeout",
            Self::Connect => "connect",
            Self::Cut => "cut",
            Self::Garbled => "garbled",
            Self::MethodMissing => "-32601",
            Self::LongTermMissing => "long_term",
            Self::NewerVersion => "-32015",
            Self::Other { code } => crate::ops::metrics::code_label(code),
        }
    }
}

/// The error object in `body`, if there is one.
#[must_use]
pub fn error_in(body: &str) -> Option<JsonRpcError> {
    #[derive(Deserialize)]
    struct Envelope {
        error: JsonRpcError,
    }
    serde_json::from_str::<Envelope>(body).ok().map(|e| e.error)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITED: RpcFault = RpcFault::Limited { retry_after: Duration::ZERO };

    #[test]
    fn every_kind_is_recognised_by_code_or_message() {
        for (code, message, fault) in [
            (-32_016, "Minimum context slot has not been reached", RpcFault::NotReached),
            (-32_010, "excluded from account secondary indexes", RpcFault::KeyExcluded),
            (-32_012, "scan aborted", RpcFault::ScanLimit),
            (
                -32_600,
                "Too many accounts requested (99): use getProgramAccountsV2",
                RpcFault::TooMany,
            ),
            (-32_600, "please page with getProgramAccountsV2", RpcFault::TooMany),
            (-32_000, "Response is too large", RpcFault::TooLarge),
            (413, "", RpcFault::TooLarge),
            (-32_005, "Too many requests for a specific RPC call", LIMITED),
            (-32_429, "", LIMITED),
            (429, "slow down", LIMITED),
            (-32_601, "Method not found", RpcFault::MethodMissing),
            (-32_000, "method not supported on this plan", RpcFault::MethodMissing),
            (-32_001, "Block 5 cleaned up", RpcFault::LongTermMissing),
            (-32_009, "missing in long-term storage", RpcFault::LongTermMissing),
            (-32_015, "Transaction version (2) is not supported", RpcFault::NewerVersion),
            (-32_005, "Node is behind by 42 slots", RpcFault::Other { code: -32_005 }),
            (-32_602, "Invalid params", RpcFault::Other { code: -32_602 }),
        ] {
            assert_eq!(RpcFault::of_code(code, message), fault, "{code} {message}");
        }
    }

    #[test]
    fn a_specific_status_wins_over_the_body_and_the_body_over_a_vague_status() {
        let excluded = r#"{"jsonrpc":"2.0","error":{"code":-32010,"message":"x"},"id":1}"#;
        assert_eq!(RpcFault::of_status(429, excluded), LIMITED);
        assert_eq!(RpcFault::of_status(413, "<html>"), RpcFault::TooLarge);
        assert_eq!(RpcFault::of_status(504, ""), RpcFault::Timeout);
        assert_eq!(RpcFault::of_status(400, excluded), RpcFault::KeyExcluded);
        assert_eq!(RpcFault::of_status(503, "<html>busy"), RpcFault::Other { code: 503 });
        assert_eq!(RpcFault::of_status(401, "{"), RpcFault::Other { code: 401 });
    }

    #[test]
    fn no_kind_is_both_passing_and_size() {
        for passing in
            [RpcFault::Timeout, RpcFault::Connect, RpcFault::Cut, LIMITED, RpcFault::NotReached]
        {
            assert!(passing.is_passing() && !passing.is_size(), "{passing:?}");
        }
        for size in
            [RpcFault::KeyExcluded, RpcFault::ScanLimit, RpcFault::TooMany, RpcFault::TooLarge]
        {
            assert!(size.is_size() && !size.is_passing(), "{size:?}");
        }
        for neither in [RpcFault::Garbled, RpcFault::MethodMissing, RpcFault::Other { code: 401 }] {
            assert!(!neither.is_size() && !neither.is_passing(), "{neither:?}");
        }
        assert!(RpcFault::Other { code: 502 }.is_passing());
    }
}
