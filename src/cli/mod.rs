//! The command line: one file per subcommand; this one only knows their names, and how each ends.
//!
//! What is printed goes by `output::stdout` and `launch::complain`, which a full or closed stream does not end.

mod bench;
mod cache;
mod demo;
mod each;
mod embed;
mod error;
mod explain;
mod generate;
mod home;
mod info;
mod json;
mod path;
mod progress;
mod run;
mod sbom;
mod strip;
mod surprise;
mod targets;
mod users;
mod venv;
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
    /// Tell what a start of a PEX would do, and why
    Explain(explain::Args),
    /// Write shell completions and manual pages
    #[command(hide = true)]
    Generate(generate::Args),
    /// Tell what a PEX is and what is in it
    Info(info::Args),
    /// Print where the interpreter, the code and the packages of a PEX are
    Path(path::Args),
    /// Run a PEX natively, embedded or not
    Run(run::Args),
    /// Print what is in a PEX as a bill of materials
    Sbom(sbom::Args),
    /// Give the original PEX back, byte for byte
    Strip(strip::Args),
    /// Make a virtual environment of a PEX, which needs neither the PEX nor a cache
    Venv(venv::Args),
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
            let text = error.render();
            if error.use_stderr() {
                // It shows what was typed.
                let text = text.to_string();
                let text = text.strip_prefix("error: ").unwrap_or(&text);
                complain(&format!("pexboot: {}", shown::lines(text).trim_end()));
            } else if is_coloured() {
                stdout::print(&text.ansi().to_string());
            } else {
                stdout::print(&text.to_string());
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

/// Whether help is shown with bold names: on a terminal that is not told otherwise.
fn is_coloured() -> bool {
    let said = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
    stdout::is_terminal() && !said("NO_COLOR") && !dumb
}

fn run(cli: Cli) -> ExitCode {
    let done = |()| ExitCode::Success;
    let result = match cli.command {
        Command::Bench(args) => bench::run(&args).map_err(CliError::from),
        Command::Cache(args) => cache::run(&args).map(done),
        Command::Demo(args) => demo::run(&args).map_err(CliError::from),
        Command::Embed(args) => embed::run(&args),
        Command::Explain(args) => explain::run(&args),
        Command::Generate(args) => generate::run(&args).map(done),
        Command::Info(args) => Ok(info::run(&args)),
        Command::Path(args) => path::run(&args).map(done),
        Command::Sbom(args) => sbom::run(&args).map(done),
        Command::Run(args) => Ok(run::run(&args)),
        Command::Strip(args) => strip::run(&args),
        Command::Venv(args) => venv::run(&args).map(done),
        Command::Verify(args) => Ok(verify::run(&args)),
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
