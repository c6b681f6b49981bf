//! An export of the audit log allows to recompute its chain, and a changed line is found and named.
use std::sync::Arc;

use anchor_lang::Event;
use indexer::{
    AuditEntry, SqliteStore, Store,
    audit::{ExportFormat, ExportReport, check_export, export},
    digest,
    store::audit_log::GENESIS,
};
use proptest::prelude::*;
use solana_signature::Signature;
use upgrade_manager::events::{MultisigCreated, ProposalExpired};

use crate::{
    common::fixtures::{RUN, key},
    on_both_stores,
};

const FORMATS: [ExportFormat; 2] = [ExportFormat::JsonLines, ExportFormat::Csv];

fn entry(n: u64, payload: Vec<u8>, time: Option<i64>) -> AuditEntry {
    let mut signature = [7; 64];
    signature[..8].copy_from_slice(&n.to_le_bytes());
    AuditEntry {
        slot: 100 + n / 3,
        tx_index: u32::try_from(n % 3).unwrap(),
        ix_index: 1,
        inner_index: 2,
        signature: Signature::from(signature),
        time,
        payload,
    }
}

fn event(n: u64) -> Vec<u8> {
    let n = u8::try_from(n % 200).unwrap();
    if n.is_multiple_of(5) {
        // Its detail holds a list, so that CSV needs quoting.
        let members = vec![key(1), key(n)];
        MultisigCreated { multisig: key(n), members, threshold: 2, timelock: 5 }.data()
    } else {
        ProposalExpired { proposal: key(n), program: key(50) }.data()
    }
}

async fn written(store: &dyn Store, format: ExportFormat) -> Vec<u8> {
    let mut out = vec![];
    export(store, format, &mut out).await.unwrap();
    out
}

fn checked(bytes: &[u8]) -> ExportReport {
    check_export(bytes, 10).unwrap()
}

fn memory() -> Arc<dyn Store> {
    Arc::new(SqliteStore::open_in_memory().unwrap())
}

on_both_stores! {
    async fn an_export_of_many_pages_is_complete(place) {
        let store = place.open().await;
        let entries = (0..2_500).map(|n| entry(n, event(n), Some(1_700_000_000)));
        store.append_audit(&RUN, entries.collect(), 2_000).await.unwrap();
        let head = digest(store.as_ref()).await.unwrap();
        for format in FORMATS {
            let report = checked(&written(store.as_ref(), format).await);
            assert_eq!((report.rows, report.seq, report.head), (2_500, head.audit_seq, head.audit));
            assert_eq!((report.faults, report.more), (vec![], 0));
        }
    }
}

#[tokio::test]
async fn an_empty_log_can_be_exported() {
    for format in FORMATS {
        let report = checked(&written(memory().as_ref(), format).await);
        assert_eq!((report.rows, report.head, report.faults.len()), (0, GENESIS, 0));
    }
}

#[tokio::test]
async fn a_tampered_line_is_found_and_named_in_both_formats() {
    let store = memory();
    let entries = (0..6).map(|n| entry(n, event(n), None)).collect();
    store.append_audit(&RUN, entries, 200).await.unwrap();
    for (format, first) in [(ExportFormat::JsonLines, 1), (ExportFormat::Csv, 2)] {
        let text = String::from_utf8(written(store.as_ref(), format).await).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        let fourth = first + 3;
        let tampered = |from: &str, to: &str| {
            let line = lines[fourth - 1].replacen(from, to, 1);
            assert_ne!(line, lines[fourth - 1], "{from}");
            let mut lines = lines.clone();
            lines[fourth - 1] = &line;
            checked(lines.join("\n").as_bytes())
        };
        let program = key(50).to_string();
        for (from, to, field) in [
            ("ProposalExpired", "ProposalExpirec", "kind"),
            ("101", "103", "slot"),
            (program.as_str(), key(51).to_string().as_str(), "detail"),
        ] {
            let found = tampered(from, to).faults;
            assert_eq!(found.len(), 1, "{found:?}");
            let named = (found[0].line, found[0].field.as_str());
            assert_eq!(named, (u64::try_from(fourth).unwrap(), field), "{found:?}");
        }
        // A line that is no row, and a missing row.
        let found = tampered("101", "x").faults;
        assert_eq!((found.len(), found[0].field.as_str()), (1, "line"), "{found:?}");
        let mut less = lines.clone();
        less.remove(fourth - 1);
        let found = checked(less.join("\n").as_bytes()).faults;
        assert!(found.len() == 1 && found[0].what.contains("rows are missing"), "{found:?}");
        // A cut-off end is visible only in the head.
        let report = checked(lines[..lines.len() - 1].join("\n").as_bytes());
        assert_eq!((report.seq, report.faults.len()), (5, 0));
        assert_ne!(report.head, digest(store.as_ref()).await.unwrap().audit);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn any_log_survives_export_and_check(
        rows in prop::collection::vec(
            (prop::option::of(any::<i64>()), prop::option::of(prop::collection::vec(any::<u8>(), 0..60))),
            0..12,
        ),
        csv in any::<bool>(), at in any::<prop::sample::Index>(), bit in 0u8..7,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let store = memory();
        let entries = (0u64..).zip(&rows).map(|(n, (time, payload))| {
            entry(n, payload.clone().unwrap_or_else(|| event(n)), *time)
        });
        runtime.block_on(store.append_audit(&RUN, entries.collect(), 900)).unwrap();
        let format = if csv { ExportFormat::Csv } else { ExportFormat::JsonLines };
        let bytes = runtime.block_on(written(store.as_ref(), format));
        let head = runtime.block_on(digest(store.as_ref())).unwrap().audit;
        let report = checked(&bytes);
        prop_assert_eq!((report.faults, report.head), (vec![], head));
        if !bytes.is_empty() {
            // A changed bit gives a fault or another head, unless it is insignificant.
            let mut bad = bytes.clone();
            let at = at.index(bad.len());
            bad[at] ^= 1 << bit;
            let report = check_export(bad.as_slice(), 10);
            let meant = |bytes: &[u8]| {
                String::from_utf8_lossy(bytes).to_lowercase().split_whitespace().collect::<String>()
            };
            let is_seen = report.is_err()
                || report.is_ok_and(|r| !r.faults.is_empty() || r.head != head);
            prop_assert!(is_seen || meant(&bad) == meant(&bytes), "byte {at} {:?}", String::from_utf8_lossy(&bad[at.saturating_sub(40)..bad.len().min(at + 40)]));
        }
    }
}
