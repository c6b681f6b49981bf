//! When a blockhash has expired for certain. Pure: the node's numbers come in as values.
use std::time::Duration;

/// Blocks for which a blockhash can be used: `MAX_PROCESSING_AGE` of Agave's `solana-clock`.
const MAX_BLOCKHASH_AGE: u64 = 150;
/// The shortest time between two blocks of any chain: Solana takes 400 ms, the sandbox 10 ms or more.
const MIN_BLOCK_TIME: Duration = Duration::from_millis(5);

/// Slot and block height, from one answer of one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Heights {
    pub slot: u64,
    pub block_height: u64,
}

/// The node's answer about a blockhash when it was fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Expiry {
    /// The last block height at which the blockhash can be used.
    pub last_valid: u64,
    /// The slot of the bank that gave it.
    pub slot: u64,
}

impl Expiry {
    /// Whether `seen`, which the node answered `elapsed` after it gave the blockhash, proves that the
    /// blockhash cannot be used any more.
    ///
    /// A block height alone proves nothing: several nodes can be behind one address, and some providers
    /// answer with the slot instead, which is 22 million higher on mainnet. Every block takes a slot and
    /// some time, so a height that grew by more than the slot, or faster than any chain makes blocks, is
    /// wrong. A `last_valid` that is too low is detected in the same way: a blockhash expires 150 blocks
    /// after it was made, and fewer slots have passed.
    pub(crate) fn is_past(self, seen: Heights, elapsed: Duration) -> bool {
        let made_at = self.last_valid.saturating_sub(MAX_BLOCKHASH_AGE);
        let blocks = seen.block_height.saturating_sub(made_at);
        let slots = seen.slot.saturating_sub(self.slot);
        let least =
            u32::try_from(blocks).map_or(Duration::MAX, |n| MIN_BLOCK_TIME.saturating_mul(n));
        seen.block_height > self.last_valid && slots >= blocks && elapsed >= least
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIVEN: Expiry = Expiry { last_valid: 378_000_150, slot: 400_000_000 };
    const MINUTE: Duration = Duration::from_secs(60);

    fn after(slots: u64, blocks: u64) -> Heights {
        Heights { slot: 400_000_000 + slots, block_height: 378_000_000 + blocks }
    }

    #[test]
    fn a_blockhash_expires_one_block_after_its_last_valid_one() {
        assert!(!GIVEN.is_past(after(170, 150), MINUTE));
        assert!(GIVEN.is_past(after(170, 151), MINUTE));
        assert!(GIVEN.is_past(after(151, 151), MINUTE));
        let sandbox = Expiry { last_valid: 153, slot: 3 };
        assert!(sandbox.is_past(Heights { slot: 154, block_height: 154 }, MIN_BLOCK_TIME * 151));
    }

    #[test]
    fn a_height_that_grew_by_more_than_the_slot_is_implausible() {
        for blocks in [151, 200, 22_000_000] {
            assert!(!GIVEN.is_past(after(150, blocks), MINUTE), "{blocks}");
        }
        // The slot instead of the height, as some providers answer.
        let slot = Heights { slot: 400_000_010, block_height: 400_000_010 };
        assert!(!GIVEN.is_past(slot, MINUTE));
    }

    #[test]
    fn a_jump_of_slot_and_height_together_is_implausible() {
        assert!(!GIVEN.is_past(after(22_000_000, 22_000_000), MINUTE));
        assert!(!GIVEN.is_past(after(151, 151), Duration::from_millis(700)));
    }

    #[test]
    fn a_last_valid_height_that_is_too_low_does_not_expire_a_blockhash() {
        let low = Expiry { last_valid: 10, ..GIVEN };
        assert!(!low.is_past(after(100, 100), MINUTE));
        let a_little = Expiry { last_valid: GIVEN.last_valid - 100, ..GIVEN };
        assert!(!a_little.is_past(after(60, 60), MINUTE));
    }
}
