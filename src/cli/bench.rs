//! `pexboot bench`: how fast a PEX starts, as it is and with a native start, cold and warm, and any other command
//! beside it. How it is measured: see `bench`.

use std::error::Error;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{IsTerminal, Write as _};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::bench::{
    BenchError, Comparison, Environment, Host, Measure, Role, Session, Settings, State, Subject,
    comparison_chart, comparison_table, embed, execute, plain, to_json,
};
use crate::exit::ExitCode;
use crate::output::{self, stdout};
use crate::shown::line;

/// What `bench` is told.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Commands that cache anything find HOME, TMPDIR, XDG_CACHE_HOME and PEX_ROOT set to directories of their own: new ones \
for every cold start. Nothing else of the environment but PATH, user and time zone gets through; see --env.

Examples:
  pexboot bench app.pex -- --help
  pexboot bench app.pex --against 'venv=.venv/bin/app --help' --json app.json -- --help
  pexboot bench server.pex --ignore-output -- --version")]
pub struct Args {
    /// The PEX file, embedded or not: both forms are measured
    pex: PathBuf,
    /// Arguments for the application
    #[arg(last = true)]
    args: Vec<OsString>,
    /// Another command to compare: `venv=.venv/bin/app --help`; once per command
    #[arg(long, value_name = "NAME=COMMAND", value_parser = parse_against)]
    against: Vec<(String, Vec<String>)>,
    /// Counted runs of each command, cold and warm
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..))]
    runs: u16,
    /// Runs before those that are not counted; warm ones have three before them at least
    #[arg(long, default_value_t = 1)]
    warmup: u16,
    /// Measure commands that do not print the same each time, or not what the others print
    #[arg(long)]
    ignore_output: bool,
    /// The exit code that every run must have
    #[arg(long, default_value_t = 0, value_name = "CODE")]
    exit_code: i32,
    /// A variable for every run; without a value, the caller's
    #[arg(long, value_name = "NAME[=VALUE]")]
    env: Vec<OsString>,
    /// Where the runs' caches are made and removed again: a file system like the one that counts [default: the user's
    /// cache directory]
    #[arg(long, value_name = "DIRECTORY")]
    scratch: Option<PathBuf>,
    /// Write all samples as JSON, in hyperfine's shape
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write the tables as Markdown
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
    /// Write a chart of median wall times
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

/// Measures, prints a table, writes the files that were asked for.
///
/// # Errors
/// When the PEX cannot be embedded, a command fails, or two do not print the same.
pub fn run(args: &Args) -> Result<ExitCode, Box<dyn Error>> {
    for file in [&args.json, &args.markdown, &args.svg]
        .into_iter()
        .flatten()
    {
        output::check(file)?;
    }
    let scratch = scratch(args.scratch.as_deref())?;
    let environment = environment(&args.env);
    let title = line(
        args.pex
            .file_name()
            .unwrap_or(args.pex.as_os_str())
            .display(),
    );
    let subjects = subjects(args, scratch.path(), &environment)?;
    let host = Host::here(scratch.path());
    let settings = Settings {
        runs: usize::from(args.runs),
        warmup: usize::from(args.warmup),
        exit_code: Some(args.exit_code),
        any_output: args.ignore_output,
    };
    let mut session = Session::new(scratch.path(), environment);
    let mut comparisons = Vec::new();
    for state in [State::Cold, State::Warm] {
        let mut progress = Progress::new(state.name());
        let series = session
            .measure(state, &subjects, settings, &mut |done, all| {
                progress.show(done, all)
            })
            .map_err(explained)?;
        comparisons.push(Comparison {
            title: title.clone(),
            state,
            baseline: 0,
            series,
        });
    }

    let table = comparison_table(&comparisons);
    stdout::print(&table.to_text());
    let note = format!("{} runs each, interleaved; {}", args.runs, host.line());
    stdout::print(&format!("\nRatios are to the original. {note}.\n"));
    if let Some(path) = &args.json {
        let text = format!("{:#}\n", to_json(&comparisons, &host));
        output::write(path, text.as_bytes())?;
    }
    if let Some(path) = &args.markdown {
        let text = format!("{}\n{note}.\n", table.to_markdown());
        output::write(path, text.as_bytes())?;
    }
    if let Some(path) = &args.svg {
        let measure = Measure::WallMedian;
        let title = format!("Starting {title}");
        let note = format!("{}; {note}", measure.name());
        let chart = comparison_chart(&title, &note, measure, &comparisons, role);
        output::write(path, chart.to_svg().as_bytes())?;
    }
    Ok(ExitCode::Success)
}

/// Tells, of a command that failed, how to measure one that is meant to.
fn explained(error: BenchError) -> Box<dyn Error> {
    match error {
        BenchError::ExitCode { got, .. } => {
            format!("{error}\n(if that is how it should end, say so: `--exit-code {got}`)").into()
        }
        error => error.into(),
    }
}

/// How the bars of a command look.
pub(super) fn role(name: &str) -> Role {
    match name {
        "embedded" => Role::Ours,
        "original" => Role::Baseline,
        _ => Role::Other,
    }
}

/// Original and embedded form below `scratch`, then the other commands.
fn subjects(
    args: &Args,
    scratch: &Path,
    environment: &Environment,
) -> Result<Vec<Subject>, Box<dyn Error>> {
    let (original, embedded) = both_forms(&args.pex, scratch)?;
    let mut subjects = vec![
        Subject::new("original", original, &args.args),
        Subject::new("embedded", embedded, &args.args),
    ];
    for (name, words) in &args.against {
        let words: Vec<OsString> = words.iter().map(OsString::from).collect();
        let (program, rest) = words
            .split_first()
            .ok_or_else(|| format!("`--against {name}=`: no command"))?;
        let program = environment.find_program(program).ok_or_else(|| {
            format!(
                "`--against {name}`: no program `{}` on PATH",
                line(program.display())
            )
        })?;
        subjects.push(Subject::new(name, program, rest));
    }
    Ok(subjects)
}

/// The PEX without and with a native start, both on the scratch directory's file system, executable, and under its
/// own name, which applications print.
fn both_forms(pex: &Path, scratch: &Path) -> Result<(PathBuf, PathBuf), Box<dyn Error>> {
    let at = |source| BenchError::Io {
        path: pex.to_owned(),
        source,
    };
    let name = pex
        .file_name()
        .ok_or_else(|| format!("`{}` is not a file", line(pex.display())))?;
    if pex.is_dir() {
        let shown = line(pex.display());
        return Err(format!(
            "`{shown}` is a directory; only PEXes in one file can be embedded and compared"
        )
        .into());
    }
    let pexboot = std::env::current_exe()?;
    let [original, embedded] = ["original", "embedded"].map(|form| scratch.join(form).join(name));
    for form in [&original, &embedded] {
        fs::create_dir(form.parent().unwrap_or(scratch))?;
    }
    let mut magic = [0; 4];
    std::io::Read::read_exact(&mut crate::regular::open(pex).map_err(at)?, &mut magic)
        .map_err(at)?;
    if magic == *b"\x7fELF" {
        fs::copy(pex, &embedded).map_err(at)?;
        execute(
            plain(&pexboot, ["strip", "--output"])
                .arg(&original)
                .arg(pex),
        )?;
    } else {
        fs::copy(pex, &original).map_err(at)?;
        embed(&pexboot, pex, &embedded, &[])?;
    }
    for form in [&original, &embedded] {
        fs::set_permissions(form, fs::Permissions::from_mode(0o755))?;
    }
    Ok((original, embedded))
}

/// A new directory for everything that runs leave behind; removed with the value.
pub(super) fn scratch(chosen: Option<&Path>) -> Result<tempfile::TempDir, Box<dyn Error>> {
    // Not the system's temporary directory: where that is in memory, no cold start would be like a user's.
    let parent = chosen
        .map(Path::to_owned)
        .or_else(super::home::cache)
        .unwrap_or_else(std::env::temp_dir);
    let parent = std::path::absolute(parent)?;
    fs::create_dir_all(&parent)
        .map_err(|source| format!("`{}`: {source}", line(parent.display())))?;
    let scratch = tempfile::Builder::new()
        .prefix("pexboot-bench-")
        .tempdir_in(&parent);
    Ok(scratch.map_err(|source| format!("`{}`: {source}", line(parent.display())))?)
}

/// The clean environment with what `--env` adds.
fn environment(added: &[OsString]) -> Environment {
    let mut environment = Environment::clean();
    for item in added {
        let bytes = item.as_bytes();
        match bytes.iter().position(|&byte| byte == b'=') {
            Some(at) => environment.set(
                OsStr::from_bytes(&bytes[..at]),
                OsStr::from_bytes(&bytes[at + 1..]),
            ),
            None => {
                if let Some(value) = std::env::var_os(item) {
                    environment.set(item, value);
                }
            }
        }
    }
    environment
}

/// `NAME=COMMAND`, the command split as a POSIX shell splits words.
fn parse_against(text: &str) -> Result<(String, Vec<String>), String> {
    let (name, command) = text.split_once('=').ok_or("must be `NAME=COMMAND`")?;
    if name.is_empty() || ["original", "embedded"].contains(&name) {
        return Err(format!("`{name}` cannot be a command's name here"));
    }
    let words =
        shlex::split(command).ok_or("the command has an unclosed quote or ends in a backslash")?;
    if words.is_empty() {
        Err("the command is empty".to_owned())
    } else {
        Ok((line(name), words))
    }
}

/// A line on a terminal's stderr that tells how far a measurement is; nothing elsewhere.
pub(super) struct Progress {
    what: String,
    shown: bool,
}

impl Progress {
    /// Progress of `what`.
    pub(super) fn new(what: &str) -> Progress {
        Progress {
            what: what.to_owned(),
            shown: std::io::stderr().is_terminal(),
        }
    }

    /// Shows that `done` of `all` rounds are done; the line goes with the last.
    pub(super) fn show(&mut self, done: usize, all: usize) {
        if self.shown {
            let mut stderr = std::io::stderr();
            // A terminal that went away is no reason to stop measuring.
            let _ = if done < all {
                write!(stderr, "\r\x1b[K{}: round {done} of {all}", self.what)
            } else {
                write!(stderr, "\r\x1b[K")
            };
            let _ = stderr.flush();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn against_is_split_as_a_shell_would() {
        let (name, words) = parse_against("venv=bin/app --say 'a b'").unwrap();
        assert_eq!(
            (name.as_str(), words),
            ("venv", vec!["bin/app".into(), "--say".into(), "a b".into()])
        );
    }

    #[test]
    fn against_without_name_or_command_is_refused() {
        for text in ["x", "=x", "x=", "x='", "original=x"] {
            assert!(parse_against(text).is_err(), "{text}");
        }
    }

    #[test]
    fn env_takes_values_or_the_callers() {
        let caller = std::env::vars_os()
            .find_map(|(name, _)| name.into_string().ok())
            .expect("a variable of whoever runs this test");
        let environment =
            environment(&["A=b=c".into(), (&caller).into(), "NO_SUCH_VARIABLE".into()]);
        assert_eq!(environment.get("A"), Some(OsStr::new("b=c")));
        assert!(environment.get(&caller).is_some());
        assert!(environment.get("NO_SUCH_VARIABLE").is_none());
    }
}
