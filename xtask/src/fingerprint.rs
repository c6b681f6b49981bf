//! A key for the content of files. It covers names relative to a folder, so that two checkouts of the same
//! sources have the same key.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use sha2::{Digest as _, Sha256};

/// Collects parts, in the order they are added.
#[derive(Debug, Default)]
pub struct Fingerprint(Sha256);

impl Fingerprint {
    pub fn text(mut self, text: &str) -> Self {
        self.part(text.as_bytes());
        self
    }

    /// Adds a file's content.
    pub fn file(mut self, path: &Path) -> Result<Self> {
        let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        self.part(&bytes);
        Ok(self)
    }

    /// Adds the files under `folder` with their names, except for those below a folder called like
    /// one of `skipped`.
    pub fn dir(mut self, folder: &Path, skipped: &[&str]) -> Result<Self> {
        for path in files(folder, skipped)? {
            let name = path.strip_prefix(folder).unwrap_or(&path);
            self.part(name.as_os_str().as_encoded_bytes());
            self = self.file(&path)?;
        }
        Ok(self)
    }

    /// The key: 32 hexadecimal digits.
    pub fn key(self) -> String {
        let mut key = hex::encode(self.0.finalize());
        key.truncate(32);
        key
    }

    /// Adds bytes with their length, so that parts cannot run into each other.
    fn part(&mut self, bytes: &[u8]) {
        self.0.update((bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
    }
}

/// The files under `folder` in a fixed order.
pub fn files(folder: &Path, skipped: &[&str]) -> Result<Vec<PathBuf>> {
    let mut found = vec![];
    let mut open = vec![folder.to_path_buf()];
    while let Some(folder) = open.pop() {
        let entries =
            fs::read_dir(&folder).with_context(|| format!("cannot list {}", folder.display()))?;
        for entry in entries {
            let entry = entry.with_context(|| format!("cannot list {}", folder.display()))?;
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            if !is_folder {
                found.push(entry.path());
            } else if !skipped.iter().any(|name| entry.file_name() == *name) {
                open.push(entry.path());
            }
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key_of(parts: &[&str]) -> String {
        parts.iter().fold(Fingerprint::default(), |print, part| print.text(part)).key()
    }

    #[test]
    fn keys_differ_where_content_or_its_division_does() {
        assert_eq!(key_of(&["ab", "c"]), key_of(&["ab", "c"]));
        assert_ne!(key_of(&["ab", "c"]), key_of(&["a", "bc"]));
        assert_eq!(key_of(&[]).len(), 32);
    }

    #[test]
    fn a_folder_counts_by_names_and_content_without_what_is_skipped() {
        let folder = std::env::temp_dir().join(format!("xtask-fingerprint-{}", std::process::id()));
        let key = || Fingerprint::default().dir(&folder, &["skip"]).unwrap().key();
        fs::create_dir_all(folder.join("skip")).unwrap();
        fs::write(folder.join("a"), "1").unwrap();
        let before = key();
        fs::write(folder.join("skip/b"), "2").unwrap();
        assert_eq!(key(), before);
        fs::rename(folder.join("a"), folder.join("c")).unwrap();
        assert_ne!(key(), before);
        fs::remove_dir_all(&folder).unwrap();
    }
}
