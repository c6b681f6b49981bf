//! What the two layouts share: the discriminator, the offset of the version, and the check that
//! stops the code of one layout from reading an account of the other.
use anchor_lang::prelude::*;

use crate::error::VaultError;

/// `sha256("account:Vault")[..8]`, the same in every layout.
pub const DISCRIMINATOR: [u8; 8] = [0xd3, 0x08, 0xe8, 0x2b, 0x02, 0x98, 0x75, 0x77];
/// Offset of the version in bytes.
pub const VERSION_OFFSET: usize = 8;
/// Bytes of the version, little-endian.
pub const VERSION_WIDTH: usize = 2;

/// The version that a vault's bytes carry.
///
/// # Errors
/// [`VaultError::NotAVault`].
pub fn version_of(data: &[u8]) -> Result<u16> {
    let (disc, rest) = data.split_first_chunk::<8>().ok_or(VaultError::NotAVault)?;
    require!(*disc == DISCRIMINATOR, VaultError::NotAVault);
    let version = rest.first_chunk::<VERSION_WIDTH>().ok_or(VaultError::NotAVault)?;
    Ok(u16::from_le_bytes(*version))
}

/// Reads `data` as layout `version`; any other version is an error.
///
/// # Errors
/// [`VaultError::NotAVault`], [`VaultError::NeedsMigration`] or [`VaultError::NewerLayout`].
pub fn decode<V: AnchorDeserialize>(data: &mut &[u8], version: u16) -> Result<V> {
    let stored = version_of(data)?;
    require!(stored >= version, VaultError::NeedsMigration);
    require!(stored <= version, VaultError::NewerLayout);
    decode_unchecked(data)
}

/// Reads `data` behind the discriminator without checking the version: for an account that is being
/// created.
///
/// # Errors
/// [`VaultError::NotAVault`].
pub fn decode_unchecked<V: AnchorDeserialize>(data: &mut &[u8]) -> Result<V> {
    let (_, body) = data.split_first_chunk::<8>().ok_or(VaultError::NotAVault)?;
    *data = body;
    V::deserialize(data).map_err(|_| VaultError::NotAVault.into())
}

/// The data of an account that holds `vault`.
///
/// # Errors
/// Only when serialisation fails, which only a lack of memory can cause.
pub fn encode<V: AnchorSerialize>(vault: &V) -> Result<Vec<u8>> {
    let mut out = DISCRIMINATOR.to_vec();
    vault.serialize(&mut out)?;
    Ok(out)
}

/// Makes `$vault` an Anchor account whose version is checked before its bytes are read.
macro_rules! versioned_account {
    ($vault:ty, $version:expr) => {
        impl Discriminator for $vault {
            const DISCRIMINATOR: &'static [u8] = &$crate::layout::DISCRIMINATOR;
        }
        impl Owner for $vault {
            fn owner() -> Pubkey {
                $crate::ID
            }
        }
        impl AccountSerialize for $vault {
            fn try_serialize<W: std::io::Write>(&self, writer: &mut W) -> Result<()> {
                let bytes = $crate::layout::encode(self)?;
                writer.write_all(&bytes).map_err(|_| ErrorCode::AccountDidNotSerialize.into())
            }
        }
        impl AccountDeserialize for $vault {
            fn try_deserialize(buf: &mut &[u8]) -> Result<Self> {
                $crate::layout::decode(buf, $version)
            }
            fn try_deserialize_unchecked(buf: &mut &[u8]) -> Result<Self> {
                $crate::layout::decode_unchecked(buf)
            }
        }
    };
}
pub(crate) use versioned_account;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{v1, v2};
    use solana_sha256_hasher::hash;

    #[test]
    fn the_discriminator_follows_anchors_formula() {
        assert_eq!(hash(b"account:Vault").to_bytes()[..8], DISCRIMINATOR);
    }

    #[test]
    fn neither_layout_reads_the_other() {
        let old = v1::Vault::new(3, Pubkey::new_from_array([7; 32]), 9);
        let new = v2::Vault::from(old.clone());
        let (old, new) = (encode(&old).unwrap(), encode(&new).unwrap());
        let as_new = v2::Vault::try_deserialize(&mut &old[..]).unwrap_err();
        assert_eq!(as_new, VaultError::NeedsMigration.into());
        let as_old = v1::Vault::try_deserialize(&mut &new[..]).unwrap_err();
        assert_eq!(as_old, VaultError::NewerLayout.into());
    }

    #[test]
    fn a_short_or_foreign_account_is_no_vault() {
        let bytes = encode(&v1::Vault::new(3, Pubkey::default(), 9)).unwrap();
        for n in 0..bytes.len() {
            assert!(v1::Vault::try_deserialize(&mut &bytes[..n]).is_err(), "{n} bytes");
        }
        let mut foreign = bytes;
        foreign[0] ^= 1;
        assert!(v1::Vault::try_deserialize(&mut &foreign[..]).is_err());
    }
}
