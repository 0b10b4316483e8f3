//! Advisory locks, one per published thing. They only save doing the same work twice: whoever cannot have one goes on
//! without, and the rename decides. How long a lock is waited for is told in [`super::patience`].

use std::ffi::{OsStr, OsString};
use std::fs::{File, OpenOptions};
use std::os::fd::{BorrowedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use fs2::FileExt;
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sys::stat::{SFlag, fstat, lstat};
use pexboot_core::paths::LOCKS;

use super::beat::Beat;
use super::patience::Patience;
use super::{FORMAT, Kind};

/// A lock that is held; gone with its process.
#[derive(Debug)]
pub(super) struct Lock {
    path: PathBuf,
    /// Holds the file.
    _beat: Beat,
}

impl Lock {
    fn new(path: PathBuf, file: File) -> Lock {
        Lock {
            path,
            _beat: Beat::new(Arc::new(file)),
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Whoever waits on the removed file gets it next, finds the entry, and is done; who comes later finds the entry
        // at once. Should two work at the same thing after all, the rename decides.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// What came of asking for a lock.
#[derive(Debug)]
pub(super) enum Turn<T> {
    /// Nobody else has it, or nobody can tell: do the work.
    Work(Option<Lock>),
    /// Somebody else did the work meanwhile.
    Done(T),
}

/// The lock of a launch that the stub holds for this process (`stub/src/turn.rs`): others wait for its plan. The descriptor
/// is closed when the process ends or becomes Python; the lock's file is removed with this.
#[derive(Debug)]
pub struct Inherited {
    path: PathBuf,
    /// `None` where there is no descriptor to be had for it.
    _beat: Option<Beat>,
}

impl Inherited {
    /// What the stub has said of it, `NUMBER:PATH`, if that is so. `inherited` gives the descriptor of that number, if it was
    /// open when this process began.
    #[must_use]
    pub fn new(
        told: &OsStr,
        inherited: impl FnOnce(RawFd) -> Option<BorrowedFd<'static>>,
    ) -> Option<Inherited> {
        let told = told.as_bytes();
        let colon = told.iter().position(|&byte| byte == b':')?;
        let number = std::str::from_utf8(&told[..colon]).ok()?.parse().ok()?;
        let path = PathBuf::from(OsStr::from_bytes(&told[colon + 1..]));
        let lock = inherited(number)?;
        let found = fstat(lock).ok()?;
        let is_file = found.st_mode & SFlag::S_IFMT.bits() == SFlag::S_IFREG.bits();
        // Nobody else's file is removed, and no descriptor of the application's is closed, whoever has set the variable.
        let named = path.parent()?.ends_with(Path::new(FORMAT).join(LOCKS));
        let same = lstat(&path)
            .is_ok_and(|there| (there.st_dev, there.st_ino) == (found.st_dev, found.st_ino));
        if !(is_file && named && (same || found.st_nlink == 0)) {
            return None;
        }
        fcntl(lock, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)).ok()?;
        let file = lock.try_clone_to_owned().ok();
        Some(Inherited {
            path,
            _beat: file.map(|file| Beat::new(Arc::new(file.into()))),
        })
    }
}

impl Drop for Inherited {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Where the lock of the entry `name` of `kind` lies.
pub(super) fn path(root: &Path, kind: Kind, name: &Path) -> PathBuf {
    let mut file = OsString::from(kind.directory());
    for part in name {
        file.push("-");
        file.push(part);
    }
    root.join(FORMAT).join(LOCKS).join(file)
}

/// Takes the lock at `path` unless another has it. Where locks do not work, there is none to respect.
pub(super) fn attempt(path: PathBuf) -> Option<Option<Lock>> {
    let Ok(file) = open(&path) else {
        return Some(None);
    };
    match file.try_lock_exclusive() {
        Ok(()) => Some(Some(Lock::new(path, file))),
        Err(error) if is_held(&error) => None,
        Err(_) => Some(None),
    }
}

fn open(path: &Path) -> std::io::Result<File> {
    // For writing, since NFS turns the lock into one of bytes, which needs it.
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o644)
        .custom_flags(nix::libc::O_NOFOLLOW | nix::libc::O_NONBLOCK)
        .open(path)
}

/// Takes the lock at `path`, waiting while another holds it, for at most `limit` and as long as `patience` lasts; `done`
/// says whether the work has appeared.
pub(super) fn acquire<T>(
    path: PathBuf,
    patience: &Patience,
    limit: Duration,
    mut done: impl FnMut() -> Option<T>,
) -> Turn<T> {
    let Ok(file) = open(&path) else {
        return Turn::Work(None);
    };
    let mut wait = None;
    loop {
        match file.try_lock_exclusive() {
            Ok(()) => {
                let lock = Lock::new(path, file);
                return match done() {
                    Some(found) => Turn::Done(found),
                    None => Turn::Work(Some(lock)),
                };
            }
            Err(error) if is_held(&error) => {}
            Err(_) => return Turn::Work(None),
        }
        if let Some(found) = done() {
            return Turn::Done(found);
        }
        let wait = wait.get_or_insert_with(|| patience.wait(&file, limit));
        if !wait.goes_on(&path, &file) {
            return Turn::Work(None);
        }
    }
}

/// Whether the error of a lock that was tried says that someone else has it.
pub(super) fn is_held(error: &std::io::Error) -> bool {
    error.raw_os_error().map(Errno::from_raw) == Some(Errno::EWOULDBLOCK)
}
