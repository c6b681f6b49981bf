//! Requests that only a local chain answers: airdrop, set an account, move the clock. Nothing here works on
//! a real cluster; the product may not use it.
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use backend::chain::{ChainClient, ChainTime, RawAccount};
use serde_json::json;
use solana_commitment_config::CommitmentConfig;
use solana_pubkey::Pubkey;
use solana_rpc_client::{api::request::RpcRequest, nonblocking::rpc_client::RpcClient};
use solana_sdk_ids::bpf_loader_upgradeable;

/// Lamports of one SOL.
pub const SOL: u64 = 1_000_000_000;

/// How long [`wait_for_slot`] waits.
const WAIT_TIMEOUT: Duration = Duration::from_secs(90);
/// Pause between two reads of the slot.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// An RPC client for the requests that [`ChainClient`] does not make.
#[must_use]
pub fn rpc_client(client: &ChainClient) -> RpcClient {
    let config = client.config();
    RpcClient::new_with_commitment(config.rpc_url.clone(), CommitmentConfig::confirmed())
}

/// Gives `lamports` to `to`.
///
/// # Errors
/// The chain refuses, or does not answer.
pub async fn airdrop(client: &ChainClient, to: &Pubkey, lamports: u64) -> Result<()> {
    rpc_client(client)
        .request_airdrop(to, lamports)
        .await
        .with_context(|| format!("The local chain gives {to} no lamports."))?;
    Ok(())
}

/// Puts a loader buffer with `code`, held by `authority`, at `buffer`.
///
/// # Errors
/// The chain refuses, or does not answer.
pub async fn set_buffer(
    client: &ChainClient,
    buffer: &Pubkey,
    authority: &Pubkey,
    code: &[u8],
) -> Result<()> {
    // The loader's layout: state 1 (buffer), 1 for a present authority, the authority.
    let data = [&[1, 0, 0, 0, 1], authority.as_ref(), code].concat();
    let lamports = client.rent(data.len()).await?;
    let owner = bpf_loader_upgradeable::ID;
    let account = RawAccount { owner, lamports, data, executable: false };
    set_account(&rpc_client(client), buffer, &account).await
}

/// Replaces the account at `address` by `account`. An account without lamports is removed.
///
/// # Errors
/// The chain refuses, or does not answer.
pub async fn set_account(client: &RpcClient, address: &Pubkey, account: &RawAccount) -> Result<()> {
    let RawAccount { owner, lamports, data, .. } = account;
    let fields = json!({
        "lamports": lamports, "owner": owner.to_string(), "data": hex::encode(data),
    });
    client
        .send::<serde_json::Value>(
            RpcRequest::Custom { method: "surfnet_setAccount" },
            json!([address.to_string(), fields]),
        )
        .await
        .with_context(|| format!("The local chain does not take the account {address}."))?;
    Ok(())
}

/// Moves the clock to `unix`, seconds since 1970. It goes forward only, as a real one does.
///
/// # Errors
/// A time that has passed already, or a chain that does not answer.
pub async fn move_clock_to(client: &ChainClient, unix: i64) -> Result<ChainTime> {
    let before = client.chain_time().await?.unix;
    if unix <= before {
        bail!("The chain's clock goes forward only: it shows {before}, and {unix} is not later.");
    }
    // The surfnet takes milliseconds.
    let target = unix.saturating_mul(1000);
    rpc_client(client)
        .send::<serde_json::Value>(
            RpcRequest::Custom { method: "surfnet_timeTravel" },
            json!([{ "absoluteTimestamp": target }]),
        )
        .await
        .context("The local chain refused to move its clock.")?;
    Ok(client.chain_time().await?)
}

/// Moves the clock `seconds` forward.
///
/// # Errors
/// As [`move_clock_to`].
pub async fn advance_clock(client: &ChainClient, seconds: u32) -> Result<ChainTime> {
    let unix = client.chain_time().await?.unix.saturating_add(i64::from(seconds));
    move_clock_to(client, unix).await
}

/// Returns once the open slot is `slot` or later.
///
/// # Errors
/// The chain does not answer, or makes no slots.
pub async fn wait_for_slot(client: &ChainClient, slot: u64) -> Result<()> {
    let started = Instant::now();
    while client.chain_time().await?.slot < slot {
        if started.elapsed() > WAIT_TIMEOUT {
            bail!("The chain has not reached slot {slot} within {WAIT_TIMEOUT:?}.");
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
    Ok(())
}
