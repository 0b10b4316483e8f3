//! A PEX on disk in any of its layouts (reference 1.3), seen the same way: PEX-INFO, wheels, user code.
//!
//! Says what there is and where its bytes are; never writes and never decides what is wanted.

mod error;
mod fingerprint;
pub(crate) mod preamble;
mod started_by;
#[cfg(test)]
mod tests;
mod tree;
mod wheel;

use std::io::{Read as _, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use sha2::{Digest as _, Sha256};

use crate::archive::{Archive, ArchiveError, Entry, Seal};
use crate::hashing::Hashing;
use crate::pex_info::PexInfo;
use crate::trace;

pub use error::PexError;
pub use fingerprint::Fingerprint;
pub use started_by::{Python, StartedBy};
pub use wheel::WheelSource;

/// Most bytes of a PEX-INFO, METADATA or other small text.
const TEXT: u64 = 64 << 20;

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
    /// The zip, when the layout is one file.
    archive: Option<Arc<Archive>>,
    wheels: wheel::Opened,
    /// What starts the original, once it was asked for.
    started_by: OnceLock<Option<StartedBy>>,
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

/// Pex's own runtime in a PEX.
#[cfg(feature = "cli")]
#[derive(Debug)]
pub struct Bootstrap {
    /// The archive that `Content::Entry` members are in.
    pub archive: Option<Arc<Archive>>,
    /// Its files, by their paths below `.bootstrap`.
    pub members: Vec<Member>,
}

impl Pex {
    /// Opens the PEX at `path`: a file, bare or embedded; a directory; or the file that starts one (`DIR/pex`,
    /// `DIR/__main__.py`), which stands for the directory.
    ///
    /// # Errors
    /// When it cannot be read or is not a PEX.
    pub fn open(path: &Path) -> Result<Pex, PexError> {
        let io = |source| PexError::Io {
            path: path.to_path_buf(),
            source,
        };
        // Not normalised: the application sees it (reference 6.4).
        let path = if path.is_absolute() {
            path.to_path_buf()
        } else {
            std::env::current_dir().map_err(io)?.join(path)
        };
        if std::fs::metadata(&path).map_err(io)?.is_dir() {
            return Pex::open_directory(path);
        }
        // What starts a directory is a script, or a head with a zip behind it for a Python that is given it.
        let starts = |archive: &Archive| archive.seal().is_some_and(|seal| seal.archive_size == 0);
        match trace::timed("archive directory", || Archive::open(&path)) {
            Ok(archive) if starts(&archive) => match started_directory(&path) {
                Some(directory) => Pex::open_directory(directory),
                None => Err(PexError::NotAPex { path }),
            },
            Ok(archive) => Pex::open_zip(path, archive),
            Err(error @ (ArchiveError::NotAZip { .. } | ArchiveError::Stripped { .. })) => {
                match started_directory(&path) {
                    Some(directory) => Pex::open_directory(directory),
                    None => Err(error.into()),
                }
            }
            Err(error) => Err(error.into()),
        }
    }

    fn open_zip(path: PathBuf, archive: Archive) -> Result<Pex, PexError> {
        let Some(entry) = archive.find(PEX_INFO) else {
            return Err(PexError::NotAPex { path });
        };
        let info_bytes = trace::timed("PEX-INFO", || archive.read(entry, TEXT))?;
        Pex::new(path, Layout::Zipapp, info_bytes, Some(Arc::new(archive)))
    }

    fn open_directory(path: PathBuf) -> Result<Pex, PexError> {
        let info = path.join(PEX_INFO);
        let info_bytes = match read_file(&info, TEXT) {
            Err(PexError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
                return Err(PexError::NotAPex { path });
            }
            result => result?,
        };
        let packed =
            std::fs::metadata(path.join(BOOTSTRAP)).is_ok_and(|metadata| metadata.is_file());
        Pex::new(
            path,
            if packed {
                Layout::Packed
            } else {
                Layout::Loose
            },
            info_bytes,
            None,
        )
    }

    fn new(
        path: PathBuf,
        layout: Layout,
        info_bytes: Vec<u8>,
        archive: Option<Arc<Archive>>,
    ) -> Result<Pex, PexError> {
        let info = PexInfo::parse(&info_bytes).map_err(|source| PexError::Info {
            path: path.clone(),
            source,
        })?;
        Ok(Pex {
            path,
            layout,
            info,
            info_bytes,
            archive,
            wheels: wheel::Opened::default(),
            started_by: OnceLock::new(),
        })
    }

    /// The zip, when the layout is one file.
    #[must_use]
    pub fn archive(&self) -> Option<&Arc<Archive>> {
        self.archive.as_ref()
    }

    /// The seal, when the PEX is one embedded file.
    #[must_use]
    pub fn seal(&self) -> Option<&Seal> {
        self.archive.as_ref().and_then(|archive| archive.seal())
    }

    /// The shebang line that the original is started by, without `#!` and the line's end.
    ///
    /// # Errors
    /// When the file or the directory's `__main__.py` cannot be read.
    pub fn shebang(&self) -> Result<Option<Vec<u8>>, PexError> {
        Ok(crate::archive::shebang(&self.head()?))
    }

    /// What starts the original; `None` where nothing says it. A directory need not have the file that would.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn started_by(&self) -> Result<Option<&StartedBy>, PexError> {
        if let Some(known) = self.started_by.get() {
            return Ok(known.as_ref());
        }
        let head = match self.archive {
            Some(_) => self.head()?,
            None => self.head().unwrap_or_default(),
        };
        let found = StartedBy::parse(&head, &self.info.inject_python_args);
        Ok(self.started_by.get_or_init(|| found).as_ref())
    }

    /// The beginning of what the original is started by.
    fn head(&self) -> Result<Vec<u8>, PexError> {
        if let Some(archive) = &self.archive {
            return Ok(archive.beginning(started_by::HEAD)?);
        }
        let main = self.path.join(MAIN);
        crate::regular::beginning(&main, started_by::HEAD)
            .map_err(|source| PexError::Io { path: main, source })
    }

    /// The user code: every member at the root that is not reserved (reference 1.4), in stored order, for a directory in
    /// order of path.
    ///
    /// `__main__.pyc`, which `--compile` leaves beside `__main__.py`, is passed over: it never runs.
    ///
    /// # Errors
    /// When a directory cannot be read or the members cannot be laid out as a tree.
    pub fn user_code(&self) -> Result<Vec<Member>, PexError> {
        match &self.archive {
            Some(archive) => {
                let entries = archive
                    .entries()
                    .iter()
                    .filter(|entry| !is_reserved(&entry.name));
                tree::of_entries(&self.path, entries, 0)
            }
            None => tree::of_directory(&self.path, &|name| {
                !matches!(
                    name,
                    MAIN | MAIN_BYTECODE | PEX_INFO | "pex" | HOOK | BOOTSTRAP | DEPS
                )
            }),
        }
    }

    /// Pex's own runtime, which the native path does without.
    ///
    /// # Errors
    /// When it cannot be read or laid out.
    #[cfg(feature = "cli")]
    pub fn bootstrap(&self) -> Result<Bootstrap, PexError> {
        let place = self.path.join(BOOTSTRAP);
        let (archive, members) = match (&self.archive, self.layout) {
            (Some(archive), _) => {
                let prefix = format!("{BOOTSTRAP}/");
                let entries = archive.beginning_with(&prefix);
                let members = tree::of_entries(&self.path, entries, prefix.len())?;
                (Some(Arc::clone(archive)), members)
            }
            (None, Layout::Packed) => {
                let archive = Archive::open(&place)?;
                let members = tree::of_entries(&place, archive.entries(), 0)?;
                (Some(Arc::new(archive)), members)
            }
            (None, _) if place.is_dir() => (None, tree::of_directory(&place, &|_| true)?),
            (None, _) => (None, Vec::new()),
        };
        Ok(Bootstrap { archive, members })
    }

    /// Writes the bytes of a member of this PEX's [`Pex::user_code`] to `out`.
    ///
    /// # Errors
    /// When it cannot be read or is damaged; errors of `out` come back in [`ArchiveError::Output`].
    pub fn copy(&self, content: &Content, out: &mut dyn Write) -> Result<(), PexError> {
        content.copy(self.archive.as_deref(), out)
    }

    /// The fingerprint before its first member.
    ///
    /// # Errors
    /// When the line that starts the original cannot be read.
    pub fn begin_fingerprint(&self) -> Result<Fingerprint, PexError> {
        let says = self.started_by()?.map(StartedBy::says);
        Ok(Fingerprint::new(
            &self.info_bytes,
            &says.unwrap_or_default(),
        ))
    }

    /// The fingerprint: SHA-256 over PEX-INFO's bytes, what the line that starts the original says besides a Python, and,
    /// for each member of user code in order, name, x bit and SHA-256 of its content. The same for a bare and an embedded file.
    ///
    /// # Errors
    /// When something cannot be read.
    pub fn fingerprint(&self) -> Result<[u8; 32], PexError> {
        let mut fingerprint = self.begin_fingerprint()?;
        for member in self.user_code()? {
            let mut hash = Hashing(Sha256::new());
            self.copy(&member.content, &mut hash)?;
            fingerprint.member(&member.path, member.executable, &hash.0.finalize().into());
        }
        Ok(fingerprint.finish())
    }
}

impl Content {
    /// Writes the bytes to `out`; `archive` is the one that a [`Content::Entry`] is in.
    ///
    /// # Errors
    /// As [`Pex::copy`].
    pub fn copy(&self, archive: Option<&Archive>, out: &mut dyn Write) -> Result<(), PexError> {
        match (self, archive) {
            (Content::Entry(entry), Some(archive)) => Ok(archive.copy(entry, out)?),
            (Content::Entry(entry), None) => {
                let source = std::io::Error::other("this member's archive is not at hand");
                Err(PexError::Io {
                    path: PathBuf::from(&entry.name),
                    source,
                })
            }
            (Content::File(path), _) => copy_file(path, out),
        }
    }
}

/// Writes the bytes of a file of a loose PEX to `out`.
///
/// # Errors
/// As [`Pex::copy`].
pub(crate) fn copy_file(path: &Path, out: &mut dyn Write) -> Result<(), PexError> {
    let io = |source| PexError::Io {
        path: path.to_path_buf(),
        source,
    };
    let mut file = crate::regular::open(path).map_err(io)?;
    let mut buffer = vec![0; 128 << 10];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(length) => out
                .write_all(&buffer[..length])
                .map_err(ArchiveError::Output)?,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(io(error)),
        }
    }
}

/// PEX-INFO's name at the root.
pub(crate) const PEX_INFO: &str = "PEX-INFO";
/// The entry that Python runs.
pub(crate) const MAIN: &str = "__main__.py";
/// Its compiled twin.
pub(crate) const MAIN_BYTECODE: &str = "__main__.pyc";
/// Name, or beginning of names, of the import hook (reference 6.9).
pub(crate) const HOOK: &str = "__pex__";
/// Name, or beginning of names, of pex's own runtime.
pub(crate) const BOOTSTRAP: &str = ".bootstrap";
/// Name, or beginning of names, of the wheels.
pub(crate) const DEPS: &str = ".deps";

/// Whether a member of a zip is none of user code: a test on the beginning of its name, as stored (reference 1.4).
fn is_reserved(name: &str) -> bool {
    matches!(name, MAIN | MAIN_BYTECODE | PEX_INFO)
        || [HOOK, BOOTSTRAP, DEPS]
            .iter()
            .any(|start| name.starts_with(start))
}

/// The PEX directory that the file at `path` starts, links followed when the name itself says nothing.
fn started_directory(path: &Path) -> Option<PathBuf> {
    let of = |path: &Path| {
        let name = path.file_name()?.to_str()?;
        let directory = path.parent()?;
        (matches!(name, "pex" | MAIN) && directory.join(PEX_INFO).is_file())
            .then(|| directory.to_path_buf())
    };
    of(path).or_else(|| of(&path.canonicalize().ok()?))
}

/// A small file's bytes.
fn read_file(path: &Path, limit: u64) -> Result<Vec<u8>, PexError> {
    let io = |source| PexError::Io {
        path: path.to_path_buf(),
        source,
    };
    let bytes = crate::regular::beginning(path, limit + 1).map_err(io)?;
    if bytes.len() as u64 > limit {
        let (path, name) = (path.to_path_buf(), String::new());
        return Err(ArchiveError::TooLarge {
            path,
            name,
            size: bytes.len() as u64,
            limit,
        }
        .into());
    }
    Ok(bytes)
}
