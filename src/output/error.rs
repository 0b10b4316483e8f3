//! Why a file that a user names is not written.

use std::io;
use std::path::PathBuf;

/// Why a file that a user names is not written.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    /// What is there is no regular file and no link to one.
    #[error("`{}` is {what} and is left alone; name a regular file", path.display())]
    Kind {
        /// The place.
        path: PathBuf,
        /// What is there.
        what: &'static str,
    },
    /// The system refused.
    #[error("`{}`: {source}", path.display())]
    Io {
        /// The place.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl OutputError {
    /// What is wrong, for a message that names the place itself.
    #[must_use]
    pub fn why(&self) -> String {
        match self {
            OutputError::Kind { what, .. } => format!("it is {what} and is left alone"),
            OutputError::Io { source, .. } => source.to_string(),
        }
    }
}
