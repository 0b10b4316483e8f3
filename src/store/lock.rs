//! Advisory locks, one per published thing. They only save doing the same work twice: whoever cannot have one goes on
//! without, and the rename decides.

use std::ffi::{OsStr, OsString};
use std::fs::{File, OpenOptions};
use std::io::IsTerminal;
use std::os::fd::{BorrowedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use fs2::FileExt;
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sys::stat::{SFlag, fstat, lstat};
use pexboot_core::paths::LOCKS;

use super::{FORMAT, Kind};

/// How long another process may take before the work is done anyway.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);
/// After how long someone who looks on is told.
const SILENCE: Duration = Duration::from_secs(1);

/// A lock that is held; gone with its process.
#[derive(Debug)]
pub(super) struct Lock {
    path: PathBuf,
    _file: File,
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
        Some(Inherited { path })
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
        Ok(()) => Some(Some(Lock { path, _file: file })),
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

/// Takes the lock at `path`, waiting for at most `patience` while another holds it; `done` says whether the work has
/// appeared.
pub(super) fn acquire<T>(
    path: PathBuf,
    patience: Duration,
    mut done: impl FnMut() -> Option<T>,
) -> Turn<T> {
    let Ok(file) = open(&path) else {
        return Turn::Work(None);
    };
    let start = Instant::now();
    let mut pause = Duration::from_millis(1);
    let mut told = false;
    loop {
        match file.try_lock_exclusive() {
            Ok(()) => {
                let lock = Lock { path, _file: file };
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
        if start.elapsed() >= patience {
            return Turn::Work(None);
        }
        if !told && start.elapsed() >= SILENCE {
            told = true;
            if std::io::stderr().is_terminal() {
                eprintln!(
                    "pexboot: waiting for another start to finish (`{}`)",
                    path.display()
                );
            }
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(50));
    }
}

/// Whether the error of a lock that was tried says that someone else has it.
pub(super) fn is_held(error: &std::io::Error) -> bool {
    error.raw_os_error().map(Errno::from_raw) == Some(Errno::EWOULDBLOCK)
}
