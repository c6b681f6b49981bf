//! What a rule does to an answer.
use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::transaction;
use crate::keys;

/// The code of a node's refusal to send a transaction to a client that could not read it.
const UNSUPPORTED_VERSION: i64 = -32_015;
/// Marks a value that goes into the answer without quotes: a number that JSON libraries would
/// round.
const VERBATIM: &str = "verbatim:";

/// One kind of fault.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    /// Answers with this result instead of asking the chain.
    Answer(Value),
    /// Answers with this error instead of asking the chain.
    Error(Value),
    /// Adds to the number that is the answer, or to the number under a key of the answer.
    Add(Add),
    /// Repeats the first answer.
    Freeze,
    /// Answers that the status of every transaction is unknown.
    NullStatuses,
    /// Lists only a share of the accounts, the same ones in every answer.
    Truncate(Truncate),
    /// Lists all but this many of the oldest transactions.
    DropOldest(usize),
    /// Lists a stranger's transaction in a slot of its own.
    AddEntry(AddEntry),
    /// Answers with a transaction that did nothing, in the slot of the entry that was added for it;
    /// refuses clients that do not declare its version, as nodes do.
    Transaction(EmptyTransaction),
    /// Sets a field to another value in every object of the answer.
    Set(Set),
    /// Removes a field from every object of the answer.
    Remove(String),
    /// Accepts a transaction without a compute unit price, answers with its signature, and drops
    /// it.
    DropWithoutFee,
}

/// See [`Change::Add`].
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Add {
    number: i64,
    key: Option<String>,
}

/// See [`Change::Truncate`].
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Truncate {
    /// Share of the accounts that is listed, rounded up.
    percent: usize,
    /// Accounts that fall out first; else the highest addresses do.
    #[serde(default)]
    last: Vec<String>,
}

/// See [`Change::AddEntry`].
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AddEntry {
    signature: String,
    /// The error of a failed transaction; absent for a successful one.
    err: Option<Value>,
}

/// See [`Change::Transaction`].
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EmptyTransaction {
    version: u64,
}

/// See [`Change::Set`].
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Set {
    key: String,
    /// The value as it is written into the answer, digit by digit.
    json: String,
}

/// ProxyState that the rules of one proxy share.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// Slots of the added entries, by signature.
    added: BTreeMap<String, u64>,
}

impl Change {
    /// Whether it changes the list of transactions, which clients read page by page.
    pub(super) fn is_about_history(&self) -> bool {
        matches!(self, Self::DropOldest(_) | Self::AddEntry(_))
    }

    /// The result or error, when the change answers instead of the chain.
    pub(super) fn instead(&self, params: &Value, memory: &Memory) -> Option<Result<Value, Value>> {
        match self {
            Self::Answer(result) => Some(Ok(result.clone())),
            Self::Error(error) => Some(Err(error.clone())),
            Self::Transaction(empty) => Some(empty.answer(params, memory)),
            Self::DropWithoutFee if !transaction::sets_unit_price(params) => {
                transaction::signature(params).map(|signature| Ok(signature.into()))
            }
            _ => None,
        }
    }

    /// Changes what the chain answered; `first` is kept for the rule. Returns whether it could.
    pub(super) fn apply(
        &self,
        result: &mut Value,
        first: &mut Option<Value>,
        memory: &mut Memory,
    ) -> bool {
        match self {
            Self::Add(Add { number, key }) => {
                let place = match key {
                    Some(key) => result.get_mut(key),
                    None => Some(result),
                };
                let Some((place, old)) = place.and_then(|p| p.as_i64().map(|old| (p, old))) else {
                    return false;
                };
                *place = json!(old.saturating_add(*number));
            }
            Self::Freeze => *result = first.get_or_insert_with(|| result.clone()).clone(),
            Self::NullStatuses => {
                let Some(statuses) = result["value"].as_array_mut() else { return false };
                statuses.fill(Value::Null);
            }
            Self::Truncate(truncate) => return truncate.apply(result),
            Self::DropOldest(count) => {
                let Some(entries) = result.as_array_mut() else { return false };
                entries.truncate(entries.len().saturating_sub(*count));
            }
            Self::AddEntry(entry) => return entry.apply(result, memory),
            Self::Set(Set { key, json }) => {
                return each_object(result, &mut |object| match object.get_mut(key) {
                    Some(value) => {
                        *value = format!("{VERBATIM}{json}").into();
                        true
                    }
                    None => false,
                });
            }
            Self::Remove(key) => {
                return each_object(result, &mut |object| object.remove(key).is_some());
            }
            Self::Answer(_) | Self::Error(_) | Self::Transaction(_) | Self::DropWithoutFee => {
                return false;
            }
        }
        true
    }
}

impl Truncate {
    fn apply(&self, result: &mut Value) -> bool {
        // The list stands alone or beside a `context`.
        let list = if result.is_array() { result } else { &mut result["value"] };
        let Some(accounts) = list.as_array_mut() else { return false };
        accounts.sort_by_key(|account| {
            let address = account["pubkey"].as_str().unwrap_or_default().to_owned();
            (self.last.contains(&address), address)
        });
        accounts.truncate((accounts.len() * self.percent).div_ceil(100));
        true
    }
}

impl AddEntry {
    fn apply(&self, result: &mut Value, memory: &mut Memory) -> bool {
        let Some(entries) = result.as_array_mut() else { return false };
        let slot_of = |entry: &Value| entry["slot"].as_u64().unwrap_or_default();
        let newest = entries.first().map(slot_of).unwrap_or_default();
        let slot = *memory.added.entry(self.signature.clone()).or_insert(newest + 1);
        let at = entries.iter().position(|e| slot_of(e) < slot).unwrap_or(entries.len());
        entries.insert(
            at,
            json!({
                "signature": self.signature, "slot": slot, "err": self.err, "memo": null,
                "blockTime": 1_796_000_000, "confirmationStatus": "finalized",
            }),
        );
        true
    }
}

impl EmptyTransaction {
    fn answer(&self, params: &Value, memory: &Memory) -> Result<Value, Value> {
        let declared = params[1]["maxSupportedTransactionVersion"].as_u64();
        let version = self.version;
        if declared.is_none_or(|declared| declared < version) {
            let message = format!(
                "Transaction version ({version}) is not supported by the requesting client. Please try the request again with the following configuration parameter: \"maxSupportedTransactionVersion\": {version}"
            );
            return Err(json!({"code": UNSUPPORTED_VERSION, "message": message}));
        }
        let signature = params[0].as_str().unwrap_or_default();
        let Some(slot) = memory.added.get(signature) else { return Ok(Value::Null) };
        let stranger = keys::address("stranger").to_string();
        Ok(json!({
            "slot": slot,
            "blockTime": 1_796_000_000,
            "version": version,
            "meta": {
                "err": null, "status": {"Ok": null}, "fee": 5_000,
                "preBalances": [10_000, 1], "postBalances": [5_000, 1],
                "innerInstructions": [], "logMessages": [],
                "preTokenBalances": [], "postTokenBalances": [], "rewards": [],
                "loadedAddresses": {"writable": [], "readonly": []},
                "computeUnitsConsumed": 0,
            },
            "transaction": {
                "signatures": [signature],
                "message": {
                    "header": {
                        "numRequiredSignatures": 1, "numReadonlySignedAccounts": 0,
                        "numReadonlyUnsignedAccounts": 1,
                    },
                    "accountKeys": [stranger, upgrade_manager::ID.to_string()],
                    "recentBlockhash": stranger,
                    "instructions": [],
                    "addressTableLookups": [],
                },
            },
        }))
    }
}

/// Makes `params` of `getSignaturesForAddress` ask for the whole list.
pub(super) fn ask_for_whole_history(params: &mut Value) {
    if let Some(options) = params.get_mut(1).and_then(Value::as_object_mut) {
        for key in ["before", "until", "limit"] {
            options.remove(key);
        }
    }
}

/// Cuts the page that `params` asked for out of the whole list.
pub(super) fn cut_page(result: &mut Value, params: &Value) {
    let Some(entries) = result.as_array_mut() else { return };
    let options = &params[1];
    let place = |name: &str| {
        let wanted = options[name].as_str()?;
        let found = entries.iter().position(|e| e["signature"] == wanted);
        Some(found.unwrap_or(entries.len()))
    };
    let from = place("before").map_or(0, |at| at.saturating_add(1)).min(entries.len());
    let to = place("until").unwrap_or(entries.len()).max(from);
    let limit = options["limit"].as_u64().and_then(|limit| usize::try_from(limit).ok());
    let page = entries[from..to].iter().take(limit.unwrap_or(usize::MAX)).cloned();
    *result = page.collect();
}

/// An answer as it is sent.
pub(super) fn text(answer: &Value) -> String {
    let mut text = answer.to_string();
    let mark = format!("\"{VERBATIM}");
    while let Some(start) = text.find(&mark) {
        let end = start + mark.len();
        let length = text[end..].find('"').expect("a string has an end");
        let verbatim = text[end..end + length].to_owned();
        text.replace_range(start..=end + length, &verbatim);
    }
    text
}

/// Calls `change` with every object in `value`; returns whether any call did.
fn each_object(
    value: &mut Value,
    change: &mut impl FnMut(&mut Map<String, Value>) -> bool,
) -> bool {
    let mut any = false;
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| any |= each_object(item, change)),
        Value::Object(object) => {
            any |= change(object);
            object.values_mut().for_each(|item| any |= each_object(item, change));
        }
        _ => {}
    }
    any
}
