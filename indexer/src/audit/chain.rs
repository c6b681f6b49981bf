//! Recomputes the chain of hashes row by row, from a store or from an export. Pure but for
//! [`check_chain`], and changes nothing.
use crate::store::{
    Result, Store,
    audit_log::{AuditRow, GENESIS, event},
};

/// Rows of one reading.
const PAGE_ROWS: u32 = 1_000;

/// Where the audit log is not what was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainFault {
    /// The row.
    pub seq: u64,
    /// The column, as the table names it; several with commas when it cannot be told which.
    pub field: String,
    /// What is wrong, as a sentence.
    pub what: String,
}

/// A walk along the chain, oldest row first.
#[derive(Clone, Debug)]
pub struct ChainCheck {
    seq: u64,
    /// The hash of the row before: as it stands there, and as it should be. `None` behind a row
    /// that cannot be read.
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

    /// Hash of the last row as it stands there; [`GENESIS`] before the first.
    #[must_use]
    pub fn head(&self) -> [u8; 32] {
        self.prev.map_or(GENESIS, |[head, _]| head)
    }

    /// Goes on behind a row that cannot be read.
    pub fn pass_over(&mut self) {
        self.seq = self.seq.saturating_add(1);
        self.prev = None;
    }

    fn is_chained(&self, row: &AuditRow) -> bool {
        self.prev.is_none_or(|prev| prev.contains(&row.prev_hash))
    }

    /// Goes on to `row`; what is wrong with it, at most one fault a row.
    pub fn row(&mut self, row: &AuditRow) -> Option<ChainFault> {
        let expected = self.seq.saturating_add(1);
        let entry = row.entry();
        let hash = entry.as_ref().map(|entry| entry.hash(&row.prev_hash));
        let fault = |field: &str, what: String| {
            Some(ChainFault { seq: row.seq, field: field.to_owned(), what })
        };
        let seq = row.seq;
        let found = if row.sum() != row.row_checksum {
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
            told_otherwise(row).and_then(|field| {
                let what = format!("Audit row {seq} says another {field} than its event does.");
                fault(field, what)
            })
        };
        self.seq = seq;
        self.prev = Some([row.hash, hash.unwrap_or(row.hash)]);
        found
    }

    /// The columns that can have changed in `row`, whose sum does not hold.
    fn suspects(&self, row: &AuditRow, hash: Option<[u8; 32]>) -> Vec<&'static str> {
        let mut out = vec![];
        if !self.is_chained(row) {
            out.push("prev_hash");
        }
        if hash != Some(row.hash) {
            out.extend(["slot", "tx_index", "ix_index", "inner_index", "signature", "payload"]);
            out.push("hash");
        }
        out.extend(told_otherwise(row));
        if out.is_empty() {
            out.extend(["block_time", "row_checksum"]);
        }
        out
    }
}

/// The column of `row` that says something else than the event's bytes. A row that an older build
/// wrote may not know its event yet.
fn told_otherwise(row: &AuditRow) -> Option<&'static str> {
    let told = event::describe(&row.payload);
    if (row.kind.as_str(), row.actor, row.subject) == ("Unknown", None, None) {
        return None;
    }
    if row.kind != told.kind {
        Some("kind")
    } else if row.actor != told.actor {
        Some("actor")
    } else if row.subject != told.subject {
        Some("subject")
    } else {
        None
    }
}

/// Recomputes the chain of `store`; the first fault, if any. [`super::check_store`] looks at all
/// there is.
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
