//! Delivers the outbox: one task per webhook, so that a dead receiver delays no other. In order and at
//! least once: the result is recorded after sending, so a crash between the two sends a message again.
//! Runs only in the process that holds the lease.
use std::{
    convert::Infallible,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use rand::Rng;
use reqwest::Client;
use tokio::{sync::watch, task::JoinSet};
use tracing::{info, warn};

use super::{
    facts::{AddressNames, Fact},
    hook::Hook,
    message::WebhookMessage,
    send::{self, ReceiverAnswer},
};
use crate::{
    ops::metrics::{DeliveryOutcome, Metrics},
    source::backoff::Backoff,
    store::{HookState, OutboxRow, Sent, Store, View},
};

/// Outbox rows of one page.
const PAGE_ROWS: u32 = 64;
/// How long a shutdown waits for the answer to a message in flight.
const LAST_MESSAGE_TIMEOUT: Duration = Duration::from_secs(5);

/// Waits and limits of the delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Ceiling of the wait after the first failure; it doubles with each further one.
    pub first: Duration,
    /// Ceiling of every wait.
    pub cap: Duration,
    /// Attempts after which a message becomes a dead letter.
    pub attempts: u32,
    /// How often the outbox is read when the store's revision does not change.
    pub idle: Duration,
    /// Shortest time between two reads, however often the revision changes.
    pub gather: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            first: Duration::from_secs(1),
            cap: Duration::from_secs(300),
            attempts: 10,
            idle: Duration::from_secs(5),
            gather: Duration::from_millis(250),
        }
    }
}

impl Pace {
    /// Wait after `attempts` failures in a row: full jitter under a doubling ceiling.
    fn wait(&self, attempts: u32, rng: &mut impl Rng) -> Duration {
        let doubled = 1u32.checked_shl(attempts.saturating_sub(1)).unwrap_or(u32::MAX);
        let ceiling = self.first.checked_mul(doubled).unwrap_or(self.cap).min(self.cap);
        ceiling.mul_f64(rng.gen_range(0.0..=1.0))
    }
}

/// The receivers of announcements, and how to deliver.
#[derive(Clone, Debug, Default)]
pub struct Delivery {
    /// The webhooks.
    pub hooks: Vec<Arc<Hook>>,
    /// The operator's names for addresses.
    pub names: Arc<AddressNames>,
    /// Waits and limits.
    pub pace: Pace,
}

/// Delivers the outbox of `store` until `stop` is true or its sender is gone. A new webhook gets only
/// announcements after `since_slot`, the newest finalised slot at the start of the mirror. `news`
/// changes with the store's revision.
pub async fn deliver(
    delivery: Delivery,
    store: Arc<dyn Store>,
    since_slot: u64,
    metrics: Metrics,
    news: watch::Receiver<u64>,
    stop: watch::Receiver<bool>,
) {
    // Dropping this future drops the set and aborts every task.
    let mut tasks = JoinSet::new();
    for hook in delivery.hooks {
        let client = match send::client(&hook.target) {
            Ok(client) => client,
            Err(error) => {
                warn!(hook = hook.target.name, "{error}");
                continue;
            }
        };
        let worker = HookWorker {
            store: Arc::clone(&store),
            hook,
            client,
            names: Arc::clone(&delivery.names),
            metrics: metrics.clone(),
            pace: delivery.pace,
            news: news.clone(),
            stop: stop.clone(),
        };
        tasks.spawn(worker.run(since_slot));
    }
    while tasks.join_next().await.is_some() {}
}

/// The delivery must stop.
struct DeliveryStopped;

struct HookWorker {
    store: Arc<dyn Store>,
    hook: Arc<Hook>,
    client: Client,
    names: Arc<AddressNames>,
    metrics: Metrics,
    pace: Pace,
    news: watch::Receiver<u64>,
    stop: watch::Receiver<bool>,
}

impl HookWorker {
    async fn run(mut self, since_slot: u64) {
        let Err(DeliveryStopped) = self.drive(since_slot).await;
        info!(hook = self.hook.target.name, "announcements end");
    }

    async fn drive(&mut self, since_slot: u64) -> Result<Infallible, DeliveryStopped> {
        let name = self.hook.target.name.clone();
        let mut at = self
            .retry_until_ok(|s| {
                let name = name.clone();
                async move { s.hook(&name, since_slot).await }
            })
            .await?;
        self.count_dead().await?;
        loop {
            let after = at.next_id.saturating_sub(1);
            let rows =
                self.retry_until_ok(|s| async move { s.outbox(after, PAGE_ROWS).await }).await?;
            if rows.is_empty() {
                self.idle().await?;
            } else {
                self.page(&mut at, &rows).await?;
            }
        }
    }

    /// Delivers `rows`, the next page of the outbox.
    async fn page(
        &mut self,
        at: &mut HookState,
        rows: &[OutboxRow],
    ) -> Result<(), DeliveryStopped> {
        let view = self.retry_until_ok(|s| async move { s.view().await }).await?;
        let genesis = self.retry_until_ok(|s| async move { s.state().await }).await?.genesis_hash;
        let mut passed = None;
        for row in rows {
            if row.announcement.slot <= at.since_slot {
                passed = Some(row.id);
                continue;
            }
            match self.message(row, &view, genesis.as_ref()) {
                Ok(None) => passed = Some(row.id),
                Ok(Some(message)) => {
                    self.row(at, row, &message).await?;
                    passed = None;
                }
                Err(error) => {
                    self.note(at, row.id, &Sent::Dead { error, at_ms: now_ms() }).await?;
                    self.count_dead().await?;
                    passed = None;
                }
            }
        }
        // Records skipped rows together, with the number of the last one.
        match passed {
            Some(id) => self.note(at, id, &Sent::Taken).await,
            None => Ok(()),
        }
    }

    /// The message for `row`; [`None`] when this webhook does not want its kind.
    fn message(
        &self,
        row: &OutboxRow,
        view: &View,
        genesis: Option<&[u8; 32]>,
    ) -> Result<Option<WebhookMessage>, String> {
        let fact = Fact::new(row, view)?;
        if !self.hook.target.wants(fact.kind) {
            return Ok(None);
        }
        WebhookMessage::new(&fact, &self.hook.target, &self.names, genesis).map(Some)
    }

    /// Sends `row` until the receiver accepts it or it becomes a dead letter.
    async fn row(
        &mut self,
        at: &mut HookState,
        row: &OutboxRow,
        message: &WebhookMessage,
    ) -> Result<(), DeliveryStopped> {
        if at.next_id != row.id {
            // The recorded attempts belong to another row.
            (at.next_id, at.attempts, at.next_at_ms) = (row.id, 0, 0);
        }
        loop {
            self.pause(self.left(at.next_at_ms)).await?;
            let sent = match self.attempt(message).await? {
                ReceiverAnswer::Taken { .. } => {
                    self.metrics.webhook(&at.name, DeliveryOutcome::Delivered);
                    Sent::Taken
                }
                ReceiverAnswer::Again { error, wait }
                    if at.attempts.saturating_add(1) < self.pace.attempts =>
                {
                    self.metrics.webhook(&at.name, DeliveryOutcome::Failed);
                    let attempts = at.attempts.saturating_add(1);
                    let jitter = self.pace.wait(attempts, &mut rand::thread_rng());
                    warn!(hook = at.name, id = row.id, attempts, "{error}");
                    Sent::Again { error, next_at_ms: in_ms(wait.unwrap_or_default().max(jitter)) }
                }
                ReceiverAnswer::Again { error, .. } | ReceiverAnswer::Refused { error } => {
                    self.metrics.webhook(&at.name, DeliveryOutcome::Dead);
                    warn!(hook = at.name, id = row.id, "given up: {error}");
                    Sent::Dead { error, at_ms: now_ms() }
                }
            };
            self.note(at, row.id, &sent).await?;
            match sent {
                Sent::Again { .. } => {}
                Sent::Taken => return Ok(()),
                Sent::Dead { .. } => return self.count_dead().await,
            }
        }
    }

    /// Sends once. A shutdown waits [`LAST_MESSAGE_TIMEOUT`] for the answer; without one, the next start
    /// sends the message again.
    async fn attempt(&self, message: &WebhookMessage) -> Result<ReceiverAnswer, DeliveryStopped> {
        let last = async {
            self.stopped().await;
            tokio::time::sleep(LAST_MESSAGE_TIMEOUT).await;
        };
        tokio::select! {
            answer = send::send(&self.client, &self.hook, message, SystemTime::now()) => Ok(answer),
            () = last => Err(DeliveryStopped),
        }
    }

    /// Records the result of row `id`, in the store and in `at`.
    async fn note(&self, at: &mut HookState, id: u64, sent: &Sent) -> Result<(), DeliveryStopped> {
        let name = &at.name;
        // Tries at least once even while stopping: a sent but unrecorded message is sent twice.
        let mut backoff = Backoff::with_cap(self.pace.cap);
        while let Err(error) = self.store.hook_sent(name, id, sent).await {
            warn!(hook = name, id, "what became of an announcement cannot be noted: {error}");
            let wait = backoff.next(&mut rand::thread_rng());
            self.pause(wait).await?;
        }
        match sent {
            Sent::Again { next_at_ms, .. } => {
                (at.next_id, at.next_at_ms) = (id, *next_at_ms);
                at.attempts = at.attempts.saturating_add(1);
            }
            Sent::Taken | Sent::Dead { .. } => {
                (at.next_id, at.attempts, at.next_at_ms) = (id.saturating_add(1), 0, 0);
            }
        }
        Ok(())
    }

    async fn count_dead(&self) -> Result<(), DeliveryStopped> {
        let dead = self.retry_until_ok(|s| async move { s.dead_letters().await }).await?;
        self.metrics.dead_letters(u64::try_from(dead.len()).unwrap_or(u64::MAX));
        Ok(())
    }

    /// Repeats `ask` until the store answers.
    async fn retry_until_ok<T, F>(
        &self,
        ask: impl Fn(Arc<dyn Store>) -> F,
    ) -> Result<T, DeliveryStopped>
    where
        F: Future<Output = crate::store::Result<T>>,
    {
        let mut backoff = Backoff::with_cap(self.pace.cap);
        loop {
            if *self.stop.borrow() {
                return Err(DeliveryStopped);
            }
            match ask(Arc::clone(&self.store)).await {
                Ok(answer) => return Ok(answer),
                Err(error) => {
                    warn!(
                        hook = self.hook.target.name,
                        "announcements wait for the store: {error}"
                    );
                    let wait = backoff.next(&mut rand::thread_rng());
                    self.pause(wait).await?;
                }
            }
        }
    }

    /// Time until `at_ms`, capped at the longest possible wait in case this machine's clock was set back.
    fn left(&self, at_ms: i64) -> Duration {
        let left = u64::try_from(at_ms.saturating_sub(now_ms())).unwrap_or(0);
        Duration::from_millis(left).min(self.pace.cap.max(crate::source::rate_limiter::MAX_PAUSE))
    }

    /// Waits for a new revision, or for the idle time.
    async fn idle(&mut self) -> Result<(), DeliveryStopped> {
        self.pause(self.pace.gather).await?;
        let (idle, mut news) = (self.pace.idle, self.news.clone());
        tokio::select! {
            () = self.stopped() => Err(DeliveryStopped),
            changed = news.changed() => {
                // Keeps the clone, which has seen this change. Without a sender, only the idle time is
                // left.
                self.news = news;
                if changed.is_err() { self.pause(idle).await } else { Ok(()) }
            }
            () = tokio::time::sleep(idle) => Ok(()),
        }
    }

    async fn pause(&self, time: Duration) -> Result<(), DeliveryStopped> {
        if time.is_zero() && !*self.stop.borrow() {
            return Ok(());
        }
        tokio::select! {
            () = self.stopped() => Err(DeliveryStopped),
            () = tokio::time::sleep(time) => Ok(()),
        }
    }

    async fn stopped(&self) {
        let mut stop = self.stop.clone();
        // An error means that the sender is gone, which also means stop.
        let _ = stop.wait_for(|stop| *stop).await;
    }
}

/// This machine's clock, milliseconds since 1970.
fn now_ms() -> i64 {
    in_ms(Duration::ZERO)
}

/// Milliseconds since 1970, `wait` from now.
fn in_ms(wait: Duration) -> i64 {
    let then =
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().saturating_add(wait);
    i64::try_from(then.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::{SeedableRng, rngs::StdRng};

    use super::*;

    proptest! {
        #[test]
        fn a_wait_never_leaves_its_ceiling(seed in any::<u64>(), attempts in 1u32..100) {
            let (pace, mut rng) = (Pace::default(), StdRng::seed_from_u64(seed));
            let wait = pace.wait(attempts, &mut rng);
            prop_assert!(wait <= pace.cap);
            if attempts <= 8 {
                prop_assert!(wait <= Duration::from_secs(1 << (attempts - 1)));
            }
        }
    }
}
