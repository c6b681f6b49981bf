//! The archive in a folder: content-addressed files, synced to disk, read back and verified.
use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicU64, Ordering},
};

use sha2::{Digest, Sha256};
use solana_pubkey::Pubkey;

use crate::{
    archive::Archive,
    error::{BackendError, Result},
    preflight::manifest::{ManifestLeaf, manifest_root},
};

/// An archive in a folder: `PROGRAM/accounts/ab/abcd….bin` and `PROGRAM/manifests/ROOT.bin`.
#[derive(Debug)]
pub struct FileArchive {
    dir: PathBuf,
}

static NEXT_TEMP: AtomicU64 = AtomicU64::new(0);

impl FileArchive {
    /// The archive in the folder `dir`. Only the first write creates it: a vote or a veto archives nothing
    /// and must not fail because the disk is full or read-only.
    #[must_use]
    pub fn at(dir: &Path) -> Self {
        Self { dir: dir.to_owned() }
    }

    fn account_path(&self, program: &Pubkey, sha256: &[u8; 32]) -> PathBuf {
        let name = hex::encode(sha256);
        let shard = name.get(..2).unwrap_or_default();
        self.dir.join(program.to_string()).join("accounts").join(shard).join(format!("{name}.bin"))
    }

    fn manifest_path(&self, program: &Pubkey, root: &[u8; 32]) -> PathBuf {
        let name = format!("{}.bin", hex::encode(root));
        self.dir.join(program.to_string()).join("manifests").join(name)
    }
}

fn failed(path: &Path, error: &io::Error) -> BackendError {
    BackendError::Archive { path: path.to_owned(), reason: error.to_string() }
}

fn corrupt(path: &Path) -> BackendError {
    let reason = "the file's content does not have the hash it is named after; restore it from a \
                  copy of the archive"
        .into();
    BackendError::Archive { path: path.to_owned(), reason }
}

fn read(path: &Path) -> Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(failed(path, &e)),
    }
}

/// Writes a temporary file, syncs it, renames it, and syncs every folder that may be new. A kill at any
/// moment leaves the old file or the new one.
fn write(root: &Path, path: &Path, bytes: &[u8]) -> Result<()> {
    let dir = path.parent().unwrap_or(root);
    let existing = dir.ancestors().find(|folder| folder.exists()).unwrap_or(root).to_owned();
    fs::create_dir_all(dir).map_err(|e| failed(dir, &e))?;
    let n = NEXT_TEMP.fetch_add(1, Ordering::Relaxed);
    let temp = dir.join(format!(".{}-{n}.tmp", process::id()));
    let done = (|| {
        let mut file = fs::File::create(&temp)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&temp, path)?;
        for folder in dir.ancestors() {
            fs::File::open(folder)?.sync_all()?;
            if root.starts_with(folder) && existing.starts_with(folder) {
                break;
            }
        }
        Ok(())
    })();
    done.map_err(|e: io::Error| {
        let _ = fs::remove_file(&temp);
        failed(path, &e)
    })
}

fn hash(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

fn encode(leaves: &[ManifestLeaf]) -> Vec<u8> {
    leaves.iter().flat_map(|l| [l.account.to_bytes(), l.old_hash].concat()).collect()
}

fn decode(bytes: &[u8]) -> Option<Vec<ManifestLeaf>> {
    let leaf = |chunk: &[u8]| {
        let (account, old_hash) = chunk.split_first_chunk::<32>()?;
        let old_hash = old_hash.try_into().ok()?;
        Some(ManifestLeaf { account: Pubkey::new_from_array(*account), old_hash })
    };
    bytes.chunks(64).map(leaf).collect()
}

impl Archive for FileArchive {
    fn put(&self, program: &Pubkey, sha256: &[u8; 32], bytes: &[u8]) -> Result<()> {
        let path = self.account_path(program, sha256);
        if hash(bytes) != *sha256 {
            let reason = "bytes were to be stored under a hash they do not have".into();
            return Err(BackendError::Archive { path, reason });
        }
        if read(&path)?.as_deref() == Some(bytes) {
            return Ok(());
        }
        write(&self.dir, &path, bytes)?;
        match read(&path)? {
            Some(back) if hash(&back) == *sha256 => Ok(()),
            _ => Err(corrupt(&path)),
        }
    }

    fn get(&self, program: &Pubkey, sha256: &[u8; 32]) -> Result<Option<Vec<u8>>> {
        let path = self.account_path(program, sha256);
        match read(&path)? {
            Some(bytes) if hash(&bytes) != *sha256 => Err(corrupt(&path)),
            found => Ok(found),
        }
    }

    fn put_manifest(&self, program: &Pubkey, leaves: &[ManifestLeaf]) -> Result<[u8; 32]> {
        let root = manifest_root(leaves);
        let (path, bytes) = (self.manifest_path(program, &root), encode(leaves));
        if read(&path)?.as_deref() != Some(&bytes) {
            write(&self.dir, &path, &bytes)?;
        }
        match self.get_manifest(program, &root)? {
            Some(_) => Ok(root),
            None => Err(corrupt(&path)),
        }
    }

    fn get_manifest(&self, program: &Pubkey, root: &[u8; 32]) -> Result<Option<Vec<ManifestLeaf>>> {
        let path = self.manifest_path(program, root);
        let Some(bytes) = read(&path)? else { return Ok(None) };
        let leaves = decode(&bytes).ok_or_else(|| corrupt(&path))?;
        if manifest_root(&leaves) == *root { Ok(Some(leaves)) } else { Err(corrupt(&path)) }
    }

    fn check_writable(&self) -> Result<()> {
        let path = self.dir.join(format!(".{}-writable", process::id()));
        write(&self.dir, &path, b"")?;
        fs::remove_file(&path).map_err(|e| failed(&path, &e))
    }

    fn location(&self) -> String {
        self.dir.display().to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn archive() -> (tempfile::TempDir, FileArchive) {
        let dir = tempfile::tempdir().unwrap();
        let archive = FileArchive::at(&dir.path().join("deep/archive"));
        (dir, archive)
    }

    fn program() -> Pubkey {
        Pubkey::new_from_array([3; 32])
    }

    #[test]
    fn reading_an_archive_creates_no_folder() {
        let (dir, archive) = archive();
        assert!(archive.get(&program(), &[7; 32]).unwrap().is_none());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    fn leaves(n: u8) -> Vec<ManifestLeaf> {
        (0..n)
            .map(|i| ManifestLeaf { account: Pubkey::new_from_array([i; 32]), old_hash: [i; 32] })
            .collect()
    }

    #[test]
    fn get_returns_what_was_put_and_nothing_else() {
        let (_dir, archive) = archive();
        let bytes = vec![7; 300];
        archive.put(&program(), &hash(&bytes), &bytes).unwrap();
        archive.put(&program(), &hash(&bytes), &bytes).unwrap();
        assert_eq!(archive.get(&program(), &hash(&bytes)).unwrap(), Some(bytes.clone()));
        assert_eq!(archive.get(&program(), &[0; 32]).unwrap(), None);
        assert_eq!(archive.get(&Pubkey::default(), &hash(&bytes)).unwrap(), None);
        assert!(archive.put(&program(), &[1; 32], &bytes).is_err(), "a hash the bytes lack");
    }

    #[test]
    fn corrupt_bytes_are_reported_and_replaced_by_the_next_put() {
        let (_dir, archive) = archive();
        let bytes = vec![7; 300];
        archive.put(&program(), &hash(&bytes), &bytes).unwrap();
        let path = archive.account_path(&program(), &hash(&bytes));
        for rot in [vec![7; 299], vec![7; 301], vec![], vec![8; 300]] {
            fs::write(&path, &rot).unwrap();
            let error = archive.get(&program(), &hash(&bytes)).unwrap_err().to_string();
            assert!(error.contains("does not have the hash"), "{error}");
        }
        archive.put(&program(), &hash(&bytes), &bytes).unwrap();
        assert_eq!(archive.get(&program(), &hash(&bytes)).unwrap(), Some(bytes));
    }

    #[test]
    fn a_manifest_is_read_in_order_or_refused() {
        let (_dir, archive) = archive();
        let root = archive.put_manifest(&program(), &leaves(9)).unwrap();
        assert_eq!(archive.get_manifest(&program(), &root).unwrap(), Some(leaves(9)));
        assert_eq!(archive.get_manifest(&program(), &[5; 32]).unwrap(), None);
        let path = archive.manifest_path(&program(), &root);
        let mut bytes = fs::read(&path).unwrap();
        bytes[70] ^= 1;
        fs::write(&path, &bytes).unwrap();
        assert!(archive.get_manifest(&program(), &root).is_err());
        fs::write(&path, &bytes[..100]).unwrap();
        assert!(archive.get_manifest(&program(), &root).is_err());
    }

    #[test]
    fn check_writable_refuses_an_archive_that_cannot_be_written() {
        let (_dir, archive) = archive();
        archive.check_writable().unwrap();
        fs::remove_dir_all(&archive.dir).unwrap();
        fs::write(&archive.dir, b"a file in the way").unwrap();
        assert!(archive.check_writable().is_err());
        assert!(archive.put(&program(), &hash(b"x"), b"x").is_err());
    }
}
