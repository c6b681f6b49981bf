//! All accounts of the manager at a confirmed slot, piece by piece: the answer is read while it
//! arrives, and no faster than the pieces are taken, so memory does not grow with the number of
//! accounts. What has arrived when it breaks off is true, but says nothing about what is missing.
use serde_json::{Value, json};

use super::{
    fault::Fault,
    rpc::Rpc,
    scan::Scanner,
    transport::{Failure, broken_off, too_late},
};
use crate::{Result, decode::Raw};

/// Accounts of one piece.
pub const PIECE: usize = 1_000;
const METHOD: &str = "getProgramAccounts";

/// Every account of the manager at one slot.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// The slot.
    pub slot: u64,
    /// The accounts.
    pub accounts: Vec<Raw>,
}

/// A reading of all accounts that is under way. Dropping it ends it.
#[derive(Debug)]
pub struct SnapshotStream {
    rpc: Rpc,
    body: Option<Body>,
    slot: u64,
}

impl Rpc {
    /// Begins to read every account of the manager that is not blank, at a confirmed slot of at
    /// least `min_slot`.
    ///
    /// # Errors
    /// [`IndexerError::Rpc`](crate::IndexerError::Rpc);
    /// [`IndexerError::Behind`](crate::IndexerError::Behind) when the node does not get there in
    /// time.
    pub async fn snapshot(&self, min_slot: u64) -> Result<SnapshotStream> {
        let params = json!([
            self.0.program_id.to_string(),
            {
                "encoding": "base64", "commitment": "confirmed", "withContext": true,
                "minContextSlot": min_slot,
            },
        ]);
        let body = self.reached(min_slot, || Body::open(self, METHOD, params.clone())).await?;
        let slot = body.slot();
        if slot < min_slot {
            return Err(self.behind(slot, min_slot));
        }
        Ok(SnapshotStream { rpc: self.clone(), body: Some(body), slot })
    }
}

impl SnapshotStream {
    /// The slot that the accounts are at.
    #[must_use]
    pub fn slot(&self) -> u64 {
        self.slot
    }

    /// The next accounts, [`PIECE`] at most; `None` when that was all. A call that is dropped before
    /// it returns loses nothing.
    ///
    /// # Errors
    /// [`IndexerError::Rpc`](crate::IndexerError::Rpc) when the answer breaks off or cannot be read.
    pub async fn next(&mut self) -> Result<Option<Vec<Raw>>> {
        let Some(body) = &mut self.body else { return Ok(None) };
        let piece = body.next(&self.rpc).await.map_err(|f| self.rpc.failed(METHOD, f))?;
        if piece.is_none() {
            self.body = None;
        }
        Ok(piece)
    }

    /// All of it at once, for those who need it in memory.
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
}

/// One answer while it arrives.
#[derive(Debug)]
struct Body {
    response: reqwest::Response,
    scanner: Scanner,
    /// What has arrived and is not read yet, from `read` on.
    bytes: Vec<u8>,
    read: usize,
    rows: Vec<Raw>,
}

impl Body {
    /// Sends the call and reads until the slot of the answer is known.
    async fn open(rpc: &Rpc, method: &'static str, params: Value) -> Result<Self> {
        let failed = |failure| rpc.failed(method, failure);
        let patience = rpc.0.snapshot_timeout;
        let opened = rpc.0.transport.open(method, &params, patience).await;
        let (response, pass) = opened.map_err(failed)?;
        let mut body = Self {
            response,
            scanner: Scanner::default(),
            bytes: vec![],
            read: 0,
            rows: Vec::with_capacity(PIECE),
        };
        loop {
            if let Some(error) = body.scanner.error() {
                return Err(failed(rpc.0.transport.refused(pass, error)));
            }
            if body.scanner.slot().is_some() {
                rpc.0.transport.gate.answered(pass);
                return Ok(body);
            }
            if !body.fill(rpc).await.map_err(failed)? {
                return Err(failed(Failure::new(Fault::Garbled, "its answer names no slot")));
            }
        }
    }

    fn slot(&self) -> u64 {
        self.scanner.slot().unwrap_or_default()
    }

    /// Waits for more bytes and reads them; whether there were any.
    async fn fill(&mut self, rpc: &Rpc) -> Result<bool, Failure> {
        if self.read >= self.bytes.len() {
            let more = tokio::time::timeout(rpc.0.snapshot_timeout, self.response.chunk());
            let Some(more) = more.await.map_err(|_| too_late())?.map_err(broken_off)? else {
                let fault = if self.scanner.is_over() { Fault::Garbled } else { Fault::Cut };
                let ended = self.scanner.finish();
                return match ended {
                    Ok(()) => Ok(false),
                    Err(why) => Err(Failure::new(fault, format!("its answer {why}"))),
                };
            };
            (self.bytes, self.read) = (more.into(), 0);
        }
        let rest = self.bytes.get(self.read..).unwrap_or_default();
        let read = self
            .scanner
            .read(rest, &mut self.rows, PIECE)
            .map_err(|why| Failure::new(Fault::Garbled, format!("its answer {why}")))?;
        self.read = self.read.saturating_add(read);
        Ok(true)
    }

    async fn next(&mut self, rpc: &Rpc) -> Result<Option<Vec<Raw>>, Failure> {
        loop {
            if self.is_full() {
                return Ok(Some(self.take()));
            }
            if !self.fill(rpc).await? {
                return Ok(if self.rows.is_empty() { None } else { Some(self.take()) });
            }
        }
    }

    /// Whether the scanner takes no more until the rows are taken.
    fn is_full(&self) -> bool {
        !self.rows.is_empty() && self.read < self.bytes.len()
    }

    fn take(&mut self) -> Vec<Raw> {
        std::mem::replace(&mut self.rows, Vec::with_capacity(PIECE))
    }
}
