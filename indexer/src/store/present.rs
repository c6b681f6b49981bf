//! The addresses in a snapshot, in little memory: 32 bytes each, in sorted blocks. A hash set of a
//! million addresses would take more than twice that, and four times while it grows.
use solana_pubkey::Pubkey;

/// Addresses of one block: a megabyte.
const BLOCK: usize = 1 << 15;

/// A set of addresses.
#[derive(Clone, Debug, Default)]
pub struct Present {
    /// Sorted, without doubles.
    blocks: Vec<Vec<[u8; 32]>>,
    /// In order of arrival.
    open: Vec<[u8; 32]>,
}

impl Present {
    /// Takes `pubkey` in.
    pub fn insert(&mut self, pubkey: &Pubkey) {
        if self.open.capacity() == 0 {
            self.open.reserve_exact(BLOCK);
        }
        self.open.push(pubkey.to_bytes());
        if self.open.len() == BLOCK {
            self.close_block();
        }
    }

    /// To be called when all are in, before anything is asked.
    pub fn seal(&mut self) {
        self.close_block();
    }

    fn close_block(&mut self) {
        let mut block = std::mem::take(&mut self.open);
        block.sort_unstable();
        block.dedup();
        if !block.is_empty() {
            self.blocks.push(block);
        }
    }

    /// Whether `pubkey` was taken in before [`Self::seal`].
    #[must_use]
    pub fn contains(&self, pubkey: &Pubkey) -> bool {
        self.blocks.iter().any(|block| block.binary_search(pubkey.as_array()).is_ok())
    }

    /// How many were taken in; one that came twice in different blocks counts twice.
    #[must_use]
    pub fn len(&self) -> u64 {
        let n = self.blocks.iter().map(Vec::len).sum::<usize>().saturating_add(self.open.len());
        u64::try_from(n).unwrap_or(u64::MAX)
    }

    /// Whether nothing was taken in.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl FromIterator<Pubkey> for Present {
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
    fn what_was_taken_in_is_found_and_nothing_else_across_blocks() {
        let n = u32::try_from(BLOCK).unwrap() * 2 + 7;
        let present: Present = (0..n).map(key).collect();
        assert_eq!(present.len(), u64::from(n));
        assert!((0..n).all(|n| present.contains(&key(n))));
        assert!((n..n + 1_000).all(|n| !present.contains(&key(n))));
    }

    #[test]
    fn an_empty_set_holds_nothing() {
        let present: Present = [].into_iter().collect();
        assert!(present.is_empty() && !present.contains(&key(1)));
    }
}
