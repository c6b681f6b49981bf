//! Looks up a transaction by its signature, for when its outcome was not learnt while sending.
use solana_commitment_config::CommitmentConfig;
use solana_rpc_client_api::custom_error::JSON_RPC_SERVER_ERROR_TRANSACTION_HISTORY_NOT_AVAILABLE;
use solana_signature::Signature;

use crate::{
    chain::client::ChainClient,
    error::{BackendError, Result},
    failure::Failure,
};

/// What the node knows of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TxStatus {
    /// It is in a confirmed block.
    Landed {
        /// The block's slot.
        slot: u64,
        /// Whether nothing can undo the block any more.
        finalized: bool,
        /// Why the transaction failed, if it did.
        failure: Option<Failure>,
    },
    /// It is in a block that is not confirmed: the cluster may still drop the block.
    Unconfirmed {
        /// The block's slot.
        slot: u64,
    },
    /// The node does not know it.
    NotFound {
        /// The node's newest slot.
        at: u64,
        /// Whether the node has searched everything it keeps, or only the last minutes.
        searched: bool,
    },
}

impl ChainClient {
    /// Looks `signature` up in the node's whole history, or in its recent statuses when it keeps no history.
    ///
    /// # Errors
    /// The network's.
    pub async fn find(&self, signature: &Signature) -> Result<TxStatus> {
        let (at, known, searched) = match self.raw_status(signature, true).await {
            Ok((at, known)) => (at, known, true),
            Err(BackendError::Rpc { code, .. })
                if code == JSON_RPC_SERVER_ERROR_TRANSACTION_HISTORY_NOT_AVAILABLE =>
            {
                let (at, known) = self.raw_status(signature, false).await?;
                (at, known, false)
            }
            Err(error) => return Err(error),
        };
        let Some(known) = known else { return Ok(TxStatus::NotFound { at, searched }) };
        let slot = known.slot;
        if !known.satisfies(CommitmentConfig::confirmed()) {
            return Ok(TxStatus::Unconfirmed { slot });
        }
        let failure = match &known.err {
            Some(error) => Some(self.explain_landed(error, signature, &[]).await),
            None => None,
        };
        let finalized = known.satisfies(CommitmentConfig::finalized());
        Ok(TxStatus::Landed { slot, finalized, failure })
    }
}
