//! The roots: where they are, whether they can be trusted, and how anything gets into one.
//!
//! ```text
//! ROOT/                          0700
//!   v2/                          format version; an unknown version is ignored, never deleted
//!     engine/DIGEST              the engine
//!     interpreters/KEY           interpreter record
//!     boot/KEY/                  what serves imports from launch packs and what makes them, compiled for one interpreter
//!     wheels/SHA256/NAME.whl/    one unpacked wheel, named by what was verified while unpacking (see `unpack`)
//!     code/FINGERPRINT/          user code of a PEX
//!     bytecode/DIGEST/           bytecode that came in an appendix
//!     sites/KEY/                 merged import directory (see `site`)
//!     venvs/KEY/                 the same as a real virtual environment
//!     originals/FINGERPRINT/     the archive alone, for handing over to its own bootstrap
//!     launches/ID/               named by what it is: NAME (the boot under the app's own name), its data, launch pack;
//!                                `importing` while the first start imports
//!     plans/KEY                  what the starts of one key depended on, and the launch that each leads to
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

mod beat;
mod boot_id;
mod error;
mod find;
mod kind;
mod launches;
mod lock;
#[cfg(feature = "cli")]
mod look;
mod manifest;
mod patience;
mod publish;
mod roots;
mod settle;
mod stage;
#[cfg(test)]
mod tests;
mod tree;
#[cfg(feature = "cli")]
pub mod upkeep;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, Once, PoisonError};

pub use boot_id::BootId;
pub use error::StoreError;
pub use kind::{Kind, WITH_MANIFEST};
pub use launches::LAUNCH_FILES;
pub use lock::Inherited;
pub use manifest::CACHE;
pub use publish::Work;
pub use tree::{NewFile, Tree};

pub(crate) use beat::lasts;
#[cfg(feature = "cli")]
pub(crate) use manifest::Item as Listed;

use kind::place;
use roots::{Candidates, Refusal};

pub use pexboot_core::paths::{FORMAT, IMPORTING};

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

    /// Whether there is a root to write to.
    #[must_use]
    pub fn can_write(&self) -> bool {
        self.writable.is_some()
    }

    /// Says why there is no root to write to, where something has to be written.
    ///
    /// # Errors
    /// When there is none.
    pub fn must_write(&self) -> Result<(), StoreError> {
        self.writable().map(drop)
    }

    /// The root that is this start's alone, where no other could be had: it goes with the start.
    #[must_use]
    pub fn temporary(&self) -> Option<&Path> {
        None
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
}

/// Removes the copy of the engine that this process runs from, where it is in a root for this start alone.
pub fn remove_own_copy() {
    stage::remove_own_copy();
}

/// Where work in progress is.
fn tmp(root: &Path) -> PathBuf {
    root.join(FORMAT).join("tmp")
}
