//! The state of an account at one slot: decoded, or quarantined.
use sha2::{Digest, Sha256};
use solana_pubkey::Pubkey;

use super::{Facets, ManagerAccount};

/// The decoded state of one account at one slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Update {
    /// The account.
    pub pubkey: Pubkey,
    /// Slot of the state.
    pub slot: u64,
    /// Order within the slot: 0 from a snapshot, `Run::write_version` from the websocket.
    pub write_version: u64,
    /// The fields kept as columns.
    pub facets: Facets,
    /// The account's bytes.
    pub raw: Vec<u8>,
    /// sha256 of the bytes.
    pub data_hash: [u8; 32],
}

impl Update {
    /// The state `account`, decoded from `raw`, of `pubkey` at `(slot, write_version)`.
    #[must_use]
    pub fn new(
        pubkey: Pubkey,
        slot: u64,
        write_version: u64,
        account: &ManagerAccount,
        raw: Vec<u8>,
    ) -> Self {
        let data_hash = Sha256::digest(&raw).into();
        Self { pubkey, slot, write_version, facets: account.facets(), raw, data_hash }
    }
}

/// An account that could not be decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quarantined {
    /// The account.
    pub pubkey: Pubkey,
    /// Slot of the state.
    pub slot: u64,
    /// Its owner.
    pub owner: Pubkey,
    /// What is wrong with it, as a sentence.
    pub error: String,
    /// The account's bytes.
    pub raw: Vec<u8>,
}
