//! The parts of RPC answers that the mirror uses: accounts and transactions. Node software and providers
//! add fields, change number formats and return errors and versions that this build does not know, so
//! unused fields are never parsed: they must not make an answer unreadable.
use base64::{Engine, prelude::BASE64_STANDARD};
use serde::Deserialize;
use serde_json::Value;
use solana_pubkey::Pubkey;

use crate::{account::decode::Raw, ops::redact::plain};

/// An account. `rentEpoch` is left out on purpose: some providers write `u64::MAX` as a float.
#[derive(Clone, Debug, Deserialize)]
pub struct NodeAccount {
    /// Its balance.
    pub lamports: u64,
    /// The program that owns it.
    pub owner: String,
    /// Normally `[data, encoding]`; checked in [`Self::data`].
    data: Value,
    /// Its length in bytes; null on old nodes.
    #[serde(default)]
    space: Value,
}

impl NodeAccount {
    /// The account at `pubkey`, as its state at `(slot, write_version)`.
    ///
    /// # Errors
    /// A sentence when owner or data cannot be parsed or the data is incomplete.
    pub fn raw(&self, pubkey: Pubkey, slot: u64, write_version: u64) -> Result<Raw, String> {
        let owner = self.owner.parse().map_err(|_| {
            format!("The node named {:?} as owner of {pubkey}.", plain(&self.owner))
        })?;
        let data = self.data();
        let data = data.map_err(|how| format!("The node sent the data of {pubkey} {how}."))?;
        Ok(Raw { pubkey, owner, slot, write_version, data })
    }

    /// Its bytes.
    ///
    /// # Errors
    /// What is wrong with them, as the rest of a sentence.
    pub fn data(&self) -> Result<Vec<u8>, String> {
        let data = match self.data.as_array().map(Vec::as_slice) {
            Some([Value::String(data), Value::String(encoding)]) if encoding == "base64" => data,
            _ => return Err("in an unknown encoding".to_owned()),
        };
        let data = BASE64_STANDARD.decode(data).map_err(|_| "in an unknown encoding".to_owned())?;
        whole(&data, self.space.as_u64())?;
        Ok(data)
    }
}

/// Checks that `data` has the length that the node names in `space`. A node without `space` is trusted:
/// `dataSlice` is never requested, and the decoder refuses truncated accounts of the manager.
///
/// # Errors
/// How much of the data is there, as the rest of a sentence.
pub fn whole(data: &[u8], space: Option<u64>) -> Result<(), String> {
    match space {
        Some(space) if u64::try_from(data.len()).ok() != Some(space) => {
            Err(format!("cut short, {} of its {space} bytes", data.len()))
        }
        _ => Ok(()),
    }
}

/// An account and its address.
#[derive(Clone, Debug, Deserialize)]
pub struct KeyedAccount {
    /// The address.
    pub pubkey: String,
    /// The account.
    pub account: NodeAccount,
}

/// One entry of a list of transactions.
#[derive(Clone, Debug, Deserialize)]
pub struct ListedTransaction {
    /// Its signature.
    pub signature: String,
    /// Its slot.
    pub slot: u64,
    /// Null when it succeeded. The error itself is not parsed: a foreign transaction can fail with one
    /// that this build does not know.
    #[serde(default)]
    err: Value,
}

impl ListedTransaction {
    /// Whether it failed.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        !self.err.is_null()
    }
}

/// A transaction of any version, with its outcome. Reads only fields that all versions share: accounts,
/// outcome and inner instructions.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeTransaction {
    /// Its slot.
    pub slot: u64,
    /// Seconds since 1970, where the node knows it.
    #[serde(default)]
    pub block_time: Option<i64>,
    transaction: TransactionBody,
    meta: Option<Meta>,
}

#[derive(Clone, Debug, Deserialize)]
struct TransactionBody {
    message: TransactionMessage,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct TransactionMessage {
    account_keys: Vec<String>,
}

/// The outcome of a transaction.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Meta {
    #[serde(default)]
    err: Value,
    inner_instructions: Option<Vec<InnerGroup>>,
    loaded_addresses: Option<Loaded>,
}

#[derive(Clone, Debug, Deserialize)]
struct Loaded {
    #[serde(default)]
    writable: Vec<String>,
    #[serde(default)]
    readonly: Vec<String>,
}

/// The instructions that one outer instruction called.
#[derive(Clone, Debug, Deserialize)]
pub struct InnerGroup {
    /// Index of the outer instruction.
    pub index: u32,
    /// The called instructions, in order.
    pub instructions: Vec<InnerInstruction>,
}

/// One called instruction; numbers are indexes into the transaction's accounts.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InnerInstruction {
    /// The program.
    pub program_id_index: usize,
    /// Its accounts.
    pub accounts: Vec<usize>,
    /// Its data as base58.
    pub data: String,
}

impl NodeTransaction {
    /// Its outcome.
    ///
    /// # Errors
    /// When it is missing, as the rest of a sentence.
    pub fn outcome(&self) -> Result<&Meta, String> {
        self.meta.as_ref().ok_or_else(|| "came without its outcome".to_owned())
    }

    /// The addresses that instructions refer to by index, those from lookup tables last.
    pub fn account_keys(&self) -> impl Iterator<Item = &String> {
        let loaded = self.meta.as_ref().and_then(|meta| meta.loaded_addresses.as_ref());
        let loaded = loaded.into_iter().flat_map(|l| l.writable.iter().chain(&l.readonly));
        self.transaction.message.account_keys.iter().chain(loaded)
    }
}

impl Meta {
    /// Whether the transaction failed.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        !self.err.is_null()
    }

    /// The called instructions in the order of their callers; [`None`] where the node did not record
    /// them, which does not mean that there were none.
    #[must_use]
    pub fn inner_groups(&self) -> Option<Vec<&InnerGroup>> {
        let mut groups: Vec<_> = self.inner_instructions.as_ref()?.iter().collect();
        groups.sort_by_key(|group| group.index);
        Some(groups)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn account(value: Value) -> Result<Vec<u8>, String> {
        serde_json::from_value::<NodeAccount>(value).unwrap().data()
    }

    #[test]
    fn odd_unused_fields_do_not_make_an_account_unreadable() {
        let rent = 18_446_744_073_709_552_000.0_f64;
        let of = |rest: Value| {
            let mut account = json!({"lamports": 1, "owner": "x", "data": ["AAAA", "base64"]});
            let (Some(account_fields), Value::Object(rest)) = (account.as_object_mut(), rest)
            else {
                panic!()
            };
            account_fields.extend(rest);
            account
        };
        for odd in [
            json!({"rentEpoch": rent, "space": 3}),
            json!({"rentEpoch": rent}),
            json!({"rentEpoch": "many", "space": null, "executable": "no", "future": []}),
            json!({"space": 3.5}),
        ] {
            assert_eq!(account(of(odd.clone())), Ok(vec![0; 3]), "{odd}");
        }
        assert_eq!(account(of(json!({"space": 4}))), Err("cut short, 3 of its 4 bytes".to_owned()));
        for data in [json!(["AAAA", "base58"]), json!("AAAA"), json!({"parsed": 1}), json!(null)] {
            let error = account(of(json!({"data": data}))).unwrap_err();
            assert_eq!(error, "in an unknown encoding");
        }
    }

    #[test]
    fn a_transaction_of_a_future_version_can_be_read() {
        let text = json!({
            "slot": 5, "blockTime": null, "version": 7,
            "transaction": {"signatures": [], "message": {
                "header": {"future": true}, "accountKeys": ["a", "b"], "configMask": 3,
                "instructions": "elsewhere",
            }},
            "meta": {
                "err": {"InstructionError": [0, {"FutureVariant": 1}]}, "fee": 1.5,
                "innerInstructions": [
                    {"index": 300, "instructions": []},
                    {"index": 2, "instructions": [
                        {"programIdIndex": 1, "accounts": [0, 300], "data": "", "stackHeight": "2"},
                    ]},
                ],
            },
        });
        let read: NodeTransaction = serde_json::from_value(text).unwrap();
        assert_eq!(read.account_keys().collect::<Vec<_>>(), ["a", "b"]);
        let meta = read.outcome().unwrap();
        assert!(meta.has_failed());
        let places: Vec<_> = meta.inner_groups().unwrap().iter().map(|g| g.index).collect();
        assert_eq!(places, [2, 300]);
    }
}
