//! `pexboot generate`: shell completions and manual pages, for whoever packages pexboot.

use std::path::{Path, PathBuf};

use clap::{Command, CommandFactory as _, ValueEnum as _};
use clap_complete::Shell;

use super::error::CliError;
use crate::output;

/// What `generate` is told.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Makes DIR/share with what a package puts below its prefix: man/man1, bash-completion/completions, \
zsh/site-functions, fish/vendor_completions.d.")]
pub struct Args {
    /// Where
    directory: PathBuf,
}

/// Writes them.
///
/// # Errors
/// When one cannot be written.
pub fn run(args: &Args) -> Result<(), CliError> {
    let share = args.directory.join("share");
    let command = super::Cli::command();
    for shell in Shell::value_variants() {
        let (below, name) = match shell {
            Shell::Bash => ("bash-completion/completions", "pexboot"),
            Shell::Zsh => ("zsh/site-functions", "_pexboot"),
            Shell::Fish => ("fish/vendor_completions.d", "pexboot.fish"),
            _ => continue,
        };
        let mut text = Vec::new();
        clap_complete::generate(*shell, &mut command.clone(), "pexboot", &mut text);
        write(&share.join(below), name, &text)?;
    }
    let pages = share.join("man/man1");
    page(&pages, "pexboot", command.clone())?;
    for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set()) {
        let name = format!("pexboot-{}", sub.get_name());
        page(
            &pages,
            &name,
            sub.clone().bin_name(name.replacen('-', " ", 1)),
        )?;
    }
    Ok(())
}

fn page(pages: &Path, name: &str, command: Command) -> Result<(), CliError> {
    let mut text = Vec::new();
    // A page is titled by the name of the command that it is about.
    let command = command
        .name(name.to_owned())
        .version(env!("CARGO_PKG_VERSION"));
    clap_mangen::Man::new(command).render(&mut text)?;
    write(pages, &format!("{name}.1"), &text)
}

fn write(directory: &Path, name: &str, text: &[u8]) -> Result<(), CliError> {
    std::fs::create_dir_all(directory).map_err(|source| {
        std::io::Error::new(
            source.kind(),
            format!("`{}`: {source}", directory.display()),
        )
    })?;
    Ok(output::write(&directory.join(name), text)?)
}
