//! Broadcasts one signed transaction again and again until it is confirmed, has failed, is proved to be
//! expired, or until the wait is over.
use std::time::{Duration, Instant};

use solana_client::{
    client_error::{ClientError, ClientErrorKind},
    rpc_config::RpcSendTransactionConfig,
    rpc_response::TransactionError,
};
use solana_commitment_config::CommitmentConfig;
use solana_instruction::Instruction;
use solana_rpc_client_api::{
    custom_error::{
        JSON_RPC_SERVER_ERROR_MIN_CONTEXT_SLOT_NOT_REACHED, JSON_RPC_SERVER_ERROR_NODE_UNHEALTHY,
        JSON_RPC_SERVER_ERROR_SEND_TRANSACTION_PREFLIGHT_FAILURE,
    },
    request::{RpcError, RpcRequest, RpcResponseErrorData},
};
use solana_signature::Signature;
use solana_transaction::Transaction;

use crate::{
    chain::{
        answers::{RpcAnswer, StatusAnswer, TxError},
        client::{ChainClient, ask_once},
        config::ChainClientConfig,
        expiry::{Expiry, Heights},
        explain, rpc_error, simulate,
    },
    error::{BackendError, Result},
    failure::Failure,
};

/// First pause between two polls of a transaction's status; grows by half up to [`MAX_POLL_INTERVAL`].
const MIN_POLL_INTERVAL: Duration = Duration::from_millis(100);
const MAX_POLL_INTERVAL: Duration = Duration::from_millis(1_000);
/// Pause between two broadcasts of the same transaction.
const REBROADCAST_INTERVAL: Duration = Duration::from_secs(2);
/// Longest wait for the answer to a repeated broadcast. The client sleeps for minutes when a node
/// answers 429, and the status of the transaction is not polled while it sleeps.
const REBROADCAST_TIMEOUT: Duration = Duration::from_secs(5);
/// JSON-RPC's own code for trouble inside the node, or inside a proxy before it.
const JSON_RPC_INTERNAL_ERROR: i64 = -32603;

/// A transaction that was signed, and until when it can be included.
pub(super) struct PendingTransaction<'a> {
    pub what: &'a str,
    pub transaction: &'a Transaction,
    pub signature: Signature,
    pub expiry: Expiry,
    /// When its blockhash was fetched.
    pub fetched: Instant,
    pub instructions: &'a [Instruction],
}

/// The node's answer to a broadcast.
enum BroadcastAnswer {
    /// The node took the transaction, or may have taken it.
    MaybeTaken(Option<String>),
    /// The node did not take the transaction now and may take it later.
    NotYet(String),
    /// The node refuses the transaction for good.
    Refused(BackendError),
}

/// What is known of a signed transaction.
enum RpcOutcome {
    Landed(u64, Option<TxError>),
    /// No block can include it any more, and none has.
    Expired,
    Waiting(Option<String>),
}

impl ChainClient {
    /// Broadcasts until the outcome is known or the configured time is over.
    ///
    /// # Errors
    /// [`BackendError::Transaction`] and [`BackendError::NotTaken`] when the node refuses and no
    /// earlier broadcast can have been accepted, [`BackendError::Dropped`], [`BackendError::Unknown`].
    pub(super) async fn deliver(
        &self,
        pending: &PendingTransaction<'_>,
    ) -> Result<(u64, Option<TxError>)> {
        let started = Instant::now();
        let (mut poll, mut maybe_taken, mut last_reason) = (MIN_POLL_INTERVAL, false, None);
        let mut offered = None::<Instant>;
        loop {
            if offered.is_none_or(|at| at.elapsed() >= REBROADCAST_INTERVAL) {
                match self.broadcast_once(pending, offered.is_none()).await {
                    BroadcastAnswer::MaybeTaken(said) => {
                        (maybe_taken, last_reason) = (true, said.or(last_reason))
                    }
                    BroadcastAnswer::NotYet(said) => last_reason = Some(said),
                    BroadcastAnswer::Refused(error) if !maybe_taken => return Err(error),
                    BroadcastAnswer::Refused(error) => last_reason = Some(error.cause()),
                }
                offered = Some(Instant::now());
            }
            tokio::time::sleep(poll).await;
            poll = poll.saturating_add(poll / 2).min(MAX_POLL_INTERVAL);
            let trouble = match self.check_status(pending).await {
                Ok(RpcOutcome::Landed(slot, error)) => return Ok((slot, error)),
                Ok(RpcOutcome::Expired) => {
                    let (what, signature) = (pending.what.into(), pending.signature.to_string());
                    let hint = self.fee_hint().map_or_else(String::new, |h| format!(". It {h}"));
                    return Err(BackendError::Dropped { what, signature, hint });
                }
                Ok(RpcOutcome::Waiting(why)) => why,
                Err(error) => Some(error.cause()),
            };
            let waited = self.config().outcome_timeout;
            if started.elapsed() >= waited {
                let hint = self.fee_hint().map_or_else(String::new, |h| format!("; it {h}"));
                let none = format!(
                    "it is in no confirmed block after {waited:?}, and nothing proves that it \
                     cannot be included any more{hint}"
                );
                return Err(BackendError::Unknown {
                    what: pending.what.into(),
                    signature: pending.signature.to_string(),
                    reason: trouble
                        .or(last_reason)
                        .unwrap_or(none)
                        .trim_end_matches('.')
                        .to_owned(),
                });
            }
        }
    }

    /// Why a transaction that pays the base fee alone may not be included, as the rest of a sentence.
    fn fee_hint(&self) -> Option<&'static str> {
        (self.config().unit_price == 0).then_some(
            "paid no priority fee, which may be why: --priority-fee MICROLAMPORTS pays one",
        )
    }

    pub(super) async fn broadcast(
        &self,
        transaction: &Transaction,
        skip_preflight: bool,
    ) -> std::result::Result<Signature, ClientError> {
        let config = RpcSendTransactionConfig {
            skip_preflight,
            preflight_commitment: Some(self.config().commitment.commitment),
            max_retries: Some(0),
            ..RpcSendTransactionConfig::default()
        };
        self.rpc().send_transaction_with_config(transaction, config).await
    }

    /// The first time with the node's preflight, which can refuse; then the same bytes without it.
    async fn broadcast_once(
        &self,
        pending: &PendingTransaction<'_>,
        first: bool,
    ) -> BroadcastAnswer {
        let longest = self.config().timeout;
        let longest = if first { longest } else { longest.min(REBROADCAST_TIMEOUT) };
        let sent = self.broadcast(pending.transaction, !first);
        match tokio::time::timeout(longest, sent).await {
            Ok(Ok(_)) => BroadcastAnswer::MaybeTaken(None),
            Ok(Err(error)) => classify_error(self.config(), pending, &error),
            Err(_) => BroadcastAnswer::MaybeTaken(Some(format!(
                "the node did not answer within {longest:?}"
            ))),
        }
    }

    /// The status that a node knows without searching, then whether the transaction is expired.
    async fn check_status(&self, pending: &PendingTransaction<'_>) -> Result<RpcOutcome> {
        if let (_, Some(known)) = self.status(&pending.signature, false).await? {
            return Ok(known);
        }
        let finalized = self.heights(CommitmentConfig::finalized()).await?;
        if !pending.expiry.is_past(finalized, pending.fetched.elapsed()) {
            return Ok(RpcOutcome::Waiting(None));
        }
        // Blocks up to `finalized` cannot change any more, and later blocks cannot include the
        // transaction. So it is in one of those blocks or nowhere, and a node that has all of them knows.
        // Behind one address another node may answer this time; its own slot shows whether it is behind.
        match self.status(&pending.signature, true).await? {
            (_, Some(known)) => Ok(known),
            (slot, None) if slot >= finalized.slot => Ok(RpcOutcome::Expired),
            (slot, None) => Ok(RpcOutcome::Waiting(Some(format!(
                "the node that was asked for it is at slot {slot}, behind slot {}",
                finalized.slot
            )))),
        }
    }

    async fn status(
        &self,
        signature: &Signature,
        history: bool,
    ) -> Result<(u64, Option<RpcOutcome>)> {
        let (at, status) = self.raw_status(signature, history).await?;
        let known = status.map(|status| {
            if status.satisfies(self.config().commitment) {
                RpcOutcome::Landed(status.slot, status.err)
            } else {
                let slot = status.slot;
                RpcOutcome::Waiting(Some(format!(
                    "it is in slot {slot}, which is not confirmed yet"
                )))
            }
        });
        Ok((at, known))
    }

    /// Asks what the node knows of `signatures`, in their order; with `history` also of old ones.
    pub(super) async fn ask_statuses(
        &self,
        signatures: &[Signature],
        history: bool,
    ) -> std::result::Result<RpcAnswer<Vec<Option<StatusAnswer>>>, ClientError> {
        let signatures: Vec<String> = signatures.iter().map(ToString::to_string).collect();
        let mut params = vec![serde_json::json!(signatures)];
        if history {
            params.push(serde_json::json!({"searchTransactionHistory": true}));
        }
        self.rpc().send(RpcRequest::GetSignatureStatuses, params.into()).await
    }

    /// What the node knows of `signature`, and the slot at which it knew that.
    pub(super) async fn raw_status(
        &self,
        signature: &Signature,
        history: bool,
    ) -> Result<(u64, Option<StatusAnswer>)> {
        let method = "getSignatureStatuses";
        let ask = self.ask_statuses(std::slice::from_ref(signature), history);
        let answer = ask_once(self.config(), method, ask).await?;
        match <[_; 1]>::try_from(answer.value) {
            Ok([status]) => Ok((answer.context.slot, status)),
            Err(other) => {
                let reason = format!("{} statuses instead of 1", other.len());
                Err(BackendError::BadAnswer { method: method.into(), reason })
            }
        }
    }

    /// Slot and block height in one answer: asked for one by one, two nodes may answer.
    pub(crate) async fn heights(&self, commitment: CommitmentConfig) -> Result<Heights> {
        #[derive(serde::Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct EpochInfo {
            absolute_slot: u64,
            block_height: u64,
        }
        let params = serde_json::json!([commitment]);
        let ask = self.rpc().send::<EpochInfo>(RpcRequest::GetEpochInfo, params);
        let found = ask_once(self.config(), "getEpochInfo", ask).await?;
        Ok(Heights { slot: found.absolute_slot, block_height: found.block_height })
    }
}

/// A transaction that the simulation refused, as an error.
pub(super) fn refused(what: &str, failure: Failure, logs: Vec<String>) -> BackendError {
    BackendError::Transaction { what: what.into(), failure, signature: None, logs }
}

/// What an error in answer to a broadcast says about the transaction. Only a refusal by the node
/// itself is final: after a connection that broke, or trouble behind a proxy, the transaction may be
/// on its way.
fn classify_error(
    config: &ChainClientConfig,
    pending: &PendingTransaction<'_>,
    error: &ClientError,
) -> BroadcastAnswer {
    let never = |reason: String| {
        BroadcastAnswer::Refused(BackendError::NotTaken {
            what: pending.what.into(),
            signature: pending.signature.to_string(),
            reason,
        })
    };
    let reason = || rpc_error::translate(config, "sendTransaction", error).cause();
    match error.kind() {
        ClientErrorKind::RpcError(RpcError::RpcResponseError { code, message, data }) => {
            match preflight(*code, message, data) {
                Some(TransactionError::AlreadyProcessed) => {
                    return BroadcastAnswer::MaybeTaken(None);
                }
                // Another node may know the blockhash.
                Some(TransactionError::BlockhashNotFound) => {
                    return BroadcastAnswer::NotYet(reason());
                }
                Some(error) => {
                    let (failure, logs) = simulated(&error, data, pending.instructions);
                    return BroadcastAnswer::Refused(refused(pending.what, failure, logs));
                }
                None => {}
            }
            match *code {
                JSON_RPC_INTERNAL_ERROR => BroadcastAnswer::MaybeTaken(Some(reason())),
                429
                | -32429
                | JSON_RPC_SERVER_ERROR_NODE_UNHEALTHY
                | JSON_RPC_SERVER_ERROR_MIN_CONTEXT_SLOT_NOT_REACHED => {
                    BroadcastAnswer::NotYet(reason())
                }
                code => never(format!("{message} (code {code})")),
            }
        }
        ClientErrorKind::Reqwest(e) => match e.status().map(|s| s.as_u16()) {
            Some(429) => BroadcastAnswer::NotYet(reason()),
            Some(408 | 425) => BroadcastAnswer::MaybeTaken(Some(reason())),
            Some(status @ 400..=499) => never(format!("HTTP {status}")),
            None if e.is_connect() => BroadcastAnswer::NotYet(reason()),
            _ => BroadcastAnswer::MaybeTaken(Some(reason())),
        },
        _ => BroadcastAnswer::MaybeTaken(Some(reason())),
    }
}

/// The transaction's own error, where the node's simulation refuses it. A node that leaves the error
/// out, or knows it by another name, still says it in words.
fn preflight(code: i64, message: &str, data: &RpcResponseErrorData) -> Option<TransactionError> {
    if let RpcResponseErrorData::SendTransactionPreflightFailure(result) = data
        && let Some(error) = &result.err
    {
        return Some(error.clone().into());
    }
    if code != JSON_RPC_SERVER_ERROR_SEND_TRANSACTION_PREFLIGHT_FAILURE {
        return None;
    }
    [TransactionError::AlreadyProcessed, TransactionError::BlockhashNotFound]
        .into_iter()
        .find(|known| message.contains(&known.to_string()))
}

fn simulated(
    error: &TransactionError,
    data: &RpcResponseErrorData,
    instructions: &[Instruction],
) -> (Failure, Vec<String>) {
    let logs = match data {
        RpcResponseErrorData::SendTransactionPreflightFailure(result) => result.logs.clone(),
        _ => None,
    };
    let logs = logs.unwrap_or_default();
    (explain(error, &logs, &simulate::programs(instructions)), logs)
}
