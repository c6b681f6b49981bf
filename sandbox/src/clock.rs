//! The chain's clock, read and moved over the RPC. It goes forward only, as a real one does.
use anyhow::{Context, Result, bail};
use serde_json::json;
use solana_commitment_config::CommitmentConfig;
use solana_rpc_client::{api::request::RpcRequest, nonblocking::rpc_client::RpcClient};

/// The `Clock` sysvar: slot at 0..8, unix time at 32..40, little-endian.
const CLOCK: solana_pubkey::Pubkey = solana_sdk_ids::sysvar::clock::ID;

/// What the chain's clock shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// The open slot.
    pub slot: u64,
    /// Chain time, seconds since 1970.
    pub unix: i64,
}

/// Reads the clock that programs read.
///
/// # Errors
/// The chain does not answer.
pub async fn now(rpc: &RpcClient) -> Result<Now> {
    let account = rpc
        .get_account_with_commitment(&CLOCK, CommitmentConfig::processed())
        .await
        .context("The local chain does not answer; start the sandbox again.")?
        .value
        .context("The local chain has no clock account; start the sandbox again.")?;
    let slot = account.data.first_chunk::<8>().copied().map(u64::from_le_bytes);
    let unix = account.data.get(32..).and_then(|d| d.first_chunk::<8>());
    match (slot, unix.copied().map(i64::from_le_bytes)) {
        (Some(slot), Some(unix)) => Ok(Now { slot, unix }),
        _ => bail!("The clock account is too short; start the sandbox again."),
    }
}

/// Moves the clock to `unix`, seconds since 1970.
///
/// # Errors
/// A time that has passed already, or a chain that does not answer.
pub async fn move_to(rpc: &RpcClient, unix: i64) -> Result<Now> {
    let before = now(rpc).await?;
    if unix <= before.unix {
        bail!("The chain's clock goes forward only: it shows {}, not before {unix}.", before.unix);
    }
    // The surfnet takes milliseconds.
    let target = unix.saturating_mul(1000);
    rpc.send::<serde_json::Value>(
        RpcRequest::Custom { method: "surfnet_timeTravel" },
        json!([{ "absoluteTimestamp": target }]),
    )
    .await
    .context("The local chain refused to move its clock.")?;
    now(rpc).await
}

/// Moves the clock `seconds` forward.
///
/// # Errors
/// As [`move_to`].
pub async fn advance(rpc: &RpcClient, seconds: u32) -> Result<Now> {
    let unix = now(rpc).await?.unix.saturating_add(i64::from(seconds));
    move_to(rpc, unix).await
}
