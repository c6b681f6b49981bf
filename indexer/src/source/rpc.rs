//! Reads over JSON-RPC. Every answer with a context says which slot it speaks of; accounts are read
//! at `confirmed`, because a `finalized` answer may hold newer data than its context says.
use std::time::Duration;

use serde_json::{Value, json};
use solana_account_decoder::UiAccountEncoding;
use solana_client::rpc_config::{RpcAccountInfoConfig, RpcBlockConfig, RpcTransactionConfig};
use solana_commitment_config::CommitmentConfig;
use solana_pubkey::Pubkey;
use solana_rpc_client::{
    nonblocking::rpc_client::RpcClient, rpc_client::GetConfirmedSignaturesForAddress2Config,
};
use solana_rpc_client_api::{
    client_error::{Error as ClientError, ErrorKind},
    request::{RpcError, RpcRequest},
    response::{Response, RpcConfirmedTransactionStatusWithSignature, RpcKeyedAccount},
};
use solana_signature::Signature;
use solana_transaction_status_client_types::{
    EncodedConfirmedTransactionWithStatusMeta, TransactionDetails, UiTransactionEncoding,
};

use super::{SourceConfig, possible, scrubbed, shown};
use crate::{IndexerError, Result, decode::Raw};

/// "Minimum context slot has not been reached": the node has not got there yet.
const NOT_REACHED: i64 = -32_016;
/// How often to ask again for a slot the node has not reached.
const NOT_REACHED_PAUSE: Duration = Duration::from_millis(200);
/// How many times; confirmation trails the newest slot by a second or two.
const NOT_REACHED_TRIES: u32 = 50;
/// Address of the Clock sysvar.
const CLOCK: Pubkey = Pubkey::from_str_const("SysvarC1ock11111111111111111111111111111111");

/// Every account of the manager at one slot.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// The slot.
    pub slot: u64,
    /// The accounts.
    pub accounts: Vec<Raw>,
}

/// The chain's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChainClock {
    /// Slot in which the clock was set.
    pub slot: u64,
    /// Seconds since 1970.
    pub unix: i64,
}

/// One RPC address.
pub struct Rpc {
    client: RpcClient,
    url: String,
    program_id: Pubkey,
}

impl Rpc {
    /// The address that `config` names; nothing is sent yet.
    #[must_use]
    pub fn new(config: &SourceConfig) -> Self {
        let client = RpcClient::new_with_timeout_and_commitment(
            config.rpc_url.clone(),
            config.timeout,
            CommitmentConfig::confirmed(),
        );
        Self { client, url: config.rpc_url.clone(), program_id: config.program_id }
    }

    /// Scheme and host.
    #[must_use]
    pub fn shown(&self) -> String {
        shown(&self.url)
    }

    fn failed(&self, method: &'static str) -> impl Fn(ClientError) -> IndexerError + '_ {
        move |e| {
            let detail = match e.kind() {
                ErrorKind::Reqwest(e) if e.is_timeout() => "it took too long".to_owned(),
                ErrorKind::Reqwest(e) if e.is_connect() => "no connection".to_owned(),
                ErrorKind::RpcError(RpcError::RpcResponseError { code, message, .. }) => {
                    format!("{message} (code {code})")
                }
                kind => kind.to_string(),
            };
            self.wrong(method, &detail)
        }
    }

    fn wrong(&self, method: &'static str, detail: &str) -> IndexerError {
        IndexerError::Rpc { url: self.shown(), method, detail: scrubbed(detail, &self.url) }
    }

    fn possible(&self, method: &'static str, slot: u64) -> Result<u64> {
        possible(slot).map_err(|why| self.wrong(method, &format!("the node {why}")))
    }

    /// Hash of the cluster's first block.
    ///
    /// # Errors
    /// [`IndexerError::Rpc`].
    pub async fn genesis_hash(&self) -> Result<[u8; 32]> {
        let hash = self.client.get_genesis_hash().await;
        Ok(hash.map_err(self.failed("getGenesisHash"))?.to_bytes())
    }

    /// Whether the node is a surfnet. Up to 1.6 it stamps every account that it tells of with the
    /// slot of the subscription, so the stream's slots are of no use there.
    ///
    /// # Errors
    /// [`IndexerError::Rpc`].
    pub async fn is_surfnet(&self) -> Result<bool> {
        let version = self.client.send::<Value>(RpcRequest::GetVersion, Value::Null).await;
        let version = version.map_err(self.failed("getVersion"))?;
        Ok(version.get("surfnet-version").is_some())
    }

    /// Every account of the manager that is not blank, at a confirmed slot of at least `min_slot`.
    ///
    /// # Errors
    /// [`IndexerError::Rpc`]; [`IndexerError::Behind`] when the node does not get there in time.
    pub async fn snapshot(&self, min_slot: u64) -> Result<Snapshot> {
        let params = json!([
            self.program_id.to_string(),
            {
                "encoding": "base64", "commitment": "confirmed", "withContext": true,
                "minContextSlot": min_slot,
            },
        ]);
        for _ in 0..NOT_REACHED_TRIES {
            match self.program_accounts(params.clone()).await {
                Err(e) if is_not_reached(&e) => tokio::time::sleep(NOT_REACHED_PAUSE).await,
                Err(e) => return Err(self.failed("getProgramAccounts")(e)),
                Ok(answer) if answer.context.slot < min_slot => {
                    return Err(self.behind(answer.context.slot, min_slot));
                }
                Ok(answer) => return self.accounts(answer),
            }
        }
        Err(self.behind(min_slot.saturating_sub(1), min_slot))
    }

    async fn program_accounts(
        &self,
        params: Value,
    ) -> Result<Response<Vec<RpcKeyedAccount>>, ClientError> {
        self.client.send(RpcRequest::GetProgramAccounts, params).await
    }

    fn accounts(&self, answer: Response<Vec<RpcKeyedAccount>>) -> Result<Snapshot> {
        let slot = self.possible("getProgramAccounts", answer.context.slot)?;
        let read = |keyed: RpcKeyedAccount| {
            let pubkey = keyed.pubkey.parse().map_err(|_| {
                self.wrong("getProgramAccounts", &format!("{:?} is no address", keyed.pubkey))
            })?;
            Raw::from_ui(pubkey, &keyed.account, slot, 0)
                .map_err(|why| self.wrong("getProgramAccounts", &why))
        };
        let mut accounts = answer.value.into_iter().map(read).collect::<Result<Vec<_>>>()?;
        accounts.retain(|raw| !raw.is_blank());
        Ok(Snapshot { slot, accounts })
    }

    /// The error for a node at `slot` when `seen` is needed.
    #[must_use]
    pub fn behind(&self, slot: u64, seen: u64) -> IndexerError {
        IndexerError::Behind { url: self.shown(), slot, seen }
    }

    /// The chain's clock at `confirmed`.
    ///
    /// # Errors
    /// [`IndexerError::Rpc`].
    pub async fn clock(&self) -> Result<ChainClock> {
        const METHOD: &str = "getAccountInfo";
        let config = RpcAccountInfoConfig {
            encoding: Some(UiAccountEncoding::Base64),
            commitment: Some(CommitmentConfig::confirmed()),
            ..RpcAccountInfoConfig::default()
        };
        let answer = self.client.get_ui_account_with_config(&CLOCK, config).await;
        let account = answer.map_err(self.failed(METHOD))?.value;
        let data = account.and_then(|a| a.data.decode()).unwrap_or_default();
        // slot, epoch_start_timestamp, epoch, leader_schedule_epoch, unix_timestamp: 8 bytes each.
        let word = |at: usize| data.get(at..).and_then(|d| d.first_chunk::<8>()).copied();
        match (word(0), word(32)) {
            (Some(slot), Some(unix)) => {
                Ok(ChainClock { slot: u64::from_le_bytes(slot), unix: i64::from_le_bytes(unix) })
            }
            _ => Err(self.wrong(METHOD, "the Clock sysvar is missing or cut short")),
        }
    }

    /// Newest finalised slot.
    ///
    /// # Errors
    /// [`IndexerError::Rpc`].
    pub async fn finalized_slot(&self) -> Result<u64> {
        let slot = self.client.get_slot_with_commitment(CommitmentConfig::finalized()).await;
        self.possible("getSlot", slot.map_err(self.failed("getSlot"))?)
    }

    /// Up to 1,000 transactions that name the manager, newest first, older than `before`.
    ///
    /// # Errors
    /// [`IndexerError::Rpc`].
    pub async fn signatures(
        &self,
        before: Option<Signature>,
    ) -> Result<Vec<RpcConfirmedTransactionStatusWithSignature>> {
        let config = GetConfirmedSignaturesForAddress2Config {
            before,
            until: None,
            limit: Some(1_000),
            commitment: Some(CommitmentConfig::finalized()),
        };
        let found =
            self.client.get_signatures_for_address_with_config(&self.program_id, config).await;
        found.map_err(self.failed("getSignaturesForAddress"))
    }

    /// One finalised transaction with its inner instructions.
    ///
    /// # Errors
    /// [`IndexerError::Rpc`], also when the node does not have it.
    pub async fn transaction(
        &self,
        signature: &Signature,
    ) -> Result<EncodedConfirmedTransactionWithStatusMeta> {
        let config = RpcTransactionConfig {
            encoding: Some(UiTransactionEncoding::Json),
            commitment: Some(CommitmentConfig::finalized()),
            max_supported_transaction_version: Some(0),
        };
        let found = self.client.get_transaction_with_config(signature, config).await;
        found.map_err(self.failed("getTransaction"))
    }

    /// The signatures of block `slot` in their order.
    ///
    /// # Errors
    /// [`IndexerError::Rpc`].
    pub async fn block_signatures(&self, slot: u64) -> Result<Vec<String>> {
        let config = RpcBlockConfig {
            encoding: Some(UiTransactionEncoding::Json),
            transaction_details: Some(TransactionDetails::Signatures),
            rewards: Some(false),
            commitment: Some(CommitmentConfig::finalized()),
            max_supported_transaction_version: Some(0),
        };
        let block = self.client.get_block_with_config(slot, config).await;
        Ok(block.map_err(self.failed("getBlock"))?.signatures.unwrap_or_default())
    }
}

fn is_not_reached(e: &ClientError) -> bool {
    matches!(
        e.kind(),
        ErrorKind::RpcError(RpcError::RpcResponseError { code, .. }) if *code == NOT_REACHED
    )
}
