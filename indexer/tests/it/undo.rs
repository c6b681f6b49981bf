//! Undo of orphaned slots, and closes by the stream.
use std::sync::Arc;

use indexer::{Applied, Batch, Close, Marks, Store, Update, replay};
use upgrade_manager::state::{AccountStatus, ProposalStatus};

use crate::{
    common::fixtures::{RUN, bytes, key, proposal, record_update, update},
    on_both_stores,
};

use AccountStatus::{Migrated, Pending, Restored, Verified};

async fn told(store: &Arc<dyn Store>, updates: Vec<Update>) -> Applied {
    store.apply(&RUN, Batch { updates, ..Batch::default() }).await.unwrap()
}

async fn closed(store: &Arc<dyn Store>, n: u8, slot: u64, write_version: u64) -> Applied {
    let closes = vec![Close { pubkey: key(n), slot, write_version }];
    store.apply(&RUN, Batch { closes, ..Batch::default() }).await.unwrap()
}

async fn root(store: &Arc<dyn Store>, slot: u64) {
    store.keep(&RUN, Marks { root: Some(slot), ..Marks::default() }).await.unwrap();
}

/// The row of account `n`: status, slot, closing slot. Also checks the counters.
async fn seen(store: &Arc<dyn Store>, n: u8) -> Option<(AccountStatus, u64, Option<u64>)> {
    assert_eq!(store.progress(false).await.unwrap(), store.progress(true).await.unwrap());
    let rows = store.full_rows(None, 100).await.unwrap();
    assert!(rows.iter().all(|row| row.position_checksum == row.expected_position_checksum()));
    rows.into_iter().find(|row| row.pubkey == key(n)).map(|row| {
        let status = AccountStatus::from_name(&row.status.unwrap()).unwrap();
        (status, row.slot, row.closed_slot)
    })
}

on_both_stores! {
    async fn undo_restores_the_state_before_the_reorg(place) {
        let store = place.open().await;
        told(&store, vec![record_update(1, Pending, 4, 0), record_update(2, Pending, 4, 0)]).await;
        told(&store, vec![record_update(1, Migrated, 10, 1)]).await;
        let before = told(&store, vec![record_update(2, Verified, 11, 2)]).await;
        let done = store.undo(&RUN, &[10]).await.unwrap();
        assert_eq!((done.restored, done.removed), (1, 0));
        assert!(done.rev > before.rev, "a screen has to be drawn again");
        assert_eq!(seen(&store, 1).await, Some((Pending, 4, None)));
        assert_eq!(seen(&store, 2).await, Some((Verified, 11, None)), "its slot stays");
        let moved = store.view().await.unwrap().moved[&key(60)];
        assert_eq!((moved.pending, moved.migrated, moved.verified), (1, 0, 1));
        assert_eq!(store.undo_slots(99).await.unwrap(), [11]);
        let again = store.undo(&RUN, &[10]).await.unwrap();
        assert_eq!((again.restored, again.rev), (0, done.rev), "once");
    }

    async fn undo_removes_an_account_of_an_orphaned_slot(place) {
        let store = place.open().await;
        told(&store, vec![record_update(1, Migrated, 10, 1)]).await;
        told(&store, vec![record_update(1, Verified, 11, 2)]).await;
        let done = store.undo(&RUN, &[10, 11]).await.unwrap();
        assert_eq!((done.restored, done.removed), (0, 1));
        assert_eq!(seen(&store, 1).await, None);
        told(&store, vec![record_update(1, Restored, 9, 3)]).await;
        assert_eq!(seen(&store, 1).await, Some((Restored, 9, None)), "nothing newer is in its way");
    }

    async fn undo_keeps_later_writes_and_relinks_their_log(place) {
        let store = place.open().await;
        told(&store, vec![record_update(1, Pending, 4, 0)]).await;
        told(&store, vec![record_update(1, Migrated, 10, 1)]).await;
        told(&store, vec![record_update(1, Verified, 11, 2)]).await;
        assert_eq!(store.undo(&RUN, &[10]).await.unwrap().restored, 0);
        assert_eq!(seen(&store, 1).await, Some((Verified, 11, None)));
        store.undo(&RUN, &[11]).await.unwrap();
        assert_eq!(seen(&store, 1).await, Some((Pending, 4, None)));
    }

    async fn undo_reverts_all_writes_of_a_slot(place) {
        let store = place.open().await;
        told(&store, vec![record_update(1, Pending, 4, 0)]).await;
        told(&store, vec![record_update(1, Migrated, 10, 1)]).await;
        told(&store, vec![record_update(1, Verified, 10, 2)]).await;
        store.undo(&RUN, &[10]).await.unwrap();
        assert_eq!(seen(&store, 1).await, Some((Pending, 4, None)));
    }

    async fn closes_are_ordered_like_states(place) {
        let store = place.open().await;
        told(&store, vec![record_update(1, Migrated, 10, 5)]).await;
        let first = store.revision().await.unwrap();
        assert_eq!(closed(&store, 1, 10, 4).await.stale, 1);
        assert_eq!(closed(&store, 2, 10, 4).await, Applied { rev: first, ..Applied::default() });
        let done = closed(&store, 1, 12, 7).await;
        assert!(done.closed == 1 && done.rev > first, "{done:?}");
        assert_eq!(seen(&store, 1).await, Some((Migrated, 12, Some(12))));
        let late = told(&store, vec![record_update(1, Verified, 12, 6)]).await;
        assert_eq!((late.written, late.stale), (0, 1), "told before the close, heard after it");
        assert_eq!(closed(&store, 1, 14, 8).await.closed, 0, "it is closed already");
        assert_eq!(told(&store, vec![record_update(1, Verified, 13, 9)]).await.stale, 1);
        told(&store, vec![record_update(1, Verified, 15, 9)]).await;
        assert_eq!(seen(&store, 1).await, Some((Verified, 15, None)), "made again");
    }

    async fn a_state_and_its_close_in_one_batch_keep_the_state(place) {
        let store = place.open().await;
        let executed = bytes(&proposal(ProposalStatus::Executed));
        let updates = vec![update(key(60), 20, 1, executed)];
        let closes = vec![Close { pubkey: key(60), slot: 20, write_version: 2 }];
        let done = store.apply(&RUN, Batch { updates, closes, ..Batch::default() }).await.unwrap();
        assert_eq!((done.written, done.closed), (1, 1));
        let row = store.view().await.unwrap().proposals.remove(0);
        assert_eq!((row.account.status, row.closed_slot), (ProposalStatus::Executed, Some(20)));
    }

    async fn a_close_in_an_orphaned_slot_is_undone(place) {
        let store = place.open().await;
        told(&store, vec![record_update(1, Migrated, 4, 0)]).await;
        closed(&store, 1, 10, 1).await;
        assert_eq!(store.undo(&RUN, &[10]).await.unwrap().restored, 1);
        assert_eq!(seen(&store, 1).await, Some((Migrated, 4, None)));
    }

    async fn a_snapshots_close_survives_successive_undos(place) {
        let store = place.open().await;
        told(&store, vec![record_update(1, Pending, 4, 0)]).await;
        closed(&store, 1, 6, 1).await;
        told(&store, vec![record_update(1, Pending, 9, 2)]).await;
        assert_eq!(replay::complete(&*store, &RUN, 10, Arc::default()).await.unwrap(), 1);
        store.undo(&RUN, &[9]).await.unwrap();
        assert_eq!(seen(&store, 1).await, Some((Pending, 6, Some(6))));
        store.undo(&RUN, &[6]).await.unwrap();
        assert_eq!(seen(&store, 1).await, Some((Pending, 4, Some(10))), "no snapshot has it");
    }

    async fn undo_reverts_slot_and_write_version_of_an_unchanged_account(place) {
        let store = place.open().await;
        told(&store, vec![record_update(1, Migrated, 4, 0)]).await;
        told(&store, vec![record_update(1, Migrated, 10, 1)]).await;
        store.undo(&RUN, &[10]).await.unwrap();
        let late = told(&store, vec![record_update(1, Verified, 9, 2)]).await;
        assert_eq!(late.written, 1, "the real chain's slot is not taken for an old one");
    }

    async fn finalised_slots_cannot_be_undone_and_leave_the_log(place) {
        let store = place.open().await;
        told(&store, vec![record_update(1, Pending, 4, 0), record_update(2, Pending, 4, 0)]).await;
        told(&store, vec![record_update(1, Migrated, 10, 1), record_update(2, Migrated, 12, 2)]).await;
        assert_eq!(store.undo_slots(11).await.unwrap(), [10]);
        root(&store, 11).await;
        assert_eq!(store.undo_slots(99).await.unwrap(), [12]);
        told(&store, vec![record_update(1, Verified, 11, 3)]).await;
        assert_eq!(store.undo_slots(99).await.unwrap(), [12], "not above the root");
        root(&store, 5).await;
        assert_eq!(store.state().await.unwrap().root_slot, 11, "the root never falls");
        store.undo(&RUN, &[10, 11]).await.unwrap();
        assert_eq!(seen(&store, 1).await, Some((Verified, 11, None)));
        drop(store);
        let store = place.open().await;
        store.undo(&RUN, &[12]).await.unwrap();
        assert_eq!(seen(&store, 2).await, Some((Pending, 4, None)), "also after a restart");
    }

    async fn a_reorg_does_not_undo_what_a_snapshot_wrote(place) {
        let store = place.open().await;
        told(&store, vec![record_update(1, Pending, 4, 0)]).await;
        told(&store, vec![record_update(1, Migrated, 10, 1)]).await;
        // A snapshot at 12 confirms the same content, so it does not depend on slot 10.
        let read = told(&store, vec![record_update(1, Migrated, 12, 0)]).await;
        assert_eq!((read.written, read.unchanged), (0, 1));
        store.undo(&RUN, &[10]).await.unwrap();
        assert_eq!(seen(&store, 1).await, Some((Migrated, 12, None)));
        let again = told(&store, vec![record_update(1, Migrated, 13, 0)]).await;
        assert_eq!((again.written, again.unchanged), (0, 1));
        assert_eq!(seen(&store, 1).await, Some((Migrated, 12, None)), "nothing more is written");
    }
}
