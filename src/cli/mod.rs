//! The command line: one file per subcommand; this one only knows their names.

pub mod bench;
pub mod demo;
pub mod embed;
pub mod error;
pub mod info;
mod run;
pub mod strip;

use clap::{Parser, Subcommand};

use crate::exit::ExitCode;

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
    /// Build real PEXes, embed them and show how fast they start
    Demo(demo::Args),
    /// Run a PEX natively, embedded or not
    Run(run::Args),
}

/// Runs the command line of this process; gives its exit code.
#[must_use]
pub fn main() -> i32 {
    crate::launch::keep_standard_descriptors();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version come here too, with an exit code of their own.
            let _ = error.print();
            return error.exit_code();
        }
    };
    let result: Result<ExitCode, Box<dyn std::error::Error>> = match cli.command {
        Command::Bench(args) => bench::run(&args),
        Command::Demo(args) => demo::run(&args),
        Command::Run(args) => Ok(run::run(&args)),
    };
    match result {
        Ok(code) => code as i32,
        Err(error) => {
            eprintln!("pexboot: {error}");
            1
        }
    }
}
