//! A node's answers and messages as JSON, and the transactions of its history.
use anchor_lang::{Event, event::EVENT_IX_TAG_LE};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use solana_pubkey::Pubkey;

use super::state::Form;
use crate::common::fixtures::PROGRAM_ID;

/// One transaction of the node's history.
#[derive(Clone)]
pub struct Tx {
    pub slot: u64,
    pub signature: String,
    pub failed: bool,
    /// What a client must be able to read; 0 is what all read.
    pub version: u64,
    /// Inner instructions: program, first account, data.
    pub inner: Vec<(Pubkey, Pubkey, Vec<u8>)>,
}

/// Owner and data.
pub type Account = (Pubkey, Vec<u8>);

/// `value` with the slot that it speaks of.
pub fn at(slot: u64, value: &Value) -> Value {
    json!({"context": {"slot": slot, "apiVersion": "3.1.0"}, "value": value})
}

/// The beginning of such an answer, up to its first field's end.
pub fn context(slot: u64) -> String {
    format!("{{\"context\":{{\"apiVersion\":\"3.1.0\",\"slot\":{slot}}}")
}

/// A refusal as JSON.
pub fn error(id: &Value, code: i64, message: &str) -> String {
    let error = json!({"code": code, "message": message});
    json!({"jsonrpc": "2.0", "id": id, "error": error}).to_string()
}

/// The notification for a closed account.
pub fn gone() -> Value {
    json!({
        "lamports": 0, "data": ["", "base64"], "owner": Pubkey::default().to_string(),
        "executable": false, "rentEpoch": u64::MAX, "space": 0,
    })
}

pub fn account(form: Form, owner: &Pubkey, data: &[u8]) -> Value {
    let mut account = json!({
        "lamports": 1, "data": [BASE64_STANDARD.encode(data), "base64"],
        "owner": owner.to_string(), "executable": false, "rentEpoch": 0, "space": data.len(),
    });
    if form != Form::Usual {
        account["rentEpoch"] = json!(18_446_744_073_709_552_000.0_f64);
    }
    if form == Form::Old {
        account.as_object_mut().unwrap().remove("space");
    }
    account
}

/// An error of a transaction that only a node of the future has.
pub fn future_error() -> Value {
    json!({"InstructionError": [0, {"FutureVariant": 1}]})
}

/// The inner instruction by which the manager emits `event`.
pub fn emitted(event: &impl Event) -> (Pubkey, Pubkey, Vec<u8>) {
    let data = [EVENT_IX_TAG_LE, &event.data()].concat();
    (PROGRAM_ID, upgrade_manager::seeds::event_authority(), data)
}

pub fn transaction(tx: &Tx) -> Value {
    let mut keys = vec![Pubkey::new_from_array([200; 32]), PROGRAM_ID];
    let mut place = |key: &Pubkey| {
        let at = keys.iter().position(|k| k == key).unwrap_or_else(|| {
            keys.push(*key);
            keys.len() - 1
        });
        u8::try_from(at).unwrap()
    };
    let inner: Vec<Value> = tx
        .inner
        .iter()
        .map(|(program, first, data)| {
            json!({
                "programIdIndex": place(program), "accounts": [place(first)],
                "data": bs58::encode(data).into_string(), "stackHeight": 2,
            })
        })
        .collect();
    let error = json!({"Err": future_error()});
    let version = if tx.version == 0 { json!("legacy") } else { json!(tx.version) };
    json!({
        "slot": tx.slot, "blockTime": 1_700_000_000, "version": version,
        "transaction": {
            "signatures": [tx.signature],
            "message": {
                "header": {
                    "numRequiredSignatures": 1, "numReadonlySignedAccounts": 0,
                    "numReadonlyUnsignedAccounts": 1,
                },
                "accountKeys": keys.iter().map(ToString::to_string).collect::<Vec<_>>(),
                "recentBlockhash": bs58::encode([3; 32]).into_string(),
                "instructions": [
                    {"programIdIndex": 1, "accounts": [0], "data": "", "stackHeight": 1},
                ],
            },
        },
        "meta": {
            "err": tx.failed.then(future_error),
            "status": if tx.failed { error } else { json!({"Ok": null}) },
            "fee": 5000, "preBalances": [], "postBalances": [],
            "innerInstructions": [{"index": 0, "instructions": inner}],
            "logMessages": [], "preTokenBalances": [], "postTokenBalances": [], "rewards": [],
            "loadedAddresses": {"writable": [], "readonly": []}, "computeUnitsConsumed": 1,
        },
    })
}
