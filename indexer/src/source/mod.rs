//! Reads the chain: JSON-RPC and websocket of one Solana node at a time.
pub mod answers;
pub mod backoff;
mod body;
pub mod close_reason;
pub mod config;
pub mod endpoints;
pub mod error;
pub mod fault;
pub mod history;
pub mod rate_limiter;
mod reader;
pub mod rpc;
pub mod scan;
pub mod scan_strategy;
pub mod snapshot;
mod subscriptions;
#[cfg(test)]
mod testing;
mod transport;
pub mod websocket;
pub mod wire;

pub use config::{Endpoint, SourceConfig};

/// The highest slot that a store can hold (`bigint`). No chain gets near it.
const LAST_SLOT: u64 = i64::MAX.unsigned_abs();

/// Checks a `slot` that a node named.
///
/// # Errors
/// The rest of a sentence when the number is impossible.
fn possible(slot: u64) -> std::result::Result<u64, String> {
    if slot <= LAST_SLOT { Ok(slot) } else { Err(format!("named slot {slot}, which cannot be")) }
}

#[cfg(test)]
mod tests {
    use solana_pubkey::Pubkey;

    use super::*;
    use crate::ops::redact::{scrubbed, shown};

    #[test]
    fn an_access_key_in_an_address_is_never_shown() {
        for url in [
            "https://rpc.example.org/v1/0123456789abcdef?api-key=fedcba9876543210",
            "https://user:0123456789abcdef@rpc.example.org/?k=fedcba9876543210",
        ] {
            assert_eq!(shown(url), "https://rpc.example.org");
            let said = scrubbed(&format!("error sending request for url ({url})"), url);
            assert!(!said.contains("0123456789abcdef") && !said.contains("fedcba98"), "{said}");
            let bent = url.replace("rpc.example.org", "RPC.example.org:443");
            let said = scrubbed(&bent, url);
            assert!(!said.contains("0123456789abcdef") && !said.contains("fedcba98"), "{said}");
        }
        assert_eq!(shown("ws://127.0.0.1:8900"), "ws://127.0.0.1:8900");
        for url in ["https://k3y4me@rpc.example.org/", "https://rpc.example.org/v2/k3y4me"] {
            let said = scrubbed("cannot reach HTTPS://k3y4me@RPC.example.org:443/v2/k3y4me", url);
            assert!(!said.contains("k3y4me"), "{said}");
            let config = SourceConfig::new(url.into(), url.into(), Pubkey::default());
            let said = format!("{config:?}");
            assert!(!said.contains("k3y4me") && said.contains("rpc.example.org"), "{said}");
        }
    }

    #[test]
    fn a_nodes_message_is_stripped_of_control_characters_and_cut() {
        let said = scrubbed(&format!("\u{1b}]0;owned\u{7}{}", "x".repeat(1 << 20)), "http://a");
        assert!(!said.chars().any(char::is_control) && said.chars().count() < 500, "{said}");
    }
}
