//! The sandbox's keys: five members, the deployer, and the published development keys behind the two
//! programs' addresses. They are worth nothing outside this chain; the files are private anyway,
//! because key files are.
use std::{
    fs::{self, DirBuilder},
    io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context, Result, anyhow, ensure};
use backend::{FileSigner, KeypairSigner, Signer};
use sha2::{Digest, Sha256};
use solana_keypair::{Keypair, keypair_from_seed};
use solana_pubkey::Pubkey;

/// Members of the sandbox's multisig.
pub const MEMBERS: usize = 5;

/// A key and the Solana-CLI file it is saved in.
#[derive(Clone)]
pub struct KeyFile {
    /// The file.
    pub path: PathBuf,
    /// The key.
    pub signer: Arc<dyn Signer>,
}

/// Every key that is not an end user's.
pub struct Keys {
    /// The members, in the order of their addresses, which is the order on screen.
    pub members: Vec<KeyFile>,
    /// Deploys, uploads buffers, and holds the upgrade authority until registration.
    pub deployer: KeyFile,
    /// Gets an upgrade's surplus lamports. Its secret key is not kept.
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
        let mut made = Vec::with_capacity(MEMBERS);
        for n in 1..=MEMBERS {
            let path = dir.join(format!("new-{n}.json"));
            made.push((fresh(&path)?, path));
        }
        made.sort_by_key(|(signer, _)| signer.pubkey());
        let mut members = Vec::with_capacity(MEMBERS);
        for (n, (signer, path)) in (1..).zip(made) {
            let named = dir.join(format!("member-{n}.json"));
            fs::rename(&path, &named)
                .with_context(|| format!("{} cannot be written.", named.display()))?;
            members.push(KeyFile { path: named, signer });
        }
        let path = dir.join("deployer.json");
        let deployer = KeyFile { signer: fresh(&path)?, path };
        Ok(Self { members, deployer, treasury: new_key().pubkey() })
    }
}

/// A random key that lives in this process only.
#[must_use]
pub fn new_key() -> Arc<dyn Signer> {
    Arc::new(KeypairSigner::new(Keypair::new()))
}

/// The development key behind the address of `program`, `upgrade-manager` or `demo-vault`. Anyone
/// can compute it: it proves nothing, it only gives the programs the addresses their code declares.
///
/// # Errors
/// The key does not belong to `expected`: the program declares another address.
pub fn program_key(program: &str, expected: &Pubkey) -> Result<Arc<dyn Signer>> {
    let seed = Sha256::digest(format!("program-upgrade-control-room/dev-program-id/{program}"));
    let key = keypair_from_seed(&seed)
        .map_err(|e| anyhow!("The development key of {program} cannot be made: {e}"))?;
    let signer = KeypairSigner::new(key);
    ensure!(
        signer.pubkey() == *expected,
        "{program} declares the address {expected}, but its development key is {}.",
        signer.pubkey()
    );
    Ok(Arc::new(signer))
}

/// Removes the key file that an earlier chain may have left at `path`.
///
/// # Errors
/// It cannot be removed.
pub fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => {
            Err(e).with_context(|| format!("{} cannot be replaced.", path.display()))
        }
        _ => Ok(()),
    }
}

/// A new key in `path`, in place of an earlier chain's.
fn fresh(path: &Path) -> Result<Arc<dyn Signer>> {
    remove(path)?;
    Ok(Arc::new(FileSigner::create(path)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_files_are_ordered_and_those_of_an_earlier_chain_are_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let earlier = Keys::create(dir.path()).unwrap();
        let keys = Keys::create(dir.path()).unwrap();
        let mut last = Pubkey::default();
        for saved in &keys.members {
            assert!(saved.signer.pubkey() > last);
            last = saved.signer.pubkey();
        }
        for saved in keys.members.iter().chain([&keys.deployer]) {
            let read = FileSigner::open(&saved.path).unwrap();
            assert_eq!(read.pubkey(), saved.signer.pubkey());
            assert!(earlier.members.iter().all(|old| old.signer.pubkey() != read.pubkey()));
        }
        assert_eq!(fs::read_dir(dir.path().join("keys")).unwrap().count(), MEMBERS + 1);
    }

    #[test]
    fn the_development_keys_are_those_of_the_declared_addresses() {
        program_key("upgrade-manager", &upgrade_manager::ID).unwrap();
        program_key("demo-vault", &demo_vault::ID).unwrap();
        assert!(program_key("another", &demo_vault::ID).is_err());
    }
}
