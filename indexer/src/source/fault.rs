//! What kind of refusal a node's answer is. The same few conditions have different faces: a status,
//! a code, or only words; what is done about each is decided by its kind alone.
use std::time::Duration;

use serde::Deserialize;

/// Why a call has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RpcFault {
    /// The node has not reached the slot that was asked for (−32016).
    NotReached,
    /// The node keeps no index for this program (−32010).
    KeyExcluded,
    /// The search found more than the node is willing to collect (−32012).
    ScanLimit,
    /// The node wants so many accounts to be read page by page.
    TooMany,
    /// The answer, or the question, is too large (413), for the node or for us.
    TooLarge,
    /// Too many calls (429). Calls to this node wait for so long.
    Limited {
        /// How long from now.
        retry_after: Duration,
    },
    /// No answer in time.
    Timeout,
    /// No connection, or one that broke before the answer began.
    Connect,
    /// The answer broke off.
    Cut,
    /// The answer cannot be read.
    Garbled,
    /// The node does not offer the method (−32601).
    MethodMissing,
    /// The node does not keep blocks or transactions of that age.
    LongTermMissing,
    /// The transaction is of a version that was not asked for (−32015): there is one, and what is
    /// in it is not known.
    NewerVersion,
    /// Anything else, with the code of JSON-RPC, or the status of HTTP.
    Other {
        /// The code.
        code: i64,
    },
}

/// The error object of JSON-RPC.
#[derive(Clone, Debug, Deserialize)]
pub struct JsonRpcError {
    /// Its number.
    #[serde(default)]
    pub code: i64,
    /// The node's words.
    #[serde(default)]
    pub message: String,
}

impl RpcFault {
    /// The kind of an error object. A limit comes back without a time to wait.
    #[must_use]
    pub fn of_code(code: i64, message: &str) -> Self {
        let says = |words: &str| message.to_ascii_lowercase().contains(words);
        match code {
            -32_016 => Self::NotReached,
            -32_010 => Self::KeyExcluded,
            -32_012 => Self::ScanLimit,
            // Providers refuse with numbers of their own; the words are more uniform.
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

    /// The kind of an HTTP answer that is no success.
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

    /// Whether reading less at once can help.
    #[must_use]
    pub fn is_size(self) -> bool {
        matches!(self, Self::KeyExcluded | Self::ScanLimit | Self::TooMany | Self::TooLarge)
    }

    /// Whether the same call may well succeed in a moment.
    #[must_use]
    pub fn is_passing(self) -> bool {
        match self {
            Self::Timeout | Self::Connect | Self::Cut | Self::NotReached => true,
            Self::Limited { .. } => true,
            Self::Other { code } => matches!(code, 500..=599 | -32_603 | -32_005 | -32_004),
            _ => false,
        }
    }

    /// What an operator can do about it, as a sentence.
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

    /// A short word for counting.
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
    fn every_kind_is_chosen_from_its_code_or_from_the_words_of_a_provider() {
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
    fn a_status_is_believed_before_the_body_and_the_body_before_a_vague_status() {
        let excluded = r#"{"jsonrpc":"2.0","error":{"code":-32010,"message":"x"},"id":1}"#;
        assert_eq!(RpcFault::of_status(429, excluded), LIMITED);
        assert_eq!(RpcFault::of_status(413, "<html>"), RpcFault::TooLarge);
        assert_eq!(RpcFault::of_status(504, ""), RpcFault::Timeout);
        assert_eq!(RpcFault::of_status(400, excluded), RpcFault::KeyExcluded);
        assert_eq!(RpcFault::of_status(503, "<html>busy"), RpcFault::Other { code: 503 });
        assert_eq!(RpcFault::of_status(401, "{"), RpcFault::Other { code: 401 });
    }

    #[test]
    fn only_what_may_pass_is_tried_again_and_only_size_is_met_with_less() {
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
