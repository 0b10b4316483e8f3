//! Interpreters: finding them, asking them once what they are, choosing the one that fits (reference, section 4).
//!
//! Only this module ever runs a Python to ask it something.
//!
//! ```text
//! stand_in       what the archive's `#!` line would have started ("current")
//! candidate      the verdict on each Python, for someone who is to be told
//! search         the names on PATH or PEX_PYTHON_PATH that may be Pythons
//!   shims        which of them only stand for another, by the version manager's files
//!   binary       canonical paths, names
//! record         what is known of one Python, from the store or by
//!   probe        asking it once (probe.py → answer), with
//!   witness      believed while these files are the same
//!   elf          what follows from the answer and the machine
//! hooks          what its `site` would run here
//! constraint     which of them the PEX allows
//! compile        has one compile modules ahead, for `embed`
//! choose         which one is taken; messages: why none is
//! prospect       what names tell of the choice before it is made
//! look           the same for someone who starts nothing
//! ```

mod answer;
mod binary;
mod candidate;
mod choose;
#[cfg(feature = "cli")]
mod compile;
mod constraint;
mod elf;
mod hooks;
#[cfg(feature = "cli")]
mod look;
mod messages;
mod probe;
mod prospect;
mod record;
mod search;
mod shims;
mod stand_in;
mod surroundings;
mod witness;

#[cfg(any(feature = "cli", feature = "fuzzing"))]
pub(crate) use record::fuzz as fuzz_record;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub use candidate::{Candidates, Verdict};
#[cfg(feature = "cli")]
pub use compile::{Begins, Part, Scope, compile};
pub use hooks::{Hook, Hooks};
#[cfg(feature = "cli")]
pub use look::{Looked, look};
pub use prospect::{Prospect, Series, prospect};

use crate::boot::Compiled;
use crate::pex::StartedBy;
use crate::pex_info::SelectionStrategy;
use crate::plan::Inputs;
use crate::shown::line;
use crate::store::{Kind, Store};

/// What one probe learned about one Python; by default nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Record {
    /// The binary, links resolved, but for the link of a virtual environment.
    pub binary: PathBuf,
    /// `sys.implementation.name`: `cpython`, `pypy`.
    pub implementation: String,
    /// `sys.version_info[:3]`.
    pub version: (u32, u32, u32),
    /// Whether it is a free-threaded build; `None` before 3.13.
    pub free_threaded: Option<bool>,
    /// Every supported tag in order of preference (PEP 425), as `packaging` lists them, e.g. `cp311-cp311-manylinux_2_36_x86_64`.
    pub tags: Vec<String>,
    /// The ABI tag, e.g. `cp311`.
    pub abi: String,
    /// The marker environment of PEP 508, every variable but `extra`.
    pub markers: BTreeMap<String, String>,
    /// `sys.prefix`.
    pub prefix: PathBuf,
    /// `sys.base_prefix`; differs from `prefix` in a virtual environment.
    pub base_prefix: PathBuf,
    /// The interpreter's own `sys.path` entries (`STD` of the reference).
    pub stdlib: Vec<PathBuf>,
    /// Its site-packages directories (`site.getsitepackages()`), whether they exist or not.
    pub site_packages: Vec<PathBuf>,
    /// The user's own site-packages, which `site` puts before those; `None` where there is no home, or in a virtual
    /// environment that shuts the system out.
    pub user_site: Option<PathBuf>,
    /// `importlib.util.MAGIC_NUMBER`.
    pub magic: Vec<u8>,
    /// `sys.implementation.cache_tag`, e.g. `cpython-311`; `None` where bytecode is not written.
    pub cache_tag: Option<String>,
    /// Files beside the binary that decide what it is: libpython, libc, pyvenv.cfg.
    pub depends: Vec<PathBuf>,
    /// The boot and what belongs to it, compiled for it.
    pub compiled: Compiled,
    /// SHA-256 over what tells the content of the binary and of the files beside it, wherever they lie.
    pub proof: Vec<u8>,
}

impl Record {
    /// Whether the boot runs on it; a Python that is too old leaves a PEX to its own bootstrap.
    #[must_use]
    pub fn boots(&self) -> bool {
        !self.compiled.is_empty()
    }

    /// What its bytecode is known by: cache tag and magic number, as in `cpython-311-a70d0d0a`; `None` where it keeps none.
    #[must_use]
    pub fn tag(&self) -> Option<String> {
        answer::tag(self.cache_tag.as_deref(), &self.magic)
    }

    /// What the host has for its `site` to run now, the user's own packages looked at or not.
    #[must_use]
    pub fn hooks(&self, user_site: bool) -> Hooks {
        let (major, minor, _) = self.version;
        let user_site = self.user_site.as_deref().filter(|_| user_site);
        hooks::find((major, minor), &self.stdlib, user_site, &self.site_packages)
    }
}

/// What the choice depends on besides the machine.
#[derive(Debug, Clone, Default)]
pub struct Request<'a> {
    /// What starts the original; names the stand-in for "current" (reference 4.1).
    pub started_by: Option<&'a StartedBy>,
    /// The interpreter that has already started the PEX (`python app.pex`): current itself.
    pub current: Option<&'a Path>,
    /// `interpreter_constraints`.
    pub constraints: &'a [String],
    /// `interpreter_selection_strategy`.
    pub strategy: SelectionStrategy,
    /// `PEX_PYTHON`.
    pub python: Option<&'a str>,
    /// `PEX_PYTHON_PATH`.
    pub python_path: Option<&'a [PathBuf]>,
    /// Replace a virtual environment's Python by its base (reference 4.6).
    pub base: bool,
    /// The boot where it came compiled.
    pub boots: Option<&'a Boots>,
}

/// The boot, compiled for some interpreters, by [`Record::tag`].
pub type Boots = BTreeMap<String, Compiled>;

/// Why something of a PEX cannot be read: the error of the room that reads it.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

/// What was chosen.
#[derive(Debug)]
pub struct Taken<T> {
    /// The interpreter.
    pub python: Record,
    /// How the PEX fits it.
    pub fit: T,
    /// By which path it runs already, where it is the current one; the stand-in's, where that is.
    pub runs: Option<PathBuf>,
}

/// Why a candidate cannot run the PEX.
#[derive(Debug)]
pub enum Unfit {
    /// The PEX is not for it.
    Verdict {
        /// What the resolve says.
        message: String,
        /// The same in one line.
        short: String,
    },
    /// The PEX cannot be read, whichever it is.
    Unread(Cause),
}

/// Why no interpreter was chosen.
#[derive(Debug, thiserror::Error)]
pub enum InterpreterError {
    /// The PEX cannot be read, so nobody knows which would fit.
    #[error("{}", line(.0))]
    Unread(Cause),
    /// E1-E5 of reference 4.8: the whole message.
    #[error("{message}")]
    None {
        /// Preamble, examined candidates and why each was refused, broken ones, constraints.
        message: String,
    },
    /// A constraint cannot be parsed.
    #[error("interpreter constraint `{}`: {}", line(constraint), line(why))]
    Constraint {
        /// As written.
        constraint: String,
        /// What is wrong.
        why: String,
    },
}

/// What a stored record says; `None` for bytes that are none.
#[cfg(feature = "cli")]
#[must_use]
pub fn read_record(bytes: &[u8]) -> Option<Record> {
    record::read(bytes)
}

/// Chooses the interpreter (reference 4.2-4.6).
///
/// `fits` says whether a candidate can run the PEX (the dependency resolve), with the resolve's error text where not;
/// it is called lazily, and not at all for candidates that a constraint rules out. Everything consulted goes to
/// `inputs`; records come from and go to `store`. What was thought of each candidate goes to `judged`.
///
/// # Errors
/// When none fits, with every examined candidate and why it was refused.
pub fn choose<T>(
    request: &Request<'_>,
    store: &Store,
    inputs: &mut Inputs,
    judged: &mut Candidates,
    fits: &mut dyn FnMut(&Record) -> Result<T, Unfit>,
) -> Result<Taken<T>, InterpreterError> {
    let surroundings = surroundings::Surroundings::here();
    choose_asking(request, &surroundings, store, inputs, judged, fits, None)
}

/// The same, asking only the Pythons that `may_ask` allows, by canonical path; without it, any.
fn choose_asking<T>(
    request: &Request<'_>,
    surroundings: &surroundings::Surroundings,
    store: &Store,
    inputs: &mut Inputs,
    judged: &mut Candidates,
    fits: &mut dyn FnMut(&Record) -> Result<T, Unfit>,
    may_ask: Option<&dyn Fn(&Path) -> bool>,
) -> Result<Taken<T>, InterpreterError> {
    let machine = record::Platform::here(&|name| surroundings.variable(name).map(Into::into));
    surroundings.asked("PYTHONUSERBASE", inputs);
    let find = |key: &str| store.find(Kind::Interpreters, key);
    let save = |key: &str, bytes: &[u8]| {
        // A record that cannot be kept costs the next cold start another probe, nothing else.
        let _ = store.file(Kind::Interpreters, key, bytes);
    };
    let turn =
        |key: &str, done: &mut dyn FnMut() -> bool| store.turn(Kind::Interpreters, key, done);
    let records = record::Records::new(machine, &find, &save)
        .in_turn(&turn)
        .bringing(request.boots);
    let records = match may_ask {
        Some(may_ask) => records.asking_only(may_ask),
        None => records,
    };
    choose::choose(request, surroundings, &records, inputs, judged, fits)
}
