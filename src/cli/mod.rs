//! The command line: one file per subcommand; this one only knows their names, and how each ends.
//!
//! What is printed goes by `output::stdout` and `launch::complain`, which a full or closed stream does not end.

mod bench;
mod cache;
mod demo;
mod embed;
mod error;
mod info;
mod run;
mod strip;
mod targets;
mod verify;
mod warm;

use clap::{Parser, Subcommand};
use error::CliError;

use crate::exit::ExitCode;
use crate::launch::complain;
use crate::output::stdout;
use crate::shown;

/// Starts PEX files at once, by a native stub in front of the zip.
#[derive(Debug, Parser)]
#[command(name = "pexboot", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Measure how fast a PEX starts, as it is and embedded
    Bench(bench::Args),
    /// See and trim what starts have unpacked
    Cache(cache::Args),
    /// Build real PEXes, embed them and show how fast they start
    Demo(demo::Args),
    /// Put the native stub in front of a PEX
    Embed(embed::Args),
    /// Tell what a PEX is and what is in it
    Info(info::Args),
    /// Run a PEX natively, embedded or not
    Run(run::Args),
    /// Give the original PEX back, byte for byte
    Strip(strip::Args),
    /// Check every checksum and every promised hash of a PEX
    Verify(verify::Args),
    /// Do all the work of a first start ahead of it: for images, and for roots that nobody can write to
    Warm(warm::Args),
}

/// Runs the command line of this process; gives its exit code.
#[must_use]
pub fn main() -> i32 {
    stdout::note_closed();
    crate::launch::keep_standard_descriptors();
    let code = match Cli::try_parse() {
        Ok(cli) => run(cli) as i32,
        Err(error) => {
            // Help and version come here too, with an exit code of their own.
            let text = shown::lines(error.render());
            if error.use_stderr() {
                complain(text.trim_end());
            } else {
                stdout::print(&text);
            }
            error.exit_code()
        }
    };
    match stdout::failure() {
        None => code,
        Some(error) => {
            complain(&format!("pexboot: standard output: {error}"));
            ExitCode::Io as i32
        }
    }
}

fn run(cli: Cli) -> ExitCode {
    let done = |()| ExitCode::Success;
    let result = match cli.command {
        Command::Bench(args) => bench::run(&args).map_err(CliError::from),
        Command::Cache(args) => cache::run(&args).map(done),
        Command::Demo(args) => demo::run(&args).map_err(CliError::from),
        Command::Embed(args) => embed::run(&args).map(done),
        Command::Info(args) => info::run(&args).map(done),
        Command::Run(args) => Ok(run::run(&args)),
        Command::Strip(args) => strip::run(&args).map(done),
        Command::Verify(args) => verify::run(&args),
        Command::Warm(args) => Ok(warm::run(&args)),
    };
    result.unwrap_or_else(|error| {
        if let Some(text) = error.text {
            complain(&format!("pexboot: {text}"));
        }
        error.code
    })
}

/// Something the user must know.
fn warn(line: &str) {
    complain(&format!("pexboot: {}", shown::line(line)));
}
