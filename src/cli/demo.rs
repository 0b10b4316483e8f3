//! `pexboot demo`: builds real PEXes, embeds them, and shows how fast they start beside the originals and a plain
//! virtual environment. Everything it makes is kept in one cache directory.
//!
//! It is the one command that may use the network (pip installs pex and the applications, pinned, the first time).
//! Without network it falls back to a PEX of its own making, which only a native start can run.

/// Prints a line.
macro_rules! say {
    ($($text:tt)*) => {
        crate::output::stdout::print(&(format!($($text)*) + "\n"))
    };
}

mod homemade;

use std::error::Error;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::bench::{Progress, role, scratch};
use crate::bench::{
    Align, App, BenchError, Comparison, Environment, Host, Measure, PEX, Role, Session, Settings,
    State, Subject, Table, Tools, Workshop, embed, milliseconds,
};
use crate::exit::ExitCode;
use crate::output::stdout;
use crate::shown::{line, lines};

/// What is shown: the smallest PEX there is, and one with a C extension and 20 wheels.
const APPS: [App; 2] = [
    App {
        name: "cowsay",
        requirements: &["cowsay==6.1"],
        lock: None,
        script: "cowsay",
        args: &["-t", "Moo"],
        code: None,
    },
    App {
        name: "elasticsearch-curator",
        requirements: &["elasticsearch-curator==9.0.0"],
        lock: None,
        script: "curator",
        args: &["--help"],
        code: None,
    },
];

/// What `demo` is told.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where what it makes is kept [default: pexboot-demo in the user's cache directory]
    #[arg(long, value_name = "DIRECTORY")]
    cache: Option<PathBuf>,
    /// The Python that everything is made for [default: /usr/bin/python3, else python3 on PATH]
    #[arg(long, value_name = "FILE")]
    python: Option<PathBuf>,
    /// Counted warm runs of each command; cold ones are a third of that
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u16).range(1..))]
    runs: u16,
    /// Do as if there were no network
    #[arg(long)]
    offline: bool,
}

/// Sets up, measures, prints.
///
/// # Errors
/// When there is no Python, its venv module is missing, or a step fails for another reason than the network.
pub fn run(args: &Args) -> Result<ExitCode, Box<dyn Error>> {
    let cache = cache(args.cache.as_deref())?;
    let python = python(args.python.as_deref())?;
    say!(
        "Everything is made in {}, for {}.\n",
        line(cache.display()),
        line(python.display())
    );
    let prepared = if args.offline {
        None
    } else {
        prepare(&cache, &python)?
    };
    let Prepared {
        environment,
        contestants,
    } = match prepared {
        Some(prepared) => prepared,
        None => homemade::prepare(&cache, &python)?,
    };

    let scratch = scratch(Some(&cache))?;
    let host = Host::here(scratch.path());
    let mut session = Session::new(scratch.path(), environment);
    let mut comparisons = Vec::new();
    for contestant in &contestants {
        for state in [State::Cold, State::Warm] {
            let runs = usize::from(if state == State::Cold {
                args.runs.div_ceil(3)
            } else {
                args.runs
            });
            let what = format!("{} {}", contestant.app.name, state.name());
            let mut progress = Progress::new(&what);
            let settings = Settings {
                runs,
                warmup: 1,
                exit_code: Some(0),
                any_output: false,
            };
            let subjects = &contestant.subjects;
            let series = session.measure(state, subjects, settings, &mut |done, all| {
                progress.show(done, all)
            })?;
            say!(
                "  measured {what}: {} commands, {runs} runs each, same output every time",
                series.len()
            );
            comparisons.push(Comparison {
                title: contestant.app.name.to_owned(),
                state,
                baseline: 0,
                series,
            });
        }
    }
    say!("\n{}", summary(&comparisons).to_text());
    say!(
        "Median wall time in ms. Cold: caches in directories that never existed before. Warm: caches filled."
    );
    say!("{}.", host.line());
    say!("\nTry it yourself:");
    for contestant in &contestants {
        say!("  {}", line(contestant.embedded_command()));
    }
    Ok(ExitCode::Success)
}

/// What is to be measured, and in which environment.
struct Prepared {
    environment: Environment,
    contestants: Vec<Contestant>,
}

/// An application in all its forms.
struct Contestant {
    app: App,
    subjects: Vec<Subject>,
}

impl Contestant {
    fn embedded_command(&self) -> String {
        let embedded = self
            .subjects
            .iter()
            .find(|subject| subject.name == "embedded");
        embedded.map(Subject::command_line).unwrap_or_default()
    }
}

/// The real thing; none when pip cannot reach what it needs.
fn prepare(cache: &Path, python: &Path) -> Result<Option<Prepared>, Box<dyn Error>> {
    let workshop = step(&format!("a virtual environment with {PEX}"), || {
        Workshop::new(cache, python, Tools::Pinned(&[PEX]))
    });
    let Some(workshop) = unless_offline(workshop)? else {
        return Ok(None);
    };
    let mut contestants = Vec::new();
    for app in APPS {
        let wheels = step(
            &format!("the wheels of {}", app.requirements.join(" ")),
            || workshop.wheels(&app),
        );
        if unless_offline(wheels)?.is_none() {
            return Ok(None);
        }
        let venv = step("  a plain virtual environment with it", || {
            workshop.venv(&app)
        })?;
        let original = step("  a PEX of it, by pex", || workshop.pex(&app, "pex", &[]))?;
        let embedded = embedded(&workshop.directory(&app), &original)?;
        let subjects = [("original", original), ("embedded", embedded)]
            .map(|(name, file)| subject(name, file, &app));
        let venv = subject("plain venv", venv, &app).always_warm();
        contestants.push(Contestant {
            app,
            subjects: subjects.into_iter().chain([venv]).collect(),
        });
    }
    say!("");
    Ok(Some(Prepared {
        environment: workshop.environment(),
        contestants,
    }))
}

/// The PEX with a native start: made anew each time, since this program may be newer than the last.
fn embedded(directory: &Path, original: &Path) -> Result<PathBuf, Box<dyn Error>> {
    let name = original.file_name().unwrap_or_default();
    let embedded = directory.join("embedded").join(name);
    fs::create_dir_all(directory.join("embedded"))?;
    if embedded.exists() {
        fs::remove_file(&embedded)?;
    }
    let program = std::env::current_exe()?;
    step("  the same, embedded", || {
        embed(&program, original, &embedded, &[])
    })?;
    let [before, after] =
        [original, &embedded].map(|path| fs::metadata(path).map_or(0, |file| file.len()));
    say!("    {before} bytes before, {after} after");
    Ok(embedded)
}

fn subject(name: &str, program: PathBuf, app: &App) -> Subject {
    let args: Vec<OsString> = app.args.iter().map(OsString::from).collect();
    Subject::new(name, program, &args)
}

/// Does something that may take a while, and says so.
fn step<T>(what: &str, act: impl FnOnce() -> Result<T, BenchError>) -> Result<T, BenchError> {
    stdout::print(&format!("{what} ... "));
    let start = Instant::now();
    let result = act();
    match &result {
        Ok(_) if start.elapsed().as_millis() < 100 => say!("there"),
        Ok(_) => say!("{:.1} s", start.elapsed().as_secs_f64()),
        Err(_) => say!("failed"),
    }
    result
}

/// Takes pip's failure to reach a package index for an answer, and no other failure.
fn unless_offline<T>(result: Result<T, BenchError>) -> Result<Option<T>, BenchError> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(BenchError::SetUp { what, tail, .. }) if what.contains("-m pip") => {
            say!("\npip could not install what is needed:\n{}\n", lines(tail));
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Medians side by side, a row per application and state.
fn summary(comparisons: &[Comparison]) -> Table {
    let names = ["original", "plain venv", "embedded"];
    let has = |name: &str| {
        comparisons
            .iter()
            .flat_map(|one| &one.series)
            .any(|series| series.subject.name == name)
    };
    let names: Vec<&str> = names.into_iter().filter(|name| has(name)).collect();
    let against: Vec<String> = names
        .iter()
        .filter(|&&name| role(name) != Role::Ours)
        .map(|name| format!("embedded / {name}"))
        .collect();
    let mut columns = vec![("application", Align::Left), ("start", Align::Left)];
    columns.extend(names.iter().map(|&name| (name, Align::Right)));
    columns.extend(against.iter().map(|title| (title.as_str(), Align::Right)));
    let mut table = Table::new(columns);
    for comparison in comparisons {
        let find = |name: &str| {
            comparison
                .series
                .iter()
                .find(|series| series.subject.name == name)
        };
        let median = |name: &str| find(name).map(|series| Measure::WallMedian.of(series));
        let mut row = vec![comparison.title.clone(), comparison.state.name().to_owned()];
        row.extend(
            names
                .iter()
                .map(|name| median(name).map(milliseconds).unwrap_or_default()),
        );
        for name in names.iter().filter(|&&name| name != "embedded") {
            let mut cell = String::new();
            if let (Some(ours), Some(theirs)) = (median("embedded"), median(name)) {
                let _ = write!(cell, "{:.2}", ours / theirs);
            }
            row.push(cell);
        }
        table.row(row);
    }
    table
}

/// The cache directory, made.
fn cache(chosen: Option<&Path>) -> Result<PathBuf, Box<dyn Error>> {
    let cache = match chosen {
        Some(chosen) => std::path::absolute(chosen)?,
        None => super::home::cache()
            .ok_or("no cache directory: set HOME or use `--cache`")?
            .join("pexboot-demo"),
    };
    fs::create_dir_all(&cache)
        .map_err(|source| format!("`{}`: {source}", line(cache.display())))?;
    Ok(cache)
}

/// The interpreter: the distribution's own where there is one, since a version manager's `python3` may be a script.
fn python(chosen: Option<&Path>) -> Result<PathBuf, Box<dyn Error>> {
    let environment = Environment::clean();
    let candidates = match chosen {
        Some(chosen) => vec![chosen],
        None => vec![Path::new("/usr/bin/python3"), Path::new("python3")],
    };
    let found = candidates
        .iter()
        .find_map(|candidate| environment.find_program(candidate.as_os_str()));
    Ok(found.ok_or_else(|| match chosen {
        Some(chosen) => format!("no Python at `{}`", line(chosen.display())),
        None => "no python3 on PATH; on Debian and Ubuntu install it with `apt install python3 python3-venv`".to_owned(),
    })?)
}
