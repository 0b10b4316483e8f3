//! `pexboot run`: does for a bare PEX what the stub does for an embedded one.

use std::ffi::OsString;
use std::path::PathBuf;

use crate::exit::ExitCode;
use crate::launch::{Console, Invocation, LaunchError, start};

/// What `run` is told.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The PEX: a file or directory, embedded or not
    pex: PathBuf,
    /// Arguments for the application
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    args: Vec<OsString>,
}

/// Starts the PEX; returns only when that failed.
pub fn run(args: &Args) -> ExitCode {
    let mut console = Console::new();
    let result = Invocation::new(&args.pex, args.args.clone())
        .map_err(|source| LaunchError::Io {
            path: args.pex.display().to_string(),
            source,
        })
        .and_then(|invocation| start(&invocation, &mut console));
    match result {
        Ok(never) => match never {},
        Err(error) => {
            eprintln!("{error}");
            error.exit_code()
        }
    }
}
