//! Reads all accounts into the store, piece by piece: pieces are decoded and written while the rest
//! arrives, and only the addresses stay in memory. Closes accounts only after a complete reading, and
//! only with proof of absence, see [`super::absent`].
use std::sync::Arc;

use async_trait::async_trait;
use solana_pubkey::Pubkey;
use tokio::sync::mpsc;

use super::{
    absent::{self, Asked},
    write_buffer::moves_view,
};
use crate::{
    account::{
        Quarantined, Update,
        decode::{Raw, decode},
    },
    ops::metrics::Source,
    source::{
        error::{IndexerError, Result},
        rpc::Rpc,
        snapshot::{Coverage, KnownAccounts, ScanMethod, SnapshotStream},
    },
    store::{Batch, Close, Closing, Fill, PubkeySet, Store},
    sync::context::MirrorContext,
};

/// The mirror's own accounts, for a node that refuses to list any.
#[async_trait]
impl KnownAccounts for Arc<dyn Store> {
    /// The live rows.
    async fn after(&self, after: Option<Pubkey>, most: usize) -> Result<Vec<Pubkey>> {
        let most = u32::try_from(most).unwrap_or(u32::MAX);
        Ok(self.rows(after, most).await?.into_iter().map(|row| row.pubkey).collect())
    }
}

/// Most accounts of one transaction.
const MAX_ROWS_PER_WRITE: usize = 5_000;
/// Capacity of the queue to the store. It is small, so that the node is read no faster than the store
/// writes.
const MAX_QUEUED_PIECES: usize = 2;

/// The effect of a reading.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Joined {
    /// Its slot.
    pub(crate) slot: u64,
    /// Accounts in it.
    pub(crate) accounts: u64,
    /// Rows with new content.
    pub(crate) written: u64,
    /// Rows that were closed.
    pub(crate) closed: u64,
    /// Accounts that exist although the node's list left them out.
    pub(crate) left_out: u64,
    /// The newest slot at which an account was read by address; 0 when none was.
    pub(crate) asked: u64,
    /// Whether it covers every account of the manager's own types.
    pub(crate) is_complete: bool,
    /// Whether it wrote an account that affects the watch list.
    pub(crate) moves_view: bool,
}

/// Whether the store is empty, so that a bulk load is possible. After a failed bulk load it is not tried
/// again.
pub(crate) async fn is_fillable(context: &MirrorContext) -> Result<bool> {
    if context.has_failed_to_fill() {
        return Ok(false);
    }
    let state = context.retry_until_ok(|| context.store.state()).await?;
    Ok(state.snapshot_slot == 0
        && context.retry_until_ok(|| context.store.rows(None, 1)).await?.is_empty())
}

/// Starts reading all accounts at a slot of at least `min_slot`.
///
/// # Errors
/// As [`Rpc::snapshot`].
pub(crate) async fn begin(
    context: &MirrorContext,
    rpc: &Rpc,
    min_slot: u64,
) -> Result<SnapshotStream> {
    // If the node refuses to list accounts, the mirror's own are read by address.
    let known: Arc<dyn KnownAccounts> = Arc::new(Arc::clone(&context.store));
    rpc.snapshot_of(min_slot, Some(known)).await
}

impl Joined {
    /// Why this reading from the node `url` may have missed accounts, if it may.
    pub(crate) fn doubt(&self, url: String) -> Option<IndexerError> {
        if self.left_out > 0 {
            let (listed, left_out) = (self.accounts, self.left_out);
            return Some(IndexerError::Truncated { url, listed, left_out });
        }
        (!self.is_complete).then_some(IndexerError::Unlisted { url })
    }

    /// Whether the list was complete, so that the reading counts as a snapshot of its slot.
    pub(crate) fn is_snapshot(&self) -> bool {
        self.left_out == 0
    }
}

/// Writes all of `stream` and closes the accounts that it lacks, after the node has confirmed by address
/// that each is gone. With `fill`, bulk-loads an empty store.
///
/// # Errors
/// When node or store do not answer. The pieces read before are written, and nothing is closed.
pub(crate) async fn merge(
    context: &MirrorContext,
    rpc: &Rpc,
    stream: SnapshotStream,
    fill: bool,
) -> Result<Joined> {
    // Checked before anything is written: the address may lead to another cluster by now.
    context.same_cluster(rpc).await?;
    let (tx, rows) = mpsc::channel(MAX_QUEUED_PIECES);
    // A bulk load needs each account once; only a single list never repeats one.
    let fill = fill && stream.scan_method() == ScanMethod::Plain;
    let reading = pieces(context, stream, tx);
    let (read, mut joined) = if fill {
        let run = context.run()?;
        let filling = async { context.store.fill(&run, rows).await.map_err(IndexerError::from) };
        context.filling(true);
        let done = tokio::try_join!(reading, filling);
        context.filling(false);
        if let Err(IndexerError::Store(e)) = &done {
            tracing::warn!("the store could not be filled at once: {e}");
            context.fail_to_fill();
            return Err(IndexerError::NotFilled);
        }
        let (read, filled) = done?;
        let Some(written) = filled else {
            context.fail_to_fill();
            return Err(IndexerError::NotFilled);
        };
        (read, Joined { written, moves_view: true, ..Joined::default() })
    } else {
        tokio::try_join!(reading, write(context, rows))?
    };
    let Reading { mut present, slot, coverage } = read;
    let accounts = present.len();
    if coverage != Coverage::All {
        // This method does not read accounts of unknown types, so their absence proves nothing.
        for bad in context.retry_until_ok(|| context.store.quarantined()).await? {
            present.insert(&bad.pubkey);
        }
        present.seal();
    }
    (joined.slot, joined.accounts) = (slot, accounts);
    context.same_cluster(rpc).await?;
    joined.is_complete = coverage.is_complete();
    let named = absent::named_only(context, slot).await?;
    let named = named.into_iter().filter(|pubkey| !present.contains(pubkey)).collect();
    let named = absent::ask(rpc, named, slot).await?;
    // Without a list, no account can be missing from it.
    let lists = coverage != Coverage::Asked;
    if lists {
        joined.left_out = count(named.there.len());
    }
    by_address(context, &mut joined, Asked { gone: vec![], ..named }).await?;
    close(context, rpc, &mut joined, present, lists).await?;
    joined.moves_view |= joined.closed > 0;
    context.metrics.tombstones(joined.closed);
    Ok(joined)
}

/// Closes the accounts that `present` lacks, after the node has confirmed that they are gone. If the list
/// was cut short, the mirror does not count as complete at its slot.
async fn close(
    context: &MirrorContext,
    rpc: &Rpc,
    joined: &mut Joined,
    present: PubkeySet,
    lists: bool,
) -> Result<()> {
    let slot = joined.slot;
    if joined.left_out > 0 {
        let lacking = absent::lacking(context, slot, &present).await?;
        return cut_short(context, joined, absent::ask(rpc, lacking, slot).await?).await;
    }
    let (mut present, mut gone) = (Arc::new(present), vec![]);
    loop {
        let proved = Arc::new(gone.iter().copied().collect());
        let lacking = match context.tombstone(slot, (&present, &proved)).await? {
            Closing::Closed(closed) => {
                joined.closed = joined.closed.saturating_add(closed);
                return Ok(());
            }
            Closing::Unproved(lacking) => lacking,
        };
        let asked = absent::ask(rpc, lacking, slot).await?;
        joined.asked = joined.asked.max(asked.slot);
        if lists && !asked.there.is_empty() {
            return cut_short(context, joined, asked).await;
        }
        // Without a list, these are accounts that the mirror learned of during the reading.
        let known = Arc::make_mut(&mut present);
        asked.there.iter().for_each(|raw| known.insert(&raw.pubkey));
        known.seal();
        gone.extend(asked.gone.iter().copied());
        by_address(context, joined, Asked { gone: vec![], ..asked }).await?;
    }
}

/// Records that the list left out the accounts in `asked.there`.
async fn cut_short(context: &MirrorContext, joined: &mut Joined, asked: Asked) -> Result<()> {
    joined.left_out = joined.left_out.saturating_add(count(asked.there.len()));
    by_address(context, joined, asked).await?;
    context.reviewed().await
}

/// Writes the accounts that were read by address.
async fn by_address(context: &MirrorContext, joined: &mut Joined, asked: Asked) -> Result<()> {
    let Asked { mut there, mut gone, closed_at, slot } = asked;
    joined.asked = joined.asked.max(slot);
    while !there.is_empty() || !gone.is_empty() {
        let raws = there.split_off(there.len().saturating_sub(MAX_ROWS_PER_WRITE));
        let closes = gone.split_off(gone.len().saturating_sub(MAX_ROWS_PER_WRITE));
        let close = |pubkey| Close { pubkey, slot: closed_at, write_version: 0 };
        let closes = closes.into_iter().map(close).collect();
        let (updates, quarantined) = decode_all(&context.config.program_id, raws);
        let batch = Batch { updates, closes, quarantined, ..Batch::default() };
        let moves = moves_view(&batch);
        let applied = context.apply(batch, Source::Snapshot).await?;
        joined.written = joined.written.saturating_add(applied.written);
        joined.closed = joined.closed.saturating_add(applied.closed);
        joined.moves_view |= moves;
    }
    Ok(())
}

fn count(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}

/// The summary of a reading after all pieces were sent on.
struct Reading {
    present: PubkeySet,
    slot: u64,
    coverage: Coverage,
}

/// Reads and decodes all pieces and sends them to the writer.
async fn pieces(
    context: &MirrorContext,
    mut stream: SnapshotStream,
    tx: mpsc::Sender<Fill>,
) -> Result<Reading> {
    let mut present = PubkeySet::default();
    let program_id = context.config.program_id;
    let mut part = vec![];
    loop {
        let piece = stream.next().await?;
        let ended = piece.is_none();
        let piece = piece.unwrap_or_default();
        piece.iter().for_each(|raw| present.insert(&raw.pubkey));
        part.extend(piece);
        if part.len() >= MAX_ROWS_PER_WRITE || (ended && !part.is_empty()) {
            let raws = std::mem::take(&mut part);
            let decoded = tokio::task::spawn_blocking(move || decode_all(&program_id, raws)).await;
            // The decoder task was aborted or panicked.
            let Ok((updates, bad)) = decoded else { return Err(IndexerError::UsedUp) };
            for update in &updates {
                context.metrics.updates(Some(update.facets.kind), Source::Snapshot, 1);
            }
            // A closed channel: the writer has failed and reports its own error.
            if tx.send(Fill::Rows(updates, bad)).await.is_err() {
                break;
            }
        }
        if ended {
            let _ = tx.send(Fill::End).await;
            break;
        }
    }
    present.seal();
    Ok(Reading { present, slot: stream.slot(), coverage: stream.coverage() })
}

fn decode_all(
    program_id: &solana_pubkey::Pubkey,
    raws: Vec<Raw>,
) -> (Vec<Update>, Vec<Quarantined>) {
    let (mut updates, mut bad) = (Vec::with_capacity(raws.len()), vec![]);
    for raw in raws {
        match decode(program_id, raw) {
            Ok(update) => updates.push(update),
            Err(why) => bad.push(*why),
        }
    }
    (updates, bad)
}

async fn write(context: &MirrorContext, mut rows: mpsc::Receiver<Fill>) -> Result<Joined> {
    let mut joined = Joined::default();
    while let Some(part) = rows.recv().await {
        let Fill::Rows(updates, quarantined) = part else { break };
        let batch = Batch { updates, quarantined, ..Batch::default() };
        let moves = moves_view(&batch);
        let applied = context.apply(batch, Source::Snapshot).await?;
        joined.written = joined.written.saturating_add(applied.written);
        joined.moves_view |= moves && applied.written > 0;
    }
    Ok(joined)
}
