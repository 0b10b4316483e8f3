//! `pexboot strip`: the original PEX back, byte for byte.

use std::path::{Path, PathBuf};

use super::each::{STDIN, each};
use super::embed::one_output;
use super::error::CliError;
use super::warn;
use crate::embed::strip;
use crate::exit::ExitCode;

/// What `strip` is told.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  pexboot strip app              in place
  pexboot strip app -o app.pex   beside it
  pexboot strip - < app > app.pex")]
pub struct Args {
    /// The embedded PEXes; `-` is standard input
    #[arg(required = true, value_name = "PEX")]
    pexes: Vec<PathBuf>,
    /// Write here instead of in place; `-` is standard output. A link is replaced, not followed; of a file that is there
    /// owner and mode stay
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Say nothing of what went well
    #[arg(short, long)]
    quiet: bool,
}

/// Gives the originals back.
///
/// # Errors
/// When one output is named for many.
pub fn run(args: &Args) -> Result<ExitCode, CliError> {
    one_output(&args.pexes, args.output.as_deref())?;
    Ok(each(&args.pexes, Some("stripping"), |file| {
        let output = args.output.as_deref();
        let output = output.or_else(|| file.is_stdin().then_some(Path::new(STDIN)));
        strip(&file.path, output)?;
        if !args.quiet {
            warn(&format!(
                "`{}` is as it was before",
                file.shown(output.unwrap_or(&file.path))
            ));
        }
        Ok(ExitCode::Success)
    }))
}
