//! Address, slot and content hash of every mirrored account, in 80 bytes each: 80 MB for a million. The
//! chain's accounts are compared one by one in any order and are not kept.
use sha2::{Digest, Sha256};
use solana_pubkey::Pubkey;

use crate::store::{RawRow, Result, Store};

/// Rows of one page.
const PAGE_ROWS: u32 = 1_000;

/// The live accounts of a mirror.
#[derive(Debug, Default)]
pub(super) struct MirrorHashes {
    /// Ascending by address, across and within pages.
    pages: Vec<Vec<Held>>,
}

/// One account.
#[derive(Clone, Copy, Debug)]
struct Held {
    pubkey: [u8; 32],
    hash: [u8; 32],
    /// Slot of its state.
    slot: u64,
    /// Whether the chain has it.
    seen: bool,
}

/// How an account on chain compares with the mirror.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    /// The same bytes.
    Equal,
    /// Other bytes.
    Other,
    /// The mirror does not have it.
    Missing,
    /// It was compared before.
    Again,
}

impl MirrorHashes {
    /// Reads all live accounts of `store`.
    pub(super) async fn read(store: &dyn Store) -> Result<Self> {
        let mut mirror = Self::default();
        let mut after = None;
        loop {
            let page = store.rows(after, PAGE_ROWS).await?;
            let Some(last) = page.last() else { return Ok(mirror) };
            after = Some(last.pubkey);
            mirror.add(&page);
        }
    }

    fn add(&mut self, page: &[RawRow]) {
        let held = |row: &RawRow| Held {
            pubkey: row.pubkey.to_bytes(),
            hash: Sha256::digest(&row.raw).into(),
            slot: row.slot,
            seen: false,
        };
        self.pages.push(page.iter().map(held).collect());
    }

    /// Compares `pubkey` with these bytes on chain.
    pub(super) fn compare(&mut self, pubkey: &Pubkey, data: &[u8]) -> Comparison {
        let key = pubkey.as_array();
        let behind =
            self.pages.partition_point(|page| page.first().is_some_and(|h| h.pubkey <= *key));
        let page = behind.checked_sub(1).and_then(|at| self.pages.get_mut(at));
        let found = page.and_then(|page| {
            let at = page.binary_search_by(|held| held.pubkey.cmp(key)).ok()?;
            page.get_mut(at)
        });
        let Some(held) = found else { return Comparison::Missing };
        if std::mem::replace(&mut held.seen, true) {
            Comparison::Again
        } else if held.hash == <[u8; 32]>::from(Sha256::digest(data)) {
            Comparison::Equal
        } else {
            Comparison::Other
        }
    }

    /// The accounts that were never compared, with the slots of their states.
    pub(super) fn uncompared(&self) -> Vec<(Pubkey, u64)> {
        let uncompared = self.pages.iter().flatten().filter(|held| !held.seen);
        uncompared.map(|held| (Pubkey::new_from_array(held.pubkey), held.slot)).collect()
    }
}

/// The current row of `pubkey` in `store`.
pub(super) async fn row(store: &dyn Store, pubkey: &Pubkey) -> Result<Option<Vec<u8>>> {
    let mut before = pubkey.to_bytes();
    // `rows` starts after an address, so subtracts one from `pubkey`.
    let mut borrow = true;
    for byte in before.iter_mut().rev() {
        let (less, borrowed) = byte.overflowing_sub(u8::from(borrow));
        (*byte, borrow) = (less, borrowed);
    }
    let after = (!borrow).then(|| Pubkey::new_from_array(before));
    let rows = store.rows(after, 1).await?;
    Ok(rows.into_iter().find(|row| row.pubkey == *pubkey).map(|row| row.raw))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(n: u16) -> Pubkey {
        let mut bytes = [0; 32];
        bytes[..2].copy_from_slice(&n.to_be_bytes());
        Pubkey::new_from_array(bytes)
    }

    #[test]
    fn accounts_compare_in_any_order_and_the_others_stay_uncompared() {
        let rows: Vec<RawRow> = (0..1_000)
            .map(|n| RawRow { pubkey: key(2 * n), raw: n.to_le_bytes().to_vec(), slot: 1 })
            .collect();
        let mut mirror = MirrorHashes::default();
        rows.chunks(7).for_each(|page| mirror.add(page));
        for n in (0..1_000u16).rev().filter(|n| n % 10 != 3) {
            assert_eq!(mirror.compare(&key(2 * n + 1), &[]), Comparison::Missing);
            let expected = if n % 10 == 4 { Comparison::Other } else { Comparison::Equal };
            let data = if n % 10 == 4 { [9, 9] } else { n.to_le_bytes() };
            assert_eq!(mirror.compare(&key(2 * n), &data), expected);
            assert_eq!(mirror.compare(&key(2 * n), &data), Comparison::Again);
        }
        let uncompared: Vec<Pubkey> =
            mirror.uncompared().into_iter().map(|(pubkey, _)| pubkey).collect();
        let left: Vec<Pubkey> = (0..1_000).filter(|n| n % 10 == 3).map(|n| key(2 * n)).collect();
        assert_eq!(uncompared, left);
        assert_eq!(MirrorHashes::default().compare(&key(1), &[]), Comparison::Missing);
    }
}
