//! Why unpacking failed.

use std::path::PathBuf;

use crate::archive::ArchiveError;
use crate::exit::ExitCode;
use crate::pex::PexError;
use crate::store::StoreError;

/// Why unpacking failed.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    /// The store failed.
    #[error(transparent)]
    Store(StoreError),
    /// The PEX cannot be read.
    #[error(transparent)]
    Pex(#[from] PexError),
    /// The content is not what PEX-INFO promises.
    #[error("`{}`: wheel `{wheel}` has hash {found}, PEX-INFO promises {promised}; the file is damaged or was tampered with: fetch or build it anew", pex.display())]
    Promise {
        /// The PEX.
        pex: PathBuf,
        /// The wheel.
        wheel: String,
        /// SHA-256 of what is there.
        found: String,
        /// SHA-256 that PEX-INFO states.
        promised: String,
    },
    /// The user code is not what the fingerprint says.
    #[error("`{}`: the user code changed while it was unpacked, or is not what the file was sealed with; fetch or build it anew", pex.display())]
    Code {
        /// The PEX.
        pex: PathBuf,
    },
    /// Bytecode that came along is not what the seal says.
    #[error("`{}`: the bytecode in it is not what the file was sealed with; embed the original again", pex.display())]
    Bytecode {
        /// The PEX.
        pex: PathBuf,
    },
    /// A wheel file that cannot be installed.
    #[error("`{}`: wheel `{wheel}` {why}; build it anew", pex.display())]
    Wheel {
        /// The PEX.
        pex: PathBuf,
        /// The wheel.
        wheel: String,
        /// What is wrong with it.
        why: String,
    },
}

impl UnpackError {
    /// The exit code of a command or launch that fails by this.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        match self {
            UnpackError::Store(error) => error.exit_code(),
            UnpackError::Pex(error) => error.exit_code(),
            UnpackError::Promise { .. }
            | UnpackError::Code { .. }
            | UnpackError::Bytecode { .. }
            | UnpackError::Wheel { .. } => ExitCode::BadFile,
        }
    }
}

/// What a `fill` of ours failed with comes back as it was.
impl From<StoreError> for UnpackError {
    fn from(error: StoreError) -> UnpackError {
        match error {
            StoreError::Fill(fill) => match fill.downcast::<UnpackError>() {
                Ok(ours) => *ours,
                Err(other) => UnpackError::Store(StoreError::Fill(other)),
            },
            other => UnpackError::Store(other),
        }
    }
}

impl From<ArchiveError> for UnpackError {
    fn from(error: ArchiveError) -> UnpackError {
        UnpackError::Pex(error.into())
    }
}
