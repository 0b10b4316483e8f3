//! `pexboot embed`: a stub in front of a PEX.

use std::path::PathBuf;

use pexboot_stub::seal::Options;

use super::error::CliError;
use crate::embed::{Parts, embed};
use crate::parts;

/// What `embed` is told.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The PEX: a file, or a packed or loose directory
    pex: PathBuf,
    /// Write here instead of in place
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Let the host's site module run, as the original bootstrap does
    #[arg(long)]
    host_site: bool,
}

/// Embeds the PEX.
///
/// # Errors
/// When that fails; the input is untouched then.
pub fn run(args: &Args) -> Result<(), CliError> {
    let parts = Parts {
        stub: parts::STUB,
        engine: parts::ENGINE,
        engine_full_size: parts::ENGINE_SIZE,
        engine_digest: parts::ENGINE_DIGEST,
    };
    let options = Options {
        host_site: args.host_site,
    };
    embed(&args.pex, args.output.as_deref(), options, &parts)?;
    Ok(())
}
