//! The roots of this process: where the shared rules (`pexboot_core::roots`) say they are, asked of the real file system,
//! and made where they are missing.
//!
//! Nothing that exists is ever changed or removed.

use std::ffi::{OsStr, OsString};
use std::fs::DirBuilder;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use pexboot_core::machine;
use pexboot_core::paths::LOCKS;
use pexboot_core::roots::safety::{Fault, Why};
use pexboot_core::roots::{self, Candidate, Kind};

use super::stage::fresh_name;
use super::{BootId, FORMAT};
use crate::user;

/// The candidates of this process: from the environment, and the root that is `named`, if one is.
pub(super) fn candidates(named: Option<&OsStr>) -> Vec<Candidate> {
    let env = Environment::of_process();
    let named = named.unwrap_or_default().as_bytes();
    let euid = nix::unistd::geteuid().as_raw();
    roots::all(&|name| env.get(name), named, euid, machine::cwd)
}

/// The variables that say where roots may be.
struct Environment(Vec<(&'static str, OsString)>);

impl Environment {
    fn of_process() -> Environment {
        let names = [
            "HOME",
            "PEXBOOT_SEEDS",
            "TMPDIR",
            "XDG_CACHE_HOME",
            "XDG_RUNTIME_DIR",
        ];
        let set = names
            .into_iter()
            .filter_map(|name| Some((name, std::env::var_os(name)?)));
        Environment(set.collect())
    }

    fn get(&self, wanted: &str) -> Option<&[u8]> {
        let found = self.0.iter().find(|(name, _)| *name == wanted);
        found.map(|(_, value)| value.as_bytes())
    }
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

/// The root of this candidate: a seed for looking into it, any other for writing to it. What is missing of the latter is
/// made, 0700. One that is there but cannot be written comes back with the reason.
pub(super) fn open(candidate: &Candidate) -> Result<Root, Refusal> {
    let wanted = path(&candidate.path);
    let found = loop {
        match check(&wanted) {
            Err(fault) if fault.why == Why::Missing && candidate.kind != Kind::Seed => {
                let path = path(&fault.path);
                make(&path, 0o700).map_err(|source| Refusal::Unusable { path, source })?;
            }
            found => break found.map_err(|fault| refusal(&fault, candidate.kind))?,
        }
    };
    if candidate.kind == Kind::Seed {
        return Ok(Root {
            path: found,
            unwritable: None,
        });
    }
    match fill(&found) {
        Err(source) if !found.join(FORMAT).is_dir() => Err(Refusal::Unusable {
            path: found.join(FORMAT),
            source,
        }),
        filled => Ok(Root {
            path: found,
            unwritable: filled.err(),
        }),
    }
}

/// The root of a candidate as it is, for someone who makes nothing; one that is missing and could be made is as good as
/// one that is there.
#[cfg(feature = "cli")]
pub(super) fn look(candidate: &Candidate) -> Result<Root, Refusal> {
    use nix::unistd::{AccessFlags, access};
    let may_write =
        |path: &Path| access(path, AccessFlags::W_OK | AccessFlags::X_OK).map_err(io::Error::from);
    let place = path(&candidate.path);
    match check(&place) {
        Ok(path) => Ok(Root {
            unwritable: may_write(&path).err(),
            path,
        }),
        Err(Fault {
            path: missing,
            why: Why::Missing,
        }) if candidate.kind != Kind::Seed => {
            let missing = PathBuf::from(OsString::from_vec(missing));
            match may_write(missing.parent().unwrap_or(&missing)) {
                Ok(()) => Ok(Root {
                    path: place,
                    unwritable: None,
                }),
                Err(source) => Err(Refusal::Unusable {
                    path: missing,
                    source,
                }),
            }
        }
        Err(fault) => Err(refusal(&fault, candidate.kind)),
    }
}

/// Makes what every root has, and says whether it can be written to.
pub(super) fn fill(root: &Path) -> io::Result<()> {
    let format = root.join(FORMAT);
    // The root keeps others out; what is in it need not.
    for path in [format.clone(), super::tmp(root), format.join(LOCKS)] {
        make(&path, 0o755)?;
    }
    let flags = nix::unistd::AccessFlags::W_OK | nix::unistd::AccessFlags::X_OK;
    Ok(nix::unistd::access(&super::tmp(root), flags)?)
}

/// The first place in which [`temporary`] could make one.
#[cfg(feature = "cli")]
pub(super) fn temporary_place() -> Option<PathBuf> {
    use nix::unistd::{AccessFlags, access};
    let env = Environment::of_process();
    let places = roots::temporary(|name| env.get(name), machine::cwd());
    let mut places = places.iter().flatten().map(|place| path(place));
    places.find(|place| {
        place.is_dir() && access(place, AccessFlags::W_OK | AccessFlags::X_OK).is_ok()
    })
}

/// A fresh directory as a root for this start alone, by its real path. One that strangers could put another in place of
/// is the last choice: it keeps them out by its mode, but what is above it is theirs.
pub(super) fn temporary(boot: BootId) -> io::Result<PathBuf> {
    let env = Environment::of_process();
    let [usual, last_ones] = roots::temporary(|name| env.get(name), machine::cwd());
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for (any, places) in [(false, &usual), (true, &usual), (true, &last_ones)] {
        for place in places {
            let Ok(place) = path(place).canonicalize() else {
                continue;
            };
            let path = place.join(format!("pexboot-{}", fresh_name(boot)));
            match make_new(&path) {
                Ok(()) if any || check(&path).is_ok() => match fill(&path) {
                    Ok(()) => return Ok(path),
                    Err(error) => last = error,
                },
                Ok(()) => {}
                Err(error) => {
                    last = error;
                    continue;
                }
            }
            // Made in this very call, and nothing is in it but what `fill` has made.
            let _ = std::fs::remove_dir_all(&path);
        }
    }
    Err(last)
}

fn make_new(path: &Path) -> io::Result<()> {
    DirBuilder::new().mode(0o700).create(path)
}

/// Makes a directory unless it is there.
fn make(path: &Path, mode: u32) -> io::Result<()> {
    match DirBuilder::new().mode(mode).create(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

fn path(bytes: &[u8]) -> PathBuf {
    PathBuf::from(OsStr::from_bytes(bytes))
}

fn check(path: &Path) -> Result<PathBuf, Fault> {
    machine::safe(path.as_os_str().as_bytes(), user::current())
        .map(|safe| PathBuf::from(OsString::from_vec(safe.path)))
}

/// A failed check in words, with the way out.
fn refusal(fault: &Fault, kind: Kind) -> Refusal {
    let path = path(&fault.path);
    let shown = path.display();
    let unusable = |source| Refusal::Unusable {
        path: path.clone(),
        source,
    };
    // Nobody needs to be told how to use a place that nobody has named.
    let trust = match kind {
        Kind::Seed | Kind::Explicit => {
            format!("; set PEXBOOT_TRUST to `{shown}` if all who can write there can be trusted")
        }
        Kind::Cache | Kind::Fallback => String::new(),
    };
    match fault.why {
        Why::Owner(owner) => Refusal::Unsafe(format!(
            "`{shown}` belongs to user {owner}, not to you or root{trust}"
        )),
        Why::Writable { mode, owner } => {
            let way_out = if owner == nix::unistd::geteuid().as_raw() {
                format!("; run `chmod go-w {shown}`")
            } else {
                trust
            };
            Refusal::Unsafe(format!(
                "`{shown}` can be written by others (mode {mode:o}){way_out}"
            ))
        }
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
