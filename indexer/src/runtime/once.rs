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
    store::{Marks, RENEW, Run, Store, StoreError},
    sync::{
        context::Link,
        snapshot::{self, Joined, is_fillable, merge},
    },
};

/// How long another process may take to get as far as the node is.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often it is looked at.
const EVERY: Duration = Duration::from_millis(250);

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
enum Read {
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
    let Refreshed { done, history } = read_once(config, store, Read::All).await?;
    history.map_or(Ok(done), Err)
}

/// The same for commands that need only the accounts: a history that cannot be read is returned
/// beside them instead of as an error.
///
/// # Errors
/// As [`backfill_once`], about the accounts.
pub async fn refresh_once(config: SourceConfig, store: Arc<dyn Store>) -> Result<Refreshed> {
    read_once(config, store, Read::All).await
}

/// Reads all accounts once and no history.
///
/// # Errors
/// As [`backfill_once`].
pub async fn accounts_once(config: SourceConfig, store: Arc<dyn Store>) -> Result<Backfill> {
    Ok(read_once(config, store, Read::Accounts).await?.done)
}

async fn read_once(config: SourceConfig, store: Arc<dyn Store>, what: Read) -> Result<Refreshed> {
    // Set from the start, so that nothing is tried a second time.
    let (_stop, stopped) = watch::channel(true);
    let link = Link::new(config, store, stopped);
    let genesis = link.endpoints.answering().await?;
    let run = match begin(&link, &genesis).await {
        Err(IndexerError::Store(
            StoreError::Leased { .. } | StoreError::ReadOnly { .. } | StoreError::Paused { .. },
        )) => match await_writer(&link, &genesis).await? {
            Waited::Done(done) => return followed(&link, done).await,
            Waited::Taken(run) => run,
        },
        begun => begun?,
    };
    let done = tokio::select! {
        done = fill(&link, run, what) => done,
        fenced = renew(&link, run) => Err(fenced.into()),
    };
    give_back(&link).await;
    done
}

/// Renews the lease until it is lost.
async fn renew(link: &Link, run: Run) -> StoreError {
    loop {
        tokio::time::sleep(RENEW).await;
        if let Err(e @ StoreError::Fenced { .. }) = link.store.keep(&run, link.marks()).await {
            return e;
        }
    }
}

/// What another process has done, and whether it could read the history.
async fn followed(link: &Link, done: Backfill) -> Result<Refreshed> {
    let trouble = audit::trouble(&*link.store).await?;
    let history = trouble.map(|detail| IndexerError::Incomplete { detail });
    Ok(Refreshed { done, history })
}

async fn fill(link: &Link, run: Run, what: Read) -> Result<Refreshed> {
    let mut short: Option<(Joined, String)> = None;
    let (joined, node) = loop {
        let node = link.rpc().shown();
        let joined = match (read(link, run.snapshot_slot).await, short.take()) {
            (Ok(joined), _) => joined,
            // What the node before this one listed is in the store already.
            (Err(e), Some(before)) if !matches!(e, IndexerError::Store(_)) => break before,
            (Err(e), _) => return Err(e),
        };
        link.endpoints.listed(joined.left_out > 0);
        if joined.left_out == 0 || !link.endpoints.may_list_more() {
            break (joined, node);
        }
        // Another node may list what this one leaves out.
        short = Some((joined, node));
        link.endpoints.next();
    };
    let doubt = joined.doubt(node).map(|doubt| doubt.to_string());
    if joined.is_snapshot() {
        link.mark(Marks { confirmed: Some(joined.slot), ..Marks::default() });
    }
    let Joined { slot, accounts, written, closed, .. } = joined;
    let done = Backfill { slot, accounts, written, closed, events: 0, doubt, writer: None };
    if what == Read::Accounts {
        return Ok(Refreshed { done, history: None });
    }
    match history::read(link).await {
        Ok(events) => Ok(Refreshed { done: Backfill { events, ..done }, history: None }),
        // Then the accounts are not this cluster's either.
        Err(e @ IndexerError::ClusterChanged { .. }) => Err(e),
        Err(e) => Ok(Refreshed { done, history: Some(e) }),
    }
}

async fn read(link: &Link, min_slot: u64) -> Result<Joined> {
    let rpc = link.rpc();
    let mut fill = is_fillable(link).await?;
    loop {
        let stream = snapshot::begin(link, &rpc, min_slot).await?;
        match merge(link, &rpc, stream, fill).await {
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

async fn await_writer(link: &Link, genesis: &[u8; 32]) -> Result<Waited> {
    let wanted = link.rpc().slot(CommitmentLevel::Confirmed).await?;
    let end = Instant::now() + PATIENCE;
    loop {
        let mut paused: Option<IndexerError> = None;
        // A server that takes writes again ends the connections that it had before.
        let state = match link.store.state().await {
            Err(e) if e.is_transient() && Instant::now() < end => {
                tokio::time::sleep(EVERY).await;
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
            (&link.config.program_id, genesis),
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
        if lease.is_none() && !link.store.read_only() {
            match begin(link, genesis).await {
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
                waited: PATIENCE,
            });
        }
        tokio::time::sleep(EVERY).await;
    }
}
