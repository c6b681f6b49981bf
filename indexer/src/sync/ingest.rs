//! Takes messages from the websocket: decodes them, puts the newest state of each account into the
//! write buffer, and tracks up to which slot the stream is complete. Never waits for the store: a
//! full write buffer ends the connection.
use std::sync::{Arc, atomic::Ordering};

use solana_pubkey::Pubkey;

use super::{
    session::Session,
    watermark::Watermark,
    write_buffer::{AccountChange, Full},
};
use crate::{
    account::{AccountKind, Quarantined, decode::decode},
    ops::{metrics::Source, redact::plain},
    source::{
        answers::NodeAccount,
        close_reason::CloseReason,
        error::{IndexerError, Result},
        rpc::Rpc,
        websocket::{Frame, Socket},
    },
    store::Close,
};

/// A slot is implausible beyond this distance from the node's clock or from other nodes: one epoch,
/// two days.
const MAX_SLOTS_AHEAD: u64 = 432_000;
/// How long another node may take to say where it is.
const OTHER_NODE_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(2);

pub(super) async fn ingest(session: Arc<Session>, mut socket: Socket) -> Result<()> {
    let fed = take_all(&session, &mut socket).await;
    session.fed.store(true, Ordering::Relaxed);
    session.arrived.notify_one();
    fed
}

async fn take_all(session: &Session, socket: &mut Socket) -> Result<()> {
    let mut mark = Watermark::default();
    let mut node_progress = session.context.node_progress.subscribe();
    let mut watched = session.watched.subscribe();
    loop {
        session.context.metrics.queue_depth(socket.waiting());
        if socket.waiting() == 0 {
            mark.rests();
        }
        tokio::select! {
            biased;
            () = session.context.stopped() => return Ok(()),
            Ok(()) = watched.changed() => {
                let list = watched.borrow_and_update().clone();
                socket.watch(&list);
            }
            Ok(()) = node_progress.changed() => {
                let node_progress = *node_progress.borrow_and_update();
                if node_progress.connection == session.connection {
                    mark.node_progress(node_progress.progress);
                }
            }
            frame = socket.next() => {
                let before = mark.progress();
                let roots = socket.has_roots();
                take(session, &mut mark, frame?, roots).await?;
                if mark.progress() != before {
                    session.write_buffer().reached(mark.progress());
                    session.arrived.notify_one();
                }
            }
        }
    }
}

async fn take(session: &Session, mark: &mut Watermark, frame: Frame, roots: bool) -> Result<()> {
    let context = &session.context;
    match frame {
        Frame::Slot { slot, root } => {
            session.check_slot_plausible(slot.max(root)).await?;
            let root = root.min(slot);
            context.heard(slot, root);
            // With `rootSubscribe`, the root in a slot message is not needed.
            mark.slot(slot, if roots { 0 } else { root });
            session.first.send_if_modified(|first| first.replace(first.unwrap_or(slot)).is_none());
        }
        Frame::Root(root) => {
            session.check_slot_plausible(root).await?;
            context.heard(0, root);
            mark.root(root);
        }
        Frame::Account { slot, keyed } => {
            session.check_slot_plausible(slot).await?;
            context.heard(0, 0);
            let pubkey = keyed.pubkey.parse().map_err(|_| IndexerError::Socket {
                url: session.rpc.shown_socket(),
                reason: CloseReason::Garbled,
                what: format!("told of {:?}, which is no address", plain(&keyed.pubkey)),
            })?;
            let slot = session.slot_of(slot, mark);
            let write_version = context.next_write_version(session.run)?;
            let (kind, change) =
                change_of(&context.config.program_id, pubkey, slot, write_version, &keyed.account);
            context.metrics.updates(kind, Source::Stream, 1);
            session.keep(change)?;
            mark.account(slot);
        }
        Frame::Closed { slot, pubkey } => {
            session.check_slot_plausible(slot).await?;
            context.heard(0, 0);
            let slot = session.slot_of(slot, mark);
            let write_version = context.next_write_version(session.run)?;
            session.keep(AccountChange::Gone(Close { pubkey, slot, write_version }))?;
            mark.account(slot);
        }
    }
    Ok(())
}

/// The change that `account` is for `pubkey`, and the type of the account.
fn change_of(
    program_id: &Pubkey,
    pubkey: Pubkey,
    slot: u64,
    write_version: u64,
    account: &NodeAccount,
) -> (Option<AccountKind>, AccountChange) {
    match account.raw(pubkey, slot, write_version) {
        // A blank account is none of the manager's: if the mirror holds it, it is gone.
        Ok(raw) if raw.is_blank() => {
            (None, AccountChange::Gone(Close { pubkey, slot, write_version }))
        }
        Ok(raw) => match decode(program_id, raw) {
            Ok(update) => (Some(update.facets.kind), AccountChange::State(Box::new(update))),
            Err(bad) => (None, AccountChange::Unreadable(bad)),
        },
        Err(error) => {
            let owner = Pubkey::default();
            let bad = Quarantined { pubkey, slot, owner, error, raw: vec![] };
            (None, AccountChange::Unreadable(Box::new(bad)))
        }
    }
}

impl Session {
    /// The slot of a state whose message names `slot`.
    fn slot_of(&self, slot: u64, mark: &Watermark) -> u64 {
        // Messages come in order, so a message that arrives now is of the newest slot or an earlier
        // one.
        if self.stamps_slots { slot } else { mark.heard().max(self.context.floor()) }
    }

    fn keep(&self, change: AccountChange) -> Result<()> {
        let kept = self.write_buffer().take(change);
        self.arrived.notify_one();
        kept.map_err(|Full { accounts, bytes }| IndexerError::Overrun { accounts, bytes })
    }

    /// Checks `slot` against the node's clock and against other nodes. The store keeps the highest
    /// slot of an account, so one row with a slot from far in the future would never be updated
    /// again.
    ///
    /// # Errors
    /// [`IndexerError::Implausible`]; when the node does not answer.
    pub(super) async fn check_slot_plausible(&self, slot: u64) -> Result<()> {
        if slot <= self.horizon.load(Ordering::Relaxed) {
            return Ok(());
        }
        let known = newest(&self.rpc, &self.context.endpoints.others()).await?;
        let horizon = known.saturating_add(MAX_SLOTS_AHEAD);
        self.horizon.fetch_max(horizon, Ordering::Relaxed);
        if slot > horizon {
            let url = self.rpc.shown();
            return Err(IndexerError::Implausible { url, slot, known });
        }
        Ok(())
    }
}

/// The newest slot of `rpc`, limited by the slots of the other nodes.
async fn newest(rpc: &Rpc, others: &[Rpc]) -> Result<u64> {
    let own = rpc.clock().await?.slot;
    // A node that hangs must not delay the answer of one that does not.
    let asked = others.iter().map(|rpc| tokio::time::timeout(OTHER_NODE_TIMEOUT, rpc.clock()));
    let others = futures_util::future::join_all(asked).await;
    let best = others.into_iter().filter_map(|clock| clock.ok()?.ok().map(|c| c.slot)).max();
    Ok(match best {
        // One node alone must not move the newest slot by more than an epoch past the others.
        Some(best) => own.min(best.saturating_add(MAX_SLOTS_AHEAD)),
        None => own,
    })
}
