//! A session: rounds of runs, every command once per round in a new random order.
//!
//! A warm start has three others of the same command before it: caches may still grow in the second, and what that
//! changed is taken note of in the third.
//!
//! All places (cache directories) of a session lie below one scratch directory of the caller's, which must be new or
//! empty. They are left as they are until the caller removes the whole: emptying between runs would change what the
//! file system does in the next.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::child::{Run, measure};
use super::environment::{MAX_PADDING, make_place};
use super::random::Random;
use super::{BenchError, Environment, Series, Subject};

/// What a launcher finds when it starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum State {
    /// Cache directories that never existed before; the kernel's page cache as it is.
    Cold,
    /// Caches filled by runs of the same command.
    Warm,
}

impl State {
    /// In lower case, for reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            State::Cold => "cold",
            State::Warm => "warm",
        }
    }
}

/// How much is measured.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// Counted runs of each command.
    pub runs: usize,
    /// Runs before those, which fill the caches and are thrown away; three at least for warm starts. For cold starts
    /// they only bring files into memory; each has a place of its own like any other.
    pub warmup: usize,
    /// The exit code that every run must have; without one, that of the first run.
    pub exit_code: Option<i32>,
    /// Whether runs may print something else each time.
    pub any_output: bool,
}

/// Runs that come before the first counted warm one, at least.
const WARM_UP: usize = 3;

/// Runs commands below a scratch directory.
#[derive(Debug)]
pub struct Session {
    scratch: PathBuf,
    environment: Environment,
    random: Random,
    places: usize,
    /// The places of warm runs, by the command line that they belong to, and how often it has run there.
    warm: HashMap<String, (PathBuf, usize)>,
}

/// What the first run of a comparison gave; all others must agree.
struct Reference {
    name: String,
    stdout: Vec<u8>,
    exit_code: i32,
}

impl Session {
    /// A session whose caches all lie below `scratch`, a directory that exists.
    #[must_use]
    pub fn new(scratch: &Path, environment: Environment) -> Session {
        Session {
            scratch: scratch.to_owned(),
            environment,
            random: Random::unpredictable(),
            places: 0,
            warm: HashMap::new(),
        }
    }

    /// Measures `subjects` in `state`; those that have no such state are left out of the result. `progress` is told
    /// rounds done and rounds in all, after each.
    ///
    /// # Errors
    /// When a command cannot be started, ends with another exit code than it should, or prints something else than the
    /// others.
    pub fn measure(
        &mut self,
        state: State,
        subjects: &[Subject],
        settings: Settings,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<Vec<Series>, BenchError> {
        let subjects = subjects
            .iter()
            .filter(|subject| state == State::Warm || subject.has_cold);
        let mut series: Vec<Series> = subjects
            .map(|subject| Series {
                subject: subject.clone(),
                samples: Vec::new(),
            })
            .collect();
        let mut warm_places = Vec::new();
        if state == State::Warm {
            for one in &series {
                warm_places.push(self.warm_place(&one.subject)?);
            }
        }
        let warmup = match state {
            State::Cold => settings.warmup,
            State::Warm => {
                let runs = series.iter().map(|one| self.warm_runs(&one.subject));
                let before = runs.min().unwrap_or(0);
                settings.warmup.max(WARM_UP.saturating_sub(before))
            }
        };
        let mut reference = None;
        let mut order: Vec<usize> = (0..series.len()).collect();
        for round in 0..warmup + settings.runs {
            self.random.shuffle(&mut order);
            for &at in &order {
                let place = match state {
                    State::Cold => {
                        touch_memory();
                        self.new_place()?
                    }
                    State::Warm => warm_places[at].clone(),
                };
                let run = self.run(state, &series[at].subject, &place)?;
                check(
                    &series[at].subject,
                    &run,
                    &mut reference,
                    settings.exit_code,
                    settings.any_output,
                )?;
                if round >= warmup {
                    series[at].samples.push(run.sample);
                }
            }
            progress(round + 1, warmup + settings.runs);
        }
        Ok(series)
    }

    /// Runs each subject once, where its warm runs will be, and says which do as the first one does, so that a comparison can
    /// leave the others out.
    ///
    /// # Errors
    /// When the first one fails. The others' failures are the result's.
    pub fn audition(
        &mut self,
        subjects: &[Subject],
        exit_code: Option<i32>,
    ) -> Result<Vec<Result<(), BenchError>>, BenchError> {
        let mut reference = None;
        let mut verdicts = Vec::new();
        for (at, subject) in subjects.iter().enumerate() {
            let place = self.warm_place(subject)?;
            let verdict = self
                .run(State::Warm, subject, &place)
                .and_then(|run| check(subject, &run, &mut reference, exit_code, false));
            match verdict {
                Err(error) if at == 0 => return Err(error),
                verdict => verdicts.push(verdict),
            }
        }
        Ok(verdicts)
    }

    fn run(&mut self, state: State, subject: &Subject, place: &Path) -> Result<Run, BenchError> {
        if state == State::Cold {
            // What the last cold run wrote must not go to disk during this one.
            nix::unistd::sync();
        } else if let Some((_, runs)) = self.warm.get_mut(&subject.command_line()) {
            *runs += 1;
        }
        measure(&mut self.command(subject, place)).map_err(|source| BenchError::Start {
            name: subject.name.clone(),
            program: subject.program.clone(),
            source,
        })
    }

    /// A run of `subject` for a measurement of another kind: the command, its caches below `place`.
    #[must_use]
    pub fn command(&mut self, subject: &Subject, place: &Path) -> Command {
        let padding = self.random.below(MAX_PADDING);
        subject.command(&self.environment, place, padding)
    }

    /// Where the warm runs of `subject` find their caches.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn warm_place(&mut self, subject: &Subject) -> Result<PathBuf, BenchError> {
        let key = subject.command_line();
        if let Some((place, _)) = self.warm.get(&key) {
            return Ok(place.clone());
        }
        let place = self.new_place()?;
        self.warm.insert(key, (place.clone(), 0));
        Ok(place)
    }

    /// How many warm runs of `subject` there were.
    fn warm_runs(&self, subject: &Subject) -> usize {
        self.warm
            .get(&subject.command_line())
            .map_or(0, |(_, runs)| *runs)
    }

    /// A place that never existed before.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn new_place(&mut self) -> Result<PathBuf, BenchError> {
        let place = self.scratch.join(format!("place-{:05}", self.places));
        self.places += 1;
        make_place(&place)?;
        Ok(place)
    }
}

/// Holds a run against what is expected and against the comparison's first run.
fn check(
    subject: &Subject,
    run: &Run,
    reference: &mut Option<Reference>,
    exit_code: Option<i32>,
    any_output: bool,
) -> Result<(), BenchError> {
    let expected = exit_code.or_else(|| reference.as_ref().map(|reference| reference.exit_code));
    if let Some(expected) = expected.filter(|&expected| expected != run.sample.exit_code) {
        let tail = tail(&[&run.stdout, &run.stderr]);
        return Err(BenchError::ExitCode {
            name: subject.name.clone(),
            expected,
            got: run.sample.exit_code,
            tail,
        });
    }
    let Some(reference) = reference else {
        *reference = Some(Reference {
            name: subject.name.clone(),
            stdout: run.stdout.clone(),
            exit_code: run.sample.exit_code,
        });
        return Ok(());
    };
    match first_difference(&reference.stdout, &run.stdout).filter(|_| !any_output) {
        None => Ok(()),
        Some(at) => Err(BenchError::Output {
            name: subject.name.clone(),
            reference: reference.name.clone(),
            at,
            theirs: excerpt(&reference.stdout, at),
            ours: excerpt(&run.stdout, at),
        }),
    }
}

/// The offset of the first byte that differs; none when equal.
fn first_difference(a: &[u8], b: &[u8]) -> Option<usize> {
    let common = a.iter().zip(b).take_while(|(a, b)| a == b).count();
    (common < a.len().max(b.len())).then_some(common)
}

/// Some bytes around `at`, printable on one line.
fn excerpt(bytes: &[u8], at: usize) -> String {
    let part = &bytes[at.saturating_sub(20)..bytes.len().min(at + 40)];
    if part.is_empty() {
        "nothing".to_owned()
    } else {
        format!("`{}`", part.escape_ascii())
    }
}

/// The last lines of some outputs.
pub(super) fn tail(outputs: &[&[u8]]) -> String {
    let text: String = outputs
        .iter()
        .map(|bytes| String::from_utf8_lossy(bytes))
        .collect();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(12)..]
        .iter()
        .map(|line| format!("  {line}"))
        .collect::<Vec<_>>()
        .join("\n")
}

/// Has the machine give this much memory, and gives it back. A virtual machine that gives freed pages back to its host pays
/// several times as much for a page that it has to ask for again, and a cold run would pay for what another has freed.
fn touch_memory() {
    const MOST: u64 = 1 << 30;
    let bytes = MOST.min(super::host::memory_kib("MemAvailable") * 1024 / 8);
    // Not zeros: those the system gives without a page behind them.
    std::hint::black_box(vec![1_u8; usize::try_from(bytes).unwrap_or(0)]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(name: &str, script: &str) -> Subject {
        Subject::new(name, "/bin/sh", &["-c".into(), script.into()])
    }

    fn measured(
        state: State,
        subjects: &[Subject],
        exit_code: Option<i32>,
    ) -> Result<Vec<Series>, BenchError> {
        let scratch = tempfile::tempdir().unwrap();
        let mut session = Session::new(scratch.path(), Environment::clean());
        session.measure(
            state,
            subjects,
            Settings {
                runs: 3,
                warmup: 1,
                exit_code,
                any_output: false,
            },
            &mut |_, _| {},
        )
    }

    #[test]
    fn every_counted_run_leaves_a_sample() {
        let series = measured(
            State::Warm,
            &[shell("a", "echo x"), shell("b", "echo x")],
            Some(0),
        )
        .unwrap();
        assert_eq!(
            series
                .iter()
                .map(|one| one.samples.len())
                .collect::<Vec<_>>(),
            [3, 3]
        );
        assert_eq!(series[0].subject.name, "a");
    }

    #[test]
    fn cold_runs_each_find_a_directory_without_traces() {
        let script = "test ! -e \"$HOME/trace\" && echo > \"$HOME/trace\"";
        assert!(
            measured(
                State::Cold,
                &[shell("a", script), shell("b", script)],
                Some(0)
            )
            .is_ok()
        );
    }

    #[test]
    fn warm_runs_find_what_their_own_warm_up_left_and_nothing_of_others() {
        let script = |name: &str| {
            format!(
                "cat \"$HOME\"/trace-* > \"$TMPDIR/all\"; echo > \"$HOME/trace-{name}\"; ls \"$HOME\" | wc -l"
            )
        };
        assert!(
            measured(
                State::Warm,
                &[shell("a", &script("a")), shell("b", &script("b"))],
                Some(0)
            )
            .is_ok()
        );
    }

    #[test]
    fn a_warm_start_has_three_before_it_and_an_audition_is_one() {
        for audition in [false, true] {
            let scratch = tempfile::tempdir().unwrap();
            let mut session = Session::new(scratch.path(), Environment::clean());
            let subject = shell("a", "echo >> \"$HOME/runs\"");
            let subjects = std::slice::from_ref(&subject);
            if audition {
                session.audition(subjects, None).unwrap();
            }
            let settings = Settings {
                runs: 2,
                warmup: 0,
                exit_code: None,
                any_output: false,
            };
            let series = session
                .measure(State::Warm, subjects, settings, &mut |_, _| {})
                .unwrap();
            let place = session.warm_place(&subject).unwrap();
            let runs = std::fs::read_to_string(place.join("home/runs")).unwrap();
            assert_eq!((series[0].samples.len(), runs.lines().count()), (2, 5));
        }
    }

    #[test]
    fn what_has_no_cold_state_is_left_out_of_cold_runs() {
        let subjects = [shell("a", "true"), shell("venv", "true").always_warm()];
        assert_eq!(measured(State::Cold, &subjects, None).unwrap().len(), 1);
        assert_eq!(measured(State::Warm, &subjects, None).unwrap().len(), 2);
    }

    #[test]
    fn other_output_is_refused() {
        let error = measured(
            State::Warm,
            &[
                shell("a", "echo same; echo one"),
                shell("b", "echo same; echo two"),
            ],
            None,
        );
        let Err(BenchError::Output { at, .. }) = error else {
            panic!("{error:?}")
        };
        assert_eq!(at, 5);
    }

    #[test]
    fn an_audition_tells_who_does_as_the_first() {
        let scratch = tempfile::tempdir().unwrap();
        let mut session = Session::new(scratch.path(), Environment::clean());
        let missing = Subject::new("missing", "/nonexistent", &[]);
        let subjects = [
            shell("a", "echo x"),
            shell("b", "echo y"),
            missing.clone(),
            shell("c", "echo x"),
        ];
        let verdicts = session.audition(&subjects, Some(0)).unwrap();
        assert_eq!(
            verdicts.iter().map(Result::is_ok).collect::<Vec<_>>(),
            [true, false, false, true]
        );
        assert!(session.audition(&[missing], Some(0)).is_err());
    }

    #[test]
    fn output_that_only_goes_on_is_other_output() {
        assert_eq!(first_difference(b"ab", b"abc"), Some(2));
        assert_eq!(first_difference(b"ab", b"ab"), None);
    }

    #[test]
    fn another_exit_code_is_refused_with_the_last_words() {
        let error =
            measured(State::Warm, &[shell("a", "echo why >&2; exit 4")], Some(0)).unwrap_err();
        let BenchError::ExitCode { got, tail, .. } = error else {
            panic!("{error:?}")
        };
        assert_eq!((got, tail.as_str()), (4, "  why"));
        assert!(measured(State::Warm, &[shell("a", "exit 4")], None).is_ok());
    }
}
