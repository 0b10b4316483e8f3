//! Why a launch failed, and the exit code that says so.

use crate::exit::ExitCode;

/// Why a launch failed.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// The PEX could not be opened.
    #[error(transparent)]
    Pex(#[from] crate::pex::PexError),
    /// A setting cannot be understood.
    #[error(transparent)]
    Variable(#[from] crate::variables::VariableError),
    /// No interpreter fits.
    #[error(transparent)]
    Interpreter(#[from] crate::interpreter::InterpreterError),
    /// A member of PEX_PATH cannot be resolved.
    #[error(transparent)]
    Resolve(#[from] crate::resolve::ResolveError),
    /// The cache failed.
    #[error(transparent)]
    Store(#[from] crate::store::StoreError),
    /// Unpacking failed.
    #[error(transparent)]
    Unpack(#[from] crate::unpack::UnpackError),
    /// The PEX, or how it was asked to run, is refused as the original refuses it.
    #[error("{0}")]
    Refused(String),
    /// The interpreter could not be executed.
    #[error("`{program}` cannot be executed: {source}")]
    Exec {
        /// The interpreter.
        program: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// A NUL byte where none can be.
    #[error("a path or argument holds a NUL byte")]
    Nul,
    /// The system refused.
    #[error("`{path}`: {source}")]
    Io {
        /// What was touched.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
}

impl LaunchError {
    /// How the process ends.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        match self {
            LaunchError::Pex(error) => error.exit_code(),
            LaunchError::Variable(_)
            | LaunchError::Interpreter(_)
            | LaunchError::Resolve(_)
            | LaunchError::Refused(_) => ExitCode::Refused,
            LaunchError::Store(error) => error.exit_code(),
            LaunchError::Unpack(error) => error.exit_code(),
            LaunchError::Exec { .. } | LaunchError::Nul | LaunchError::Io { .. } => ExitCode::Io,
        }
    }
}
