//! Why there is no usable root, or something could not be put into it.

use std::io;
use std::path::{Path, PathBuf};

use nix::errno::Errno;

use super::FillError;
use crate::exit::ExitCode;

/// Why there is no usable root, or something could not be put into it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The system refused.
    #[error("`{}`: {source}{}", path.display(), way_out(source))]
    Io {
        /// What was touched.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// No root can be used.
    #[error("root `{}`: {why}", path.display())]
    Root {
        /// The root.
        path: PathBuf,
        /// What is wrong, and what to do.
        why: String,
    },
    /// Whoever filled the entry failed.
    #[error(transparent)]
    Fill(#[from] FillError),
}

/// What to do about an error of the system, as the end of a message.
fn way_out(error: &io::Error) -> &'static str {
    match error.raw_os_error().map(Errno::from_raw) {
        Some(Errno::ENOSPC | Errno::EDQUOT) => {
            "; free space there, or set PEX_ROOT to a directory that has some"
        }
        Some(Errno::EROFS | Errno::EACCES | Errno::EPERM) => {
            "; set PEX_ROOT to a directory that can be written"
        }
        Some(Errno::EMFILE | Errno::ENFILE) => "; raise the limit of open files (`ulimit -n`)",
        _ => "",
    }
}

/// Gives an error its path.
pub(super) fn at(path: &Path) -> impl Fn(io::Error) -> StoreError + '_ {
    move |source| StoreError::Io {
        path: path.to_owned(),
        source,
    }
}

impl StoreError {
    /// The exit code of a command or launch that fails by this.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        match self {
            StoreError::Root { .. } => ExitCode::NoRoot,
            StoreError::Io { .. } | StoreError::Fill(_) => ExitCode::Io,
        }
    }
}
