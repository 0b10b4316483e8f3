//! Why a PEX could not be opened or read.

use std::path::PathBuf;

use crate::archive::{ArchiveError, MemberFault};
use crate::exit::ExitCode;

/// Why a PEX could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum PexError {
    /// The zip could not be read.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// PEX-INFO could not be read.
    #[error("`{}`: {source}", path.display())]
    Info {
        /// The PEX.
        path: PathBuf,
        /// Why.
        source: crate::pex_info::PexInfoError,
    },
    /// There is no PEX-INFO.
    #[error("`{}` is not a PEX: it has no PEX-INFO; name a file that pex has built", path.display())]
    NotAPex {
        /// The file.
        path: PathBuf,
    },
    /// The system refused.
    #[error("`{}`: {source}", path.display())]
    Io {
        /// What was touched.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A wheel that PEX-INFO lists is not there.
    #[error("`{}`: wheel `{wheel}` is listed in PEX-INFO but not there; the PEX is incomplete: fetch or build it anew", path.display())]
    NoWheel {
        /// The PEX.
        path: PathBuf,
        /// The wheel.
        wheel: String,
    },
    /// A wheel lacks a file that every wheel has.
    #[error("`{}`: wheel `{wheel}` has no {file}; the PEX is incomplete: fetch or build it anew", path.display())]
    NoMetadata {
        /// The PEX.
        path: PathBuf,
        /// The wheel.
        wheel: String,
        /// What is missing.
        file: &'static str,
    },
    /// The members cannot be laid out as a directory tree.
    #[error("`{}`: member `{}`: {fault}", path.display(), name.escape_debug())]
    Layout {
        /// The PEX.
        path: PathBuf,
        /// The member at fault.
        name: String,
        /// Why.
        fault: MemberFault,
    },
    /// A PEX directory holds something that is neither file nor directory, or a name that is not text.
    #[error("`{}` is {what}; a PEX directory has only files and directories: remove it", path.display())]
    Foreign {
        /// What is there.
        path: PathBuf,
        /// What it is.
        what: &'static str,
    },
}

impl PexError {
    /// The exit code of a command or launch that fails by this.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        match self {
            PexError::Archive(error) => error.exit_code(),
            PexError::Io { .. } => ExitCode::Io,
            // The original ends with 1 by all of these (reference, section 10).
            PexError::Info { .. } | PexError::NotAPex { .. } | PexError::NoWheel { .. } => {
                ExitCode::Refused
            }
            PexError::NoMetadata { .. } | PexError::Foreign { .. } => ExitCode::BadFile,
            PexError::Layout { .. } => ExitCode::Hostile,
        }
    }
}
