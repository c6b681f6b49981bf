//! The archive of old account bytes and manifests: addressed by their hash, synced to disk, read back and
//! verified. It does not decide what may be restored.
pub mod file;

use solana_pubkey::Pubkey;

use crate::{error::Result, preflight::manifest::ManifestLeaf};

/// Stores bytes under their sha256. When `put` returns, the bytes survive a power cut.
pub trait Archive: Send + Sync {
    /// Stores `bytes`, whose hash must be `sha256`; storing the same twice is fine.
    ///
    /// # Errors
    /// [`crate::error::BackendError::Archive`].
    fn put(&self, program: &Pubkey, sha256: &[u8; 32], bytes: &[u8]) -> Result<()>;

    /// The bytes with this hash, hashed again after reading.
    ///
    /// # Errors
    /// [`crate::error::BackendError::Archive`], also when what is stored does not have the hash any more.
    fn get(&self, program: &Pubkey, sha256: &[u8; 32]) -> Result<Option<Vec<u8>>>;

    /// Stores the leaves of a manifest under their root and returns the root.
    ///
    /// # Errors
    /// [`crate::error::BackendError::Archive`].
    fn put_manifest(&self, program: &Pubkey, leaves: &[ManifestLeaf]) -> Result<[u8; 32]>;

    /// The leaves under this root, which is computed again after reading.
    ///
    /// # Errors
    /// [`crate::error::BackendError::Archive`], also when what is stored does not lead to the root any more.
    fn get_manifest(&self, program: &Pubkey, root: &[u8; 32]) -> Result<Option<Vec<ManifestLeaf>>>;

    /// Checks, for preflights, that the archive can be written.
    ///
    /// # Errors
    /// [`crate::error::BackendError::Archive`].
    fn check_writable(&self) -> Result<()>;

    /// The archive's place, for operators.
    fn location(&self) -> String;
}
