//! Files into a fresh directory, hashed in the same pass.
//!
//! Each byte is read once, and what was hashed is what was written. How several hands do it, and how memory stays bounded,
//! is told in [`super::crew`].

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use sha2::{Digest as _, Sha256};

use super::UnpackError;
use super::crew::Work;
use super::progress::Progress;
use crate::archive::{Archive, ArchiveError, Buffer, Entry};
use crate::pex::{Content, PexError};
use crate::store::{Noted, StoreError, Tree};

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
    /// A member of the PEX, and how long it is said to be.
    Member(&'a Content, u64),
    /// Made here.
    Made(Vec<u8>),
}

impl Item<'_> {
    /// Bytes of content.
    pub(super) fn size(&self) -> u64 {
        match &self.bytes {
            Bytes::Member(_, size) => *size,
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

/// The hash of a wheel's directory as pex computes it: names in order, then contents in order (reference 1.6).
#[derive(Debug)]
pub(super) struct DirectoryHash {
    hash: Sha256,
    counts: bool,
}

impl DirectoryHash {
    /// Begins with the names of `items`, which must be in the order in which they will follow: sorted by path.
    pub(super) fn new(items: &[Item<'_>]) -> DirectoryHash {
        let mut hash = Sha256::new();
        items
            .iter()
            .filter(|item| item.hashed)
            .for_each(|item| hash.update(item.path.as_bytes()));
        DirectoryHash {
            hash,
            counts: false,
        }
    }

    /// The hash, as hexadecimal digits.
    pub(super) fn finish(self) -> String {
        super::hex(&self.hash.finalize())
    }
}

impl Witness for DirectoryHash {
    fn begin(&mut self, item: &Item<'_>) {
        self.counts = item.hashed;
    }

    fn bytes(&mut self, bytes: &[u8]) {
        if self.counts {
            self.hash.update(bytes);
        }
    }

    fn end(&mut self, _item: &Item<'_>) {}
}

/// Writes every item below `root`; `archive` is the one that members are in. What is written is added to `progress`. Gives
/// the witness back, which has seen every item in order.
pub(super) fn write<W: Witness + Send>(
    root: &Path,
    items: &[Item<'_>],
    archive: Option<&Archive>,
    witness: W,
    progress: &Progress,
) -> Result<W, UnpackError> {
    Work::new(root, items, archive, witness, progress).finish()
}

/// What was written: sizes by path.
pub(super) fn noted(items: &[Item<'_>]) -> Noted {
    items
        .iter()
        .map(|item| (item.path.clone(), item.size()))
        .collect()
}

/// Shows every item to `witness` without writing it.
pub(super) fn look(
    items: &[Item<'_>],
    archive: Option<&Archive>,
    witness: &mut dyn Witness,
) -> Result<(), UnpackError> {
    for item in items {
        witness.begin(item);
        let mut output = Output {
            file: None,
            witness,
            length: 0,
        };
        item.copy(archive, &mut output)?;
        witness.end(item);
    }
    Ok(())
}

impl Item<'_> {
    /// The member of an archive that it is.
    pub(super) fn entry(&self) -> Option<&Entry> {
        match &self.bytes {
            Bytes::Member(Content::Entry(entry), _) => Some(entry),
            _ => None,
        }
    }

    /// Whether its bytes were made here.
    pub(super) fn is_made(&self) -> bool {
        matches!(self.bytes, Bytes::Made(_))
    }

    /// Its bytes, once it was brought.
    pub(super) fn bytes_of<'b>(&'b self, buffer: &'b Buffer) -> &'b [u8] {
        match &self.bytes {
            Bytes::Made(bytes) => bytes,
            Bytes::Member(..) => buffer.bytes(),
        }
    }

    /// Reads it into `buffer` and writes it below `root`, which `tree` is.
    pub(super) fn bring(
        &self,
        root: &Path,
        tree: &mut Tree,
        archive: Option<&Archive>,
        buffer: &mut Buffer,
        progress: &Progress,
    ) -> Result<(), UnpackError> {
        match (&self.bytes, archive) {
            (Bytes::Made(_), _) => {}
            // Whoever takes it has bounded it.
            (Bytes::Member(Content::Entry(entry), _), Some(archive)) => {
                archive.read_into(entry, u64::MAX, buffer)?;
            }
            (Bytes::Member(content, _), archive) => content.copy(archive, &mut io::sink())?,
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
        archive: Option<&Archive>,
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
        self.copy(archive, &mut output)
            .map_err(|error| match error {
                UnpackError::Pex(PexError::Archive(ArchiveError::Output(error))) => failed(error),
                other => other,
            })?;
        witness.end(self);
        Ok(())
    }

    fn copy(&self, archive: Option<&Archive>, output: &mut Output<'_>) -> Result<(), UnpackError> {
        match (&self.bytes, archive) {
            (Bytes::Made(bytes), _) => output.write_all(bytes).map_err(ArchiveError::Output)?,
            (Bytes::Member(Content::Entry(entry), size), Some(archive)) if *size <= WHOLE => {
                let bytes = archive.read(entry, WHOLE)?;
                output.write_all(&bytes).map_err(ArchiveError::Output)?;
            }
            (Bytes::Member(content, _), archive) => content.copy(archive, output)?,
        }
        if output.length == self.size() {
            return Ok(());
        }
        // Of an archive's members the reader has made sure.
        Err(UnpackError::Pex(PexError::Io {
            path: match &self.bytes {
                Bytes::Member(Content::File(path), _) => path.clone(),
                _ => self.path.clone().into(),
            },
            source: io::Error::other("the file changed while it was read; try again"),
        }))
    }
}

/// Writes to a file and shows it to a witness.
struct Output<'a> {
    file: Option<(&'a mut File, &'a Progress)>,
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
