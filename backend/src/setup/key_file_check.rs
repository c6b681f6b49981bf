//! The key file of a buffer: it must be of the buffer that was shown, and is removed after the upload.
use std::path::Path;

use solana_pubkey::Pubkey;

use crate::{
    error::{BackendError, Result},
    keys::signer::{FileSigner, Signer},
};

/// Removes the key file after the upload: the signer is the buffer's authority, so its key has no use any
/// more. When the removal fails, the upload is complete all the same.
pub(super) fn remove_spent_key(key_file: &Path) -> Vec<String> {
    let stays = |e| {
        let file = key_file.display();
        format!("The buffer is complete, but its key file {file} stays: {e}. Remove it.")
    };
    std::fs::remove_file(key_file).map_err(stays).err().into_iter().collect()
}

/// Refuses when the key file is no longer of the buffer that was shown: the code would go into another
/// buffer, or a file that the operator was not told of would be removed.
pub(super) fn require_same_buffer(key_file: &Path, buffer: Option<Pubkey>) -> Result<()> {
    let now = if key_file.exists() { Some(FileSigner::open(key_file)?.pubkey()) } else { None };
    if now == buffer {
        return Ok(());
    }
    let named = |key: Option<Pubkey>| key.map_or("no buffer".into(), |k| k.to_string());
    Err(BackendError::Changed(format!(
        "the key file {} was of {} and is of {} now",
        key_file.display(),
        named(buffer),
        named(now)
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_file_that_appeared_vanished_or_changed_stops_the_upload() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("buffer.json");
        let other = Pubkey::new_from_array([1; 32]);
        require_same_buffer(&file, None).unwrap();
        let gone = require_same_buffer(&file, Some(other)).unwrap_err();
        let key = FileSigner::create(&file).unwrap().pubkey();
        require_same_buffer(&file, Some(key)).unwrap();
        let came = require_same_buffer(&file, None).unwrap_err();
        let changed = require_same_buffer(&file, Some(other)).unwrap_err();
        for error in [gone, came, changed] {
            assert!(matches!(error, BackendError::Changed(_)), "{error}");
            assert!(error.to_string().contains("buffer.json"), "{error}");
        }
    }

    #[test]
    fn a_key_file_that_cannot_be_removed_is_a_failure_in_the_receipt() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("buffer.json");
        FileSigner::create(&file).unwrap();
        assert!(remove_spent_key(&file).is_empty() && !file.exists());
        // Even root cannot remove a folder as a file.
        std::fs::create_dir(&file).unwrap();
        let said = remove_spent_key(&file);
        assert!(matches!(said.as_slice(), [one] if one.contains("buffer.json")), "{said:?}");
    }
}
