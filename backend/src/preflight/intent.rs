//! The intent: what the operator was shown and confirmed. `pipeline::seal` makes one only when no check
//! failed, and only an intent can be submitted. It holds no transaction, only the task and the values that
//! the plan made before signing must equal.
use solana_pubkey::Pubkey;

use crate::preflight::{
    manifest::ManifestLeaf,
    operation::{Operation, ProposeRequest, Verb},
    pinned::PinnedState,
};

/// A preflight that can be signed. Submitting consumes it.
#[derive(Clone, Debug)]
pub struct Intent<T = ProposalTask> {
    /// What is planned again before it is signed.
    pub(crate) task: T,
    pub(crate) signer: Pubkey,
    pub(crate) pinned: PinnedState,
    pub(crate) message_hash: [u8; 32],
    pub(crate) unit_limit: u32,
    /// Micro-lamports per compute unit, of every transaction that this leads to.
    pub(crate) unit_price: u64,
}

/// A verb on a proposal, or a new proposal.
#[derive(Clone, Debug)]
pub struct ProposalTask {
    pub(crate) operation: Operation,
    /// What a new proposal says.
    pub(crate) request: Option<Box<FrozenRequest>>,
}

/// The request of a new proposal, with the values that depended on the moment of planning: they stay as
/// they were shown.
#[derive(Clone, Debug)]
pub(crate) struct FrozenRequest {
    pub request: ProposeRequest,
    pub expires_at: i64,
    pub manifest: upgrade_manager::state::Manifest,
    pub leaves: Vec<ManifestLeaf>,
}

impl Intent {
    /// What will be done.
    #[must_use]
    pub fn verb(&self) -> Verb {
        self.task.operation.verb
    }

    /// To which proposal.
    #[must_use]
    pub fn proposal(&self) -> Pubkey {
        self.task.operation.proposal
    }
}

impl<T> Intent<T> {
    /// The key that must sign.
    #[must_use]
    pub fn signer(&self) -> Pubkey {
        self.signer
    }

    /// sha256 of the message with its blockhash left zero; of a long job, of its first message.
    #[must_use]
    pub fn message_hash(&self) -> [u8; 32] {
        self.message_hash
    }

    /// sha256 over every value from the chain that must still hold.
    #[must_use]
    pub fn state_hash(&self) -> [u8; 32] {
        self.pinned.hash()
    }
}
