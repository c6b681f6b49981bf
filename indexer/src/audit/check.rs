//! Checks a store against itself, without a node: the audit chain and its head, the accounts against
//! their hashes, the counters against the rows. Faults name row and column. Changes nothing.
use std::{collections::BTreeSet, time::Duration};

use sha2::{Digest, Sha256};
use solana_pubkey::Pubkey;
use upgrade_manager::{
    seeds::{self, derive_address},
    state::AccountStatus,
};

use super::ChainCheck;
use crate::{
    account::{ManagerAccount, decode::manager_account},
    store::{
        FullRow, ProgressRow, Result, Store, StoreError,
        audit_log::{AuditRow, COLUMNS, GENESIS},
    },
};

/// Rows of one page.
const PAGE_ROWS: u32 = 1_000;
/// A counter is wrong only if it differs in this many reads: an indexer may be writing meanwhile.
const MAX_ROUNDS: u32 = 4;
/// Time between two such reads.
const ROUND_INTERVAL: Duration = Duration::from_millis(700);
/// Consecutive unreadable audit rows after which the check of the log stops.
const MAX_UNREADABLE_ROWS: u32 = 64;

/// A fault in a store: content that no indexer wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreFault {
    /// The table.
    pub table: &'static str,
    /// The row: an audit row's number, or an address.
    pub row: String,
    /// The column; several, separated by commas, when it is not clear which.
    pub field: String,
    /// What is wrong, as a sentence.
    pub what: String,
}

/// The result of checking a store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoreReport {
    /// Rows of the audit log.
    pub audit_rows: u64,
    /// Hash of the last row; [`GENESIS`] without one.
    pub audit_head: [u8; 32],
    /// Mirrored accounts, including closed ones.
    pub accounts: u64,
    /// The first faults.
    pub faults: Vec<StoreFault>,
    /// Number of further faults.
    pub more: u64,
}

impl StoreReport {
    /// Whether no fault was found.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.faults.is_empty()
    }

    fn add(&mut self, most: usize, fault: StoreFault) {
        if self.faults.len() < most {
            self.faults.push(fault);
        } else {
            self.more = self.more.saturating_add(1);
        }
    }
}

/// Checks all of `store`; lists the first `most` faults, at least one.
///
/// # Errors
/// When the store does not answer.
pub async fn check_store(store: &dyn Store, most: usize) -> Result<StoreReport> {
    let most = most.max(1);
    let mut report = StoreReport { audit_head: GENESIS, ..StoreReport::default() };
    audit(store, most, &mut report).await?;
    accounts(store, most, &mut report).await?;
    for fault in counters(store).await? {
        report.add(most, fault);
    }
    Ok(report)
}

async fn audit(store: &dyn Store, most: usize, report: &mut StoreReport) -> Result<()> {
    let said = store.state().await?;
    let mut check = ChainCheck::default();
    let (mut at_end, mut end_is_faulty) = (None, false);
    while let Some(rows) = readable(store, &mut check, most, report).await? {
        for row in &rows {
            report.audit_rows = report.audit_rows.saturating_add(1);
            let fault = check.row(row);
            if row.seq == said.audit_seq {
                (at_end, end_is_faulty) = (Some(row.hash), fault.is_some());
            }
            if let Some(fault) = fault {
                report.add(most, of_audit(fault.seq, fault.field, fault.what));
            }
        }
    }
    report.audit_head = check.head();
    let last = check.seq();
    let said_head = said.audit_head.unwrap_or(GENESIS);
    let of_state = |field: &str, what: String| StoreFault {
        table: "mirror_state",
        row: "1".to_owned(),
        field: field.to_owned(),
        what,
    };
    let now = store.state().await?;
    if last < said.audit_seq && said_head == check.head() {
        let what = format!(
            "The mirror's state says that the audit log has {} rows, but its head is that of row {last}, the last.",
            said.audit_seq
        );
        report.add(most, of_state("audit_seq", what));
    } else if last < said.audit_seq {
        let what = format!(
            "The audit log ends with row {last}, but {} were written: its end was cut off.",
            said.audit_seq
        );
        report.add(most, of_audit(last.saturating_add(1), "seq".to_owned(), what));
    } else if last > now.audit_seq {
        let what = format!(
            "The audit log has {last} rows, but only {} were written by an indexer.",
            now.audit_seq
        );
        report.add(most, of_audit(now.audit_seq.saturating_add(1), "seq".to_owned(), what));
    } else if at_end.unwrap_or(said_head) != said_head && !end_is_faulty {
        let what = format!(
            "The mirror's state has another audit head than the hash of audit row {}.",
            said.audit_seq
        );
        report.add(most, of_state("audit_head", what));
    }
    Ok(())
}

fn of_audit(seq: u64, field: String, what: String) -> StoreFault {
    StoreFault { table: "audit_log", row: seq.to_string(), field, what }
}

/// The next rows; [`None`] after the last. Reports unreadable rows and skips them.
async fn readable(
    store: &dyn Store,
    check: &mut ChainCheck,
    most: usize,
    report: &mut StoreReport,
) -> Result<Option<Vec<AuditRow>>> {
    let some = |rows: Vec<AuditRow>| Some(rows).filter(|rows| !rows.is_empty());
    match store.audit(Some(check.seq()), PAGE_ROWS).await {
        Err(StoreError::Corrupt { .. }) => {}
        page => return page.map(some),
    }
    for _ in 0..MAX_UNREADABLE_ROWS {
        match store.audit(Some(check.seq()), 1).await {
            Err(StoreError::Corrupt { detail, .. }) => {
                let seq = check.seq().saturating_add(1);
                let what = format!("Audit row {seq} cannot be read: {detail}.");
                report.add(most, of_audit(seq, column_in(&detail), what));
                check.pass_over();
            }
            rows => return rows.map(some),
        }
    }
    let seq = check.seq();
    let what = format!("The audit log was not looked at behind row {seq}: too much is unreadable.");
    report.add(most, of_audit(seq, "row".to_owned(), what));
    Ok(None)
}

/// The column that a driver's message names, else `row`.
fn column_in(detail: &str) -> String {
    let words: BTreeSet<&str> =
        detail.split(|c: char| !(c.is_alphanumeric() || c == '_')).collect();
    COLUMNS.iter().find(|name| words.contains(**name)).map_or("row", |name| *name).to_owned()
}

async fn accounts(store: &dyn Store, most: usize, report: &mut StoreReport) -> Result<()> {
    let mut after = None;
    let mut size = PAGE_ROWS;
    loop {
        let page = match store.full_rows(after, size).await {
            // Again row by row, so that the rows before the unreadable one are still checked.
            Err(StoreError::Corrupt { .. }) if size > 1 => {
                size = 1;
                continue;
            }
            Err(StoreError::Corrupt { detail, .. }) => {
                let row = match after {
                    Some(key) => format!("the one behind {key}"),
                    None => "the first".to_owned(),
                };
                let what = format!(
                    "An account's row, {row}, cannot be read: {detail}. Those behind it were not looked at."
                );
                let field = "row".to_owned();
                report.add(most, StoreFault { table: "accounts", row, field, what });
                return Ok(());
            }
            page => page?,
        };
        let Some(last) = page.last() else { return Ok(()) };
        let before = after.replace(last.pubkey);
        for row in &page {
            report.accounts = report.accounts.saturating_add(1);
            if let Some((field, what)) = account_fault(row) {
                let row = row.pubkey.to_string();
                let what = format!("The row of account {row} {what}.");
                report.add(most, StoreFault { table: "accounts", row, field, what });
            }
        }
        if after <= before {
            // A changed address breaks the order of paging, so the check cannot continue from it.
            let (row, field) = (last.pubkey.to_string(), "pubkey".to_owned());
            let what = format!(
                "The row of account {row} does not stand where its address belongs. Those behind it were not looked at."
            );
            report.add(most, StoreFault { table: "accounts", row, field, what });
            return Ok(());
        }
    }
}

/// The first column of `row` that contradicts the others, and the rest of a sentence about it.
fn account_fault(row: &FullRow) -> Option<(String, String)> {
    let named = |field: &str, what: String| Some((field.to_owned(), what));
    let hash: [u8; 32] = Sha256::digest(&row.raw).into();
    if hash != row.data_hash {
        // A hash of other bytes differs in nearly every byte, so a near miss means that the stored
        // hash itself was changed.
        return if differing(&hash, &row.data_hash) <= 2 {
            named("data_hash", "has a hash that was changed after it was written".to_owned())
        } else {
            named("raw", "holds bytes that do not have the hash they were written with".to_owned())
        };
    }
    let account = match manager_account(&row.raw) {
        Ok(account) => account,
        Err(why) => return named("raw", format!("holds bytes that cannot be mirrored: {why}")),
    };
    let facets = account.facets();
    let version = facets.version.map(i64::from);
    let column = if row.kind != facets.kind.name() {
        Some("kind")
    } else if row.program != facets.program {
        Some("program")
    } else if row.proposal != facets.proposal {
        Some("proposal")
    } else if row.account != facets.account {
        Some("account")
    } else if row.status.as_deref() != facets.status {
        Some("status")
    } else {
        (row.version != version).then_some("version")
    };
    if let Some(column) = column {
        return named(column, format!("says another {column} than its bytes do"));
    }
    if row.position_checksum != row.expected_position_checksum() {
        let what = "was given another place in time after it was written".to_owned();
        return Some((position_columns(row), what));
    }
    // Reports only a near miss: the account may belong to a manager deployed at another address.
    let near = home(&account)
        .is_some_and(|home| (1..=2).contains(&differing(home.as_array(), row.pubkey.as_array())));
    near.then(|| ("pubkey".to_owned(), "stands under an address that was changed".to_owned()))
}

fn differing(a: &[u8; 32], b: &[u8; 32]) -> usize {
    a.iter().zip(b).filter(|(a, b)| a != b).count()
}

/// The columns of which one changed byte explains the wrong `position_checksum`, separated by commas.
fn position_columns(row: &FullRow) -> String {
    let mends = |change: &dyn Fn(&mut FullRow, u64)| {
        (0..8).any(|at: u32| {
            (1..=u64::from(u8::MAX)).any(|bits| {
                let mut other = FullRow { raw: vec![], kind: String::new(), ..row.clone() };
                change(&mut other, bits << at.saturating_mul(8));
                other.expected_position_checksum() == row.position_checksum
            })
        })
    };
    let changed = (row.position_checksum ^ row.expected_position_checksum()).to_le_bytes();
    let mut columns = vec![];
    if mends(&|row, bits| row.slot ^= bits) {
        columns.push("slot");
    }
    if mends(&|row, bits| row.write_version ^= bits) {
        columns.push("write_version");
    }
    if mends(&|row, bits| row.closed_slot = row.closed_slot.map(|slot| slot ^ bits)) {
        columns.push("closed_slot");
    }
    if changed.iter().filter(|byte| **byte != 0).count() == 1 {
        columns.push("position_checksum");
    }
    if columns.is_empty() {
        columns.extend(["slot", "write_version", "closed_slot", "position_checksum"]);
    }
    columns.join(",")
}

/// The PDA of an account with this content.
fn home(account: &ManagerAccount) -> Option<Pubkey> {
    Some(match account {
        ManagerAccount::Multisig(a) => {
            derive_address(&[seeds::MULTISIG, a.create_key.as_ref()], a.bump)
        }
        ManagerAccount::Program(a) => derive_address(&[seeds::PROGRAM, a.program.as_ref()], a.bump),
        ManagerAccount::Proposal(a) => {
            let (terms, id) = (&a.terms, a.terms.id.to_le_bytes());
            let of = [seeds::PROPOSAL, terms.program.as_ref(), terms.multisig.as_ref(), &id];
            derive_address(&of, a.bump)
        }
        ManagerAccount::Attestation(a) => {
            derive_address(&[seeds::ATTESTATION, a.buffer.as_ref()], a.bump)
        }
        ManagerAccount::AccountVersion(a) => {
            derive_address(&[seeds::VERSION, a.program.as_ref(), a.account.as_ref()], a.bump)
        }
        ManagerAccount::Governance(a) => {
            let id = a.terms.id.to_le_bytes();
            derive_address(&[seeds::GOVERNANCE, a.terms.multisig.as_ref(), &id], a.bump)
        }
        ManagerAccount::Backup(a) => {
            derive_address(&[seeds::BACKUP, a.program.as_ref(), a.account.as_ref()], a.bump)
        }
    })
}

/// Counters that differ from the number of rows they count.
async fn counters(store: &dyn Store) -> Result<Vec<StoreFault>> {
    let mut round = 1;
    loop {
        let (kept, counted) = (store.progress(false).await?, store.progress(true).await?);
        let mut faults = vec![];
        for place in kept.keys().chain(counted.keys()).collect::<BTreeSet<_>>() {
            let counts = |side: Option<&ProgressRow>| side.copied().unwrap_or_default().counts();
            let (kept, counted) = (counts(kept.get(place)), counts(counted.get(place)));
            for (status, (kept, counted)) in AccountStatus::ALL.iter().zip(kept.iter().zip(counted))
            {
                if *kept != counted {
                    let row = format!("{},{}", place.0, place.1);
                    let what = format!(
                        "The counter of {} records of proposal {} says {kept}, but there are {counted} rows.",
                        status.name(),
                        place.1
                    );
                    let field = status.name().to_lowercase();
                    faults.push(StoreFault { table: "progress", row, field, what });
                }
            }
        }
        if faults.is_empty() || round == MAX_ROUNDS {
            return Ok(faults);
        }
        round = round.saturating_add(1);
        tokio::time::sleep(ROUND_INTERVAL).await;
    }
}
