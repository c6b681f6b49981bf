//! Signs and sends a transaction. The same signed bytes are broadcast again and again (`outcome.rs`); a
//! second transaction is never signed while the outcome of the first is unknown.
use std::time::Instant;

use serde_json::json;
use solana_client::rpc_response::{Response, RpcBlockhash};
use solana_commitment_config::CommitmentConfig;
use solana_hash::Hash;
use solana_instruction::Instruction;
use solana_message::Message;
use solana_rpc_client_api::request::RpcRequest;
use solana_signature::Signature;
use solana_transaction::Transaction;

use crate::{
    chain::{
        answers::{TransactionAnswer, TxError},
        client::{ChainClient, ask_once},
        expiry::Expiry,
        explain::explain_answer,
        outcome::{PendingTransaction, refused},
        simulate::{self, MAX_TRANSACTION_LEN, MAX_UNITS, with_budget},
    },
    error::{BackendError, Result},
    failure::Failure,
    keys::signer::Signer,
    preflight::receipt::SentTx,
};

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

impl ChainClient {
    /// Simulates, sets the compute limit from the simulation, signs, sends and confirms. The first
    /// signer pays.
    ///
    /// # Errors
    /// [`BackendError::Transaction`] when simulation or chain refuse, [`BackendError::NotTaken`]
    /// when the node does, [`BackendError::Dropped`] when no block can include it any more,
    /// [`BackendError::Unknown`] when its outcome could not be learnt in the configured time.
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
        let full = with_budget(instructions, MAX_UNITS, price);
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
        if bytes > MAX_TRANSACTION_LEN {
            return Err(BackendError::TooLarge {
                what: what.into(),
                bytes,
                limit: MAX_TRANSACTION_LEN,
            });
        }
        let (blockhash, expiry) = self.fresh_blockhash().await?;
        let fetched = Instant::now();
        let message = Message::new_with_blockhash(instructions, Some(&payer), &blockhash);
        let transaction = &sign(message, signers)?;
        let signature = transaction.signatures.first().copied().unwrap_or_default();
        let started = Instant::now();
        let pending =
            PendingTransaction { what, transaction, signature, expiry, fetched, instructions };
        let (slot, error) = self.deliver(&pending).await?;
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

    /// A blockhash, and until when it can be used.
    pub(super) async fn fresh_blockhash(&self) -> Result<(Hash, Expiry)> {
        let (method, params) = ("getLatestBlockhash", json!([self.config().commitment]));
        let ask = || {
            let request = RpcRequest::GetLatestBlockhash;
            self.rpc().send::<Response<RpcBlockhash>>(request, params.clone())
        };
        let Response { context, value } = self.read(method, ask).await?;
        let blockhash = value.blockhash.parse().map_err(|_| BackendError::BadAnswer {
            method: method.into(),
            reason: "the blockhash is not one".into(),
        })?;
        let last_valid = value.last_valid_block_height;
        Ok((blockhash, Expiry { last_valid, slot: context.slot }))
    }

    /// The failed transaction's log, where the node still has it, tells which program refused.
    pub(super) async fn explain_landed(
        &self,
        error: &TxError,
        signature: &Signature,
        instructions: &[Instruction],
    ) -> Failure {
        // `TransactionAnswer` declares only the log, so a transaction of a newer version is still decoded.
        let options = json!({
            "encoding": "base64", "commitment": CommitmentConfig::confirmed().commitment,
            "maxSupportedTransactionVersion": 1,
        });
        let params = json!([signature.to_string(), options]);
        let ask = self.rpc().send::<Option<TransactionAnswer>>(RpcRequest::GetTransaction, params);
        let logs = match ask_once(self.config(), "getTransaction", ask).await {
            Ok(found) => found.and_then(|t| t.meta).and_then(|m| m.log_messages),
            Err(_) => None,
        };
        explain_answer(error, &logs.unwrap_or_default(), &simulate::programs(instructions))
    }
}

pub(super) fn sign(message: Message, signers: &[&dyn Signer]) -> Result<Transaction> {
    let bytes = message.serialize();
    let needed = usize::from(message.header.num_required_signatures);
    // Every signer is found before the first of them signs.
    let keys = message.account_keys.iter().take(needed);
    let found = keys.map(|key| {
        let signer = signers.iter().find(|s| s.pubkey() == *key);
        signer.ok_or(BackendError::MissingKey { signer: *key })
    });
    let found = found.collect::<Result<Vec<_>>>()?;
    let signatures = found.iter().map(|s| s.sign(&bytes)).collect::<Result<_>>()?;
    Ok(Transaction { signatures, message })
}
