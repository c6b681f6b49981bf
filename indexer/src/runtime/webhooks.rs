//! Runs the webhooks while this process holds the lease: one delivery per run, which stops when the run
//! or the mirror ends.
use std::sync::Arc;

use tokio::sync::watch as channel;

use crate::{
    sync::context::MirrorContext,
    webhooks::{Delivery, run_webhooks},
};

pub(super) async fn watch(context: Arc<MirrorContext>, delivery: Delivery) {
    if delivery.hooks.is_empty() {
        return;
    }
    let mut run = context.run.subscribe();
    loop {
        let current = tokio::select! {
            // Cannot fail: the context owns the sender.
            Ok(run) = run.wait_for(Option::is_some) => *run,
            () = context.done() => return,
        };
        let Some(current) = current else { continue };
        let (stop, stopped) = channel::channel(false);
        let running = run_webhooks(
            delivery.clone(),
            (Arc::clone(&context.store), current),
            context.metrics.clone(),
            context.health.subscribe(),
            context.revision.subscribe(),
            stopped,
        );
        let over = async {
            tokio::select! {
                _ = run.wait_for(|now| *now != Some(current)) => {}
                () = context.done() => {}
            }
            stop.send_replace(true);
        };
        tokio::join!(running, over);
    }
}
