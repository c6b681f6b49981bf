//! What the mirror holds, in 80 bytes an account: its address, its slot and the hash of its bytes.
//! A million accounts are held in 80 MB, while the chain's side passes in any order and is not held
//! at all.
use sha2::{Digest, Sha256};
use solana_pubkey::Pubkey;

use crate::store::{RawRow, Result, Store};

/// Rows of one reading.
const PAGE_ROWS: u32 = 1_000;

/// The live accounts of a mirror.
#[derive(Debug, Default)]
pub(super) struct MirrorHashes {
    /// Ascending by address, all of them and within each page.
    pages: Vec<Vec<Held>>,
}

/// One account.
#[derive(Clone, Copy, Debug)]
struct Held {
    pubkey: [u8; 32],
    hash: [u8; 32],
    /// Slot of its state.
    slot: u64,
    /// Whether the chain told of it.
    seen: bool,
}

/// What the chain tells of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    /// What the mirror holds.
    Equal,
    /// Something else.
    Other,
    /// An account that the mirror does not hold.
    Missing,
    /// Something that it told before.
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

    /// The chain tells of `pubkey` with these bytes.
    pub(super) fn told(&mut self, pubkey: &Pubkey, data: &[u8]) -> Comparison {
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

    /// The accounts that the chain did not tell of, with the slots of their states.
    pub(super) fn untold(&self) -> Vec<(Pubkey, u64)> {
        let untold = self.pages.iter().flatten().filter(|held| !held.seen);
        untold.map(|held| (Pubkey::new_from_array(held.pubkey), held.slot)).collect()
    }
}

/// The row of `pubkey` as it is in `store` now.
pub(super) async fn row(store: &dyn Store, pubkey: &Pubkey) -> Result<Option<Vec<u8>>> {
    let mut before = pubkey.to_bytes();
    // One less: bytes that are zero borrow from the one before.
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
    fn every_account_is_found_in_its_page_in_any_order_and_what_was_not_told_is_left() {
        let rows: Vec<RawRow> = (0..1_000)
            .map(|n| RawRow { pubkey: key(2 * n), raw: n.to_le_bytes().to_vec(), slot: 1 })
            .collect();
        let mut mirror = MirrorHashes::default();
        rows.chunks(7).for_each(|page| mirror.add(page));
        for n in (0..1_000u16).rev().filter(|n| n % 10 != 3) {
            assert_eq!(mirror.told(&key(2 * n + 1), &[]), Comparison::Missing);
            let expected = if n % 10 == 4 { Comparison::Other } else { Comparison::Equal };
            let data = if n % 10 == 4 { [9, 9] } else { n.to_le_bytes() };
            assert_eq!(mirror.told(&key(2 * n), &data), expected);
            assert_eq!(mirror.told(&key(2 * n), &data), Comparison::Again);
        }
        let untold: Vec<Pubkey> = mirror.untold().into_iter().map(|(pubkey, _)| pubkey).collect();
        let left: Vec<Pubkey> = (0..1_000).filter(|n| n % 10 == 3).map(|n| key(2 * n)).collect();
        assert_eq!(untold, left);
        assert_eq!(MirrorHashes::default().told(&key(1), &[]), Comparison::Missing);
    }
}
