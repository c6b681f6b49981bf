//! Delivers announcements of finalised facts to webhooks, in order and at least once. Reads only the
//! store, never the chain, and never blocks the mirror.
mod deliver;
mod facts;
mod hook;
mod manual;
mod message;
pub mod ready;
mod send;
mod sign;
pub mod template;

use std::sync::Arc;

use tokio::sync::watch;

use crate::{
    ops::{health::Health, metrics::Metrics},
    store::{Run, Store},
};

pub use deliver::{Delivery, Pace, deliver};
pub use facts::{AddressNames, Fact};
pub use hook::{Hook, Spec, Target, WebhookFormat};
pub use manual::{retry, test};
pub use message::WebhookMessage;
pub use send::{EVENT, ID, SIGNATURE, TIMESTAMP};
pub use sign::Secret;

/// Runs delivery and the detection of due announcements for `run`, until `stop` is true or its sender
/// is gone. Starts once `health` knows the newest finalised slot. `news` changes with the store's
/// revision.
pub async fn run_webhooks(
    delivery: Delivery,
    (store, run): (Arc<dyn Store>, Run),
    metrics: Metrics,
    mut health: watch::Receiver<Health>,
    news: watch::Receiver<u64>,
    mut stop: watch::Receiver<bool>,
) {
    if delivery.hooks.is_empty() {
        return;
    }
    let since_slot = tokio::select! {
        known = health.wait_for(|h| h.root > 0) => match known {
            Ok(health) => health.root,
            Err(_) => return,
        },
        _ = stop.wait_for(|stop| *stop) => return,
    };
    tokio::join!(
        ready::watch(Arc::clone(&store), run, health, stop.clone()),
        deliver(delivery, store, since_slot, metrics, news, stop),
    );
}
