//! Why measuring failed.

use std::path::PathBuf;

use crate::shown::line;

/// Why a measurement has no result.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// The system refused.
    #[error("`{}`: {source}", line(path.display()))]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A command could not be started.
    #[error("{name}: cannot start `{}`: {source}", line(program.display()))]
    Start {
        /// The command's name in the report.
        name: String,
        /// What was to be started.
        program: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A command ended with another exit code than it should.
    #[error(
        "{name}: ended with {got} instead of {expected}, so its time says nothing; its last lines:\n{tail}"
    )]
    ExitCode {
        /// The command's name in the report.
        name: String,
        /// The exit code that was asked for, or that the first command gave.
        expected: i32,
        /// What it gave; 128 + n for a death by signal n.
        got: i32,
        /// The end of what it wrote.
        tail: String,
    },
    /// Two commands did not print the same, so comparing their times means nothing.
    #[error(
        "{name} and {reference} do not print the same (first difference at byte {at}), so their times cannot be \
         compared:\n  {reference}: {theirs}\n  {name}: {ours}"
    )]
    Output {
        /// The command that differs.
        name: String,
        /// The command it was compared with.
        reference: String,
        /// The offset of the first byte that differs.
        at: usize,
        /// What `reference` printed there.
        theirs: String,
        /// What `name` printed there.
        ours: String,
    },
    /// A step of setting up failed.
    #[error("{} failed ({status}):\n{tail}", line(what))]
    SetUp {
        /// The step, as a command line.
        what: String,
        /// How it ended.
        status: String,
        /// The end of what it wrote.
        tail: String,
    },
    /// Something that is needed cannot be had from the package index.
    #[error("{what}")]
    Missing {
        /// What is not there, and where it comes from.
        what: String,
    },
    /// A virtual environment could not be made because Debian packages that part on its own.
    #[error(
        "`{}` cannot make virtual environments: its `ensurepip` is missing; on Debian and Ubuntu install it with \
         `apt install python3-venv`",
        line(python.display())
    )]
    NoVenv {
        /// The interpreter.
        python: PathBuf,
    },
}

impl BenchError {
    /// For `map_err`: an I/O error with the path it happened at.
    pub(super) fn io(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> BenchError {
        let path = path.into();
        move |source| BenchError::Io { path, source }
    }
}
