//! Why an archive cannot be used: every way in which a zip can be damaged, or lie, has a variant of its own.

use std::path::PathBuf;

use crate::exit::ExitCode;

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
    /// There is no end record where a zip has one.
    #[error("`{}` is not a zip, or its tail is missing: it has no end-of-central-directory record; fetch or build it anew", path.display())]
    NotAZip {
        /// The file.
        path: PathBuf,
    },
    /// It is embedded, and what follows the launcher is gone.
    #[error("`{}`: the application behind the launcher is missing: a tool took it off, as `strip -R` or `llvm-strip --strip-sections` do; fetch the file anew, or embed it again and strip it without such options", path.display())]
    Stripped {
        /// The file.
        path: PathBuf,
    },
    /// The end record or the central directory cannot be right.
    #[error("`{}`: the zip's central directory is damaged: {fault}; fetch or build it anew", path.display())]
    Directory {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        fault: DirectoryFault,
    },
    /// One member cannot be right.
    #[error("`{}`: member `{}`: {fault}", path.display(), name.escape_debug())]
    Member {
        /// The file.
        path: PathBuf,
        /// The member.
        name: String,
        /// What is wrong with it.
        fault: MemberFault,
    },
    /// All members together would inflate to more than they may.
    #[error("`{}`: its members would inflate to {size} bytes, more than the {limit} that are accepted of it; if you trust the file, set {} to as many (or 500M, 2G, `unlimited`)", path.display(), super::bomb::VARIABLE)]
    Bomb {
        /// The file.
        path: PathBuf,
        /// Bytes as promised.
        size: u64,
        /// The most that is accepted.
        limit: u64,
    },
    /// The user's own limit makes no sense.
    #[error(
        "{}: `{value}` is no size; write bytes, 500M, 2G or `unlimited`",
        super::bomb::VARIABLE
    )]
    Limit {
        /// As set.
        value: String,
    },
    /// A member that is wanted in memory is too large for that.
    #[error("`{}`: member `{}` has {size} bytes, at most {limit} can be right; build the file anew", path.display(), name.escape_debug())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The member.
        name: String,
        /// Its size.
        size: u64,
        /// The most that was acceptable.
        limit: u64,
    },
    /// What a member's bytes were written to has failed; the error is its own.
    #[error(transparent)]
    Output(std::io::Error),
}

/// What is wrong with an end record or a central directory.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DirectoryFault {
    /// It would have to begin before the file does.
    #[error("it would begin before the file does")]
    BeforeStart,
    /// It names members behind its own place.
    #[error("its offsets point behind its own place")]
    BehindItself,
    /// It is cut off, or not made of central directory headers.
    #[error("entry {index} of {count} is not a central directory header")]
    Header {
        /// The entry, from 0.
        index: u64,
        /// How many were promised.
        count: u64,
    },
    /// The end record counts more or fewer entries than there are.
    #[error("{promised} entries are promised, {found} are there")]
    Count {
        /// As the end record says.
        promised: u64,
        /// As found.
        found: u64,
    },
    /// The zip64 end record is missing, damaged or contradicts the classic one.
    #[error("its zip64 end record is missing or contradicts the classic one")]
    Zip64,
    /// It is one part of a split archive.
    #[error("it is one part of an archive split over several files")]
    Split,
    /// A zip64 extra field lacks a value that its header refers to.
    #[error("entry {index} lacks a value in its zip64 field")]
    Zip64Field {
        /// The entry, from 0.
        index: u64,
    },
    /// More entries than any PEX has.
    #[error("it has {found} bytes, at most {limit} can be right")]
    TooLarge {
        /// Its size.
        found: u64,
        /// The most that is acceptable.
        limit: u64,
    },
}

/// What is wrong with a member.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MemberFault {
    /// The name is flagged as UTF-8 and is not.
    #[error("its name is not the UTF-8 it is said to be; build the file anew")]
    NameEncoding,
    /// The name has a NUL byte, which tools cut differently.
    #[error("its name has a NUL byte; no packager writes that: do not trust the file")]
    NameNul,
    /// The name is empty.
    #[error("it has no name; no packager writes that: do not trust the file")]
    NameEmpty,
    /// One component of the name is longer than a file system takes.
    #[error(
        "a component of its name has {length} bytes, file systems take 255; rename it and build the file anew"
    )]
    NameTooLong {
        /// Bytes of the component.
        length: usize,
    },
    /// Another member needs a directory of this name.
    #[error("it is a file, and `{}` needs a directory of that name; do not trust the file", other.escape_debug())]
    FileAndDirectory {
        /// The member that needs the directory.
        other: String,
    },
    /// Its bytes reach past the central directory or the end of the file.
    #[error("its bytes would reach past the end of the archive; fetch or build the file anew")]
    Bounds,
    /// It shares bytes with another member.
    #[error("it shares bytes with `{}`; no packager writes that: do not trust the file", other.escape_debug())]
    Overlap {
        /// The other member.
        other: String,
    },
    /// It says that it inflates to more than deflate can hold.
    #[error("{compressed} bytes cannot inflate to {size}; do not trust the file")]
    Bomb {
        /// Bytes as stored.
        compressed: u64,
        /// Bytes as promised.
        size: u64,
    },
    /// A stored member whose two sizes differ.
    #[error(
        "it is stored, but its two sizes are {compressed} and {size}; fetch or build the file anew"
    )]
    StoredSize {
        /// Bytes as stored.
        compressed: u64,
        /// Bytes as promised.
        size: u64,
    },
    /// It is encrypted.
    #[error("it is encrypted; build the file without a password")]
    Encrypted,
    /// A compression method that pex does not write.
    #[error(
        "it is compressed by method {0}, only stored (0) and deflate (8) are read; build the file anew"
    )]
    Method(u16),
    /// The header in front of its bytes is not one.
    #[error("there is no header in front of its bytes; fetch or build the file anew")]
    LocalHeader,
    /// The header in front of its bytes says something else than the central directory.
    #[error(
        "the header in front of its bytes has another {what} than the central directory; do not trust the file"
    )]
    LocalDiffers {
        /// What differs.
        what: &'static str,
    },
    /// Its compressed bytes are not what deflate writes.
    #[error("its compressed bytes are damaged; fetch the file anew")]
    Inflate,
    /// It inflates to another size than promised.
    #[error("it does not inflate to the {promised} bytes that are promised; fetch the file anew")]
    Size {
        /// As promised.
        promised: u64,
    },
    /// Its CRC-32 is not the one promised.
    #[error(
        "its CRC-32 is {found:08x}, {promised:08x} is promised; the file is damaged: fetch it anew"
    )]
    Crc {
        /// As promised.
        promised: u32,
        /// As found.
        found: u32,
    },
    /// It is compressed, and only a stored member can be opened as an archive in place.
    #[error("it is an archive of its own but not stored as it is; build the PEX anew")]
    NotStored,
}

impl ArchiveError {
    /// The exit code of a command or launch that fails by this.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        match self {
            ArchiveError::Io { .. } | ArchiveError::Output(_) => ExitCode::Io,
            ArchiveError::NotAZip { .. } | ArchiveError::Stripped { .. } => ExitCode::BadFile,
            ArchiveError::Directory { fault, .. } => match fault {
                DirectoryFault::TooLarge { .. } | DirectoryFault::Zip64 => ExitCode::Hostile,
                _ => ExitCode::BadFile,
            },
            ArchiveError::TooLarge { .. } | ArchiveError::Bomb { .. } => ExitCode::Hostile,
            ArchiveError::Limit { .. } => ExitCode::Refused,
            ArchiveError::Member { fault, .. } => match fault {
                MemberFault::NameNul
                | MemberFault::NameEmpty
                | MemberFault::NameTooLong { .. }
                | MemberFault::FileAndDirectory { .. }
                | MemberFault::Overlap { .. }
                | MemberFault::Bomb { .. }
                | MemberFault::LocalDiffers { .. } => ExitCode::Hostile,
                _ => ExitCode::BadFile,
            },
        }
    }
}
