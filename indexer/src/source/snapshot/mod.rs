//! Reads all accounts of the manager at a confirmed slot, in pieces. Answers are scanned while they
//! arrive and no faster than the caller takes pieces, so memory does not grow with the number of
//! accounts. After an error the pieces read so far are valid, but prove no account's absence.
use std::{
    collections::{HashSet, VecDeque},
    fmt,
    sync::{Arc, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use solana_pubkey::Pubkey;
use tracing::warn;

pub use super::scan_strategy::{Coverage, ScanMethod};
use super::{
    body::AnswerBody,
    fault::RpcFault,
    rpc::{MAX_MULTIPLE_ACCOUNTS, Rpc},
    scan_strategy::{Instead, Query, ScanStrategy},
};
use crate::{
    account::decode::Raw,
    source::{
        backoff::Backoff,
        error::{IndexerError, Result},
    },
};

/// Attempts for one of several queries before the whole reading is given up.
const MAX_TRIES: u32 = 3;

/// Every account of the manager at one slot.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// The slot.
    pub slot: u64,
    /// The accounts.
    pub accounts: Vec<Raw>,
}

/// Supplies known addresses of the manager's accounts, for nodes that refuse to list accounts.
#[async_trait]
pub trait KnownAccounts: Send + Sync {
    /// Up to `most` addresses after `after`, ascending; empty at the end.
    ///
    /// # Errors
    /// When they cannot be read.
    async fn after(&self, after: Option<Pubkey>, most: usize) -> Result<Vec<Pubkey>>;
}

/// A running read of all accounts. Dropping it cancels the read.
pub struct SnapshotStream {
    rpc: Rpc,
    known: Option<Arc<dyn KnownAccounts>>,
    min_slot: u64,
    /// The oldest slot of the answers so far.
    slot: Option<u64>,
    scan_method: ScanMethod,
    /// The remaining queries; the first is the current one.
    open: VecDeque<Query>,
    body: Option<AnswerBody>,
    cursors: HashSet<String>,
    tries: u32,
    backoff: Backoff,
    /// Whether any account was read by address.
    named: bool,
    last_refusal: Option<IndexerError>,
}

impl fmt::Debug for SnapshotStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SnapshotStream")
            .field("slot", &self.slot)
            .field("scan_method", &self.scan_method)
            .field("open", &self.open.len())
            .finish_non_exhaustive()
    }
}

impl Rpc {
    /// Starts reading every account of the manager that is not blank, at a confirmed slot of at least
    /// `min_slot`.
    ///
    /// # Errors
    /// [`IndexerError::Rpc`] when the node refuses every method; [`IndexerError::Behind`] when it does
    /// not reach `min_slot` in time.
    pub async fn snapshot(&self, min_slot: u64) -> Result<SnapshotStream> {
        self.snapshot_of(min_slot, None).await
    }

    /// As [`Self::snapshot`]; if the node refuses to list accounts, reads those of `known` by address.
    ///
    /// # Errors
    /// As [`Self::snapshot`].
    pub async fn snapshot_of(
        &self,
        min_slot: u64,
        known: Option<Arc<dyn KnownAccounts>>,
    ) -> Result<SnapshotStream> {
        let (scan_method, open) = self.strategy().start();
        let mut stream = SnapshotStream {
            rpc: self.clone(),
            known,
            min_slot,
            slot: None,
            scan_method,
            open,
            body: None,
            cursors: HashSet::new(),
            tries: 0,
            backoff: Backoff::default(),
            named: false,
            last_refusal: None,
        };
        // Finds a method that the node allows; after it, the slot is known.
        while let Some(query) = stream.open.front().cloned()
            && !matches!(query, Query::Known(_))
            && stream.body.is_none()
        {
            stream.ask(&query).await?;
        }
        Ok(stream)
    }

    fn strategy(&self) -> MutexGuard<'_, ScanStrategy> {
        self.0.strategy.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SnapshotStream {
    /// The slot for which absence is meant: the oldest slot of all answers. Final only after
    /// [`Self::next`] has returned [`None`]. Each account carries its own slot.
    #[must_use]
    pub fn slot(&self) -> u64 {
        self.slot.unwrap_or(self.min_slot)
    }

    /// The current method.
    #[must_use]
    pub fn scan_method(&self) -> ScanMethod {
        self.scan_method
    }

    /// What the reading covers once [`Self::next`] has returned [`None`].
    #[must_use]
    pub fn coverage(&self) -> Coverage {
        self.scan_method.coverage()
    }

    /// The next accounts, at most 1,000; [`None`] at the end. Cancel-safe. An error ends the reading.
    ///
    /// # Errors
    /// [`IndexerError::Rpc`] when an answer breaks off, cannot be read, or does not come;
    /// [`IndexerError::Behind`] when one is of an older slot; those of [`KnownAccounts`].
    pub async fn next(&mut self) -> Result<Option<Vec<Raw>>> {
        loop {
            let Some(query) = self.open.front().cloned() else {
                self.rpc.strategy().complete();
                return Ok(None);
            };
            if let Query::Known(after) = query {
                let piece = self.named(after).await?;
                if !piece.is_empty() {
                    return Ok(Some(piece));
                }
                continue;
            }
            let Some(body) = &mut self.body else {
                self.ask(&query).await?;
                continue;
            };
            match body.next(&self.rpc).await {
                Ok(Some(piece)) => return Ok(Some(piece)),
                Ok(None) => {
                    let cursor = body.cursor().map(ToOwned::to_owned);
                    self.ended(cursor)?;
                }
                Err(failure) => {
                    self.body = None;
                    if failure.fault == RpcFault::Cut {
                        self.rpc.strategy().cut();
                    }
                    let error = self.rpc.failed(query.method(), failure);
                    self.again(&query, error).await?;
                }
            }
        }
    }

    /// Reads everything into memory.
    ///
    /// # Errors
    /// As [`Self::next`].
    pub async fn collect(mut self) -> Result<Snapshot> {
        let mut accounts = vec![];
        while let Some(piece) = self.next().await? {
            accounts.extend(piece);
        }
        Ok(Snapshot { slot: self.slot(), accounts })
    }

    /// Finishes the first query; a page with a key is followed by the next page.
    fn ended(&mut self, cursor: Option<String>) -> Result<()> {
        self.body = None;
        self.tries = 0;
        let done = self.open.pop_front();
        if let (Some(Query::Page(_)), Some(cursor)) = (done, cursor) {
            if !self.cursors.insert(cursor.clone()) {
                return Err(self.rpc.wrong("getProgramAccountsV2", "its pages go in a circle"));
            }
            self.open.push_front(Query::Page(Some(cursor)));
        }
        Ok(())
    }

    /// Sends the first query. On a refusal, sets up the queries to send instead.
    async fn ask(&mut self, query: &Query) -> Result<()> {
        let method = query.method();
        let params = query.params(&self.rpc.0.program_id, self.min_slot);
        let opened =
            self.rpc.reached(self.min_slot, || AnswerBody::open(&self.rpc, method, params.clone()));
        let error = match opened.await {
            Ok(body) => {
                let slot = self.rpc.possible(method, body.slot())?;
                self.seen_at(slot)?;
                self.body = Some(body);
                return Ok(());
            }
            Err(error) => error,
        };
        let IndexerError::Rpc { fault, .. } = error else { return Err(error) };
        let instead = self.rpc.strategy().refused(&self.open, fault);
        match instead {
            Some(instead) => {
                self.turn(instead, &error);
                if self.scan_method == ScanMethod::Known && self.known.is_none() {
                    return Err(error);
                }
                self.last_refusal = Some(error);
                Ok(())
            }
            None => self.again(query, error).await,
        }
    }

    fn seen_at(&mut self, slot: u64) -> Result<()> {
        if slot < self.min_slot {
            return Err(self.rpc.behind(slot, self.min_slot));
        }
        self.slot = Some(self.slot.map_or(slot, |oldest| oldest.min(slot)));
        Ok(())
    }

    fn turn(&mut self, (scan_method, open): Instead, why: &IndexerError) {
        if scan_method != self.scan_method {
            warn!(instead = scan_method.name(), "{why}");
        }
        // Accounts that the previous method returned are valid; the new one returns them again.
        (self.scan_method, self.open, self.tries) = (scan_method, open, 0);
        self.cursors.clear();
    }

    /// Waits before the first query is sent again, if it is one of several; else returns `error`.
    async fn again(&mut self, query: &Query, error: IndexerError) -> Result<()> {
        let passing = matches!(error, IndexerError::Rpc { fault, .. } if fault.is_passing());
        self.tries = self.tries.saturating_add(1);
        if *query == Query::Plain || !passing || self.tries >= MAX_TRIES {
            return Err(error);
        }
        let wait = self.backoff.next(&mut rand::thread_rng());
        tokio::time::sleep(wait).await;
        Ok(())
    }

    /// Reads the next known accounts after `after` by address; returns those that are still the manager's.
    async fn named(&mut self, after: Option<Pubkey>) -> Result<Vec<Raw>> {
        let none = || self.rpc.wrong("getMultipleAccounts", "no account is known by name");
        let Some(known) = &self.known else { return Err(none()) };
        let list = known.after(after, MAX_MULTIPLE_ACCOUNTS).await?;
        let Some(last) = list.last().copied() else {
            if !self.named {
                // No address is known at all, so this is no reading of all accounts.
                return Err(self.last_refusal.take().unwrap_or_else(none));
            }
            self.open.pop_front();
            return Ok(vec![]);
        };
        let (slot, piece) = match self.rpc.by_name(&list, self.min_slot).await {
            Ok(found) => found,
            Err(error) => {
                self.again(&Query::Known(after), error).await?;
                return Ok(vec![]);
            }
        };
        self.seen_at(slot)?;
        (self.named, self.tries) = (true, 0);
        self.open = [Query::Known(Some(last))].into();
        Ok(piece)
    }
}

/// The result of reading accounts by address.
#[derive(Clone, Debug, Default)]
pub struct ByAddress {
    /// The accounts that are the manager's. The others were not, at the slots of the answers.
    pub accounts: Vec<Raw>,
    /// The oldest slot of the answers: the absence of the others holds from it on.
    pub oldest: u64,
    /// The newest slot of the answers.
    pub newest: u64,
}

impl Rpc {
    /// Reads any number of `pubkeys`, each at a confirmed slot of at least `min_slot`, and returns
    /// those that are the manager's. Halves the batches when an answer is too large.
    ///
    /// # Errors
    /// [`IndexerError::Rpc`] when the node does not answer for one of them;
    /// [`IndexerError::Behind`] when it does not reach `min_slot` in time.
    pub async fn by_address(&self, pubkeys: &[Pubkey], min_slot: u64) -> Result<ByAddress> {
        const METHOD: &str = "getMultipleAccounts";
        let (mut out, mut rest, mut size) = (ByAddress::default(), pubkeys, MAX_MULTIPLE_ACCOUNTS);
        let (mut backoff, mut tries) = (Backoff::default(), 0);
        while !rest.is_empty() {
            let (part, behind) = rest.split_at(size.min(rest.len()));
            match self.accounts(part, min_slot).await {
                Ok((slot, accounts)) => {
                    let mine = accounts.into_iter().filter_map(|(_, raw)| raw);
                    out.accounts.extend(mine.filter(|raw| raw.owner == self.0.program_id));
                    out.oldest = if out.newest == 0 { slot } else { out.oldest.min(slot) };
                    out.newest = out.newest.max(slot);
                    (rest, tries) = (behind, 0);
                }
                Err(IndexerError::Rpc {
                    fault: RpcFault::TooLarge | RpcFault::TooMany, ..
                }) if part.len() > 1 => {
                    size = part.len() / 2;
                }
                Err(IndexerError::Rpc { fault, .. }) if fault.is_passing() && tries < MAX_TRIES => {
                    tries = tries.saturating_add(1);
                    warn!(METHOD, tries, "accounts are asked for by address once more");
                    let wait = backoff.next(&mut rand::thread_rng());
                    tokio::time::sleep(wait).await;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(out)
    }

    /// Those of `pubkeys` that are the manager's, and the oldest slot of the answers. Splits a batch
    /// whose answer is too large.
    async fn by_name(&self, pubkeys: &[Pubkey], min_slot: u64) -> Result<(u64, Vec<Raw>)> {
        let mut parts = vec![pubkeys];
        let (mut slot, mut out) = (u64::MAX, vec![]);
        while let Some(part) = parts.pop() {
            match self.accounts(part, min_slot).await {
                Err(IndexerError::Rpc { fault: RpcFault::TooLarge, .. }) if part.len() > 1 => {
                    let (front, back) = part.split_at(part.len() / 2);
                    parts.extend([back, front]);
                }
                found => {
                    let (at, accounts) = found?;
                    slot = slot.min(at);
                    let mine = accounts.into_iter().filter_map(|(_, raw)| raw);
                    out.extend(mine.filter(|raw| raw.owner == self.0.program_id));
                }
            }
        }
        Ok((slot, out))
    }
}

#[cfg(test)]
mod tests;
