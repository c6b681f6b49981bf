//! The audit log: finalised events of the manager, chained by hash. Two indexers that read the
//! same chain get the same head, whatever node they used and however often they restarted, because
//! nothing local goes into a hash.
//!
//! A row carries two hashes. `hash` chains it to the row before and covers only what every node
//! says alike. `row_checksum` covers every column of the row, also what one node alone told, so
//! that no byte of a copy can change unseen.
mod checksum;
pub mod event;

use async_trait::async_trait;
use sha2::{Digest, Sha256};
use solana_pubkey::Pubkey;
use solana_signature::Signature;

use super::{error::Result, types::Run};

/// Domain of the chain's hashes.
const DOMAIN: &[u8] = b"upgrade-control-room/audit/v2";
/// What the first row is chained to.
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

/// One finalised event and where on chain it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEntry {
    /// Slot of the transaction.
    pub slot: u64,
    /// The transaction's place among those of its slot that carry an event of the manager, in the
    /// order of the block. Not the place in the block, which a node tells only with the whole
    /// block; this one follows from the events themselves, so all nodes agree on it, also one that
    /// lists transactions which only name the manager.
    pub tx_index: u32,
    /// The outer instruction's place in the transaction.
    pub ix_index: u32,
    /// The event's place among the outer instruction's inner ones.
    pub inner_index: u32,
    /// The transaction.
    pub signature: Signature,
    /// Chain time of the block, seconds since 1970, as the node tells it; not hashed, because nodes
    /// may not know it.
    pub time: Option<i64>,
    /// The event as emitted: discriminator and fields.
    pub payload: Vec<u8>,
}

impl AuditEntry {
    /// Hash of this entry behind a row with `prev`: over all that the chain says of it.
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
        // Last and alone of its kind, so its length need not be told.
        h.update(&self.payload);
        h.finalize().into()
    }
}

/// One row of the audit log.
#[derive(Clone, Debug, PartialEq)]
pub struct AuditRow {
    /// Place in the chain, from 1.
    pub seq: u64,
    /// Slot of the transaction.
    pub slot: u64,
    /// See [`AuditEntry::tx_index`].
    pub tx_index: u32,
    /// The outer instruction's place in the transaction.
    pub ix_index: u32,
    /// The event's place among the inner instructions.
    pub inner_index: u32,
    /// The transaction, in base58.
    pub signature: String,
    /// Chain time of the block, seconds since 1970, if the node knew it.
    pub time: Option<i64>,
    /// Name of the event.
    pub kind: String,
    /// Who signed for it, where the event says so.
    pub actor: Option<Pubkey>,
    /// The proposal it is about, else the program, buffer or multisig.
    pub subject: Option<Pubkey>,
    /// The event's fields.
    pub detail: serde_json::Value,
    /// The event as emitted.
    pub payload: Vec<u8>,
    /// Hash of the row before.
    pub prev_hash: [u8; 32],
    /// Hash of this row.
    pub hash: [u8; 32],
    /// Sum over every column as it was written, see [`Self::sum`].
    pub row_checksum: [u8; 32],
}

impl AuditRow {
    /// The row of `entry` behind row `seq` - 1, whose hash is `prev` ([`GENESIS`] for the first).
    #[must_use]
    pub fn next(seq: u64, prev: &[u8; 32], entry: &AuditEntry) -> Self {
        let told = event::describe(&entry.payload);
        let mut row = Self {
            seq,
            slot: entry.slot,
            tx_index: entry.tx_index,
            ix_index: entry.ix_index,
            inner_index: entry.inner_index,
            signature: entry.signature.to_string(),
            time: entry.time,
            kind: told.kind.to_owned(),
            actor: told.actor,
            subject: told.subject,
            detail: told.detail,
            payload: entry.payload.clone(),
            prev_hash: *prev,
            hash: entry.hash(prev),
            row_checksum: [0; 32],
        };
        row.row_checksum = row.sum();
        row
    }

    /// What the row says happened; `None` when its signature is none.
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
    /// Appends finalised events in their order, with what is announced of them, and moves the
    /// history mark to `upto`. Events that are already there are skipped. Returns how many were
    /// new.
    ///
    /// # Errors
    /// [`super::StoreError::Fenced`]; when the store does not answer.
    async fn append_audit(&self, run: &Run, entries: Vec<AuditEntry>, upto: u64) -> Result<u64>;

    /// Audit rows, always oldest first: the newest `limit` without `after_seq`, else the first
    /// `limit` behind `after_seq` (0 is before the first).
    ///
    /// # Errors
    /// When the store does not answer.
    async fn audit(&self, after_seq: Option<u64>, limit: u32) -> Result<Vec<AuditRow>>;
}
