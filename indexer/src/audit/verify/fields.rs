//! Compares the fields of one account between mirror and chain. Pure.
use std::collections::{BTreeMap, BTreeSet};

use solana_pubkey::Pubkey;

use crate::account::{
    decode::manager_account,
    describe::{account, leaves},
};

/// One field that differs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Difference {
    /// The account; the manager program for faults outside accounts.
    pub pubkey: Pubkey,
    /// Path of the field, for example `terms.upgrade.sha256`; for a fault of the mirror itself table,
    /// row and column, for example `audit_log.7.slot`.
    pub field: String,
    /// Value in the mirror.
    pub mirror: String,
    /// Value on chain.
    pub chain: String,
}

/// The difference for a quarantined account; `mirror` says why it is there.
pub(super) fn unreadable(pubkey: Pubkey, mirror: String, chain: Option<&Vec<u8>>) -> Difference {
    let chain = chain.map_or_else(|| "missing".to_owned(), |b| format!("{} bytes", b.len()));
    Difference { pubkey, field: "account".to_owned(), mirror, chain }
}

/// Fields of one account that differ between two sets of bytes.
pub(super) fn differences(
    pubkey: Pubkey,
    mirror: Option<&Vec<u8>>,
    chain: Option<&Vec<u8>>,
) -> Vec<Difference> {
    let one = |field: &str, mirror: String, chain: String| {
        vec![Difference { pubkey, field: field.to_owned(), mirror, chain }]
    };
    if mirror == chain {
        return vec![];
    }
    let (mirror, chain) = match (mirror, chain) {
        (Some(mirror), Some(chain)) => (mirror, chain),
        (mirror, chain) => {
            let said = |side: Option<&Vec<u8>>| match side {
                Some(bytes) => format!("{} bytes", bytes.len()),
                None => "missing".to_owned(),
            };
            return one("account", said(mirror), said(chain));
        }
    };
    let fields = |bytes: &[u8]| manager_account(bytes).map(|a| leaves(&account(&a)));
    let (ours, theirs) = match (fields(mirror), fields(chain)) {
        (Ok(ours), Ok(theirs)) => (ours, theirs),
        (ours, theirs) => {
            let said = |side: Result<Vec<_>, String>| match side {
                Ok(fields) => format!("{} fields", fields.len()),
                Err(why) => why,
            };
            return one("account", said(ours), said(theirs));
        }
    };
    let (ours, theirs): (BTreeMap<_, _>, BTreeMap<_, _>) =
        (ours.into_iter().collect(), theirs.into_iter().collect());
    let names: BTreeSet<&String> = ours.keys().chain(theirs.keys()).collect();
    let value = |side: &BTreeMap<String, String>, name: &String| {
        side.get(name).cloned().unwrap_or_else(|| "missing".to_owned())
    };
    let mut found: Vec<Difference> = names
        .into_iter()
        .map(|name| Difference {
            pubkey,
            field: name.clone(),
            mirror: value(&ours, name),
            chain: value(&theirs, name),
        })
        .filter(|d| d.mirror != d.chain)
        .collect();
    if found.is_empty() {
        // Every field is equal, so bytes after the last field differ.
        found = one("unused bytes", hex::encode(mirror), hex::encode(chain));
    }
    found
}
