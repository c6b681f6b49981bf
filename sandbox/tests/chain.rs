//! Rules out a local chain that does not start, does not stop, or whose clock goes backwards.
#![allow(clippy::unwrap_used, reason = "the helpers of a test may fail it")]
use std::time::{Duration, Instant};

use backend::chain::{ChainClient, ChainClientConfig};
use sandbox::chain::{
    local_chain::{ChainConfig, LocalChain},
    local_rpc::{self, SOL},
};
use solana_pubkey::Pubkey;

async fn start() -> (LocalChain, ChainClient) {
    let chain = LocalChain::start(ChainConfig::with_slots_of(50)).unwrap();
    let client = ChainClient::connect(ChainClientConfig::new(chain.http())).await.unwrap();
    (chain, client)
}

/// How long a test waits before it fails.
const WAIT_TIMEOUT: Duration = Duration::from_secs(60);

async fn wait_for(what: &str, mut done: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + WAIT_TIMEOUT;
    while !done().await {
        assert!(Instant::now() < deadline, "{what} did not happen");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_answers_makes_slots_and_stops() {
    let (chain, client) = start().await;
    let someone = Pubkey::new_unique();
    local_rpc::airdrop(&client, &someone, SOL).await.unwrap();
    wait_for("the airdrop", async || {
        client.account(&someone).await.unwrap().is_some_and(|a| a.lamports == SOL)
    })
    .await;
    let slot = client.chain_time().await.unwrap().slot;
    let moved = async || client.chain_time().await.unwrap().slot > slot + 2;
    wait_for("another slot", moved).await;
    let rpc = local_rpc::rpc_client(&client);
    // However long a slot is, the chain must not wait for its end to stop.
    chain.set_slot_time(60_000).unwrap();
    drop(chain);
    // Another test's chain may get the port.
    let own = client.genesis_hash();
    let stopped = async || rpc.get_genesis_hash().await.map_or(true, |hash| hash.to_bytes() != own);
    wait_for("the stop", stopped).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_clock_moves_forward_only_and_takes_the_slots_along() {
    let (_chain, client) = start().await;
    let begin = Instant::now();
    let before = client.chain_time().await.unwrap();
    let after = local_rpc::advance_clock(&client, 48 * 3600).await.unwrap();
    let moved = after.unix - before.unix;
    // The clock runs on while it is moved. Two seconds for the parts of a second that are not told.
    let most = 48 * 3600 + i64::try_from(begin.elapsed().as_secs()).unwrap() + 2;
    assert!((48 * 3600..=most).contains(&moved), "moved {moved} s");
    // The manager demands slots as well as seconds: at least one for every 800 ms.
    assert!(after.slot - before.slot >= 48 * 3600 * 5 / 4, "{before:?} to {after:?}");
    let back = local_rpc::move_clock_to(&client, before.unix).await.unwrap_err();
    assert!(back.to_string().contains("forward only"), "{back}");
    assert!(client.chain_time().await.unwrap().unix >= after.unix);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_chains_share_neither_port_nor_genesis() {
    let ((a, first), (b, second)) = (start().await, start().await);
    assert_ne!((a.http(), a.ws()), (b.http(), b.ws()));
    assert_ne!(first.genesis_hash(), second.genesis_hash());
}

#[test]
fn a_taken_port_is_reported_with_its_number() {
    let held = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let http_port = held.local_addr().unwrap().port();
    let config = ChainConfig { http_port, ..ChainConfig::with_slots_of(50) };
    let error = LocalChain::start(config).err().unwrap().to_string();
    assert!(error.contains(&http_port.to_string()) && error.contains("taken"), "{error}");
}
