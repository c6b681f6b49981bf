//! Takes the messages of the socket in: decodes them, keeps the newest of each account, and says how
//! far they are complete. Never waits for the store: what it cannot keep ends the connection.
use std::sync::{Arc, atomic::Ordering};

use solana_pubkey::Pubkey;

use super::{
    Session,
    watermark::Watermark,
    write_buffer::{Full, Told},
};
use crate::{
    account::{Kind, Quarantined, decode::decode},
    ops::{metrics::Source, redact::plain},
    source::{
        answers::NodeAccount,
        error::{IndexerError, Result},
        rpc::Rpc,
        websocket::{Frame, Reason, Socket},
    },
    store::Close,
};

/// How many slots a node may be ahead of its clock, or of other nodes: two days, an epoch.
const AHEAD: u64 = 432_000;
/// How long another node may take to say where it is.
const BRIEFLY: std::time::Duration = std::time::Duration::from_secs(2);

pub(super) async fn ingest(session: Arc<Session>, mut socket: Socket) -> Result<()> {
    let fed = take_all(&session, &mut socket).await;
    session.fed.store(true, Ordering::Relaxed);
    session.arrived.notify_one();
    fed
}

async fn take_all(session: &Session, socket: &mut Socket) -> Result<()> {
    let mut mark = Watermark::default();
    let mut said = session.link.said.subscribe();
    let mut watched = session.watched.subscribe();
    loop {
        session.link.metrics.queue_depth(socket.waiting());
        if socket.waiting() == 0 {
            mark.rests();
        }
        tokio::select! {
            biased;
            () = session.link.stopped() => return Ok(()),
            Ok(()) = watched.changed() => {
                let list = watched.borrow_and_update().clone();
                socket.watch(&list);
            }
            Ok(()) = said.changed() => {
                let said = *said.borrow_and_update();
                if said.connection == session.connection {
                    mark.said(said.reach);
                }
            }
            frame = socket.next() => {
                let before = mark.reach();
                let roots = socket.has_roots();
                take(session, &mut mark, frame?, roots).await?;
                if mark.reach() != before {
                    session.intake().reached(mark.reach());
                    session.arrived.notify_one();
                }
            }
        }
    }
}

async fn take(session: &Session, mark: &mut Watermark, frame: Frame, roots: bool) -> Result<()> {
    let link = &session.link;
    match frame {
        Frame::Slot { slot, root } => {
            session.believe(slot.max(root)).await?;
            let root = root.min(slot);
            link.heard(slot, root);
            // Where roots are told of, those of slot messages are not needed.
            mark.slot(slot, if roots { 0 } else { root });
            session.first.send_if_modified(|first| first.replace(first.unwrap_or(slot)).is_none());
        }
        Frame::Root(root) => {
            session.believe(root).await?;
            link.heard(0, root);
            mark.root(root);
        }
        Frame::Account { slot, keyed } => {
            session.believe(slot).await?;
            link.heard(0, 0);
            let pubkey = keyed.pubkey.parse().map_err(|_| IndexerError::Socket {
                url: session.rpc.shown_socket(),
                reason: Reason::Garbled,
                what: format!("told of {:?}, which is no address", plain(&keyed.pubkey)),
            })?;
            let slot = session.slot_of(slot, mark);
            let wv = link.next_order(session.run)?;
            let (kind, told) = told(&link.config.program_id, pubkey, slot, wv, &keyed.account);
            link.metrics.updates(kind, Source::Stream, 1);
            session.keep(told)?;
            mark.account(slot);
        }
        Frame::Closed { slot, pubkey } => {
            session.believe(slot).await?;
            link.heard(0, 0);
            let slot = session.slot_of(slot, mark);
            let wv = link.next_order(session.run)?;
            session.keep(Told::Gone(Close { pubkey, slot, wv }))?;
            mark.account(slot);
        }
    }
    Ok(())
}

/// What `account` says of `pubkey`, and which type of account it is.
fn told(
    program_id: &Pubkey,
    pubkey: Pubkey,
    slot: u64,
    wv: u64,
    account: &NodeAccount,
) -> (Option<Kind>, Told) {
    match account.raw(pubkey, slot, wv) {
        // What was the manager's and holds nothing any more is gone.
        Ok(raw) if raw.is_blank() => (None, Told::Gone(Close { pubkey, slot, wv })),
        Ok(raw) => match decode(program_id, raw) {
            Ok(update) => (Some(update.facets.kind), Told::State(Box::new(update))),
            Err(bad) => (None, Told::Unreadable(bad)),
        },
        Err(error) => {
            let owner = Pubkey::default();
            let bad = Quarantined { pubkey, slot, owner, error, raw: vec![] };
            (None, Told::Unreadable(Box::new(bad)))
        }
    }
}

impl Session {
    /// The slot of a state that was told of with `slot`.
    fn slot_of(&self, slot: u64, mark: &Watermark) -> u64 {
        // Messages come in order: one that is heard now is of this slot or one before.
        if self.stamps_slots { slot } else { mark.heard().max(self.link.floor()) }
    }

    fn keep(&self, told: Told) -> Result<()> {
        let kept = self.intake().take(told);
        self.arrived.notify_one();
        kept.map_err(|Full { accounts, bytes }| IndexerError::Overrun { accounts, bytes })
    }

    /// Makes sure that the chain can have reached `slot`, by the node's own clock and by what other
    /// nodes say: a slot from far in the future would make everything after it look old.
    ///
    /// # Errors
    /// [`IndexerError::Implausible`]; when the node does not answer.
    pub(super) async fn believe(&self, slot: u64) -> Result<()> {
        if slot <= self.horizon.load(Ordering::Relaxed) {
            return Ok(());
        }
        let known = newest(&self.rpc, &self.link.endpoints.others()).await?;
        let horizon = known.saturating_add(AHEAD);
        self.horizon.fetch_max(horizon, Ordering::Relaxed);
        if slot > horizon {
            let url = self.rpc.shown();
            return Err(IndexerError::Implausible { url, slot, known });
        }
        Ok(())
    }
}

/// The newest slot that `rpc` is believed to be at.
async fn newest(rpc: &Rpc, others: &[Rpc]) -> Result<u64> {
    let own = rpc.clock().await?.slot;
    // One that hangs must not hold up the one that does not.
    let asked = others.iter().map(|rpc| tokio::time::timeout(BRIEFLY, rpc.clock()));
    let others = futures_util::future::join_all(asked).await;
    let best = others.into_iter().filter_map(|clock| clock.ok()?.ok().map(|c| c.slot)).max();
    Ok(match best {
        // Where others know better, this node's word alone does not move the chain by an epoch.
        Some(best) => own.min(best.saturating_add(AHEAD)),
        None => own,
    })
}
