//! A zip file as pex writes it and as embedding leaves it: central directory, members, seal.
//!
//! The central directory is read once, members by `pread` each time. Every claim is checked before it is acted upon: a
//! damaged or hostile file gives an error that says what it is, never a panic and never more memory than its own size
//! bounds. Nothing here writes.
//!
//! A large central directory is mapped for the one pass over it (see [`mapping`]); members are not, since a file that is
//! cut short while it is mapped kills the process (SIGBUS).

mod bomb;
mod buffer;
pub(crate) mod bytes;
pub(crate) mod directory;
mod error;
mod head;
mod layout;
mod mapping;
pub(crate) mod member;
mod names;
mod source;
mod stamps;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

pub use buffer::Buffer;
pub use error::{ArchiveError, DirectoryFault, MemberFault};
pub use names::{Tree, safe_relative};
pub use pexboot_core::seal::Seal;

use directory::Located;
use source::Source;

/// Longest shebang line that is looked at; Linux itself stops at 256 bytes.
pub(crate) const SHEBANG: u64 = 4096;

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

impl Entry {
    /// Whether it stands for a directory.
    #[must_use]
    pub fn is_directory(&self) -> bool {
        self.name.ends_with('/')
    }

    /// Whether it becomes an executable file: its mode says *regular file* and has any x bit (reference 9.1).
    #[must_use]
    pub fn is_executable(&self) -> bool {
        self.unix_mode & 0o170_000 == 0o100_000 && self.unix_mode & 0o111 != 0
    }

    /// Whether its bytes are encrypted, in either way (APPNOTE 4.4.4, bits 0 and 6).
    pub(crate) fn is_encrypted(&self) -> bool {
        self.flags & (1 | 1 << 6) != 0
    }
}

/// An open zip file. Cheap to share between threads: every read is a `pread`.
#[derive(Debug)]
pub struct Archive {
    source: Source,
    seal: Option<(Seal, u64)>,
    located: Located,
    entries: Vec<Entry>,
    /// Indices into `entries`, by name.
    by_name: Vec<u32>,
}

impl Archive {
    /// Opens the file at `path` and reads its central directory.
    ///
    /// Accepts a prefix of any length whether or not offsets count it, and trailing bytes behind the end record.
    ///
    /// # Errors
    /// When it cannot be read, is not a zip, or is one that no pex ever wrote (see docs/errors.md).
    pub fn open(path: &Path) -> Result<Archive, ArchiveError> {
        Archive::from_source(Source::open(path)?)
    }

    /// Opens a stored member that is an archive of its own (a wheel file), in place.
    ///
    /// # Errors
    /// When the member is compressed, or as [`Archive::open`].
    pub fn open_member(&self, entry: &Entry) -> Result<Archive, ArchiveError> {
        let fault = |fault| self.source.member(&entry.name, fault);
        if entry.method != layout::STORED || entry.is_encrypted() {
            return Err(fault(MemberFault::NotStored));
        }
        let offset = member::data_offset(&self.source, entry)?;
        let path = self.path().join(entry.name.trim_start_matches('/'));
        let source = self
            .source
            .slice(offset, entry.size, path)
            .ok_or_else(|| fault(MemberFault::Bounds))?;
        Archive::from_source(source)
    }

    /// The seal of the file at `path`, when a sealed stub heads it; nothing else of the file is read.
    ///
    /// # Errors
    /// When it cannot be read, or its head is damaged.
    pub fn seal_of(path: &Path) -> Result<Option<Seal>, ArchiveError> {
        let seal = head::seal(&Source::open(path)?)?;
        Ok(seal.map(|(seal, _)| seal).filter(|seal| seal.sealed))
    }

    /// The archive as it was before embedding, without head and appendix; the file itself where it never was embedded.
    ///
    /// # Errors
    /// When it is no longer there as the seal has it: the file was changed after embedding.
    pub fn original(&self) -> Result<Archive, ArchiveError> {
        let (offset, size) = match self.seal() {
            Some(seal) => (seal.head_size(), seal.archive_size),
            None => (0, self.source.len()),
        };
        let path = self.path().to_path_buf();
        match self.source.slice(offset, size, path.clone()) {
            Some(source) => Archive::from_source(source),
            None => Err(ArchiveError::NotAZip { path }),
        }
    }

    fn from_source(source: Source) -> Result<Archive, ArchiveError> {
        let seal = head::seal(&source)?;
        let located = directory::locate(&source).map_err(|error| match (error, &seal) {
            (ArchiveError::NotAZip { path }, Some((seal, _)))
                if seal.sealed && source.len() < seal.head_size() =>
            {
                ArchiveError::Stripped { path }
            }
            (error, _) => error,
        })?;
        let directory = source.view(located.start, located.size)?;
        let mut entries = directory::parse(&source, &located, &directory)?;
        layout::check(&source, &entries, located.start)?;
        bomb::check(&source, &entries)?;
        let by_name = index(&mut entries);
        Ok(Archive {
            source,
            seal,
            located,
            entries,
            by_name,
        })
    }

    /// The central directory as it stands, and where.
    #[cfg(feature = "cli")]
    pub(crate) fn raw_directory(&self) -> Result<(Located, Vec<u8>), ArchiveError> {
        Ok((
            self.located,
            self.source
                .read_up_to(self.located.start, self.located.size)?,
        ))
    }

    /// The comment at the end of the archive.
    #[cfg(feature = "cli")]
    pub(crate) fn comment(&self) -> Result<Vec<u8>, ArchiveError> {
        self.source
            .read_up_to(self.located.comment, self.located.comment_size)
    }

    /// The path it was opened by.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.source.path()
    }

    /// The open file.
    #[must_use]
    pub fn file(&self) -> &File {
        self.source.file()
    }

    /// Where in [`Archive::file`] the archive begins, and its bytes: the whole file, or a member's data.
    #[must_use]
    pub fn extent(&self) -> (u64, u64) {
        (self.source.start(), self.source.len())
    }

    /// Writes the archive's own bytes to `out`, as they are.
    ///
    /// # Errors
    /// When they cannot be read or written.
    pub fn write_to(&self, out: &mut dyn Write) -> std::io::Result<()> {
        let (mut offset, size) = self.extent();
        let end = offset.saturating_add(size);
        let mut buffer = vec![0; 128 << 10];
        while offset < end {
            let left = usize::try_from(end - offset).unwrap_or(usize::MAX);
            let count = left.min(buffer.len());
            self.file().read_exact_at(&mut buffer[..count], offset)?;
            out.write_all(&buffer[..count])?;
            offset += count as u64;
        }
        Ok(())
    }

    /// The seal, when a sealed stub heads the file.
    #[must_use]
    pub fn seal(&self) -> Option<&Seal> {
        self.seal
            .as_ref()
            .map(|(seal, _)| seal)
            .filter(|seal| seal.sealed)
    }

    /// The first line of the original archive when it begins with `#!`, without the `#!` and the line's end.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn shebang(&self) -> Result<Option<Vec<u8>>, ArchiveError> {
        Ok(shebang(&self.beginning(SHEBANG)?))
    }

    /// The beginning of the original archive, as much as there is of `length` bytes.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn beginning(&self, length: u64) -> Result<Vec<u8>, ArchiveError> {
        let start = match self.seal() {
            Some(seal) => seal.head_size(),
            None => 0,
        };
        self.source.read_up_to(start, length)
    }

    /// Every member in the order of the central directory; of several with one name only the last.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The member of that name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&Entry> {
        let found = self
            .by_name
            .binary_search_by(|&index| self.entries[index as usize].name.as_str().cmp(name))
            .ok()?;
        Some(&self.entries[self.by_name[found] as usize])
    }

    /// Every member whose name begins with `prefix`, in the order of the central directory.
    #[must_use]
    pub fn beginning_with(&self, prefix: &str) -> Vec<&Entry> {
        let name = |index: &u32| self.entries[*index as usize].name.as_str();
        let start = self.by_name.partition_point(|index| name(index) < prefix);
        let mut found: Vec<u32> = self.by_name[start..]
            .iter()
            .take_while(|index| name(index).starts_with(prefix))
            .copied()
            .collect();
        found.sort_unstable();
        found
            .into_iter()
            .map(|index| &self.entries[index as usize])
            .collect()
    }

    /// Whether there is any member whose name begins with `prefix`.
    #[must_use]
    pub fn any_beginning_with(&self, prefix: &str) -> bool {
        let name = |index: &u32| self.entries[*index as usize].name.as_str();
        let start = self.by_name.partition_point(|index| name(index) < prefix);
        self.by_name
            .get(start)
            .is_some_and(|index| name(index).starts_with(prefix))
    }

    /// A member's bytes, inflated and checked against its CRC-32. For members that fit in memory with ease.
    ///
    /// # Errors
    /// When it cannot be read, is damaged or is larger than `limit` bytes.
    pub fn read(&self, entry: &Entry, limit: u64) -> Result<Vec<u8>, ArchiveError> {
        self.bounded(entry.size, entry, limit)?;
        member::read(&self.source, entry)
    }

    /// As [`Archive::read`], into memory that is used again; `limit` holds for the stored bytes too, which are all read
    /// at once.
    ///
    /// # Errors
    /// As [`Archive::read`].
    pub fn read_into(
        &self,
        entry: &Entry,
        limit: u64,
        buffer: &mut Buffer,
    ) -> Result<(), ArchiveError> {
        self.bounded(entry.size.max(entry.compressed_size), entry, limit)?;
        member::read_into(&self.source, entry, buffer)
    }

    fn bounded(&self, size: u64, entry: &Entry, limit: u64) -> Result<(), ArchiveError> {
        if size <= limit {
            return Ok(());
        }
        let (path, name) = (self.path().to_path_buf(), entry.name.clone());
        Err(ArchiveError::TooLarge {
            path,
            name,
            size,
            limit,
        })
    }

    /// Writes a member's bytes, inflated and checked, to `out`; memory stays bounded whatever its size.
    ///
    /// # Errors
    /// As [`Archive::read`]; errors of `out` come back as they are, in [`ArchiveError::Output`].
    pub fn copy(&self, entry: &Entry, out: &mut dyn Write) -> Result<(), ArchiveError> {
        member::copy(&self.source, entry, out)
    }
}

/// The first line of `head` when it begins with `#!`, without the `#!` and the line's end.
pub(crate) fn shebang(head: &[u8]) -> Option<Vec<u8>> {
    let line = head.strip_prefix(b"#!")?;
    let line = line.split(|byte| *byte == b'\n').next().unwrap_or(line);
    Some(line.strip_suffix(b"\r").unwrap_or(line).to_vec())
}

/// Sorts by name and drops all but the last of each.
fn index(entries: &mut Vec<Entry>) -> Vec<u32> {
    let sorted = |entries: &[Entry]| {
        // A directory is bounded to a size at which four bytes are enough for an index.
        let mut by_name: Vec<u32> = (0..entries.len() as u32).collect();
        // Stable, so that the last of a name stays the last.
        by_name.sort_by(|&a, &b| entries[a as usize].name.cmp(&entries[b as usize].name));
        by_name
    };
    let by_name = sorted(entries);
    let same = |pair: &[u32]| entries[pair[0] as usize].name == entries[pair[1] as usize].name;
    let doomed: Vec<u32> = by_name
        .windows(2)
        .filter(|pair| same(pair))
        .map(|pair| pair[0])
        .collect();
    if doomed.is_empty() {
        return by_name;
    }
    let mut doomed: std::collections::HashSet<u32> = doomed.into_iter().collect();
    let mut index = 0;
    entries.retain(|_| {
        index += 1;
        !doomed.remove(&(index - 1))
    });
    sorted(entries)
}
