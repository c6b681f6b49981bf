//! Updates the store once: reads all accounts and history, or waits for the process that holds the
//! lease.
use std::{sync::Arc, time::Duration};

use solana_commitment_config::CommitmentLevel;
use tokio::{sync::watch, time::Instant};

use super::{
    history,
    lease::{begin, give_back},
};
use crate::{
    audit,
    runtime::standby::NOBODY,
    source::{
        SourceConfig,
        error::{IndexerError, Result},
    },
    store::{Marks, RENEW_INTERVAL, Run, Store, StoreError},
    sync::{
        context::MirrorContext,
        snapshot::{self, Joined, is_fillable, merge},
    },
};

/// How long the writing process may take to reach the node's slot.
const CATCH_UP_TIMEOUT: Duration = Duration::from_secs(30);
/// How often its progress is checked.
const POLL_INTERVAL: Duration = Duration::from_millis(250);

/// The effect of one complete reading.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Backfill {
    /// Slot up to which the store is up to date.
    pub slot: u64,
    /// Accounts in the reading; 0 where another process writes.
    pub accounts: u64,
    /// Rows with new content.
    pub written: u64,
    /// Rows that were closed.
    pub closed: u64,
    /// Events that were new.
    pub events: u64,
    /// Why accounts may be missing, as a sentence: the node did not list all of them.
    pub doubt: Option<String>,
    /// The other process that writes the store, if there is one; then this one read nothing.
    pub writer: Option<String>,
}

/// A complete reading of all accounts, and the result of reading the history.
#[derive(Debug)]
pub struct Refreshed {
    /// What it did.
    pub done: Backfill,
    /// Why the audit log is incomplete, if it is.
    pub history: Option<IndexerError>,
}

/// What to read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ReadScope {
    /// The accounts, and the finalised history for the audit log.
    All,
    /// The accounts alone.
    Accounts,
}

/// Reads all accounts and all finalised history once, without a websocket. While another process
/// writes the store, waits until that one has reached the node's current slot.
///
/// # Errors
/// When node or store fail; nothing is retried, and rows written before the error stay.
/// [`IndexerError::WriterBehind`] when the other process does not reach the slot in time.
pub async fn backfill_once(config: SourceConfig, store: Arc<dyn Store>) -> Result<Backfill> {
    let Refreshed { done, history } = read_once(config, store, ReadScope::All).await?;
    history.map_or(Ok(done), Err)
}

/// As [`backfill_once`], for commands that need only the accounts: an error of the history is returned
/// beside the result.
///
/// # Errors
/// As [`backfill_once`], about the accounts.
pub async fn refresh_once(config: SourceConfig, store: Arc<dyn Store>) -> Result<Refreshed> {
    read_once(config, store, ReadScope::All).await
}

/// Reads all accounts once and no history.
///
/// # Errors
/// As [`backfill_once`].
pub async fn accounts_once(config: SourceConfig, store: Arc<dyn Store>) -> Result<Backfill> {
    Ok(read_once(config, store, ReadScope::Accounts).await?.done)
}

async fn read_once(
    config: SourceConfig,
    store: Arc<dyn Store>,
    what: ReadScope,
) -> Result<Refreshed> {
    // "Stopping" from the start: `retry_until_ok` then tries everything only once.
    let (_stop, stopped) = watch::channel(true);
    let context = MirrorContext::new(config, store, stopped);
    let genesis = context.endpoints.answering().await?;
    let run = match begin(&context, &genesis).await {
        Err(IndexerError::Store(
            StoreError::Leased { .. } | StoreError::ReadOnly { .. } | StoreError::Paused { .. },
        )) => match await_writer(&context, &genesis).await? {
            Waited::Done(done) => return writer_result(&context, done).await,
            Waited::Taken(run) => run,
        },
        begun => begun?,
    };
    let done = tokio::select! {
        done = fill(&context, run, what) => done,
        fenced = renew(&context, run) => Err(fenced.into()),
    };
    give_back(&context).await;
    done
}

/// Renews the lease until the run is fenced.
async fn renew(context: &MirrorContext, run: Run) -> StoreError {
    loop {
        tokio::time::sleep(RENEW_INTERVAL).await;
        if let Err(e @ StoreError::Fenced { .. }) = context.store.keep(&run, context.marks()).await
        {
            return e;
        }
    }
}

/// The result when another process writes the store: its progress, and its error about the history.
async fn writer_result(context: &MirrorContext, done: Backfill) -> Result<Refreshed> {
    let trouble = audit::trouble(&*context.store).await?;
    let history = trouble.map(|detail| IndexerError::Incomplete { detail });
    Ok(Refreshed { done, history })
}

async fn fill(context: &MirrorContext, run: Run, what: ReadScope) -> Result<Refreshed> {
    let mut short: Option<(Joined, String)> = None;
    let (joined, node) = loop {
        let node = context.rpc().shown();
        let joined = match (read(context, run.snapshot_slot).await, short.take()) {
            (Ok(joined), _) => joined,
            // The previous node's incomplete list is in the store already and is better than an error.
            (Err(e), Some(before)) if !matches!(e, IndexerError::Store(_)) => break before,
            (Err(e), _) => return Err(e),
        };
        context.endpoints.listed(joined.left_out > 0);
        if joined.left_out == 0 || !context.endpoints.may_list_more() {
            break (joined, node);
        }
        // Another node may list the accounts that this one leaves out.
        short = Some((joined, node));
        context.endpoints.next();
    };
    let doubt = joined.doubt(node).map(|doubt| doubt.to_string());
    if joined.is_snapshot() {
        context.mark(Marks { confirmed: Some(joined.slot), ..Marks::default() });
    }
    let Joined { slot, accounts, written, closed, .. } = joined;
    let done = Backfill { slot, accounts, written, closed, events: 0, doubt, writer: None };
    if what == ReadScope::Accounts {
        return Ok(Refreshed { done, history: None });
    }
    match history::read(context).await {
        Ok(events) => Ok(Refreshed { done: Backfill { events, ..done }, history: None }),
        // Then the accounts are of the wrong cluster too.
        Err(e @ IndexerError::ClusterChanged { .. }) => Err(e),
        Err(e) => Ok(Refreshed { done, history: Some(e) }),
    }
}

async fn read(context: &MirrorContext, min_slot: u64) -> Result<Joined> {
    let rpc = context.rpc();
    let mut fill = is_fillable(context).await?;
    loop {
        let stream = snapshot::begin(context, &rpc, min_slot).await?;
        match merge(context, &rpc, stream, fill).await {
            Err(IndexerError::NotFilled) if fill => fill = false,
            done => return done,
        }
    }
}

enum Waited {
    /// The other process has reached the slot.
    Done(Backfill),
    /// The other process has ended, and this one got the lease.
    Taken(Run),
}

async fn await_writer(context: &MirrorContext, genesis: &[u8; 32]) -> Result<Waited> {
    let wanted = context.rpc().slot(CommitmentLevel::Confirmed).await?;
    let end = Instant::now() + CATCH_UP_TIMEOUT;
    loop {
        let mut paused: Option<IndexerError> = None;
        // A server that leaves read-only mode may drop its connections; the next attempt opens one.
        let state = match context.store.state().await {
            Err(e) if e.is_transient() && Instant::now() < end => {
                tokio::time::sleep(POLL_INTERVAL).await;
                continue;
            }
            state => state?,
        };
        // `begin` checks this too, but a read-only store refuses before the check.
        StoreError::check_identity(
            "the configured address",
            (
                state.program_id.as_ref().map(|id| id.as_ref()),
                state.genesis_hash.as_ref().map(|hash| hash.as_slice()),
            ),
            (&context.config.program_id, genesis),
        )?;
        let lease = state.lease.filter(|lease| !lease.left.is_zero());
        if state.confirmed_slot >= wanted {
            let writer = lease.map_or_else(|| NOBODY.to_owned(), |lease| lease.owner);
            let slot = state.confirmed_slot;
            return Ok(Waited::Done(Backfill {
                slot,
                writer: Some(writer),
                ..Backfill::default()
            }));
        }
        if lease.is_none() && !context.store.read_only() {
            match begin(context, genesis).await {
                Ok(run) => return Ok(Waited::Taken(run)),
                Err(IndexerError::Store(StoreError::Leased { .. })) => {}
                Err(IndexerError::Store(e)) if e.is_transient() => paused = Some(e.into()),
                Err(e) => return Err(e),
            }
        }
        if let Some(paused) = paused.filter(|_| Instant::now() >= end) {
            return Err(paused);
        }
        if Instant::now() >= end {
            return Err(IndexerError::WriterBehind {
                writer: lease.map_or_else(|| NOBODY.to_owned(), |lease| lease.owner),
                slot: state.confirmed_slot,
                wanted,
                waited: CATCH_UP_TIMEOUT,
            });
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}
