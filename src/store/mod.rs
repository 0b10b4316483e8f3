//! The roots: where they are, whether they can be trusted, and how anything gets into one.
//!
//! ```text
//! ROOT/                          0700
//!   v2/                          format version; an unknown version is ignored, never deleted
//!     engine/DIGEST              the engine
//!     interpreters/KEY           interpreter record
//!     finders/KEY/               what serves imports from launch packs and what makes them, compiled for one interpreter
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

use std::collections::HashSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, Once, OnceLock, PoisonError};

pub use boot_id::BootId;
pub use error::StoreError;
pub use kind::{Kind, WITH_MANIFEST, place};
pub use launches::LAUNCH_FILES;
pub use lock::Inherited;
pub use manifest::CACHE;
pub use publish::Work;
pub use tree::{Directories, NewFile, Tree, has_no_links};

pub(crate) use beat::lasts;
#[cfg(feature = "cli")]
pub(crate) use manifest::Item as Listed;

use error::at;
use pexboot_core::roots::Candidate;
pub use pexboot_core::roots::Kind as Origin;
use roots::{Refusal, Root};

use pexboot_core::paths::TMP;
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
    /// Looked into first, never written: seeds, and roots of the user's that are read-only.
    readable: Vec<PathBuf>,
    /// Written to, and found again by later starts; `None` when nothing can be.
    lasting: Option<PathBuf>,
    /// Written to where there is no lasting root, from the first write on; or why there is none, too.
    temporary: OnceLock<Result<PathBuf, String>>,
    /// The root that should have been written to before all others, and why it cannot.
    passed_over: Option<(PathBuf, String)>,
    /// Whether anything was said when it was opened.
    complained: bool,
    /// The candidates in the order in which they were looked at, up to the one that is written to.
    judged: Vec<Judged>,
    /// Nothing is made and nothing written.
    looks: bool,
    /// The running boot.
    boot: BootId,
    /// Nothing is trusted unseen (see [`Store::distrust`]).
    distrust: bool,
    /// Leftovers are looked for once, by the first to publish something.
    swept: Once,
    /// What was damaged and is made again.
    discarded: Mutex<Vec<PathBuf>>,
    /// What was changed since it was published and is made again.
    changed: Mutex<Vec<PathBuf>>,
    /// What was looked at for that.
    checked: Mutex<HashSet<PathBuf>>,
}

impl Store {
    /// Finds the roots (`pexboot_core::roots`). `named` is the PEX_ROOT of environment, rc file or PEX-INFO, if there is
    /// one, as it was written.
    ///
    /// A root that cannot be trusted or written is passed over for the next, named or not; one that is only read-only is
    /// still looked into. `warn` gets one line for all of them, and one for each seed.
    pub fn open(named: Option<&OsStr>, warn: &mut dyn FnMut(&str)) -> Store {
        Store::open_candidates(&roots::candidates(named), warn)
    }

    /// The roots that [`Store::open`] would find, as they are now, for someone who only looks: nothing is made, and nothing
    /// can be written. [`Store::kept`] is the one that would be written to, which may be missing.
    #[cfg(feature = "cli")]
    pub fn look(named: Option<&OsStr>, warn: &mut dyn FnMut(&str)) -> Store {
        Store {
            looks: true,
            ..Store::open_by(&roots::look, &roots::candidates(named), warn)
        }
    }

    /// A store of nothing but the directory `root`, which is the caller's own: no other is looked for, and it is not
    /// judged. It is made where it is missing.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn scratch(root: &Path) -> Result<Store, StoreError> {
        std::fs::create_dir_all(root).map_err(at(root))?;
        let root = root.canonicalize().map_err(at(root))?;
        roots::fill(&root).map_err(at(&root))?;
        Ok(Store::with(Vec::new(), Some(root), None))
    }

    fn with(
        readable: Vec<PathBuf>,
        lasting: Option<PathBuf>,
        passed_over: Option<(PathBuf, String)>,
    ) -> Store {
        Store {
            readable,
            lasting,
            temporary: OnceLock::new(),
            passed_over,
            complained: false,
            judged: Vec::new(),
            looks: false,
            boot: BootId::current(),
            distrust: false,
            swept: Once::new(),
            discarded: Mutex::default(),
            changed: Mutex::default(),
            checked: Mutex::default(),
        }
    }

    fn open_candidates(candidates: &[Candidate], warn: &mut dyn FnMut(&str)) -> Store {
        Store::open_by(&roots::open, candidates, warn)
    }

    fn open_by(
        open: &dyn Fn(&Candidate) -> Result<Root, Refusal>,
        candidates: &[Candidate],
        warn: &mut dyn FnMut(&str),
    ) -> Store {
        let mut complained = false;
        let mut warn = |line: &str| {
            complained = true;
            warn(line);
        };
        let mut readable = Vec::new();
        let mut lasting = None;
        let mut passed_over = PassedOver::default();
        let mut judged = Vec::new();
        for candidate in candidates {
            let found = open(candidate);
            let path = Path::new(OsStr::from_bytes(&candidate.path));
            judged.push(Judged::new(candidate.kind, path, &found));
            match (candidate.kind, found) {
                (Origin::Seed, Ok(root)) => readable.push(root.path),
                (Origin::Seed, Err(refusal)) => {
                    warn(&format!(
                        "seed `{}` is passed over: {refusal}",
                        path.display()
                    ));
                }
                (
                    _,
                    Ok(Root {
                        path,
                        unwritable: None,
                    }),
                ) => {
                    lasting = Some(path);
                    break;
                }
                (kind, Ok(root)) => {
                    let why = root.unwritable.map(|error| error.to_string());
                    let why = format!("it cannot be written: {}", why.unwrap_or_default());
                    passed_over.add(path, why, kind == Origin::Explicit);
                    readable.push(root.path);
                }
                (kind, Err(refusal)) => {
                    let is_unsafe = matches!(refusal, Refusal::Unsafe(_));
                    let leads = kind == Origin::Explicit || is_unsafe;
                    passed_over.add(path, refusal.to_string(), leads);
                }
            }
        }
        if let Some(line) = passed_over.line(lasting.as_deref()) {
            warn(&line);
        }
        Store {
            complained,
            judged,
            ..Store::with(readable, lasting, passed_over.lead)
        }
    }

    /// The root that is written to: the lasting one, else the temporary one. (Where nothing had to be written yet, and
    /// nothing lasts, the one that should have been.)
    #[must_use]
    pub fn root(&self) -> &Path {
        let none = || match &self.passed_over {
            Some((path, _)) => path.as_path(),
            None => Path::new("/"),
        };
        self.written().unwrap_or_else(none)
    }

    /// The root that later starts find again; `None` where what is written is gone with this start.
    #[must_use]
    pub fn lasting(&self) -> Option<&Path> {
        self.lasting.as_deref()
    }

    /// The directory that was made as a root for this start alone, if one was: whoever ends the start removes it.
    #[must_use]
    pub fn temporary(&self) -> Option<&Path> {
        self.temporary.get()?.as_deref().ok()
    }

    /// Whether a root or a seed was passed over, and that was said.
    #[must_use]
    pub fn has_complained(&self) -> bool {
        self.complained
    }

    /// The candidates that were looked at, in their order.
    #[must_use]
    pub fn judged(&self) -> &[Judged] {
        &self.judged
    }

    /// Where a start could make a root for itself alone; for someone who only looks.
    ///
    /// # Errors
    /// As [`Store::writable`], where there is no lasting root.
    #[cfg(feature = "cli")]
    pub fn would_be_temporary(&self) -> Result<PathBuf, StoreError> {
        roots::temporary_place()
            .ok_or_else(|| self.nowhere("no directory for temporary files can be written"))
    }

    /// The root to write to.
    ///
    /// # Errors
    /// When there is no lasting root, and no temporary one can be made.
    pub fn writable(&self) -> Result<&Path, StoreError> {
        if self.looks {
            return Err(StoreError::Root {
                path: self.lasting.clone().unwrap_or_default(),
                why: "it is only looked at".to_owned(),
            });
        }
        if let Some(root) = &self.lasting {
            return Ok(root);
        }
        let made = self
            .temporary
            .get_or_init(|| roots::temporary(self.boot).map_err(|error| error.to_string()));
        made.as_deref().map_err(|error| self.nowhere(error))
    }

    /// Nothing can be written anywhere.
    fn nowhere(&self, error: &str) -> StoreError {
        let (path, why) = self.passed_over.clone().unwrap_or_default();
        StoreError::Root {
            path,
            why: format!(
                "{why}; nor can a directory for this start alone be made: {error}; set PEX_ROOT to a directory \
                 that can be written"
            ),
        }
    }

    /// The root of a command that is about what is kept.
    ///
    /// # Errors
    /// When there is no lasting root.
    #[cfg(feature = "cli")]
    pub fn kept(&self) -> Result<&Path, StoreError> {
        self.lasting().ok_or_else(|| {
            let (path, why) = self.passed_over.clone().unwrap_or_default();
            StoreError::Root {
                path,
                why: format!("{why}; set PEX_ROOT to a directory of your own"),
            }
        })
    }

    /// Whether there is a root to write to: the lasting one, or the temporary one, once something had to be written.
    #[must_use]
    pub fn can_write(&self) -> bool {
        !self.looks && self.written().is_some()
    }

    /// The root to write to, if there is one already.
    fn written(&self) -> Option<&Path> {
        self.lasting().or_else(|| self.temporary())
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

    /// The entries that were found changed after they had been published, and set aside.
    #[must_use]
    pub fn changed(&self) -> Vec<PathBuf> {
        self.lock_changed().clone()
    }

    fn lock_changed(&self) -> std::sync::MutexGuard<'_, Vec<PathBuf>> {
        self.changed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_checked(&self) -> std::sync::MutexGuard<'_, HashSet<PathBuf>> {
        self.checked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_discarded(&self) -> std::sync::MutexGuard<'_, Vec<PathBuf>> {
        self.discarded
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// A candidate for a root, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// Where it comes from.
    pub kind: Origin,
    /// Where it is.
    pub path: PathBuf,
    /// Whether it is looked into.
    pub read: bool,
    /// Why it is not written to; `None` for the one that is, and for a seed.
    pub why: Option<String>,
}

impl Judged {
    fn new(kind: Origin, path: &Path, found: &Result<Root, Refusal>) -> Judged {
        let why = match found {
            Ok(_) if kind == Origin::Seed => None,
            Ok(root) => root
                .unwritable
                .as_ref()
                .map(|error| format!("it cannot be written: {error}")),
            Err(refusal) => Some(refusal.to_string()),
        };
        Judged {
            kind,
            path: path.to_owned(),
            read: found.is_ok(),
            why,
        }
    }
}

/// The roots that a start has passed over.
#[derive(Default)]
struct PassedOver {
    /// The one that is told of, and why: the first that was named or is not safe, else the first.
    lead: Option<(PathBuf, String)>,
    leads: bool,
    others: Vec<PathBuf>,
}

impl PassedOver {
    fn add(&mut self, path: &Path, why: String, leads: bool) {
        if leads && !self.leads {
            self.others.extend(self.lead.take().map(|(path, _)| path));
        }
        self.leads |= leads;
        match self.lead {
            None => self.lead = Some((path.to_owned(), why)),
            Some(_) => self.others.push(path.to_owned()),
        }
    }

    /// One line for all of them; `used` is the root that is written to.
    fn line(&self, used: Option<&Path>) -> Option<String> {
        let (path, why) = self.lead.as_ref()?;
        let shown = |path: &Path| format!("`{}`", path.display());
        let mut line = format!("root {} is passed over: {why}", shown(path));
        let others: Vec<String> = self.others.iter().map(|path| shown(path)).collect();
        match others.as_slice() {
            [] => {}
            [other] => line += &format!("; so is {other}"),
            _ => line += &format!("; so are {}", others.join(", ")),
        }
        line += &match used {
            Some(used) => format!("; {} is used", shown(used)),
            None => "; nothing is kept for the next start".to_owned(),
        };
        Some(line)
    }
}

/// Removes the copy of the engine that this process runs from, where it is in a root for this start alone.
pub fn remove_own_copy() {
    stage::remove_own_copy();
}

/// Where work in progress is.
fn tmp(root: &Path) -> PathBuf {
    root.join(FORMAT).join(TMP)
}
