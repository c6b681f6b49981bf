//! Reads files of lines of bounded length, compressed or not. Knows nothing of the lines' content.
use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read},
    path::Path,
};

/// Longest line, bytes: the largest possible account in base64, and some more.
pub const MAX_LINE_LEN: u64 = 32 << 20;

/// Whether the name says that the file is compressed.
#[must_use]
pub fn is_compressed(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("zst"))
}

/// Opens the file at `path` for reading, decompressing one whose name ends in `.zst`.
///
/// # Errors
/// Those of opening the file.
pub fn open(path: &Path) -> io::Result<Box<dyn BufRead + Send>> {
    let file = BufReader::new(File::open(path)?);
    Ok(if is_compressed(path) {
        Box::new(BufReader::new(zstd::stream::read::Decoder::with_buffer(file)?))
    } else {
        Box::new(file)
    })
}

/// Reads the next line into `line`, without its line feed; returns how it ended.
///
/// # Errors
/// Those of `from`; also when the line is longer than [`MAX_LINE_LEN`] or is not UTF-8.
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
    /// With the file: the last line is incomplete.
    Cut,
    /// There was no line: end of the file.
    Over,
}
