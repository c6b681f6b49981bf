//! Which bytes count as code, and their hashes.
use super::*;
use proptest::prelude::*;

proptest! {
    #[test]
    fn only_the_length_up_to_the_last_nonzero_byte_is_accepted(
        body in prop::collection::vec(any::<u8>(), 0..60),
        padding in 0usize..20,
        claim in 0u32..90,
    ) {
        let mut elf = body.clone();
        elf.extend(vec![0; padding]);
        let right = elf.iter().rposition(|b| *b != 0).map_or(0, |at| at + 1);
        let fits = claim as usize == right && right > 0;
        prop_assert_eq!(trimmed(&elf, claim).is_ok(), fits);
        prop_assert_eq!(all_zero(&elf), right == 0);
    }
}

#[test]
fn code_followed_by_anything_but_zeros_is_not_the_same() {
    assert!(require_same_code(b"code", b"code").is_ok());
    assert!(require_same_code(b"code", b"code\0\0").is_ok());
    assert!(require_same_code(b"code", b"code\0\x01").is_err());
    assert!(require_same_code(b"code", b"cod").is_err());
    assert!(require_same_code(b"code", b"cope").is_err());
}

#[test]
fn an_elf_is_hashed_whole_up_to_the_limit_and_in_chunks_above() {
    assert!(elf_hash(b"\x7fELF").is_ok());
    assert!(elf_hash(b"ELF\x7f").is_err());
    let mut large = vec![1; MAX_ELF_LEN + 1];
    large[..4].copy_from_slice(ELF_MAGIC);
    let (whole, above) = (&large[..MAX_INLINE_LEN], &large[..=MAX_INLINE_LEN]);
    assert!(elf_hash(above).is_err());
    assert_eq!(code_hash(whole).unwrap(), elf_hash(whole).unwrap());
    let mut acc = [0; 32];
    for (index, chunk) in
        [(0, 0..CHUNK_LEN), (1, CHUNK_LEN..2 * CHUNK_LEN), (2, 2 * CHUNK_LEN..above.len())]
    {
        acc = add_chunk(&acc, index, &above[chunk]);
    }
    assert_eq!(code_hash(above).unwrap(), chunked_hash(&acc, above.len() as u32));
    assert!(code_hash(&large[..MAX_ELF_LEN]).is_ok());
    assert!(code_hash(&large).is_err(), "no program can have it");
    large[0] = 0;
    assert!(code_hash(&large[..=MAX_INLINE_LEN]).is_err(), "not an ELF");
}
