//! Folders that are either complete or absent: filled under another name beside their own, under a lock,
//! then renamed. After an interruption the next run finds a complete folder or starts again.

use std::{
    fs::{self, File, TryLockError},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};

use crate::progress::Progress;

/// The name of the file that holds a folder's key.
const KEY: &str = "key";

/// An exclusive lock on a folder, held until it is dropped (or the process ends).
#[derive(Debug)]
pub struct Lock(#[expect(dead_code, reason = "held, not read: closing it unlocks")] File);

impl Lock {
    /// Creates `folder` if needed and waits until no other process holds its lock.
    pub fn take(folder: &Path, progress: &Progress) -> Result<Self> {
        create(folder)?;
        let path = folder.join("lock");
        let file = File::create(&path)
            .with_context(|| format!("cannot create {}: make it writable", path.display()))?;
        match file.try_lock() {
            Ok(()) => return Ok(Self(file)),
            Err(TryLockError::WouldBlock) => {
                progress.say("waiting for another cargo xtask that works in the same folder");
            }
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("cannot lock {}", path.display()));
            }
        }
        file.lock().with_context(|| format!("cannot lock {}", path.display()))?;
        Ok(Self(file))
    }
}

/// Creates a folder and those above it.
pub fn create(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder)
        .with_context(|| format!("cannot create {}: make its parent writable", folder.display()))
}

/// Removes a folder if it is there.
pub fn remove(folder: &Path) -> Result<()> {
    if !folder.exists() {
        return Ok(());
    }
    fs::remove_dir_all(folder)
        .with_context(|| format!("cannot remove {}: remove it by hand", folder.display()))
}

/// Whether `folder` is complete and was made with `key`.
pub fn is_current(folder: &Path, key: &str) -> bool {
    fs::read_to_string(folder.join(KEY)).is_ok_and(|found| found.trim() == key)
}

/// Lets `fill` write new content for `folder`, then moves it into place with its `key`. The caller
/// holds the lock of the parent folder. On an error the old content stays.
pub fn replace(folder: &Path, key: &str, fill: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let staging = beside(folder, "new");
    remove(&staging)?;
    create(&staging)?;
    let filled = fill(&staging).and_then(|()| {
        fs::write(staging.join(KEY), key)
            .with_context(|| format!("cannot write to {}", staging.display()))
    });
    if let Err(error) = filled {
        remove(&staging)?;
        return Err(error);
    }
    remove(folder)?;
    fs::rename(&staging, folder)
        .with_context(|| format!("cannot move {} to its place", staging.display()))
}

/// Puts a copy of `from` at `to` in one step: a reader sees the old file or the new one.
pub fn copy_file(from: &Path, to: &Path) -> Result<()> {
    let staging = beside(to, "new");
    fs::copy(from, &staging)
        .and_then(|_| fs::rename(&staging, to))
        .with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))
}

fn beside(path: &Path, extension: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(".");
    name.push(extension);
    path.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_replacement_leaves_the_old_content_and_no_rest() {
        let base = std::env::temp_dir().join(format!("xtask-folder-{}", std::process::id()));
        let folder = base.join("part");
        replace(&folder, "1", |new| Ok(fs::write(new.join("a"), "first")?)).unwrap();
        assert!(is_current(&folder, "1") && !is_current(&folder, "2"));
        let failed = replace(&folder, "2", |new| {
            fs::write(new.join("a"), "half")?;
            anyhow::bail!("interrupted")
        });
        assert!(failed.is_err());
        assert_eq!(fs::read_to_string(folder.join("a")).unwrap(), "first");
        assert!(is_current(&folder, "1") && !base.join("part.new").exists());
        replace(&folder, "2", |_| Ok(())).unwrap();
        assert!(is_current(&folder, "2") && !folder.join("a").exists());
        fs::remove_dir_all(&base).unwrap();
    }
}
