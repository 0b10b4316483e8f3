//! `pexboot path`: where the interpreter, the code and the packages of a PEX are, for editors and type checkers.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::error::CliError;
use super::json;
use crate::launch::{Invocation, Next, explain};
use crate::output::stdout;
use crate::shown::line;

/// What `path` is told.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The PEX must have been started or warmed: only then are its files where they can be looked at.

Examples:
  pexboot path app
  mypy --python-executable \"$(pexboot path app python)\" src
  PYTHONPATH=$(pexboot path app site) pyright src")]
pub struct Args {
    /// The PEX
    pex: PathBuf,
    /// One of them alone, directories joined by colons
    what: Option<What>,
    /// Print one JSON object
    #[arg(long, conflicts_with = "what")]
    json: bool,
}

/// What there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum What {
    /// The interpreter
    Python,
    /// Directories of the PEX's own code
    Code,
    /// Directories of its packages
    Site,
}

/// Prints where they are.
///
/// # Errors
/// When the PEX would not start, or was not started yet.
pub fn run(args: &Args) -> Result<(), CliError> {
    let invocation = Invocation::new(&args.pex, Vec::new())?;
    let told = explain(&invocation, None);
    if let Some(error) = told.refused {
        return Err(error.into());
    }
    if told.next != Next::Warm {
        return Err(CliError::refused(&format!(
            "`{0}` was not started yet, or something has changed: run `pexboot warm {0}` first",
            args.pex.display()
        )));
    }
    let python: Vec<PathBuf> = told.python.into_iter().collect();
    let all = [
        (What::Python, "python", &python),
        (What::Code, "code", &told.code),
        (What::Site, "site", &told.site),
    ];
    let text = |path: &Path| path.to_string_lossy().into_owned();
    if args.json {
        let list = |paths: &[PathBuf]| paths.iter().map(|path| text(path)).collect::<Vec<_>>();
        let value = json!({
            "python": python.first().map(|python| text(python)),
            "code": list(&told.code),
            "site": list(&told.site),
        });
        stdout::print(&json::text(value));
        return Ok(());
    }
    for (what, label, paths) in all {
        match args.what {
            None => {
                for path in paths {
                    stdout::print(&format!("{label:<8}{}\n", line(path.display())));
                }
            }
            Some(wanted) if wanted == what => {
                let joined: Vec<String> = paths.iter().map(|path| text(path)).collect();
                stdout::print(&format!("{}\n", line(joined.join(":"))));
            }
            Some(_) => {}
        }
    }
    Ok(())
}
