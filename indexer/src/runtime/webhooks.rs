//! Announces while this process may write: each run delivers by itself, and stops when the next one
//! begins or the mirror ends.
use std::sync::Arc;

use tokio::sync::watch as channel;

use crate::{
    sync::context::Link,
    webhooks::{Delivery, announce},
};

pub(super) async fn watch(link: Arc<Link>, delivery: Delivery) {
    if delivery.hooks.is_empty() {
        return;
    }
    let mut run = link.run.subscribe();
    loop {
        let current = tokio::select! {
            // The sender is a part of the link.
            Ok(run) = run.wait_for(Option::is_some) => *run,
            () = link.done() => return,
        };
        let Some(current) = current else { continue };
        let (stop, stopped) = channel::channel(false);
        let announcing = announce(
            delivery.clone(),
            (Arc::clone(&link.store), current),
            link.metrics.clone(),
            link.health.subscribe(),
            link.revision.subscribe(),
            stopped,
        );
        let over = async {
            tokio::select! {
                _ = run.wait_for(|now| *now != Some(current)) => {}
                () = link.done() => {}
            }
            stop.send_replace(true);
        };
        tokio::join!(announcing, over);
    }
}
