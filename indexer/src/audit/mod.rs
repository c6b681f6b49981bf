//! The audit trail: finalised events of the manager, chained by hash. Two indexers that read the
//! same chain get the same head, whatever node they used and however often they restarted, because
//! nothing local goes into a hash.
pub mod event;

use sha2::{Digest, Sha256};
use solana_pubkey::Pubkey;
use solana_signature::Signature;

use crate::store::{Result, Store};

/// Domain of the chain's hashes.
const DOMAIN: &[u8] = b"upgrade-control-room/audit/v1";
/// What the first row is chained to.
pub const GENESIS: [u8; 32] = [0; 32];

/// One finalised event and where on chain it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEntry {
    /// Slot of the transaction.
    pub slot: u64,
    /// The transaction's place in its block.
    pub tx_index: u32,
    /// The outer instruction's place in the transaction.
    pub ix_index: u32,
    /// The event's place among the outer instruction's inner ones.
    pub inner_index: u32,
    /// The transaction.
    pub signature: Signature,
    /// Chain time of the block, as the node tells it; not hashed, because nodes may not know it.
    pub time: Option<i64>,
    /// The event as emitted: discriminator and fields.
    pub payload: Vec<u8>,
}

impl AuditEntry {
    /// Hash of this entry behind a row with `prev`.
    #[must_use]
    pub fn hash(&self, prev: &[u8; 32]) -> [u8; 32] {
        let mut h = Sha256::new();
        h.update(DOMAIN);
        h.update(prev);
        h.update(self.slot.to_le_bytes());
        h.update(self.signature.as_ref());
        h.update(self.ix_index.to_le_bytes());
        h.update(self.inner_index.to_le_bytes());
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
    /// The transaction's place in its block.
    pub tx_index: u32,
    /// The outer instruction's place in the transaction.
    pub ix_index: u32,
    /// The event's place among the inner instructions.
    pub inner_index: u32,
    /// The transaction, in base58.
    pub signature: String,
    /// Chain time of the block, if the node knew it.
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
}

/// Where the chain of hashes is broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainFault {
    /// The row.
    pub seq: u64,
    /// What is wrong, as a sentence.
    pub what: String,
}

/// Recomputes the chain of `store`; the first fault, if any.
///
/// # Errors
/// When the store does not answer.
pub async fn check_chain(store: &dyn Store) -> Result<Option<ChainFault>> {
    const PAGE: u32 = 1_000;
    let (mut prev, mut seq) = (GENESIS, 0u64);
    loop {
        let rows = store.audit(Some(seq), PAGE).await?;
        for row in &rows {
            if let Some(what) = fault(row, &prev, seq) {
                return Ok(Some(ChainFault { seq: row.seq, what }));
            }
            (prev, seq) = (row.hash, row.seq);
        }
        if rows.is_empty() {
            return Ok(None);
        }
    }
}

fn fault(row: &AuditRow, prev: &[u8; 32], before: u64) -> Option<String> {
    if row.seq != before.saturating_add(1) {
        return Some(format!("Audit row {} follows row {before}: rows are missing.", row.seq));
    }
    if row.prev_hash != *prev {
        return Some(format!("Audit row {} is not chained to the row before it.", row.seq));
    }
    let Ok(signature) = row.signature.parse() else {
        return Some(format!("Audit row {} names no transaction.", row.seq));
    };
    let entry = AuditEntry {
        slot: row.slot,
        tx_index: row.tx_index,
        ix_index: row.ix_index,
        inner_index: row.inner_index,
        signature,
        time: row.time,
        payload: row.payload.clone(),
    };
    // What is kept beside the bytes is shown to people, so it must be what the bytes say. A row of
    // an older build may not know its event yet.
    let told = event::describe(&row.payload);
    let shown = (row.kind.as_str(), row.actor, row.subject);
    let agrees = shown == (told.kind, told.actor, told.subject) || shown == ("Unknown", None, None);
    (entry.hash(prev) != row.hash || !agrees)
        .then(|| format!("Audit row {} was changed after it was written.", row.seq))
}
