//! Appending finalised events in any portions, overlapping or not, by any run, gives the head of a
//! replay.
use indexer::{
    AuditEntry, AuditRow, SqliteStore, Store, audit::check_chain, store::audit_log::GENESIS,
};
use proptest::{prelude::*, test_runner::TestRunner};
use solana_signature::Signature;

use super::{again, begin, cases};
use crate::common::{Place, fixtures::key, past};

/// Events in canonical order, and the portions to append: each overlaps the one before by so many
/// events, has so many events, and may belong to a new run.
type Telling = (Vec<AuditEntry>, Vec<(usize, usize, bool)>);

fn telling() -> impl Strategy<Value = Telling> {
    let event = (1u64..6, 0u32..3, 0u32..2, 0u32..4, 1u8..9, any::<bool>());
    let portion = (0usize..4, 1usize..7, any::<bool>());
    let events = prop::collection::btree_set(event, 1..30);
    (events, prop::collection::vec(portion, 60)).prop_map(|(events, portions)| {
        let mut seen = std::collections::BTreeSet::new();
        let mut entries = vec![];
        for (slot, tx, ix, inner, n, vote) in events {
            // Positions are unique.
            if !seen.insert((slot, tx, ix, inner)) {
                continue;
            }
            let mut signature = [7; 64];
            signature[..16]
                .copy_from_slice(&[slot.to_be_bytes(), u64::from(tx).to_be_bytes()].concat());
            let payload = if vote { past::vote(n, n).2 } else { past::revoked(n).2 };
            entries.push(AuditEntry {
                slot,
                tx_index: tx,
                ix_index: ix,
                inner_index: inner,
                signature: Signature::from(signature),
                time: Some(i64::try_from(slot).unwrap()),
                payload: payload[8..].to_vec(),
            });
        }
        (entries, portions)
    })
}

/// The head after a replay of `entries`.
fn replayed(entries: &[AuditEntry]) -> [u8; 32] {
    let next = |(seq, prev): (u64, [u8; 32]), entry: &AuditEntry| {
        let row = AuditRow::next(seq + 1, &prev, entry);
        (row.seq, row.hash)
    };
    entries.iter().fold((0, GENESIS), next).1
}

async fn same_head(store: &dyn Store, (entries, portions): &Telling) {
    let mut run = begin(store).await;
    let mut done = 0usize;
    let mut portions = portions.iter().cycle();
    while done < entries.len() {
        let (back, len, restart) = portions.next().unwrap();
        if *restart {
            again(store, &mut run).await;
        }
        let from = done.saturating_sub(*back);
        let upto = (from + len).max(done + 1).min(entries.len());
        // The last slot may be incomplete, so the mark is the slot before it.
        let mark = entries[upto - 1].slot - 1;
        store.append_audit(&run, entries[from..upto].to_vec(), mark).await.unwrap();
        done = done.max(upto);
    }
    let state = store.state().await.unwrap();
    assert_eq!(state.audit_seq, u64::try_from(entries.len()).unwrap());
    assert_eq!(state.audit_head, Some(replayed(entries)));
    assert_eq!(check_chain(store).await.unwrap(), None);
    assert_eq!(store.audit(None, 1).await.unwrap()[0].subject, Some(key(60)));
    store.end_run(&run).await.unwrap();
}

#[test]
fn any_portions_give_the_head_of_a_replay_on_sqlite() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    proptest!(cases(150), |(telling in telling())| {
        runtime.block_on(same_head(&SqliteStore::open_in_memory().unwrap(), &telling));
    });
}

#[test]
fn any_portions_give_the_head_of_a_replay_on_postgres() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let outcome = TestRunner::new(cases(6)).run(&telling(), |telling| {
        // The log cannot be emptied, so each story gets its own database.
        let Some(place) = runtime.block_on(Place::postgres()) else { return Ok(()) };
        runtime.block_on(async {
            let store = place.open().await;
            same_head(store.as_ref(), &telling).await;
        });
        runtime.block_on(place.remove());
        Ok(())
    });
    outcome.unwrap();
}
