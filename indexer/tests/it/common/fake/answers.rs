//! Answers to every method except account lists.
use serde_json::{Value, json};
use solana_pubkey::Pubkey;

use super::{
    State,
    state::Quirk,
    wire::{account, at, future_error, transaction},
};

const CLOCK: Pubkey = Pubkey::from_str_const("SysvarC1ock11111111111111111111111111111111");

type Answer = Result<Value, (i64, &'static str)>;

/// The node's answer.
pub fn answer(state: &mut State, method: &str, params: &Value) -> Answer {
    Ok(match method {
        "getGenesisHash" => json!(bs58::encode(state.genesis).into_string()),
        "getVersion" => match state.surfnet {
            Some(_) => json!({"solana-core": "4.2.1", "surfnet-version": "1.6.1"}),
            None => json!({"solana-core": "3.1.0", "feature-set": 1}),
        },
        // A lagging node still reports itself as healthy.
        "getHealth" => json!("ok"),
        "getSlot" => match params[0]["commitment"].as_str() {
            Some("processed") => json!(state.slot),
            Some("confirmed") => json!(reached(state, &params[0])?),
            _ => json!(state.finalized),
        },
        "getBlocks" => {
            let from = params[0].as_u64().unwrap_or_default();
            let upto = params[1].as_u64().unwrap_or(u64::MAX).min(state.finalized);
            let slots = (from..=upto).filter(|s| !state.skipped.contains(s));
            json!(slots.collect::<Vec<_>>())
        }
        "getAccountInfo" => {
            let slot = reached(state, &params[1])?;
            let key: Pubkey = params[0].as_str().unwrap_or_default().parse().unwrap_or_default();
            at(slot, &one(state, &key))
        }
        "getMultipleAccounts" => {
            let slot = reached(state, &params[1])?;
            let keys = params[0].as_array().map(Vec::as_slice).unwrap_or_default();
            if keys.len() > 100 {
                return Err((-32_602, "Too many inputs provided; max 100"));
            }
            let parse = |k: &Value| k.as_str().unwrap_or_default().parse().unwrap_or_default();
            let found = at(slot, &keys.iter().map(|k| one(state, &parse(k))).collect());
            state.slot += state.leap;
            found
        }
        "getSignaturesForAddress" => signatures(state, params),
        "getBlock" => {
            let slot = params[0].as_u64();
            let of_slot = state.history.iter().filter(|t| Some(t.slot) == slot);
            let mut signatures: Vec<&String> = of_slot.map(|t| &t.signature).collect();
            if state.quirk == Quirk::NoBlock {
                signatures.clear();
            }
            json!({
                "blockhash": bs58::encode([2; 32]).into_string(), "blockTime": 9,
                "previousBlockhash": bs58::encode([1; 32]).into_string(),
                "parentSlot": 1, "blockHeight": 1, "signatures": signatures,
            })
        }
        "getTransaction" => {
            let signature = params[0].as_str().unwrap_or_default();
            let readable = params[1]["maxSupportedTransactionVersion"].as_u64();
            match state.history.iter().find(|t| t.signature == signature) {
                Some(tx) if state.lost.as_deref() == Some(&tx.signature) => Value::Null,
                Some(tx) if tx.version > readable.unwrap_or_default() => {
                    return Err((
                        -32_015,
                        "Transaction version is not supported by the requesting client. Please try the request again with a higher maxSupportedTransactionVersion",
                    ));
                }
                Some(tx) if state.quirk == Quirk::Garbage && tx.version > 0 => {
                    json!({"slot": "none"})
                }
                Some(tx) if state.quirk == Quirk::NoInner => {
                    let mut answer = transaction(tx);
                    answer["meta"]["innerInstructions"] = Value::Null;
                    answer
                }
                Some(tx) => transaction(tx),
                None => Value::Null,
            }
        }
        _ => return Err((-32_601, "Method not found")),
    })
}

/// The confirmed slot, if it satisfies `minContextSlot` in `options`.
fn reached(state: &State, options: &Value) -> Result<u64, (i64, &'static str)> {
    let slot = state.confirmed();
    match options["minContextSlot"].as_u64() {
        Some(min) if min > slot => Err((-32_016, "Minimum context slot has not been reached")),
        _ => Ok(slot),
    }
}

fn one(state: &State, key: &Pubkey) -> Value {
    if *key == CLOCK {
        let mut clock = [0; 40];
        clock[..8].copy_from_slice(&state.slot.to_le_bytes());
        clock[32..].copy_from_slice(&state.unix.to_le_bytes());
        return account(state.form, &Pubkey::default(), &clock);
    }
    let found = state.accounts.get(key);
    found.map_or(Value::Null, |(owner, data)| account(state.form, owner, data))
}

fn signatures(state: &State, params: &Value) -> Value {
    let before = params[1]["before"].as_str().filter(|_| state.quirk != Quirk::Circle);
    let until = params[1]["until"].as_str();
    let limit = params[1]["limit"].as_u64().map_or(1_000, |n| usize::try_from(n).unwrap());
    let mut seen = before.is_none();
    let mut out = vec![];
    for tx in state.history.iter().rev() {
        if until == Some(&tx.signature) {
            break;
        }
        if seen {
            out.push(json!({
                "signature": tx.signature, "slot": tx.slot, "memo": null,
                "err": tx.failed.then(future_error), "blockTime": null,
                "confirmationStatus": "finalized",
            }));
        }
        seen |= before == Some(&tx.signature);
    }
    out.truncate(limit.min(state.signatures));
    if state.quirk == Quirk::Shuffled {
        // Reversed within each slot, and every entry twice.
        let slots: Vec<Vec<Value>> =
            out.chunk_by(|a, b| a["slot"] == b["slot"]).map(<[_]>::to_vec).collect();
        out = slots
            .into_iter()
            .flat_map(|s| [s.clone(), s.into_iter().rev().collect()].concat())
            .collect();
    }
    Value::Array(out)
}
