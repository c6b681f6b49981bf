//! The Merkle tree over the accounts that existed when an upgrade was planned. Leaf and node are
//! hashed under different prefixes, and a leaf contains its index, so neither can be mistaken for
//! the other, nor a leaf for its neighbour.
use anchor_lang::prelude::*;
use solana_sha256_hasher::hashv;

/// Domain of a leaf.
const LEAF: &[u8] = b"\x00upgrade-manager/manifest-leaf/v1";
/// Domain of an inner node.
const NODE: &[u8] = b"\x01upgrade-manager/manifest-node/v1";
/// Most levels of a proof: a `u32` count never needs more.
pub const MAX_PROOF_LEN: usize = 32;

/// Hash of leaf `index`: an account and the sha256 of its bytes at planning.
#[must_use]
pub fn leaf(index: u32, account: &Pubkey, old_hash: &[u8; 32]) -> [u8; 32] {
    hashv(&[LEAF, &index.to_le_bytes(), account.as_ref(), old_hash]).to_bytes()
}

fn node(left: &[u8; 32], right: &[u8; 32]) -> [u8; 32] {
    hashv(&[NODE, left, right]).to_bytes()
}

fn level_up(level: &[[u8; 32]]) -> Vec<[u8; 32]> {
    level
        .chunks(2)
        .map(|pair| match pair {
            [left, right] => node(left, right),
            [alone] => *alone,
            _ => [0; 32],
        })
        .collect()
}

/// Root over `leaves`; a node without a sibling moves up as it is. All zero for no leaves.
///
/// ```
/// use anchor_lang::prelude::Pubkey;
/// use upgrade_manager::state::manifest::{leaf, proof, root, verify};
///
/// let account = |n: u8| Pubkey::new_from_array([n; 32]);
/// let leaves = [leaf(0, &account(1), &[8; 32]), leaf(1, &account(2), &[9; 32])];
/// let siblings = proof(&leaves, 1).expect("there is a leaf 1");
/// assert!(verify(&root(&leaves), 2, 1, leaves[1], &siblings));
/// // The same bytes at another address are another leaf.
/// assert!(!verify(&root(&leaves), 2, 1, leaf(1, &account(3), &[9; 32]), &siblings));
/// ```
#[must_use]
pub fn root(leaves: &[[u8; 32]]) -> [u8; 32] {
    let mut level = leaves.to_vec();
    while level.len() > 1 {
        level = level_up(&level);
    }
    level.first().copied().unwrap_or_default()
}

/// The siblings that prove leaf `index`, from the bottom; `None` when there is no such leaf.
#[must_use]
pub fn proof(leaves: &[[u8; 32]], index: u32) -> Option<Vec<[u8; 32]>> {
    let mut at = usize::try_from(index).ok()?;
    leaves.get(at)?;
    let (mut level, mut out) = (leaves.to_vec(), vec![]);
    while level.len() > 1 {
        if let Some(sibling) = level.get(at ^ 1) {
            out.push(*sibling);
        }
        level = level_up(&level);
        at >>= 1;
    }
    Some(out)
}

/// Whether `proof` leads from `leaf` at `index` of `count` leaves to `root`.
#[must_use]
pub fn verify(root: &[u8; 32], count: u32, index: u32, leaf: [u8; 32], proof: &[[u8; 32]]) -> bool {
    if index >= count || proof.len() > MAX_PROOF_LEN {
        return false;
    }
    let (mut at, mut width, mut hash) = (index, count, leaf);
    let mut siblings = proof.iter();
    while width > 1 {
        let has_sibling = at & 1 == 1 || at.checked_add(1).is_some_and(|next| next < width);
        if has_sibling {
            let Some(sibling) = siblings.next() else { return false };
            hash = if at & 1 == 1 { node(sibling, &hash) } else { node(&hash, sibling) };
        }
        at >>= 1;
        width = width.div_ceil(2);
    }
    siblings.next().is_none() && hash == *root
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn leaves(n: u32) -> Vec<[u8; 32]> {
        (0..n).map(|i| leaf(i, &Pubkey::new_from_array([i as u8; 32]), &[i as u8; 32])).collect()
    }

    proptest! {
        #[test]
        fn every_leaf_proves_itself_and_nothing_else(n in 1u32..70, pick in 0u32..70, other in 0u32..70) {
            let (index, other) = (pick % n, other % n);
            let leaves = leaves(n);
            let root = root(&leaves);
            let proof = proof(&leaves, index).unwrap();
            let own = leaves[index as usize];
            prop_assert!(verify(&root, n, index, own, &proof));
            if other != index {
                prop_assert!(!verify(&root, n, other, own, &proof), "another index");
                prop_assert!(!verify(&root, n, index, leaves[other as usize], &proof), "another leaf");
            }
            prop_assert!(!verify(&[9; 32], n, index, own, &proof), "another root");
            let mut long = proof.clone();
            long.push([0; 32]);
            prop_assert!(!verify(&root, n, index, own, &long), "a longer proof");
        }
    }

    #[test]
    fn an_inner_node_is_not_a_leaf() {
        let leaves = leaves(4);
        let root = root(&leaves);
        let inner = node(&leaves[0], &leaves[1]);
        let sibling = node(&leaves[2], &leaves[3]);
        assert!(!verify(&root, 4, 0, inner, &[sibling]));
        assert!(!verify(&root, 0, 0, root, &[]));
    }
}
