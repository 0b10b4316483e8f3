//! `pexboot explain`: what a start of a PEX would do, and why.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::error::CliError;
use super::json;
use super::progress::Progress;
use crate::embed::{State, state};
use crate::exit::ExitCode;
use crate::launch::{About, Explained, Fact, Invocation, LaunchError, Next, explain};
use crate::output::stdout;
use crate::pex::Layout;
use crate::shown;

/// What `explain` is told.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Writes nothing. Ends with 0 where a start would work, and with 1 where it would not. A bare PEX is explained as `pexboot \
run` starts it. PEX_VERBOSE=1 makes a start itself say the same.

Examples:
  pexboot explain ./app
  pexboot explain --for /opt/py312/bin/python3 ./app
  PEX_SCRIPT=other pexboot explain ./app -- --help")]
pub struct Args {
    /// The PEX, embedded or not
    pex: PathBuf,
    /// Explain a start on this Python, a path or a name on PATH
    #[arg(long = "for", value_name = "PYTHON")]
    python: Option<String>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// The application's arguments
    #[arg(last = true)]
    args: Vec<OsString>,
}

/// Explains.
///
/// # Errors
/// When the file is no PEX.
pub fn run(args: &Args) -> Result<ExitCode, CliError> {
    let state = state(&args.pex)?;
    // What is started of a directory is the file `pex` in it, where that is embedded.
    let started = match (state.pex.layout, &state.seal) {
        (Layout::Packed | Layout::Loose, Some(_)) => state.pex.path.join("pex"),
        _ => args.pex.clone(),
    };
    let invocation = Invocation::new(&started, args.args.clone())?;
    // It may have several Pythons to ask.
    let progress = Progress::of("explaining", &args.pex);
    let told = explain(&invocation, args.python.as_deref());
    drop(progress);
    let report = Report {
        pex: &args.pex,
        state: &state,
        told: &told,
    };
    stdout::print(&match args.json {
        true => json::text(report.json()),
        false => report.text(),
    });
    Ok(match told.refused {
        None => ExitCode::Success,
        Some(_) => ExitCode::Refused,
    })
}

/// What is printed.
struct Report<'a> {
    pex: &'a Path,
    state: &'a State,
    told: &'a Explained,
}

/// The questions in the order of their answers, by what stands in front of each.
const QUESTIONS: [(About, &str); 8] = [
    (About::Setting, "settings"),
    (About::Python, "python"),
    (About::Wheel, "wheels"),
    (About::Member, "members"),
    (About::Root, "root"),
    (About::Plan, "next start"),
    (About::Hook, "host hooks"),
    (About::HandedOver, "handed over"),
];

impl Report<'_> {
    fn text(&self) -> String {
        let told = self.told;
        let mut lines = Lines(String::new());
        lines.line(
            "pex",
            &[self.pex.display().to_string(), self.about()].join("  "),
        );
        lines.line("verdict", self.verdict());
        for (about, label) in QUESTIONS {
            let mut facts = self.of(about);
            if about == About::Plan {
                facts.insert(0, next(told.next).to_owned());
            }
            if facts.is_empty() {
                facts.extend(nothing(about, told).map(str::to_owned));
            }
            lines.block(label, facts);
        }
        lines.block("python start", self.of(About::Start));
        let shown = |path: &PathBuf| path.display().to_string();
        lines.block("sys.path", told.sys_path.iter().map(shown).collect());
        if !told.exec.is_empty() {
            lines.line("exec", &command_line(&told.exec));
        }
        lines.block("warnings", told.warnings.clone());
        if let Some(error) = &told.refused {
            let text = error.to_string();
            lines.block(
                "refusal",
                text.lines()
                    .filter(|line| !line.is_empty())
                    .map(str::to_owned)
                    .collect(),
            );
        }
        lines.block("do", told.advice.clone());
        lines.0
    }

    fn of(&self, about: About) -> Vec<String> {
        let of = self.told.facts.iter().filter(|fact| fact.about == about);
        of.map(Fact::text).collect()
    }

    /// The file in a few words.
    fn about(&self) -> String {
        let State { pex, seal, .. } = self.state;
        let mut words = vec![match seal {
            Some(_) => "embedded".to_owned(),
            None => "not embedded".to_owned(),
        }];
        if let Some(version) = &pex.info.pex_version {
            words.push(format!("built by pex {version}"));
        }
        let entry = pex.info.entry_point.as_ref().or(pex.info.script.as_ref());
        words.push(entry.map_or("no entry point".to_owned(), Clone::clone));
        words.join(", ")
    }

    fn verdict(&self) -> &'static str {
        match (&self.told.refused, self.told.next) {
            (Some(LaunchError::Interpreter(_)), _) => "WOULD NOT START: no Python here fits",
            (Some(LaunchError::Store(_)), _) => "WOULD NOT START: no place can be written",
            (Some(_), _) => "WOULD NOT START: refused",
            (None, Next::Warm) => "starts, warm",
            (None, Next::Copy) => "starts, by the plan of a copy",
            (None, Next::Cold) => "starts, cold the first time",
            (None, Next::ColdEachTime) => "STARTS, BUT COLD EACH TIME",
        }
    }

    fn json(&self) -> Value {
        let told = self.told;
        let mut facts = Map::new();
        for (about, label) in QUESTIONS
            .into_iter()
            .chain([(About::Start, "python start")])
        {
            let of = told.facts.iter().filter(|fact| fact.about == about);
            let of = of
                .map(|fact| json!({ "what": fact.what, "verdict": fact.verdict, "why": fact.why }));
            facts.insert(label.replace(' ', "_"), of.collect());
        }
        let paths = |paths: &[PathBuf]| -> Vec<String> {
            let paths = paths.iter();
            paths
                .map(|path| path.to_string_lossy().into_owned())
                .collect()
        };
        let exec: Vec<_> = told
            .exec
            .iter()
            .map(|word| String::from_utf8_lossy(word))
            .collect();
        json!({
            "path": self.pex.to_string_lossy(),
            "starts": told.refused.is_none(),
            "next_start": match told.next {
                Next::Warm => "warm",
                Next::Copy => "copy",
                Next::Cold => "cold",
                Next::ColdEachTime => "cold each time",
            },
            "embedded": self.state.seal.is_some(),
            "python": told.python.as_ref().map(|python| python.to_string_lossy()),
            "facts": facts,
            "sys_path": paths(&told.sys_path),
            "exec": exec,
            "warnings": told.warnings,
            "refusal": told.refused.as_ref().map(ToString::to_string),
            "do": told.advice,
        })
    }
}

/// The next start in words.
fn next(next: Next) -> &'static str {
    match next {
        Next::Warm => "warm: a plan holds",
        Next::Copy => "joins the plan of a copy",
        Next::Cold => "cold: it prepares, and keeps a plan",
        Next::ColdEachTime => "cold, and so is each later one: nothing can be kept",
    }
}

/// What is told where there is no fact.
fn nothing(about: About, told: &Explained) -> Option<&'static str> {
    match about {
        About::Setting => Some("no PEX_* variable is set, in the environment or an rc file"),
        About::Wheel if told.refused.is_none() => Some("none"),
        About::HandedOver if told.refused.is_none() => Some("nothing"),
        _ => None,
    }
}

/// The command as a shell would take it.
pub(super) fn command_line(words: &[Vec<u8>]) -> String {
    let quoted = words.iter().map(|word| {
        let quoted = shlex::bytes::try_quote(word).map(|quoted| quoted.into_owned());
        String::from_utf8_lossy(&quoted.unwrap_or_else(|_| word.clone())).into_owned()
    });
    quoted.collect::<Vec<_>>().join(" ")
}

/// Names in one column, values in the next.
struct Lines(String);

impl Lines {
    fn line(&mut self, what: &str, value: &str) {
        // Writing to a string does not fail.
        let _ = writeln!(self.0, "{what:<13}{}", shown::line(value));
    }

    fn block(&mut self, what: &str, values: Vec<String>) {
        for (index, value) in values.iter().enumerate() {
            self.line(if index == 0 { what } else { "" }, value);
        }
    }
}

impl From<LaunchError> for CliError {
    fn from(error: LaunchError) -> CliError {
        CliError {
            code: error.exit_code(),
            text: Some(error.to_string()),
        }
    }
}
