//! The body of one account listing, read while it arrives. Reads from the network only as fast as the
//! caller takes accounts, so memory stays bounded.
use serde_json::Value;

use super::{
    fault::RpcFault,
    rpc::Rpc,
    scan::Scanner,
    transport::{Failure, broken_off, too_late},
};
use crate::{account::decode::Raw, source::error::Result};

/// Most accounts in one piece of a snapshot.
pub(super) const PIECE_ACCOUNTS: usize = 1_000;

/// One listing while it arrives.
#[derive(Debug)]
pub(super) struct AnswerBody {
    response: reqwest::Response,
    scanner: Scanner,
    /// Received bytes; those from `read` on are not scanned yet.
    bytes: Vec<u8>,
    read: usize,
    rows: Vec<Raw>,
}

impl AnswerBody {
    /// Sends the request and reads until the slot of the answer is known.
    pub(super) async fn open(rpc: &Rpc, method: &'static str, params: Value) -> Result<Self> {
        let failed = |failure| rpc.failed(method, failure);
        let timeout = rpc.0.snapshot_timeout;
        let opened = rpc.0.transport.open(method, &params, timeout).await;
        let (response, permit) = opened.map_err(failed)?;
        let mut body = Self {
            response,
            scanner: Scanner::default(),
            bytes: vec![],
            read: 0,
            rows: Vec::with_capacity(PIECE_ACCOUNTS),
        };
        loop {
            if let Some(error) = body.scanner.error() {
                return Err(failed(rpc.0.transport.refused(permit, error)));
            }
            if body.scanner.slot().is_some() {
                rpc.0.transport.limiter.answered(permit);
                return Ok(body);
            }
            if !body.fill(rpc).await.map_err(failed)? {
                return Err(failed(Failure::new(RpcFault::Garbled, "its answer names no slot")));
            }
        }
    }

    pub(super) fn slot(&self) -> u64 {
        self.scanner.slot().unwrap_or_default()
    }

    /// Waits for more bytes and scans them; false at the end of the answer.
    async fn fill(&mut self, rpc: &Rpc) -> Result<bool, Failure> {
        if self.read >= self.bytes.len() {
            let more = tokio::time::timeout(rpc.0.snapshot_timeout, self.response.chunk());
            let Some(more) = more.await.map_err(|_| too_late())?.map_err(broken_off)? else {
                let fault = if self.scanner.is_over() { RpcFault::Garbled } else { RpcFault::Cut };
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
            .read(rest, &mut self.rows, PIECE_ACCOUNTS)
            .map_err(|why| Failure::new(RpcFault::Garbled, format!("its answer {why}")))?;
        self.read = self.read.saturating_add(read);
        Ok(true)
    }

    /// The next accounts; [`None`] at the end. Cancel-safe.
    pub(super) async fn next(&mut self, rpc: &Rpc) -> Result<Option<Vec<Raw>>, Failure> {
        loop {
            if self.is_full() {
                return Ok(Some(self.take()));
            }
            if !self.fill(rpc).await? {
                return Ok(if self.rows.is_empty() { None } else { Some(self.take()) });
            }
        }
    }

    /// Whether the scanner waits for the caller to take the rows.
    fn is_full(&self) -> bool {
        !self.rows.is_empty() && self.read < self.bytes.len()
    }

    /// The key of the next page, if there is one.
    pub(super) fn cursor(&self) -> Option<&str> {
        self.scanner.cursor()
    }

    /// Accounts in memory.
    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        self.rows.len()
    }

    fn take(&mut self) -> Vec<Raw> {
        std::mem::replace(&mut self.rows, Vec::with_capacity(PIECE_ACCOUNTS))
    }
}
