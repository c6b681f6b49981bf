//! Serde encodings of addresses, hashes, signatures and bytes in a recording.
use serde::{Deserialize, Deserializer, Serializer, de::Error};

/// An address in base58.
pub mod key {
    use solana_pubkey::Pubkey;

    use super::{Deserialize, Deserializer, Error, Serializer};

    pub fn serialize<S: Serializer>(key: &Pubkey, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(key)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Pubkey, D::Error> {
        let text = String::deserialize(d)?;
        text.parse().map_err(|_| D::Error::custom(format!("{text:?} is no address")))
    }
}

/// Addresses in base58.
pub mod keys {
    use serde::ser::SerializeSeq;
    use solana_pubkey::Pubkey;

    use super::{Deserialize, Deserializer, Error, Serializer};

    pub fn serialize<S: Serializer>(keys: &[Pubkey], s: S) -> Result<S::Ok, S::Error> {
        let mut out = s.serialize_seq(Some(keys.len()))?;
        for key in keys {
            out.serialize_element(&key.to_string())?;
        }
        out.end()
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<Pubkey>, D::Error> {
        let read = |text: String| {
            text.parse().map_err(|_| D::Error::custom(format!("{text:?} is no address")))
        };
        Vec::<String>::deserialize(d)?.into_iter().map(read).collect()
    }
}

/// 32 bytes in base58.
pub mod hash {
    use super::{Deserialize, Deserializer, Error, Serializer};

    pub fn serialize<S: Serializer>(hash: &[u8; 32], s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&bs58::encode(hash).into_string())
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<[u8; 32], D::Error> {
        let text = String::deserialize(d)?;
        let bytes = bs58::decode(&text).into_vec().ok().and_then(|b| b.try_into().ok());
        bytes.ok_or_else(|| D::Error::custom(format!("{text:?} is no hash")))
    }
}

/// A signature in base58.
pub mod signature {
    use solana_signature::Signature;

    use super::{Deserialize, Deserializer, Error, Serializer};

    pub fn serialize<S: Serializer>(signature: &Signature, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(signature)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Signature, D::Error> {
        let text = String::deserialize(d)?;
        text.parse().map_err(|_| D::Error::custom(format!("{text:?} is no signature")))
    }
}

/// Bytes in base64.
pub mod bytes {
    use base64::{Engine, prelude::BASE64_STANDARD};

    use super::{Deserialize, Deserializer, Error, Serializer};

    pub fn serialize<S: Serializer>(bytes: &[u8], s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&BASE64_STANDARD.encode(bytes))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(d)?;
        BASE64_STANDARD.decode(&text).map_err(|e| D::Error::custom(format!("no base64: {e}")))
    }
}
