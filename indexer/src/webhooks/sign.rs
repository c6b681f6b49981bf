//! The secret of a webhook, and the signature that proves sender and time of a message.
use std::{
    fmt, fs,
    io::{self, Read as _},
    path::Path,
};

use hmac::{Hmac, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

/// Fewest bytes of a secret.
const MIN_SECRET_LEN: usize = 16;
/// Most bytes of a secret, and of its file.
const MAX_SECRET_LEN: usize = 4_096;

/// The key that sender and receiver share. Zeroed when dropped, never shown.
pub struct Secret(Zeroizing<Vec<u8>>);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

impl Secret {
    /// The secret `bytes`, trimmed.
    ///
    /// # Errors
    /// The rest of a sentence that names its origin; never quotes the secret.
    pub fn new(bytes: Zeroizing<Vec<u8>>) -> Result<Self, String> {
        let kept = bytes.trim_ascii();
        match kept.len() {
            n if n < MIN_SECRET_LEN => Err(format!(
                "has {n} bytes, fewer than {MIN_SECRET_LEN}. Make one with `openssl rand -hex 32`"
            )),
            n if n > MAX_SECRET_LEN => Err(format!("has more than {MAX_SECRET_LEN} bytes")),
            _ => Ok(Self(Zeroizing::new(kept.to_vec()))),
        }
    }

    /// The secret in the file at `path`, which only its owner may read.
    ///
    /// # Errors
    /// As [`Self::new`], and when the file cannot be read or others can read it.
    pub fn read(path: &Path) -> Result<Self, String> {
        let failed = |e: io::Error| format!("cannot be read: {e}");
        // Checked before opening: opening a pipe would block until it has a writer.
        if !fs::metadata(path).map_err(failed)?.is_file() {
            return Err("is not a file".to_owned());
        }
        let file = fs::File::open(path).map_err(failed)?;
        refuse_open_permissions(&file.metadata().map_err(failed)?)?;
        // Full capacity at once: a growing vector would leave unzeroed copies behind. One byte more
        // than allowed, to detect a file that is too long.
        let most = MAX_SECRET_LEN.saturating_add(1);
        let mut bytes = Zeroizing::new(Vec::with_capacity(most));
        file.take(u64::try_from(most).unwrap_or(u64::MAX))
            .read_to_end(&mut bytes)
            .map_err(failed)?;
        Self::new(bytes)
    }

    /// The secret in the environment variable `name`.
    ///
    /// # Errors
    /// As [`Self::new`], and when the variable is not set.
    pub fn from_env(name: &str) -> Result<Self, String> {
        let value = std::env::var_os(name).ok_or("is not set")?;
        Self::new(Zeroizing::new(value.into_encoded_bytes()))
    }

    /// `text` with the secret replaced, for foreign text that may repeat it.
    pub(super) fn redact(&self, text: &str) -> String {
        std::str::from_utf8(&self.0).map_or_else(|_| text.to_owned(), |s| text.replace(s, "…"))
    }

    /// The value of `X-Control-Room-Signature`: `v1=` and the hex HMAC-SHA256 over the timestamp header's
    /// value, a dot, and the body.
    #[must_use]
    pub fn sign(&self, timestamp: &str, body: &[u8]) -> String {
        // Cannot fail: HMAC accepts keys of any length.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.0) else { return String::new() };
        mac.update(timestamp.as_bytes());
        mac.update(b".");
        mac.update(body);
        format!("v1={}", hex::encode(mac.finalize().into_bytes()))
    }
}

#[cfg(unix)]
fn refuse_open_permissions(meta: &fs::Metadata) -> Result<(), String> {
    use std::os::unix::fs::PermissionsExt;
    let mode = meta.permissions().mode() & 0o777;
    if mode & 0o077 == 0 {
        return Ok(());
    }
    Err(format!("can be read by others (mode {mode:03o}). Run `chmod 600` on it"))
}

#[cfg(not(unix))]
fn refuse_open_permissions(_: &fs::Metadata) -> Result<(), String> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> Result<Secret, String> {
        Secret::new(Zeroizing::new(text.as_bytes().to_vec()))
    }

    #[test]
    fn the_signature_matches_an_independent_hmac() {
        // python3 -c 'import hmac; print(hmac.new(b"0123456789abcdef", b"1700000000.{}",
        // "sha256").hexdigest())'
        let said = secret(" 0123456789abcdef\n").unwrap().sign("1700000000", b"{}");
        assert_eq!(said, "v1=e4f8e2ecae2295b2ddb2f0b5584c8275e226c0ebe9b3b819e70156bb67122e3e");
    }

    #[test]
    fn a_secret_is_never_shown_and_never_short() {
        let shown = format!("{:?}", secret("0123456789abcdef").unwrap());
        assert_eq!(shown, "Secret(***)");
        let error = secret("0123456789abcde").unwrap_err();
        assert!(error.contains("15 bytes") && !error.contains("0123"), "{error}");
        assert!(secret("                                ").is_err(), "space is no secret");
        assert!(secret(&"x".repeat(5_000)).is_err());
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_others_can_read_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        assert!(Secret::read(&path).unwrap_err().contains("cannot be read"));
        assert!(Secret::read(dir.path()).unwrap_err().contains("not a file"));
        fs::write(&path, "0123456789abcdef0123456789abcdef\n").unwrap();
        for (mode, fine) in [(0o644, false), (0o640, false), (0o604, false), (0o600, true)] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let read = Secret::read(&path);
            assert_eq!(read.is_ok(), fine, "{mode:o}: {read:?}");
            if let Err(error) = read {
                assert!(error.contains("chmod 600") && !error.contains("0123"), "{error}");
            }
        }
        fs::write(&path, "x".repeat(9_000)).unwrap();
        assert!(Secret::read(&path).is_err());
    }
}
