//! A file that is laid out in a fresh directory, and shown in the same pass to who hashes it: each byte is read once, and
//! what was hashed is what was written.

use std::io::{self, Read as _, Write};
use std::path::Path;

use super::UnpackError;
use super::progress::Progress;
use crate::archive::{Archive, ArchiveError, Buffer, Entry};
use crate::pex::{self, Content, Member, PexError};
use crate::store::{NewFile, Noted, StoreError, Tree};

/// Members up to this size are held in memory whole.
pub(super) const WHOLE: u64 = 8 << 20;

/// A file to be laid out.
#[derive(Debug)]
pub(super) struct Item<'a> {
    /// Path below the directory.
    pub(super) path: String,
    /// Whether it gets the x bits.
    pub(super) executable: bool,
    /// Whether the hash covers it.
    pub(super) hashed: bool,
    /// What is in it.
    pub(super) bytes: Bytes<'a>,
}

/// Where an item's bytes come from.
#[derive(Debug)]
pub(super) enum Bytes<'a> {
    /// A member of an archive.
    Entry(&'a Archive, &'a Entry),
    /// A file, and how long it is said to be.
    File(&'a Path, u64),
    /// Made here.
    Made(Vec<u8>),
}

impl<'a> Bytes<'a> {
    /// Those of a member of the PEX; `archive` is the one that it is in, where it is in one.
    pub(super) fn of(
        member: &'a Member,
        archive: Option<&'a Archive>,
    ) -> Result<Bytes<'a>, UnpackError> {
        match (&member.content, archive) {
            (Content::Entry(entry), Some(archive)) => Ok(Bytes::Entry(archive, entry)),
            (Content::Entry(entry), None) => Err(UnpackError::Pex(PexError::Io {
                path: entry.name.clone().into(),
                source: io::Error::other("this member's archive is not at hand"),
            })),
            (Content::File(path), _) => Ok(Bytes::File(path, member.size)),
        }
    }
}

impl Item<'_> {
    /// Bytes of content.
    pub(super) fn size(&self) -> u64 {
        match &self.bytes {
            Bytes::Entry(_, entry) => entry.size,
            Bytes::File(_, size) => *size,
            Bytes::Made(bytes) => bytes.len() as u64,
        }
    }
}

/// What takes note of the bytes of each file.
pub(super) trait Witness {
    /// The next file begins.
    fn begin(&mut self, item: &Item<'_>);
    /// Bytes of it.
    fn bytes(&mut self, bytes: &[u8]);
    /// It is complete.
    fn end(&mut self, item: &Item<'_>);
}

/// What was written: sizes by path.
pub(super) fn noted(items: &[Item<'_>]) -> Noted {
    items
        .iter()
        .map(|item| (item.path.clone(), item.size()))
        .collect()
}

/// Shows every item to `witness` without writing it.
pub(super) fn look(items: &[Item<'_>], witness: &mut dyn Witness) -> Result<(), UnpackError> {
    for item in items {
        witness.begin(item);
        let mut output = Output {
            file: None,
            witness,
            length: 0,
        };
        item.copy(&mut output)?;
        witness.end(item);
    }
    Ok(())
}

impl Item<'_> {
    /// The member of an archive that it is.
    pub(super) fn entry(&self) -> Option<&Entry> {
        match &self.bytes {
            Bytes::Entry(_, entry) => Some(entry),
            Bytes::File(..) | Bytes::Made(_) => None,
        }
    }

    /// Its bytes, once it was brought.
    pub(super) fn bytes_of<'b>(&'b self, buffer: &'b Buffer) -> &'b [u8] {
        match &self.bytes {
            Bytes::Made(bytes) => bytes,
            Bytes::Entry(..) | Bytes::File(..) => buffer.bytes(),
        }
    }

    /// Reads it into `buffer` and writes it below `root`, which `tree` is.
    pub(super) fn bring(
        &self,
        root: &Path,
        tree: &mut Tree,
        buffer: &mut Buffer,
        progress: &Progress,
    ) -> Result<(), UnpackError> {
        // Whoever takes it has bounded it.
        match &self.bytes {
            Bytes::Made(_) => {}
            Bytes::Entry(archive, entry) => archive.read_into(entry, u64::MAX, buffer)?,
            Bytes::File(path, size) => {
                let whole = crate::regular::open(path).and_then(|mut file| {
                    buffer.read_from(&mut file, *size)?;
                    Ok(file.read(&mut [0])? == 0)
                });
                match whole {
                    Ok(true) => {}
                    Ok(false) => return Err(self.changed()),
                    Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                        return Err(self.changed());
                    }
                    Err(source) => {
                        let path = path.to_path_buf();
                        return Err(UnpackError::Pex(PexError::Io { path, source }));
                    }
                }
            }
        }
        let bytes = self.bytes_of(buffer);
        tree.file(&self.path, self.executable)
            .and_then(|mut file| file.write_all(bytes))
            .map_err(|error| written(&root.join(&self.path))(error))?;
        progress.add(bytes.len() as u64);
        Ok(())
    }

    /// Writes it below `root` piece by piece and shows each to the witness.
    pub(super) fn stream(
        &self,
        root: &Path,
        tree: &mut Tree,
        witness: &mut dyn Witness,
        progress: &Progress,
    ) -> Result<(), UnpackError> {
        let failed = |error| written(&root.join(&self.path))(error);
        witness.begin(self);
        let mut file = tree.file(&self.path, self.executable).map_err(failed)?;
        let mut output = Output {
            file: Some((&mut file, progress)),
            witness,
            length: 0,
        };
        self.copy(&mut output).map_err(|error| match error {
            UnpackError::Pex(PexError::Archive(ArchiveError::Output(error))) => failed(error),
            other => other,
        })?;
        witness.end(self);
        Ok(())
    }

    fn copy(&self, output: &mut Output<'_>) -> Result<(), UnpackError> {
        match &self.bytes {
            Bytes::Made(bytes) => output.write_all(bytes).map_err(ArchiveError::Output)?,
            Bytes::Entry(archive, entry) => archive.copy(entry, output)?,
            Bytes::File(path, _) => pex::copy_file(path, output)?,
        }
        if output.length == self.size() {
            return Ok(());
        }
        // Of an archive's members the reader has made sure.
        Err(self.changed())
    }

    /// It is not as long as was said.
    fn changed(&self) -> UnpackError {
        UnpackError::Pex(PexError::Io {
            path: match &self.bytes {
                Bytes::File(path, _) => path.to_path_buf(),
                _ => self.path.clone().into(),
            },
            source: io::Error::other("the file changed while it was read; try again"),
        })
    }
}

/// Writes to a file and shows it to a witness.
struct Output<'a> {
    file: Option<(&'a mut NewFile, &'a Progress)>,
    witness: &'a mut dyn Witness,
    length: u64,
}

impl Write for Output<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let length = match &mut self.file {
            Some((file, progress)) => {
                let length = file.write(bytes)?;
                progress.add(length as u64);
                length
            }
            None => bytes.len(),
        };
        self.witness.bytes(&bytes[..length]);
        self.length += length as u64;
        Ok(length)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// An error of writing.
pub(super) fn written(path: &Path) -> impl Fn(io::Error) -> UnpackError {
    let path = path.to_owned();
    move |source| {
        UnpackError::Store(StoreError::Io {
            path: path.clone(),
            source,
        })
    }
}
