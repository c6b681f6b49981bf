//! Refusals of one transaction: by the node's simulation, by the node at the broadcast, or on chain.
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use backend::BackendError;
use serde_json::{Value, json};

use crate::{
    fake_node::{FakeNode, Reply},
    sending::{context, distinct, send, signature, status, unknown, usual},
};

#[tokio::test]
async fn a_refused_first_broadcast_is_reported_at_once_in_the_nodes_words() {
    for (refusal, words) in [
        (Reply::Error(-32052, "API key is not allowed to access blockchain"), "not allowed"),
        (Reply::Error(-32601, "Method not found"), "Method not found"),
        (Reply::Status(403), "HTTP 403"),
    ] {
        let node = FakeNode::start(move |method, params, _| match method {
            "sendTransaction" => refusal.clone(),
            "getSignatureStatuses" => unknown(),
            _ => usual(method, params),
        })
        .await;
        let error = send(&node).await.unwrap_err();
        assert!(matches!(error, BackendError::NotTaken { .. }), "{error}");
        let said = error.to_string();
        assert!(
            said.contains(words) && said.contains(&signature(&node.asked("sendTransaction")[0]))
        );
        assert_eq!(node.asked("sendTransaction").len(), 1);
    }
}

#[tokio::test]
async fn a_refusal_after_a_broadcast_that_may_have_been_accepted_is_not_the_outcome() {
    for first in [Reply::Cut, Reply::Error(-32603, "Internal error")] {
        let sends = Arc::new(AtomicUsize::new(0));
        let seen = Arc::clone(&sends);
        let node = FakeNode::start(move |method, params, _| match method {
            "sendTransaction" if seen.fetch_add(1, Ordering::SeqCst) == 0 => first.clone(),
            "sendTransaction" => Reply::Status(403),
            // The transaction shows only after the refusal.
            "getSignatureStatuses" if seen.load(Ordering::SeqCst) < 2 => unknown(),
            "getSignatureStatuses" => Reply::Result(status(Value::Null)),
            _ => usual(method, params),
        })
        .await;
        assert_eq!(send(&node).await.unwrap().slot, 77);
        assert!(sends.load(Ordering::SeqCst) >= 2 && distinct(&node) == 1);
    }
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

/// An error that no release has today.
fn future_error() -> Value {
    json!({"InstructionError": [0, {"FutureVariant": 1}]})
}

#[tokio::test]
async fn an_unknown_error_of_a_simulation_is_reported_and_nothing_is_sent() {
    let node = FakeNode::start(|method, params, _| match method {
        "simulateTransaction" => Reply::Result(context(json!({
            "err": future_error(), "logs": null, "unitsConsumed": null,
            "loadedAccountsDataSize": 1.5, "returnData": {"future": true},
        }))),
        _ => usual(method, params),
    })
    .await;
    let error = send(&node).await.unwrap_err();
    assert!(error.to_string().contains("FutureVariant"), "{error}");
    assert!(matches!(error, BackendError::Transaction { signature: None, .. }), "{error}");
    assert!(node.asked("sendTransaction").is_empty());
}

#[tokio::test]
async fn a_transaction_that_failed_with_an_unknown_error_has_landed_and_failed() {
    let node = FakeNode::start(|method, params, _| match method {
        "getSignatureStatuses" => Reply::Result(status(future_error())),
        // A transaction of a version that this build does not know, with a log that it can read.
        "getTransaction" => Reply::Result(json!({
            "slot": 77, "blockTime": null, "version": 1, "transaction": {"future": 1},
            "meta": {"err": future_error(), "status": {"Err": future_error()},
                "logMessages": ["Program log: it is full"]},
        })),
        _ => usual(method, params),
    })
    .await;
    let error = send(&node).await.unwrap_err();
    let said = error.to_string();
    assert!(matches!(error, BackendError::Transaction { signature: Some(_), .. }), "{said}");
    assert!(said.contains("FutureVariant") && said.contains("it is full"), "{said}");
    let asked = &node.asked("getTransaction")[0][1];
    assert_eq!(asked["maxSupportedTransactionVersion"], 1);
}

#[tokio::test]
async fn a_preflight_that_refuses_with_an_unknown_error_is_reported_at_once() {
    let node = FakeNode::start(|method, params, _| match method {
        "sendTransaction" => Reply::Refusal(json!({
            "code": -32002,
            "message": "Transaction simulation failed: Error processing Instruction 0: future variant",
            "data": {"err": future_error(), "logs": [], "unitsConsumed": 1},
        })),
        _ => usual(method, params),
    })
    .await;
    let error = send(&node).await.unwrap_err();
    assert!(error.to_string().contains("future variant"), "{error}");
    assert!(matches!(error, BackendError::NotTaken { .. }), "{error}");
    assert_eq!(node.asked("sendTransaction").len(), 1);
}
