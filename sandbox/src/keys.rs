//! The sandbox's keys: five members, who deploys, and the published development keys behind the two
//! programs' addresses. They are worth nothing outside this chain; the files are private anyway,
//! because key files are.
use std::{
    fs::{DirBuilder, OpenOptions},
    io::Write,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};
use sha2::{Digest, Sha256};
use solana_keypair::{Keypair, keypair_from_seed};
use solana_pubkey::Pubkey;
use solana_signer::Signer;
use zeroize::Zeroizing;

/// Members of the sandbox's multisig.
pub const MEMBERS: usize = 5;

/// A key and the Solana-CLI file it is saved in.
pub struct Saved {
    /// The file.
    pub path: PathBuf,
    /// The key.
    pub key: Keypair,
}

/// Every key that is not an end user's.
pub struct Keys {
    /// The members, in the order of their addresses, which is the order on screen.
    pub members: Vec<Saved>,
    /// Deploys, uploads buffers, and holds the upgrade authority until registration.
    pub deployer: Saved,
    /// Gets an upgrade's surplus lamports. Nobody needs its key here.
    pub treasury: Pubkey,
}

impl Keys {
    /// New random keys, saved under `dir`/`keys`; those of an earlier chain are replaced.
    ///
    /// # Errors
    /// A folder or file that cannot be written.
    pub fn create(dir: &Path) -> Result<Self> {
        let dir = dir.join("keys");
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&dir)
            .with_context(|| format!("The key folder {} cannot be made.", dir.display()))?;
        let mut keys: Vec<Keypair> = (0..MEMBERS).map(|_| Keypair::new()).collect();
        keys.sort_by_key(|key| key.pubkey());
        let members = (1..)
            .zip(keys)
            .map(|(n, key)| save(dir.join(format!("member-{n}.json")), key))
            .collect::<Result<_>>()?;
        let deployer = save(dir.join("deployer.json"), Keypair::new())?;
        Ok(Self { members, deployer, treasury: Keypair::new().pubkey() })
    }
}

/// The development key behind the address of `program`, `upgrade-manager` or `demo-vault`. Anyone
/// can compute it: it proves nothing, it only gives the programs the addresses their code declares.
///
/// # Errors
/// The key does not belong to `expected`: the program declares another address.
pub fn program_key(program: &str, expected: &Pubkey) -> Result<Keypair> {
    let seed = Sha256::digest(format!("program-upgrade-control-room/dev-program-id/{program}"));
    let key = keypair_from_seed(&seed)
        .map_err(|e| anyhow::anyhow!("The development key of {program} cannot be made: {e}"))?;
    ensure!(
        key.pubkey() == *expected,
        "{program} declares the address {expected}, but its development key is {}.",
        key.pubkey()
    );
    Ok(key)
}

/// Writes `key` as the Solana CLI does, readable by its owner only.
fn save(path: PathBuf, key: Keypair) -> Result<Saved> {
    let write = || -> std::io::Result<()> {
        // A file left by an earlier chain may have other permissions; a new one has these.
        match std::fs::remove_file(&path) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        serde_json::to_writer(&mut file, &Zeroizing::new(key.to_bytes())[..])?;
        file.flush()
    };
    write().with_context(|| format!("The key file {} cannot be written.", path.display()))?;
    Ok(Saved { path, key })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn key_files_are_private_ordered_and_readable_by_the_solana_cli() {
        let dir = tempfile::tempdir().unwrap();
        Keys::create(dir.path()).unwrap();
        let keys = Keys::create(dir.path()).unwrap();
        let mut last = Pubkey::default();
        for saved in keys.members.iter().chain([&keys.deployer]) {
            let mode = std::fs::metadata(&saved.path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{}", saved.path.display());
            let read = solana_keypair::read_keypair_file(&saved.path).unwrap();
            assert_eq!(read.pubkey(), saved.key.pubkey());
        }
        for member in &keys.members {
            assert!(member.key.pubkey() > last);
            last = member.key.pubkey();
        }
    }

    #[test]
    fn the_development_keys_are_those_of_the_declared_addresses() {
        program_key("upgrade-manager", &upgrade_manager::ID).unwrap();
        program_key("demo-vault", &demo_vault::ID).unwrap();
        assert!(program_key("another", &demo_vault::ID).is_err());
    }
}
