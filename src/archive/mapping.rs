//! A stretch of a file to look at: mapped where it is large, read where it is small.
//!
//! Only the central directory is looked at this way, once, and nothing keeps a reference into it: of 70,000 entries it is
//! ten megabytes that need not be copied into memory of our own. Members are never mapped; see [`map`] for why.

use std::fs::File;
use std::io;
use std::ops::Deref;
use std::os::unix::fs::FileExt;

use memmap2::{Mmap, MmapOptions};

/// Up to this many bytes, reading costs less than a mapping.
const SMALL: u64 = 64 << 10;

/// Bytes of a file.
#[derive(Debug)]
pub(super) enum View {
    Read(Vec<u8>),
    Mapped(Mmap),
}

impl View {
    /// The `len` bytes of `file` from `offset` on.
    ///
    /// # Errors
    /// When the file ends before, or cannot be read.
    pub fn of(file: &File, offset: u64, len: u64) -> io::Result<View> {
        let cut_short = || io::Error::from(io::ErrorKind::UnexpectedEof);
        let end = offset.checked_add(len).ok_or_else(cut_short)?;
        let size = usize::try_from(len).map_err(|_| cut_short())?;
        if len > SMALL {
            // As it is now, and not as it was opened: a mapping beyond the end of a file is one that kills.
            if end > file.metadata()?.len() {
                return Err(cut_short());
            }
            // Where files cannot be mapped (some FUSE, some limits), they can still be read.
            if let Ok(mapped) = map(file, offset, size) {
                return Ok(View::Mapped(mapped));
            }
        }
        let mut bytes = vec![0; size];
        file.read_exact_at(&mut bytes, offset)?;
        Ok(View::Read(bytes))
    }
}

impl Deref for View {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            View::Read(bytes) => bytes,
            View::Mapped(bytes) => bytes,
        }
    }
}

/// Maps a stretch that lies within the file, all pages at once.
#[allow(unsafe_code)]
fn map(file: &File, offset: u64, size: usize) -> io::Result<Mmap> {
    // SAFETY: a mapping is as sound as the file is quiet. Its bounds have just been checked, it is only read, and it lives
    // for one pass over the directory, in which every byte is taken for hostile: one that changes meanwhile can make the
    // parser refuse the file or list other members (whose own headers are compared when they are read), never leave its
    // slice. A file that is cut short in that pass ends the process (SIGBUS) before anything was unpacked or published;
    // `mv` and every packager put a new file in the old one's place, which does no harm. Safe code has no way to map.
    unsafe {
        MmapOptions::new()
            .offset(offset)
            .len(size)
            .populate()
            .map(file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(size: usize) -> (tempfile::NamedTempFile, Vec<u8>) {
        let bytes: Vec<u8> = (0..size).map(|at| (at % 251) as u8).collect();
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), &bytes).unwrap();
        (file, bytes)
    }

    #[test]
    fn both_ways_show_the_same_bytes() {
        let (file, bytes) = file(300_000);
        for (offset, len) in [(0, 0), (1, 65_536), (1, 65_537), (4097, 200_000)] {
            let view = View::of(file.as_file(), offset as u64, len as u64).unwrap();
            assert_eq!(matches!(view, View::Mapped(_)), len > 65_536);
            assert_eq!(view[..], bytes[offset..offset + len]);
        }
    }

    #[test]
    fn a_file_that_has_shrunk_is_an_error() {
        let (file, _) = file(300_000);
        for len in [100, 100_000, u64::MAX] {
            file.as_file().set_len(200_050).unwrap();
            let error = View::of(file.as_file(), 200_000, len).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof, "{len}");
        }
    }
}
