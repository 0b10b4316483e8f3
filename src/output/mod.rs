//! Files that a user names: the result of `embed` and `strip`, a trace, what `bench` writes.
//!
//! Every one of them is a [`Draft`]: a regular file without a name that is written whole and then gets its name by a
//! rename. So it is there whole or not at all, whatever fails and whoever is killed when.
//!
//! Replaces a regular file or a symbolic link and nothing else: a device, pipe, socket or directory is refused. A link
//! is replaced itself, as `mv` does it, and never followed. A regular file leaves its owner and mode to the new one, as
//! `cp` over it would; anything else belongs to the caller, with the caller's umask. Extended attributes are not kept.

mod error;
mod found;
#[cfg(feature = "cli")]
pub mod stdout;
#[cfg(test)]
mod tests;

use std::fs::{File, Metadata, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, fchown};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use nix::fcntl::{AT_FDCWD, AtFlags};
use nix::libc;
use nix::unistd::linkat;

pub use error::OutputError;
use found::Found;

/// Permission bits of a file that is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rights {
    /// Those of the regular file that is replaced; a new file gets `new` less the umask.
    Usual {
        /// Permission bits before the umask.
        new: u32,
        /// Each r bit of a file that is replaced brings an x bit.
        executable: bool,
    },
    /// Exactly these, and the owner of whatever is replaced: the file is changed in place.
    InPlace(u32),
}

/// Those of a report.
#[cfg(feature = "cli")]
const USUAL: Rights = Rights::Usual {
    new: 0o666,
    executable: false,
};

/// A file that has no name yet, or one of its own beside its place. Gone when it is dropped, unless it was published.
#[derive(Debug)]
pub struct Draft {
    file: File,
    /// Its name for now; `None` where the file system can do without.
    name: Option<PathBuf>,
    target: PathBuf,
    rights: Rights,
}

impl Draft {
    /// An empty file that will be `target`.
    ///
    /// # Errors
    /// When what is there must not be replaced, or the system refuses.
    pub fn new(target: &Path, rights: Rights) -> Result<Draft, OutputError> {
        let mode = match (Found::at(target)?, rights) {
            (Found::Nothing | Found::Other(_), Rights::Usual { new, .. }) => new,
            // It gets its mode together with its owner.
            (Found::File(_), _) | (_, Rights::InPlace(_)) => 0o600,
        };
        Draft::open(target, mode, rights)
    }

    /// An empty file in the directory for temporary files, which is never published.
    ///
    /// # Errors
    /// When the system refuses.
    #[cfg(feature = "cli")]
    pub fn scratch() -> Result<Draft, OutputError> {
        let place = std::env::temp_dir().join("pexboot");
        Draft::open(&place, 0o600, Rights::InPlace(0o600))
    }

    fn open(target: &Path, mode: u32, rights: Rights) -> Result<Draft, OutputError> {
        let (file, name) = open_beside(target, mode).map_err(at(target))?;
        Ok(Draft {
            file,
            name,
            target: target.to_owned(),
            rights,
        })
    }

    /// The file.
    #[must_use]
    pub fn file(&self) -> &File {
        &self.file
    }

    /// A path by which the file can be opened once more, for now.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.name.clone().unwrap_or_else(|| by_number(&self.file))
    }

    /// Adds bytes at the end.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), OutputError> {
        self.file.write_all(bytes).map_err(at(&self.target))
    }

    /// Gives the file its owner, mode and name. What is at that name is looked at once more.
    ///
    /// # Errors
    /// When what is there must not be replaced, or the system refuses; nothing was replaced then.
    pub fn publish(mut self) -> Result<(), OutputError> {
        let found = Found::at(&self.target)?;
        self.settle(&found).map_err(at(&self.target))?;
        self.put(&found).map_err(at(&self.target))
    }

    /// Brings the file to the disk: a rename can survive a power cut that its data does not.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn sync(&self) -> Result<(), OutputError> {
        self.file.sync_all().map_err(at(&self.target))
    }

    /// Owner and mode, as what is replaced has them.
    fn settle(&self, found: &Found) -> io::Result<()> {
        let (like, mode) = match (self.rights, found) {
            (Rights::InPlace(mode), Found::File(old) | Found::Other(old)) => (Some(old), mode),
            (Rights::InPlace(mode), Found::Nothing) => (None, mode),
            (Rights::Usual { executable, .. }, Found::File(old)) => {
                let mode = old.mode() & 0o777;
                let added = if executable { (mode & 0o444) >> 2 } else { 0 };
                (Some(old), mode | added)
            }
            // The kernel has applied the umask when it made the file.
            (Rights::Usual { .. }, Found::Nothing | Found::Other(_)) => return Ok(()),
        };
        let kept = like.is_none_or(|old| self.give_to(old));
        // Bits for a group that the file could not be given to are another group's now.
        let mode = if kept {
            mode
        } else {
            mode & 0o707 | (mode & 0o007) << 3
        };
        self.file.set_permissions(Permissions::from_mode(mode))
    }

    /// Gives the file to owner and group of `old`, as far as the process may; says whether the group is that one now.
    fn give_to(&self, old: &Metadata) -> bool {
        let Ok(own) = self.file.metadata() else {
            return false;
        };
        if (own.uid(), own.gid()) == (old.uid(), old.gid()) {
            return true;
        }
        // Only root may give files away; others may still have the group.
        fchown(&self.file, Some(old.uid()), Some(old.gid())).is_ok()
            || own.gid() == old.gid()
            || fchown(&self.file, None, Some(old.gid())).is_ok()
    }

    /// The name.
    fn put(&mut self, found: &Found) -> io::Result<()> {
        if self.name.is_none() {
            let source = by_number(&self.file);
            let link = |to: &Path| {
                let linked = linkat(AT_FDCWD, &source, AT_FDCWD, to, AtFlags::AT_SYMLINK_FOLLOW);
                linked.map_err(io::Error::from)
            };
            // Where nothing is, there is no moment with another name.
            if matches!(found, Found::Nothing) && link(&self.target).is_ok() {
                return Ok(());
            }
            self.name = Some(free_name(&self.target, &mut |name| link(name))?.1);
        }
        if let Some(name) = &self.name {
            std::fs::rename(name, &self.target)?;
        }
        self.name = None;
        Ok(())
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if let Some(name) = &self.name {
            // It may be gone already.
            let _ = std::fs::remove_file(name);
        }
    }
}

/// Looks at `target` before work that would be lost if it could not be written there.
///
/// # Errors
/// When what is there must not be replaced, or no file can be made beside it.
#[cfg(feature = "cli")]
pub fn check(target: &Path) -> Result<(), OutputError> {
    Draft::new(target, USUAL).map(drop)
}

/// Writes the whole file `target`, whose mode is as the umask has it where it is new.
///
/// # Errors
/// When what is there must not be replaced, or the system refuses.
#[cfg(feature = "cli")]
pub fn write(target: &Path, bytes: &[u8]) -> Result<(), OutputError> {
    let mut draft = Draft::new(target, USUAL)?;
    draft.write(bytes)?;
    draft.publish()
}

/// Makes `target` a symbolic link with that text.
///
/// # Errors
/// As [`write()`].
#[cfg(feature = "cli")]
pub fn link(text: &str, target: &Path) -> Result<(), OutputError> {
    Found::at(target)?;
    let make = &mut |name: &Path| std::os::unix::fs::symlink(text, name);
    let ((), name) = free_name(target, make).map_err(at(target))?;
    std::fs::rename(&name, target).map_err(|source| {
        // What could not be moved is of no use.
        let _ = std::fs::remove_file(&name);
        at(target)(source)
    })
}

/// An empty file in the directory of `target`: without a name where that can be had, since such a file goes by itself
/// when this process is killed.
fn open_beside(target: &Path, mode: u32) -> io::Result<(File, Option<PathBuf>)> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(mode);
    let unnamed = options
        .clone()
        .custom_flags(libc::O_TMPFILE)
        .open(directory(target));
    // It gets its name by way of /proc.
    if let Ok(file) = unnamed
        && let (Ok(own), Ok(seen)) = (file.metadata(), std::fs::metadata(by_number(&file)))
        && (own.dev(), own.ino()) == (seen.dev(), seen.ino())
    {
        return Ok((file, None));
    }
    let (file, name) = free_name(target, &mut |name| options.create_new(true).open(name))?;
    Ok((file, Some(name)))
}

/// Makes something under a name beside `target` that nothing has.
fn free_name<T>(
    target: &Path,
    make: &mut dyn FnMut(&Path) -> io::Result<T>,
) -> io::Result<(T, PathBuf)> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    loop {
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = target.with_file_name(format!(".pexboot-{}-{count}", std::process::id()));
        match make(&name) {
            Ok(made) => return Ok((made, name)),
            // Left by a killed process of the same number.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
}

/// The directory that `target` is in.
fn directory(target: &Path) -> &Path {
    match target.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// The path that the kernel gives an open file.
fn by_number(file: &File) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()))
}

/// Gives an error its path.
fn at(path: &Path) -> impl Fn(io::Error) -> OutputError + '_ {
    move |source| OutputError::Io {
        path: path.to_owned(),
        source,
    }
}
