//! The audit log: finalised events of the manager, chained by hash. Two indexers of the same chain get
//! the same head, whatever node they use and however often they restart, because nothing local goes
//! into a hash.
//!
//! A row has two hashes. `hash` chains it to the row before and covers only data on which all nodes
//! agree. `row_checksum` covers every column, also node-dependent ones such as the block time, so that a
//! changed byte in a copy is found.
mod checksum;
pub mod event;

use async_trait::async_trait;
use sha2::{Digest, Sha256};
use solana_pubkey::Pubkey;
use solana_signature::Signature;

use super::{error::Result, types::Run};

/// Domain separator of the chain's hashes.
const DOMAIN: &[u8] = b"upgrade-control-room/audit/v2";
/// `prev_hash` of the first row.
pub const GENESIS: [u8; 32] = [0; 32];

/// The columns of the log, in the order of the schema.
pub const COLUMNS: [&str; 14] = [
    "seq",
    "slot",
    "tx_index",
    "ix_index",
    "inner_index",
    "signature",
    "block_time",
    "kind",
    "actor",
    "subject",
    "payload",
    "prev_hash",
    "hash",
    "row_checksum",
];

/// One finalised event and its position on chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEntry {
    /// Slot of the transaction.
    pub slot: u64,
    /// The transaction's index among those of its slot that carry an event of the manager, in block
    /// order. Not the index in the block: reading that takes the whole block. Transactions that only
    /// name the manager do not count, so nodes that list different ones agree on it.
    pub tx_index: u32,
    /// The outer instruction's index in the transaction.
    pub ix_index: u32,
    /// The event's index among the outer instruction's inner instructions.
    pub inner_index: u32,
    /// The transaction.
    pub signature: Signature,
    /// Block time from the node, seconds since 1970. Not part of the hash: some nodes do not have it.
    pub time: Option<i64>,
    /// The emitted event: discriminator and fields.
    pub payload: Vec<u8>,
}

impl AuditEntry {
    /// Hash of this entry when the row before has the hash `prev`.
    #[must_use]
    pub fn hash(&self, prev: &[u8; 32]) -> [u8; 32] {
        let mut h = Sha256::new();
        h.update(DOMAIN);
        h.update(prev);
        h.update(self.slot.to_le_bytes());
        h.update(self.tx_index.to_le_bytes());
        h.update(self.ix_index.to_le_bytes());
        h.update(self.inner_index.to_le_bytes());
        h.update(self.signature.as_ref());
        // The only field of variable length, and the last: no length prefix needed.
        h.update(&self.payload);
        h.finalize().into()
    }
}

/// One row of the audit log.
#[derive(Clone, Debug, PartialEq)]
pub struct AuditRow {
    /// Row number, from 1.
    pub seq: u64,
    /// Slot of the transaction.
    pub slot: u64,
    /// See [`AuditEntry::tx_index`].
    pub tx_index: u32,
    /// The outer instruction's place in the transaction.
    pub ix_index: u32,
    /// The event's index among the inner instructions.
    pub inner_index: u32,
    /// The transaction, in base58.
    pub signature: String,
    /// Block time, seconds since 1970, if the node had it.
    pub time: Option<i64>,
    /// Name of the event.
    pub kind: String,
    /// The signer, where the event names one.
    pub actor: Option<Pubkey>,
    /// The proposal it is about, else the program, buffer or multisig.
    pub subject: Option<Pubkey>,
    /// The event's fields.
    pub detail: serde_json::Value,
    /// The emitted event.
    pub payload: Vec<u8>,
    /// Hash of the row before.
    pub prev_hash: [u8; 32],
    /// Hash of this row.
    pub hash: [u8; 32],
    /// Checksum over every other column as written, see [`Self::expected_checksum`].
    pub row_checksum: [u8; 32],
}

impl AuditRow {
    /// The row of `entry` behind row `seq` - 1, whose hash is `prev` ([`GENESIS`] for the first).
    #[must_use]
    pub fn next(seq: u64, prev: &[u8; 32], entry: &AuditEntry) -> Self {
        let described = event::describe(&entry.payload);
        let mut row = Self {
            seq,
            slot: entry.slot,
            tx_index: entry.tx_index,
            ix_index: entry.ix_index,
            inner_index: entry.inner_index,
            signature: entry.signature.to_string(),
            time: entry.time,
            kind: described.kind.to_owned(),
            actor: described.actor,
            subject: described.subject,
            detail: described.detail,
            payload: entry.payload.clone(),
            prev_hash: *prev,
            hash: entry.hash(prev),
            row_checksum: [0; 32],
        };
        row.row_checksum = row.expected_checksum();
        row
    }

    /// The entry in this row; [`None`] when its signature cannot be parsed.
    #[must_use]
    pub fn entry(&self) -> Option<AuditEntry> {
        Some(AuditEntry {
            slot: self.slot,
            tx_index: self.tx_index,
            ix_index: self.ix_index,
            inner_index: self.inner_index,
            signature: self.signature.parse().ok()?,
            time: self.time,
            payload: self.payload.clone(),
        })
    }
}

/// The audit log in a store.
///
/// Every method is one transaction: it happens in full or, when it returns an error or the process
/// dies, not at all.
#[async_trait]
pub trait AuditStore: Send + Sync {
    /// Appends finalised events in their order, with their announcements, and moves the history mark
    /// to `upto`. Skips events that the log already holds. Returns how many were new.
    ///
    /// # Errors
    /// [`super::StoreError::Fenced`]; when the store does not answer.
    async fn append_audit(&self, run: &Run, entries: Vec<AuditEntry>, upto: u64) -> Result<u64>;

    /// Audit rows, always oldest first: without `after_seq` the newest `limit`, else the first `limit`
    /// after row `after_seq` (0 is before the first).
    ///
    /// # Errors
    /// When the store does not answer.
    async fn audit(&self, after_seq: Option<u64>, limit: u32) -> Result<Vec<AuditRow>>;
}
