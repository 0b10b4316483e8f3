//! How a command fails: one message, one exit code.

use crate::bench::BenchError;
use crate::embed::EmbedError;
use crate::exit::ExitCode;
use crate::output::OutputError;
use crate::shown;
use crate::store::StoreError;

/// A command's failure.
#[derive(Debug)]
pub struct CliError {
    /// What the process ends with.
    pub code: ExitCode,
    /// What is said, fit to be shown; nothing where the reader of standard output has gone away.
    pub text: Option<String>,
}

impl CliError {
    /// The command line contradicts itself.
    pub fn usage(text: &str) -> CliError {
        CliError::new(ExitCode::Usage, text)
    }

    /// What was asked for cannot be had.
    pub fn refused(text: &str) -> CliError {
        CliError::new(ExitCode::Refused, text)
    }

    /// A message of one line.
    fn new(code: ExitCode, error: impl std::fmt::Display) -> CliError {
        CliError {
            code,
            text: Some(shown::line(error)),
        }
    }
}

impl From<EmbedError> for CliError {
    fn from(error: EmbedError) -> CliError {
        let code = error.exit_code();
        match error {
            EmbedError::Stdout(source) if source.kind() == std::io::ErrorKind::BrokenPipe => {
                CliError { code, text: None }
            }
            // It has a list of interpreters.
            EmbedError::Compile { .. } => CliError {
                code,
                text: Some(shown::lines(error)),
            },
            error => CliError::new(code, error),
        }
    }
}

impl From<StoreError> for CliError {
    fn from(error: StoreError) -> CliError {
        CliError::new(error.exit_code(), error)
    }
}

impl From<OutputError> for CliError {
    fn from(error: OutputError) -> CliError {
        CliError::new(ExitCode::Io, error)
    }
}

impl From<crate::pex::PexError> for CliError {
    fn from(error: crate::pex::PexError) -> CliError {
        EmbedError::from(error).into()
    }
}

impl From<std::io::Error> for CliError {
    fn from(error: std::io::Error) -> CliError {
        CliError::new(ExitCode::Io, error)
    }
}

impl From<Box<dyn std::error::Error>> for CliError {
    fn from(error: Box<dyn std::error::Error>) -> CliError {
        let error = match error.downcast::<OutputError>() {
            Ok(error) => return (*error).into(),
            Err(error) => error,
        };
        let code = match error.downcast_ref() {
            Some(BenchError::Io { .. }) => ExitCode::Io,
            _ => ExitCode::Refused,
        };
        // What another program has said can have many lines.
        CliError {
            code,
            text: Some(shown::lines(error)),
        }
    }
}
