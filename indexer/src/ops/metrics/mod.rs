//! Metrics of the mirror in the text format of Prometheus. Nothing depends on them. Label values are
//! constants of this program or names from the settings, never a node's text, so that their number is
//! bounded.
mod labels;

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError, atomic::AtomicU64},
    time::{Duration, Instant},
};

use prometheus_client::{
    encoding::text,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Metric, Registry},
};

pub use self::labels::{DeliveryOutcome, Source, code_label};
use self::labels::{HookLabels, ReasonLabels, RpcLabels, UpdateLabels};
use crate::{
    account::AccountKind,
    ops::health::{Health, Reason},
};

/// Prefix of every metric.
pub const PREFIX: &str = "control_room";

/// Media type of [`Metrics::encode`]'s text.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

type Whole = Gauge<u64, AtomicU64>;
type Seconds = Gauge<f64, AtomicU64>;

/// The metrics. Cloning is cheap: clones share the counts.
#[derive(Clone)]
pub struct Metrics(Arc<MetricsInner>);

struct MetricsInner {
    registry: Registry,
    last_frame: Mutex<Instant>,
    updates: Family<UpdateLabels, Counter>,
    applied: Counter,
    stale: Counter,
    reconnects: Family<ReasonLabels, Counter>,
    gap_repairs: Counter,
    rpc_errors: Family<RpcLabels, Counter>,
    decode_errors: Counter,
    db_retries: Counter,
    tombstones: Counter,
    undone: Counter,
    deliveries: Family<HookLabels, Counter>,
    slot_seen: Whole,
    slot_confirmed_tip: Whole,
    slot_root: Whole,
    frontier_lag: Whole,
    queue_depth: Whole,
    frame_age: Seconds,
    drift_rows: Whole,
    audit_head: Whole,
    dead_letters: Whole,
    unhealthy: Family<ReasonLabels, Whole>,
    batch_rows: Histogram,
    batch_seconds: Histogram,
    snapshot_seconds: Histogram,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

/// Registers a metric and returns it.
fn put<M: Metric + Clone>(registry: &mut Registry, name: &str, help: &str, metric: M) -> M {
    registry.register(name, help, metric.clone());
    metric
}

fn counter(registry: &mut Registry, name: &str, help: &str) -> Counter {
    put(registry, name, help, Counter::default())
}

fn whole(registry: &mut Registry, name: &str, help: &str) -> Whole {
    put(registry, name, help, Whole::default())
}

impl Metrics {
    /// All counts at zero.
    #[must_use]
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix(PREFIX);
        let r = &mut registry;
        // The text format adds `_total` to the name of every counter.
        let inner = MetricsInner {
            updates: put(
                r,
                "updates",
                "Accounts that arrived, by type and source",
                Family::default(),
            ),
            applied: counter(r, "updates_applied", "Accounts whose row changed"),
            stale: counter(r, "updates_stale", "Accounts that were older than their row, or equal"),
            reconnects: put(r, "reconnects", "Connections that ended, by why", Family::default()),
            gap_repairs: counter(r, "gap_repairs", "Complete readings after a gap in the stream"),
            rpc_errors: put(
                r,
                "rpc_errors",
                "Calls that the node did not answer well, by method and code",
                Family::default(),
            ),
            decode_errors: counter(r, "decode_errors", "Accounts that could not be decoded"),
            db_retries: counter(r, "db_retries", "Writes that the database took only later"),
            tombstones: counter(r, "snapshot_tombstones", "Rows closed by a complete reading"),
            undone: counter(r, "undo_restored", "Rows restored because their slot was orphaned"),
            deliveries: put(
                r,
                "webhook_deliveries",
                "Attempts to deliver a webhook, by hook and outcome",
                Family::default(),
            ),
            slot_seen: whole(r, "slot_seen", "Newest slot the node has told of"),
            slot_confirmed_tip: whole(r, "slot_confirmed_tip", "Newest confirmed slot known"),
            slot_root: whole(r, "slot_root", "Newest finalised slot known"),
            frontier_lag: whole(
                r,
                "frontier_lag_slots",
                "Slots between the newest one heard of and the newest one mirrored in full",
            ),
            queue_depth: whole(r, "queue_depth", "Messages that wait to be taken in"),
            frame_age: put(
                r,
                "ws_last_frame_age_seconds",
                "Seconds since the websocket last said anything, or since the start",
                Seconds::default(),
            ),
            drift_rows: whole(
                r,
                "progress_drift_rows",
                "Rows that the last complete reading found wrong without a gap to explain it",
            ),
            audit_head: whole(r, "audit_head_seq", "Number of the newest audit entry"),
            dead_letters: whole(r, "webhook_dead_letters", "Webhooks given up and not yet retried"),
            unhealthy: put(
                r,
                "unhealthy",
                "1 for each reason not to take the mirror for the chain, else 0",
                Family::default(),
            ),
            batch_rows: put(
                r,
                "batch_rows",
                "Rows of one transaction",
                Histogram::new([1.0, 10.0, 100.0, 1_000.0, 5_000.0, 10_000.0, 50_000.0]),
            ),
            batch_seconds: put(
                r,
                "batch_seconds",
                "Seconds of one transaction",
                Histogram::new([0.001, 0.003, 0.01, 0.03, 0.1, 0.15, 0.3, 1.0, 3.0, 10.0]),
            ),
            snapshot_seconds: put(
                r,
                "snapshot_seconds",
                "Seconds of one complete reading, from the request to the last row",
                Histogram::new([0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1_000.0]),
            ),
            last_frame: Mutex::new(Instant::now()),
            registry,
        };
        Self(Arc::new(inner))
    }

    /// `n` accounts of type `kind` arrived; [`None`] for undecodable ones.
    pub fn updates(&self, kind: Option<AccountKind>, source: Source, n: u64) {
        let labels =
            UpdateLabels { kind: kind.map_or("unknown", AccountKind::name), source: source.name() };
        self.0.updates.get_or_create(&labels).inc_by(n);
    }

    /// `n` accounts changed their row.
    pub fn applied(&self, n: u64) {
        self.0.applied.inc_by(n);
    }

    /// `n` accounts were older than or equal to their row.
    pub fn stale(&self, n: u64) {
        self.0.stale.inc_by(n);
    }

    /// A connection ended; `reason` is a constant label, for example `silent`.
    pub fn reconnect(&self, reason: &'static str) {
        self.0.reconnects.get_or_create(&ReasonLabels { reason }).inc();
    }

    /// A gap in the stream was closed by a complete reading.
    pub fn gap_repair(&self) {
        self.0.gap_repairs.inc();
    }

    /// A call failed; `code` is from [`code_label`], or a label such as `timeout`.
    pub fn rpc_error(&self, method: &'static str, code: &'static str) {
        self.0.rpc_errors.get_or_create(&RpcLabels { method, code }).inc();
    }

    /// `n` accounts could not be decoded.
    pub fn decode_errors(&self, n: u64) {
        self.0.decode_errors.inc_by(n);
    }

    /// A write failed and is tried again.
    pub fn db_retry(&self) {
        self.0.db_retries.inc();
    }

    /// A complete reading closed `n` rows.
    pub fn tombstones(&self, n: u64) {
        self.0.tombstones.inc_by(n);
    }

    /// `n` rows were restored because their slot was orphaned.
    pub fn undo_restored(&self, n: u64) {
        self.0.undone.inc_by(n);
    }

    /// An attempt to deliver to `hook`, a name from the settings, ended.
    pub fn webhook(&self, hook: &str, outcome: DeliveryOutcome) {
        let labels = HookLabels { hook: hook.to_owned(), outcome: outcome.name() };
        self.0.deliveries.get_or_create(&labels).inc();
    }

    /// Current number of dead letters.
    pub fn dead_letters(&self, n: u64) {
        self.0.dead_letters.set(n);
    }

    /// Copies slots, reasons and the last frame from health. Must be called before [`Self::encode`], so
    /// that both agree.
    pub fn health(&self, health: &Health) {
        self.0.slot_seen.set(health.slot);
        self.0.slot_confirmed_tip.set(health.tip.max(health.confirmed));
        self.0.slot_root.set(health.root);
        self.0.frontier_lag.set(health.lag());
        for reason in Reason::ALL {
            let labels = ReasonLabels { reason: reason.name() };
            let holds = health.reasons.contains(&reason);
            self.0.unhealthy.get_or_create(&labels).set(u64::from(holds));
        }
        if let Some(at) = health.last_frame {
            let mut last = self.0.last_frame.lock().unwrap_or_else(PoisonError::into_inner);
            *last = at.max(*last);
        }
    }

    /// Number of websocket messages in the queue.
    pub fn queue_depth(&self, n: usize) {
        self.0.queue_depth.set(u64::try_from(n).unwrap_or(u64::MAX));
    }

    /// A websocket message arrived now.
    pub fn frame(&self) {
        *self.0.last_frame.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// Rows that the last complete reading found wrong although the stream had no gap.
    pub fn drift_rows(&self, n: u64) {
        self.0.drift_rows.set(n);
    }

    /// Number of the newest audit entry.
    pub fn audit_head(&self, seq: u64) {
        self.0.audit_head.set(seq);
    }

    /// One transaction wrote `rows` rows in `took`.
    pub fn batch(&self, rows: usize, took: Duration) {
        self.0.batch_rows.observe(f64::from(u32::try_from(rows).unwrap_or(u32::MAX)));
        self.0.batch_seconds.observe(took.as_secs_f64());
    }

    /// One complete reading of all accounts took `took`.
    pub fn snapshot(&self, took: Duration) {
        self.0.snapshot_seconds.observe(took.as_secs_f64());
    }

    /// All metrics as text, see [`CONTENT_TYPE`].
    #[must_use]
    pub fn encode(&self) -> String {
        let last = *self.0.last_frame.lock().unwrap_or_else(PoisonError::into_inner);
        self.0.frame_age.set(last.elapsed().as_secs_f64());
        let mut out = String::new();
        // Writing to a string does not fail; if it did, partial output is better than none.
        let _ = text::encode(&mut out, &self.0.registry);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The names that dashboards and alerts rely on.
    const SERIES: [&str; 28] = [
        "updates_total{kind=\"AccountVersion\",source=\"stream\"} 3",
        "updates_applied_total 2",
        "updates_stale_total 1",
        "reconnects_total{reason=\"silent\"} 1",
        "gap_repairs_total 1",
        "rpc_errors_total{method=\"getSlot\",code=\"-32016\"} 1",
        "decode_errors_total 1",
        "db_retries_total 1",
        "snapshot_tombstones_total 4",
        "undo_restored_total 5",
        "webhook_deliveries_total{hook=\"multisig\",outcome=\"delivered\"} 1",
        "webhook_dead_letters 6",
        "unhealthy{reason=\"Drift\"} 1",
        "unhealthy{reason=\"Startup\"} 0",
        "slot_seen 10",
        "slot_confirmed_tip 24",
        "slot_root 9",
        "frontier_lag_slots 13",
        "queue_depth 14",
        "ws_last_frame_age_seconds ",
        "progress_drift_rows 15",
        "audit_head_seq 16",
        "batch_rows_count 1",
        "batch_rows_sum 7.0",
        "batch_seconds_sum 0.5",
        "batch_seconds_count 1",
        "snapshot_seconds_count 1",
        "snapshot_seconds_bucket{le=\"3.0\"} 1",
    ];

    #[test]
    fn every_documented_metric_is_encoded_with_its_count() {
        let m = Metrics::new();
        m.updates(Some(AccountKind::AccountVersion), Source::Stream, 3);
        m.applied(2);
        m.stale(1);
        m.reconnect("silent");
        m.gap_repair();
        m.rpc_error("getSlot", code_label(-32016));
        m.decode_errors(1);
        m.db_retry();
        m.tombstones(4);
        m.undo_restored(5);
        m.webhook("multisig", DeliveryOutcome::Delivered);
        m.dead_letters(6);
        m.health(&Health {
            reasons: [Reason::Drift].into(),
            slot: 10,
            tip: 24,
            root: 9,
            confirmed: 11,
            ..Health::default()
        });
        m.queue_depth(14);
        m.frame();
        m.drift_rows(15);
        m.audit_head(16);
        m.batch(7, Duration::from_millis(500));
        m.snapshot(Duration::from_secs(2));
        let text = m.clone().encode();
        for series in SERIES {
            let line = format!("{PREFIX}_{series}");
            assert!(text.lines().any(|l| l.starts_with(&line)), "{line} is missing:\n{text}");
        }
        assert!(text.ends_with("# EOF\n"), "the media type promises an end");
    }

    #[test]
    fn codes_that_a_node_makes_up_share_one_label() {
        assert_eq!(code_label(-32012), "-32012");
        assert_eq!((code_label(i64::MIN), code_label(503)), ("other", "5xx"));
    }

    #[test]
    fn the_age_of_the_last_frame_grows_until_one_comes() {
        let m = Metrics::new();
        let long_ago = Instant::now().checked_sub(Duration::from_secs(30)).unwrap();
        *m.0.last_frame.lock().unwrap() = long_ago;
        let age = || {
            let text = m.encode();
            let name = format!("{PREFIX}_ws_last_frame_age_seconds ");
            let value = text.lines().find_map(|l| l.strip_prefix(&name)).unwrap();
            value.parse::<f64>().unwrap()
        };
        assert!(age() >= 30.0);
        m.frame();
        assert!(age() < 30.0);
    }
}
