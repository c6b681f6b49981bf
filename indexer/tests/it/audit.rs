//! The audit log: order, hashes, and detection of changes.
use anchor_lang::Event;
use indexer::{AuditEntry, audit::check_chain};
use solana_signature::Signature;
use upgrade_manager::{
    events::{ProposalExpired, VoteCast},
    state::{Choice, ProposalStatus},
};

use crate::common::fixtures::RUN;
use crate::{common::fixtures::key, on_both_stores};

fn vote(n: u8) -> Vec<u8> {
    VoteCast {
        proposal: key(60),
        program: key(50),
        member: key(n),
        choice: Choice::Approve,
        approvals: n,
        status: ProposalStatus::Active,
        eta: 0,
    }
    .data()
}

fn entry(slot: u64, n: u8, inner_index: u32) -> AuditEntry {
    AuditEntry {
        slot,
        tx_index: 0,
        ix_index: 1,
        inner_index,
        signature: Signature::from([n; 64]),
        time: Some(1_700_000_000),
        payload: vote(n),
    }
}

on_both_stores! {
    async fn rows_are_chained_and_paged_oldest_first(place) {
        let store = place.open().await;
        let expired = ProposalExpired { proposal: key(60), program: key(50) }.data();
        let last = AuditEntry { payload: expired, ..entry(12, 3, 0) };
        let unknown = AuditEntry { payload: vec![1, 2, 3], ..entry(13, 4, 0) };
        let all = vec![entry(10, 1, 0), entry(10, 1, 4), entry(11, 2, 0), last, unknown];
        assert_eq!(store.append_audit(&RUN, all, 20).await.unwrap(), 5);
        assert_eq!(store.history_mark().await.unwrap(), 20);
        let rows = store.audit(None, 100).await.unwrap();
        let kinds: Vec<&str> = rows.iter().map(|r| r.kind.as_str()).collect();
        assert_eq!(kinds, ["VoteCast", "VoteCast", "VoteCast", "ProposalExpired", "Unknown"]);
        assert_eq!((rows[2].actor, rows[2].subject), (Some(key(2)), Some(key(60))));
        assert_eq!(rows[2].detail["approvals"], 2);
        assert_eq!(rows[4].detail["bytes"], "010203", "what cannot be read is kept");
        let seqs = |rows: Vec<indexer::AuditRow>| rows.iter().map(|r| r.seq).collect::<Vec<_>>();
        assert_eq!(seqs(store.audit(None, 2).await.unwrap()), [4, 5]);
        assert_eq!(seqs(store.audit(Some(1), 2).await.unwrap()), [2, 3]);
        assert_eq!(check_chain(store.as_ref()).await.unwrap(), None);
    }

    async fn appending_in_other_portions_gives_the_same_head(place) {
        let store = place.open().await;
        let all = [entry(10, 1, 0), entry(10, 1, 4), entry(11, 2, 0)];
        store.append_audit(&RUN, all[..2].to_vec(), 10).await.unwrap();
        let rev = store.revision().await.unwrap();
        assert_eq!(store.append_audit(&RUN, all[..2].to_vec(), 9).await.unwrap(), 0);
        assert_eq!(store.revision().await.unwrap(), rev, "nothing new, nothing to redraw");
        assert_eq!(store.history_mark().await.unwrap(), 10, "the mark never falls");
        assert_eq!(store.append_audit(&RUN, all.to_vec(), 11).await.unwrap(), 1);
        let head = store.audit(None, 1).await.unwrap()[0].hash;
        let mut other = indexer::store::audit_log::GENESIS;
        for (entry, node_knows_no_time) in all.iter().zip([None; 3]) {
            other = AuditEntry { time: node_knows_no_time, ..entry.clone() }.hash(&other);
        }
        assert_eq!(head, other, "only what the chain says is hashed");
    }

    async fn a_changed_byte_is_found_and_named(place) {
        let store = place.open().await;
        store.append_audit(&RUN, (1..=4).map(|n| entry(9 + u64::from(n), n, 0)).collect(), 20).await.unwrap();
        let changed = place.sql("UPDATE audit_log SET slot = 99 WHERE seq = 3").await;
        assert!(changed.unwrap_err().contains("append-only"));
        let removed = place.sql("DELETE FROM audit_log WHERE seq = 3").await;
        assert!(removed.unwrap_err().contains("append-only"));
        let force = if place.is_postgres() {
            "ALTER TABLE audit_log DISABLE TRIGGER ALL;"
        } else {
            "DROP TRIGGER audit_log_no_update; DROP TRIGGER audit_log_no_delete;"
        };
        place.sql(&format!("{force} UPDATE audit_log SET slot = 99 WHERE seq = 3")).await.unwrap();
        let fault = check_chain(store.as_ref()).await.unwrap().unwrap();
        assert_eq!((fault.seq, fault.what.contains("changed after")), (3, true), "{fault:?}");
        place.sql("DELETE FROM audit_log WHERE seq = 3").await.unwrap();
        let fault = check_chain(store.as_ref()).await.unwrap().unwrap();
        assert_eq!((fault.seq, fault.what.contains("missing")), (4, true), "{fault:?}");
        // Not covered by the chain's hash, but displayed.
        place.sql("UPDATE audit_log SET actor = subject WHERE seq = 2").await.unwrap();
        let fault = check_chain(store.as_ref()).await.unwrap().unwrap();
        assert_eq!((fault.seq, fault.what.contains("changed after")), (2, true), "{fault:?}");
        place.sql("UPDATE audit_log SET kind = 'VoteRevoked' WHERE seq = 1").await.unwrap();
        assert_eq!(check_chain(store.as_ref()).await.unwrap().unwrap().seq, 1);
        let right = "UPDATE audit_log SET kind = 'VoteCast', actor = NULL, subject = NULL";
        place.sql(&format!("{right} WHERE seq < 3")).await.unwrap();
        assert_eq!(check_chain(store.as_ref()).await.unwrap().unwrap().seq, 1, "left out");
    }
}
