//! Signers and key files. Secret keys stay behind the trait [`signer::Signer`] and never leave this room.
mod key_file;
pub mod signer;
