//! The roots: where they are, whether they can be trusted, and how anything gets into one.
//!
//! ```text
//! ROOT/                          0700
//!   v1/                          format version; an unknown version is ignored, never deleted
//!     engine/DIGEST              the engine
//!     interpreters/KEY           interpreter record
//!     boot/KEY/                  what serves imports from launch packs and what makes them, compiled for one interpreter
//!     wheels/SHA256/NAME.whl/    one unpacked wheel, named by what was verified while unpacking (see `unpack`)
//!     code/FINGERPRINT/          user code of a PEX
//!     bytecode/DIGEST/           bytecode that came in an appendix
//!     sites/KEY/                 merged import directory (see `site`)
//!     venvs/KEY/                 the same as a real virtual environment
//!     originals/FINGERPRINT/     the archive alone, for handing over to its own bootstrap
//!     launches/KEY/              plan, its Python half, NAME (the boot under the app's own name), launch pack; `importing`
//!                                while the first start imports
//!     tmp/                       work in progress; anything here may go when its owner is gone
//!     locks/
//! ```
//!
//! A published directory has a sibling `NAME.manifest` (see [`manifest`]), which tells a later boot whether the data
//! survived a power cut.
//!
//! Only this module creates or removes anything under a root (the stub the lock of a launch, Python its `__pycache__`
//! directories and launch packs, both the file `importing`). What is under its final name is complete: it was built
//! in `tmp/` and renamed. Locks only save doing the work twice.

mod error;
mod lock;
#[cfg(feature = "cli")]
mod look;
mod manifest;
mod publish;
mod roots;
mod settle;
mod stage;
#[cfg(test)]
mod tests;
mod tree;
#[cfg(feature = "cli")]
pub mod upkeep;

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, Once, PoisonError};

pub use error::StoreError;
pub use lock::Inherited;
pub use manifest::{BootId, CACHE};
pub use publish::Work;
pub use settle::WITH_MANIFEST;
pub use tree::Tree;

#[cfg(feature = "cli")]
pub(crate) use manifest::Item as Listed;

use error::at;
use manifest::Manifest;
use roots::{Candidates, Refusal};

pub use pexboot_core::paths::{FORMAT, IMPORTING};

/// What is kept under a root, by the name of its directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `engine/`
    Engine,
    /// `interpreters/`
    Interpreters,
    /// `boot/`
    Boot,
    /// `wheels/`
    Wheels,
    /// `code/`
    Code,
    /// `bytecode/`
    Bytecode,
    /// `sites/`
    Sites,
    /// `venvs/`
    Venvs,
    /// `originals/`
    Originals,
    /// `launches/`
    Launches,
}

impl Kind {
    /// Its directory below [`FORMAT`].
    #[must_use]
    pub const fn directory(self) -> &'static str {
        match self {
            Kind::Engine => "engine",
            Kind::Interpreters => "interpreters",
            Kind::Boot => "boot",
            Kind::Wheels => "wheels",
            Kind::Code => "code",
            Kind::Bytecode => "bytecode",
            Kind::Sites => "sites",
            Kind::Venvs => "venvs",
            Kind::Originals => "originals",
            Kind::Launches => "launches",
        }
    }

    /// Whether its entries have a manifest. The others check themselves when they are read: the engine by its digest,
    /// interpreter records and launch plans by their checksums.
    const fn has_manifest(self) -> bool {
        !matches!(self, Kind::Engine | Kind::Interpreters | Kind::Launches)
    }
}

/// Files of a directory as whoever wrote them knows them: sizes by path.
pub type Noted = Vec<(String, u64)>;
/// What fills a fresh directory.
pub type Fill<'a> = dyn FnMut(&Path) -> Result<(), FillError> + 'a;
/// Why a directory could not be filled.
pub type FillError = Box<dyn std::error::Error + Send + Sync>;

/// The roots of a launch: those to look in, and the one to write to. Threads may share it.
#[derive(Debug)]
pub struct Store {
    /// Looked into first, never written: seeds, and a root of the user's that is read-only.
    readable: Vec<PathBuf>,
    /// Written to; `None` when nothing can be.
    writable: Option<PathBuf>,
    /// The root that was to be written to, and why it cannot, when nothing can.
    refused: (PathBuf, String),
    /// The running boot.
    boot: BootId,
    /// Nothing is trusted unseen (see [`Store::distrust`]).
    distrust: bool,
    /// Leftovers are looked for once, by the first to publish something.
    swept: Once,
    /// What was damaged and is made again.
    discarded: Mutex<Vec<PathBuf>>,
}

impl Store {
    /// Finds the roots: seeds of `PEXBOOT_SEEDS`; then `explicit` (a PEX_ROOT of environment, rc file or PEX-INFO,
    /// below which `pexboot` is used), else the user's cache directory, else a private directory under `/var/tmp`.
    ///
    /// A root that fails its checks is passed over for the next, said in one line through `warn`; an explicit one is
    /// refused. One that is safe but cannot be written is still looked into, and the next is written to.
    ///
    /// # Errors
    /// When an explicit root is not safe or no root can be used.
    pub fn open(explicit: Option<&Path>, warn: &mut dyn FnMut(&str)) -> Result<Store, StoreError> {
        Store::open_candidates(Candidates::of_process(explicit), warn)
    }

    fn open_candidates(
        candidates: Candidates,
        warn: &mut dyn FnMut(&str),
    ) -> Result<Store, StoreError> {
        let mut readable = Vec::new();
        for seed in &candidates.seeds {
            match roots::open_seed(seed) {
                Ok(path) => readable.push(path),
                Err(refusal) => {
                    warn(&format!(
                        "seed `{}` is passed over: {refusal}",
                        seed.display()
                    ));
                }
            }
        }
        let mut writable = None;
        let mut refused = (candidates.fallback.clone(), String::new());
        let named = candidates.explicit.as_ref().or(candidates.cache.as_ref());
        for path in named.into_iter().chain([&candidates.fallback]) {
            let why = match roots::open_writable(path) {
                Ok(root) => {
                    let Some(error) = root.unwritable else {
                        writable = Some(root.path);
                        break;
                    };
                    readable.push(root.path);
                    format!("it cannot be written: {error}")
                }
                Err(Refusal::Unsafe(why)) if candidates.explicit.as_ref() == Some(path) => {
                    return Err(StoreError::Root {
                        path: path.clone(),
                        why,
                    });
                }
                Err(refusal) => refusal.to_string(),
            };
            warn(&format!("root `{}` is passed over: {why}", path.display()));
            let way_out = if why.contains("PEX_ROOT") {
                ""
            } else {
                "; set PEX_ROOT to a directory that can be written"
            };
            refused = (path.clone(), format!("{why}{way_out}"));
        }
        if writable.is_none() && readable.is_empty() {
            let (path, why) = refused;
            return Err(StoreError::Root { path, why });
        }
        Ok(Store {
            readable,
            writable,
            refused,
            boot: BootId::current(),
            distrust: false,
            swept: Once::new(),
            discarded: Mutex::default(),
        })
    }

    /// The root that is written to (where nothing can be written, the one that was refused last).
    #[must_use]
    pub fn root(&self) -> &Path {
        self.writable.as_deref().unwrap_or(&self.refused.0)
    }

    /// The boot that entries are written in.
    #[must_use]
    pub fn boot_id(&self) -> BootId {
        self.boot
    }

    /// From now on nothing is trusted unseen: every entry that is asked for is checked file by file, and one that is
    /// damaged is set aside and made again. For a start that is told to repair.
    pub fn distrust(&mut self) {
        self.distrust = true;
    }

    /// The entries that were found damaged and set aside.
    #[must_use]
    pub fn discarded(&self) -> Vec<PathBuf> {
        self.lock_discarded().clone()
    }

    fn lock_discarded(&self) -> std::sync::MutexGuard<'_, Vec<PathBuf>> {
        self.discarded
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Where the entry `name` of `kind` is complete: in a seed or in the root.
    ///
    /// What the running boot wrote, or what is known to be on disk, is complete when it is there; of anything else the
    /// sizes are compared with its manifest, and what fell short (a power cut) is set aside.
    #[must_use]
    pub fn find(&self, kind: Kind, name: &str) -> Option<PathBuf> {
        self.readable
            .iter()
            .map(|root| (root, false))
            .chain(self.writable.iter().map(|root| (root, true)))
            .find_map(|(root, ours)| self.find_in(root, ours, kind, name))
    }

    fn find_in(&self, root: &Path, ours: bool, kind: Kind, name: &str) -> Option<PathBuf> {
        let path = place(root, kind, name);
        let status = std::fs::symlink_metadata(&path).ok()?;
        if !kind.has_manifest() {
            // What else may lie there is replaced by what is published.
            let is_entry = match kind {
                Kind::Launches => status.is_dir(),
                _ => status.is_file(),
            };
            return is_entry.then_some(path);
        }
        let manifest = manifest::path_of(&path);
        let trusted = !self.distrust
            && status.is_dir()
            && manifest::boot_of(&manifest)
                .is_some_and(|boot| boot == self.boot || boot == BootId::ON_DISK);
        if trusted {
            return Some(path);
        }
        match Manifest::read(&manifest).filter(|manifest| manifest.holds(&path)) {
            Some(whole) => {
                if ours && !self.distrust {
                    // It came through a boot whole, so it is on disk. A hint: failing to note it costs the next start
                    // the same check.
                    let _ = self.write(&manifest, &whole.on_disk().encode());
                }
                Some(path)
            }
            None => {
                if ours {
                    self.discard_if_same(&path, status.ino());
                }
                None
            }
        }
    }

    /// Whether every file of the published entry `name` of `kind` is there with its size; true for kinds that check
    /// themselves. Says nothing of entries that are not there.
    #[must_use]
    pub fn verify(&self, kind: Kind, name: &str) -> bool {
        let Some(path) = self.present(kind, name) else {
            return true;
        };
        !kind.has_manifest()
            || Manifest::read(&manifest::path_of(&path))
                .is_some_and(|manifest| manifest.holds(&path))
    }

    /// What the directory at `entry`, which has a manifest, consists of; `None` where that is missing or damaged. For a
    /// full check.
    #[cfg(feature = "cli")]
    pub(crate) fn listed(entry: &Path) -> Option<Vec<Listed>> {
        Some(Manifest::read(&manifest::path_of(entry))?.into_items())
    }

    /// Takes the entry `name` of `kind` out of the root, so that the next to ask makes it anew.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn set_aside(&self, kind: Kind, name: &str) -> Result<(), StoreError> {
        let root = self.writable()?;
        let path = place(root, kind, name);
        stage::discard(&path, &tmp(root), self.boot).map_err(at(&path))
    }

    /// Where the entry is present at all, complete or not.
    fn present(&self, kind: Kind, name: &str) -> Option<PathBuf> {
        self.readable
            .iter()
            .chain(&self.writable)
            .map(|root| place(root, kind, name))
            .find(|path| path.symlink_metadata().is_ok())
    }

    /// Sets aside what is at `path` unless another start has put something new there since it was judged.
    fn discard_if_same(&self, path: &Path, ino: u64) {
        let Some(root) = &self.writable else { return };
        if std::fs::symlink_metadata(path).is_ok_and(|status| status.ino() == ino) {
            self.lock_discarded().push(path.to_owned());
            // Where this fails, publishing meets it again and says so.
            let _ = stage::discard(path, &tmp(root), self.boot);
        }
    }
}

/// Removes the copy of the engine that this process runs from, where it is in a root for this start alone.
pub fn remove_own_copy() {
    stage::remove_own_copy();
}

/// Where an entry belongs.
fn place(root: &Path, kind: Kind, name: &str) -> PathBuf {
    root.join(FORMAT).join(kind.directory()).join(name)
}

/// Where work in progress is.
fn tmp(root: &Path) -> PathBuf {
    root.join(FORMAT).join("tmp")
}
