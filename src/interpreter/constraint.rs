//! Interpreter constraints: `[implementation][specifier set]`, OR-ed (reference 4.4).
//!
//! Reads the list of PEX-INFO once; says whether an interpreter satisfies it and renders it for messages. Never looks
//! at the machine.

use std::fmt;

use pep440_rs::Version;

use super::{InterpreterError, Record};
use crate::packaging::specifier::SpecifierSet;

/// The implementations a constraint can name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Implementation {
    /// Any CPython as a constraint; CPython before 3.13 as an interpreter.
    CPython,
    /// CPython without the global interpreter lock, from 3.13 on.
    FreeThreaded,
    /// CPython with the lock; as an interpreter, from 3.13 on.
    Gil,
    /// PyPy.
    PyPy,
}

/// Every spelling, so ordered that the longest match comes first.
const SPELLINGS: [(&str, Implementation); 6] = [
    ("CPython[free-threaded]", Implementation::FreeThreaded),
    ("CPython[gil]", Implementation::Gil),
    ("CPython+t", Implementation::FreeThreaded),
    ("CPython-t", Implementation::Gil),
    ("CPython", Implementation::CPython),
    ("PyPy", Implementation::PyPy),
];

impl Implementation {
    /// What an interpreter is; `None` for one that no constraint can name.
    pub(super) fn of(record: &Record) -> Option<Implementation> {
        match (record.implementation.as_str(), record.free_threaded) {
            ("cpython", None) => Some(Implementation::CPython),
            ("cpython", Some(true)) => Some(Implementation::FreeThreaded),
            ("cpython", Some(false)) => Some(Implementation::Gil),
            ("pypy", _) => Some(Implementation::PyPy),
            _ => None,
        }
    }

    /// Whether an interpreter of the kind `found` will do where this one is asked for.
    fn includes(self, found: Implementation) -> bool {
        match self {
            Implementation::CPython => found != Implementation::PyPy,
            // Before free threading there was only one CPython, and it had the lock.
            Implementation::Gil => matches!(found, Implementation::Gil | Implementation::CPython),
            Implementation::FreeThreaded | Implementation::PyPy => self == found,
        }
    }
}

impl fmt::Display for Implementation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Implementation::CPython => "CPython",
            Implementation::FreeThreaded => "CPython+t",
            Implementation::Gil => "CPython-t",
            Implementation::PyPy => "PyPy",
        })
    }
}

/// One constraint.
#[derive(Debug, Clone)]
struct Constraint {
    implementation: Option<Implementation>,
    specifiers: SpecifierSet,
}

impl Constraint {
    fn parse(text: &str) -> Result<Constraint, InterpreterError> {
        let (implementation, rest) = SPELLINGS
            .iter()
            .find_map(|(spelling, implementation)| {
                Some((Some(*implementation), text.strip_prefix(spelling)?))
            })
            .unwrap_or((None, text));
        let specifiers = SpecifierSet::parse(rest).map_err(|error| InterpreterError::Constraint {
            constraint: text.to_owned(),
            why: format!(
                "`{}` is neither an implementation (CPython, CPython+t, CPython-t, PyPy) nor a version specifier of \
                 PEP 440; build the PEX anew with a valid --interpreter-constraint",
                error.0
            ),
        })?;
        Ok(Constraint {
            implementation,
            specifiers,
        })
    }

    fn accepts(&self, implementation: Option<Implementation>, version: &Version) -> bool {
        let implementation_fits = match (self.implementation, implementation) {
            (None, _) => true,
            (Some(wanted), Some(found)) => wanted.includes(found),
            (Some(_), None) => false,
        };
        implementation_fits && self.specifiers.contains(version)
    }
}

impl fmt::Display for Constraint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(implementation) = self.implementation {
            write!(f, "{implementation}")?;
        }
        write!(f, "{}", self.specifiers)
    }
}

/// A list of constraints, any of which suffices; an empty list accepts every interpreter.
#[derive(Debug, Clone, Default)]
pub(super) struct Constraints(Vec<Constraint>);

impl Constraints {
    /// Reads `interpreter_constraints`. Items that no version can satisfy are dropped as long as others remain.
    pub(super) fn parse(list: &[String]) -> Result<Constraints, InterpreterError> {
        let mut kept: Vec<Constraint> = Vec::new();
        let mut empty = None;
        for (index, text) in list.iter().enumerate() {
            let constraint = Constraint::parse(text)?;
            if constraint.specifiers.is_contradiction() {
                empty.get_or_insert(text);
            } else if !list[..index].contains(text) {
                kept.push(constraint);
            }
        }
        match empty {
            Some(text) if kept.is_empty() => Err(InterpreterError::Constraint {
                constraint: text.clone(),
                why: "no version of Python can satisfy it; build the PEX anew with a range that is not empty".to_owned(),
            }),
            _ => Ok(Constraints(kept)),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the interpreter satisfies one of them. Only `X.Y.Z` counts: a pre-release is taken for its release.
    pub(super) fn accept(&self, record: &Record) -> bool {
        self.accept_version(Implementation::of(record), record.version)
    }

    fn accept_version(
        &self,
        implementation: Option<Implementation>,
        (major, minor, patch): (u32, u32, u32),
    ) -> bool {
        let version = Version::new([u64::from(major), u64::from(minor), u64::from(patch)]);
        self.0.is_empty()
            || self
                .0
                .iter()
                .any(|constraint| constraint.accepts(implementation, &version))
    }

    /// Whether some release of `major.minor` of the implementation may satisfy one of them.
    pub(super) fn may_accept(
        &self,
        implementation: Implementation,
        major: u32,
        minor: u32,
    ) -> bool {
        // No series so far has had more than some twenty releases.
        (0..=30).any(|patch| self.accept_version(Some(implementation), (major, minor, patch)))
    }
}

impl fmt::Display for Constraints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, constraint) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(" or ")?;
            }
            write!(f, "{constraint}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CP: Option<Implementation> = Some(Implementation::CPython);
    const GIL: Option<Implementation> = Some(Implementation::Gil);
    const FREE: Option<Implementation> = Some(Implementation::FreeThreaded);
    const PYPY: Option<Implementation> = Some(Implementation::PyPy);

    fn list(items: &[&str]) -> Vec<String> {
        items.iter().map(|&item| item.to_owned()).collect()
    }

    fn check(
        items: &[&str],
        implementation: Option<Implementation>,
        version: (u32, u32, u32),
        accepted: bool,
    ) {
        let constraints = Constraints::parse(&list(items)).unwrap();
        assert_eq!(
            constraints.accept_version(implementation, version),
            accepted,
            "{items:?} {implementation:?} {version:?}"
        );
    }

    #[test]
    fn cpython_is_every_cpython() {
        check(&["CPython"], CP, (3, 11, 2), true);
        check(&["CPython"], GIL, (3, 13, 0), true);
        check(&["CPython"], FREE, (3, 13, 0), true);
        check(&["CPython"], PYPY, (3, 9, 16), false);
        check(&["CPython"], None, (3, 9, 16), false);
    }

    #[test]
    fn gil_builds_are_all_cpythons_before_3_13() {
        for spelling in ["CPython-t", "CPython[gil]"] {
            check(&[&format!("{spelling}>=3.9")], CP, (3, 11, 2), true);
            check(&[&format!("{spelling}>=3.9")], GIL, (3, 13, 0), true);
            check(&[&format!("{spelling}>=3.9")], FREE, (3, 13, 0), false);
        }
    }

    #[test]
    fn free_threaded_builds_only_when_asked_for() {
        for spelling in ["CPython+t", "CPython[free-threaded]"] {
            check(&[&format!("{spelling}>=3.13")], FREE, (3, 13, 0), true);
            check(&[&format!("{spelling}>=3.13")], GIL, (3, 13, 0), false);
            check(&[spelling], CP, (3, 12, 0), false);
        }
    }

    #[test]
    fn a_bare_range_takes_any_implementation() {
        check(&[">=3.12"], PYPY, (3, 12, 0), true);
        check(&[">=3.12"], None, (3, 12, 0), true);
        check(&[">=3.12"], CP, (3, 11, 9), false);
        check(&["PyPy>=3.9"], PYPY, (3, 9, 16), true);
        check(&["PyPy>=3.9"], CP, (3, 9, 16), false);
    }

    #[test]
    fn clauses_are_anded_and_items_ored() {
        check(&["CPython >= 3.9 , <3.13,"], CP, (3, 12, 9), true);
        check(&["CPython>=3.9,<3.13"], GIL, (3, 13, 0), false);
        check(&["==3.9.*", "==3.12.*"], CP, (3, 12, 1), true);
        check(&["==3.9.*", "==3.12.*"], CP, (3, 10, 1), false);
        check(&["~=3.8"], CP, (3, 11, 0), true);
        check(&["===3.11.7"], CP, (3, 11, 7), true);
        check(&["===3.11.07"], CP, (3, 11, 7), false);
        check(&["==3.11.2.*"], CP, (3, 11, 2), true);
        check(&[], None, (3, 0, 0), true);
        check(&[""], None, (3, 0, 0), true);
    }

    #[test]
    fn rendering_sorts_clauses_textually() {
        let constraints =
            Constraints::parse(&list(&["CPython>=3.9, <3.13", "PyPy", "==3.8.*"])).unwrap();
        assert_eq!(
            constraints.to_string(),
            "CPython<3.13,>=3.9 or PyPy or ==3.8.*"
        );
        assert_eq!(
            Constraints::parse(&list(&["CPython[gil]>=3.9"]))
                .unwrap()
                .to_string(),
            "CPython-t>=3.9"
        );
    }

    #[test]
    fn what_cannot_be_parsed_is_refused_by_name() {
        for bad in ["3.9", "Jython", "CPython>=x", ">=3.9 <3.10"] {
            let error = Constraints::parse(&list(&["CPython", bad]))
                .unwrap_err()
                .to_string();
            assert!(error.contains(&format!("`{bad}`")), "{error}");
        }
    }

    #[test]
    fn empty_ranges_are_dropped_unless_all_are() {
        let some = Constraints::parse(&list(&[">=3.9,<3.5", "CPython==3.11.*"])).unwrap();
        assert_eq!(some.to_string(), "CPython==3.11.*");
        for empty in [">=3.9,<3.5", "==3.9.*,==3.10.*", ">=3.8,<3.8"] {
            let error = Constraints::parse(&list(&[empty])).unwrap_err().to_string();
            assert!(error.contains(&format!("`{empty}`")), "{error}");
        }
    }
}
