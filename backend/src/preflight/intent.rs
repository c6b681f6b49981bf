//! The intent: what the operator was shown and confirmed. `pipeline::seal` makes one only when no check
//! failed, and only an intent can be submitted. It holds neither a key nor a transaction, only the values
//! that the plan made before signing must equal.
use solana_pubkey::Pubkey;

use crate::preflight::{
    manifest::ManifestLeaf,
    operation::{ProposeRequest, Verb},
    pinned::PinnedState,
};

/// A preflight that can be signed. `Backend::submit` consumes it.
#[derive(Clone, Debug)]
pub struct Intent {
    pub(crate) verb: Verb,
    pub(crate) proposal: Pubkey,
    pub(crate) signer: Pubkey,
    pub(crate) pinned: PinnedState,
    pub(crate) message_hash: [u8; 32],
    pub(crate) unit_limit: u32,
    /// Micro-lamports per compute unit, of every transaction that this leads to.
    pub(crate) unit_price: u64,
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
        self.verb
    }

    /// To which proposal.
    #[must_use]
    pub fn proposal(&self) -> Pubkey {
        self.proposal
    }

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
