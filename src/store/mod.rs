//! The roots: where they are, whether they can be trusted, and how anything gets into one.
//!
//! ```text
//! ROOT/                          0700
//!   v1/                          format version; an unknown version is ignored, never deleted
//!     engine/DIGEST              the engine
//!     interpreters/KEY           interpreter record
//!     boot/KEY/                  the boot compiled for one interpreter
//!     wheels/SHA256/NAME.whl/    one unpacked wheel, named by the hash that was verified while unpacking
//!     code/FINGERPRINT/          user code of a PEX
//!     bytecode/DIGEST/           bytecode that came in an appendix
//!     sites/KEY/                 merged import directory
//!     venvs/KEY/                 the same as a real virtual environment
//!     originals/FINGERPRINT/     the archive alone, for handing over to its own bootstrap
//!     launches/KEY/              plan, its Python half, and NAME (the boot under the app's own name)
//!     tmp/                       work in progress; anything here may go when its owner is gone
//!     locks/
//! ```
//!
//! Only this module creates or removes anything under a root. What is under its final name is complete: it was built
//! in `tmp/` and renamed. Locks only save doing the work twice.

use std::path::{Path, PathBuf};

/// Directory of the format version below a root.
pub const FORMAT: &str = "v1";

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

/// The roots of a launch: seeds to look in, one root to write to.
#[derive(Debug)]
pub struct Store {
    _private: (),
}

/// Why there is no usable root, or something could not be put into it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The system refused.
    #[error("`{}`: {source}", path.display())]
    Io {
        /// What was touched.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// An explicitly named root cannot be trusted or used.
    #[error("root `{}`: {why}", path.display())]
    Root {
        /// The root.
        path: PathBuf,
        /// What is wrong, and what to do.
        why: String,
    },
    /// Whoever filled the entry failed.
    #[error(transparent)]
    Fill(#[from] Box<dyn std::error::Error + Send + Sync>),
}

impl Store {
    /// Finds the roots: seeds of `PEXBOOT_SEEDS`; then `explicit` (a PEX_ROOT of environment, rc file or PEX-INFO,
    /// below which `pexboot` is used), else the user's cache directory, else a private directory under `/var/tmp`.
    ///
    /// A root that fails its checks is passed over for the next, said in one line through `warn`; an explicit one is
    /// refused.
    ///
    /// # Errors
    /// When an explicit root is not safe or no root can be used.
    pub fn open(explicit: Option<&Path>, warn: &mut dyn FnMut(&str)) -> Result<Store, StoreError> {
        let _ = (explicit, warn);
        todo!()
    }

    /// The root that is written to.
    #[must_use]
    pub fn root(&self) -> &Path {
        todo!()
    }

    /// Where the entry `name` of `kind` is complete: in a seed or in the root.
    #[must_use]
    pub fn find(&self, kind: Kind, name: &str) -> Option<PathBuf> {
        let _ = (kind, name);
        todo!()
    }

    /// The entry `name` of `kind`, made by `fill` when it is missing: `fill` gets the path of a fresh empty directory in
    /// `tmp/`, and what it leaves there is published by rename. Of several at once one does the work (lock permitting);
    /// a name may hold one `/` (`SHA256/NAME.whl`).
    ///
    /// # Errors
    /// When `fill` fails (nothing is published, the space is given back) or the system refuses.
    pub fn directory(
        &self,
        kind: Kind,
        name: &str,
        fill: &mut dyn FnMut(&Path) -> Result<(), Box<dyn std::error::Error + Send + Sync>>,
    ) -> Result<PathBuf, StoreError> {
        let _ = (kind, name, fill);
        todo!()
    }

    /// Publishes `bytes` as the file `name` of `kind`, replacing what is there.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn file(&self, kind: Kind, name: &str, bytes: &[u8]) -> Result<PathBuf, StoreError> {
        let _ = (kind, name, bytes);
        todo!()
    }

    /// Publishes a directory of small files, replacing what is there under that name (a launch: plan written last).
    ///
    /// # Errors
    /// When the system refuses.
    pub fn replace(
        &self,
        kind: Kind,
        name: &str,
        files: &[(&str, &[u8])],
    ) -> Result<PathBuf, StoreError> {
        let _ = (kind, name, files);
        todo!()
    }
}
