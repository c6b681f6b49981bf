//! Data that clients keep off chain and send back to it: digests, old bytes, manifests.
use std::collections::HashMap;

use solana_pubkey::Pubkey;
use upgrade_manager::state::manifest;

use super::op::{Pid, VaultId};

/// Data that clients keep off chain.
#[derive(Clone, Default)]
pub struct Archive {
    /// Digests of proposals.
    pub digests: HashMap<Pid, [u8; 32]>,
    /// The vaults' bytes before their last migration.
    pub old: HashMap<VaultId, Vec<u8>>,
    /// The leaves of a proposal's manifest, in order of address.
    pub manifests: HashMap<Pid, Vec<(VaultId, [u8; 32])>>,
    /// The leaves of the proposal that is being made.
    pub next: Vec<(VaultId, [u8; 32])>,
    pub addresses: HashMap<VaultId, Pubkey>,
}

impl Archive {
    fn leaves(&self, seen: &[(VaultId, [u8; 32])]) -> Vec<[u8; 32]> {
        let leaf = |(i, (vault, hash)): (u32, &(VaultId, [u8; 32]))| {
            manifest::leaf(i, &self.addresses[vault], hash)
        };
        (0..).zip(seen).map(leaf).collect()
    }

    /// Root and count of the manifest of a proposal that is being made.
    pub fn planned(&self, any: bool) -> ([u8; 32], u32) {
        if !any || self.next.is_empty() {
            return Default::default();
        }
        let leaves = self.leaves(&self.next);
        (manifest::root(&leaves), u32::try_from(leaves.len()).expect("few"))
    }

    /// Index, hash and proof of `vault` in the manifest of `id`.
    pub fn proof(&self, id: Pid, vault: VaultId) -> (u32, [u8; 32], Vec<[u8; 32]>) {
        let seen = self.manifests.get(&id).map_or(&[][..], |seen| seen);
        let Some(at) = seen.iter().position(|(v, _)| *v == vault) else {
            return Default::default();
        };
        let index = u32::try_from(at).expect("few");
        (index, seen[at].1, manifest::proof(&self.leaves(seen), index).unwrap_or_default())
    }
}
