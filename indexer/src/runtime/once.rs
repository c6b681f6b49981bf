//! Brings the store up to date once: reads everything, or waits for the process that writes it.
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

/// How long another process may take to get as far as the node is.
const CATCH_UP_TIMEOUT: Duration = Duration::from_secs(30);
/// How often it is looked at.
const POLL_INTERVAL: Duration = Duration::from_millis(250);

/// What one complete reading did.
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
    /// Why accounts may be missing here, as a sentence: the node listed not all of them.
    pub doubt: Option<String>,
    /// Who keeps the store up to date, where that is another process; then nothing was read here.
    pub writer: Option<String>,
}

/// A complete reading of all accounts, and what became of the history.
#[derive(Debug)]
pub struct Refreshed {
    /// What it did.
    pub done: Backfill,
    /// Why the audit log is not complete, when it is not.
    pub history: Option<IndexerError>,
}

/// What is read of the chain.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ReadScope {
    /// The accounts, and the finalised history for the audit log.
    All,
    /// The accounts alone.
    Accounts,
}

/// Reads all accounts and all finalised history once, without a websocket. Where another process
/// writes the store, waits until that one has got as far as the node is now.
///
/// # Errors
/// When node or store fail, once; what was written until then is kept.
/// [`IndexerError::WriterBehind`] when the other process does not get there.
pub async fn backfill_once(config: SourceConfig, store: Arc<dyn Store>) -> Result<Backfill> {
    let Refreshed { done, history } = read_once(config, store, ReadScope::All).await?;
    history.map_or(Ok(done), Err)
}

/// The same for commands that need only the accounts: a history that cannot be read is returned
/// beside them instead of as an error.
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
    // Set from the start, so that nothing is tried a second time.
    let (_stop, stopped) = watch::channel(true);
    let context = MirrorContext::new(config, store, stopped);
    let genesis = context.endpoints.answering().await?;
    let run = match begin(&context, &genesis).await {
        Err(IndexerError::Store(
            StoreError::Leased { .. } | StoreError::ReadOnly { .. } | StoreError::Paused { .. },
        )) => match await_writer(&context, &genesis).await? {
            Waited::Done(done) => return followed(&context, done).await,
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

/// Renews the lease until it is lost.
async fn renew(context: &MirrorContext, run: Run) -> StoreError {
    loop {
        tokio::time::sleep(RENEW_INTERVAL).await;
        if let Err(e @ StoreError::Fenced { .. }) = context.store.keep(&run, context.marks()).await
        {
            return e;
        }
    }
}

/// What another process has done, and whether it could read the history.
async fn followed(context: &MirrorContext, done: Backfill) -> Result<Refreshed> {
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
            // What the node before this one listed is in the store already.
            (Err(e), Some(before)) if !matches!(e, IndexerError::Store(_)) => break before,
            (Err(e), _) => return Err(e),
        };
        context.endpoints.listed(joined.left_out > 0);
        if joined.left_out == 0 || !context.endpoints.may_list_more() {
            break (joined, node);
        }
        // Another node may list what this one leaves out.
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
        // Then the accounts are not this cluster's either.
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
    /// The other process is where the node was.
    Done(Backfill),
    /// The other process has ended.
    Taken(Run),
}

async fn await_writer(context: &MirrorContext, genesis: &[u8; 32]) -> Result<Waited> {
    let wanted = context.rpc().slot(CommitmentLevel::Confirmed).await?;
    let end = Instant::now() + CATCH_UP_TIMEOUT;
    loop {
        let mut paused: Option<IndexerError> = None;
        // A server that takes writes again ends the connections that it had before.
        let state = match context.store.state().await {
            Err(e) if e.is_transient() && Instant::now() < end => {
                tokio::time::sleep(POLL_INTERVAL).await;
                continue;
            }
            state => state?,
        };
        // `begin` compares these too, but a store that takes no writes refuses before that.
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
