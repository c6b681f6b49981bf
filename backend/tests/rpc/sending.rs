//! One signed transaction a step: what happens when the node loses it, forgets it or goes away.
use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use crate::fake_node::{FakeNode, Reply};
use backend::{BackendError, Gateway, GatewayConfig, KeypairSigner, Signer};
use serde_json::{Value, json};
use solana_keypair::Keypair;
use solana_pubkey::Pubkey;

fn hash(byte: u8) -> Value {
    json!(solana_hash::Hash::new_from_array([byte; 32]).to_string())
}

fn context(value: Value) -> Value {
    json!({"context": {"slot": 9}, "value": value})
}

fn status(err: Value) -> Value {
    let status = if err.is_null() { json!({"Ok": null}) } else { json!({"Err": err}) };
    context(json!([{
        "slot": 77, "confirmations": 1, "err": err, "status": status,
        "confirmationStatus": "confirmed",
    }]))
}

/// What a healthy node says to everything but the two questions under test.
fn usual(method: &str, params: &Value) -> Reply {
    match method {
        "getGenesisHash" => Reply::Result(hash(7)),
        "simulateTransaction" => {
            Reply::Result(context(json!({"err": null, "logs": [], "unitsConsumed": 321})))
        }
        "getLatestBlockhash" => {
            Reply::Result(context(json!({"blockhash": hash(5), "lastValidBlockHeight": 100})))
        }
        "getBlockHeight" => Reply::Result(json!(50)),
        "sendTransaction" => Reply::Result(json!(signature(params))),
        _ => Reply::Error(-32601, "unknown"),
    }
}

/// The first signature of the base64 transaction in `params`.
fn signature(params: &Value) -> String {
    use base64::{Engine, prelude::BASE64_STANDARD};
    let bytes = BASE64_STANDARD.decode(params[0].as_str().unwrap()).unwrap();
    let first: [u8; 64] = bytes[1..65].try_into().unwrap();
    solana_signature::Signature::from(first).to_string()
}

async fn send(node: &FakeNode) -> Result<backend::SentTx, BackendError> {
    let gateway = Gateway::connect(GatewayConfig::new(&node.url)).await.unwrap();
    let signer = KeypairSigner::new(Keypair::new());
    let ix = backend::instructions::attest_buffer(&Pubkey::default(), &signer.pubkey(), 4);
    gateway.send_and_confirm("attest buffer", &[ix], &[&signer]).await
}

fn distinct(node: &FakeNode) -> usize {
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

#[tokio::test]
async fn the_same_bytes_are_sent_again_until_the_blockhash_is_dead_and_nothing_else_is() {
    let node = FakeNode::start(|method, params, before| match method {
        "getSignatureStatuses" => Reply::Result(context(json!([null]))),
        // Dead only after several looks, so that there is time to broadcast again.
        "getBlockHeight" => Reply::Result(json!(if before < 6 { 100 } else { 101 })),
        _ => usual(method, params),
    })
    .await;
    let error = send(&node).await.unwrap_err();
    assert!(matches!(error, BackendError::Dropped { .. }), "{error}");
    assert!(error.to_string().contains("safe to try again"), "{error}");
    assert!(node.asked("sendTransaction").len() >= 2, "it was never broadcast again");
    assert_eq!(distinct(&node), 1);
}

#[tokio::test]
async fn a_node_that_goes_away_after_the_send_does_not_lead_to_a_second_transaction() {
    let away = Arc::new(AtomicBool::new(false));
    let gone = Arc::clone(&away);
    let node = FakeNode::start(move |method, params, before| match method {
        "sendTransaction" => {
            gone.store(true, Ordering::SeqCst);
            Reply::Cut
        }
        "getBlockHeight" if gone.load(Ordering::SeqCst) && before < 3 => Reply::Status(502),
        "getSignatureStatuses" => Reply::Result(status(Value::Null)),
        _ => usual(method, params),
    })
    .await;
    let sent = send(&node).await.unwrap();
    assert_eq!(sent.slot, 77);
    assert!(away.load(Ordering::SeqCst));
    assert_eq!(distinct(&node), 1);
}

#[tokio::test]
async fn a_failing_simulation_is_explained_and_nothing_is_sent() {
    let manager = upgrade_manager::ID;
    let node = FakeNode::start(move |method, params, _| match method {
        "simulateTransaction" => Reply::Result(context(json!({
            "err": {"InstructionError": [1, {"Custom": 6043}]},
            "logs": [format!("Program {manager} failed: custom program error: 0x179b")],
            "unitsConsumed": 3,
        }))),
        _ => usual(method, params),
    })
    .await;
    let error = send(&node).await.unwrap_err();
    assert!(error.to_string().contains("The buffer has not been attested."), "{error}");
    assert!(node.asked("sendTransaction").is_empty());
}

#[tokio::test]
async fn a_failure_on_chain_carries_the_transactions_own_error_and_its_signature() {
    let node = FakeNode::start(|method, params, _| match method {
        "getSignatureStatuses" => {
            Reply::Result(status(json!({"InstructionError": [1, {"Custom": 6040}]})))
        }
        _ => usual(method, params),
    })
    .await;
    let error = send(&node).await.unwrap_err();
    let expected = signature(&node.asked("sendTransaction")[0]);
    let BackendError::Transaction { signature: Some(signature), failure, .. } = error else {
        panic!("{error}");
    };
    assert_eq!(signature, expected);
    assert!(failure.sentence.contains("trimmed length"), "{failure}");
}
