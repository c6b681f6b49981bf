//! The checksum over all columns of an audit row. It holds no secret, so it does not stop a forger (a
//! published head of the hash chain does); it finds corruption and names the changed column.
use sha2::{Digest, Sha256};
use solana_pubkey::Pubkey;
use solana_signature::Signature;

use super::AuditRow;

/// Domain separator of the checksums.
const DOMAIN: &[u8] = b"upgrade-control-room/audit/row/v1";
/// Longest column in which a changed byte is searched for; longer ones would take too long.
const MAX_TRIED_LEN: usize = 2_048;

/// A column of a row: its name in the table, and its bytes or null.
type Column = (&'static str, Option<Vec<u8>>);

impl AuditRow {
    /// The correct [`AuditRow::row_checksum`]: the sum over every other column.
    #[must_use]
    pub fn expected_checksum(&self) -> [u8; 32] {
        let mut h = Sha256::new_with_prefix(DOMAIN);
        for (_, value) in self.columns() {
            add(&mut h, value.as_deref());
        }
        h.finalize().into()
    }

    /// The columns in table order.
    fn columns(&self) -> [Column; 13] {
        let signature = self.signature.parse::<Signature>().map_or_else(
            |_| self.signature.clone().into_bytes(),
            |signature| signature.as_ref().to_vec(),
        );
        let key = |key: Option<Pubkey>| key.map(|key| key.to_bytes().to_vec());
        [
            ("seq", Some(self.seq.to_le_bytes().to_vec())),
            ("slot", Some(self.slot.to_le_bytes().to_vec())),
            ("tx_index", Some(self.tx_index.to_le_bytes().to_vec())),
            ("ix_index", Some(self.ix_index.to_le_bytes().to_vec())),
            ("inner_index", Some(self.inner_index.to_le_bytes().to_vec())),
            ("signature", Some(signature)),
            ("block_time", self.time.map(|time| time.to_le_bytes().to_vec())),
            ("kind", Some(self.kind.clone().into_bytes())),
            ("actor", key(self.actor)),
            ("subject", key(self.subject)),
            ("payload", Some(self.payload.clone())),
            ("prev_hash", Some(self.prev_hash.to_vec())),
            ("hash", Some(self.hash.to_vec())),
        ]
    }

    /// The column in which one changed byte explains the wrong checksum, and its original value; [`None`]
    /// when more than one byte changed.
    pub(crate) fn changed_column(&self) -> Option<(&'static str, String)> {
        let sum = self.expected_checksum();
        if sum.iter().zip(&self.row_checksum).filter(|(a, b)| a != b).count() == 1 {
            return Some(("row_checksum", hex::encode(sum)));
        }
        let columns = self.columns();
        let mut before = Sha256::new_with_prefix(DOMAIN);
        for (at, (name, value)) in columns.iter().enumerate() {
            let behind = columns.get(at.saturating_add(1)..).unwrap_or_default();
            if let Some(value) = value.as_ref().filter(|v| v.len() <= MAX_TRIED_LEN)
                && let Some(right) = self.put_back(&before, value, behind)
            {
                return Some((name, shown(name, &right)));
            }
            add(&mut before, value.as_deref());
        }
        None
    }

    /// `value` with the one byte replaced that makes the checksum right, given the hash state `before` it
    /// and the columns `behind` it.
    fn put_back(&self, before: &Sha256, value: &[u8], behind: &[Column]) -> Option<Vec<u8>> {
        let mut tried = value.to_vec();
        for at in 0..value.len() {
            let is = *value.get(at)?;
            for other in (0..=u8::MAX).filter(|other| *other != is) {
                *tried.get_mut(at)? = other;
                let mut h = before.clone();
                add(&mut h, Some(&tried));
                for (_, value) in behind {
                    add(&mut h, value.as_deref());
                }
                if <[u8; 32]>::from(h.finalize()) == self.row_checksum {
                    return Some(tried);
                }
            }
            *tried.get_mut(at)? = is;
        }
        None
    }
}

/// Hashes a null marker, or length and bytes, so that two different rows never hash the same bytes.
fn add(h: &mut Sha256, value: Option<&[u8]>) {
    match value {
        None => h.update([0]),
        Some(bytes) => {
            h.update([1]);
            h.update(u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_le_bytes());
            h.update(bytes);
        }
    }
}

/// `bytes` of column `name` in readable form.
fn shown(name: &str, bytes: &[u8]) -> String {
    let number = |bytes: &[u8]| match bytes.len() {
        4 => bytes.first_chunk().map(|b| u32::from_le_bytes(*b).to_string()),
        8 => bytes.first_chunk().map(|b| i64::from_le_bytes(*b).to_string()),
        _ => None,
    };
    match name {
        "kind" => String::from_utf8_lossy(bytes).into_owned(),
        "signature" | "actor" | "subject" => bs58::encode(bytes).into_string(),
        "payload" | "prev_hash" | "hash" => hex::encode(bytes),
        _ => number(bytes).unwrap_or_else(|| hex::encode(bytes)),
    }
}
