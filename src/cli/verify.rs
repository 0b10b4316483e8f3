//! `pexboot verify`: every CRC and every promised hash of a PEX, and of what the cache has of it.

use std::path::PathBuf;

use serde_json::json;

use super::each::{Input, each};
use super::error::CliError;
use super::json;
use crate::exit::ExitCode;
use crate::output::stdout;
use crate::shown::{counted, line};
use crate::store::Store;
use crate::verify::{VerifyError, verify};

/// What `verify` is told.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Ends with 65 where a file is damaged.

Examples:
  pexboot verify dist/*.pex
  pexboot verify --cache /usr/local/bin/app
  curl -sL https://example.org/app | pexboot verify -")]
pub struct Args {
    /// The PEXes, embedded or not; `-` is standard input
    #[arg(required = true, value_name = "PEX")]
    pexes: Vec<PathBuf>,
    /// Compare what is in the cache as well
    #[arg(long)]
    cache: bool,
    /// Say nothing of files that are whole
    #[arg(short, long)]
    quiet: bool,
    /// Print one JSON object for each PEX
    #[arg(long)]
    json: bool,
}

/// Checks, and tells what is wrong.
pub fn run(args: &Args) -> ExitCode {
    each(&args.pexes, Some("checking"), |file| check(args, file))
}

fn check(args: &Args, file: &Input) -> Result<ExitCode, CliError> {
    let cache = if args.cache {
        let store = super::cache::of_starts(Some(&file.path), Store::look)?;
        store.kept()?;
        Some(store)
    } else {
        None
    };
    let found = verify(&file.path, cache.as_ref())?;
    let code = match found.faults.is_empty() {
        true => ExitCode::Success,
        false => ExitCode::BadFile,
    };
    if args.json {
        let faults = found
            .faults
            .iter()
            .map(|fault| file.named_so(&fault.to_string()));
        let value = json!({
            "path": file.shown(&file.path),
            "whole": found.faults.is_empty(),
            "faults": faults.collect::<Vec<_>>(),
            "members": found.members,
            "wheels": found.wheels,
            "hashes": found.hashes,
            "unpromised": found.unpromised,
            "cached": args.cache.then_some(found.cached),
        });
        stdout::print(&json::text(value));
        return Ok(code);
    }
    // Of several it must be said which.
    let name = match args.pexes.len() {
        1 => String::new(),
        _ => format!("{}: ", line(file.shown(&file.path))),
    };
    for fault in &found.faults {
        stdout::print(&format!(
            "{name}{}\n",
            line(file.named_so(&fault.to_string()))
        ));
    }
    let mut checked = format!(
        "{}, {}, {}",
        counted(found.members, "member", "s"),
        counted(found.wheels, "wheel", "s"),
        counted(found.hashes, "other hash", "es")
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
        if !args.quiet {
            stdout::print(&format!("{name}whole: {checked}\n"));
        }
    } else {
        stdout::print(&format!(
            "{name}damaged: {} in {checked}; fetch or build the file anew, or run `pexboot cache clear`\n",
            found.faults.len()
        ));
    }
    Ok(code)
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
