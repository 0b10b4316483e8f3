//! What is measured, and what came of it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::environment::Environment;
use super::{Sample, Summary};

/// A command under measurement.
#[derive(Debug, Clone)]
pub struct Subject {
    /// Its name in reports.
    pub name: String,
    /// The program, by path.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// Variables that it alone gets.
    pub variables: Vec<(String, String)>,
    /// Whether it has a cold state at all: a plain virtual environment has not.
    pub has_cold: bool,
}

impl Subject {
    /// A command with caches of its own.
    #[must_use]
    pub fn new(name: impl Into<String>, program: impl Into<PathBuf>, args: &[OsString]) -> Subject {
        Subject {
            name: name.into(),
            program: program.into(),
            args: args.to_vec(),
            variables: Vec::new(),
            has_cold: true,
        }
    }

    /// The same, with a variable of its own.
    #[must_use]
    pub fn with_variable(mut self, name: &str, value: &str) -> Subject {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The same, without a cold state.
    #[must_use]
    pub fn always_warm(self) -> Subject {
        Subject {
            has_cold: false,
            ..self
        }
    }

    /// As a command line for people, quoted for a shell.
    #[must_use]
    pub fn command_line(&self) -> String {
        let variables = self
            .variables
            .iter()
            .map(|(name, value)| format!("{name}={}", quote(value)));
        let words = std::iter::once(self.program.as_os_str())
            .chain(self.args.iter().map(OsString::as_os_str));
        variables
            .chain(words.map(|word| quote(&word.to_string_lossy())))
            .collect::<Vec<_>>()
            .join(" ")
    }

    /// The process to be: in `environment`, with its caches below `place`.
    pub(super) fn command(
        &self,
        environment: &Environment,
        place: &Path,
        padding: usize,
    ) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.args);
        environment.apply(&mut command, place, padding);
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }
}

/// All samples of one subject in one state.
#[derive(Debug, Clone)]
pub struct Series {
    /// What was measured.
    pub subject: Subject,
    /// Every run's sample, in the order of the rounds; at least one.
    pub samples: Vec<Sample>,
}

impl Series {
    /// Wall times, summarised.
    #[must_use]
    pub fn wall(&self) -> Summary {
        self.summary(|sample| sample.wall)
    }

    /// CPU times (user and system), summarised.
    #[must_use]
    pub fn cpu(&self) -> Summary {
        self.summary(Sample::cpu)
    }

    /// Any figure of the samples, summarised; all zero without samples.
    #[must_use]
    pub fn summary(&self, figure: impl Fn(&Sample) -> f64) -> Summary {
        let none = Summary {
            min: 0.0,
            median: 0.0,
            max: 0.0,
            mean: 0.0,
            deviation: None,
        };
        Summary::of(self.samples.iter().map(figure)).unwrap_or(none)
    }
}

/// A word as a POSIX shell would need it.
fn quote(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "@%+=:,./-_".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn command_lines_are_quoted_for_a_shell() {
        let subject = Subject::new(
            "x",
            "/bin/a b",
            &["-t".into(), "it's".into(), String::new().into()],
        );
        assert_eq!(subject.command_line(), r"'/bin/a b' -t 'it'\''s' ''");
        let subject = subject.with_variable("A", "b c");
        assert_eq!(
            subject.command_line(),
            r"A='b c' '/bin/a b' -t 'it'\''s' ''"
        );
    }
}
