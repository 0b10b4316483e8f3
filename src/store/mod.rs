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

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, Once, OnceLock, PoisonError};

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
use pexboot_core::roots::{Candidate, Kind as Origin};
use roots::{Refusal, Root};

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
    /// Finds the roots (`pexboot_core::roots`). `named` is the PEX_ROOT of environment, rc file or PEX-INFO, if there is
    /// one, as it was written.
    ///
    /// A root that cannot be trusted or written is passed over for the next, named or not; one that is only read-only is
    /// still looked into. `warn` gets one line for all of them, and one for each seed.
    pub fn open(named: Option<&OsStr>, warn: &mut dyn FnMut(&str)) -> Store {
        Store::open_candidates(&roots::candidates(named), warn)
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
            boot: BootId::current(),
            distrust: false,
            swept: Once::new(),
            discarded: Mutex::default(),
        }
    }

    fn open_candidates(candidates: &[Candidate], warn: &mut dyn FnMut(&str)) -> Store {
        let mut complained = false;
        let mut warn = |line: &str| {
            complained = true;
            warn(line);
        };
        let mut readable = Vec::new();
        let mut lasting = None;
        let mut passed_over = PassedOver::default();
        for candidate in candidates {
            let found = roots::open(candidate);
            let path = Path::new(OsStr::from_bytes(&candidate.path));
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
            ..Store::with(readable, lasting, passed_over.lead)
        }
    }

    /// The root that is written to: the lasting one, else the temporary one, which is made now if it was not before.
    /// (Where nothing at all can be written, the one that should have been.)
    #[must_use]
    pub fn root(&self) -> &Path {
        let none = || match &self.passed_over {
            Some((path, _)) => path.as_path(),
            None => Path::new("/"),
        };
        self.writable().unwrap_or_else(|_| none())
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

    /// The root to write to.
    ///
    /// # Errors
    /// When there is no lasting root, and no temporary one can be made.
    pub fn writable(&self) -> Result<&Path, StoreError> {
        if let Some(root) = &self.lasting {
            return Ok(root);
        }
        let made = self
            .temporary
            .get_or_init(|| roots::temporary(self.boot).map_err(|error| error.to_string()));
        made.as_deref().map_err(|error| {
            let (path, why) = self.passed_over.clone().unwrap_or_default();
            StoreError::Root {
                path,
                why: format!(
                    "{why}; nor can a directory for this start alone be made: {error}; set PEX_ROOT to a directory \
                     that can be written"
                ),
            }
        })
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
            .map(|root| (root.as_path(), false))
            .chain(self.written().map(|root| (root, true)))
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
            .map(PathBuf::as_path)
            .chain(self.written())
            .map(|root| place(root, kind, name))
            .find(|path| path.symlink_metadata().is_ok())
    }

    /// Sets aside what is at `path` unless another start has put something new there since it was judged.
    fn discard_if_same(&self, path: &Path, ino: u64) {
        let Some(root) = self.written() else { return };
        if std::fs::symlink_metadata(path).is_ok_and(|status| status.ino() == ino) {
            self.lock_discarded().push(path.to_owned());
            // Where this fails, publishing meets it again and says so.
            let _ = stage::discard(path, &tmp(root), self.boot);
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

/// Where an entry belongs.
fn place(root: &Path, kind: Kind, name: &str) -> PathBuf {
    root.join(FORMAT).join(kind.directory()).join(name)
}

/// Where work in progress is.
fn tmp(root: &Path) -> PathBuf {
    root.join(FORMAT).join("tmp")
}
