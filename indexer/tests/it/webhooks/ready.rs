//! Due announcements without an event: only from final data, and only once.
use std::{sync::Arc, time::Instant};

use indexer::{
    Announcement, Batch, Conn, Health, OutboxRow, Row, View,
    store::announcement::{AnnouncementKind, Detail, derived},
    webhooks::ready::{Approvals, Moment, due, learn, watch},
};
use tokio::sync::watch as channel;
use upgrade_manager::state::{Action, GovernanceProposal, ProposalStatus, UpgradeProposal};

use crate::{
    common::{
        fixtures::{bytes, governance, key, multisig, proposal, update},
        until,
    },
    on_both_stores,
};

const ETA: i64 = 1_700_200_000;

/// Approved in slot 100; the timelock ends at [`ETA`].
fn locked() -> UpgradeProposal {
    UpgradeProposal {
        approved_at: 1_700_000_000,
        approved_slot: 100,
        eta: ETA,
        window_end: ETA + 1_000,
        ..proposal(ProposalStatus::Timelocked)
    }
}

/// The first slot at which the fixture multisig's timelock can be over.
fn floor() -> u64 {
    use upgrade_manager::state::Votable;
    locked().slot_floor(multisig().timelock)
}

fn row<T>(n: u8, account: T, slot: u64) -> Row<T> {
    Row { pubkey: key(n), account, slot, closed_slot: None }
}

fn view(proposals: Vec<Row<UpgradeProposal>>, governance: Vec<Row<GovernanceProposal>>) -> View {
    View { multisigs: vec![row(40, multisig(), 1)], proposals, governance, ..View::default() }
}

fn kinds(view: &View, approvals: &Approvals, now: Moment, upto: u64) -> Vec<String> {
    due(view, approvals, now, upto).into_iter().map(|a| a.kind).collect()
}

#[test]
fn a_timelock_is_over_only_when_its_inputs_are_final() {
    let slot = floor();
    let now = Moment { slot, unix: ETA };
    let none = Approvals::new();
    let one = view(vec![row(60, locked(), 120)], vec![]);
    let said = due(&one, &none, now, slot);
    assert_eq!((said.len(), said[0].kind.as_str(), said[0].subject), (1, "Ready", Some(key(60))));
    assert_eq!((said[0].slot, said[0].chain_time), (slot, Some(ETA)));
    assert_eq!(said[0].event_id, derived(AnnouncementKind::Ready, Some(&key(60)), ETA));
    let later = due(&one, &none, Moment { slot: slot + 9, unix: ETA + 9 }, slot + 9);
    assert_eq!(later[0].event_id, said[0].event_id, "the same fact whenever it is seen");
    let early = Moment { unix: ETA - 1, ..now };
    let nothing: [&str; 0] = [];
    assert_eq!(kinds(&one, &none, early, slot), nothing);
    assert_eq!(
        kinds(&one, &none, Moment { slot: slot - 1, ..now }, slot),
        nothing,
        "too few slots"
    );
    assert_eq!(kinds(&one, &none, Moment { unix: ETA + 1_001, ..now }, slot), nothing, "too late");
    assert_eq!(kinds(&one, &none, now, slot - 1), nothing, "that moment may not stay");
    let fresh = view(vec![row(60, locked(), slot + 1)], vec![]);
    assert_eq!(kinds(&fresh, &none, now, slot), nothing, "that state may not stay");
    let closed = Row { closed_slot: Some(130), ..row(60, locked(), 120) };
    assert_eq!(kinds(&view(vec![closed], vec![]), &none, now, slot), nothing);
    let mut stale = locked();
    stale.terms.config_epoch -= 1;
    assert_eq!(kinds(&view(vec![row(60, stale, 120)], vec![]), &none, now, slot), nothing);
    for status in ProposalStatus::ALL.into_iter().filter(|s| *s != ProposalStatus::Timelocked) {
        let other = UpgradeProposal { status, ..locked() };
        assert_eq!(kinds(&view(vec![row(60, other, 120)], vec![]), &none, now, slot), nothing);
    }
    let multisig = GovernanceProposal {
        approved_slot: 100,
        eta: ETA,
        window_end: ETA + 1,
        ..governance(ProposalStatus::Timelocked)
    };
    assert!(matches!(multisig.terms.action, Action::ConfigChange(_)));
    assert_eq!(kinds(&view(vec![], vec![row(61, multisig, 120)]), &none, now, slot), ["Ready"]);
}

#[test]
fn a_paused_multisig_is_ready_only_after_the_final_end_of_the_pause() {
    let (slot, none, nothing): (_, _, [&str; 0]) = (floor(), Approvals::new(), []);
    let now = |unix| Moment { slot, unix };
    let mut paused = view(vec![row(60, locked(), 120)], vec![]);
    paused.multisigs[0].account.paused_until = ETA + 60;
    assert_eq!(kinds(&paused, &none, now(ETA + 59), slot), nothing, "nobody could execute it");
    assert_eq!(kinds(&paused, &none, now(ETA + 60), slot), ["Ready"], "it has run out");
    paused.multisigs[0].account.paused_until = 0;
    assert_eq!(kinds(&paused, &none, now(ETA + 9), slot), ["Ready"], "it was lifted");
    paused.multisigs[0].slot = slot + 1;
    assert_eq!(kinds(&paused, &none, now(ETA + 9), slot), nothing, "lifting may not stay");
    // A pause does not stop proposals about the multisig itself.
    let multisig = GovernanceProposal {
        approved_slot: 100,
        eta: ETA,
        window_end: ETA + 100,
        ..governance(ProposalStatus::Timelocked)
    };
    let mut paused = view(vec![], vec![row(61, multisig, 120)]);
    paused.multisigs[0].account.paused_until = ETA + 60;
    assert_eq!(kinds(&paused, &none, now(ETA), slot), ["Ready"]);
}

#[test]
fn a_lost_announced_approval_is_announced() {
    let approved = |slot: u64, eta: i64| OutboxRow {
        id: 1,
        announcement: Announcement {
            event_id: [1; 32],
            kind: "Approved".into(),
            slot,
            chain_time: None,
            subject: Some(key(60)),
            detail: Detail { eta: Some(eta), ..Detail::default() }.json(),
        },
    };
    let (now, nothing): (_, [&str; 0]) = (Moment { slot: 200, unix: 5 }, []);
    let active = |slot| view(vec![row(60, proposal(ProposalStatus::Active), slot)], vec![]);
    let mut approvals = Approvals::new();
    assert_eq!(kinds(&active(150), &approvals, now, 200), nothing, "it never was approved");
    learn(&mut approvals, &[approved(100, ETA)]);
    let said = due(&active(150), &approvals, now, 200);
    assert_eq!((said[0].kind.as_str(), said[0].slot), ("ApprovalLost", 150));
    assert_eq!(kinds(&active(99), &approvals, now, 200), nothing, "the mirror is behind the vote");
    assert_eq!(kinds(&active(201), &approvals, now, 200), nothing, "not final");
    learn(&mut approvals, &[approved(160, ETA + 60)]);
    let again = due(&active(170), &approvals, now, 200);
    assert_ne!(again[0].event_id, said[0].event_id, "lost a second time");
    assert_eq!(kinds(&view(vec![row(60, locked(), 170)], vec![]), &approvals, now, 200), nothing);
}

on_both_stores! {
    async fn due_announcements_are_sent_only_once(place) {
        let store = place.open().await;
        let program = crate::common::fixtures::PROGRAM_ID;
        let run = store.begin_run(&program, &[1; 32], "a test").await.unwrap();
        let slot = floor();
        let updates = vec![
            update(key(40), 90, 0, bytes(&multisig())),
            update(key(60), 120, 0, bytes(&locked())),
        ];
        store.apply(&run, Batch { updates, ..Batch::default() }).await.unwrap();
        let health = Health {
            conn: Conn::Live,
            slot,
            chain_time: Some(ETA),
            read_at: Some(Instant::now()),
            ..Health::default()
        };
        let (_health, seen) = channel::channel(health);
        for _ in 0..2 {
            let (stop, stopped) = channel::channel(false);
            let watching = tokio::spawn(watch(Arc::clone(&store), run, seen.clone(), stopped));
            place.sql(&format!("UPDATE mirror_state SET frontier_slot = {slot}, root_slot = {slot}")).await.unwrap();
            until("it is announced", || async { !store.outbox(0, 10).await.unwrap().is_empty() }).await;
            stop.send_replace(true);
            watching.await.unwrap();
        }
        let rows = store.outbox(0, 10).await.unwrap();
        assert_eq!((rows.len(), rows[0].announcement.kind.as_str()), (1, "Ready"));
    }
}
