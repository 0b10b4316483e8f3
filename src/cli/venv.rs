//! `pexboot venv`: a virtual environment made of a PEX, which needs neither the PEX nor a cache.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::error::CliError;
use super::json;
use super::warn;
use crate::launch::{Console, Invocation, LaunchError, standalone};
use crate::output::stdout;
use crate::shown::counted;

/// What `venv` is told.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
DIR/pex runs the application, DIR/bin has Python, activate and the scripts of all packages. The environment names its own \
place: make it where it is to stay. The Python that it is based on must stay, too.

Examples:
  pexboot venv app.pex /opt/app && /opt/app/pex --help
  pexboot venv --python python3.12 --force app.pex .venv")]
pub struct Args {
    /// The PEX, embedded or not: a file or a directory
    pex: PathBuf,
    /// Where: a new or empty directory
    directory: PathBuf,
    /// Base it on this Python, a path or a name on PATH [default: the one that would run the PEX]
    #[arg(long, value_name = "PYTHON")]
    python: Option<String>,
    /// What activation shows at the prompt [default: the name of the PEX]
    #[arg(long, value_name = "TEXT")]
    prompt: Option<OsString>,
    /// Replace the virtual environment that is there
    #[arg(long)]
    force: bool,
    /// Say nothing of what went well
    #[arg(short, long)]
    quiet: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Makes it.
///
/// # Errors
/// When the PEX would not start here, or something else is there.
pub fn run(args: &Args) -> Result<(), CliError> {
    let invocation =
        Invocation::new(&args.pex, Vec::new()).map_err(|source| at(&args.pex, &source))?;
    let place = place(&args.directory).map_err(|source| at(&args.directory, &source))?;
    let old = old(&place, args.force)?;
    // Beside its place: what is there or not there is a whole environment, and files need no second copy.
    let parent = place.parent().unwrap_or(&place);
    let draft = tempfile::Builder::new()
        .prefix(".pexboot-venv-")
        .tempdir_in(parent);
    let draft = draft.map_err(|source| at(parent, &source))?;
    let [work, aside, gone] = ["work", "aside", "gone"].map(|name| draft.path().join(name));
    std::fs::create_dir(&work)?;
    let prompt = args.prompt.as_deref().unwrap_or(invocation.name());
    let python = args.python.as_deref();
    let parts = [place.as_path(), &work, &aside];
    let made = standalone(&invocation, python, prompt, parts, &mut Console::new());
    let made = made.map_err(|error| named(error, python))?;
    if old {
        std::fs::rename(&place, &gone).map_err(|source| at(&place, &source))?;
    }
    std::fs::rename(&work, &place).map_err(|source| at(&place, &source))?;
    drop(draft);
    for clash in &made.clashes {
        warn(clash);
    }
    if args.json {
        let value = json!({
            "path": place.to_string_lossy(),
            "python": made.python.to_string_lossy(),
            "wheels": made.wheels,
            "warnings": made.clashes,
        });
        stdout::print(&json::text(value));
    } else if !args.quiet {
        warn(&format!(
            "`{}` is a virtual environment of {}, based on `{}`; `{}` runs the application",
            place.display(),
            counted(made.wheels.len(), "wheel", "s"),
            made.python.display(),
            place.join("pex").display()
        ));
    }
    Ok(())
}

/// Where it will be, without links: what is made names it.
fn place(directory: &Path) -> std::io::Result<PathBuf> {
    let wanted = std::path::absolute(directory)?;
    if let Ok(place) = wanted.canonicalize() {
        return Ok(place);
    }
    let (Some(parent), Some(name)) = (wanted.parent(), wanted.file_name()) else {
        return Ok(wanted);
    };
    std::fs::create_dir_all(parent)?;
    Ok(parent.canonicalize()?.join(name))
}

/// Whether an environment is there that is to be replaced.
///
/// # Errors
/// When anything else is there.
fn old(place: &Path, force: bool) -> Result<bool, CliError> {
    let shown = place.display();
    let mut entries = match std::fs::read_dir(place) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(false),
        entries => entries.map_err(|source| at(place, &source))?,
    };
    match (
        entries.next().is_some(),
        place.join("pyvenv.cfg").is_file(),
        force,
    ) {
        (false, ..) => Ok(false),
        (true, true, true) => Ok(true),
        (true, true, false) => Err(CliError::refused(&format!(
            "`{shown}` is a virtual environment already; `--force` replaces it, with all that was installed there"
        ))),
        (true, false, _) => Err(CliError::refused(&format!(
            "`{shown}` is not empty and no virtual environment; name another directory, or empty it"
        ))),
    }
}

/// An error as it came, but about the option where that names the Python.
fn named(error: LaunchError, python: Option<&str>) -> CliError {
    let mut error = CliError::from(error);
    if let (Some(text), Some(_)) = (&mut error.text, python) {
        *text = text
            .replace(
                "take PEX_PYTHON out of the environment",
                "leave out --python",
            )
            .replace("PEX_PYTHON", "--python");
    }
    error
}

fn at(path: &Path, source: &std::io::Error) -> CliError {
    CliError::from(std::io::Error::new(
        source.kind(),
        format!("`{}`: {source}", path.display()),
    ))
}
