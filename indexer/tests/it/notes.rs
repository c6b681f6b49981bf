//! Notes of the local log, and retention.
use std::sync::Arc;

use indexer::{Announcement, Batch, Marks, Retention, Sent, replay::complete};
use serde_json::json;
use upgrade_manager::state::AccountStatus;

use crate::{
    common::fixtures::{RUN, bytes, key, multisig, record_update, update},
    on_both_stores,
};

/// Slots per day at 400 ms.
const DAY: u64 = 216_000;

fn said(n: u8, slot: u64) -> Announcement {
    Announcement {
        event_id: [n; 32],
        kind: "ProposalCreated".into(),
        slot,
        chain_time: None,
        subject: None,
        detail: "{}".into(),
    }
}

on_both_stores! {
    async fn notes_are_read_newest_first(place) {
        let store = place.open().await;
        store.log_op("Reconnected", &json!({ "after_ms": 7 })).await.unwrap();
        store.log_op("Repaired", &json!({ "rows": 2, "why": "gap\u{0}" })).await.unwrap();
        drop(store);
        let notes = place.open().await.ops(9).await.unwrap();
        assert_eq!(notes.len(), 2);
        assert_eq!((notes[0].kind.as_str(), &notes[0].detail["rows"]), ("Repaired", &json!(2)));
        assert_eq!((notes[1].kind.as_str(), &notes[1].detail), ("Reconnected", &json!({ "after_ms": 7 })));
        assert!(notes[0].id > notes[1].id && notes[0].at_ms >= notes[1].at_ms);
        assert!(notes[1].at_ms > 1_700_000_000_000, "milliseconds");
        assert_eq!(place.open().await.ops(1).await.unwrap().len(), 1);
    }

    async fn retention_removes_only_old_unneeded_rows(place) {
        let store = place.open().await;
        let mut first = vec![update(key(40), 4, 0, bytes(&multisig()))];
        first.extend((1..=3).map(|n| record_update(n, AccountStatus::Migrated, 4, 0)));
        store.apply(&RUN, Batch { updates: first, ..Batch::default() }).await.unwrap();
        let close = async |slot: u64, left: &[u8]| {
            let present = Arc::new(left.iter().map(|n| key(*n)).collect());
            complete(&*store, &RUN, slot, present).await.unwrap();
        };
        // The multisig and one record closed at 100, another record within the last day.
        close(100, &[2, 3]).await;
        close(9 * DAY, &[3]).await;
        for (n, slot) in [(1, 100), (2, 101), (3, 102), (4, 9 * DAY)] {
            store.enqueue(&RUN, &said(n, slot)).await.unwrap();
        }
        // One was delivered, one is a dead letter, one still waits.
        store.hook("multisig", 0).await.unwrap();
        store.hook_sent("multisig", 1, &Sent::Taken).await.unwrap();
        let dead = Sent::Dead { error: "no".into(), at_ms: 1 };
        store.hook_sent("multisig", 2, &dead).await.unwrap();
        store.log_op("Now", &json!({})).await.unwrap();
        let root = Marks { root: Some(9 * DAY + 50), ..Marks::default() };
        store.keep(&RUN, root).await.unwrap();

        assert_eq!(store.retain(&RUN, &Retention::default()).await.unwrap(), 0, "for ever");
        let day = Some(1);
        let all = Retention { ops_days: day, outbox_days: day, closed_days: day };
        assert_eq!(store.retain(&RUN, &all).await.unwrap(), 2);
        let kept: Vec<_> = store.full_rows(None, 9).await.unwrap().iter().map(|r| r.pubkey).collect();
        assert_eq!(kept, [key(2), key(3), key(40)], "closed lately, live, and no record");
        let outbox: Vec<_> = store.outbox(0, 9).await.unwrap().iter().map(|r| r.id).collect();
        assert_eq!(outbox, [2, 3, 4], "with its dead letter, waiting, and too new");
        assert_eq!(store.dead_letters().await.unwrap().len(), 1);
        assert_eq!(store.ops(9).await.unwrap().len(), 1);
        assert_eq!(store.progress(false).await.unwrap(), store.progress(true).await.unwrap());
        assert_eq!(store.retain(&RUN, &all).await.unwrap(), 0, "once");
    }
}
