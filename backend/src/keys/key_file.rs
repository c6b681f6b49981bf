//! Key files as the Solana command line writes them: a JSON list of 64 numbers. Every buffer that
//! holds a part of the secret is zeroed, none grows, and no message quotes the content.
use std::{
    fmt::{self, Write as _},
    fs,
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
};

use serde::de::{DeserializeSeed, Deserializer, Error as _, SeqAccess, Visitor};
use solana_keypair::Keypair;
use solana_signer::Signer as _;
use zeroize::Zeroizing;

/// Most bytes of a key file: 64 numbers, with room for spaces and line breaks.
const MAX_KEY_FILE_LEN: usize = 4_096;
/// Most bytes of the list as it is written here: 64 times three digits and a comma, two brackets.
const MAX_WRITTEN_LEN: usize = 64 * 4 + 2;

type KeyFileResult<T> = Result<T, String>;

/// Reads and checks the key in `path`.
pub(crate) fn read(path: &Path) -> KeyFileResult<Keypair> {
    // The metadata is read before the file is opened: opening a pipe would wait for its writer.
    let meta = fs::metadata(path).map_err(|e| match e.kind() {
        io::ErrorKind::NotFound => "there is no such file; check the path".to_owned(),
        _ => e.to_string(),
    })?;
    if !meta.is_file() {
        return Err("it is not a file".into());
    }
    let mut file = fs::File::open(path).map_err(|e| e.to_string())?;
    let meta = file.metadata().map_err(|e| e.to_string())?;
    refuse_open_permissions(&meta)?;
    // One byte more than allowed, so that a longer file is detected.
    let mut room = Zeroizing::new([0; MAX_KEY_FILE_LEN + 1]);
    let mut filled = 0;
    while let Some(free) = room.get_mut(filled..).filter(|free| !free.is_empty()) {
        match file.read(free) {
            Ok(0) => break,
            Ok(n) => filled = filled.saturating_add(n),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e.to_string()),
        }
    }
    if filled > MAX_KEY_FILE_LEN {
        return Err(format!("it has more than {MAX_KEY_FILE_LEN} bytes, which no key file has"));
    }
    let mut bytes = Zeroizing::new([0; 64]);
    parse(room.get(..filled).unwrap_or_default(), &mut bytes)?;
    Keypair::try_from(bytes.as_slice())
        .map_err(|_| "its public half does not belong to its secret half".into())
}

/// Writes `key` to `path`, readable by its owner only. A kill at any moment leaves no file or the
/// whole one there, and a file that is there already stays.
pub(crate) fn write(path: &Path, key: &Keypair) -> io::Result<()> {
    let name = path.file_name().ok_or_else(|| io::Error::other("it does not name a file"))?;
    let folder = match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    // The address makes the temporary name unique. A file that a kill leaves behind is never used.
    let temp = folder.join(format!(".{}.{}.tmp", name.display(), key.pubkey()));
    let done = write_new(&temp, &list(key)).and_then(|()| {
        // A link, because a rename would replace an existing file.
        fs::hard_link(&temp, path)
    });
    let cleared = fs::remove_file(&temp);
    done.and(cleared)?;
    sync_folder(folder)
}

fn write_new(path: &PathBuf, text: &str) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    fs::File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

fn list(key: &Keypair) -> Zeroizing<String> {
    let bytes = Zeroizing::new(key.to_bytes());
    let mut text = Zeroizing::new(String::with_capacity(MAX_WRITTEN_LEN));
    for (i, byte) in bytes.iter().enumerate() {
        text.push(if i == 0 { '[' } else { ',' });
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte}");
    }
    text.push(']');
    text
}

#[cfg(unix)]
fn refuse_open_permissions(meta: &fs::Metadata) -> KeyFileResult<()> {
    use std::os::unix::fs::PermissionsExt;
    let mode = meta.permissions().mode() & 0o777;
    if mode & 0o077 == 0 {
        return Ok(());
    }
    Err(format!("others can read it (mode {mode:03o}); run `chmod 600` on it"))
}

#[cfg(not(unix))]
fn refuse_open_permissions(_: &fs::Metadata) -> KeyFileResult<()> {
    Ok(())
}

/// The 64 numbers of the list, straight into `bytes`.
fn parse(text: &[u8], bytes: &mut [u8; 64]) -> KeyFileResult<()> {
    let mut json = serde_json::Deserializer::from_slice(text);
    KeyBytesVisitor(bytes).deserialize(&mut json).and_then(|()| json.end()).map_err(|_| {
        "it is not a JSON list of 64 numbers from 0 to 255, as `solana-keygen` writes".into()
    })
}

struct KeyBytesVisitor<'a>(&'a mut [u8; 64]);

impl<'de> DeserializeSeed<'de> for KeyBytesVisitor<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for KeyBytesVisitor<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("64 numbers from 0 to 255")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        for (i, byte) in self.0.iter_mut().enumerate() {
            *byte = seq.next_element()?.ok_or_else(|| A::Error::custom(i))?;
        }
        match seq.next_element::<u8>()? {
            None => Ok(()),
            Some(_) => Err(A::Error::custom("more than 64")),
        }
    }
}
