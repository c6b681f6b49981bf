//! Who signs. Keys stay behind the trait: they are never printed, never cloned out, and the bytes
//! they were read from are zeroed.
use std::{fmt, fs, io::Write as _, path::Path};

use solana_keypair::Keypair;
use solana_pubkey::Pubkey;
use solana_signature::Signature;
use solana_signer::Signer as _;
use zeroize::Zeroizing;

use crate::error::{BackendError, Result};

/// Most bytes of a key file: 64 numbers, with room for anybody's spaces.
const LONGEST: u64 = 4_096;

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
        let bad = |reason: String| BackendError::Key { path: path.to_owned(), reason };
        let meta = fs::metadata(path)
            .map_err(|e| bad(format!("{e}. Make one with `solana-keygen new`, or name another")))?;
        if !meta.is_file() {
            return Err(bad("it is not a file".into()));
        }
        refuse_open_permissions(&meta).map_err(bad)?;
        if meta.len() > LONGEST {
            return Err(bad(format!("it has {} bytes, which no key file has", meta.len())));
        }
        let text = Zeroizing::new(fs::read(path).map_err(|e| bad(e.to_string()))?);
        let bytes = parse(&text).map_err(|reason| bad(reason.into()))?;
        let key = Keypair::try_from(bytes.as_slice())
            .map_err(|_| bad("its public half does not belong to its secret half".into()))?;
        Ok(Self(KeypairSigner::new(key)))
    }

    /// Writes a fresh key to `path`, readable by its owner only, before anything uses it.
    ///
    /// # Errors
    /// [`BackendError::Key`], also when the file exists.
    pub fn create(path: &Path) -> Result<Self> {
        let bad =
            |e: std::io::Error| BackendError::Key { path: path.to_owned(), reason: e.to_string() };
        let key = Keypair::new();
        let bytes = Zeroizing::new(key.to_bytes().to_vec());
        let numbers: Zeroizing<Vec<String>> =
            Zeroizing::new(bytes.iter().map(ToString::to_string).collect());
        let list = Zeroizing::new(numbers.join(","));
        let text = Zeroizing::new(format!("[{}]", *list));
        let mut options = fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(path).map_err(bad)?;
        file.write_all(text.as_bytes()).map_err(bad)?;
        file.sync_all().map_err(bad)?;
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

#[cfg(unix)]
fn refuse_open_permissions(meta: &fs::Metadata) -> std::result::Result<(), String> {
    use std::os::unix::fs::PermissionsExt;
    let mode = meta.permissions().mode() & 0o777;
    if mode & 0o077 == 0 {
        return Ok(());
    }
    Err(format!("others can read it (mode {mode:03o}); run `chmod 600` on it"))
}

#[cfg(not(unix))]
fn refuse_open_permissions(_: &fs::Metadata) -> std::result::Result<(), String> {
    Ok(())
}

/// The 64 bytes of the list; messages never quote the content.
fn parse(text: &[u8]) -> std::result::Result<Zeroizing<Vec<u8>>, &'static str> {
    let bytes: Vec<u8> = serde_json::from_slice(text)
        .map_err(|_| "it is not a JSON list of numbers from 0 to 255, as `solana-keygen` writes")?;
    let bytes = Zeroizing::new(bytes);
    if bytes.len() == 64 { Ok(bytes) } else { Err("it does not hold exactly 64 numbers") }
}

#[cfg(test)]
mod tests {
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
    fn a_bad_key_file_is_named_and_its_content_is_not() {
        let good = Keypair::new();
        let mut swapped = good.to_bytes().to_vec();
        swapped[32..].copy_from_slice(Keypair::new().pubkey().as_ref());
        let swapped = serde_json::to_string(&swapped).unwrap();
        let secret = list(&good);
        let long = " ".repeat(5_000);
        let cases: [(&str, u32, &str); 8] = [
            (&long, 0o600, "5000 bytes"),
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
    }

    #[test]
    fn a_created_key_can_be_opened_again_and_is_never_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("buffer.json");
        let made = FileSigner::create(&path).unwrap().pubkey();
        assert_eq!(FileSigner::open(&path).unwrap().pubkey(), made);
        assert!(FileSigner::create(&path).is_err());
        assert_eq!(FileSigner::open(&path).unwrap().pubkey(), made);
    }

    #[test]
    fn debug_output_names_the_address_only() {
        let key = Keypair::new();
        let shown = format!("{:?}", KeypairSigner::new(key.insecure_clone()));
        assert_eq!(shown, format!("KeypairSigner({})", key.pubkey()));
    }
}
