//! A writer into a slice that writes everything or nothing. The standard library's writer for
//! slices may write in part, which makes a call of every field; with this one the compiler turns a
//! field of known length into a few stores.
use std::io::{self, Write};
use std::mem;

/// The part of a slice that has not been written yet.
pub(crate) struct SliceWriter<'a>(pub &'a mut [u8]);

impl Write for SliceWriter<'_> {
    #[inline(always)]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_all(bytes)?;
        Ok(bytes.len())
    }

    #[inline(always)]
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        let parts = mem::take(&mut self.0).split_at_mut_checked(bytes.len());
        let (here, rest) = parts.ok_or(io::ErrorKind::WriteZero)?;
        here.copy_from_slice(bytes);
        self.0 = rest;
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
