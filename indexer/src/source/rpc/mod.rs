//! Typed JSON-RPC calls to one node. Accounts are read at `confirmed`: a `finalized` answer can hold
//! newer data than the slot in its context. Reading all accounts is in [`super::snapshot`].
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};
use solana_commitment_config::CommitmentLevel;
use solana_pubkey::Pubkey;
use solana_signature::Signature;

use super::{
    Endpoint, SourceConfig,
    answers::{ListedTransaction, NodeAccount, NodeTransaction},
    fault::RpcFault,
    possible,
    scan_strategy::ScanStrategy,
    transport::{Failure, MAX_SHORT_PAUSE, MAX_TRIES, Transport},
};
use crate::{
    account::decode::Raw,
    ops::{
        metrics::Metrics,
        redact::{scrubbed, shown},
    },
    source::error::{IndexerError, Result},
};

/// Wait between two attempts for a slot that the node has not reached.
const NOT_REACHED_INTERVAL: Duration = Duration::from_millis(200);
/// Attempts for such a slot: 10 s in all; confirmation trails the newest slot by a second or two.
const MAX_NOT_REACHED_TRIES: u32 = 50;
/// Most accounts of one `getMultipleAccounts`.
pub const MAX_MULTIPLE_ACCOUNTS: usize = 100;
/// Most slots of one `getBlocks`.
const MAX_BLOCK_RANGE: u64 = 500_000;
/// `maxSupportedTransactionVersion`. A node refuses newer transactions, but accepts a number higher
/// than it knows itself.
const NEWEST_VERSION: u8 = 1;
/// Address of the Clock sysvar.
const CLOCK: Pubkey = Pubkey::from_str_const("SysvarC1ock11111111111111111111111111111111");

/// The chain's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChainClock {
    /// Slot in which the clock was set.
    pub slot: u64,
    /// Seconds since 1970.
    pub unix: i64,
}

/// One RPC node. Cloning is cheap: clones share connections, rate limiter and scan strategy.
#[derive(Clone, Debug)]
pub struct Rpc(pub(super) Arc<RpcInner>);

#[derive(Debug)]
pub(super) struct RpcInner {
    pub(super) transport: Transport,
    pub(super) endpoint: Endpoint,
    pub(super) program_id: Pubkey,
    pub(super) snapshot_timeout: Duration,
    pub(super) metrics: Metrics,
    /// Which methods for reading all accounts the node allows.
    pub(super) strategy: Mutex<ScanStrategy>,
}

#[derive(Deserialize)]
struct Answered<T> {
    context: RpcContext,
    value: T,
}

#[derive(Deserialize)]
struct RpcContext {
    slot: u64,
}

impl Rpc {
    /// The first node of `config`. Sends nothing yet.
    #[must_use]
    pub fn new(config: &SourceConfig) -> Self {
        Self::at(config, &config.endpoints.first().cloned().unwrap_or_default())
    }

    /// The node at `endpoint`. Sends nothing yet.
    #[must_use]
    pub fn at(config: &SourceConfig, endpoint: &Endpoint) -> Self {
        Self(Arc::new(RpcInner {
            transport: Transport::new(config, endpoint),
            endpoint: endpoint.clone(),
            program_id: config.program_id,
            snapshot_timeout: config.snapshot_timeout,
            metrics: config.metrics.clone(),
            strategy: Mutex::default(),
        }))
    }

    /// Scheme and host of the RPC address, without access keys.
    #[must_use]
    pub fn shown(&self) -> String {
        shown(&self.0.endpoint.rpc_url)
    }

    /// Scheme and host of the websocket address, without access keys.
    #[must_use]
    pub fn shown_socket(&self) -> String {
        shown(&self.0.endpoint.ws_url)
    }

    /// The error for an unusable answer of `method`.
    #[must_use]
    pub fn wrong(&self, method: &'static str, detail: &str) -> IndexerError {
        self.failed(method, Failure::new(RpcFault::Garbled, detail))
    }

    /// Counts `failure` and turns it into an error.
    pub(super) fn failed(&self, method: &'static str, failure: Failure) -> IndexerError {
        self.0.metrics.rpc_error(method, failure.fault.label());
        let detail = scrubbed(&failure.detail, &self.0.endpoint.rpc_url);
        IndexerError::Rpc { url: self.shown(), method, fault: failure.fault, detail }
    }

    /// The error for a node at `slot` when `seen` is needed.
    #[must_use]
    pub fn behind(&self, slot: u64, seen: u64) -> IndexerError {
        IndexerError::Behind { url: self.shown(), slot, seen }
    }

    pub(super) fn possible(&self, method: &'static str, slot: u64) -> Result<u64> {
        possible(slot).map_err(|why| self.wrong(method, &format!("the node {why}")))
    }

    async fn call<T: DeserializeOwned>(&self, method: &'static str, params: Value) -> Result<T> {
        match self.maybe(method, &params).await? {
            Some(result) => Ok(result),
            None => Err(self.wrong(method, "it answers with nothing")),
        }
    }

    async fn maybe<T: DeserializeOwned>(
        &self,
        method: &'static str,
        params: &Value,
    ) -> Result<Option<T>> {
        let answer = self.0.transport.call(method, params).await;
        answer.map_err(|failure| self.failed(method, failure))
    }

    /// Repeats `call` while the node answers that it has not reached `min_slot` yet.
    pub(super) async fn reached<T, F>(
        &self,
        min_slot: u64,
        mut call: impl FnMut() -> F,
    ) -> Result<T>
    where
        F: Future<Output = Result<T>>,
    {
        let mut limits = 0;
        for _ in 0..MAX_NOT_REACHED_TRIES {
            match call().await {
                Err(IndexerError::Rpc { fault: RpcFault::NotReached, .. }) => {
                    tokio::time::sleep(NOT_REACHED_INTERVAL).await;
                }
                // No sleep here: the rate limiter delays the next call.
                Err(IndexerError::Rpc { fault: RpcFault::Limited { retry_after }, .. })
                    if retry_after <= MAX_SHORT_PAUSE && limits < MAX_TRIES =>
                {
                    limits += 1;
                }
                done => return done,
            }
        }
        Err(self.behind(min_slot.saturating_sub(1), min_slot))
    }

    /// Hash of the cluster's first block.
    ///
    /// # Errors
    /// [`IndexerError::Rpc`].
    pub async fn genesis_hash(&self) -> Result<[u8; 32]> {
        const METHOD: &str = "getGenesisHash";
        let text: String = self.call(METHOD, json!([])).await?;
        let hash = text.parse::<Pubkey>().map(|hash| hash.to_bytes());
        hash.map_err(|_| self.wrong(METHOD, &format!("{text:?} is no hash")))
    }

    /// The node's version, for example "3.1.0".
    ///
    /// # Errors
    /// [`IndexerError::Rpc`].
    pub async fn version(&self) -> Result<String> {
        let version: BTreeMap<String, Value> = self.call("getVersion", json!([])).await?;
        let text = |key| version.get(key).and_then(Value::as_str);
        let text = text("surfnet-version").or_else(|| text("solana-core")).unwrap_or("unknown");
        Ok(crate::ops::redact::plain(text))
    }

    /// Whether the node is a surfnet. Up to 1.6, its account notifications carry the slot of the
    /// subscription instead of the change, so the stream's slots are useless there.
    ///
    /// # Errors
    /// [`IndexerError::Rpc`].
    pub async fn is_surfnet(&self) -> Result<bool> {
        let version: BTreeMap<String, Value> = self.call("getVersion", json!([])).await?;
        Ok(version.contains_key("surfnet-version"))
    }

    /// The Clock sysvar at `confirmed`.
    ///
    /// # Errors
    /// [`IndexerError::Rpc`].
    pub async fn clock(&self) -> Result<ChainClock> {
        const METHOD: &str = "getAccountInfo";
        let params = json!([
            CLOCK.to_string(), {"encoding": "base64", "commitment": "confirmed"},
        ]);
        let answer: Answered<Option<NodeAccount>> = self.call(METHOD, params).await?;
        let data = answer.value.and_then(|a| a.data().ok()).unwrap_or_default();
        // slot, epoch_start_timestamp, epoch, leader_schedule_epoch, unix_timestamp: 8 bytes each.
        let word = |at: usize| data.get(at..).and_then(|d| d.first_chunk::<8>()).copied();
        match (word(0), word(32)) {
            (Some(slot), Some(unix)) => {
                Ok(ChainClock { slot: u64::from_le_bytes(slot), unix: i64::from_le_bytes(unix) })
            }
            _ => Err(self.wrong(METHOD, "the Clock sysvar is missing or cut short")),
        }
    }

    /// The node's newest slot at `commitment`.
    ///
    /// # Errors
    /// [`IndexerError::Rpc`].
    pub async fn slot(&self, commitment: CommitmentLevel) -> Result<u64> {
        let params = json!([{"commitment": commitment.to_string()}]);
        let slot = self.call("getSlot", params).await?;
        self.possible("getSlot", slot)
    }

    /// Newest finalised slot.
    ///
    /// # Errors
    /// [`IndexerError::Rpc`].
    pub async fn finalized_slot(&self) -> Result<u64> {
        self.slot(CommitmentLevel::Finalized).await
    }

    /// The slots from `from` to `to` that have a finalised block; [`None`] where the node does not
    /// offer the method. `to` must be a root: an answer without it is incomplete.
    ///
    /// # Errors
    /// [`IndexerError::Behind`] when the node has not finalised `to`; [`IndexerError::Rpc`] with
    /// [`RpcFault::LongTermMissing`] when it no longer has the blocks from `from` on. A list that is
    /// cut on either side is never returned: missing slots would count as orphaned.
    pub async fn blocks(&self, from: u64, to: u64) -> Result<Option<Vec<u64>>> {
        const METHOD: &str = "getBlocks";
        let mut slots: Vec<u64> = vec![];
        let mut at = from;
        while at <= to {
            let end = to.min(at.saturating_add(MAX_BLOCK_RANGE));
            let params = json!([at, end, {"commitment": "finalized"}]);
            match self.maybe::<Vec<u64>>(METHOD, &params).await {
                Err(IndexerError::Rpc { fault: RpcFault::MethodMissing, .. }) => return Ok(None),
                found => slots.extend(found?.unwrap_or_default()),
            }
            at = end.saturating_add(1);
        }
        if !slots.is_sorted() || slots.iter().any(|slot| !(from..=to).contains(slot)) {
            return Err(self.wrong(METHOD, "it lists slots that were not asked for"));
        }
        match slots.last() {
            Some(last) if *last == to => {}
            last => return Err(self.behind(last.copied().unwrap_or_default(), to)),
        }
        if slots.first() != Some(&from) {
            let first = match self.maybe::<u64>("getFirstAvailableBlock", &json!([])).await {
                Err(IndexerError::Rpc { fault: RpcFault::MethodMissing, .. }) => None,
                first => first?,
            };
            if let Some(first) = first.filter(|first| *first > from) {
                let detail = format!("its blocks begin at slot {first}, after slot {from}");
                return Err(self.failed(METHOD, Failure::new(RpcFault::LongTermMissing, detail)));
            }
        }
        Ok(Some(slots))
    }

    /// The state of `pubkeys` at one confirmed slot of at least `min_slot`, in their order; [`None`]
    /// for one that does not exist or is blank. At most [`MAX_MULTIPLE_ACCOUNTS`].
    ///
    /// # Errors
    /// [`IndexerError::Rpc`]; [`IndexerError::Behind`] when the node does not reach it in time.
    pub async fn accounts(
        &self,
        pubkeys: &[Pubkey],
        min_slot: u64,
    ) -> Result<(u64, Vec<(Pubkey, Option<Raw>)>)> {
        const METHOD: &str = "getMultipleAccounts";
        let keys: Vec<String> = pubkeys.iter().map(ToString::to_string).collect();
        let params = json!([
            keys,
            {"encoding": "base64", "commitment": "confirmed", "minContextSlot": min_slot},
        ]);
        let answer: Answered<Vec<Option<NodeAccount>>> =
            self.reached(min_slot, || self.call(METHOD, params.clone())).await?;
        let slot = self.possible(METHOD, answer.context.slot)?;
        if slot < min_slot {
            return Err(self.behind(slot, min_slot));
        }
        if answer.value.len() != pubkeys.len() {
            let (some, all) = (answer.value.len(), pubkeys.len());
            return Err(self.wrong(METHOD, &format!("it answers for {some} of {all} accounts")));
        }
        let read = |(pubkey, account): (&Pubkey, Option<NodeAccount>)| {
            let raw = account.map(|a| a.raw(*pubkey, slot, 0)).transpose();
            let raw = raw.map_err(|why| self.wrong(METHOD, &why))?;
            Ok((*pubkey, raw.filter(|raw| !raw.is_blank())))
        };
        let accounts = pubkeys.iter().zip(answer.value).map(read).collect::<Result<_>>()?;
        Ok((slot, accounts))
    }

    /// Up to 1,000 transactions that name the manager, newest first, older than `before`.
    ///
    /// # Errors
    /// [`IndexerError::Rpc`].
    pub async fn signatures(&self, before: Option<Signature>) -> Result<Vec<ListedTransaction>> {
        let mut options = json!({"limit": 1_000, "commitment": "finalized"});
        if let (Some(before), Some(options)) = (before, options.as_object_mut()) {
            options.insert("before".to_owned(), json!(before.to_string()));
        }
        let params = json!([self.0.program_id.to_string(), options]);
        self.call("getSignaturesForAddress", params).await
    }

    /// One finalised transaction with its inner instructions.
    ///
    /// # Errors
    /// [`IndexerError::Rpc`], with [`RpcFault::LongTermMissing`] when the node does not have it.
    pub async fn transaction(&self, signature: &Signature) -> Result<NodeTransaction> {
        const METHOD: &str = "getTransaction";
        let params = json!([
            signature.to_string(),
            {
                "encoding": "json", "commitment": "finalized",
                "maxSupportedTransactionVersion": NEWEST_VERSION,
            },
        ]);
        self.maybe(METHOD, &params).await?.ok_or_else(|| {
            let detail = format!("it does not have transaction {signature}");
            self.failed(METHOD, Failure::new(RpcFault::LongTermMissing, detail))
        })
    }

    /// The signatures of block `slot`, in block order.
    ///
    /// # Errors
    /// [`IndexerError::Rpc`].
    pub async fn block_signatures(&self, slot: u64) -> Result<Vec<String>> {
        #[derive(Deserialize)]
        struct Block {
            signatures: Option<Vec<String>>,
        }
        let params = json!([
            slot,
            {
                "encoding": "json", "transactionDetails": "signatures", "rewards": false,
                "commitment": "finalized",
                "maxSupportedTransactionVersion": NEWEST_VERSION,
            },
        ]);
        let block: Block = self.call("getBlock", params).await?;
        Ok(block.signatures.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests;
