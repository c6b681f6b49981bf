//! The leaves of a manifest: every account that a proposal will migrate, and the hash of its bytes.
use solana_pubkey::Pubkey;
use upgrade_manager::state::manifest;

/// One account of a manifest, in the manifest's order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ManifestLeaf {
    /// The account.
    pub account: Pubkey,
    /// sha256 of its bytes when the proposal was planned.
    pub old_hash: [u8; 32],
}

/// The Merkle root over `leaves`, by the chain's own rule.
#[must_use]
pub fn manifest_root(leaves: &[ManifestLeaf]) -> [u8; 32] {
    manifest::root(&manifest_hashes(leaves))
}

/// The hashed leaves, as proofs need them.
#[must_use]
pub fn manifest_hashes(leaves: &[ManifestLeaf]) -> Vec<[u8; 32]> {
    (0u32..).zip(leaves).map(|(i, l)| manifest::leaf(i, &l.account, &l.old_hash)).collect()
}
