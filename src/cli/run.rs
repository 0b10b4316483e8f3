//! `pexboot run`: does for a bare PEX what the stub does for an embedded one.

use std::ffi::OsString;
use std::path::Path;

use crate::exit::ExitCode;
use crate::launch::{Console, Invocation, LaunchError, complain, start};
use crate::output::stdout;

/// What `run` is told.
#[derive(Debug, clap::Args)]
// Whatever follows the PEX is the application's, `--help` too.
#[command(disable_help_flag = true)]
pub struct Args {
    /// The PEX (a file or directory, embedded or not), and arguments for the application
    #[arg(value_names = ["PEX", "ARGS"], trailing_var_arg = true, allow_hyphen_values = true, required = true)]
    command: Vec<OsString>,
}

/// Starts the PEX; returns only when that failed.
pub fn run(args: &Args) -> ExitCode {
    let Some((pex, args)) = args.command.split_first() else {
        return ExitCode::Usage;
    };
    if pex == "--help" || pex == "-h" {
        stdout::print("Run a PEX natively, embedded or not\n\nUsage: pexboot run PEX [ARGS]...\n");
        return ExitCode::Success;
    }
    let mut console = Console::new();
    let result = Invocation::new(Path::new(pex), args.to_vec())
        .map_err(|source| LaunchError::Io {
            path: Path::new(pex).display().to_string(),
            source,
        })
        .and_then(|invocation| start(&invocation, &mut console));
    match result {
        Ok(never) => match never {},
        Err(error) => {
            complain(&error.message());
            error.exit_code()
        }
    }
}
