//! `pexboot embed`: a stub in front of a PEX.

use std::path::PathBuf;

use pexboot_core::seal::Options;

use super::error::CliError;
use super::warn;
use crate::embed::{Bytecode, Parts, embed};
use crate::parts;

/// What `embed` is told.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The PEX: a file, or a packed or loose directory
    pex: PathBuf,
    /// Write here instead of in place; `-` is standard output. A link is replaced, not followed; of a file that is there
    /// owner and mode stay
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Let the host's site module run, as the original bootstrap does, whatever hooks the host has
    #[arg(long, conflicts_with = "no_host_site")]
    host_site: bool,
    /// Never let it run
    #[arg(long)]
    no_host_site: bool,
    /// Bring bytecode of everything in the PEX, so that a first start has nothing to compile: for these Pythons, or the
    /// one that would run it here if that is on PATH
    #[arg(long, value_name = "PYTHON,...", num_args = 0.., require_equals = true, value_delimiter = ',')]
    compile: Option<Vec<String>>,
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
        host_site: (args.host_site || args.no_host_site).then_some(args.host_site),
    };
    let bytecode = match &args.compile {
        Some(pythons) => Bytecode::compile(&args.pex, pythons, &mut warn)?,
        None => Bytecode::default(),
    };
    embed(
        &args.pex,
        args.output.as_deref(),
        options,
        &bytecode,
        &parts,
    )?;
    Ok(())
}
