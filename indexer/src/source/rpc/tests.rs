//! Calls to a node that answers badly.
use std::sync::atomic::{AtomicU32, Ordering};

use super::*;
use crate::source::testing::{FakeNode, Reply, account, address};

fn fault(error: &IndexerError) -> RpcFault {
    match error {
        IndexerError::Rpc { fault, .. } => *fault,
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn every_kind_of_refusal_is_classified_and_counted() {
    for (reply, expected) in [
        (Reply::error(-32_010, "excluded"), RpcFault::KeyExcluded),
        (Reply::error(-32_012, "scan"), RpcFault::ScanLimit),
        (Reply::error(-32_601, "Method not found"), RpcFault::MethodMissing),
        (Reply::error(-32_009, "long-term"), RpcFault::LongTermMissing),
        (Reply::status(413, ""), RpcFault::TooLarge),
        (Reply::status(503, ""), RpcFault::Other { code: 503 }),
        (Reply::status(504, ""), RpcFault::Timeout),
        (Reply::status(302, "location: http://127.0.0.1:1/\r\n"), RpcFault::Other { code: 302 }),
        (Reply::raw("<html>"), RpcFault::Garbled),
        (Reply { cut: Some(9), ..Reply::result(&json!(5)) }, RpcFault::Cut),
        (Reply::result(&json!("five")), RpcFault::Garbled),
        (Reply::result(&json!(u64::MAX)), RpcFault::Garbled),
        (Reply::result(&Value::Null), RpcFault::Garbled),
    ] {
        let said = format!("{reply:?}");
        let node = FakeNode::start(move |_, _| reply.clone()).await;
        let rpc = node.rpc();
        let error = rpc.slot(CommitmentLevel::Confirmed).await.unwrap_err();
        assert_eq!(fault(&error), expected, "{said}: {error}");
        let text = rpc.0.metrics.encode();
        let label = expected.label();
        assert!(text.contains(&format!("method=\"getSlot\",code=\"{label}\"}} 1")), "{text}");
        assert!(error.to_string().contains("did not answer getSlot"), "{error}");
    }
}

#[tokio::test]
async fn an_unreachable_node_is_named_without_its_key() {
    // No test's server gets this port.
    let url = "http://127.0.0.1:9/v1/0123456789abcdef?api-key=fedcba987654".to_owned();
    let config = SourceConfig::new(url, String::new(), upgrade_manager::ID);
    let error = Rpc::new(&config).genesis_hash().await.unwrap_err();
    assert_eq!(fault(&error), RpcFault::Connect, "{error}");
    let said = format!("{error} {error:?} {:?}", Rpc::new(&config).0.endpoint);
    assert!(!said.contains("0123456789") && !said.contains("fedcba"), "{said}");
    assert!(said.contains("127.0.0.1:9"), "{said}");
}

#[tokio::test]
async fn a_short_rate_limit_is_waited_out_and_a_long_one_returned() {
    let n = AtomicU32::new(0);
    let node = FakeNode::start(move |_, _| match n.fetch_add(1, Ordering::SeqCst) {
        0 => Reply::status(429, "Retry-After: 1\r\n"),
        1 => Reply::error(-32_005, "Too many requests for a specific RPC call"),
        2 => Reply::result(&json!(5)),
        _ => Reply::status(429, "retry-after: 100\r\n"),
    })
    .await;
    let (rpc, other) = (node.rpc(), node.rpc());
    let start = tokio::time::Instant::now();
    assert_eq!(rpc.slot(CommitmentLevel::Confirmed).await.unwrap(), 5);
    assert!(start.elapsed() >= Duration::from_secs(1), "{:?}", start.elapsed());
    let error = rpc.clone().slot(CommitmentLevel::Confirmed).await.unwrap_err();
    let asked = node.methods().len();
    assert!(
        matches!(fault(&error), RpcFault::Limited { retry_after } if retry_after.as_secs() >= 99)
    );
    assert!(error.to_string().contains("no more calls for 100 s"), "{error}");
    let error = rpc.genesis_hash().await.unwrap_err();
    assert!(
        matches!(fault(&error), RpcFault::Limited { .. }),
        "another task waits as well: {error}"
    );
    assert_eq!(node.methods().len(), asked, "and does not even ask");
    assert!(other.slot(CommitmentLevel::Confirmed).await.is_err(), "a rate limiter of its own");
}

#[tokio::test]
async fn an_endless_answer_is_refused_before_it_fills_memory() {
    let node = FakeNode::start(|_, _| Reply::raw(vec![b' '; (64 << 20) + 1])).await;
    let error = node.rpc().slot(CommitmentLevel::Confirmed).await.unwrap_err();
    assert_eq!(fault(&error), RpcFault::TooLarge, "{error}");
}

#[tokio::test]
async fn a_block_list_cut_on_either_side_is_an_error() {
    let blocks = |slots: Vec<u64>, first: u64| {
        FakeNode::start(move |method, _| match method {
            "getBlocks" => Reply::result(&json!(slots)),
            _ => Reply::result(&json!(first)),
        })
    };
    let node = blocks(vec![10, 12, 15], 3).await;
    assert_eq!(node.rpc().blocks(10, 15).await.unwrap(), Some(vec![10, 12, 15]));
    assert_eq!(node.methods(), ["getBlocks"]);
    let node = blocks(vec![11, 12, 15], 3).await;
    assert_eq!(node.rpc().blocks(10, 15).await.unwrap(), Some(vec![11, 12, 15]));
    let error = blocks(vec![10, 12], 3).await.rpc().blocks(10, 15).await.unwrap_err();
    assert!(matches!(error, IndexerError::Behind { slot: 12, seen: 15, .. }), "{error}");
    let error = blocks(vec![], 3).await.rpc().blocks(10, 15).await.unwrap_err();
    assert!(matches!(error, IndexerError::Behind { .. }), "{error}");
    let error = blocks(vec![12, 15], 12).await.rpc().blocks(10, 15).await.unwrap_err();
    assert_eq!(fault(&error), RpcFault::LongTermMissing, "{error}");
    for odd in [vec![9, 15], vec![12, 11, 15], vec![15, 16]] {
        let error = blocks(odd, 3).await.rpc().blocks(10, 15).await.unwrap_err();
        assert_eq!(fault(&error), RpcFault::Garbled, "{error}");
    }
}

#[tokio::test]
async fn a_node_without_get_blocks_returns_none() {
    let node = FakeNode::start(|_, _| Reply::error(-32_601, "Method not found")).await;
    assert_eq!(node.rpc().blocks(10, 15).await.unwrap(), None);
}

#[tokio::test]
async fn accounts_keep_the_requested_order_and_the_minimum_slot() {
    let keys = [address(1), address(2), address(3)];
    let slot = std::sync::Arc::new(std::sync::atomic::AtomicU64::new(50));
    let told = std::sync::Arc::clone(&slot);
    let node = FakeNode::start(move |_, _| {
        let value = json!([account(&address(9), &[1]), null, account(&address(9), &[0, 0])]);
        let slot = told.load(Ordering::SeqCst);
        Reply::result(&json!({"context": {"slot": slot}, "value": value}))
    })
    .await;
    let (at, found) = node.rpc().accounts(&keys, 50).await.unwrap();
    assert_eq!(at, 50);
    assert_eq!(found.iter().map(|(key, _)| *key).collect::<Vec<_>>(), keys);
    let there: Vec<bool> = found.iter().map(|(_, raw)| raw.is_some()).collect();
    assert_eq!(there, [true, false, false], "a blank account is none");
    slot.store(49, Ordering::SeqCst);
    let error = node.rpc().accounts(&keys, 50).await.unwrap_err();
    assert!(matches!(error, IndexerError::Behind { slot: 49, seen: 50, .. }), "{error}");
    let error = node.rpc().accounts(&keys[..2], 0).await.unwrap_err();
    assert_eq!(fault(&error), RpcFault::Garbled, "{error}");
}

#[tokio::test]
async fn a_call_waits_until_the_node_reaches_the_slot() {
    let n = AtomicU32::new(0);
    let node = FakeNode::start(move |_, _| {
        if n.fetch_add(1, Ordering::SeqCst) < 3 {
            return Reply::error(-32_016, "Minimum context slot has not been reached");
        }
        Reply::result(&json!({"context": {"slot": 50}, "value": []}))
    })
    .await;
    assert_eq!(node.rpc().accounts(&[], 50).await.unwrap().0, 50);
    assert_eq!(node.methods().len(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_call_gives_up_on_a_slot_that_is_never_reached() {
    let rpc = FakeNode::start(|_, _| Reply::raw("")).await.rpc();
    let start = tokio::time::Instant::now();
    let not_yet = || async {
        let failure = Failure::new(RpcFault::NotReached, "not yet");
        Err::<(), _>(rpc.failed("getMultipleAccounts", failure))
    };
    let error = rpc.reached(50, not_yet).await.unwrap_err();
    assert!(matches!(error, IndexerError::Behind { seen: 50, .. }), "{error}");
    assert!((5..=15).contains(&start.elapsed().as_secs()), "{:?}", start.elapsed());
}
