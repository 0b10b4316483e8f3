//! The Pythons that a choice has looked at, each with the verdict on it: what `PEX_VERBOSE` and `pexboot explain` tell.

use std::path::{Path, PathBuf};

use super::Record;
use super::constraint::Implementation;

/// The candidates of a choice, in the order in which they were looked at; each once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Candidates(pub Vec<Candidate>);

/// A Python that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Its binary, links resolved.
    pub python: PathBuf,
    /// `CPython 3.11.2`; `None` where it could not be asked.
    pub version: Option<String>,
    /// What came of it.
    pub verdict: Verdict,
    /// Why.
    pub why: String,
}

/// What came of a candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It runs the PEX.
    Taken,
    /// It could.
    Fits,
    /// It was not looked at any further.
    Passed,
    /// It cannot run the PEX.
    Rejected,
    /// It cannot be asked.
    Broken,
    /// It was not asked, by someone who only looks.
    #[cfg(feature = "cli")]
    NotAsked,
}

impl Verdict {
    /// The verdict in words.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Verdict::Taken => "taken",
            Verdict::Fits => "fits",
            Verdict::Passed => "passed over",
            Verdict::Rejected => "rejected",
            Verdict::Broken => "cannot be used",
            #[cfg(feature = "cli")]
            Verdict::NotAsked => "not asked",
        }
    }
}

impl Candidates {
    /// Notes the verdict on a Python that has told what it is; a later verdict replaces an earlier one.
    pub(super) fn judge(&mut self, record: &Record, verdict: Verdict, why: impl Into<String>) {
        let (major, minor, patch) = record.version;
        let kind = Implementation::of(record)
            .map_or_else(|| record.implementation.clone(), |known| known.to_string());
        let version = Some(format!("{kind} {major}.{minor}.{patch}"));
        self.note(&record.binary, version, verdict, why.into());
    }

    /// Notes a Python that could not be asked.
    pub(super) fn broken(&mut self, python: &Path, why: &str) {
        self.note(python, None, Verdict::Broken, why.to_owned());
    }

    fn note(&mut self, python: &Path, version: Option<String>, verdict: Verdict, why: String) {
        let candidate = Candidate {
            python: python.to_owned(),
            version,
            verdict,
            why,
        };
        match self.0.iter_mut().find(|known| known.python == python) {
            Some(known) => *known = candidate,
            None => self.0.push(candidate),
        }
    }
}
