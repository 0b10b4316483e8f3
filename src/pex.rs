//! A PEX on disk in any of its layouts (reference 1.3), seen the same way: PEX-INFO, wheels, user code.

use std::path::{Path, PathBuf};

use crate::archive::{Archive, ArchiveError, Entry};
use crate::pex_info::PexInfo;

/// How a PEX lies on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// One zip file.
    Zipapp,
    /// A directory whose wheels and bootstrap are zip files.
    Packed,
    /// A directory with everything unpacked.
    Loose,
}

/// A PEX that was opened.
#[derive(Debug)]
pub struct Pex {
    /// The file or directory, absolute, as named.
    pub path: PathBuf,
    /// How it lies on disk.
    pub layout: Layout,
    /// Its PEX-INFO.
    pub info: PexInfo,
    /// PEX-INFO's bytes.
    pub info_bytes: Vec<u8>,
}

/// A file that a tree is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Path below the tree's root, `/`-separated, checked to be a safe relative path.
    pub path: String,
    /// Bytes of content.
    pub size: u64,
    /// Whether it is executable (reference 9.1).
    pub executable: bool,
    /// Where its bytes are.
    pub content: Content,
}

/// Where a member's bytes are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// In the archive.
    Entry(Entry),
    /// In a file of its own.
    File(PathBuf),
}

/// What there is of one wheel in a PEX.
#[derive(Debug)]
pub enum WheelSource {
    /// A pre-installed chroot (reference 1.7): its members, in the given archive or as loose files.
    Chroot {
        /// The archive that `Content::Entry` members are in; `None` for loose files.
        archive: Option<std::sync::Arc<Archive>>,
        /// The files, in stored order; directories are not listed.
        members: Vec<Member>,
    },
    /// The wheel file itself (reference 9.3), as an archive of its own.
    WheelFile {
        /// The bytes: a member of the PEX or a file.
        content: Content,
        /// The archive that `Content::Entry` is in.
        archive: Option<std::sync::Arc<Archive>>,
    },
}

/// Why a PEX could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum PexError {
    /// The zip could not be read.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// PEX-INFO could not be read.
    #[error("`{}`: {source}", path.display())]
    Info {
        /// The PEX.
        path: PathBuf,
        /// Why.
        source: crate::pex_info::PexInfoError,
    },
    /// There is no PEX-INFO.
    #[error("`{}` is not a PEX: it has no PEX-INFO; name a file that pex has built", path.display())]
    NotAPex {
        /// The file.
        path: PathBuf,
    },
}

impl Pex {
    /// Opens the PEX at `path`: a file, bare or embedded, or a directory.
    ///
    /// # Errors
    /// When it cannot be read or is not a PEX.
    pub fn open(path: &Path) -> Result<Pex, PexError> {
        let _ = path;
        todo!()
    }

    /// The zip, when the layout is one file.
    #[must_use]
    pub fn archive(&self) -> Option<&std::sync::Arc<Archive>> {
        todo!()
    }

    /// What there is of the wheel called `name` (a key of `distributions`).
    ///
    /// # Errors
    /// When it is not there or cannot be read.
    pub fn wheel(&self, name: &str) -> Result<WheelSource, PexError> {
        let _ = name;
        todo!()
    }

    /// The wheel's METADATA (core metadata), wherever the layout keeps it.
    ///
    /// # Errors
    /// When it is not there or cannot be read.
    pub fn metadata(&self, name: &str) -> Result<Vec<u8>, PexError> {
        let _ = name;
        todo!()
    }

    /// The wheel's entry_points.txt, `None` when it has none.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn entry_points(&self, name: &str) -> Result<Option<Vec<u8>>, PexError> {
        let _ = name;
        todo!()
    }

    /// The user code: every member at the root that is not reserved (reference 1.4), in stored order.
    ///
    /// # Errors
    /// When a directory cannot be read.
    pub fn user_code(&self) -> Result<Vec<Member>, PexError> {
        todo!()
    }

    /// The fingerprint: SHA-256 over PEX-INFO's bytes and, for each member of user code in order, name, x bit and
    /// SHA-256 of its content. The same for a bare and an embedded file.
    ///
    /// # Errors
    /// When something cannot be read.
    pub fn fingerprint(&self) -> Result<[u8; 32], PexError> {
        todo!()
    }
}
