//! What is at a place before a file is put there, and whether it may be replaced.

use std::fs::Metadata;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use nix::sys::statfs::{PROC_SUPER_MAGIC, statfs};

use super::{OutputError, at, directory};

/// A directory.
const DIRECTORY: &str = "a directory";
/// As many links as the kernel would follow.
const LINKS: usize = 40;

/// What is at a place, where it may be replaced.
#[derive(Debug)]
pub(super) enum Found {
    Nothing,
    /// A regular file: its owner and mode go on.
    File(Metadata),
    /// What goes and leaves nothing: a symbolic link to a regular file or to nothing, or a regular file that somebody else
    /// may have laid there for the caller to fill.
    Other(Metadata),
}

impl Found {
    /// Looks at `target`; refuses what must not be replaced.
    pub fn at(target: &Path) -> Result<Found, OutputError> {
        let refused = |what| {
            Err(OutputError::Kind {
                path: target.to_owned(),
                what,
            })
        };
        if target.file_name().is_none() || target.as_os_str().as_bytes().ends_with(b"/") {
            return refused(DIRECTORY);
        }
        let found = match target.symlink_metadata() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::Nothing),
            result => result.map_err(at(target))?,
        };
        if !found.is_symlink() {
            return match kind(&found) {
                None if is_planted(target, &found) => Ok(Found::Other(found)),
                None => Ok(Found::File(found)),
                Some(what) => refused(what),
            };
        }
        if is_a_descriptor(target) {
            return refused("a process's own open file");
        }
        // Who names a link to a device or directory means that.
        match target.metadata().ok().as_ref().and_then(kind) {
            None => Ok(Found::Other(found)),
            Some(what) => refused(what),
        }
    }
}

/// What it is where it is no regular file.
fn kind(found: &Metadata) -> Option<&'static str> {
    let kind = found.file_type();
    if kind.is_file() {
        None
    } else if kind.is_dir() {
        Some(DIRECTORY)
    } else if kind.is_fifo() {
        Some("a pipe")
    } else if kind.is_socket() {
        Some("a socket")
    } else {
        Some("a device")
    }
}

/// Whether the file is another user's in a sticky directory that all may write to (`/tmp`). The kernel does not let `cp`
/// write into such a file either (`fs.protected_regular`), and what root writes is not given to whoever was there first.
fn is_planted(target: &Path, found: &Metadata) -> bool {
    std::fs::metadata(directory(target)).is_ok_and(|directory| {
        let ours = [nix::unistd::geteuid().as_raw(), directory.uid()];
        directory.mode() & 0o1002 == 0o1002 && !ours.contains(&found.uid())
    })
}

/// Whether the link leads by way of /proc, as `/dev/stdout` does: to whatever a process has open.
fn is_a_descriptor(link: &Path) -> bool {
    let mut path: PathBuf = link.to_owned();
    for _ in 0..LINKS {
        if statfs(directory(&path)).is_ok_and(|found| found.filesystem_type() == PROC_SUPER_MAGIC) {
            return true;
        }
        let Ok(text) = std::fs::read_link(&path) else {
            return false;
        };
        path = directory(&path).join(text);
    }
    false
}
