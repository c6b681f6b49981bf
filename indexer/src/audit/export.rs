//! Exports the audit log to a file that anyone can check without a store: it holds every column, so the
//! chain can be recomputed. Written and read row by row, as JSON Lines or CSV.
use std::{
    io::{BufRead, Read, Write},
    path::Path,
};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::ChainCheck;
use crate::{
    audit::line_file::{self, LineEnd},
    source::error::{IndexerError, Result},
    store::{
        Store,
        audit_log::{AuditRow, COLUMNS, GENESIS, event},
    },
};

/// Rows of one page.
const PAGE_ROWS: u32 = 1_000;
/// The CSV column after those of the log: the event's fields, for people.
const DETAIL: &str = "detail";

/// Format of an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExportFormat {
    /// One JSON object per line.
    JsonLines,
    /// A header, then one line per row; `detail` is JSON.
    Csv,
}

impl ExportFormat {
    /// The format for a file name: CSV for `.csv`, else JSON Lines.
    #[must_use]
    pub fn of_name(path: &Path) -> Self {
        let is_csv = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("csv"));
        if is_csv { Self::Csv } else { Self::JsonLines }
    }
}

/// One row; addresses and signatures in base58, bytes and hashes in hexadecimal.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line<D> {
    seq: u64,
    slot: u64,
    tx_index: u32,
    ix_index: u32,
    inner_index: u32,
    signature: String,
    block_time: Option<i64>,
    kind: String,
    actor: Option<String>,
    subject: Option<String>,
    payload: String,
    prev_hash: String,
    hash: String,
    row_checksum: String,
    detail: D,
}

impl<D> Line<D> {
    fn new(row: AuditRow, detail: impl FnOnce(Value) -> D) -> Self {
        Self {
            seq: row.seq,
            slot: row.slot,
            tx_index: row.tx_index,
            ix_index: row.ix_index,
            inner_index: row.inner_index,
            signature: row.signature,
            block_time: row.time,
            kind: row.kind,
            actor: row.actor.map(|key| key.to_string()),
            subject: row.subject.map(|key| key.to_string()),
            payload: hex::encode(row.payload),
            prev_hash: hex::encode(row.prev_hash),
            hash: hex::encode(row.hash),
            row_checksum: hex::encode(row.row_checksum),
            detail: detail(row.detail),
        }
    }

    /// Parses the row, or names the unreadable column.
    fn row(self, detail: impl FnOnce(D) -> Option<Value>) -> Result<AuditRow, &'static str> {
        let key = |text: Option<String>, name| {
            text.map(|text| text.parse().map_err(|_| name)).transpose()
        };
        let hash = |text: &str, name| {
            let mut out = [0; 32];
            hex::decode_to_slice(text, &mut out).map_err(|_| name).map(|()| out)
        };
        Ok(AuditRow {
            seq: self.seq,
            slot: self.slot,
            tx_index: self.tx_index,
            ix_index: self.ix_index,
            inner_index: self.inner_index,
            signature: self.signature,
            time: self.block_time,
            kind: self.kind,
            actor: key(self.actor, "actor")?,
            subject: key(self.subject, "subject")?,
            payload: hex::decode(&self.payload).map_err(|_| "payload")?,
            prev_hash: hash(&self.prev_hash, "prev_hash")?,
            hash: hash(&self.hash, "hash")?,
            row_checksum: hash(&self.row_checksum, "row_checksum")?,
            detail: detail(self.detail).ok_or("detail")?,
        })
    }
}

/// Writes the whole audit log of `store` to `out`; returns the number of rows.
///
/// # Errors
/// When the store does not answer; [`IndexerError::File`] when `out` cannot be written.
pub async fn export(
    store: &dyn Store,
    format: ExportFormat,
    out: &mut (impl Write + Send),
) -> Result<u64> {
    let failed = |e: &dyn std::fmt::Display| IndexerError::File {
        what: "Writing the export of the audit log".to_owned(),
        detail: e.to_string(),
    };
    if format == ExportFormat::Csv {
        writeln!(out, "{},{DETAIL}", COLUMNS.join(",")).map_err(|e| failed(&e))?;
    }
    let (mut after, mut written) = (0, 0u64);
    loop {
        let page = store.audit(Some(after), PAGE_ROWS).await?;
        let Some(last) = page.last() else { break };
        after = last.seq;
        written = written.saturating_add(u64::try_from(page.len()).unwrap_or(u64::MAX));
        match format {
            ExportFormat::JsonLines => {
                for row in page {
                    let line = serde_json::to_string(&Line::new(row, |detail| detail));
                    writeln!(out, "{}", line.map_err(|e| failed(&e))?).map_err(|e| failed(&e))?;
                }
            }
            ExportFormat::Csv => {
                let mut csv = csv::WriterBuilder::new().has_headers(false).from_writer(&mut *out);
                for row in page {
                    let line = Line::new(row, |detail| detail.to_string());
                    csv.serialize(line).map_err(|e| failed(&e))?;
                }
                csv.flush().map_err(|e| failed(&e))?;
            }
        }
    }
    out.flush().map_err(|e| failed(&e))?;
    Ok(written)
}

/// A fault in an export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportFault {
    /// The line, from 1.
    pub line: u64,
    /// The column; `line` when it is not clear which.
    pub field: String,
    /// What is wrong, as a sentence.
    pub what: String,
}

/// The result of checking an export. An export that was cut off after a whole line looks complete:
/// compare `seq` and `head` with those of a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportReport {
    /// Readable rows.
    pub rows: u64,
    /// Number of the last row.
    pub seq: u64,
    /// Hash of the last row; [`GENESIS`] without one.
    pub head: [u8; 32],
    /// The first faults.
    pub faults: Vec<ExportFault>,
    /// Number of further faults.
    pub more: u64,
}

/// Recomputes the chain of an export in either format; lists the first `most` faults, at least one.
///
/// # Errors
/// [`IndexerError::File`] when `from` cannot be read.
pub fn check_export(mut from: impl BufRead, most: usize) -> Result<ExportReport> {
    let failed = |e: std::io::Error| IndexerError::File {
        what: "Reading the export of the audit log".to_owned(),
        detail: e.to_string(),
    };
    let first = from.fill_buf().map_err(failed)?.first().copied();
    let mut checked = Checked::new(most.max(1));
    if first == Some(b'{') {
        let (mut text, mut number) = (String::new(), 0u64);
        loop {
            match line_file::next(&mut from, &mut text).map_err(failed)? {
                LineEnd::Over => break,
                LineEnd::Cut | LineEnd::Line => {
                    number = number.saturating_add(1);
                    let row = serde_json::from_str::<Line<Value>>(&text)
                        .map_err(|e| ("line", e.to_string()))
                        .and_then(|line| line.row(Some).map_err(unreadable));
                    checked.line(number, row);
                }
            }
        }
    } else if first.is_some() {
        csv_rows(from, &mut checked).map_err(failed)?;
    }
    Ok(checked.report())
}

fn unreadable(field: &'static str) -> (&'static str, String) {
    (field, format!("its {field} is of no use"))
}

fn csv_rows(from: impl Read, checked: &mut Checked) -> std::io::Result<()> {
    let mut csv = csv::ReaderBuilder::new().from_reader(from);
    let names = csv.headers().map_err(std::io::Error::other)?;
    if names.iter().ne(COLUMNS.into_iter().chain([DETAIL])) {
        checked.line(1, Err(("line", "it does not name the columns of an export".to_owned())));
        return Ok(());
    }
    let names = names.clone();
    let mut number = 1u64;
    let mut record = csv::StringRecord::new();
    loop {
        let read = csv.read_record(&mut record);
        number = record.position().map_or(number.saturating_add(1), csv::Position::line);
        let row = match read {
            Ok(false) => return Ok(()),
            Ok(true) => record
                .deserialize::<Line<String>>(Some(&names))
                .map_err(|e| ("line", e.to_string()))
                .and_then(|line| {
                    line.row(|text| serde_json::from_str(&text).ok()).map_err(unreadable)
                }),
            Err(e) if e.is_io_error() => return Err(std::io::Error::other(e)),
            Err(e) => Err(("line", e.to_string())),
        };
        checked.line(number, row);
    }
}

struct Checked {
    check: ChainCheck,
    most: usize,
    report: ExportReport,
}

impl Checked {
    fn new(most: usize) -> Self {
        let report = ExportReport { rows: 0, seq: 0, head: GENESIS, faults: vec![], more: 0 };
        Self { check: ChainCheck::default(), most, report }
    }

    fn line(&mut self, line: u64, row: Result<AuditRow, (&'static str, String)>) {
        let found = match row {
            Err((field, why)) => {
                self.check.pass_over();
                let what = format!("Line {line} is not a row of the audit log: {why}.");
                Some((field.to_owned(), what))
            }
            Ok(row) => {
                self.report.rows = self.report.rows.saturating_add(1);
                let fault = self.check.row(&row).map(|f| (f.field, f.what));
                fault.or_else(|| {
                    let described = event::describe(&row.payload);
                    (described.detail != row.detail && row.kind == described.kind).then(|| {
                        let what =
                            format!("Audit row {} says other details than its event.", row.seq);
                        ("detail".to_owned(), what)
                    })
                })
            }
        };
        let Some((field, what)) = found else { return };
        if self.report.faults.len() < self.most {
            self.report.faults.push(ExportFault { line, field, what });
        } else {
            self.report.more = self.report.more.saturating_add(1);
        }
    }

    fn report(self) -> ExportReport {
        ExportReport { seq: self.check.seq(), head: self.check.head(), ..self.report }
    }
}
