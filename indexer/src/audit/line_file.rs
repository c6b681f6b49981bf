//! Files of lines: compressed or not, by their name, and lines of bounded length. Knows nothing of
//! what the lines say.
use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read},
    path::Path,
};

/// Bytes of the longest line that is read: the largest account there can be, in base64, and more.
pub const MAX_LINE_LEN: u64 = 32 << 20;

/// Whether a file of this name is compressed.
#[must_use]
pub fn is_compressed(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("zst"))
}

/// Opens the file at `path` for reading, decompressing one whose name ends in `.zst`.
///
/// # Errors
/// As of the file.
pub fn open(path: &Path) -> io::Result<Box<dyn BufRead + Send>> {
    let file = BufReader::new(File::open(path)?);
    Ok(if is_compressed(path) {
        Box::new(BufReader::new(zstd::stream::read::Decoder::with_buffer(file)?))
    } else {
        Box::new(file)
    })
}

/// Reads the next line into `line`, without its end; how it ended.
///
/// # Errors
/// As of `from`; also when the line is longer than [`MAX_LINE_LEN`] or is not text.
pub fn next(from: &mut impl BufRead, line: &mut String) -> io::Result<LineEnd> {
    line.clear();
    let read = from.take(MAX_LINE_LEN).read_line(line)?;
    if line.ends_with('\n') {
        line.pop();
        return Ok(LineEnd::Line);
    }
    match u64::try_from(read) {
        Ok(0) => Ok(LineEnd::Over),
        Ok(MAX_LINE_LEN..) | Err(_) => {
            let detail = format!("a line is longer than {} MiB", MAX_LINE_LEN >> 20);
            Err(io::Error::new(io::ErrorKind::InvalidData, detail))
        }
        Ok(_) => Ok(LineEnd::Cut),
    }
}

/// How a line ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineEnd {
    /// With a line feed.
    Line,
    /// With the file: whoever wrote it did not finish the line.
    Cut,
    /// There is none.
    Over,
}
