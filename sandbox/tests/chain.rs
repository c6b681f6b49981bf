//! Rules out a local chain that does not start, does not stop, or whose clock goes backwards.
use std::time::{Duration, Instant};

use sandbox::{
    chain::{ChainConfig, LocalChain},
    clock,
};
use solana_commitment_config::CommitmentConfig;
use solana_pubkey::Pubkey;
use solana_rpc_client::nonblocking::rpc_client::RpcClient;

const SOL: u64 = 1_000_000_000;

fn start() -> (LocalChain, RpcClient) {
    let chain = LocalChain::start(ChainConfig::with_slots_of(50)).unwrap();
    let rpc = RpcClient::new_with_commitment(chain.http().into(), CommitmentConfig::confirmed());
    (chain, rpc)
}

async fn wait_for(what: &str, mut done: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !done().await {
        assert!(Instant::now() < deadline, "{what} did not happen");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_answers_makes_slots_and_stops() {
    let (chain, rpc) = start();
    rpc.get_health().await.unwrap();
    let someone = Pubkey::new_unique();
    rpc.request_airdrop(&someone, SOL).await.unwrap();
    wait_for("the airdrop", async || rpc.get_balance(&someone).await.unwrap() == SOL).await;
    let slot = clock::now(&rpc).await.unwrap().slot;
    wait_for("another slot", async || clock::now(&rpc).await.unwrap().slot > slot + 2).await;
    chain.set_slot_time(60_000).unwrap();
    drop(chain);
    wait_for("the stop", async || rpc.get_health().await.is_err()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_clock_moves_forward_only_and_takes_the_slots_along() {
    let (_chain, rpc) = start();
    let before = clock::now(&rpc).await.unwrap();
    let after = clock::advance(&rpc, 48 * 3600).await.unwrap();
    let moved = after.unix - before.unix;
    assert!((48 * 3600..48 * 3600 + 60).contains(&moved), "moved {moved} s");
    // The manager demands slots as well as seconds: at least one for every 800 ms.
    assert!(after.slot - before.slot >= 48 * 3600 * 5 / 4, "{before:?} to {after:?}");
    let back = clock::move_to(&rpc, before.unix).await.unwrap_err();
    assert!(back.to_string().contains("forward only"), "{back}");
    assert!(clock::now(&rpc).await.unwrap().unix >= after.unix);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_chains_share_neither_port_nor_genesis() {
    let ((a, rpc_a), (b, rpc_b)) = (start(), start());
    assert_ne!((a.http(), a.ws()), (b.http(), b.ws()));
    let (one, two) = (rpc_a.get_genesis_hash().await, rpc_b.get_genesis_hash().await);
    assert_ne!(one.unwrap(), two.unwrap());
}

#[test]
fn a_taken_port_is_said_in_a_sentence() {
    let held = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let http_port = held.local_addr().unwrap().port();
    let config = ChainConfig { http_port, ..ChainConfig::with_slots_of(50) };
    let error = LocalChain::start(config).err().unwrap().to_string();
    assert!(error.contains(&http_port.to_string()) && error.contains("taken"), "{error}");
}
