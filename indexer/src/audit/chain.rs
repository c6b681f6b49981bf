//! Recomputes the hash chain row by row, from a store or an export. Pure, except for [`check_chain`].
use crate::store::{
    Result, Store,
    audit_log::{AuditRow, GENESIS, event},
};

/// Rows of one page.
const PAGE_ROWS: u32 = 1_000;

/// A row of the audit log that differs from what was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainFault {
    /// The row.
    pub seq: u64,
    /// Name of the column; several, separated by commas, when it is not clear which.
    pub field: String,
    /// What is wrong, as a sentence.
    pub what: String,
}

/// A check of the chain, oldest row first.
#[derive(Clone, Debug)]
pub struct ChainCheck {
    seq: u64,
    /// The hash of the row before: as stored and as recomputed. Both count, so that one changed hash is
    /// reported once. [`None`] after an unreadable row.
    prev: Option<[[u8; 32]; 2]>,
}

impl Default for ChainCheck {
    fn default() -> Self {
        Self { seq: 0, prev: Some([GENESIS; 2]) }
    }
}

impl ChainCheck {
    /// Number of the last row.
    #[must_use]
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// Stored hash of the last row; [`GENESIS`] before the first.
    #[must_use]
    pub fn head(&self) -> [u8; 32] {
        self.prev.map_or(GENESIS, |[head, _]| head)
    }

    /// Skips an unreadable row.
    pub fn pass_over(&mut self) {
        self.seq = self.seq.saturating_add(1);
        self.prev = None;
    }

    fn is_chained(&self, row: &AuditRow) -> bool {
        self.prev.is_none_or(|prev| prev.contains(&row.prev_hash))
    }

    /// Checks `row`; returns at most one fault.
    pub fn row(&mut self, row: &AuditRow) -> Option<ChainFault> {
        let expected = self.seq.saturating_add(1);
        let entry = row.entry();
        let hash = entry.as_ref().map(|entry| entry.hash(&row.prev_hash));
        let fault = |field: &str, what: String| {
            Some(ChainFault { seq: row.seq, field: field.to_owned(), what })
        };
        let seq = row.seq;
        let found = if row.expected_checksum() != row.row_checksum {
            match row.changed_column() {
                Some((field, was)) => fault(
                    field,
                    format!(
                        "Audit row {seq} was changed after it was written: its {field} was {was}."
                    ),
                ),
                None => fault(
                    &self.suspects(row, hash).join(","),
                    format!(
                        "Audit row {seq} was changed after it was written, in more than one byte."
                    ),
                ),
            }
        } else if seq != expected {
            let before = self.seq;
            fault("seq", format!("Audit row {seq} follows row {before}: rows are missing."))
        } else if !self.is_chained(row) {
            fault("prev_hash", format!("Audit row {seq} is not chained to the row before it."))
        } else if hash.is_none() {
            fault("signature", format!("Audit row {seq} names no transaction."))
        } else if hash != Some(row.hash) {
            fault(
                "hash",
                format!("Audit row {seq} was rewritten: its hash is not that of its content."),
            )
        } else {
            contradicting_column(row).and_then(|field| {
                let what = format!("Audit row {seq} says another {field} than its event does.");
                fault(field, what)
            })
        };
        self.seq = seq;
        self.prev = Some([row.hash, hash.unwrap_or(row.hash)]);
        found
    }

    /// The columns that can have changed in `row`, whose checksum is wrong.
    fn suspects(&self, row: &AuditRow, hash: Option<[u8; 32]>) -> Vec<&'static str> {
        let mut out = vec![];
        if !self.is_chained(row) {
            out.push("prev_hash");
        }
        if hash != Some(row.hash) {
            out.extend(["slot", "tx_index", "ix_index", "inner_index", "signature", "payload"]);
            out.push("hash");
        }
        out.extend(contradicting_column(row));
        if out.is_empty() {
            out.extend(["block_time", "row_checksum"]);
        }
        out
    }
}

/// The column of `row` that contradicts the event's bytes. `Unknown` rows are accepted: an older build
/// may not have known the event.
fn contradicting_column(row: &AuditRow) -> Option<&'static str> {
    let event = event::describe(&row.payload);
    if (row.kind.as_str(), row.actor, row.subject) == ("Unknown", None, None) {
        return None;
    }
    if row.kind != event.kind {
        Some("kind")
    } else if row.actor != event.actor {
        Some("actor")
    } else if row.subject != event.subject {
        Some("subject")
    } else {
        None
    }
}

/// Recomputes the chain of `store`; returns the first fault, if any. [`super::check_store`] checks the
/// whole store.
///
/// # Errors
/// When the store does not answer.
pub async fn check_chain(store: &dyn Store) -> Result<Option<ChainFault>> {
    let mut check = ChainCheck::default();
    loop {
        let rows = store.audit(Some(check.seq()), PAGE_ROWS).await?;
        for row in &rows {
            if let Some(fault) = check.row(row) {
                return Ok(Some(fault));
            }
        }
        if rows.is_empty() {
            return Ok(None);
        }
    }
}
