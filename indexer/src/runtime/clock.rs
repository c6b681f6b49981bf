//! Reads the chain's clock, and with it how far the node has confirmed.
use std::sync::{Arc, atomic::Ordering};

use crate::sync::{
    context::{Link, Origin},
    write_buffer::Reach,
};

pub(super) async fn watch(link: Arc<Link>) {
    tokio::select! {
        () = keep(&link) => {}
        () = link.done() => {}
    }
}

async fn keep(link: &Link) {
    loop {
        let connection = link.connection.load(Ordering::Relaxed);
        match link.rpc().clock().await {
            Ok(clock) => {
                link.report(Origin::Clock, None);
                link.said(connection, Reach { confirmed: clock.slot, root: 0 });
                link.health.send_modify(|h| {
                    h.chain_time = Some(clock.unix);
                    h.read_at = Some(std::time::Instant::now());
                    if h.slot < clock.slot {
                        h.slot = clock.slot;
                    }
                });
            }
            Err(e) => link.report(Origin::Clock, Some(e.to_string())),
        }
        link.pause(link.config.clock).await;
    }
}
