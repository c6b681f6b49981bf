//! The interrupted writes, on a store with rows of every kind, and the comparable content of a store.
use std::sync::Arc;

use indexer::{
    AuditEntry, Batch, Close, Fill, Marks, PubkeySet, Quarantined, Run, Store, StoreError,
    replay::complete,
};
use solana_signature::Signature;
use upgrade_manager::state::{AccountStatus, ProposalStatus};

use crate::common::fixtures::{
    PROGRAM_ID, bytes, key, multisig, program, proposal, record_update, update,
};

use AccountStatus::{Migrated, Pending, Restored, Verified};

const GENESIS: [u8; 32] = [1; 32];

/// One transaction of an indexer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Batch,
    Fill,
    Tombstone,
    Audit,
    Undo,
    Keep,
}

impl Step {
    pub const ALL: [Self; 6] =
        [Self::Batch, Self::Fill, Self::Tombstone, Self::Audit, Self::Undo, Self::Keep];

    pub fn named(name: &str) -> Self {
        Self::ALL.into_iter().find(|step| format!("{step:?}") == name).unwrap()
    }

    /// Executes it; idempotent.
    pub async fn take(self, store: &dyn Store, run: &Run) -> Result<(), StoreError> {
        match self {
            Self::Batch => store.apply(run, batch()).await.map(|_| ()),
            Self::Fill => {
                let (sender, rows) = tokio::sync::mpsc::channel(4);
                let some = (1..=9).map(|n| record_update(n, Pending, 20, 0)).collect();
                let more = vec![update(key(40), 20, 0, bytes(&multisig()))];
                for part in [Fill::Rows(some, vec![bad(70, 20)]), Fill::Rows(more, vec![])] {
                    sender.send(part).await.unwrap();
                }
                sender.send(Fill::End).await.unwrap();
                // Fails if an earlier attempt was complete.
                store.fill(run, rows).await.map(|_| ())
            }
            Self::Tombstone => {
                let present: PubkeySet = [1, 2, 40, 41].into_iter().map(key).collect();
                complete(store, run, 60, Arc::new(present)).await.map(|_| ())
            }
            Self::Audit => {
                let entries = (0..3).map(entry).collect();
                store.append_audit(run, entries, 55).await.map(|_| ())
            }
            Self::Undo => store.undo(run, &[50]).await.map(|_| ()),
            Self::Keep => {
                let marks = Marks { frontier: Some(50), root: Some(50), confirmed: Some(52) };
                store.keep(run, marks).await
            }
        }
    }

    /// Prepares a store for it.
    pub async fn prepare(self, store: &dyn Store) {
        let run = begin(store).await;
        if self != Self::Fill {
            let mut updates: Vec<_> = (1..=6).map(|n| record_update(n, Pending, 20, 0)).collect();
            updates.push(update(key(40), 20, 0, bytes(&multisig())));
            updates.push(update(key(41), 20, 0, bytes(&program(1))));
            updates.push(update(key(60), 20, 0, bytes(&proposal(ProposalStatus::Active))));
            let quarantined = vec![bad(70, 20), bad(71, 20)];
            let first = Batch { updates, quarantined, ..Batch::default() };
            store.apply(&run, first).await.unwrap();
            let told = Batch {
                updates: vec![record_update(1, Migrated, 50, 7), record_update(8, Migrated, 50, 8)],
                closes: vec![Close { pubkey: key(5), slot: 50, write_version: 9 }],
                ..Batch::default()
            };
            store.apply(&run, told).await.unwrap();
            let later = vec![record_update(1, Verified, 51, 10)];
            store.apply(&run, Batch { updates: later, ..Batch::default() }).await.unwrap();
        }
        store.end_run(&run).await.unwrap();
    }
}

/// A batch that inserts, changes, touches, closes and quarantines.
fn batch() -> Batch {
    Batch {
        updates: vec![
            record_update(1, Restored, 52, 11),
            record_update(2, Pending, 52, 12),
            record_update(3, Migrated, 52, 13),
            record_update(9, Migrated, 52, 14),
            update(key(70), 52, 15, bytes(&program(2))),
        ],
        closes: vec![Close { pubkey: key(4), slot: 52, write_version: 16 }],
        quarantined: vec![bad(72, 52)],
        frontier: Some(45),
    }
}

fn bad(n: u8, slot: u64) -> Quarantined {
    let error = format!("Account {n} is odd.");
    Quarantined { pubkey: key(n), slot, owner: key(77), error, raw: vec![n; 5] }
}

fn entry(n: u8) -> AuditEntry {
    use anchor_lang::Event;
    let payload =
        upgrade_manager::events::ProposalExpired { proposal: key(60 + n), program: key(50) };
    AuditEntry {
        slot: 40 + u64::from(n),
        tx_index: 0,
        ix_index: 1,
        inner_index: 0,
        signature: Signature::from([n; 64]),
        time: Some(1_700_000_000),
        payload: payload.data(),
    }
}

/// Begins a run at once: the previous one has ended or is dead.
pub async fn begin(store: &dyn Store) -> Run {
    store.begin_run(&PROGRAM_ID, &GENESIS, "a test").await.unwrap()
}

/// The content of `store` without lease and revision.
pub async fn shown(store: &dyn Store) -> String {
    let state = store.state().await.unwrap();
    let marks = [state.frontier_slot, state.root_slot, state.confirmed_slot, state.snapshot_slot];
    let (counted, kept) =
        (store.progress(true).await.unwrap(), store.progress(false).await.unwrap());
    assert_eq!(kept, counted, "counters are those of the rows");
    let audit = store.audit(Some(0), 99).await.unwrap();
    assert_eq!(state.audit_seq, u64::try_from(audit.len()).unwrap(), "the log and its end");
    assert_eq!(state.audit_head, audit.last().map(|row| row.hash), "the log and its end");
    let said = store.outbox(0, 99).await.unwrap();
    let said: Vec<_> = said.into_iter().map(|row| row.announcement).collect();
    format!(
        "{marks:?} {} {:?}\n{:#?}\n{kept:?}\n{:?}\n{:?}\n{audit:?}\n{said:?}",
        state.history_slot,
        store.undo_slots(99).await.unwrap(),
        store.full_rows(None, 99).await.unwrap(),
        store.quarantined().await.unwrap(),
        store.view().await.unwrap().proposals,
    )
}
