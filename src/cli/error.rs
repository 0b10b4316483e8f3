//! How a command fails: one message, one exit code.

use crate::embed::EmbedError;
use crate::exit::ExitCode;
use crate::store::StoreError;

/// A command's failure.
#[derive(Debug, thiserror::Error)]
#[error("{source}")]
pub struct CliError {
    /// What the process ends with.
    pub code: ExitCode,
    /// What is said.
    source: Box<dyn std::error::Error + Send + Sync>,
}

impl From<EmbedError> for CliError {
    fn from(error: EmbedError) -> CliError {
        CliError {
            code: error.exit_code(),
            source: Box::new(error),
        }
    }
}

impl From<StoreError> for CliError {
    fn from(error: StoreError) -> CliError {
        CliError {
            code: match &error {
                StoreError::Root { .. } => ExitCode::NoRoot,
                StoreError::Io { .. } | StoreError::Fill(_) => ExitCode::Io,
            },
            source: Box::new(error),
        }
    }
}

impl From<crate::pex::PexError> for CliError {
    fn from(error: crate::pex::PexError) -> CliError {
        EmbedError::from(error).into()
    }
}

impl From<std::io::Error> for CliError {
    fn from(error: std::io::Error) -> CliError {
        CliError {
            code: ExitCode::Io,
            source: Box::new(error),
        }
    }
}

impl From<Box<dyn std::error::Error>> for CliError {
    fn from(error: Box<dyn std::error::Error>) -> CliError {
        CliError {
            code: ExitCode::Refused,
            source: error.to_string().into(),
        }
    }
}
