//! One reading of all accounts into the store, piece by piece: what arrives is decoded and written
//! while the rest is on its way, and only the addresses are kept until the end. Closes nothing
//! before the reading is complete.
use std::sync::Arc;

use tokio::sync::mpsc;

use super::write::moves_view;
use crate::{
    IndexerError, Result,
    decode::{Raw, decode},
    link::Link,
    metrics::Source,
    source::{
        rpc::Rpc,
        snapshot::{Coverage, Known, Rung, SnapshotStream},
    },
    store::{Batch, Closing, Fill, Present, Quarantined, Update},
};

/// Accounts of one transaction.
const ROWS: usize = 5_000;
/// Pieces that wait for the store: with it, the node is read no faster than the store writes.
const WAITING: usize = 2;

/// What a reading did to the store.
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
    /// Whether no account of the manager's own types can have been overlooked.
    pub(crate) is_complete: bool,
    /// Whether an account was written that decides what is watched.
    pub(crate) moves_view: bool,
}

/// Whether the store holds nothing yet, so that it can be filled. Where that has failed before, it
/// is not tried again.
pub(crate) async fn is_fillable(link: &Link) -> Result<bool> {
    if link.has_failed_to_fill() {
        return Ok(false);
    }
    let state = link.insist(|| link.store.state()).await?;
    Ok(state.snapshot_slot == 0 && link.insist(|| link.store.rows(None, 1)).await?.is_empty())
}

/// Begins to read all accounts at a slot of at least `min_slot`.
///
/// # Errors
/// As [`Rpc::snapshot`].
pub(crate) async fn begin(link: &Link, rpc: &Rpc, min_slot: u64) -> Result<SnapshotStream> {
    // Where the node lists nothing, what the mirror knows is asked for by name.
    let known: Arc<dyn Known> = Arc::new(Arc::clone(&link.store));
    rpc.snapshot_of(min_slot, Some(known)).await
}

/// Writes all of `stream` and closes what it lacks. `doubted` is how many accounts the last reading
/// had, if it was not believed: the same number twice is believed, unless it is 0. With `fill` an
/// empty store is filled at once.
///
/// # Errors
/// [`IndexerError::Suspect`] when so much is missing that the answer is not believed; the accounts
/// that it did hold are written all the same. Else when node or store do not answer.
pub(crate) async fn merge(
    link: &Link,
    rpc: &Rpc,
    stream: SnapshotStream,
    doubted: Option<u64>,
    fill: bool,
) -> Result<Joined> {
    // Behind the address, since: what is read from here on is written.
    link.same_cluster(rpc).await?;
    let (tx, rows) = mpsc::channel(WAITING);
    // Only a reading in one piece never tells of an account twice.
    let fill = fill && stream.rung() == Rung::Plain;
    let reading = pieces(link, stream, tx);
    let (read, mut joined) = if fill {
        let run = link.run()?;
        let filling = async { link.store.fill(&run, rows).await.map_err(IndexerError::from) };
        link.filling(true);
        let done = tokio::try_join!(reading, filling);
        link.filling(false);
        if let Err(IndexerError::Store(e)) = &done {
            tracing::warn!("the store could not be filled at once: {e}");
            link.fail_to_fill();
            return Err(IndexerError::NotFilled);
        }
        let (read, filled) = done?;
        let Some(written) = filled else {
            link.fail_to_fill();
            return Err(IndexerError::NotFilled);
        };
        (read, Joined { written, moves_view: true, ..Joined::default() })
    } else {
        tokio::try_join!(reading, write(link, rows))?
    };
    let Read { mut present, slot, coverage } = read;
    let accounts = present.len();
    if coverage != Coverage::All {
        // Accounts that cannot be read were not looked for: that they are missing says nothing.
        for bad in link.insist(|| link.store.quarantined()).await? {
            present.insert(&bad.pubkey);
        }
        present.seal();
    }
    (joined.slot, joined.accounts) = (slot, accounts);
    link.same_cluster(rpc).await?;
    let trusted = accounts > 0 && doubted == Some(accounts);
    joined.is_complete = coverage.is_complete();
    match link.tombstone(slot, Arc::new(present), trusted).await? {
        Closing::Closed(closed) => {
            link.metrics.tombstones(closed);
            joined.moves_view |= closed > 0;
            Ok(Joined { closed, ..joined })
        }
        Closing::Suspect { known } => {
            Err(IndexerError::Suspect { url: rpc.shown(), seen: accounts, known })
        }
    }
}

/// What is left of a reading when all of it was handed on.
struct Read {
    present: Present,
    slot: u64,
    coverage: Coverage,
}

/// Reads, decodes and hands on.
async fn pieces(link: &Link, mut stream: SnapshotStream, tx: mpsc::Sender<Fill>) -> Result<Read> {
    let mut present = Present::default();
    let program_id = link.config.program_id;
    let mut part = vec![];
    loop {
        let piece = stream.next().await?;
        let ended = piece.is_none();
        let piece = piece.unwrap_or_default();
        piece.iter().for_each(|raw| present.insert(&raw.pubkey));
        part.extend(piece);
        if part.len() >= ROWS || (ended && !part.is_empty()) {
            let raws = std::mem::take(&mut part);
            let decoded = tokio::task::spawn_blocking(move || decode_all(&program_id, raws)).await;
            // A decoder that was ended has nothing to say, and the reading ends with it.
            let Ok((updates, bad)) = decoded else { return Err(IndexerError::UsedUp) };
            for update in &updates {
                link.metrics.updates(Some(update.facets.kind), Source::Snapshot, 1);
            }
            // One that does not listen any more says why itself.
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
    Ok(Read { present, slot: stream.slot(), coverage: stream.coverage() })
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

async fn write(link: &Link, mut rows: mpsc::Receiver<Fill>) -> Result<Joined> {
    let mut joined = Joined::default();
    while let Some(part) = rows.recv().await {
        let Fill::Rows(updates, quarantined) = part else { break };
        let batch = Batch { updates, quarantined, ..Batch::default() };
        let moves = moves_view(&batch);
        let applied = link.apply(batch, Source::Snapshot).await?;
        joined.written = joined.written.saturating_add(applied.written);
        joined.moves_view |= moves && applied.written > 0;
    }
    Ok(joined)
}
