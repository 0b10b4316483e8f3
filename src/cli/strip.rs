//! `pexboot strip`: the original PEX back, byte for byte.

use std::path::PathBuf;

use super::error::CliError;
use crate::embed::strip;

/// What `strip` is told.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The embedded PEX
    pex: PathBuf,
    /// Write here instead of in place; `-` is standard output. A link is replaced, not followed; of a file that is there
    /// owner and mode stay
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Gives the original back.
///
/// # Errors
/// When that fails; the input is untouched then.
pub fn run(args: &Args) -> Result<(), CliError> {
    strip(&args.pex, args.output.as_deref())?;
    Ok(())
}
