//! The key file of a buffer: it must lead to the buffer that was shown, and goes when the upload is complete.
use std::path::Path;

use solana_pubkey::Pubkey;

use crate::{
    error::{BackendError, Result},
    keys::signer::{FileSigner, Signer},
};

/// Removes a key that is good for nothing more, since the signer holds the buffer now. Where that
/// fails, the upload is complete all the same.
pub(super) fn remove_spent_key(key_file: &Path) -> Vec<String> {
    let stays = |e| {
        let file = key_file.display();
        format!("The buffer is complete, but its key file {file} stays: {e}. Remove it.")
    };
    std::fs::remove_file(key_file).map_err(stays).err().into_iter().collect()
}

/// The key file still leads to the buffer that was shown: a file that came, went or changed since
/// would send the code elsewhere, or be removed though nobody was told of it.
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
    fn a_key_file_that_came_went_or_changed_stops_the_upload() {
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
    fn a_key_file_that_stays_is_named_and_does_not_undo_the_upload() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("buffer.json");
        FileSigner::create(&file).unwrap();
        assert!(remove_spent_key(&file).is_empty() && !file.exists());
        // A folder cannot be removed as a file is, not even by root.
        std::fs::create_dir(&file).unwrap();
        let said = remove_spent_key(&file);
        assert!(matches!(said.as_slice(), [one] if one.contains("buffer.json")), "{said:?}");
    }
}
