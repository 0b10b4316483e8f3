//! A conformance case: one PEX and one command, run both ways, cold and warm.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use super::{Outcome, Stage, Start, Way, long, pythons, stated, subject, ways};
use crate::fixtures::Built;

/// How many starts follow each other on one machine: the first is cold, the second warm. The original
/// is asked once, unless it is all that is tested.
fn starts(way: Way) -> usize {
    if way == Way::Original && !long() {
        1
    } else {
        2
    }
}

/// What a case changes about a start.
type Change = Box<dyn for<'a> Fn(Start<'a>, &Stage) -> Start<'a>>;

/// A PEX and the command to run it by.
pub struct Case<'p> {
    pex: &'p Built,
    changes: Vec<Change>,
    normalise: Vec<fn(&str) -> String>,
    every_python: bool,
    ignore_stderr: bool,
}

impl<'p> Case<'p> {
    /// A case for this PEX: `./app.pex` without arguments.
    pub fn new(pex: &'p Built) -> Case<'p> {
        Case {
            pex,
            changes: Vec::new(),
            normalise: Vec::new(),
            every_python: false,
            ignore_stderr: false,
        }
    }

    /// Arguments.
    pub fn args<S: AsRef<OsStr>>(self, args: impl IntoIterator<Item = S>) -> Self {
        let args: Vec<OsString> = args
            .into_iter()
            .map(|arg| arg.as_ref().to_os_string())
            .collect();
        self.with(move |start, _| start.args(&args))
    }

    /// An environment variable.
    pub fn env(self, name: &'static str, value: &str) -> Self {
        let value = value.to_string();
        self.with(move |start, _| start.env(name, &value))
    }

    /// What standard input holds.
    pub fn stdin(self, text: &'static str) -> Self {
        self.with(move |start, _| start.stdin(text))
    }

    /// Run by `PYTHON app.pex`.
    pub fn python(self, python: PathBuf) -> Self {
        self.with(move |start, _| start.python(&python))
    }

    /// Anything else, with the machine at hand.
    pub fn with(
        mut self,
        change: impl for<'a> Fn(Start<'a>, &Stage) -> Start<'a> + 'static,
    ) -> Self {
        self.changes.push(Box::new(change));
        self
    }

    /// What must not count when outputs are compared, rewritten.
    pub fn normalise(mut self, filter: fn(&str) -> String) -> Self {
        self.normalise.push(filter);
        self
    }

    /// Standard error is not the application's own here: leave it out of the comparison.
    pub fn ignore_stderr(mut self) -> Self {
        self.ignore_stderr = true;
        self
    }

    /// In the long tier, also run by every CPython that was found.
    pub fn every_python(mut self) -> Self {
        self.every_python = true;
        self
    }

    /// Runs the case and holds every outcome, of each way ([`stated`]), cold and warm, against `expect`.
    #[track_caller]
    pub fn holds(&self, expect: impl Fn(&Outcome)) {
        for python in self.pythons() {
            for &way in stated() {
                self.outcomes(way, python, Paths::AsTheyAre)
                    .iter()
                    .for_each(&expect);
            }
        }
    }

    /// Runs the case and compares exit code, standard output and standard error with what the original does at its
    /// first start. The original's outcome is returned, so that a test can say what it should have been.
    #[track_caller]
    pub fn agrees(&self) -> Outcome {
        let mut first = None;
        for python in self.pythons() {
            let mut outcomes = ways()
                .iter()
                .flat_map(|&way| self.outcomes(way, python, Paths::Neutral));
            let truth = outcomes.next().expect("a start");
            for outcome in outcomes {
                let stderr_agrees = self.ignore_stderr || truth.stderr == outcome.stderr;
                assert!(
                    (truth.code, truth.signal) == (outcome.code, outcome.signal)
                        && truth.stdout == outcome.stdout
                        && stderr_agrees,
                    "two starts differ\n{truth}\n\n{outcome}"
                );
            }
            first.get_or_insert(truth);
        }
        first.expect("a start")
    }

    fn pythons(&self) -> Vec<Option<&'static pythons::Python>> {
        let mut on = vec![None];
        if self.every_python && long() && !subject::in_item() {
            on.extend(pythons::cpythons().map(Some));
        }
        on
    }

    fn outcomes(&self, way: Way, python: Option<&pythons::Python>, paths: Paths) -> Vec<Outcome> {
        let stage = Stage::new(way, self.pex);
        let mut start = stage.start();
        if let Some(python) = python {
            start = start.python(&python.path);
        }
        for change in &self.changes {
            start = change(start, &stage);
        }
        let once = || {
            let mut outcome = start.run();
            if let Paths::Neutral = paths {
                for text in [&mut outcome.stdout, &mut outcome.stderr] {
                    *text = neutral(text, &stage);
                    for filter in &self.normalise {
                        *text = filter(text);
                    }
                }
            }
            outcome
        };
        (0..starts(way)).map(|_| once()).collect()
    }
}

/// Whether outputs are looked at or compared.
#[derive(Clone, Copy)]
enum Paths {
    /// With their paths, to be looked at.
    AsTheyAre,
    /// To be compared with those of another machine.
    Neutral,
}

/// A refusal without the paragraph that says what to do, which the original does not have.
fn without_advice(text: &str) -> &str {
    let advice = text.rfind("\n\npexboot: ");
    let advice = advice.filter(|_| text.trim_end().ends_with("` tells more"));
    advice.map_or(text, |at| &text[..=at])
}

/// What a debug build, which shows every warning, says of the original's import hook from Python 3.14 on.
const OF_THE_HOOK: &str =
    "ImportWarning: _Loader.exec_module() not found; falling back to load_module()\n";

/// A text in which neither the machine's directory nor the names of cache directories differ.
///
/// What lies in a cache is kept by its last component alone: the original and pexboot lay theirs out differently.
fn neutral(text: &str, stage: &Stage) -> String {
    let root = stage.root();
    let lines = without_advice(text).split_inclusive('\n');
    let lines: String = lines.filter(|line| !line.ends_with(OF_THE_HOOK)).collect();
    let mut rest = lines.replace(root.to_str().unwrap(), "[BOX]");
    let mut out = String::new();
    while let Some(at) = rest.find("[BOX]/home/.cache/") {
        out.push_str(&rest[..at]);
        let end = rest[at..]
            .find(|c: char| c.is_whitespace() || "\"':,;)>".contains(c))
            .map_or(rest.len(), |length| at + length);
        let name = rest[at..end].rsplit('/').next().unwrap_or_default();
        out.push_str("[CACHE]/");
        out.push_str(name);
        rest = rest[end..].to_string();
    }
    out + &rest
}
