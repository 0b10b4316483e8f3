//! Writing a directory tree into a fresh directory: the only hand that makes files below a root.
//!
//! Every file is made new (`O_EXCL`, no link followed) relative to a descriptor of its directory, with a mode that lets
//! nobody else write to it whatever the umask; every directory is made once. Paths are relative, `/`-separated and safe
//! (no empty, `.` or `..` component); anything else is refused.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, OFlag, open, openat};
use nix::sys::stat::{Mode, mkdirat};
use nix::unistd::{linkat, symlinkat};

use super::{CACHE, lasts};

/// The directories of a tree that are known to be there, by path; of all who write to it.
#[derive(Debug, Clone, Default)]
pub struct Directories(Arc<Mutex<HashSet<String>>>);

impl Directories {
    fn lock(&self) -> MutexGuard<'_, HashSet<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A directory that is being filled.
#[derive(Debug)]
pub struct Tree {
    root: OwnedFd,
    directories: Directories,
    /// The directory that was last written to.
    last: Option<(String, OwnedFd)>,
}

impl Tree {
    /// The tree below `root`, a fresh empty directory.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn new(root: &Path) -> io::Result<Tree> {
        Tree::of_several(root, &Directories::default())
    }

    /// The same for one of several who write to it, and share what `directories` they have made.
    ///
    /// # Errors
    /// As [`Tree::new`].
    pub fn of_several(root: &Path, directories: &Directories) -> io::Result<Tree> {
        Ok(Tree {
            root: open(root, DIRECTORY, Mode::empty())?,
            directories: directories.clone(),
            last: None,
        })
    }

    /// A new file to write to, with its directories; `executable` asks for the x bits.
    ///
    /// # Errors
    /// When the system refuses or something is there.
    pub fn file(&mut self, path: &str, executable: bool) -> io::Result<NewFile> {
        lasts(0);
        let (parent, name) = split(path)?;
        let mode = Mode::from_bits_truncate(if executable { 0o755 } else { 0o644 });
        let flags =
            OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let file = openat(self.enter(parent)?, name, flags, mode)?;
        Ok(NewFile(file.into()))
    }

    /// A new file with this content.
    ///
    /// # Errors
    /// As [`Tree::file`].
    pub fn write(&mut self, path: &str, bytes: &[u8], executable: bool) -> io::Result<()> {
        self.file(path, executable)?.write_all(bytes)
    }

    /// A new symbolic link.
    ///
    /// # Errors
    /// As [`Tree::file`].
    pub fn link(&mut self, path: &str, target: &Path) -> io::Result<()> {
        lasts(0);
        let (parent, name) = split(path)?;
        Ok(symlinkat(target, self.enter(parent)?, name)?)
    }

    /// A new symbolic link that reads `target`, and so leads to `source`. Where the file system has none, what is there: a
    /// directory of further names for its files or, where it has none of those either, of copies.
    ///
    /// Python's bytecode is left out of such a directory: it is its own from then on.
    ///
    /// # Errors
    /// As [`Tree::file`]; and when `source` cannot be read.
    pub fn link_or_copy(&mut self, path: &str, target: &Path, source: &Path) -> io::Result<()> {
        match self.link(path, target) {
            Err(error) if has_no_links(&error) => self.duplicate(path, source),
            result => result,
        }
    }

    fn duplicate(&mut self, path: &str, source: &Path) -> io::Result<()> {
        if !std::fs::metadata(source)?.is_dir() {
            return match self.hard_link(path, source) {
                Ok(()) => Ok(()),
                Err(_) => self.copy(path, source),
            };
        }
        self.directory(path)?;
        for entry in std::fs::read_dir(source)? {
            let Ok(name) = entry?.file_name().into_string() else {
                return Err(io::Error::other("a file name in it is not UTF-8"));
            };
            if name != CACHE {
                self.duplicate(&format!("{path}/{name}"), &source.join(name))?;
            }
        }
        Ok(())
    }

    /// A copy of the regular file at `source`, with its x bits.
    ///
    /// # Errors
    /// As [`Tree::file`]; and when `source` cannot be read.
    pub fn copy(&mut self, path: &str, source: &Path) -> io::Result<()> {
        let mut from = crate::regular::open(source)?;
        let executable = from.metadata()?.permissions().mode() & 0o111 != 0;
        io::copy(&mut from, &mut self.file(path, executable)?).map(drop)
    }

    /// A further name for the file at `target`, links not followed.
    ///
    /// # Errors
    /// As [`Tree::file`]; and where the file system has no such thing, refuses to cross to another (EXDEV), or has too
    /// many already (EMLINK).
    pub fn hard_link(&mut self, path: &str, target: &Path) -> io::Result<()> {
        lasts(0);
        let (parent, name) = split(path)?;
        Ok(linkat(
            AT_FDCWD,
            target,
            self.enter(parent)?,
            name,
            AtFlags::empty(),
        )?)
    }

    /// A directory, with those above it.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn directory(&mut self, path: &str) -> io::Result<()> {
        if !path.is_empty() && !self.directories.lock().contains(path) {
            let (parent, _) = split(path)?;
            self.directory(parent)?;
            match mkdirat(self.root.as_fd(), path, Mode::from_bits_truncate(0o755)) {
                Ok(()) => {}
                Err(Errno::EEXIST) => {
                    // Made by another writer of the same tree; a link would lead out of it.
                    openat(
                        self.root.as_fd(),
                        path,
                        DIRECTORY | OFlag::O_NOFOLLOW,
                        Mode::empty(),
                    )?;
                }
                Err(errno) => return Err(errno.into()),
            }
            self.directories.lock().insert(path.to_owned());
        }
        Ok(())
    }

    /// The descriptor of the directory at `path`, made if it is missing.
    fn enter(&mut self, path: &str) -> io::Result<BorrowedFd<'_>> {
        if path.is_empty() {
            return Ok(self.root.as_fd());
        }
        // Neighbours mostly share their directory.
        if self.last.as_ref().is_none_or(|(last, _)| last != path) {
            self.directory(path)?;
            let fd = openat(
                self.root.as_fd(),
                path,
                DIRECTORY | OFlag::O_NOFOLLOW,
                Mode::empty(),
            )?;
            self.last = Some((path.to_owned(), fd));
        }
        Ok(self
            .last
            .as_ref()
            .map_or(self.root.as_fd(), |(_, fd)| fd.as_fd()))
    }
}

/// Whether making a symbolic link failed because the file system has none: FAT, some network and FUSE file systems.
#[must_use]
pub fn has_no_links(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error().map(Errno::from_raw),
        Some(Errno::EPERM | Errno::ENOSYS | Errno::EOPNOTSUPP)
    )
}

/// A file of a [`Tree`], to write to.
#[derive(Debug)]
pub struct NewFile(File);

impl Write for NewFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        lasts(bytes.len() as u64);
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// How directories are opened: to go through, not to read.
const DIRECTORY: OFlag = OFlag::O_PATH
    .union(OFlag::O_DIRECTORY)
    .union(OFlag::O_CLOEXEC);

/// A path as its directory (empty for the root) and its last component.
fn split(path: &str) -> io::Result<(&str, &str)> {
    let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
    let unsafe_parent = path.contains('/') && parent.is_empty();
    if unsafe_parent || matches!(name, "" | "." | "..") {
        return Err(io::Error::other(format!(
            "`{}` is no safe relative path",
            path.escape_debug()
        )));
    }
    Ok((parent, name))
}
