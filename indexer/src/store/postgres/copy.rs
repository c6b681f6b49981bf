//! Encodes rows in the binary format of Postgres' COPY: a header; each row as its column count and each
//! column as length and bytes; a trailer. All numbers are big-endian.
use super::{fault::PostgresFault, read::int};
use crate::account::Update;

/// The columns of a row, in the order in which [`Rows::push`] writes them.
pub const COLUMNS: &str = "pubkey, kind, program, proposal, account, status, version, data_hash, raw, slot, write_version";
const COUNT: i16 = 11;
const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
const END: i16 = -1;
const NULL: i32 = -1;

/// Encoded rows that are not sent yet.
pub struct Rows(Vec<u8>);

impl Rows {
    /// An empty stream: the header.
    pub fn start() -> Self {
        Self(HEADER.to_vec())
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The unsent bytes. Call [`Self::clear`] after sending them.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// Appends the trailer.
    pub fn end(&mut self) {
        self.0.extend_from_slice(&END.to_be_bytes());
    }

    pub fn push(&mut self, u: &Update) -> Result<(), PostgresFault> {
        let f = &u.facets;
        self.0.extend_from_slice(&COUNT.to_be_bytes());
        self.column(Some(u.pubkey.as_ref()))?;
        self.column(Some(f.kind.name().as_bytes()))?;
        for key in [&f.program, &f.proposal, &f.account] {
            self.column(key.as_ref().map(AsRef::as_ref))?;
        }
        self.column(f.status.map(str::as_bytes))?;
        self.column(f.version.map(|v| i32::from(v).to_be_bytes()).as_ref().map(|b| &b[..]))?;
        self.column(Some(&u.data_hash))?;
        self.column(Some(&u.raw))?;
        self.column(Some(&int(u.slot)?.to_be_bytes()))?;
        self.column(Some(&int(u.write_version)?.to_be_bytes()))
    }

    fn column(&mut self, value: Option<&[u8]>) -> Result<(), PostgresFault> {
        let Some(value) = value else {
            self.0.extend_from_slice(&NULL.to_be_bytes());
            return Ok(());
        };
        let len = i32::try_from(value.len())
            .map_err(|_| PostgresFault::Corrupt(format!("an account has {} bytes", value.len())))?;
        self.0.extend_from_slice(&len.to_be_bytes());
        self.0.extend_from_slice(value);
        Ok(())
    }
}
