//! Why no interpreter was chosen, as a text: preamble, examined interpreters, broken ones, constraints (reference 4.8).

use std::path::PathBuf;

use super::Record;
use super::constraint::Implementation;
use crate::shown;

/// What a failed choice has to tell.
#[derive(Debug, Clone, Default)]
pub(super) struct Report {
    /// Each interpreter examined: path, `CPython==3.11.2`.
    examined: Vec<(String, String)>,
    /// Each one that could not be asked, and why.
    broken: Vec<(PathBuf, String)>,
    /// What was asked for, or what each candidate lacks.
    pub(super) constraints: Vec<String>,
}

impl Report {
    pub(super) fn examined(&mut self, record: &Record) {
        let (major, minor, patch) = record.version;
        let implementation = Implementation::of(record)
            .map_or_else(|| record.implementation.clone(), |known| known.to_string());
        self.examined.push((
            shown::line(record.binary.display()),
            format!("{implementation}=={major}.{minor}.{patch}"),
        ));
    }

    pub(super) fn broken(&mut self, path: PathBuf, why: String) {
        if !self.broken.iter().any(|(known, _)| *known == path) {
            self.broken.push((path, why));
        }
    }

    /// The whole message.
    pub(super) fn message(&self, preamble: &str) -> String {
        let broken = self
            .broken
            .iter()
            .enumerate()
            .map(|(index, (path, why))| format!("{}.) {}:\n{}", index + 1, shown::line(path.display()), shown::lines(why)))
            .chain(["\n(Run one of these by hand to see what it needs, or take it off the search path.)".to_owned()])
            .collect::<Vec<_>>()
            .join("\n");
        let mut parts = vec![preamble.to_owned()];
        if self.examined.is_empty() {
            parts.push(if self.broken.is_empty() {
                "No interpreters could be found on the system.".to_owned()
            } else {
                format!("Interpreters were found but they all appear to be broken:\n{broken}")
            });
            return parts.join("\n\n");
        }
        let working = if self.broken.is_empty() {
            ""
        } else {
            "working "
        };
        let width = self
            .examined
            .iter()
            .map(|(path, _)| path.chars().count())
            .max()
            .unwrap_or_default();
        let list: Vec<String> = self
            .examined
            .iter()
            .enumerate()
            .map(|(index, (path, version))| format!("{}.) {path:>width$} {version}", index + 1))
            .collect();
        parts.push(format!(
            "Examined the following {working}interpreters:\n{}",
            list.join("\n")
        ));
        if !self.broken.is_empty() {
            parts.push(format!(
                "Skipped the following broken interpreters:\n{broken}"
            ));
        }
        if !self.constraints.is_empty() {
            parts.push(format!(
                "No {working}interpreter compatible with the requested constraints was found:"
            ));
            parts.extend(self.constraints.iter().map(|constraint| indent(constraint)));
        }
        parts.join("\n\n")
    }
}

/// Indents every line that has something on it.
fn indent(text: &str) -> String {
    text.lines()
        .map(|line| {
            if line.trim().is_empty() {
                line.to_owned()
            } else {
                format!("  {line}")
            }
        })
        .collect::<Vec<_>>()
        .join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        let mut report = Report::default();
        report
            .examined
            .push(("/a/python3.11".to_owned(), "CPython==3.11.7".to_owned()));
        report.examined.push((
            "/long/python3.13".to_owned(),
            "CPython-t==3.13.0".to_owned(),
        ));
        report.constraints = vec![
            "Version matches CPython==3.5.*".to_owned(),
            "Failed:\n\n  x".to_owned(),
        ];
        report
    }

    #[test]
    fn examined_and_constraints() {
        assert_eq!(
            report().message("Preamble."),
            "Preamble.\n\nExamined the following interpreters:\n1.)    /a/python3.11 CPython==3.11.7\n\
             2.) /long/python3.13 CPython-t==3.13.0\n\n\
             No interpreter compatible with the requested constraints was found:\n\n  \
             Version matches CPython==3.5.*\n\n  Failed:\n\n    x"
        );
    }

    #[test]
    fn broken_ones_are_listed_once_with_their_error() {
        let mut report = report();
        report.broken("/b/python".into(), "no such library".to_owned());
        report.broken("/b/python".into(), "again".to_owned());
        let message = report.message("Preamble.");
        assert!(
            message.contains("Examined the following working interpreters:\n"),
            "{message}"
        );
        assert!(message.contains("\n\nSkipped the following broken interpreters:\n1.) /b/python:\nno such library\n\n("), "{message}");
        assert!(
            message.contains("\n\nNo working interpreter compatible"),
            "{message}"
        );
        assert!(!message.contains("again"), "{message}");
    }

    #[test]
    fn nothing_at_all() {
        assert_eq!(
            Report::default().message("P."),
            "P.\n\nNo interpreters could be found on the system."
        );
        let mut report = Report::default();
        report.broken("/b/python".into(), "why".to_owned());
        assert!(report.message("P.").starts_with(
            "P.\n\nInterpreters were found but they all appear to be broken:\n1.) /b/python:\nwhy"
        ));
    }
}
