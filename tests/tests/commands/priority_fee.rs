//! The priority fee on a real chain: the fee shown before signing is the one paid, and the
//! transaction can be looked up afterwards.
use e2e::live::Live;
use sandbox::chain::tx_meta::{TxMeta, tx_meta};
use serde_json::Value;

fn fact<'a>(shown: &'a Value, label: &str) -> &'a str {
    let facts = shown["facts"].as_array().expect("facts");
    let found = facts.iter().find(|f| f["label"] == label);
    found.and_then(|f| f["value"].as_str()).unwrap_or_else(|| panic!("no {label} in {shown:#}"))
}

fn look_up(chain: &Live, signature: &str) -> TxMeta {
    let (client, signature) = (chain.chain_client(), signature.parse().expect("a signature"));
    chain.run(tx_meta(&client, &signature)).expect("it landed")
}

#[test]
fn a_vote_pays_the_priority_fee_that_was_shown_and_can_be_looked_up() {
    let chain = Live::start(2, 100, &[]);
    let out = chain.command(2, &["approve", "--json", "--priority-fee", "1000000"]);
    let shown: Value = serde_json::from_slice(&out.stdout).expect("a preflight");
    assert_eq!(out.status.code(), Some(2), "it is shown and not signed");
    assert_eq!(fact(&shown, "Priority fee"), "1000000 micro-lamports per compute unit");

    let done = chain.done(2, &["approve", "--yes", "--priority-fee", "1000000"]);
    let signature = done["receipt"]["sent"][0]["signature"].as_str().expect("a signature");
    let tx = look_up(&chain, signature);
    assert_eq!(tx.unit_price, Some(1_000_000));
    let priority = tx.fee.checked_sub(5_000).filter(|p| *p > 0).expect("more than the base fee");
    let fee = fact(&done, "Fee");
    assert!(fee.contains(&format!(" {priority} lamports of priority fee")), "{fee}");

    let found = chain.done(2, &["tx", signature]);
    let status = found["status"].as_str().expect("a status");
    assert!(["confirmed", "finalized"].contains(&status), "{found:#}");
    let other = "1".repeat(64);
    let unknown = chain.command(2, &["tx", &other]);
    let said = String::from_utf8_lossy(&unknown.stdout).into_owned();
    assert!(unknown.status.code() == Some(1) && said.contains("does not know"), "{said}");
}

#[test]
fn without_a_priority_fee_the_fee_is_the_base_fee() {
    let chain = Live::start(2, 100, &[]);
    let done = chain.done(2, &["approve", "--yes"]);
    assert!(fact(&done, "Priority fee").starts_with("none"), "{done:#}");
    let signature = done["receipt"]["sent"][0]["signature"].as_str().expect("a signature");
    let tx = look_up(&chain, signature);
    assert_eq!((tx.unit_price, tx.fee), (None, 5_000));
    let out = chain.command(3, &["approve", "--yes", "--priority-fee", "50000001"]);
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(out.status.code() == Some(2) && said.contains("at most 50000000"), "{said}");
}
