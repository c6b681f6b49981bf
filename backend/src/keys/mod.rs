//! Who signs. Keys stay behind a trait and never leave this room.
mod key_file;
pub mod signer;
