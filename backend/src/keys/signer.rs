//! The trait `Signer`, and signers with a key in memory or in a file. A secret key is never printed nor
//! handed out, and the bytes it was read from are zeroed.
use std::{fmt, path::Path};

use solana_keypair::Keypair;
use solana_pubkey::Pubkey;
use solana_signature::Signature;
use solana_signer::Signer as _;

use crate::{
    error::{BackendError, Result},
    keys::key_file,
};

/// Something that can sign a message: a key file, an agent, a device.
pub trait Signer: Send + Sync {
    /// The key's address.
    fn pubkey(&self) -> Pubkey;

    /// Signs the serialised `message`.
    ///
    /// # Errors
    /// [`BackendError::Signing`].
    fn sign(&self, message: &[u8]) -> Result<Signature>;
}

/// A key held in this process. The key zeroes itself when dropped.
pub struct KeypairSigner(Keypair);

impl KeypairSigner {
    /// Takes the key over.
    #[must_use]
    pub fn new(key: Keypair) -> Self {
        Self(key)
    }
}

impl Signer for KeypairSigner {
    fn pubkey(&self) -> Pubkey {
        self.0.pubkey()
    }

    fn sign(&self, message: &[u8]) -> Result<Signature> {
        self.0
            .try_sign_message(message)
            .map_err(|e| BackendError::Signing { signer: self.0.pubkey(), reason: e.to_string() })
    }
}

impl fmt::Debug for KeypairSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeypairSigner({})", self.0.pubkey())
    }
}

/// A key file as the Solana command line writes it: a JSON list of 64 numbers.
#[derive(Debug)]
pub struct FileSigner(KeypairSigner);

impl FileSigner {
    /// Reads and checks the file.
    ///
    /// # Errors
    /// [`BackendError::Key`] with a sentence when the file is missing, readable by others, not a
    /// key, or when its public half does not belong to its secret half.
    pub fn open(path: &Path) -> Result<Self> {
        let key = key_file::read(path)
            .map_err(|reason| BackendError::Key { path: path.to_owned(), reason })?;
        Ok(Self(KeypairSigner::new(key)))
    }

    /// Writes a fresh key to `path`, readable by its owner only. A kill at any moment leaves no file or
    /// the complete one.
    ///
    /// # Errors
    /// [`BackendError::Key`], also when the file exists.
    pub fn create(path: &Path) -> Result<Self> {
        let key = Keypair::new();
        key_file::write(path, &key)
            .map_err(|e| BackendError::Key { path: path.to_owned(), reason: e.to_string() })?;
        Ok(Self(KeypairSigner::new(key)))
    }
}

impl Signer for FileSigner {
    fn pubkey(&self) -> Pubkey {
        self.0.pubkey()
    }

    fn sign(&self, message: &[u8]) -> Result<Signature> {
        self.0.sign(message)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn write(name: &str, text: &str, mode: u32) -> (tempfile::TempDir, std::path::PathBuf) {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        (dir, path)
    }

    fn list(key: &Keypair) -> String {
        serde_json::to_string(&key.to_bytes().to_vec()).unwrap()
    }

    #[test]
    fn a_good_key_file_signs_what_its_key_verifies() {
        let key = Keypair::new();
        let (_dir, path) = write("id.json", &list(&key), 0o600);
        let signer = FileSigner::open(&path).unwrap();
        assert_eq!(signer.pubkey(), key.pubkey());
        let signature = signer.sign(b"message").unwrap();
        assert!(signature.verify(key.pubkey().as_ref(), b"message"));
        assert!(!signature.verify(key.pubkey().as_ref(), b"another"));
    }

    #[test]
    fn the_error_about_a_bad_key_file_names_the_file_and_quotes_no_content() {
        let good = Keypair::new();
        let mut swapped = good.to_bytes().to_vec();
        swapped[32..].copy_from_slice(Keypair::new().pubkey().as_ref());
        let swapped = serde_json::to_string(&swapped).unwrap();
        let secret = list(&good);
        let long = " ".repeat(4_097);
        let (one_more, after) = (secret.replace(']', ",1]"), format!("{secret}[]"));
        let half = secret[..secret.len() / 2].to_owned();
        let cases: [(&str, u32, &str); 12] = [
            (&one_more, 0o600, "64"),
            (&after, 0o600, "64"),
            (&half, 0o600, "64"),
            ("{\"0\":1}", 0o600, "64"),
            (&long, 0o600, "more than 4096 bytes"),
            ("", 0o600, "JSON"),
            ("not json", 0o600, "JSON"),
            ("[1,2,3]", 0o600, "64"),
            ("[300]", 0o600, "JSON"),
            (&swapped, 0o600, "public half"),
            (&secret, 0o644, "chmod 600"),
            (&secret, 0o620, "chmod 600"),
        ];
        for (text, mode, expected) in cases {
            let (_dir, path) = write("key-of-mine.json", text, mode);
            let error = FileSigner::open(&path).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
            assert!(error.contains("key-of-mine.json"), "{error}");
            assert!(text.len() < 8 || !error.contains(&text[..text.len().min(24)]), "{error}");
        }
        let missing = FileSigner::open(Path::new("/nonexistent/id.json")).unwrap_err().to_string();
        assert!(missing.contains("/nonexistent/id.json"), "{missing}");
        assert!(
            missing.contains("check the path") && !missing.contains("solana-keygen"),
            "{missing}"
        );
    }

    #[test]
    fn a_created_key_can_be_opened_again_and_is_never_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("buffer.json");
        let made = FileSigner::create(&path).unwrap().pubkey();
        assert_eq!(FileSigner::open(&path).unwrap().pubkey(), made);
        let again = FileSigner::create(&path).unwrap_err().to_string();
        assert!(again.contains("buffer.json") && again.contains("exists"), "{again}");
        assert_eq!(FileSigner::open(&path).unwrap().pubkey(), made);
        // No temporary file stays in the folder, even after a refusal.
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        fs::write(&path, "").unwrap();
        assert!(FileSigner::create(&path).is_err());
        assert_eq!(fs::read(&path).unwrap(), b"");
    }

    #[test]
    fn a_key_file_is_complete_and_private_from_the_moment_it_exists() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let watched = dir.path().to_owned();
        let (stop, stopped) = std::sync::mpsc::channel::<()>();
        let watcher = std::thread::spawn(move || {
            loop {
                let last = stopped.try_recv().is_ok();
                for entry in fs::read_dir(&watched).unwrap().flatten() {
                    let Ok(meta) = entry.metadata() else { continue };
                    assert_eq!(meta.permissions().mode() & 0o077, 0);
                    if entry.path().extension().is_some_and(|e| e == "json") {
                        FileSigner::open(&entry.path()).unwrap();
                    }
                }
                if last {
                    return;
                }
            }
        });
        for i in 0..200 {
            FileSigner::create(&dir.path().join(format!("{i}.json"))).unwrap();
        }
        let _ = stop.send(());
        watcher.join().unwrap();
    }

    #[test]
    fn debug_output_names_the_address_only() {
        let key = Keypair::new();
        let shown = format!("{:?}", KeypairSigner::new(key.insecure_clone()));
        assert_eq!(shown, format!("KeypairSigner({})", key.pubkey()));
    }
}
