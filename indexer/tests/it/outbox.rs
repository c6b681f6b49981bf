//! The outbox: announcements of events, positions of webhooks, dead letters.
use anchor_lang::Event;
use indexer::{
    Announcement, AuditEntry, Run, Sent,
    store::announcement::{AnnouncementKind, derived},
};
use solana_signature::Signature;
use upgrade_manager::{
    events::{ProposalExpired, VoteCast},
    state::{Choice, ProposalStatus},
};

use crate::{common::fixtures::key, on_both_stores};

fn entry(slot: u64, n: u8, payload: Vec<u8>) -> AuditEntry {
    AuditEntry {
        slot,
        tx_index: 0,
        ix_index: 1,
        inner_index: 0,
        signature: Signature::from([n; 64]),
        time: Some(1_700_000_000),
        payload,
    }
}

fn vote(status: ProposalStatus, eta: i64) -> Vec<u8> {
    let (proposal, program, member) = (key(60), key(50), key(1));
    let choice = Choice::Approve;
    VoteCast { proposal, program, member, choice, approvals: 3, status, eta }.data()
}

fn expired(n: u8) -> Vec<u8> {
    ProposalExpired { proposal: key(n), program: key(50) }.data()
}

fn ready(n: u8) -> Announcement {
    Announcement {
        event_id: derived(AnnouncementKind::Ready, Some(&key(n)), 7),
        kind: "Ready".to_owned(),
        slot: 12,
        chain_time: None,
        subject: Some(key(n)),
        detail: "{}".to_owned(),
    }
}

on_both_stores! {
    async fn events_are_announced_once_with_the_log(place) {
        use ProposalStatus::{Active, Timelocked};
        let store = place.open().await;
        let run = Run::default();
        let all = vec![
            entry(10, 1, vote(Active, 0)),
            entry(11, 2, vote(Timelocked, 99)),
            entry(12, 3, vote(Timelocked, 99)),
            entry(13, 4, expired(60)),
        ];
        store.append_audit(&run, all[..2].to_vec(), 11).await.unwrap();
        store.append_audit(&run, all.clone(), 13).await.unwrap();
        store.append_audit(&run, all, 13).await.unwrap();
        let rows = store.outbox(0, 10).await.unwrap();
        let said: Vec<_> = rows.iter().map(|r| (r.announcement.kind.as_str(), r.announcement.slot)).collect();
        assert_eq!(said, [("Approved", 11), ("Expired", 13)]);
        let last = &store.audit(None, 1).await.unwrap()[0];
        assert_eq!(rows[1].announcement.event_id, last.hash);
        assert_eq!(rows[1].announcement.subject, Some(key(60)));
        assert_eq!(store.outbox(rows[0].id, 10).await.unwrap(), rows[1..]);
        assert_eq!(store.outbox(0, 1).await.unwrap(), rows[..1]);
        assert!(store.enqueue(&run, &ready(60)).await.unwrap());
        assert!(!store.enqueue(&run, &ready(60)).await.unwrap(), "once ever");
        let again = place.open().await;
        assert_eq!(again.outbox(rows[1].id, 10).await.unwrap()[0].announcement, ready(60));
    }

    async fn a_webhook_never_moves_back_and_keeps_dead_letters(place) {
        let store = place.open().await;
        let run = Run::default();
        for n in 1..=3 {
            store.enqueue(&run, &ready(n)).await.unwrap();
        }
        let rows = store.outbox(0, 10).await.unwrap();
        let hook = store.hook("multisig", 500).await.unwrap();
        assert_eq!((hook.since_slot, hook.next_id, hook.attempts), (500, 1, 0));
        assert_eq!(store.hook("multisig", 900).await.unwrap().since_slot, 500, "it is known already");
        let again = |n: i64| Sent::Again { error: format!("no {n}"), next_at_ms: n };
        for n in 1..=2 {
            store.hook_sent("multisig", rows[0].id, &again(n)).await.unwrap();
        }
        let hook = store.hook("multisig", 0).await.unwrap();
        assert_eq!((hook.next_id, hook.attempts, hook.next_at_ms), (rows[0].id, 2, 2));
        assert_eq!(hook.last_error.as_deref(), Some("no 2"));
        store.hook_sent("multisig", rows[0].id, &Sent::Dead { error: "never".into(), at_ms: 5 }).await.unwrap();
        let dead = store.dead_letters().await.unwrap();
        assert_eq!((dead.len(), dead[0].attempts, dead[0].error.as_str()), (1, 3, "never"));
        assert_eq!((dead[0].hook.as_str(), &dead[0].row), ("multisig", &rows[0]));
        store.hook_sent("multisig", rows[2].id, &Sent::Taken).await.unwrap();
        let done = store.hook("multisig", 0).await.unwrap();
        assert_eq!((done.next_id, done.attempts, done.last_error), (rows[2].id + 1, 0, None));
        // A slower process records an older row.
        for late in [Sent::Taken, again(9), Sent::Dead { error: "late".into(), at_ms: 9 }] {
            store.hook_sent("multisig", rows[1].id, &late).await.unwrap();
        }
        assert_eq!(store.hook("multisig", 0).await.unwrap().next_id, rows[2].id + 1);
        assert_eq!(store.dead_letters().await.unwrap().len(), 1);
        store.hook("other", 1).await.unwrap();
        let names: Vec<_> = store.hooks().await.unwrap().into_iter().map(|h| h.name).collect();
        assert_eq!(names, ["multisig", "other"]);
        assert!(!store.forget_dead("other", rows[0].id).await.unwrap());
        assert!(store.forget_dead("multisig", rows[0].id).await.unwrap());
        assert!(!store.forget_dead("multisig", rows[0].id).await.unwrap());
        assert!(store.dead_letters().await.unwrap().is_empty());
    }
}
