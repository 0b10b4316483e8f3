//! The roots of this process: where the shared rules (`pexboot_core::paths`) say they are, asked of the real file system,
//! and made where they are missing.
//!
//! Nothing here is ever removed, and nothing that exists is changed.

use std::ffi::{OsStr, OsString};
use std::fs::DirBuilder;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use pexboot_core::machine;
use pexboot_core::roots::safety::{Fault, Why};

use super::FORMAT;

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
        let absolute =
            |name| std::env::var_os(name).is_some_and(|value| Path::new(&value).is_absolute());
        // Without HOME, `dirs` would ask the user database, which a static executable must not open.
        let cache = (absolute("XDG_CACHE_HOME") || absolute("HOME"))
            .then(dirs::cache_dir)
            .flatten();
        let euid = nix::unistd::geteuid();
        Candidates {
            seeds: std::env::var_os("PEXBOOT_SEEDS")
                .map(|list| split(&list))
                .unwrap_or_default(),
            explicit: explicit.map(|root| root.join("pexboot")),
            cache: cache.map(|cache| cache.join("pexboot")),
            fallback: PathBuf::from(format!("/var/tmp/pexboot-{euid}")),
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
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    /// Someone else could change what is in it: what is wrong, and what to do.
    #[error("{0}")]
    Unsafe(String),
    /// It is not there, or could not be made.
    #[error("`{}`: {source}", path.display())]
    Unusable { path: PathBuf, source: io::Error },
}

/// A root that passed.
#[derive(Debug)]
pub(super) struct Root {
    /// Its path with every link resolved.
    pub(super) path: PathBuf,
    /// Why it cannot be written, when it cannot.
    pub(super) unwritable: Option<io::Error>,
}

/// The root at `path`, for looking into it; its path with every link resolved.
pub(super) fn open_seed(path: &Path) -> Result<PathBuf, Refusal> {
    let path = absolute(path);
    check(&path).map_err(refusal)
}

/// The root at `path`, for writing to it; what is missing is made, 0700. One that is there but cannot be written comes
/// back with the reason.
pub(super) fn open_writable(path: &Path) -> Result<Root, Refusal> {
    let path = absolute(path);
    let path = loop {
        match check(&path) {
            Ok(path) => break path,
            Err(Fault {
                path,
                why: Why::Missing,
            }) => {
                let path = PathBuf::from(OsString::from_vec(path));
                make(&path, 0o700).map_err(|source| Refusal::Unusable { path, source })?;
            }
            Err(fault) => return Err(refusal(fault)),
        }
    };
    let format = path.join(FORMAT);
    // The root keeps others out; what is in it need not.
    let made = [format.clone(), format.join("tmp"), format.join("locks")]
        .iter()
        .try_for_each(|path| make(path, 0o755));
    let writable = made.and_then(|()| {
        let flags = nix::unistd::AccessFlags::W_OK | nix::unistd::AccessFlags::X_OK;
        nix::unistd::access(&format.join("tmp"), flags).map_err(io::Error::from)
    });
    match writable {
        Err(source) if !format.is_dir() => Err(Refusal::Unusable {
            path: format,
            source,
        }),
        other => Ok(Root {
            path,
            unwritable: other.err(),
        }),
    }
}

/// The root at `path` as it is, every link resolved; `None` where it is missing and could be made. Nothing is made.
#[cfg(feature = "cli")]
pub(super) fn look(path: &Path) -> Result<Option<Root>, Refusal> {
    use nix::unistd::{AccessFlags, access};
    let may_write =
        |path: &Path| access(path, AccessFlags::W_OK | AccessFlags::X_OK).map_err(io::Error::from);
    match check(&absolute(path)) {
        Ok(path) => Ok(Some(Root {
            unwritable: may_write(&path).err(),
            path,
        })),
        Err(Fault {
            path,
            why: Why::Missing,
        }) => {
            let path = PathBuf::from(OsString::from_vec(path));
            match may_write(path.parent().unwrap_or(&path)) {
                Ok(()) => Ok(None),
                Err(source) => Err(Refusal::Unusable { path, source }),
            }
        }
        Err(fault) => Err(refusal(fault)),
    }
}

/// Makes a directory unless it is there.
fn make(path: &Path, mode: u32) -> io::Result<()> {
    match DirBuilder::new().mode(mode).create(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

fn check(path: &Path) -> Result<PathBuf, Fault> {
    let euid = nix::unistd::geteuid().as_raw();
    machine::safe(path.as_os_str().as_bytes(), euid)
        .map(|path| PathBuf::from(OsString::from_vec(path)))
}

/// A failed check in words, with the way out.
fn refusal(fault: Fault) -> Refusal {
    let path = PathBuf::from(OsString::from_vec(fault.path));
    let shown = path.display();
    let own = "set PEX_ROOT to a directory of your own";
    let unusable = |source| Refusal::Unusable {
        path: path.clone(),
        source,
    };
    match fault.why {
        Why::Owner(owner) => Refusal::Unsafe(format!(
            "`{shown}` belongs to user {owner}, not to you or root; {own}"
        )),
        Why::Writable(mode) => Refusal::Unsafe(format!(
            "`{shown}` can be written by others (mode {mode:o}); run `chmod go-w` on it, or {own}"
        )),
        Why::Missing => unusable(io::ErrorKind::NotFound.into()),
        Why::NotDirectory => unusable(io::ErrorKind::NotADirectory.into()),
        Why::Links => unusable(nix::errno::Errno::ELOOP.into()),
        Why::Relative => unusable(io::ErrorKind::InvalidInput.into()),
        Why::Unseen => unusable(
            std::fs::symlink_metadata(&path)
                .err()
                .unwrap_or(io::ErrorKind::Other.into()),
        ),
    }
}
