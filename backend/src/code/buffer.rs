//! The content of a buffer, when an interrupted upload can go on with it.
use solana_pubkey::Pubkey;
use upgrade_manager::external::loader;

use crate::{
    chain::{client::ChainClient, read::RawAccount},
    error::{BackendError, Result},
    preflight::rule_check,
};

/// The bytes behind the header of `buffer`, `None` when there is no buffer yet.
pub(crate) async fn buffer_bytes(
    chain: &ChainClient,
    buffer: &Pubkey,
    owner: &Pubkey,
    len: usize,
) -> Result<Option<Vec<u8>>> {
    let found = chain.account(buffer).await?;
    found.map(|raw| resumable_bytes(&raw, buffer, owner, len)).transpose()
}

/// The bytes behind the header of `raw`, when `owner` can fill it with a file of `len` bytes.
pub(crate) fn resumable_bytes(
    raw: &RawAccount,
    buffer: &Pubkey,
    owner: &Pubkey,
    len: usize,
) -> Result<Vec<u8>> {
    let (what, address) = ("buffer", *buffer);
    let bad = |reason: String| BackendError::BadAccount { what, address, reason };
    let held = loader::buffer(&raw.owner, &raw.data).map_err(|e| bad(rule_check::sentence(&e)))?;
    if held.authority != Some(*owner) {
        return Err(bad(format!(
            "its authority is {}, not the signer {owner}; use another key file",
            held.authority.map_or("nobody".into(), |k| k.to_string())
        )));
    }
    if held.elf.len() != len {
        return Err(bad(format!(
            "it has room for {} bytes, the file has {len}; use another key file",
            held.elf.len()
        )));
    }
    Ok(held.elf.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_of_somebody_else_or_of_another_size_is_refused_by_name() {
        let (buffer, owner) = (Pubkey::new_from_array([1; 32]), Pubkey::new_from_array([2; 32]));
        let mut data = vec![1, 0, 0, 0, 1];
        data.extend([2; 32]);
        data.extend(b"code");
        let raw = RawAccount { owner: loader::ID, lamports: 1, data, executable: false };
        assert_eq!(resumable_bytes(&raw, &buffer, &owner, 4).unwrap(), b"code");
        for (owner, len) in [(buffer, 4), (owner, 5)] {
            let error = resumable_bytes(&raw, &buffer, &owner, len).unwrap_err().to_string();
            assert!(error.contains(&buffer.to_string()) && error.contains("another key file"));
        }
    }
}
