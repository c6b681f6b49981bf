//! Readings of all accounts from nodes that offer ever less.
use std::{
    collections::BTreeMap,
    sync::{
        Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use serde_json::{Value, json};

use super::*;
use crate::source::{
    body::PIECE_ACCOUNTS,
    scan_strategy::tests::{matches, record},
    testing::{FakeNode, Reply, account, address, keyed, listing},
};

const SLOT: u64 = 50;

/// 300 records under their addresses.
fn records() -> Vec<(Pubkey, Vec<u8>)> {
    let mut all: Vec<_> = (1..=300).map(|n| (address(n), record(address(10_000 + n)))).collect();
    all.sort();
    all
}

struct NamedAccounts(Vec<Pubkey>);

#[async_trait]
impl KnownAccounts for NamedAccounts {
    async fn after(&self, after: Option<Pubkey>, most: usize) -> Result<Vec<Pubkey>> {
        let behind = self.0.iter().filter(|key| after.is_none_or(|after| **key > after));
        Ok(behind.take(most).copied().collect())
    }
}

fn names() -> Option<Arc<dyn KnownAccounts>> {
    Some(Arc::new(NamedAccounts(records().into_iter().map(|(key, _)| key).collect())))
}

/// What a node that lists everything answers.
fn list(params: &Value, slot: u64) -> Reply {
    let found = records().into_iter().filter(|(_, data)| matches(params, data));
    let found: Vec<Value> = found.map(|(key, data)| keyed(&key, &data)).collect();
    Reply::result(&listing(slot, &found))
}

fn by_name(params: &Value, slot: u64) -> Reply {
    let all: BTreeMap<String, Vec<u8>> =
        records().into_iter().map(|(key, data)| (key.to_string(), data)).collect();
    let value: Vec<Value> = params[0]
        .as_array()
        .unwrap()
        .iter()
        .map(|key| all.get(key.as_str().unwrap()))
        .map(|data| data.map_or(Value::Null, |data| account(&upgrade_manager::ID, data)))
        .collect();
    Reply::result(&json!({"context": {"slot": slot}, "value": value}))
}

/// All accounts, in order, with the stream at its end. Each comes once.
async fn everything(
    rpc: &Rpc,
    known: Option<Arc<dyn KnownAccounts>>,
) -> Result<(Vec<Raw>, SnapshotStream)> {
    let mut stream = rpc.snapshot_of(SLOT, known).await?;
    let mut all = vec![];
    while let Some(piece) = stream.next().await? {
        assert!(!piece.is_empty() && piece.len() <= PIECE_ACCOUNTS);
        all.extend(piece);
    }
    all.sort_by_key(|raw| raw.pubkey);
    Ok((all, stream))
}

fn assert_whole(all: &[Raw]) {
    let found: Vec<_> = all.iter().map(|raw| (raw.pubkey, raw.data.clone())).collect();
    assert!(found == records(), "{} accounts", found.len());
}

#[tokio::test]
async fn a_plain_list_is_read_in_pieces() {
    let node = FakeNode::start(|_, params| list(params, SLOT + 1)).await;
    let (all, stream) = everything(&node.rpc(), None).await.unwrap();
    assert_whole(&all);
    assert_eq!((stream.slot(), stream.scan_method()), (SLOT + 1, ScanMethod::Plain));
    assert_eq!(stream.coverage(), Coverage::All);
    assert!(all.iter().all(|raw| raw.slot == SLOT + 1 && raw.write_version == 0));
}

#[tokio::test]
async fn an_answer_of_an_older_slot_is_refused_before_its_first_account() {
    let node = FakeNode::start(|_, params| list(params, SLOT - 1)).await;
    let error = node.rpc().snapshot(SLOT).await.unwrap_err();
    assert!(matches!(error, IndexerError::Behind { slot: 49, seen: 50, .. }), "{error}");
}

#[tokio::test]
async fn every_size_refusal_leads_to_pages_with_the_same_accounts() {
    for refusal in [
        Reply::error(-32_010, "excluded from account secondary indexes"),
        Reply::error(-32_012, "scan aborted"),
        Reply::error(-32_600, "Too many accounts requested: use getProgramAccountsV2"),
        Reply::status(413, ""),
        Reply::error(-32_601, "Method not found"),
    ] {
        let node = FakeNode::start(move |method, params| match method {
            "getProgramAccountsV2" => page(params),
            _ => refusal.clone(),
        })
        .await;
        let rpc = node.rpc();
        let (all, stream) = everything(&rpc, None).await.unwrap();
        assert_whole(&all);
        assert_eq!((stream.scan_method(), stream.coverage()), (ScanMethod::Pages, Coverage::All));
        // Pages are at 51, 52 and 50, in this order.
        assert_eq!(stream.slot(), SLOT, "the oldest page counts");
        assert_eq!(all.iter().map(|raw| raw.slot).max(), Some(SLOT + 2), "each row its own");
        everything(&rpc, None).await.unwrap();
        let plain = node.methods().iter().filter(|m| *m == "getProgramAccounts").count();
        assert_eq!(plain, 1, "it is not asked again");
    }
}

/// A third of the records, with pages that are short or empty before the last one.
fn page(params: &Value) -> Reply {
    let all = records();
    let (slot, part, next) = match params[1]["paginationKey"].as_str() {
        None => (SLOT + 1, &all[..100], Some("one")),
        Some("one") => (SLOT + 2, &all[100..100], Some("two")),
        Some("two") => (SLOT + 2, &all[100..120], Some("three")),
        Some(_) => (SLOT, &all[120..], None),
    };
    let accounts: Vec<Value> = part.iter().map(|(key, data)| keyed(key, data)).collect();
    let value = json!({"accounts": accounts, "paginationKey": next});
    Reply::result(&json!({"context": {"slot": slot}, "value": value}))
}

#[tokio::test]
async fn repeated_page_keys_are_an_error() {
    let node = FakeNode::start(|method, _| {
        if method == "getProgramAccounts" {
            return Reply::error(-32_012, "scan");
        }
        let value = json!({"accounts": [], "paginationKey": "again"});
        Reply::result(&json!({"context": {"slot": SLOT}, "value": value}))
    })
    .await;
    let error = everything(&node.rpc(), None).await.unwrap_err();
    assert!(error.to_string().contains("in a circle"), "{error}");
}

#[tokio::test]
async fn without_pages_each_type_is_asked_for_and_a_large_one_in_256_parts() {
    for large in [false, true] {
        let node = FakeNode::start(move |method, params| {
            let filters = params[1]["filters"].as_array().map_or(0, Vec::len);
            match (method, filters) {
                ("getProgramAccounts", 0) => Reply::error(-32_012, "scan"),
                ("getProgramAccounts", 1) if large && matches(params, &records()[0].1) => {
                    Reply::status(413, "")
                }
                ("getProgramAccounts", _) => list(params, SLOT + filters as u64),
                _ => Reply::error(-32_601, "Method not found"),
            }
        })
        .await;
        let mut config = node.config();
        config.requests_per_second = 10_000;
        let rpc = Rpc::new(&config);
        let (all, stream) = everything(&rpc, None).await.unwrap();
        assert_whole(&all);
        assert_eq!((stream.scan_method(), stream.slot()), (ScanMethod::Kinds, SLOT + 1));
        assert_eq!(stream.coverage(), Coverage::KnownKinds);
        let calls = node.methods().len();
        assert_eq!(calls, if large { 2 + 7 + 256 } else { 2 + 7 });
    }
}

#[tokio::test]
async fn without_a_list_the_known_accounts_are_read_by_address() {
    let node = FakeNode::start(|method, params| match method {
        "getMultipleAccounts" => by_name(params, SLOT + 3),
        "getProgramAccounts" => Reply::error(-32_010, "excluded"),
        _ => Reply::error(-32_601, "Method not found"),
    })
    .await;
    let rpc = node.rpc();
    let (all, stream) = everything(&rpc, names()).await.unwrap();
    assert_whole(&all);
    assert_eq!((stream.scan_method(), stream.slot()), (ScanMethod::Known, SLOT + 3));
    assert!(!stream.coverage().is_complete(), "new accounts were not looked for");
    let none: Option<Arc<dyn KnownAccounts>> = Some(Arc::new(NamedAccounts(vec![])));
    let error = everything(&rpc, none).await.unwrap_err();
    assert!(
        error.to_string().contains("no account is known"),
        "an empty mirror is no mirror: {error}"
    );
    assert!(everything(&rpc, None).await.is_err());
}

#[tokio::test]
async fn a_batch_too_large_for_one_answer_is_split() {
    let node = FakeNode::start(|method, params| match method {
        "getMultipleAccounts" if params[0].as_array().unwrap().len() > 30 => Reply::status(413, ""),
        "getMultipleAccounts" => by_name(params, SLOT),
        _ => Reply::error(-32_010, "excluded"),
    })
    .await;
    let mut config = node.config();
    config.requests_per_second = 10_000;
    let (all, _) = everything(&Rpc::new(&config), names()).await.unwrap();
    assert_whole(&all);
}

#[tokio::test]
async fn a_truncated_body_is_an_error_and_never_a_short_list() {
    let whole = list(&json!([]), SLOT);
    for cut in [30, 200, whole.body.len() / 2, whole.body.len() - 1] {
        let reply = Reply { cut: Some(cut), ..whole.clone() };
        let node = FakeNode::start(move |_, _| reply.clone()).await;
        let error = everything(&node.rpc(), None).await.unwrap_err();
        let IndexerError::Rpc { fault, .. } = error else { panic!("{error}") };
        assert_eq!(fault, RpcFault::Cut, "cut after {cut} bytes");
    }
}

#[tokio::test]
async fn a_body_with_a_short_content_length_is_an_error() {
    // A proxy that cuts an answer and counts what is left: the connection ends in good order.
    let whole = list(&json!([]), SLOT);
    for end in [200, whole.body.len() / 2, whole.body.len() - 1] {
        let reply = Reply::raw(&whole.body[..end]);
        let node = FakeNode::start(move |_, _| reply.clone()).await;
        let error = everything(&node.rpc(), None).await.unwrap_err();
        assert!(error.to_string().contains("broke off after"), "{error}");
    }
}

#[tokio::test]
async fn only_the_failed_query_is_repeated() {
    let failures = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&failures);
    let node = FakeNode::start(move |method, params| {
        let third = params[1]["paginationKey"].as_str() == Some("two");
        match method {
            "getProgramAccounts" => Reply::error(-32_012, "scan"),
            _ if third && count.fetch_add(1, Ordering::SeqCst) < 2 => {
                Reply { cut: Some(700), ..page(params) }
            }
            _ => page(params),
        }
    })
    .await;
    let (all, _) = everything(&node.rpc(), None).await.unwrap();
    let mut keys: Vec<_> = all.iter().map(|raw| raw.pubkey).collect();
    keys.dedup();
    assert_eq!(keys.len(), records().len());
    assert_eq!(node.methods().len(), 1 + 4 + 2);
}

#[tokio::test]
async fn a_node_that_stalls_in_the_middle_times_out() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let held = Arc::new(Mutex::new(vec![]));
    let keep = Arc::clone(&held);
    tokio::spawn(async move {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 4096]).await;
            let head = "HTTP/1.1 200 OK\r\ncontent-length: 9999\r\n\r\n";
            let body = r#"{"result":{"context":{"slot":50},"value":["#;
            stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
            keep.lock().unwrap().push(stream);
        }
    });
    let mut config = super::super::SourceConfig::new(url, String::new(), upgrade_manager::ID);
    config.snapshot_timeout = Duration::from_millis(300);
    let mut stream = Rpc::new(&config).snapshot(SLOT).await.unwrap();
    let error = stream.next().await.unwrap_err();
    assert!(matches!(error, IndexerError::Rpc { fault: RpcFault::Timeout, .. }), "{error}");
}

#[tokio::test]
async fn at_most_one_piece_is_in_memory() {
    let one = keyed(&address(1), &record(address(2))).to_string();
    let body = format!(
        r#"{{"jsonrpc":"2.0","result":{{"context":{{"slot":50}},"value":[{}]}},"id":1}}"#,
        vec![one; 20_000].join(",")
    );
    let node = FakeNode::start(move |_, _| Reply::raw(body.clone())).await;
    let mut stream = node.rpc().snapshot(SLOT).await.unwrap();
    let mut seen = 0;
    while let Some(piece) = stream.next().await.unwrap() {
        assert!(piece.len() <= PIECE_ACCOUNTS);
        let waiting = stream.body.as_ref().map_or(0, AnswerBody::waiting);
        assert!(waiting <= PIECE_ACCOUNTS, "{waiting}");
        seen += piece.len();
    }
    assert_eq!(seen, 20_000);
}
