//! Wheels and user code out of a PEX and into the store, verified (reference, section 9).
//!
//! Each wheel is read, hashed and written in one pass and published only when it is what PEX-INFO promises; what exactly a
//! promise covers, and under which key a wheel is kept so that no PEX can stand in for another, is told in [`chroot`].
//! Several wheels are unpacked at once, the largest first. Memory stays bounded per worker whatever the members' sizes.

pub mod bytecode;
mod caches;
mod chroot;
mod code;
mod error;
mod hasher;
mod item;
mod pool;
mod processors;
mod progress;
#[cfg(test)]
mod tests;
mod wheel_file;
mod work;

use pexboot_core::hex::hex;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::archive::Archive;
use crate::pex::{Pex, WheelSource};
use crate::resolve::Selected;
use crate::store::{Kind, Store};
use crate::trace;

pub use bytecode::Shipped;
pub(crate) use caches::is_library;
#[cfg(feature = "cli")]
pub(crate) use chroot::is_bytecode;
pub use error::UnpackError;

use chroot::Chroot;
use pool::Crew;
use progress::Progress;

/// A wheel in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unpacked {
    /// The wheel's file name.
    pub name: String,
    /// Where it was unpacked.
    pub path: PathBuf,
    /// Its `sys.path` entries relative to `path`, `.` for itself (reference 1.7, 1.8).
    pub entries: Vec<String>,
}

/// Brings every selected wheel into the store, in parallel, and gives them back in the same order. With `watched` somebody
/// at a terminal is shown how far it is when it takes long.
///
/// # Errors
/// When one cannot be unpacked or is not what PEX-INFO promises.
pub fn wheels(
    pex: &Pex,
    selected: &[Selected],
    store: &Store,
    watched: bool,
) -> Result<Vec<Unpacked>, UnpackError> {
    unpack(pex, selected, store, watched, &AtomicBool::new(false))
}

/// As [`wheels`], where those `ahead` are known to be there (see [`ahead()`]).
///
/// # Errors
/// As [`wheels`].
pub fn rest(
    pex: &Pex,
    selected: &[Selected],
    ahead: &[Unpacked],
    store: &Store,
    watched: bool,
) -> Result<Vec<Unpacked>, UnpackError> {
    let known = |wheel: &Selected| ahead.iter().find(|known| known.name == wheel.name).cloned();
    if let Some(all) = selected.iter().map(known).collect() {
        return Ok(all);
    }
    wheels(pex, selected, store, watched)
}

/// Brings wheels into the store while it is still being found out which are needed: those that are certain by then (see
/// [`crate::resolve::certain`]). Nothing where there is one processor to do both. `stop` ends it early. What fails here
/// fails again, and says so, where the wheels are needed; what was not needed after all is one more wheel in the store,
/// under its verified hash.
#[must_use]
pub fn ahead(
    pex: &Pex,
    certain: &[Selected],
    store: &Store,
    watched: bool,
    stop: &AtomicBool,
) -> Vec<Unpacked> {
    if processors::processors() < 2 || certain.is_empty() {
        return Vec::new();
    }
    unpack(pex, certain, store, watched, stop).unwrap_or_default()
}

fn unpack(
    pex: &Pex,
    selected: &[Selected],
    store: &Store,
    watched: bool,
    stop: &AtomicBool,
) -> Result<Vec<Unpacked>, UnpackError> {
    let sources: Vec<WheelSource> = selected
        .iter()
        .map(|wheel| pex.wheel(&wheel.name))
        .collect::<Result<_, _>>()?;
    let jobs: Vec<Job<'_>> = selected
        .iter()
        .zip(&sources)
        .map(|(wheel, source)| Job::new(pex, wheel, source))
        .collect::<Result<_, _>>()?;
    let found: Vec<OnceLock<Unpacked>> = jobs
        .iter()
        .map(
            |job| match store.find_unchanged(Kind::Wheels, &job.place()) {
                Some(path) => OnceLock::from(job.unpacked(path)),
                None => OnceLock::new(),
            },
        )
        .collect();
    let sizes: Vec<Option<u64>> = jobs
        .iter()
        .zip(&found)
        .map(|(job, found)| found.get().is_none().then(|| job.size()))
        .collect();
    let name = pex.path.file_name().unwrap_or_default().to_string_lossy();
    let progress = Progress::new(&name, sizes.iter().flatten().sum(), watched);
    pool::each(&sizes, |index, crew| {
        if stop.load(Ordering::Relaxed) {
            return Ok(());
        }
        let _step = trace::item("unpack", || jobs[index].name.to_owned());
        let path = jobs[index].publish(store, &progress, crew)?;
        // Each job is done once.
        let _ = found[index].set(jobs[index].unpacked(path));
        Ok::<_, UnpackError>(())
    })?;
    Ok(found.into_iter().filter_map(OnceLock::into_inner).collect())
}

/// Brings the user code into the store and gives its directory (an empty one where there is none).
///
/// # Errors
/// When it cannot be unpacked or its fingerprint is not the one given.
pub fn code(pex: &Pex, fingerprint: &[u8; 32], store: &Store) -> Result<PathBuf, UnpackError> {
    code::unpack(pex, fingerprint, store)
}

/// One wheel to be brought into the store.
#[derive(Debug)]
struct Job<'a> {
    pex: &'a Pex,
    name: &'a str,
    form: Form<'a>,
}

/// What there is to unpack.
#[derive(Debug)]
enum Form<'a> {
    /// A pre-installed wheel.
    Chroot(Chroot<'a>),
    /// A wheel file, its promise (where it can be checked), its key, and how it is installed, once it is.
    File {
        wheel: &'a Archive,
        promise: Option<String>,
        key: String,
        plan: OnceLock<wheel_file::Plan<'a>>,
    },
}

impl<'a> Job<'a> {
    fn new(
        pex: &'a Pex,
        wheel: &'a Selected,
        source: &'a WheelSource,
    ) -> Result<Job<'a>, UnpackError> {
        let form = match source {
            WheelSource::Chroot { archive, members } => {
                let archive = archive.as_deref();
                Form::Chroot(Chroot::new(archive, members, &wheel.fingerprint)?)
            }
            WheelSource::WheelFile { wheel: archive, .. } => {
                let promise = is_sha256(&wheel.fingerprint).then(|| wheel.fingerprint.clone());
                let key = match &promise {
                    Some(promise) => wheel_file::key(promise),
                    None => wheel_file::key(&wheel_file::file_hash(archive)?),
                };
                Form::File {
                    wheel: archive,
                    promise,
                    key,
                    plan: OnceLock::new(),
                }
            }
        };
        Ok(Job {
            pex,
            name: &wheel.name,
            form,
        })
    }

    /// Its name in the store.
    fn place(&self) -> String {
        let key = match &self.form {
            Form::Chroot(chroot) => &chroot.key,
            Form::File { key, .. } => key,
        };
        format!("{key}/{}", self.name)
    }

    /// Bytes to be written.
    fn size(&self) -> u64 {
        match &self.form {
            Form::Chroot(chroot) => chroot.size(),
            Form::File { wheel, .. } => wheel.entries().iter().map(|entry| entry.size).sum(),
        }
    }

    /// Publishes it unless it is there, with the help of the crew; gives its path.
    fn publish<'b>(
        &'b self,
        store: &Store,
        progress: &'b Progress,
        crew: &Crew<'b>,
    ) -> Result<PathBuf, UnpackError> {
        let path = store.directory_noted(Kind::Wheels, &self.place(), &mut |root| {
            let noted = match &self.form {
                Form::Chroot(chroot) => {
                    let (hash, noted) = chroot.unpack(root, progress, crew)?;
                    self.keep(&chroot.promise, hash)?;
                    noted
                }
                Form::File {
                    wheel,
                    promise,
                    plan,
                    ..
                } => {
                    if let Some(promise) = promise {
                        self.keep(promise, wheel_file::file_hash(wheel)?)?;
                    }
                    let made =
                        wheel_file::Plan::new(self.name, wheel, &|why| UnpackError::Wheel {
                            pex: self.pex.path.clone(),
                            wheel: self.name.to_owned(),
                            why,
                        })?;
                    plan.get_or_init(|| made).install(root, progress, crew)?
                }
            };
            caches::make(root, &noted)?;
            Ok(Some(noted))
        })?;
        Ok(path)
    }

    /// What it is, once it lies at `path`.
    fn unpacked(&self, path: PathBuf) -> Unpacked {
        let entries = match &self.form {
            Form::Chroot(chroot) => chroot.entries.clone(),
            Form::File { .. } => wheel_file::entries(&path),
        };
        Unpacked {
            name: self.name.to_owned(),
            path,
            entries,
        }
    }

    /// Whether a promise was kept.
    fn keep(&self, promised: &str, found: String) -> Result<(), UnpackError> {
        if promised == found {
            return Ok(());
        }
        Err(UnpackError::Promise {
            pex: self.pex.path.clone(),
            wheel: self.name.to_owned(),
            found,
            promised: promised.to_owned(),
        })
    }
}

/// Whether a fingerprint of PEX-INFO is one that can be checked.
fn is_sha256(fingerprint: &str) -> bool {
    fingerprint.len() == 64
        && fingerprint
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}
