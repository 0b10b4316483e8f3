//! `pexboot warm`: the work of a first start, done ahead of it.

use std::path::{Path, PathBuf};

use super::each::each;
use super::error::CliError;
use crate::exit::ExitCode;
use crate::launch::{Console, Invocation, LaunchError, warm};

/// What `warm` is told.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
PEX_* variables count as they do for a start: one that selects a launch (PEX_SCRIPT, PEX_MODULE, ...) must be the same \
then. A root in an image is used from any account as a seed, which is only ever read: let everyone read it (`chmod -R \
a+rX DIR`), and set PEXBOOT_SEEDS to DIR/pexboot.

Examples:
  pexboot warm app
  pexboot warm --import /usr/bin/python3 libs.pex     for programs that put it on their path
  RUN pexboot warm --root /opt/cache /usr/local/bin/app && chmod -R a+rX /opt/cache     in a Dockerfile")]
pub struct Args {
    /// The PEXes, embedded or not, under the names and paths by which they will be started
    #[arg(required = true, value_name = "PEX")]
    pexes: Vec<PathBuf>,
    /// Fill `DIR/pexboot` instead of the usual root, as PEX_ROOT=DIR would
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
    /// Also for `import __pex__` in this Python, by the path that its sys.executable has; may be repeated
    #[arg(long = "import", value_name = "PYTHON")]
    imports: Vec<PathBuf>,
}

/// Prepares the launches, compiles their modules and waits until all is on disk.
pub fn run(args: &Args) -> ExitCode {
    each(&args.pexes, None, |file| {
        if file.is_stdin() {
            return Err(CliError::usage(
                "`-` cannot be warmed: a start is known by the file's name and path",
            ));
        }
        fill(&file.path, args)?;
        Ok(ExitCode::Success)
    })
}

fn fill(pex: &Path, args: &Args) -> Result<(), LaunchError> {
    let io = |path: &Path, source| LaunchError::Io {
        path: path.display().to_string(),
        source,
    };
    let mut invocation = Invocation::new(pex, Vec::new()).map_err(|source| io(pex, source))?;
    if let Some(root) = &args.root {
        let root = std::path::absolute(root).map_err(|source| io(root, source))?;
        invocation.env.retain(|(name, _)| name != "PEX_ROOT");
        invocation.env.push(("PEX_ROOT".into(), root.into()));
    }
    warm(&invocation, &mut Console::new())?;
    for python in &args.imports {
        let python = std::path::absolute(python).map_err(|source| io(python, source))?;
        let mut import = invocation.imported_by(python);
        // It may come by PYTHONPATH, whose presence selects a plan, or by `sys.path` alone.
        import.env.retain(|(name, _)| name != "PYTHONPATH");
        warm(&import, &mut Console::new())?;
        import.env.push(("PYTHONPATH".into(), pex.into()));
        warm(&import, &mut Console::new())?;
    }
    Ok(())
}
