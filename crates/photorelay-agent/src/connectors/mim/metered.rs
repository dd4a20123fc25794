//! Bounds how much a parser may read before it comes to a result: one that waits for the end of an element would keep a
//! whole file in memory.

use std::io::{self, BufRead, Read};

/// Input of which only so many bytes are given until more are allowed.
pub(super) struct Metered<R> {
    inner: R,
    left: u64,
}

impl<R> Metered<R> {
    /// Gives nothing yet.
    pub(super) fn new(inner: R) -> Self {
        Self { inner, left: 0 }
    }

    pub(super) fn allow(&mut self, bytes: u64) {
        self.left = bytes;
    }
}

impl<R: BufRead> BufRead for Metered<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let filled = self.inner.fill_buf()?;
        match usize::try_from(self.left) {
            Ok(0) if !filled.is_empty() => Err(io::Error::other("one element or text in it is too long")),
            Ok(left) => Ok(&filled[..filled.len().min(left)]),
            Err(_) => Ok(filled),
        }
    }

    fn consume(&mut self, bytes: usize) {
        self.left = self.left.saturating_sub(bytes as u64);
        self.inner.consume(bytes);
    }
}

impl<R: BufRead> Read for Metered<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.fill_buf()?.read(into)?;
        self.consume(read);
        Ok(read)
    }
}
