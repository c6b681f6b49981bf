//! Sends many transactions at once, for transactions that may be repeated and whose effect can be read
//! back from an account. Nothing here waits for confirmations: the caller reads the account.
use std::time::Instant;

use futures_util::{StreamExt, stream};
use solana_instruction::Instruction;
use solana_message::Message;
use solana_signature::Signature;
use solana_transaction::Transaction;

use crate::{
    chain::{
        answers::TxError,
        client::ChainClient,
        expiry::{Expiry, Heights},
        explain::explain_answer,
        rpc_error, send, simulate,
    },
    error::{BackendError, Result},
    failure::Failure,
    keys::signer::Signer,
    preflight::receipt::SentTx,
};

/// Most `sendTransaction` requests at the same time.
const MAX_SENDS_IN_FLIGHT: usize = 32;
/// Most signatures of one `getSignatureStatuses`.
const MAX_STATUSES_PER_REQUEST: usize = 256;

/// A signed transaction. Its bytes can be sent any number of times and take effect once at most.
pub(crate) struct SignedTransaction {
    transaction: Transaction,
    expiry: Expiry,
    made: Instant,
}

/// What the node knows of a transaction.
#[derive(Clone, Debug)]
pub(crate) struct SignatureStatus {
    pub slot: u64,
    pub error: Option<TxError>,
}

impl SignedTransaction {
    pub(crate) fn signature(&self) -> Signature {
        self.transaction.signatures.first().copied().unwrap_or_default()
    }

    /// Whether `seen` means that no block can include it any more.
    pub(crate) fn is_expired(&self, seen: Heights) -> bool {
        self.expiry.is_past(seen, self.made.elapsed())
    }

    /// Why it failed, without its log.
    pub(crate) fn failure(&self, error: &TxError) -> Failure {
        let message = &self.transaction.message;
        let program = |ix: &solana_message::compiled_instruction::CompiledInstruction| {
            let key = message.account_keys.get(usize::from(ix.program_id_index));
            key.copied().unwrap_or_default()
        };
        let programs: Vec<_> = message.instructions.iter().map(program).collect();
        explain_answer(error, &[], &programs)
    }

    /// The transaction in a receipt.
    pub(crate) fn report(&self, verb: &str, status: &SignatureStatus) -> SentTx {
        SentTx {
            verb: verb.into(),
            signature: self.signature().to_string(),
            slot: status.slot,
            units: None,
            bytes: simulate::size_of(&self.transaction.message),
            elapsed: self.made.elapsed(),
            error: status.error.as_ref().map(|e| self.failure(e).sentence),
        }
    }
}

impl ChainClient {
    /// Signs each of `messages` over one fresh blockhash. The first signer pays.
    pub(crate) async fn sign_all(
        &self,
        messages: &[Vec<Instruction>],
        signers: &[&dyn Signer],
    ) -> Result<Vec<SignedTransaction>> {
        let payer = signers.first().ok_or(BackendError::NoSigner)?.pubkey();
        let (blockhash, expiry) = self.fresh_blockhash().await?;
        let made = Instant::now();
        let one = |instructions: &Vec<Instruction>| {
            let message = Message::new_with_blockhash(instructions, Some(&payer), &blockhash);
            let transaction = send::sign(message, signers)?;
            Ok(SignedTransaction { transaction, expiry, made })
        };
        messages.iter().map(one).collect()
    }

    /// Sends all of `signed` within the configured outcome timeout. It is an error when the node refuses
    /// every one of them. It is no error when the node loses some or does not answer, because the caller
    /// looks at the effect.
    pub(crate) async fn send_all(&self, signed: &[&SignedTransaction]) -> Result<()> {
        let sent = tokio::time::timeout(self.config().outcome_timeout, self.send_each(signed));
        sent.await.unwrap_or(Ok(()))
    }

    async fn send_each(&self, signed: &[&SignedTransaction]) -> Result<()> {
        let sends: Vec<_> = signed.iter().map(|s| self.send_one(s)).collect();
        let mut answers = stream::iter(sends).buffer_unordered(MAX_SENDS_IN_FLIGHT);
        let (mut taken, mut refused) = (false, None);
        while let Some(answer) = answers.next().await {
            match answer {
                Ok(()) => taken = true,
                Err(error) => refused = Some(error),
            }
        }
        match refused {
            Some(error) if !taken && !error.is_transient() => Err(error),
            _ => Ok(()),
        }
    }

    async fn send_one(&self, signed: &SignedTransaction) -> Result<()> {
        let sent = self.broadcast(&signed.transaction, true);
        match tokio::time::timeout(self.config().timeout, sent).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(rpc_error::translate(self.config(), "sendTransaction", &error)),
            Err(_) => {
                let (url, timeout) = (self.config().site(), self.config().timeout);
                Err(BackendError::Slow { url, timeout })
            }
        }
    }

    /// What the node knows of each signature, in their order.
    pub(crate) async fn signature_statuses(
        &self,
        signatures: &[Signature],
    ) -> Result<Vec<Option<SignatureStatus>>> {
        let method = "getSignatureStatuses";
        let mut out = Vec::with_capacity(signatures.len());
        for chunk in signatures.chunks(MAX_STATUSES_PER_REQUEST) {
            let got = self.read(method, || self.ask_statuses(chunk, false)).await?.value;
            if got.len() != chunk.len() {
                let reason = format!("{} statuses instead of {}", got.len(), chunk.len());
                return Err(BackendError::BadAnswer { method: method.into(), reason });
            }
            out.extend(
                got.into_iter().map(|s| s.map(|s| SignatureStatus { slot: s.slot, error: s.err })),
            );
        }
        Ok(out)
    }
}
