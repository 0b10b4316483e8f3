//! Commands on many files: each is done, whatever becomes of the others; the first failure names the exit code. `-` is
//! standard input.

use std::fs::Permissions;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::error::CliError;
use super::progress::Progress;
use crate::exit::ExitCode;
use crate::launch::complain;

/// Names standard input.
pub const STDIN: &str = "-";

/// Does it for each file; `doing` names the work while it lasts, where it does not show itself how far it has come.
pub fn each(
    files: &[PathBuf],
    doing: Option<&str>,
    mut act: impl FnMut(&Input) -> Result<ExitCode, CliError>,
) -> ExitCode {
    let mut code = ExitCode::Success;
    for named in files {
        let progress = doing.map(|doing| Progress::of(doing, named));
        let result = Input::of(named).and_then(|file| {
            act(&file).map_err(|error| CliError {
                text: error.text.map(|text| file.named_so(&text)),
                ..error
            })
        });
        drop(progress);
        let ended = result.unwrap_or_else(|error| {
            if let Some(text) = error.text {
                complain(&format!("pexboot: {text}"));
            }
            error.code
        });
        if code == ExitCode::Success {
            code = ended;
        }
    }
    code
}

/// A file that was named.
#[derive(Debug)]
pub struct Input {
    /// Where it lies.
    pub path: PathBuf,
    /// Standard input, in a file of its own.
    copy: Option<tempfile::TempDir>,
}

impl Input {
    fn of(named: &Path) -> Result<Input, CliError> {
        if named != Path::new(STDIN) {
            return Ok(Input {
                path: named.to_owned(),
                copy: None,
            });
        }
        let copy = tempfile::tempdir()?;
        let path = copy.path().join("standard-input");
        let mut bytes = Vec::new();
        std::io::stdin().lock().read_to_end(&mut bytes)?;
        std::fs::write(&path, bytes)?;
        // What comes out of a pipe is to be started.
        std::fs::set_permissions(&path, Permissions::from_mode(0o755))?;
        Ok(Input {
            path,
            copy: Some(copy),
        })
    }

    /// Whether it is standard input.
    pub fn is_stdin(&self) -> bool {
        self.copy.is_some()
    }

    /// A text that names the file as the user did.
    pub fn named_so(&self, text: &str) -> String {
        match &self.copy {
            None => text.to_owned(),
            Some(_) => text.replace(&*self.path.to_string_lossy(), STDIN),
        }
    }

    /// The same of a path.
    pub fn shown(&self, path: &Path) -> String {
        self.named_so(&path.display().to_string())
    }
}
