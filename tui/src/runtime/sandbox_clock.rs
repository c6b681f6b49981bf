//! Moves the clock of the sandbox's chain forward, so that a timelock of days can be watched in seconds.
//! That chain is a surfnet, the local validator of Surfpool, which has an RPC method for it; a real cluster
//! has none. Only the key `T` of the sandbox leads here.
use anyhow::{Context, Result, anyhow};
use solana_rpc_client::{
    api::{config::CommitmentConfig, request::RpcRequest},
    nonblocking::rpc_client::RpcClient,
};

/// Moves the chain's clock `seconds` forward and returns the new unix time.
///
/// # Errors
/// When the chain does not answer or refuses.
pub async fn move_clock(rpc_url: &str, seconds: u32) -> Result<i64> {
    let rpc = RpcClient::new_with_commitment(rpc_url.to_owned(), CommitmentConfig::processed());
    let unix = clock(&rpc).await?.saturating_add(i64::from(seconds));
    // The method takes milliseconds; the sysvar holds seconds.
    let target = serde_json::json!([{ "absoluteTimestamp": unix.saturating_mul(1_000) }]);
    rpc.send::<serde_json::Value>(RpcRequest::Custom { method: "surfnet_timeTravel" }, target)
        .await
        .context("The local chain refused to move its clock.")?;
    clock(&rpc).await
}

/// The `Clock` sysvar: unix time at 32..40, little-endian.
async fn clock(rpc: &RpcClient) -> Result<i64> {
    let sysvar = solana_pubkey::pubkey!("SysvarC1ock11111111111111111111111111111111");
    let account = rpc.get_account(&sysvar).await.map_err(|e| {
        tracing::warn!("the clock cannot be read: {e}");
        anyhow!(
            "The local chain does not answer, so its clock stays. Leave with q and start again."
        )
    })?;
    let unix = account.data.get(32..).and_then(|d| d.first_chunk::<8>());
    unix.map(|b| i64::from_le_bytes(*b)).ok_or_else(|| anyhow!("The clock account is too short."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_dead_chain_is_one_sentence_with_the_next_step() {
        // Nothing listens on port 1.
        let error = move_clock("http://127.0.0.1:1", 1).await.unwrap_err();
        let text = format!("{error:#}");
        assert!(text.starts_with("The local chain does not answer"), "{text}");
        assert!(text.ends_with("start again.") && !text.contains("AccountNotFound"), "{text}");
    }
}
