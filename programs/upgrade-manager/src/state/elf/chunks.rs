//! The hash of an ELF that is too large for one transaction. It is computed chunk by chunk, because
//! no system call can continue a hash that another transaction began. Leaf, link and end are hashed
//! under different prefixes, so that none can be mistaken for another.
use solana_sha256_hasher::hashv;

/// Bytes of a chunk; the last one may be shorter.
pub const CHUNK_LEN: usize = 1024 * 1024;

const LEAF: &[u8] = &[0];
const LINK: &[u8] = &[1];
const END: &[u8] = &[2];

/// How many chunks `len` bytes have.
#[must_use]
pub const fn chunks(len: usize) -> usize {
    len.div_ceil(CHUNK_LEN)
}

/// The accumulator after chunk `index`. It starts as zeros.
#[must_use]
pub fn add_chunk(accumulator: &[u8; 32], index: u32, chunk: &[u8]) -> [u8; 32] {
    let leaf = hashv(&[LEAF, &index.to_le_bytes(), chunk]);
    hashv(&[LINK, accumulator, leaf.as_ref()]).to_bytes()
}

/// The hash of `len` bytes, given the `accumulator` after their last chunk.
#[must_use]
pub fn chunked_hash(accumulator: &[u8; 32], len: u32) -> [u8; 32] {
    hashv(&[END, &len.to_le_bytes(), accumulator]).to_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use solana_sha256_hasher::hash;

    fn sha(parts: &[&[u8]]) -> [u8; 32] {
        hash(&parts.concat()).to_bytes()
    }

    #[test]
    fn the_hash_follows_the_published_formula() {
        let (one, two) = (vec![3; CHUNK_LEN], [4; 5]);
        let leaf = sha(&[&[0], &[0, 0, 0, 0], &one]);
        let first = sha(&[&[1], &[0; 32], &leaf]);
        assert_eq!(add_chunk(&[0; 32], 0, &one), first);
        let leaf = sha(&[&[0], &[1, 0, 0, 0], &two]);
        let second = sha(&[&[1], &first, &leaf]);
        assert_eq!(add_chunk(&first, 1, &two), second);
        let len = u32::try_from(CHUNK_LEN + 5).unwrap();
        assert_eq!(chunked_hash(&second, len), sha(&[&[2], &len.to_le_bytes(), &second]));
    }

    #[test]
    fn every_byte_lies_in_one_chunk() {
        assert_eq!(chunks(0), 0);
        assert_eq!(chunks(1), 1);
        assert_eq!(chunks(CHUNK_LEN), 1);
        assert_eq!(chunks(CHUNK_LEN + 1), 2);
        assert_eq!(chunks(10 * CHUNK_LEN - 45), 10);
    }
}
