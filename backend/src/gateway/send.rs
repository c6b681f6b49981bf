//! Signing and sending. One signed transaction is sent again and again, never a second one, until
//! it is confirmed, has failed, or is known to be dead because its blockhash has expired.
use std::time::{Duration, Instant};

use solana_client::{
    client_error::ClientErrorKind,
    rpc_config::RpcSendTransactionConfig,
    rpc_response::{RpcSimulateTransactionResult, TransactionError},
};
use solana_commitment_config::CommitmentConfig;
use solana_hash::Hash;
use solana_instruction::Instruction;
use solana_message::Message;
use solana_rpc_client_api::request::{RpcError, RpcResponseErrorData};
use solana_signature::Signature;
use solana_transaction::Transaction;

use super::{Failure, Gateway, PACKET, explain, once, simulate, with_budget};
use crate::{
    error::{BackendError, Result},
    receipt::SentTx,
    signer::Signer,
};

/// First pause between two looks at a transaction's status; grows by half up to the last.
const FIRST_POLL: Duration = Duration::from_millis(100);
const LAST_POLL: Duration = Duration::from_millis(1_000);
/// Pause between two broadcasts of the same transaction.
const REBROADCAST: Duration = Duration::from_secs(2);
/// How long the node may be gone before the outcome is called unknown.
const PATIENCE: Duration = Duration::from_secs(120);

/// A confirmed transaction, and why it failed on chain if it did.
#[derive(Clone, Debug)]
pub(crate) struct Landed {
    pub sent: SentTx,
    pub failure: Option<Failure>,
}

impl Landed {
    /// The transaction, or its failure as an error.
    pub(crate) fn succeeded(self) -> Result<SentTx> {
        match self.failure {
            None => Ok(self.sent),
            Some(failure) => Err(BackendError::Transaction {
                what: format!("Transaction {}", self.sent.verb),
                failure,
                signature: Some(self.sent.signature),
                logs: vec![],
            }),
        }
    }
}

enum First {
    Sent,
    Refused(Failure, Vec<String>),
}

impl Gateway {
    /// Simulates, sets the compute limit from the simulation, signs, sends and confirms. The first
    /// signer pays.
    ///
    /// # Errors
    /// [`BackendError::Transaction`] when simulation or chain refuse, [`BackendError::Dropped`] when
    /// it is dead, [`BackendError::Unknown`] when the node went away.
    pub async fn send_and_confirm(
        &self,
        what: &str,
        instructions: &[Instruction],
        signers: &[&dyn Signer],
    ) -> Result<SentTx> {
        self.send_landed(what, instructions, signers).await?.succeeded()
    }

    /// The same, with a failure on chain as an answer.
    pub(crate) async fn send_landed(
        &self,
        what: &str,
        instructions: &[Instruction],
        signers: &[&dyn Signer],
    ) -> Result<Landed> {
        let payer = signers.first().ok_or(BackendError::NoSigner)?.pubkey();
        let price = self.config().unit_price;
        let full = with_budget(instructions, super::MAX_UNITS, price);
        let simulated = self.simulate(&full, &payer).await?;
        if let Some(failure) = simulated.failure {
            return Err(refused(what, failure, simulated.logs));
        }
        let limited = with_budget(instructions, simulated.unit_limit(), price);
        self.send_exactly(what, &limited, signers, Some(simulated.units)).await
    }

    /// Signs and sends `instructions` as they are, budget included.
    pub(crate) async fn send_exactly(
        &self,
        what: &str,
        instructions: &[Instruction],
        signers: &[&dyn Signer],
        units: Option<u64>,
    ) -> Result<Landed> {
        let payer = signers.first().ok_or(BackendError::NoSigner)?.pubkey();
        let bytes = simulate::transaction_size(instructions, &payer);
        if bytes > PACKET {
            return Err(BackendError::TooLarge { what: what.into(), bytes, limit: PACKET });
        }
        let (blockhash, last_valid) = self.fresh_blockhash().await?;
        let message = Message::new_with_blockhash(instructions, Some(&payer), &blockhash);
        let transaction = sign(message, signers)?;
        let signature = transaction.signatures.first().copied().unwrap_or_default();
        let started = Instant::now();
        let (slot, error) =
            self.deliver(what, &transaction, &signature, last_valid, instructions).await?;
        let failure = match error {
            None => None,
            Some(error) => Some(self.explain_landed(&error, &signature, instructions).await),
        };
        let sent = SentTx {
            verb: what.into(),
            signature: signature.to_string(),
            slot,
            units,
            bytes,
            elapsed: started.elapsed(),
            error: failure.as_ref().map(|f| f.sentence.clone()),
        };
        tracing::info!(verb = what, %signature, slot, error = sent.error, "transaction confirmed");
        Ok(Landed { sent, failure })
    }

    /// A blockhash, and the last block height at which it can be used.
    pub(super) async fn fresh_blockhash(&self) -> Result<(Hash, u64)> {
        let commitment = self.config().commitment;
        let ask = || self.rpc().get_latest_blockhash_with_commitment(commitment);
        self.read("getLatestBlockhash", ask).await
    }

    async fn deliver(
        &self,
        what: &str,
        transaction: &Transaction,
        signature: &Signature,
        last_valid: u64,
        instructions: &[Instruction],
    ) -> Result<(u64, Option<TransactionError>)> {
        if let First::Refused(failure, logs) = self.first_send(transaction, instructions).await {
            return Err(refused(what, failure, logs));
        }
        let (mut poll, mut last_send, mut last_seen) = (FIRST_POLL, Instant::now(), Instant::now());
        loop {
            tokio::time::sleep(poll).await;
            poll = poll.saturating_add(poll / 2).min(LAST_POLL);
            match self.outcome(signature, last_valid).await {
                Ok(Outcome::Landed(slot, error)) => return Ok((slot, error)),
                Ok(Outcome::Dead) => {
                    return Err(BackendError::Dropped {
                        what: what.into(),
                        signature: signature.to_string(),
                    });
                }
                Ok(Outcome::Waiting) => last_seen = Instant::now(),
                Err(error) if last_seen.elapsed() > PATIENCE => {
                    return Err(BackendError::Unknown {
                        what: what.into(),
                        signature: signature.to_string(),
                        reason: error.to_string(),
                    });
                }
                Err(_) => {}
            }
            if last_send.elapsed() >= REBROADCAST {
                // The same bytes again; whatever the node says, the status decides.
                let _ = self.broadcast(transaction, true).await;
                last_send = Instant::now();
            }
        }
    }

    pub(super) async fn broadcast(
        &self,
        transaction: &Transaction,
        skip_preflight: bool,
    ) -> std::result::Result<Signature, solana_client::client_error::ClientError> {
        let config = RpcSendTransactionConfig {
            skip_preflight,
            preflight_commitment: Some(self.config().commitment.commitment),
            max_retries: Some(0),
            ..RpcSendTransactionConfig::default()
        };
        self.rpc().send_transaction_with_config(transaction, config).await
    }

    /// Only the node's preflight can refuse here: then nothing was broadcast. After any other
    /// trouble the transaction may be on its way, and its status decides.
    async fn first_send(&self, transaction: &Transaction, instructions: &[Instruction]) -> First {
        let sent =
            tokio::time::timeout(self.config().timeout, self.broadcast(transaction, false)).await;
        let Ok(Err(error)) = sent else { return First::Sent };
        let ClientErrorKind::RpcError(RpcError::RpcResponseError {
            data: RpcResponseErrorData::SendTransactionPreflightFailure(result),
            ..
        }) = error.kind()
        else {
            return First::Sent;
        };
        let RpcSimulateTransactionResult { err, logs, .. } = result;
        match err.clone().map(TransactionError::from) {
            // Another node may know the blockhash, or have the transaction already.
            None
            | Some(TransactionError::BlockhashNotFound | TransactionError::AlreadyProcessed) => {
                First::Sent
            }
            Some(error) => {
                let logs = logs.clone().unwrap_or_default();
                let failure = explain(&error, &logs, &simulate::programs(instructions));
                First::Refused(failure, logs)
            }
        }
    }

    async fn status(&self, signature: &Signature) -> Result<Option<Outcome>> {
        let ask = self.rpc().get_signature_statuses(std::slice::from_ref(signature));
        let statuses = once(self.config(), "getSignatureStatuses", ask).await?;
        Ok(statuses.value.into_iter().next().flatten().map(|status| {
            if status.satisfies_commitment(self.config().commitment) {
                Outcome::Landed(status.slot, status.err)
            } else {
                Outcome::Waiting
            }
        }))
    }

    async fn outcome(&self, signature: &Signature, last_valid: u64) -> Result<Outcome> {
        if let Some(known) = self.status(signature).await? {
            return Ok(known);
        }
        if self.block_height().await? <= last_valid {
            return Ok(Outcome::Waiting);
        }
        // Once more: it may have landed between the two answers. After this height it cannot.
        Ok(self.status(signature).await?.unwrap_or(Outcome::Dead))
    }

    /// The failed transaction's log, where the node still has it, tells which program refused.
    async fn explain_landed(
        &self,
        error: &TransactionError,
        signature: &Signature,
        instructions: &[Instruction],
    ) -> Failure {
        let config = solana_client::rpc_config::RpcTransactionConfig {
            encoding: Some(solana_transaction_status_client_types::UiTransactionEncoding::Base64),
            commitment: Some(CommitmentConfig::confirmed()),
            max_supported_transaction_version: Some(0),
        };
        let ask = self.rpc().get_transaction_with_config(signature, config);
        let logs: Option<Vec<String>> = match once(self.config(), "getTransaction", ask).await {
            Ok(found) => found.transaction.meta.and_then(|m| m.log_messages.into()),
            Err(_) => None,
        };
        explain(error, &logs.unwrap_or_default(), &simulate::programs(instructions))
    }
}

enum Outcome {
    Landed(u64, Option<TransactionError>),
    Dead,
    Waiting,
}

pub(crate) fn refused(what: &str, failure: Failure, logs: Vec<String>) -> BackendError {
    BackendError::Transaction { what: what.into(), failure, signature: None, logs }
}

pub(super) fn sign(message: Message, signers: &[&dyn Signer]) -> Result<Transaction> {
    let bytes = message.serialize();
    let needed = usize::from(message.header.num_required_signatures);
    let mut signatures = Vec::with_capacity(needed);
    for key in message.account_keys.iter().take(needed) {
        let signer = signers.iter().find(|s| s.pubkey() == *key).ok_or_else(|| {
            BackendError::Refused(format!(
                "the transaction needs the signature of {key}, whose key is not loaded."
            ))
        })?;
        signatures.push(signer.sign(&bytes)?);
    }
    Ok(Transaction { signatures, message })
}
