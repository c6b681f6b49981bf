//! A changed byte in a store is found and named by table, row and column.
use std::sync::Arc;

use anchor_lang::Event;
use indexer::{AuditEntry, Batch, FullRow, SqliteStore, Store, StoreFault, check_store};
use solana_pubkey::Pubkey;
use solana_signature::Signature;
use upgrade_manager::{
    events::VoteCast,
    seeds,
    state::{AccountStatus::Migrated, AccountVersion, Choice, ProposalStatus},
};

use crate::{
    common::{
        Place,
        fixtures::{RUN, bytes, key, record, update},
    },
    on_both_stores,
};

const FAULTS: usize = 20;

fn entry(n: u8) -> AuditEntry {
    let event = VoteCast {
        proposal: key(60),
        program: key(50),
        member: key(n),
        choice: Choice::Approve,
        approvals: n,
        status: ProposalStatus::Active,
        eta: 0,
    };
    AuditEntry {
        slot: 0x0111_2233_4455_6677 + u64::from(n),
        tx_index: 0x0102_0304,
        ix_index: 0x0203_0405,
        inner_index: 0x0304_0506,
        signature: Signature::from([n + 100; 64]),
        time: Some(0x0123_4567_89ab_cdef),
        payload: event.data(),
    }
}

/// The version record of account `n` under its PDA.
fn at_home(n: u8) -> (Pubkey, AccountVersion) {
    let made = record(n, Migrated);
    let (address, bump) = seeds::account_version(&made.program, &made.account);
    (address, AccountVersion { bump, ..made })
}

const SLOT: u64 = 0x1122_3344_5566_7788;
const WV: u64 = 0x0102_0304_0506_0708;

/// Four audit rows and three records; the one of account 2 is closed.
async fn filled(place: &Place) -> Arc<dyn Store> {
    let store = place.open().await;
    store.append_audit(&RUN, (1..=4).map(entry).collect(), 20).await.unwrap();
    let updates = (1..=3).map(|n| {
        let (address, record) = at_home(n);
        update(address, SLOT, WV, bytes(&record))
    });
    store.apply(&RUN, Batch { updates: updates.collect(), ..Batch::default() }).await.unwrap();
    let closed = format!(
        "UPDATE accounts SET closed_slot = {} WHERE pubkey = {};
         UPDATE progress SET migrated = migrated - 1",
        SLOT + 1,
        literal(place, at_home(2).0.as_ref())
    );
    place.sql(&closed).await.unwrap();
    assert_eq!(faults(store.as_ref()).await, []);
    store
}

async fn faults(store: &dyn Store) -> Vec<StoreFault> {
    check_store(store, FAULTS).await.unwrap().faults
}

fn literal(place: &Place, bytes: &[u8]) -> String {
    let hex: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
    if place.is_postgres() { format!("'\\x{hex}'::bytea") } else { format!("x'{hex}'") }
}

fn flipped(bytes: &[u8], at: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[at] ^= 0x10;
    bytes
}

/// Removes the protections of audit log and checksum, so that the test can change rows.
async fn unlock(place: &Place) {
    let sql = if place.is_postgres() {
        "ALTER TABLE audit_log DISABLE TRIGGER ALL;
         ALTER TABLE accounts ALTER COLUMN position_checksum DROP EXPRESSION"
    } else {
        "DROP TRIGGER audit_log_no_update; DROP TRIGGER audit_log_no_delete"
    };
    place.sql(sql).await.unwrap();
}

on_both_stores! {
    async fn one_changed_byte_in_any_column_of_the_audit_log_is_found_and_named(place) {
        let store = filled(place).await;
        unlock(place).await;
        let row = &store.audit(Some(1), 1).await.unwrap()[0];
        let blob = |bytes: &[u8]| (literal(place, bytes), literal(place, &flipped(bytes, 7)));
        let number = |n: u64| (n.to_string(), (n ^ 0x400).to_string());
        let text = (format!("'{}'", row.kind), "'VoteCasu'".to_owned());
        let signature = row.signature.parse::<Signature>().unwrap();
        for (column, (right, wrong)) in [
            ("slot", number(row.slot)),
            ("tx_index", number(row.tx_index.into())),
            ("ix_index", number(row.ix_index.into())),
            ("inner_index", number(row.inner_index.into())),
            ("signature", blob(signature.as_ref())),
            ("block_time", number(row.time.unwrap().unsigned_abs())),
            ("kind", text),
            ("actor", blob(row.actor.unwrap().as_ref())),
            ("subject", blob(row.subject.unwrap().as_ref())),
            ("payload", blob(&row.payload)),
            ("prev_hash", blob(&row.prev_hash)),
            ("hash", blob(&row.hash)),
            ("row_checksum", blob(&row.row_checksum)),
        ] {
            place.sql(&format!("UPDATE audit_log SET {column} = {wrong} WHERE seq = 2")).await.unwrap();
            let found = faults(store.as_ref()).await;
            let named: Vec<_> = found.iter().map(|f| (f.table, f.row.as_str(), f.field.as_str())).collect();
            assert_eq!(named, [("audit_log", "2", column)], "{found:?}");
            place.sql(&format!("UPDATE audit_log SET {column} = {right} WHERE seq = 2")).await.unwrap();
            assert_eq!(faults(store.as_ref()).await, [], "{column} put back");
        }
        place.sql("UPDATE audit_log SET seq = 258 WHERE seq = 2").await.unwrap();
        let found = faults(store.as_ref()).await;
        let named = |row: &str| found.iter().any(|f| (f.row.as_str(), f.field.as_str()) == (row, "seq"));
        assert!(named("258") && found.iter().any(|f| f.what.contains("its seq was 2")), "{found:?}");
    }

    async fn a_cut_or_added_tail_and_a_changed_head_are_found(place) {
        let store = filled(place).await;
        unlock(place).await;
        let head = store.state().await.unwrap().audit_head.unwrap();
        let first = |found: &[StoreFault]| (found[0].table, found[0].row.clone(), found[0].field.clone());
        let other = literal(place, &flipped(&head, 3));
        place.sql(&format!("UPDATE mirror_state SET audit_head = {other}")).await.unwrap();
        let found = faults(store.as_ref()).await;
        assert_eq!(first(&found), ("mirror_state", "1".into(), "audit_head".into()), "{found:?}");
        let head = literal(place, &head);
        place.sql(&format!("UPDATE mirror_state SET audit_head = {head}, audit_seq = 5")).await.unwrap();
        let found = faults(store.as_ref()).await;
        assert_eq!(first(&found), ("mirror_state", "1".into(), "audit_seq".into()), "{found:?}");
        place.sql("UPDATE mirror_state SET audit_seq = 3").await.unwrap();
        let found = faults(store.as_ref()).await;
        assert_eq!(first(&found), ("audit_log", "4".into(), "seq".into()), "{found:?}");
        place.sql("UPDATE mirror_state SET audit_seq = 4; DELETE FROM audit_log WHERE seq > 2").await.unwrap();
        let found = faults(store.as_ref()).await;
        assert_eq!(first(&found), ("audit_log", "3".into(), "seq".into()), "{found:?}");
        assert!(found[0].what.contains("cut off"), "{found:?}");
    }

    async fn a_changed_value_in_any_column_of_an_account_is_found_and_named(place) {
        let store = filled(place).await;
        unlock(place).await;
        let address = at_home(2).0;
        let rows = store.full_rows(None, 10).await.unwrap();
        let row = rows.iter().find(|r| r.pubkey == address).unwrap();
        let blob = |bytes: &[u8]| (literal(place, bytes), literal(place, &flipped(bytes, 7)));
        let text = |right: &str, wrong: &str| (format!("'{right}'"), format!("'{wrong}'"));
        let mut columns = vec![
            ("kind", text(&row.kind, "AccountBackup")),
            ("program", blob(row.program.unwrap().as_ref())),
            ("proposal", blob(row.proposal.unwrap().as_ref())),
            ("account", blob(row.account.unwrap().as_ref())),
            ("status", text("Migrated", "Pending")),
            ("version", ("2".into(), "3".into())),
            ("data_hash", blob(&row.data_hash)),
            ("raw", blob(&row.raw)),
        ];
        if place.is_postgres() {
            // SQL in SQLite recomputes the generated checksum; the file tests below change bytes.
            let number = |n: u64| (n.to_string(), (n ^ 0x400).to_string());
            columns.extend([
                ("slot", number(row.slot)),
                ("write_version", number(row.write_version)),
                ("closed_slot", number(row.closed_slot.unwrap())),
                ("position_checksum", number(row.position_checksum)),
            ]);
        }
        let here = literal(place, address.as_ref());
        for (column, (right, wrong)) in columns {
            place.sql(&format!("UPDATE accounts SET {column} = {wrong} WHERE pubkey = {here}")).await.unwrap();
            let found = faults(store.as_ref()).await;
            assert_eq!((found.len(), found[0].table, &found[0].row), (1, "accounts", &address.to_string()));
            assert!(found[0].field.split(',').any(|field| field == column), "{found:?}");
            place.sql(&format!("UPDATE accounts SET {column} = {right} WHERE pubkey = {here}")).await.unwrap();
        }
        let (_, there) = blob(address.as_ref());
        place.sql(&format!("UPDATE accounts SET pubkey = {there} WHERE pubkey = {here}")).await.unwrap();
        let found = faults(store.as_ref()).await;
        assert_eq!((found.len(), found[0].table, found[0].field.as_str()), (1, "accounts", "pubkey"));
    }

    async fn a_wrong_counter_is_found_and_named(place) {
        let store = filled(place).await;
        place.sql("UPDATE progress SET verified = verified + 1").await.unwrap();
        let found = faults(store.as_ref()).await;
        assert_eq!((found.len(), found[0].table, found[0].field.as_str()), (1, "progress", "verified"));
    }
}

/// `n` in SQLite's record format.
fn as_written(n: u64) -> Vec<u8> {
    let width = [1u32, 2, 3, 4, 6].into_iter().find(|w| n < 1 << (8 * w - 1)).unwrap_or(8);
    n.to_be_bytes()[8 - usize::try_from(width).unwrap()..].to_vec()
}

/// Changes the first byte of each of these columns and every `step`th byte of the row, one at a time, in
/// a copy of the file; returns the check's findings with the column of the byte.
async fn each_byte(
    place: &Place,
    columns: &[(&'static str, Vec<u8>)],
    step: usize,
) -> Vec<(&'static str, usize, Vec<StoreFault>)> {
    let (copy, touched) = (place.path().with_extension("copy"), place.path().with_extension("bad"));
    place.sql(&format!("VACUUM INTO '{}'", copy.display())).await.unwrap();
    let file = std::fs::read(&copy).unwrap();
    let row: Vec<u8> = columns.iter().flat_map(|(_, bytes)| bytes.clone()).collect();
    let places: Vec<usize> =
        file.windows(row.len()).enumerate().filter(|(_, w)| *w == row).map(|(at, _)| at).collect();
    assert_eq!(places.len(), 1, "the row stands in the file once");
    let mut out = vec![];
    let mut at = places[0];
    for (name, bytes) in columns {
        for n in 0..bytes.len() {
            if n == 0 || (at + n - places[0]).is_multiple_of(step) {
                std::fs::write(&touched, flipped(&file, at + n)).unwrap();
                let store = SqliteStore::open(&touched).unwrap();
                out.push((*name, n, faults(&store).await));
            }
        }
        at += bytes.len();
    }
    out
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_byte_of_an_account_row_in_a_sqlite_file_is_located() {
    let place = Place::sqlite();
    let store = filled(&place).await;
    let address = at_home(2).0;
    let rows = store.full_rows(None, 10).await.unwrap();
    let FullRow {
        pubkey,
        kind,
        program,
        proposal,
        account,
        status,
        version,
        data_hash,
        raw,
        slot,
        write_version,
        closed_slot,
        position_checksum,
    } = rows.into_iter().find(|r| r.pubkey == address).unwrap();
    let key = |key: Option<Pubkey>| key.unwrap().to_bytes().to_vec();
    let columns = [
        ("pubkey", pubkey.to_bytes().to_vec()),
        ("kind", kind.into_bytes()),
        ("program", key(program)),
        ("proposal", key(proposal)),
        ("account", key(account)),
        ("status", status.unwrap().into_bytes()),
        ("version", as_written(version.unwrap().unsigned_abs())),
        ("data_hash", data_hash.to_vec()),
        ("raw", raw),
        ("slot", as_written(slot)),
        ("write_version", as_written(write_version)),
        ("closed_slot", as_written(closed_slot.unwrap())),
        ("position_checksum", as_written(position_checksum)),
    ];
    for (column, at, found) in each_byte(&place, &columns, 5).await {
        let named = found
            .iter()
            .any(|f| f.table == "accounts" && f.field.split(',').any(|field| field == column));
        assert!(named, "byte {at} of {column}: {found:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_byte_of_an_audit_row_in_a_sqlite_file_is_located() {
    let place = Place::sqlite();
    let store = filled(&place).await;
    let row = store.audit(Some(1), 1).await.unwrap().remove(0);
    let signature = row.signature.parse::<Signature>().unwrap();
    let columns = [
        ("slot", as_written(row.slot)),
        ("tx_index", as_written(row.tx_index.into())),
        ("ix_index", as_written(row.ix_index.into())),
        ("inner_index", as_written(row.inner_index.into())),
        ("signature", signature.as_ref().to_vec()),
        ("block_time", as_written(row.time.unwrap().unsigned_abs())),
        ("kind", row.kind.into_bytes()),
        ("actor", row.actor.unwrap().to_bytes().to_vec()),
        ("subject", row.subject.unwrap().to_bytes().to_vec()),
        ("payload", row.payload),
        ("prev_hash", row.prev_hash.to_vec()),
        ("hash", row.hash.to_vec()),
        ("row_checksum", row.row_checksum.to_vec()),
    ];
    for (column, at, found) in each_byte(&place, &columns, 9).await {
        let fault = &found[0];
        let named = (fault.table, fault.row.as_str(), fault.field.as_str());
        assert_eq!(named, ("audit_log", "2", column), "byte {at}: {found:?}");
    }
}
