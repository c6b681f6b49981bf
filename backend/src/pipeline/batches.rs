//! The batch lane: sends many batches, several at once. A batch that fails is halved until the failing
//! account is alone; the other accounts go on. The lane keeps no state between runs: the chain shows what
//! is done.
use std::{collections::VecDeque, fmt::Display};

use futures_util::{StreamExt, stream::FuturesUnordered};
use solana_instruction::Instruction;
use solana_pubkey::Pubkey;
use upgrade_manager::error::ManagerError;

use crate::{
    chain::{
        client::ChainClient,
        send::Landed,
        simulate::{MAX_TRANSACTION_LEN, MAX_UNITS, transaction_size, with_budget},
    },
    error::{BackendError, Result},
    failure::{Blame, Failure},
    keys::signer::Signer,
    pipeline::{
        pack::{halve, pack},
        reporter::Reporter,
        slot_retry::{MAX_TRIES, SLOT_RETRY_INTERVAL},
    },
    preflight::receipt::SentTx,
};

/// Most batches that are sent at the same time.
const MAX_BATCHES_IN_FLIGHT: usize = 8;

/// One item that failed for good in this run.
#[derive(Clone, Debug)]
pub(crate) struct FailedItem {
    pub account: Pubkey,
    pub reason: String,
    pub manager: Option<ManagerError>,
}

impl Display for FailedItem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Account {}: {}", self.account, self.reason)
    }
}

/// What a run of batches sent, did, and failed to do.
#[derive(Debug, Default)]
pub(crate) struct BatchOutcome {
    pub sent: Vec<SentTx>,
    pub done: u64,
    pub failed: Vec<FailedItem>,
}

/// Where batches are sent, who signs them, and what they are called.
pub(crate) struct BatchLane<'a> {
    pub chain: &'a ChainClient,
    pub key: &'a dyn Signer,
    pub reporter: &'a Reporter,
    /// The name of each transaction in receipts.
    pub what: &'static str,
    /// The label of the progress that the operator sees.
    pub label: &'static str,
    /// Items done before this run.
    pub before: u64,
    /// Items that failed before this run.
    pub failed: u64,
}

struct Batch<T> {
    items: Vec<T>,
    tries: u32,
}

enum BatchVerdict<T> {
    Done(Landed, usize),
    Alone(T, Failure, Option<Landed>),
    Again(Vec<Batch<T>>, Option<Landed>),
    Stop(BackendError),
}

impl BatchLane<'_> {
    /// Packs `items`, which are sorted by `account`, and sends them all.
    ///
    /// # Errors
    /// What stops every batch alike: the network is gone, the signer lacks lamports or a role, the
    /// members have voted for rollback. Batches that were confirmed before stay confirmed.
    pub(crate) async fn run<T: Clone + Send + Sync>(
        &self,
        items: Vec<T>,
        account: impl Fn(&T) -> Pubkey + Sync,
        build: impl Fn(&[T]) -> Vec<Instruction> + Sync,
    ) -> Result<BatchOutcome> {
        let price = self.chain.config().unit_price;
        let payer = self.key.pubkey();
        let fits = |t: &[T]| {
            transaction_size(&with_budget(&build(t), MAX_UNITS, price), &payer)
                <= MAX_TRANSACTION_LEN
        };
        let items_total = u64::try_from(items.len()).unwrap_or(u64::MAX);
        let total = self.before.saturating_add(items_total).saturating_add(self.failed);
        let mut queue: VecDeque<_> =
            pack(items, fits).into_iter().map(|items| Batch { items, tries: 1 }).collect();
        let (mut under_way, mut outcome, mut stop) =
            (FuturesUnordered::new(), BatchOutcome::default(), None);
        self.report_progress(&outcome, total);
        loop {
            while stop.is_none()
                && under_way.len() < MAX_BATCHES_IN_FLIGHT
                && let Some(batch) = queue.pop_front()
            {
                under_way.push(self.attempt(batch, &build));
            }
            let Some(verdict) = under_way.next().await else { break };
            match verdict {
                BatchVerdict::Done(landed, n) => {
                    outcome.done =
                        outcome.done.saturating_add(u64::try_from(n).unwrap_or(u64::MAX));
                    self.record(&mut outcome, Some(landed)).await;
                }
                BatchVerdict::Alone(item, failure, landed) => {
                    self.record(&mut outcome, landed).await;
                    outcome.failed.push(FailedItem {
                        account: account(&item),
                        reason: failure.sentence,
                        manager: failure.manager,
                    });
                }
                BatchVerdict::Again(batches, landed) => {
                    self.record(&mut outcome, landed).await;
                    queue.extend(batches);
                }
                // The batches that were sent are waited for, because their outcome must be known.
                BatchVerdict::Stop(error) => stop = Some(stop.unwrap_or(error)),
            }
            self.report_progress(&outcome, total);
        }
        match stop {
            Some(error) => Err(error),
            None => Ok(outcome),
        }
    }

    async fn record(&self, outcome: &mut BatchOutcome, landed: Option<Landed>) {
        if let Some(landed) = landed {
            self.reporter.sent(&landed.sent).await;
            outcome.sent.push(landed.sent);
        }
    }

    fn report_progress(&self, outcome: &BatchOutcome, total: u64) {
        let failed = u64::try_from(outcome.failed.len()).unwrap_or(u64::MAX);
        let done = self.before.saturating_add(outcome.done);
        self.reporter.step(self.label, done, total, self.failed.saturating_add(failed));
    }

    async fn attempt<T: Clone + Send + Sync>(
        &self,
        batch: Batch<T>,
        build: &(impl Fn(&[T]) -> Vec<Instruction> + Sync),
    ) -> BatchVerdict<T> {
        if batch.tries > 1 {
            tokio::time::sleep(SLOT_RETRY_INTERVAL).await;
        }
        let message = build(&batch.items);
        match self.chain.send_landed(self.what, &message, &[self.key]).await {
            Ok(landed) => match landed.failure.clone() {
                None => BatchVerdict::Done(landed, batch.items.len()),
                Some(failure) => after_failure(batch, failure, Some(landed)),
            },
            Err(BackendError::Transaction { failure, .. }) => after_failure(batch, failure, None),
            Err(BackendError::TooLarge { what, bytes, limit }) => {
                let error = BackendError::TooLarge { what, bytes, limit };
                let failure =
                    Failure { sentence: error.to_string(), manager: None, blame: Blame::Account };
                after_failure(batch, failure, None)
            }
            // The transaction cannot land any more, so the same accounts may go into another one.
            Err(BackendError::Dropped { .. }) if batch.tries < MAX_TRIES => {
                BatchVerdict::Again(vec![again(batch)], None)
            }
            Err(error) => BatchVerdict::Stop(error),
        }
    }
}

fn again<T>(batch: Batch<T>) -> Batch<T> {
    Batch { tries: batch.tries.saturating_add(1), ..batch }
}

fn after_failure<T: Clone>(
    mut batch: Batch<T>,
    failure: Failure,
    landed: Option<Landed>,
) -> BatchVerdict<T> {
    match failure.blame {
        Blame::Slot if batch.tries < MAX_TRIES => BatchVerdict::Again(vec![again(batch)], landed),
        Blame::Everything => BatchVerdict::Stop(BackendError::Transaction {
            what: "The work has stopped: a batch".into(),
            failure,
            signature: landed.map(|l| l.sent.signature),
            logs: vec![],
        }),
        _ if batch.items.len() > 1 => {
            let (left, right) = halve(batch.items);
            let fresh = |items| Batch { items, tries: 1 };
            BatchVerdict::Again(vec![fresh(left), fresh(right)], landed)
        }
        _ => match batch.items.pop() {
            Some(item) => BatchVerdict::Alone(item, failure, landed),
            None => BatchVerdict::Again(vec![], landed),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(blame: Blame) -> Failure {
        Failure { sentence: "no".into(), manager: None, blame }
    }

    fn batch(n: u8, tries: u32) -> Batch<u8> {
        Batch { items: (0..n).collect(), tries }
    }

    /// Runs `after_failure` as the lane does, for a chain that refuses every batch with a bad item.
    fn isolate(n: u8, bad: &[u8]) -> (Vec<u8>, Vec<u8>) {
        let (mut queue, mut done, mut failed) = (vec![batch(n, 1)], vec![], vec![]);
        while let Some(batch) = queue.pop() {
            if batch.items.iter().all(|i| !bad.contains(i)) {
                done.extend(batch.items);
                continue;
            }
            match after_failure(batch, failure(Blame::Account), None) {
                BatchVerdict::Again(batches, _) => queue.extend(batches),
                BatchVerdict::Alone(item, ..) => failed.push(item),
                _ => panic!("neither halved nor named"),
            }
        }
        done.sort_unstable();
        failed.sort_unstable();
        (done, failed)
    }

    #[test]
    fn halving_names_exactly_the_accounts_that_fail() {
        for bad in [vec![], vec![0], vec![10], vec![3, 4], vec![0, 5, 10], (0..11).collect()] {
            let (done, failed) = isolate(11, &bad);
            assert_eq!(failed, bad);
            let good: Vec<u8> = (0..11).filter(|i| !bad.contains(i)).collect();
            assert_eq!(done, good);
        }
    }

    #[test]
    fn a_failure_of_the_slot_is_retried_whole_up_to_the_limit() {
        let again = after_failure(batch(4, 1), failure(Blame::Slot), None);
        assert!(
            matches!(again, BatchVerdict::Again(b, _) if b[0].items.len() == 4 && b[0].tries == 2)
        );
        let split = after_failure(batch(4, MAX_TRIES), failure(Blame::Slot), None);
        assert!(matches!(split, BatchVerdict::Again(b, _) if b.len() == 2));
        assert!(matches!(
            after_failure(batch(4, 1), failure(Blame::Everything), None),
            BatchVerdict::Stop(_)
        ));
    }
}
