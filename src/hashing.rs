//! A hash as an output: what is written to it is what it is of.

use std::io::{self, Write};

/// See the module.
pub(crate) struct Hashing<D>(pub(crate) D);

impl<D: sha2::Digest> Write for Hashing<D> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
