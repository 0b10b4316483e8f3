//! `pexboot verify`: every CRC and every promised hash of a PEX, and of what the cache has of it.

use std::path::PathBuf;

use super::error::CliError;
use crate::exit::ExitCode;
use crate::output::stdout;
use crate::shown::line;
use crate::store::Store;
use crate::verify::{VerifyError, verify};

/// What `verify` is told.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The PEX, embedded or not
    pex: PathBuf,
    /// Compare what is in the cache as well
    #[arg(long)]
    cache: bool,
}

/// Checks, and tells what is wrong.
///
/// # Errors
/// When the file is no PEX or the check cannot be made.
pub fn run(args: &Args) -> Result<ExitCode, CliError> {
    let cache = if args.cache {
        let store = super::cache::of_starts(Some(&args.pex), Store::look)?;
        store.kept()?;
        Some(store)
    } else {
        None
    };
    let found = verify(&args.pex, cache.as_ref())?;
    for fault in &found.faults {
        stdout::print(&format!("{}\n", line(fault)));
    }
    let mut checked = format!(
        "{} members, {} wheels, {} other hashes",
        found.members, found.wheels, found.hashes
    );
    if !found.unpromised.is_empty() {
        checked += &format!(
            " (cannot be computed again: {})",
            line(found.unpromised.join(", "))
        );
    }
    if args.cache {
        checked += &format!(", {} entries of the cache", found.cached);
    }
    if found.faults.is_empty() {
        stdout::print(&format!("whole: {checked}\n"));
        return Ok(ExitCode::Success);
    }
    stdout::print(&format!(
        "damaged: {} in {checked}; fetch or build the file anew, or run `pexboot cache clear`\n",
        found.faults.len()
    ));
    Ok(ExitCode::BadFile)
}

impl From<VerifyError> for CliError {
    fn from(error: VerifyError) -> CliError {
        match error {
            VerifyError::Embed(error) => error.into(),
            VerifyError::Store(error) => error.into(),
            VerifyError::Temporary(_) => std::io::Error::other(error).into(),
        }
    }
}
