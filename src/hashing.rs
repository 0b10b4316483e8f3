//! Hashing: a hash as an output, and the hash of a file.

use std::io::{self, Read as _, Write};
use std::path::Path;

use sha2::digest::Output;

/// A hash that what is written to it goes into.
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

/// The hash of the file at `path`, and how many bytes it has.
///
/// # Errors
/// When it cannot be read or is no regular file.
pub(crate) fn hash_file<D: sha2::Digest>(path: &Path) -> io::Result<(Output<D>, u64)> {
    let mut file = crate::regular::open(path)?;
    let mut hash = D::new();
    let mut buffer = vec![0; 1 << 16];
    let mut size = 0;
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok((hash.finalize(), size)),
            Ok(count) => {
                hash.update(&buffer[..count]);
                size += count as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
