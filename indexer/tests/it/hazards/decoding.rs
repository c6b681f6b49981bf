//! Accounts that this build cannot decode, and numbers at the limits of SQL.
use std::time::Duration;

use indexer::{Batch, Reason, SourceConfig};
use upgrade_manager::state::{
    AccountStatus::{Migrated, Verified},
    Counters, ProposalStatus,
};

use crate::{
    common::{
        fixtures::{PROGRAM_ID, bytes, key, program, proposal, record, record_update, update},
        mirror::Mirror,
        until,
    },
    on_both_stores,
};

on_both_stores! {
    async fn hazard_20_accounts_are_malformed_foreign_or_of_a_later_version(place) {
        let often = |c| SourceConfig { reconcile: Duration::from_millis(100), ..c };
        let mirror = Mirror::start_with(place, 20, often).await;
        let (fake, store) = (&mirror.fake, &mirror.store);
        let whole = bytes(&record(3, Migrated));
        let short = whole[..60].to_vec();
        let mut unknown = whole.clone();
        unknown[..8].copy_from_slice(b"newtype!");
        let mut later = whole.clone();
        later[8] = 2;
        for (bad, said) in [
            (short, "cut short"),
            (unknown, "is unknown to this build"),
            (later, "its layout 2"),
            (vec![1, 2, 3], "too few"),
        ] {
            fake.set(key(3), bad.clone());
            let seen = mirror.health("it is named", |h| {
                h.error.as_ref().is_some_and(|e| e.contains(said))
            });
            let error = seen.await.error.unwrap();
            assert!(error.contains(&key(3).to_string()), "{error}");
            until("its bytes are kept", || async {
                store.quarantined().await.unwrap().iter().any(|q| q.raw == bad)
            })
            .await;
            mirror.health("it is a reason", |h| h.reasons.contains(&Reason::Quarantine)).await;
            // Other accounts are not affected.
            fake.set(key(4), bytes(&record(4, if bad.len() % 2 == 0 { Migrated } else { Verified })));
            let expected = fake.state().accounts[&key(4)].1.clone();
            until("another account goes on", || async {
                store.rows(None, 99).await.unwrap().iter().any(|r| r.raw == expected)
            })
            .await;
        }
        until("it is counted", || async { mirror.metric("decode_errors_total") >= 4.0 }).await;
        // Longer than expected, as in a later version of the layout.
        let mut long = bytes(&record(3, Verified));
        long.extend([7; 40]);
        fake.set(key(3), long);
        mirror.equal("it is mirrored with all its bytes").await;
        mirror.health("all is well", |h| h.is_healthy() && h.error.is_none()).await;
        assert_eq!(store.quarantined().await.unwrap(), []);
        let slot = fake.state().slot + 50;
        fake.notify(key(99), slot, key(66), &bytes(&record(9, Migrated)));
        let seen = mirror.health("a foreign owner is named", |h| h.error.is_some()).await;
        let error = seen.error.unwrap();
        assert!(error.contains(&key(66).to_string()) && error.contains("not to the manager"), "{error}");
        mirror.end().await;
    }

    async fn hazard_22_numbers_use_all_of_their_64_bits(place) {
        let store = place.open().await;
        let run = store.begin_run(&PROGRAM_ID, &[1; 32], "a test").await.unwrap();
        let mut highest = program(u16::MAX);
        highest.executed_slot = u64::MAX;
        highest.executed_at = i64::MIN;
        highest.counters = Counters { total: u64::MAX.try_into().unwrap_or(!0), ..Counters::default() };
        let mut last = proposal(ProposalStatus::Active);
        last.terms.id = u64::MAX;
        last.approved_slot = u64::MAX;
        last.terms.expires_at = i64::MAX;
        let slot = i64::MAX as u64;
        let put = |updates| Batch { updates, ..Batch::default() };
        let write_version = run.write_version(u32::MAX);
        store.apply(&run, put(vec![
            update(key(41), slot, write_version, bytes(&highest)),
            update(key(60), slot, write_version, bytes(&last)),
        ])).await.unwrap();
        drop(store);
        let store = place.open().await;
        let view = store.view().await.unwrap();
        assert_eq!((view.programs[0].account.clone(), view.programs[0].slot), (highest, slot));
        assert_eq!((view.proposals[0].account.clone(), view.proposals[0].slot), (last, slot));
        // A slot that no column can hold is refused with its whole batch.
        let odd = vec![record_update(1, Migrated, 5, 1), record_update(2, Migrated, u64::MAX, 1)];
        assert!(store.apply(&run, put(odd)).await.is_err());
        assert_eq!(store.rows(None, 9).await.unwrap().len(), 2);
        store.apply(&run, put(vec![record_update(1, Migrated, slot, 1)])).await.unwrap();
        let rows = store.rows(None, 9).await.unwrap();
        assert_eq!((rows[0].pubkey, rows[0].slot), (key(1), slot));
    }
}
