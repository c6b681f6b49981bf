//! Polls the Clock sysvar, which also gives the node's confirmed slot.
use std::sync::{Arc, atomic::Ordering};

use crate::sync::{
    context::{MirrorContext, Origin},
    write_buffer::StreamProgress,
};

pub(super) async fn watch(context: Arc<MirrorContext>) {
    tokio::select! {
        () = poll(&context) => {}
        () = context.done() => {}
    }
}

async fn poll(context: &MirrorContext) {
    loop {
        let connection = context.connection.load(Ordering::Relaxed);
        match context.rpc().clock().await {
            Ok(clock) => {
                context.report(Origin::Clock, None);
                context
                    .node_progress(connection, StreamProgress { confirmed: clock.slot, root: 0 });
                context.health.send_modify(|h| {
                    h.chain_time = Some(clock.unix);
                    h.read_at = Some(std::time::Instant::now());
                    if h.slot < clock.slot {
                        h.slot = clock.slot;
                    }
                });
            }
            Err(e) => context.report(Origin::Clock, Some(e.to_string())),
        }
        context.pause(context.config.clock).await;
    }
}
