//! Sending one transaction through a node that loses it, forgets it or goes away.
use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use backend::{BackendError, ChainClient, ChainClientConfig, KeypairSigner, Signer};
use serde_json::{Value, json};
use solana_keypair::Keypair;
use solana_pubkey::Pubkey;

use crate::fake_node::{FakeNode, Reply};

pub fn hash(byte: u8) -> Value {
    json!(solana_hash::Hash::new_from_array([byte; 32]).to_string())
}

/// The node's newest slot, long after everything that is sent here.
const SLOT: u64 = 9_000;

pub fn context(value: Value) -> Value {
    json!({"context": {"slot": SLOT}, "value": value})
}

/// A blockhash of slot 1,000 and height 950, which is valid up to height 1,100.
fn given() -> Reply {
    let value = json!({"blockhash": hash(5), "lastValidBlockHeight": 1_100});
    Reply::Result(json!({"context": {"slot": 1_000}, "value": value}))
}

/// Heights `blocks` slots after that blockhash, with a block in every slot.
fn later(blocks: u64) -> Reply {
    heights(1_000 + blocks, 950 + blocks)
}

fn heights(slot: u64, block_height: u64) -> Reply {
    Reply::Result(json!({
        "absoluteSlot": slot, "blockHeight": block_height, "epoch": 0, "slotIndex": slot,
        "slotsInEpoch": 432_000, "transactionCount": null,
    }))
}

pub fn unknown() -> Reply {
    Reply::Result(context(json!([null])))
}

/// Whether a `getSignatureStatuses` searches the whole history.
fn searches(params: &Value) -> bool {
    params[1]["searchTransactionHistory"] == true
}

pub fn status(err: Value) -> Value {
    let status = if err.is_null() { json!({"Ok": null}) } else { json!({"Err": err}) };
    context(json!([{
        "slot": 77, "confirmations": 1, "err": err, "status": status,
        "confirmationStatus": "confirmed",
    }]))
}

/// A healthy node's answers to all methods that the tests do not script.
pub fn usual(method: &str, params: &Value) -> Reply {
    match method {
        "getGenesisHash" => Reply::Result(hash(7)),
        "simulateTransaction" => {
            Reply::Result(context(json!({"err": null, "logs": [], "unitsConsumed": 321})))
        }
        "getLatestBlockhash" => given(),
        "getEpochInfo" => later(1),
        "getBlockHeight" => Reply::Result(json!(951)),
        "sendTransaction" => Reply::Result(json!(signature(params))),
        _ => Reply::Error(-32601, "unknown"),
    }
}

/// The first signature of the base64 transaction in `params`.
pub fn signature(params: &Value) -> String {
    use base64::{Engine, prelude::BASE64_STANDARD};
    let bytes = BASE64_STANDARD.decode(params[0].as_str().unwrap()).unwrap();
    let first: [u8; 64] = bytes[1..65].try_into().unwrap();
    solana_signature::Signature::from(first).to_string()
}

pub async fn send(node: &FakeNode) -> Result<backend::SentTx, BackendError> {
    send_over(ChainClientConfig::new(&node.url)).await
}

/// Sends over a client that waits for an outcome no longer than `longest`.
async fn send_within(node: &FakeNode, longest: Duration) -> Result<backend::SentTx, BackendError> {
    let config =
        ChainClientConfig { outcome_timeout: longest, ..ChainClientConfig::new(&node.url) };
    send_over(config).await
}

async fn send_over(config: ChainClientConfig) -> Result<backend::SentTx, BackendError> {
    let client = ChainClient::connect(config).await.unwrap();
    let signer = KeypairSigner::new(Keypair::new());
    let ix = backend::instructions::attest_buffer(&Pubkey::default(), &signer.pubkey(), 4);
    client.send_and_confirm("attest buffer", &[ix], &[&signer]).await
}

pub fn distinct(node: &FakeNode) -> usize {
    node.asked("sendTransaction").iter().map(signature).collect::<BTreeSet<_>>().len()
}

#[tokio::test]
async fn a_confirmed_transaction_is_reported_with_slot_units_and_size() {
    let node = FakeNode::start(|method, params, before| match (method, before) {
        ("getSignatureStatuses", 0) => Reply::Result(context(json!([null]))),
        ("getSignatureStatuses", _) => Reply::Result(status(Value::Null)),
        _ => usual(method, params),
    })
    .await;
    let sent = send(&node).await.unwrap();
    assert_eq!((sent.slot, sent.units, sent.error), (77, Some(321), None));
    assert_eq!(sent.signature, signature(&node.asked("sendTransaction")[0]));
    let preflight = &node.asked("sendTransaction")[0][1];
    assert_eq!(preflight["preflightCommitment"], "confirmed");
    assert_eq!(preflight["skipPreflight"], false);
}

/// Asserts that the outcome is unknown and that the sentence tells how to look the transaction up.
fn is_unknown(error: &BackendError, node: &FakeNode) -> String {
    assert!(matches!(error, BackendError::Unknown { .. }), "{error}");
    let (said, signature) = (error.to_string(), signature(&node.asked("sendTransaction")[0]));
    assert!(said.contains(&format!("`control-room tx {signature}`")), "{said}");
    assert!(!said.contains("safe to try again") && !said.contains("othing happened"), "{said}");
    said
}

#[tokio::test]
async fn the_same_bytes_are_broadcast_until_the_blockhash_has_expired_and_nothing_else_is() {
    let node = FakeNode::start(|method, params, before| match method {
        "getSignatureStatuses" => unknown(),
        // The blockhash expires only after several polls, so that there is time for a second broadcast.
        "getEpochInfo" => later(if before < 6 { 150 } else { 151 }),
        _ => usual(method, params),
    })
    .await;
    let error = send(&node).await.unwrap_err();
    assert!(matches!(error, BackendError::Dropped { .. }), "{error}");
    assert!(error.to_string().contains("no block can include it any more"), "{error}");
    assert!(error.to_string().contains("--priority-fee"), "the likely reason is missing: {error}");
    assert!(node.asked("sendTransaction").len() >= 2, "it was never broadcast again");
    assert_eq!(distinct(&node), 1);
    let finalized = |p: &Value| p[0]["commitment"] == "finalized";
    assert!(node.asked("getEpochInfo").iter().all(finalized), "a fork can still lose to another");
    assert!(node.asked("getSignatureStatuses").last().is_some_and(searches));
}

#[tokio::test]
async fn no_hint_about_a_priority_fee_when_one_was_paid() {
    let node = FakeNode::start(|method, params, _| match method {
        "getSignatureStatuses" => unknown(),
        "getEpochInfo" => later(151),
        _ => usual(method, params),
    })
    .await;
    let error = send_over(ChainClientConfig { unit_price: 7, ..ChainClientConfig::new(&node.url) });
    let error = error.await.unwrap_err();
    assert!(matches!(error, BackendError::Dropped { .. }), "{error}");
    assert!(!error.to_string().contains("--priority-fee"), "{error}");
}

#[tokio::test]
async fn a_height_that_is_22_million_too_high_does_not_make_a_landed_transaction_dropped() {
    // The slot instead of the height, as on mainnet; no status for the first polls.
    let node = FakeNode::start(|method, params, before| match method {
        "getEpochInfo" => heights(22_000_951, 22_000_951),
        "getBlockHeight" => Reply::Result(json!(22_000_951)),
        "getSignatureStatuses" if searches(params) || before < 6 => unknown(),
        "getSignatureStatuses" => Reply::Result(status(Value::Null)),
        _ => usual(method, params),
    })
    .await;
    assert_eq!(send(&node).await.unwrap().slot, 77);
}

#[tokio::test]
async fn implausible_heights_leave_the_outcome_unknown() {
    // A height that grows faster than its slot; slots that grow faster than time; a blockhash that
    // expires too early.
    let short = json!({"blockhash": hash(5), "lastValidBlockHeight": 960});
    let short = Reply::Result(json!({"context": {"slot": 1_000}, "value": short}));
    for (blockhash, seen) in
        [(given(), heights(1_010, 22_000_950)), (given(), later(1_000_000)), (short, later(20))]
    {
        let node = FakeNode::start(move |method, params, _| match method {
            "getLatestBlockhash" => blockhash.clone(),
            "getEpochInfo" => seen.clone(),
            "getSignatureStatuses" => unknown(),
            _ => usual(method, params),
        })
        .await;
        let error = send_within(&node, Duration::from_millis(1_000)).await.unwrap_err();
        is_unknown(&error, &node);
    }
}

#[tokio::test]
async fn a_transaction_in_the_history_or_unknown_to_a_node_that_is_behind_is_not_dropped() {
    let node = FakeNode::start(|method, params, _| match method {
        "getSignatureStatuses" if searches(params) => Reply::Result(status(Value::Null)),
        "getSignatureStatuses" => unknown(),
        "getEpochInfo" => later(151),
        _ => usual(method, params),
    })
    .await;
    assert_eq!(send(&node).await.unwrap().slot, 77);
    let behind = FakeNode::start(|method, params, _| match method {
        "getSignatureStatuses" => {
            Reply::Result(json!({"context": {"slot": 1_150}, "value": [null]}))
        }
        "getEpochInfo" => later(151),
        _ => usual(method, params),
    })
    .await;
    let error = send_within(&behind, Duration::from_millis(1_000)).await.unwrap_err();
    let said = is_unknown(&error, &behind);
    assert!(said.contains("slot 1150"), "{said}");
}

#[tokio::test]
async fn a_stalled_node_ends_the_wait_at_the_outcome_timeout() {
    let node = FakeNode::start(|method, params, _| match method {
        "getSignatureStatuses" => unknown(),
        _ => usual(method, params),
    })
    .await;
    let error = send_within(&node, Duration::from_millis(200)).await.unwrap_err();
    is_unknown(&error, &node);
}

#[tokio::test]
async fn a_rate_limited_rebroadcast_does_not_stop_the_status_polls() {
    let sends = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&sends);
    let node = FakeNode::start(move |method, params, _| match method {
        "sendTransaction" if seen.fetch_add(1, Ordering::SeqCst) > 0 => Reply::Busy(119),
        "getSignatureStatuses" if seen.load(Ordering::SeqCst) < 2 => unknown(),
        "getSignatureStatuses" => Reply::Result(status(Value::Null)),
        _ => usual(method, params),
    })
    .await;
    let config = ChainClientConfig {
        timeout: Duration::from_millis(500),
        ..ChainClientConfig::new(&node.url)
    };
    assert_eq!(send_over(config).await.unwrap().slot, 77);
    assert!(sends.load(Ordering::SeqCst) >= 2);
}

#[tokio::test]
async fn a_node_that_goes_away_after_the_broadcast_causes_no_second_transaction() {
    let away = Arc::new(AtomicBool::new(false));
    let gone = Arc::clone(&away);
    let node = FakeNode::start(move |method, params, before| match method {
        "sendTransaction" => {
            gone.store(true, Ordering::SeqCst);
            Reply::Cut
        }
        "getSignatureStatuses" if gone.load(Ordering::SeqCst) && before < 3 => Reply::Status(502),
        "getSignatureStatuses" => Reply::Result(status(Value::Null)),
        _ => usual(method, params),
    })
    .await;
    let sent = send(&node).await.unwrap();
    assert_eq!(sent.slot, 77);
    assert!(away.load(Ordering::SeqCst));
    assert_eq!(distinct(&node), 1);
}
