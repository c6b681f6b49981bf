//! The addresses of a snapshot in 32 bytes each. A hash set of a million addresses would take more than
//! twice that, and four times while it grows.
use solana_pubkey::Pubkey;

/// Addresses of one block: a megabyte.
const BLOCK_LEN: usize = 1 << 15;

/// A set of addresses.
#[derive(Clone, Debug, Default)]
pub struct PubkeySet {
    /// Sorted and deduplicated.
    sorted: Vec<[u8; 32]>,
    /// Unsorted, in order of arrival. Blocks, because one growing vector would be copied each time.
    blocks: Vec<Vec<[u8; 32]>>,
}

impl PubkeySet {
    /// Adds `pubkey`. It counts only after [`Self::seal`].
    pub fn insert(&mut self, pubkey: &Pubkey) {
        match self.blocks.last_mut() {
            Some(block) if block.len() < BLOCK_LEN => block.push(pubkey.to_bytes()),
            _ => {
                let mut block = Vec::with_capacity(BLOCK_LEN);
                block.push(pubkey.to_bytes());
                self.blocks.push(block);
            }
        }
    }

    /// Sorts the set. Must be called after the last insert and before any query.
    pub fn seal(&mut self) {
        if self.blocks.is_empty() {
            return;
        }
        let waiting = self.blocks.iter().map(Vec::len).sum();
        self.sorted.reserve_exact(waiting);
        // Frees each block before the next is copied.
        for block in std::mem::take(&mut self.blocks) {
            self.sorted.extend_from_slice(&block);
        }
        self.sorted.sort_unstable();
        self.sorted.dedup();
    }

    /// Whether `pubkey` was inserted before [`Self::seal`].
    #[must_use]
    pub fn contains(&self, pubkey: &Pubkey) -> bool {
        self.sorted.binary_search(pubkey.as_array()).is_ok()
    }

    /// The addresses inserted before [`Self::seal`], ascending.
    pub fn iter(&self) -> impl Iterator<Item = Pubkey> {
        self.sorted.iter().copied().map(Pubkey::new_from_array)
    }

    /// Number of addresses inserted before [`Self::seal`], without duplicates.
    #[must_use]
    pub fn len(&self) -> u64 {
        u64::try_from(self.sorted.len()).unwrap_or(u64::MAX)
    }

    /// Whether no address was inserted before [`Self::seal`].
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sorted.is_empty()
    }
}

impl FromIterator<Pubkey> for PubkeySet {
    fn from_iter<I: IntoIterator<Item = Pubkey>>(all: I) -> Self {
        let mut present = Self::default();
        all.into_iter().for_each(|pubkey| present.insert(&pubkey));
        present.seal();
        present
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(n: u32) -> Pubkey {
        let mut bytes = [0; 32];
        bytes[..4].copy_from_slice(&n.wrapping_mul(2_654_435_761).to_be_bytes());
        Pubkey::new_from_array(bytes)
    }

    #[test]
    fn only_inserted_pubkeys_are_found_across_blocks() {
        let n = u32::try_from(BLOCK_LEN).unwrap() * 2 + 7;
        let present: PubkeySet = (0..n).map(key).collect();
        assert_eq!(present.len(), u64::from(n));
        assert!((0..n).all(|n| present.contains(&key(n))));
        assert!((n..n + 1_000).all(|n| !present.contains(&key(n))));
    }

    #[test]
    fn duplicate_pubkeys_count_once() {
        let n = u32::try_from(BLOCK_LEN).unwrap() + 7;
        let mut present: PubkeySet = (0..n).chain(0..9).map(key).collect();
        assert_eq!(present.len(), u64::from(n));
        (5..12).chain(n..n + 3).for_each(|n| present.insert(&key(n)));
        present.seal();
        assert_eq!(present.len(), u64::from(n) + 3);
    }

    #[test]
    fn an_empty_set_holds_nothing() {
        let present: PubkeySet = [].into_iter().collect();
        assert!(present.is_empty() && !present.contains(&key(1)));
    }
}
