//! The bytes of an archive: a whole file or a stretch of one, read by `pread` and never past its bounds.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::mapping::View;
use super::{ArchiveError, MemberFault};

/// A stretch of an open file. Offsets count from the stretch's first byte.
#[derive(Debug, Clone)]
pub(super) struct Source {
    file: Arc<File>,
    path: PathBuf,
    start: u64,
    len: u64,
}

impl Source {
    /// The whole file at `path`.
    pub fn open(path: &Path) -> Result<Source, ArchiveError> {
        let io = |source| ArchiveError::Io {
            path: path.to_path_buf(),
            source,
        };
        let file = crate::regular::open(path).map_err(io)?;
        let len = file.metadata().map_err(io)?.len();
        Ok(Source {
            file: Arc::new(file),
            path: path.to_path_buf(),
            start: 0,
            len,
        })
    }

    /// `len` bytes of this source from `offset` on, called `path` in messages.
    pub fn slice(&self, offset: u64, len: u64, path: PathBuf) -> Option<Source> {
        let inside = offset.checked_add(len).is_some_and(|end| end <= self.len);
        inside.then(|| Source {
            file: Arc::clone(&self.file),
            path,
            start: self.start + offset,
            len,
        })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn len(&self) -> u64 {
        self.len
    }

    pub fn file(&self) -> &File {
        &self.file
    }

    /// Where the stretch begins in its file.
    pub fn start(&self) -> u64 {
        self.start
    }

    /// Fills `buffer` from `offset` on; a stretch that ends before that is an error, as is a file that has shrunk.
    pub fn read(&self, offset: u64, buffer: &mut [u8]) -> Result<(), ArchiveError> {
        let inside = offset
            .checked_add(buffer.len() as u64)
            .is_some_and(|end| end <= self.len);
        if !inside {
            return Err(self.io(std::io::ErrorKind::UnexpectedEof.into()));
        }
        self.file
            .read_exact_at(buffer, self.start + offset)
            .map_err(|source| self.io(source))
    }

    /// At most `len` bytes from `offset` on: fewer where the stretch ends before.
    pub fn read_up_to(&self, offset: u64, len: u64) -> Result<Vec<u8>, ArchiveError> {
        let len = len.min(self.len.saturating_sub(offset));
        let mut buffer = vec![0; usize::try_from(len).unwrap_or(usize::MAX)];
        if len > 0 {
            self.read(offset, &mut buffer)?;
        }
        Ok(buffer)
    }

    /// The `len` bytes from `offset` on, to look at once; mapped where they are many.
    pub fn view(&self, offset: u64, len: u64) -> Result<View, ArchiveError> {
        let inside = offset.checked_add(len).is_some_and(|end| end <= self.len);
        if !inside {
            return Err(self.io(std::io::ErrorKind::UnexpectedEof.into()));
        }
        View::of(&self.file, self.start + offset, len).map_err(|source| self.io(source))
    }

    pub fn io(&self, source: std::io::Error) -> ArchiveError {
        ArchiveError::Io {
            path: self.path.clone(),
            source,
        }
    }

    pub fn member(&self, name: &str, fault: MemberFault) -> ArchiveError {
        ArchiveError::Member {
            path: self.path.clone(),
            name: name.to_owned(),
            fault,
        }
    }
}
