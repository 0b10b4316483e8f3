//! Which directories may be roots, and whether one can be trusted.
//!
//! A directory is trusted when it belongs to the user or to root and nobody else may write to it, and when the same holds
//! for every directory above it and every link on the way; only the sticky bit excuses a directory above that others may
//! write to (its entries still have an owner each). The walk goes component by component through descriptors and follows
//! no link that it has not looked at, so what was checked is what is used. Missing directories are made 0700.
//!
//! Nothing here is ever removed, and nothing that exists is changed.

use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, openat, readlinkat};
use nix::sys::stat::{FileStat, Mode, SFlag, fstatat, mkdirat};

use super::FORMAT;

/// Links that one path may lead through, as in the kernel.
const MAX_LINKS: u32 = 40;

/// Where roots may be, in the order in which they are tried.
#[derive(Debug, Clone, Default)]
pub(super) struct Candidates {
    /// Roots that were filled ahead; only looked into.
    pub(super) seeds: Vec<PathBuf>,
    /// The root that was asked for by name; refused when it is not safe.
    pub(super) explicit: Option<PathBuf>,
    /// The user's own cache directory.
    pub(super) cache: Option<PathBuf>,
    /// What is left when neither can be written.
    pub(super) fallback: PathBuf,
}

impl Candidates {
    /// The candidates of this process: from the environment, and `explicit`, below which `pexboot` is used.
    pub(super) fn of_process(explicit: Option<&Path>) -> Candidates {
        // Without HOME, `dirs` would ask the user database, which a static executable must not open.
        let home = std::env::var_os("HOME").filter(|home| !home.is_empty());
        Candidates {
            seeds: std::env::var_os("PEXBOOT_SEEDS")
                .map(|list| split(&list))
                .unwrap_or_default(),
            explicit: explicit.map(|root| root.join("pexboot")),
            cache: home
                .and_then(|_| dirs::cache_dir())
                .map(|cache| cache.join("pexboot")),
            fallback: PathBuf::from(format!("/var/tmp/pexboot-{}", nix::unistd::geteuid())),
        }
    }
}

/// The absolute directories of a colon-separated list.
fn split(list: &OsStr) -> Vec<PathBuf> {
    list.as_bytes()
        .split(|&byte| byte == b':')
        .map(|path| PathBuf::from(OsStr::from_bytes(path)))
        .filter(|path| path.is_absolute())
        .collect()
}

/// Why a directory is no root.
#[derive(Debug)]
pub(super) enum Refusal {
    /// Someone else could change what is in it: what is wrong, and what to do.
    Unsafe(String),
    /// It is not there and was not to be made, or could not be.
    Missing(PathBuf, Errno),
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Refusal::Unsafe(why) => f.write_str(why),
            Refusal::Missing(path, errno) => {
                write!(
                    f,
                    "`{}` cannot be used: {}",
                    path.display(),
                    std::io::Error::from(*errno)
                )
            }
        }
    }
}

/// A root that passed.
#[derive(Debug)]
pub(super) struct Root {
    /// Its path with every link resolved.
    pub(super) path: PathBuf,
    /// Why it cannot be written, when it cannot.
    pub(super) unwritable: Option<Errno>,
}

/// Opens the root at `path` for looking into it.
pub(super) fn open_existing(path: &Path) -> Result<Root, Refusal> {
    let format = walk(&path.join(FORMAT), false)?;
    Ok(Root {
        path: parent(&format.path),
        unwritable: Some(Errno::EROFS),
    })
}

/// Opens the root at `path` for writing to it, making what is missing. One that is there but cannot be written comes
/// back with the reason.
pub(super) fn open_writable(path: &Path) -> Result<Root, Refusal> {
    let format = walk(&path.join(FORMAT), true)?;
    let made = ["tmp", "locks"].into_iter().try_for_each(|name| {
        match mkdirat(format.fd.as_fd(), name, Mode::from_bits_truncate(0o755)) {
            Ok(()) | Err(Errno::EEXIST) => Ok(()),
            Err(errno) => Err(errno),
        }
    });
    let writable = made.and_then(|()| {
        let flags = nix::unistd::AccessFlags::W_OK | nix::unistd::AccessFlags::X_OK;
        nix::unistd::access(&format.path.join("tmp"), flags)
    });
    Ok(Root {
        path: parent(&format.path),
        unwritable: writable.err(),
    })
}

/// The parent of a path that [`FORMAT`] was joined to.
fn parent(path: &Path) -> PathBuf {
    path.parent().unwrap_or(path).to_owned()
}

/// A directory that was reached safely.
struct Reached {
    fd: OwnedFd,
    path: PathBuf,
}

/// Goes to `path` from the top, checking every step, and makes what is missing when `create`.
fn walk(path: &Path, create: bool) -> Result<Reached, Refusal> {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut here = top()?;
    // The steps still to go, the next one last.
    let mut steps: Vec<OsString> = Vec::new();
    push_steps(&mut steps, &path);
    let mut links = 0;
    while let Some(step) = steps.pop() {
        let shown = here.path.join(&step);
        let refuse = |errno| Refusal::Missing(shown.clone(), errno);
        let status = match fstatat(
            here.fd.as_fd(),
            step.as_os_str(),
            AtFlags::AT_SYMLINK_NOFOLLOW,
        ) {
            Err(Errno::ENOENT) if create => {
                // The root keeps others out; what is in it need not.
                let mode = if steps.is_empty() { 0o755 } else { 0o700 };
                match mkdirat(
                    here.fd.as_fd(),
                    step.as_os_str(),
                    Mode::from_bits_truncate(mode),
                ) {
                    Ok(()) | Err(Errno::EEXIST) => {}
                    Err(errno) => return Err(refuse(errno)),
                }
                fstatat(
                    here.fd.as_fd(),
                    step.as_os_str(),
                    AtFlags::AT_SYMLINK_NOFOLLOW,
                )
                .map_err(refuse)?
            }
            other => other.map_err(refuse)?,
        };
        if kind(&status) == SFlag::S_IFLNK {
            check_owner(&status, &shown)?;
            links += 1;
            if links > MAX_LINKS {
                return Err(refuse(Errno::ELOOP));
            }
            let target =
                PathBuf::from(readlinkat(here.fd.as_fd(), step.as_os_str()).map_err(refuse)?);
            if target.is_absolute() {
                here = top()?;
            }
            push_steps(&mut steps, &target);
            continue;
        }
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let fd = openat(here.fd.as_fd(), step.as_os_str(), flags, Mode::empty()).map_err(refuse)?;
        let path = if step == ".." {
            parent(&here.path)
        } else {
            shown.clone()
        };
        // Asked again of the descriptor: this is what will be used.
        let status = nix::sys::stat::fstat(fd.as_fd()).map_err(refuse)?;
        // The root, and the directory of the format in it, are the last two.
        check(&status, &path, steps.len() <= 1)?;
        here = Reached { fd, path };
    }
    Ok(here)
}

/// The directory that every walk starts from.
fn top() -> Result<Reached, Refusal> {
    let path = PathBuf::from("/");
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let fd = nix::fcntl::open(&path, flags, Mode::empty())
        .map_err(|errno| Refusal::Missing(path.clone(), errno))?;
    Ok(Reached { fd, path })
}

/// Puts the components of `path` in front of the steps still to go.
fn push_steps(steps: &mut Vec<OsString>, path: &Path) {
    steps.extend(
        path.components()
            .rev()
            .filter_map(|component| match component {
                Component::Normal(name) => Some(name.to_owned()),
                Component::ParentDir => Some("..".into()),
                Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
            }),
    );
}

/// The file type in a mode.
fn kind(status: &FileStat) -> SFlag {
    SFlag::from_bits_truncate(status.st_mode) & SFlag::S_IFMT
}

/// Whether the directory may stand on the way to a root (`inside`: be one).
fn check(status: &FileStat, path: &Path, inside: bool) -> Result<(), Refusal> {
    check_owner(status, path)?;
    let sticky = status.st_mode & 0o1000 != 0;
    if status.st_mode & 0o022 != 0 && (inside || !sticky) {
        return Err(Refusal::Unsafe(format!(
            "`{}` can be written by others (mode {:o}); run `chmod go-w` on it, or set PEX_ROOT to a directory of your own",
            path.display(),
            status.st_mode & 0o7777,
        )));
    }
    Ok(())
}

/// Whether the thing belongs to the user or to root.
fn check_owner(status: &FileStat, path: &Path) -> Result<(), Refusal> {
    let user = nix::unistd::geteuid().as_raw();
    if status.st_uid == user || status.st_uid == 0 {
        return Ok(());
    }
    Err(Refusal::Unsafe(format!(
        "`{}` belongs to user {}, not to user {user} or root; set PEX_ROOT to a directory of your own",
        path.display(),
        status.st_uid,
    )))
}
