//! Order of writes, closes by snapshots, counters.
use std::sync::Arc;

use indexer::{
    BackupHead, Batch, Closing, ManagerAccount, PubkeySet, Quarantined, RecordQuery, Store, Update,
    account::decode, replay,
};
use upgrade_manager::state::{AccountStatus, ProposalStatus};

use crate::{
    common::fixtures::{
        RUN, attestation, backup, bytes, governance, key, multisig, program, proposal, record,
        record_update, update,
    },
    on_both_stores,
};

async fn write(store: &Arc<dyn Store>, updates: Vec<Update>) -> indexer::Applied {
    store.apply(&RUN, Batch { updates, ..Batch::default() }).await.unwrap()
}

async fn status_of(store: &Arc<dyn Store>, n: u8) -> Option<AccountStatus> {
    let query = RecordQuery { limit: 100, ..RecordQuery::default() };
    let rows = store.account_versions(&key(50), query).await.unwrap();
    rows.into_iter().find(|r| r.pubkey == key(n)).map(|r| r.account.status)
}

fn keys(of: &[u8]) -> Arc<PubkeySet> {
    Arc::new(of.iter().map(|n| key(*n)).collect())
}

async fn complete(store: &Arc<dyn Store>, slot: u64, present: &[u8]) -> u64 {
    replay::complete(&**store, &RUN, slot, keys(present)).await.unwrap()
}

/// The stored counters equal a recount of the rows.
async fn counted(store: &Arc<dyn Store>) {
    assert_eq!(store.progress(false).await.unwrap(), store.progress(true).await.unwrap());
}

use AccountStatus::{Migrated, Pending, Restored, Verified};

on_both_stores! {
    async fn every_account_type_round_trips(place) {
        let store = place.open().await;
        write(&store, vec![
            update(key(40), 3, 0, bytes(&multisig())),
            update(key(41), 4, 0, bytes(&program(1))),
            update(key(60), 5, 0, bytes(&proposal(ProposalStatus::Active))),
            update(key(61), 6, 0, bytes(&attestation())),
            update(key(62), 6, 0, bytes(&governance(ProposalStatus::Timelocked))),
            update(key(63), 6, 0, bytes(&backup(9))),
            record_update(1, Migrated, 7, 0),
        ]).await;
        drop(store);
        let store = place.open().await;
        let view = store.view().await.unwrap();
        assert_eq!((view.multisigs[0].account.clone(), view.multisigs[0].slot), (multisig(), 3));
        assert_eq!((view.programs[0].account.clone(), view.programs[0].pubkey), (program(1), key(41)));
        assert_eq!(view.proposals[0].account, proposal(ProposalStatus::Active));
        assert_eq!(view.attestations[0].account, attestation());
        assert_eq!(view.governance[0].account, governance(ProposalStatus::Timelocked));
        assert_eq!(view.progress[&key(50)].migrated, 1);
        assert_eq!(view.moved[&key(60)].migrated, 1);
        let query = RecordQuery { limit: 9, ..RecordQuery::default() };
        let rows = store.account_versions(&key(50), query).await.unwrap();
        assert_eq!(rows[0].account, record(1, Migrated));
    }

    async fn a_backup_is_mirrored_without_its_saved_bytes(place) {
        let store = place.open().await;
        write(&store, vec![update(key(63), 6, 0, bytes(&backup(9)))]).await;
        let row = store.rows(None, 9).await.unwrap().remove(0);
        assert_eq!(row.raw, bytes(&backup(9))[..BackupHead::SIZE]);
        let ManagerAccount::Backup(head) = decode::manager_account(&row.raw).unwrap() else {
            panic!("a backup");
        };
        assert_eq!((head.account, head.proposal, head.len), (key(9), key(60), 300));
        assert_eq!(head.sha256, backup(9).sha256);
    }

    async fn an_older_write_never_wins_and_arrival_breaks_a_tie_within_a_slot(place) {
        let store = place.open().await;
        write(&store, vec![record_update(1, Migrated, 10, 5)]).await;
        for (slot, write_version) in [(9, 99), (10, 4), (10, 0), (10, 5)] {
            let applied = write(&store, vec![record_update(1, Restored, slot, write_version)]).await;
            assert_eq!((applied.written, applied.stale), (0, 1), "({slot}, {write_version})");
        }
        write(&store, vec![record_update(1, Verified, 10, 6)]).await;
        assert_eq!(status_of(&store, 1).await, Some(Verified));
        counted(&store).await;
    }

    async fn the_newest_state_of_an_account_in_a_batch_wins(place) {
        let store = place.open().await;
        let applied = write(&store, vec![
            record_update(1, Verified, 10, 3),
            record_update(1, Pending, 10, 1),
            record_update(1, Migrated, 10, 2),
        ]).await;
        assert_eq!((applied.written, applied.stale), (1, 2));
        assert_eq!(status_of(&store, 1).await, Some(Verified));
        counted(&store).await;
    }

    async fn a_later_snapshot_corrects_a_wrong_row(place) {
        let store = place.open().await;
        write(&store, vec![record_update(1, Migrated, 10, 5)]).await;
        write(&store, vec![record_update(1, Verified, 10, 0)]).await;
        assert_eq!(status_of(&store, 1).await, Some(Migrated), "the stream wins within a slot");
        write(&store, vec![record_update(1, Verified, 11, 0)]).await;
        assert_eq!(status_of(&store, 1).await, Some(Verified), "the next snapshot wins");
    }

    async fn an_unchanged_account_changes_no_row_and_no_revision(place) {
        let store = place.open().await;
        let first = write(&store, vec![record_update(1, Migrated, 10, 0)]).await;
        let again = write(&store, vec![record_update(1, Migrated, 20, 0)]).await;
        assert_eq!((again.written, again.unchanged, again.rev), (0, 1, first.rev));
        let told = write(&store, vec![record_update(1, Migrated, 21, 3)]).await;
        assert_eq!((told.written, told.unchanged, told.rev), (0, 1, first.rev));
        // The unchanged state raised slot and write version, so an older state is refused.
        let old = write(&store, vec![record_update(1, Pending, 21, 2)]).await;
        assert_eq!(old.stale, 1);
    }

    async fn only_a_complete_snapshot_closes_and_late_states_do_not_reopen(place) {
        let store = place.open().await;
        write(&store, (1..=3).map(|n| record_update(n, Migrated, 10, u64::from(n))).collect()).await;
        write(&store, vec![record_update(4, Migrated, 20, 4)]).await;
        assert_eq!(complete(&store, 20, &[1]).await, 2, "2 and 3; 4 is as new as the snapshot");
        assert_eq!(status_of(&store, 2).await, None);
        assert_eq!(status_of(&store, 4).await, Some(Migrated));
        counted(&store).await;
        let late = write(&store, vec![record_update(2, Verified, 19, 9), record_update(9, Verified, 19, 9)]).await;
        assert_eq!(late.stale, 2, "told before the snapshot, heard after it");
        assert_eq!(status_of(&store, 2).await, None);
        assert_eq!(complete(&store, 20, &[1]).await, 0, "once");
        counted(&store).await;
    }

    async fn a_late_older_snapshot_closes_nothing(place) {
        let store = place.open().await;
        // Created at 4, closed at 5, recreated with the same bytes at 8: the snapshot of 9 finds
        // nothing to write, so only the floor protects the row from the late close of 5.
        write(&store, vec![record_update(1, Migrated, 4, 1)]).await;
        write(&store, vec![record_update(1, Migrated, 9, 0)]).await;
        assert_eq!(complete(&store, 9, &[1]).await, 0);
        assert_eq!(complete(&store, 5, &[]).await, 0);
        assert_eq!(status_of(&store, 1).await, Some(Migrated));
        let late = write(&store, vec![record_update(2, Migrated, 8, 2)]).await;
        assert_eq!(late.stale, 1, "the floor did not fall");
    }

    async fn a_recreated_account_is_live_again(place) {
        let store = place.open().await;
        write(&store, vec![record_update(1, Migrated, 10, 1), record_update(2, Migrated, 10, 2)]).await;
        complete(&store, 20, &[2]).await;
        write(&store, vec![record_update(1, Migrated, 21, 3)]).await;
        assert_eq!(status_of(&store, 1).await, Some(Migrated), "the same bytes as before");
        counted(&store).await;
        let view = store.view().await.unwrap();
        assert_eq!(view.moved[&key(60)].migrated, 2);
    }

    async fn a_closed_proposal_stays_readable_with_its_closing_slot(place) {
        let store = place.open().await;
        write(&store, vec![update(key(60), 5, 1, bytes(&proposal(ProposalStatus::Rejected)))]).await;
        write(&store, vec![update(key(40), 5, 2, bytes(&multisig()))]).await;
        complete(&store, 30, &[40]).await;
        let view = store.view().await.unwrap();
        assert_eq!((view.proposals[0].slot, view.proposals[0].closed_slot), (5, Some(30)));
        assert_eq!(view.frontier, 30);
    }

    async fn a_snapshot_closes_nothing_without_proof_of_absence(place) {
        let store = place.open().await;
        write(&store, (1..=5).map(|n| record_update(n, Migrated, 10, 1)).collect()).await;
        // Newer than the snapshot, which therefore cannot close it.
        write(&store, vec![record_update(6, Migrated, 21, 1)]).await;
        let bad = Quarantined {
            pubkey: key(9), slot: 10, owner: key(77), error: "It is odd.".into(), raw: vec![1],
        };
        store.apply(&RUN, Batch { quarantined: vec![bad], ..Batch::default() }).await.unwrap();
        for (present, gone, unproved) in [
            (&[1u8, 2, 3, 4] as &[u8], &[] as &[u8], &[5u8, 9] as &[u8]),
            (&[1, 2, 3, 4, 9], &[], &[5]),
            (&[1, 2, 3], &[4, 9], &[5]),
            (&[], &[1, 2, 4, 5], &[3, 9]),
        ] {
            let done = store.tombstone_missing(&RUN, 20, keys(present), keys(gone)).await.unwrap();
            let unproved = unproved.iter().map(|n| key(*n)).collect();
            assert_eq!(done, Closing::Unproved(unproved), "{present:?} {gone:?}");
        }
        assert_eq!(store.rows(None, 100).await.unwrap().len(), 6);
        assert_eq!(store.quarantined().await.unwrap().len(), 1);
        assert_eq!(store.state().await.unwrap().snapshot_slot, 0);
        let late = write(&store, vec![record_update(1, Verified, 19, 1)]).await;
        assert_eq!(late.written, 1, "a snapshot that is not proved sets no floor");
        // An account in both `gone` and the list stays open.
        let done = store.tombstone_missing(&RUN, 20, keys(&[1, 2, 3]), keys(&[3, 4, 5, 9])).await;
        assert_eq!(done.unwrap(), Closing::Closed(2));
        assert_eq!(store.rows(None, 100).await.unwrap().len(), 4);
        assert_eq!(store.quarantined().await.unwrap(), []);
        assert_eq!(store.state().await.unwrap().snapshot_slot, 20);
        counted(&store).await;
    }

    async fn an_undecodable_account_stays_in_quarantine_until_readable_or_gone(place) {
        let store = place.open().await;
        let bad = |n: u8, slot: u64| Quarantined {
            pubkey: key(n), slot, owner: key(77), error: format!("Account {n} is odd."), raw: vec![n; 5],
        };
        let put = |q: Vec<Quarantined>| Batch { quarantined: q, ..Batch::default() };
        write(&store, vec![record_update(1, Migrated, 10, 1)]).await;
        let before = store.revision().await.unwrap();
        store.apply(&RUN, put(vec![bad(1, 11), bad(2, 11), bad(3, 11)])).await.unwrap();
        assert!(store.revision().await.unwrap() > before);
        assert_eq!(store.quarantined().await.unwrap(), [bad(1, 11), bad(2, 11), bad(3, 11)]);
        write(&store, vec![record_update(1, Verified, 12, 2)]).await;
        complete(&store, 13, &[1, 2]).await;
        assert_eq!(store.quarantined().await.unwrap(), [bad(2, 11)], "1 is readable, 3 is gone");
        store.apply(&RUN, put(vec![bad(1, 11)])).await.unwrap();
        assert_eq!(store.quarantined().await.unwrap(), [bad(2, 11)], "older than what is known");
    }

    async fn records_are_paged_by_address_and_filtered_by_status(place) {
        let store = place.open().await;
        write(&store, (1..=9).map(|n| {
            record_update(n, if n % 2 == 0 { Verified } else { Migrated }, 10, 1)
        }).collect()).await;
        let page = |status, after: Option<u8>, limit| {
            let query = RecordQuery { status, after: after.map(key), limit };
            let store = Arc::clone(&store);
            async move {
                let rows = store.account_versions(&key(50), query).await.unwrap();
                rows.iter().map(|r| r.pubkey.to_bytes()[0]).collect::<Vec<u8>>()
            }
        };
        assert_eq!(page(None, None, 4).await, [1, 2, 3, 4]);
        assert_eq!(page(None, Some(4), 9).await, [5, 6, 7, 8, 9]);
        assert_eq!(page(Some(Verified), Some(2), 2).await, [4, 6]);
        assert_eq!(page(Some(Restored), None, 9).await, [] as [u8; 0]);
    }
}

#[test]
fn a_backup_with_wrong_saved_bytes_is_quarantined() {
    let read = |account: &upgrade_manager::state::AccountBackup| {
        let (pubkey, owner, data) = (key(63), upgrade_manager::ID, bytes(account));
        decode::decode(&owner, decode::Raw { pubkey, owner, slot: 1, write_version: 0, data })
    };
    assert!(read(&backup(9)).is_ok());
    let mut other = backup(9);
    other.bytes[0] = 8;
    assert!(read(&other).unwrap_err().error.contains("sha256"));
    let mut cut = bytes(&backup(9));
    cut.pop();
    let raw = decode::Raw {
        pubkey: key(63),
        owner: upgrade_manager::ID,
        slot: 1,
        write_version: 0,
        data: cut,
    };
    let error = decode::decode(&upgrade_manager::ID, raw).unwrap_err().error;
    assert!(error.contains("299 bytes") && error.contains("300"), "{error}");
}
