//! The errors of a node that is down, slow, rate-limited, on another cluster, or sends wrong answers.
use std::time::Duration;

use backend::{BackendError, ChainClient, ChainClientConfig, Filter};
use serde_json::{Value, json};
use solana_pubkey::Pubkey;

use crate::fake_node::{FakeNode, Reply};

const GENESIS: [u8; 32] = [7; 32];

fn genesis() -> Value {
    json!(solana_hash::Hash::new_from_array(GENESIS).to_string())
}

fn config(url: &str) -> ChainClientConfig {
    ChainClientConfig { timeout: Duration::from_secs(60), ..ChainClientConfig::new(url) }
}

async fn connected(node: &FakeNode) -> ChainClient {
    ChainClient::connect(config(&node.url)).await.unwrap()
}

fn account(owner: &Pubkey, data: &[u8], space: usize) -> Value {
    use base64::{Engine, prelude::BASE64_STANDARD};
    json!({
        "lamports": 5, "owner": owner.to_string(), "executable": false, "rentEpoch": 0,
        "space": space, "data": [BASE64_STANDARD.encode(data), "base64"],
    })
}

fn context(value: Value) -> Value {
    json!({"context": {"slot": 9}, "value": value})
}

#[tokio::test]
async fn a_node_that_is_down_is_named_with_the_connection_error() {
    // No server of a test can get this port.
    let error = ChainClient::connect(config("http://127.0.0.1:9")).await.err().unwrap();
    assert!(matches!(error, BackendError::Unreachable { .. }), "{error}");
    let said = error.to_string();
    assert!(said.contains("127.0.0.1:9") && said.contains("refused"), "{said}");
}

#[tokio::test]
async fn a_node_that_never_answers_is_reported_as_slow() {
    let node = FakeNode::start(|_, _, _| Reply::Hang).await;
    let config = ChainClientConfig { timeout: Duration::from_millis(200), ..config(&node.url) };
    let error = ChainClient::connect(config).await.err().unwrap();
    assert!(matches!(error, BackendError::Slow { .. }), "{error}");
    assert!(error.to_string().contains("200ms"), "{error}");
}

#[tokio::test]
async fn http_429_is_reported_as_too_many_requests() {
    let node = FakeNode::start(|_, _, _| Reply::Status(429)).await;
    let error = ChainClient::connect(config(&node.url)).await.err().unwrap();
    assert!(matches!(error, BackendError::RateLimited { .. }), "{error}");
    assert!(error.to_string().contains("429"), "{error}");
}

#[tokio::test]
async fn another_cluster_is_refused_with_both_genesis_hashes() {
    let node = FakeNode::start(|_, _, _| Reply::Result(genesis())).await;
    let expected = ChainClientConfig { genesis_hash: Some([8; 32]), ..config(&node.url) };
    let error = ChainClient::connect(expected).await.err().unwrap();
    let said = error.to_string();
    assert!(matches!(error, BackendError::WrongCluster { .. }), "{said}");
    for hash in [GENESIS, [8; 32]] {
        assert!(said.contains(&solana_hash::Hash::new_from_array(hash).to_string()), "{said}");
    }
    let same = ChainClientConfig { genesis_hash: Some(GENESIS), ..config(&node.url) };
    assert_eq!(ChainClient::connect(same).await.unwrap().genesis_hash(), GENESIS);
}

#[tokio::test]
async fn a_read_is_retried_after_a_network_error() {
    let node = FakeNode::start(|method, _, before| match (method, before) {
        ("getGenesisHash", 0) => Reply::Status(503),
        ("getGenesisHash", 1) => Reply::Cut,
        ("getGenesisHash", _) => Reply::Result(genesis()),
        _ => Reply::Error(-32601, "unknown"),
    })
    .await;
    connected(&node).await;
    assert_eq!(node.asked("getGenesisHash").len(), 3);
}

#[tokio::test]
async fn an_rpc_error_is_quoted_and_not_retried() {
    let node = FakeNode::start(|method, _, _| match method {
        "getGenesisHash" => Reply::Result(genesis()),
        _ => Reply::Error(-32010, "key excluded from secondary indexes"),
    })
    .await;
    let client = connected(&node).await;
    let error = client.program_accounts(&Pubkey::default(), &[]).await.err().unwrap();
    assert!(error.to_string().contains("key excluded from secondary indexes"), "{error}");
    assert_eq!(node.asked("getProgramAccounts").len(), 1);
}

#[tokio::test]
async fn an_account_cut_short_is_refused() {
    let wanted = Pubkey::new_from_array([3; 32]);
    let node = FakeNode::start(move |method, _, _| match method {
        "getGenesisHash" => Reply::Result(genesis()),
        _ => Reply::Result(context(json!([account(&wanted, &[1, 2, 3], 10)]))),
    })
    .await;
    let error = connected(&node).await.account(&wanted).await.err().unwrap();
    assert!(matches!(error, BackendError::BadAccount { .. }), "{error}");
    let said = error.to_string();
    assert!(said.contains(&wanted.to_string()) && said.contains("3 of its 10 bytes"), "{said}");
}

/// Accounts as nodes and providers were seen to write them.
fn odd_accounts() -> [Value; 4] {
    let (owner, data) = (Pubkey::default().to_string(), json!(["AAAA", "base64"]));
    // u64::MAX went through a provider's JavaScript.
    let rent = 18_446_744_073_709_552_000.0_f64;
    [
        json!({"lamports": 1, "owner": owner, "executable": false, "data": data,
            "rentEpoch": rent, "space": 3}),
        json!({"lamports": 1, "owner": owner, "executable": false, "data": data, "rentEpoch": rent}),
        json!({"lamports": 1, "owner": owner, "executable": false, "data": data}),
        json!({"lamports": 1, "owner": owner, "executable": false, "data": data,
            "rentEpoch": "18446744073709551615", "space": null, "future": {"a": [1]}}),
    ]
}

#[tokio::test]
async fn unknown_fields_do_not_refuse_an_account() {
    for odd in odd_accounts() {
        let (of, shown) = (odd.clone(), odd.to_string());
        let wanted = Pubkey::new_from_array([3; 32]);
        let node = FakeNode::start(move |method, _, _| match method {
            "getGenesisHash" => Reply::Result(genesis()),
            // The context has no `apiVersion`, which is not read.
            "getMultipleAccounts" => Reply::Result(json!({
                "context": {"slot": 9, "apiVersion": "future"}, "value": [of.clone()],
            })),
            _ => Reply::Result(json!([{"pubkey": wanted.to_string(), "account": of.clone()}])),
        })
        .await;
        let client = connected(&node).await;
        let one = client.account(&wanted).await.expect(&shown).expect(&shown);
        assert_eq!((one.data.len(), one.lamports), (3, 1), "{shown}");
        let listed = client.program_accounts(&Pubkey::default(), &[]).await.expect(&shown);
        assert_eq!(listed, [(wanted, one)], "{shown}");
        let asked = &node.asked("getMultipleAccounts")[0][1];
        assert!(asked["dataSlice"].is_null(), "all bytes are asked for");
    }
}

#[tokio::test]
async fn fewer_accounts_than_asked_for_are_an_error() {
    let node = FakeNode::start(|method, _, _| match method {
        "getGenesisHash" => Reply::Result(genesis()),
        _ => Reply::Result(context(json!([null]))),
    })
    .await;
    let keys = [Pubkey::new_from_array([1; 32]), Pubkey::new_from_array([2; 32])];
    let error = connected(&node).await.accounts(&keys).await.err().unwrap();
    assert!(error.to_string().contains("1 accounts instead of 2"), "{error}");
}

#[tokio::test]
async fn a_listed_account_of_another_program_is_an_error_and_one_that_does_not_match_is_left_out() {
    let (owner, other) = (Pubkey::new_from_array([1; 32]), Pubkey::new_from_array([2; 32]));
    let listed = move |owner: Pubkey, data: &[u8]| json!([{"pubkey": other.to_string(), "account": account(&owner, data, data.len())}]);
    let node = FakeNode::start(move |method, _, before| match (method, before) {
        ("getGenesisHash", _) => Reply::Result(genesis()),
        (_, 0) => Reply::Result(listed(other, &[9, 9])),
        (_, 1) => Reply::Result(listed(owner, &[9, 8])),
        _ => Reply::Result(listed(owner, &[9, 9])),
    })
    .await;
    let client = connected(&node).await;
    let filters = [Filter::Bytes { at: 0, bytes: vec![9, 9] }];
    let error = client.program_accounts(&owner, &filters).await.err().unwrap();
    assert!(matches!(error, BackendError::ForeignOwner { .. }), "{error}");
    assert!(error.to_string().contains(&other.to_string()), "{error}");
    assert!(client.program_accounts(&owner, &filters).await.unwrap().is_empty());
    assert_eq!(client.program_accounts(&owner, &filters).await.unwrap().len(), 1);
}

#[tokio::test]
async fn an_account_that_is_listed_twice_counts_once() {
    let (owner, at) = (Pubkey::new_from_array([1; 32]), Pubkey::new_from_array([2; 32]));
    let node = FakeNode::start(move |method, _, _| {
        let one = json!({"pubkey": at.to_string(), "account": account(&owner, &[9], 1)});
        match method {
            "getGenesisHash" => Reply::Result(genesis()),
            _ => Reply::Result(json!([one, one])),
        }
    })
    .await;
    assert_eq!(connected(&node).await.program_accounts(&owner, &[]).await.unwrap().len(), 1);
}
