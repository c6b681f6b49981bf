//! The setting that names the key file. People also write a device, a prompt or the key itself there. The error says what
//! to write instead, and never repeats a key.
use std::{ffi::OsString, fmt, path::PathBuf};

use anyhow::{Result, anyhow, bail};
use serde::Deserialize;

use super::home;

/// 32 bytes in base58 have at least this many characters.
const MIN_ENCODED_KEY_LEN: usize = 32;
/// A list of at least this many bytes looks like a key.
const MIN_LIST_NUMBERS: usize = 8;
/// At least this many lower-case words look like a seed phrase.
const MIN_PHRASE_WORDS: usize = 3;
/// The next step in the error about a device or a prompt.
const KEY_FILE_ADVICE: &str = "Name a key file as the Solana command line writes it, or leave the key out: then everything is shown and nothing is signed.";

/// The value of `keypair` or `--keypair`. Nothing is checked before [`KeyFile::path`].
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct KeyFile(PathBuf);

impl From<OsString> for KeyFile {
    fn from(text: OsString) -> Self {
        Self(text.into())
    }
}

impl From<PathBuf> for KeyFile {
    fn from(path: PathBuf) -> Self {
        Self(path)
    }
}

impl fmt::Debug for KeyFile {
    /// Shows not even the path, because it may be the key itself.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyFile(..)")
    }
}

impl KeyFile {
    /// The path, with `~` replaced by the home folder.
    ///
    /// # Errors
    /// What the value is instead of a path, without repeating it.
    pub fn path(&self) -> Result<PathBuf> {
        let text = self.0.to_string_lossy();
        if let Some(what) = device(&text) {
            bail!("The key is set to {what}, which is not supported yet. {KEY_FILE_ADVICE}");
        }
        if looks_like_a_key(&text) && !self.0.exists() {
            bail!(
                "What is given as the key file is not a path: it looks like a key or a seed phrase itself, so it was not used and is not repeated here. Write the key to a file that only you can read, and name that file. A key that was typed on a command line is in the shell's history and was visible to other programs: make a new one before it holds anything."
            );
        }
        home::expand(&self.0).map_err(|why| anyhow!("The key file cannot be found: {why}"))
    }
}

/// The name of a way to sign that Solana's own tools accept instead of a path.
fn device(text: &str) -> Option<&'static str> {
    let begins =
        |with: &str| text.get(..with.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(with));
    match text {
        _ if begins("usb:") => Some("a hardware wallet (usb://)"),
        _ if begins("prompt:") || text.eq_ignore_ascii_case("ask") => {
            Some("a seed phrase to be typed (prompt:, ASK)")
        }
        _ if begins("stdin:") || text == "-" => Some("a key from the standard input (stdin:, -)"),
        _ => None,
    }
}

/// Whether `text` looks like a key instead of a path: a list of bytes, a word in base58, hex or base64, or a seed phrase.
pub fn looks_like_a_key(text: &str) -> bool {
    let text = text.trim();
    let is_list = text.starts_with('[')
        || text.split([',', ' ', ';']).filter(|n| n.trim().parse::<u8>().is_ok()).count()
            >= MIN_LIST_NUMBERS;
    let is_word = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase());
    let words: Vec<_> = text.split_whitespace().collect();
    let is_phrase = words.len() >= MIN_PHRASE_WORDS && words.iter().all(|word| is_word(word));
    let is_coded = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '=');
    // Base64 contains slashes too, but few, and a whole key has a known length.
    let parts: Vec<_> = text.split('/').collect();
    let is_long = text.len() >= MIN_ENCODED_KEY_LEN
        && parts.iter().all(|part| part.chars().all(is_coded))
        && (parts.len() == 1 || parts.len() < 6 && (86..=88).contains(&text.len()));
    is_list || is_phrase || is_long
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn refused(text: &str) -> String {
        KeyFile::from(OsString::from(text)).path().unwrap_err().to_string()
    }

    #[test]
    fn a_device_or_a_prompt_is_refused_with_the_next_step() {
        for (text, said) in [
            ("usb://ledger?key=0", "hardware wallet"),
            ("USB://trezor", "hardware wallet"),
            ("prompt://?key=0/0", "seed phrase"),
            ("prompt:", "seed phrase"),
            ("ASK", "seed phrase"),
            ("stdin:", "standard input"),
            ("-", "standard input"),
        ] {
            let error = refused(text);
            assert!(error.contains(said) && error.contains("not supported yet"), "{error}");
            assert!(error.contains("key file") && error.contains("leave the key out"), "{error}");
        }
    }

    #[test]
    fn a_key_in_place_of_its_path_is_never_repeated() {
        let numbers = vec!["217"; 64];
        for text in [
            format!("[{}]", numbers.join(",")),
            numbers.join(", "),
            "5MaiiCavjCmn9Hs1o3eznqDEhRwxo7pXiAYez7keQUviUkauRiTMD8DrESdrNjN8zd9mTmVhRvBJeg5vhyvgrAhG".to_owned(),
            format!("{}/{}/==", "Ab3x".repeat(10), "Ab3x".repeat(11)),
            "0f".repeat(32),
            "abandon ability able about above absent absorb abstract absurd abuse access accident".to_owned(),
        ] {
            let error = refused(&text);
            assert!(error.contains("not a path"), "{error}");
            for part in text.split([',', ' ', '[', ']', '/']).filter(|p| p.len() >= 3) {
                // "able" is also part of words in the error text.
                assert!(!error.contains(part) || part == "able", "{part}: {error}");
            }
            assert!(!format!("{:?}", KeyFile::from(OsString::from(text.as_str()))).contains(&text[..4]));
        }
    }

    #[test]
    fn a_path_stays_a_path() {
        for text in [
            "/home/bob/.config/solana/id.json",
            "id.json",
            "keys/0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f/id",
            "My Documents/my key file of the multisig.json",
            "/tmp/.tmpAbCdEf/member-1.json",
        ] {
            let key = KeyFile::from(OsString::from(text));
            assert_eq!(key.path().unwrap(), Path::new(text));
        }
    }
}
