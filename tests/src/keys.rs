//! Key pairs by name. A name gives the same key in every test, so an address in a log can be
//! traced.
use sha2::{Digest, Sha256};
use solana_keypair::Keypair;
use solana_pubkey::Pubkey;
use solana_signer::Signer;

/// The key pair called `name`.
pub fn key(name: &str) -> Keypair {
    Keypair::new_from_array(Sha256::digest(format!("control-room-tests/{name}")).into())
}

/// The address of the key pair called `name`.
pub fn address(name: &str) -> Pubkey {
    key(name).pubkey()
}

/// The development key pair of a program of this workspace; public, like its seed.
pub fn program_key(name: &str) -> Keypair {
    let seed = format!("program-upgrade-control-room/dev-program-id/{name}");
    Keypair::new_from_array(Sha256::digest(seed).into())
}
