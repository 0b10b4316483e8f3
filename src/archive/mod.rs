//! A zip file as pex writes it and as embedding leaves it: central directory, members, seal.
//!
//! The central directory is read once through `zip` over a mapping whose bounds were checked; members are read by
//! `pread`, since a mapped file that shrinks kills the process. Nothing here writes.

use std::io::Write;
use std::path::{Path, PathBuf};

pub use pexboot_stub::seal::Seal;

/// A member of an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Name as stored, decoded (UTF-8 where flagged, else code page 437), with `/` between components.
    pub name: String,
    /// Offset of the local header from the start of the file.
    pub header_offset: u64,
    /// Bytes as stored.
    pub compressed_size: u64,
    /// Bytes inflated.
    pub size: u64,
    /// CRC-32 of the inflated bytes.
    pub crc32: u32,
    /// Compression method (APPNOTE 4.4.5): 0 stored, 8 deflate.
    pub method: u16,
    /// General purpose flags (APPNOTE 4.4.4).
    pub flags: u16,
    /// Unix mode with its type bits (upper half of the external attributes); 0 where none was stored.
    pub unix_mode: u32,
}

/// An open zip file. Cheap to share between threads: every read is a `pread`.
#[derive(Debug)]
pub struct Archive {
    _private: (),
}

/// Why a file is not a readable archive.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The system refused.
    #[error("`{}`: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

impl Archive {
    /// Opens the file at `path` and reads its central directory.
    ///
    /// Accepts a prefix of any length whether or not offsets count it, and trailing bytes behind the end record.
    ///
    /// # Errors
    /// When it cannot be read, is not a zip, or is one that no pex ever wrote (see docs/errors.md).
    pub fn open(path: &Path) -> Result<Archive, ArchiveError> {
        let _ = path;
        todo!()
    }

    /// The path it was opened by.
    #[must_use]
    pub fn path(&self) -> &Path {
        todo!()
    }

    /// The seal, when a sealed stub heads the file.
    #[must_use]
    pub fn seal(&self) -> Option<&Seal> {
        todo!()
    }

    /// The first line of the original archive when it begins with `#!`, without the `#!` and the line's end.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn shebang(&self) -> Result<Option<Vec<u8>>, ArchiveError> {
        todo!()
    }

    /// Every member in the order of the central directory; of several with one name only the last.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        todo!()
    }

    /// The member of that name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&Entry> {
        let _ = name;
        todo!()
    }

    /// A member's bytes, inflated and checked against its CRC-32. For members that fit in memory with ease.
    ///
    /// # Errors
    /// When it cannot be read, is damaged or is larger than `limit` bytes.
    pub fn read(&self, entry: &Entry, limit: u64) -> Result<Vec<u8>, ArchiveError> {
        let _ = (entry, limit);
        todo!()
    }

    /// Writes a member's bytes, inflated and checked, to `out`; memory stays bounded whatever its size.
    ///
    /// # Errors
    /// As [`Archive::read`]; errors of `out` come back as they are.
    pub fn copy(&self, entry: &Entry, out: &mut dyn Write) -> Result<(), ArchiveError> {
        let _ = (entry, out);
        todo!()
    }
}
