//! The whole mirror on a scripted node: accounts change and close, sockets break, the indexer restarts,
//! in any order. The result equals a fresh mirror of that chain.
use std::{sync::Arc, time::Duration};

use indexer::{SourceConfig, Store, backfill_once, digest};
use proptest::{prelude::*, test_runner::TestRunner};
use upgrade_manager::state::AccountStatus;

use super::cases;
use crate::common::{
    Place,
    fake::{FakeSolana, What},
    fixtures::{bytes, key, record},
    mirror::{Mirror, live},
    past::{tx, vote},
};

#[derive(Clone, Copy, Debug)]
enum Step {
    Set(u8, AccountStatus),
    Close(u8),
    Tick,
    /// Waits so many milliseconds.
    Wait(u8),
    Drop,
    Code(u16),
    Babble,
    /// Turns account notifications on or off.
    Notifications(bool),
    /// The next list fails.
    List(u8),
    Event,
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    let status = prop::sample::select(AccountStatus::ALL.to_vec());
    prop_oneof![
        12 => (1u8..30, status).prop_map(|(n, status)| Step::Set(n, status)),
        3 => (1u8..30).prop_map(Step::Close),
        6 => Just(Step::Tick),
        4 => (1u8..40).prop_map(Step::Wait),
        1 => Just(Step::Drop),
        1 => Just(Step::Code(1012)),
        1 => Just(Step::Babble),
        1 => any::<bool>().prop_map(Step::Notifications),
        2 => (0u8..5).prop_map(Step::List),
        1 => Just(Step::Event),
        1 => Just(Step::Restart),
    ]
}

fn wrong(n: u8) -> What {
    match n {
        0 => What::Cut { after: 3, whole: false },
        1 => What::Cut { after: 5, whole: true },
        2 => What::Status(429, Some("0")),
        3 => What::HangUp,
        _ => What::NOT_REACHED,
    }
}

async fn play(place: &Place, steps: &[Step]) {
    let often = |c| SourceConfig { reconcile: Duration::from_millis(120), ..c };
    let fake = FakeSolana::start().await;
    fake.state().depth = 8;
    let mut mirror = Mirror::of(fake.clone(), place, often).await;
    for (n, step) in (1u8..).zip(steps) {
        match *step {
            Step::Set(n, status) => fake.set(key(n), bytes(&record(n, status))),
            Step::Close(n) => fake.close_account(&key(n)),
            Step::Tick => fake.tick(),
            Step::Wait(ms) => tokio::time::sleep(Duration::from_millis(ms.into())).await,
            Step::Drop => fake.drop_sockets(),
            Step::Code(code) => fake.close_sockets(code),
            Step::Babble => fake.send_malformed(),
            Step::Notifications(notifies) => fake.state().notifies = notifies,
            Step::List(n) => fake.fail("getProgramAccounts", 1, wrong(n)),
            Step::Event => {
                let slot = fake.state().slot;
                fake.state().history.push(tx(slot, n, vec![vote(n, 1)]));
            }
            Step::Restart => {
                mirror.end().await;
                mirror = Mirror::of(fake.clone(), place, often).await;
            }
        }
    }
    // The node works again; it does not repeat missed notifications.
    fake.state().faults.clear();
    live(&mirror.indexer).await;
    mirror.equal("the mirror is the chain").await;
    let fresh: Arc<dyn Store> = Arc::new(indexer::SqliteStore::open_in_memory().unwrap());
    let events = fake.state().history.len();
    crate::common::until("history is final", || async {
        mirror.store.audit(None, 100).await.unwrap().len() == events
    })
    .await;
    backfill_once(fake.config(), Arc::clone(&fresh)).await.unwrap();
    let (ours, theirs) = (digest(mirror.store.as_ref()).await, digest(fresh.as_ref()).await);
    assert_eq!(ours.unwrap(), theirs.unwrap());
    mirror.end().await;
}

fn any_script(n: u32, place: impl AsyncFn() -> Option<Place>) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let steps = prop::collection::vec(step(), 20..100);
    // Each case takes a second or more, so shrinking is limited.
    let config = ProptestConfig { max_shrink_iters: 12, ..cases(n) };
    let outcome = TestRunner::new(config).run(&steps, |steps| {
        let Some(place) = runtime.block_on(place()) else { return Ok(()) };
        runtime.block_on(play(&place, &steps));
        runtime.block_on(place.remove());
        Ok(())
    });
    outcome.unwrap();
}

#[test]
fn any_script_gives_the_mirror_of_a_fresh_start_on_sqlite() {
    any_script(8, async || Some(Place::sqlite()));
}

#[test]
fn any_script_gives_the_mirror_of_a_fresh_start_on_postgres() {
    any_script(4, Place::postgres);
}
