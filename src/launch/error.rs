//! Why a launch failed, and the exit code that says so. The text is fit to be shown (see `shown`).

use crate::archive::ArchiveError;
use crate::exit::ExitCode;
use crate::interpreter::InterpreterError;
use crate::packaging::entry_points::InvalidEntryPoints;
use crate::pex::PexError;
use crate::resolve::ResolveError;
use crate::resolve::scripts::ScriptError;
use crate::shown::{line, lines};
use crate::store::StoreError;
use crate::unpack::UnpackError;

/// Why a launch failed.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// The PEX could not be opened.
    #[error("{}", line(.0))]
    Pex(#[from] PexError),
    /// A setting cannot be understood.
    #[error("{}", line(.0))]
    Variable(#[from] crate::variables::VariableError),
    /// No interpreter fits.
    #[error("{}", lines(.0))]
    Interpreter(#[from] InterpreterError),
    /// A member of PEX_PATH cannot be resolved.
    #[error("{}", lines(.0))]
    Resolve(#[from] ResolveError),
    /// A script is ambiguous, or cannot be looked for.
    #[error("{}", lines(.0))]
    Script(#[from] ScriptError),
    /// The cache failed.
    #[error("{}", line(.0))]
    Store(#[from] StoreError),
    /// Unpacking failed.
    #[error("{}", line(.0))]
    Unpack(#[from] UnpackError),
    /// The PEX, or how it was asked to run, is refused as the original refuses it.
    #[error("{}", lines(.0))]
    Refused(String),
    /// The interpreter could not be executed.
    #[error("`{}` cannot be executed: {source}", line(program))]
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
    #[error("`{}`: {source}", line(path))]
    Io {
        /// What was touched.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
}

impl LaunchError {
    /// The original's words for a script that is nowhere.
    pub(super) fn no_script(name: &str) -> LaunchError {
        LaunchError::Refused(format!("Could not find script '{name}' in pex!"))
    }

    /// What is said of it: in the original's own words where it refuses the same, else with the name of this program.
    #[must_use]
    pub fn message(&self) -> String {
        match self {
            LaunchError::Variable(_)
            | LaunchError::Interpreter(_)
            | LaunchError::Resolve(_)
            | LaunchError::Script(_)
            | LaunchError::Refused(_) => self.to_string(),
            _ => format!("pexboot: {self}"),
        }
    }

    /// How the process ends.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        match self {
            LaunchError::Pex(error) => error.exit_code(),
            LaunchError::Interpreter(InterpreterError::Unread(cause))
            | LaunchError::Resolve(ResolveError::Read { source: cause, .. })
            | LaunchError::Script(ScriptError::Read { source: cause, .. })
            | LaunchError::Store(StoreError::Fill(cause)) => filling(cause.as_ref()),
            LaunchError::Variable(_)
            | LaunchError::Interpreter(_)
            | LaunchError::Resolve(_)
            | LaunchError::Script(_)
            | LaunchError::Refused(_) => ExitCode::Refused,
            LaunchError::Store(error) => error.exit_code(),
            LaunchError::Unpack(error) => error.exit_code(),
            LaunchError::Exec { .. } | LaunchError::Nul | LaunchError::Io { .. } => ExitCode::Io,
        }
    }
}

/// What ended the filling of an entry may be the file's fault.
fn filling(cause: &(dyn std::error::Error + Send + Sync + 'static)) -> ExitCode {
    if let Some(error) = cause.downcast_ref::<UnpackError>() {
        error.exit_code()
    } else if let Some(ResolveError::Read { source, .. }) = cause.downcast_ref() {
        filling(source.as_ref())
    } else if let Some(error) = cause.downcast_ref::<PexError>() {
        error.exit_code()
    } else if let Some(error) = cause.downcast_ref::<ArchiveError>() {
        error.exit_code()
    } else if cause.is::<InvalidEntryPoints>() || is_damage(cause) {
        ExitCode::BadFile
    } else {
        ExitCode::Io
    }
}

/// Whether a part of a wheel was read, and is not what it should be.
fn is_damage(cause: &(dyn std::error::Error + Send + Sync + 'static)) -> bool {
    let source = cause.source().and_then(|source| source.downcast_ref());
    source.is_some_and(|source: &std::io::Error| source.kind() == std::io::ErrorKind::InvalidData)
}
