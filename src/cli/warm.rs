//! `pexboot warm`: the work of a first start, done ahead of it.

use std::path::{Path, PathBuf};

use crate::exit::ExitCode;
use crate::launch::{Console, Invocation, LaunchError, complain, warm};

/// What `warm` is told.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
PEX_* variables count as they do for a start: one that selects a launch (PEX_SCRIPT, PEX_MODULE, ...) must be the same \
then. A root in an image is used from any account as a seed, which is only ever read: let everyone read it (`chmod -R \
a+rX DIR`), and set PEXBOOT_SEEDS to DIR/pexboot.")]
pub struct Args {
    /// The PEX, embedded or not, under the name and path by which it will be started
    pex: PathBuf,
    /// Fill `DIR/pexboot` instead of the usual root, as PEX_ROOT=DIR would
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
}

/// Prepares the launch, compiles its modules and waits until all is on disk.
pub fn run(args: &Args) -> ExitCode {
    match fill(&args.pex, args.root.as_deref()) {
        Ok(()) => ExitCode::Success,
        Err(error) => {
            complain(&format!("pexboot: {error}"));
            error.exit_code()
        }
    }
}

fn fill(pex: &Path, root: Option<&Path>) -> Result<(), LaunchError> {
    let io = |path: &Path, source| LaunchError::Io {
        path: path.display().to_string(),
        source,
    };
    let mut invocation = Invocation::new(pex, Vec::new()).map_err(|source| io(pex, source))?;
    if let Some(root) = root {
        let root = std::path::absolute(root).map_err(|source| io(root, source))?;
        invocation.env.retain(|(name, _)| name != "PEX_ROOT");
        invocation.env.push(("PEX_ROOT".into(), root.into()));
    }
    warm(&invocation, &mut Console::new())?;
    Ok(())
}
