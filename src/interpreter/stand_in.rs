//! The stand-in for "current": the Python that the archive's `#!` line would have started (reference 4.1).
//!
//! The original always runs under some Python already and prefers it; a native start has none, so it takes the one
//! that would have been.

use std::path::{Path, PathBuf};

use super::binary::is_executable;
use super::constraint::{Constraints, Implementation};
use super::shims::{self, Shim};
use super::surroundings::Surroundings;
use crate::pex::{Python, StartedBy};
use crate::plan::Inputs;

/// The series that `sh` boot scripts look for, oldest first; the newest is some releases ahead of its time.
pub(super) const MINORS: std::ops::RangeInclusive<u32> = 5..=19;

/// Finds the stand-in; `None` where the original could not have been started at all.
pub(super) fn find(
    started_by: Option<&StartedBy>,
    constraints: &Constraints,
    surroundings: &Surroundings,
    inputs: &mut Inputs,
) -> Option<PathBuf> {
    match &started_by?.python {
        Python::File(path) => by_path(path, surroundings, inputs),
        Python::Name(name) => by_name(name, surroundings, inputs),
        Python::Shell { file, names } => {
            if let Some(path) = file {
                inputs.file(path);
                if is_executable(path) {
                    return by_path(path, surroundings, inputs);
                }
            }
            let names = match names.is_empty() {
                true => &shell_names(constraints),
                false => names,
            };
            names
                .iter()
                .find_map(|name| by_name(name, surroundings, inputs))
        }
    }
}

/// A file, or what a shim there stands for.
fn by_path(path: &Path, surroundings: &Surroundings, inputs: &mut Inputs) -> Option<PathBuf> {
    inputs.file(path);
    if !is_executable(path) {
        return None;
    }
    match shims::resolve(path, surroundings, inputs) {
        Shim::No => Some(path.to_owned()),
        Shim::Active(python) => Some(python),
        Shim::Inactive => None,
    }
}

/// The first executable of that name on PATH, as `env` finds it. An inactive shim is passed over: the original would
/// fail there, and the next one of that name is what its user meant.
fn by_name(name: &str, surroundings: &Surroundings, inputs: &mut Inputs) -> Option<PathBuf> {
    let first = surroundings.first(name);
    surroundings.note_first(name, first.as_deref(), inputs);
    let first = first?;
    let mut passed_over = false;
    for path in surroundings.on_path(name).skip_while(|path| *path != first) {
        // A lookup says nothing of what is behind its hit.
        if passed_over {
            surroundings.note_path(inputs);
            inputs.file(&path);
        }
        if !is_executable(&path) {
            continue;
        }
        match shims::resolve(&path, surroundings, inputs) {
            Shim::No => return Some(path),
            Shim::Active(python) => return Some(python),
            Shim::Inactive => passed_over = true,
        }
    }
    None
}

/// The names that an `sh` boot script tries, where the script itself does not tell: those that the constraints allow,
/// ascending; then every one, newest first, CPython before PyPy; then those without a minor version.
fn shell_names(constraints: &Constraints) -> Vec<String> {
    let series = |implementation: Implementation, minor: u32| {
        let name = if implementation == Implementation::PyPy {
            "pypy"
        } else {
            "python"
        };
        let threads = if implementation == Implementation::FreeThreaded {
            "t"
        } else {
            ""
        };
        format!("{name}3.{minor}{threads}")
    };
    let mut names = Vec::new();
    if !constraints.is_empty() {
        for minor in MINORS {
            let cpython = if minor < 13 {
                Implementation::CPython
            } else {
                Implementation::Gil
            };
            for implementation in [cpython, Implementation::FreeThreaded, Implementation::PyPy] {
                let exists = implementation != Implementation::FreeThreaded || minor >= 13;
                if exists && constraints.may_accept(implementation, 3, minor) {
                    names.push(series(implementation, minor));
                }
            }
        }
    }
    for implementation in [Implementation::CPython, Implementation::PyPy] {
        names.extend(MINORS.rev().map(|minor| series(implementation, minor)));
    }
    names.extend(["python3", "pypy3", "python", "pypy"].map(str::to_owned));
    let mut seen = std::collections::BTreeSet::new();
    names.retain(|name| seen.insert(name.clone()));
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shell_tries_what_the_constraints_allow_ascending_first() {
        let constraints = Constraints::parse(&["CPython>=3.9,<3.12".to_owned()]).unwrap();
        let names = shell_names(&constraints);
        assert_eq!(names[..3], ["python3.9", "python3.10", "python3.11"]);
        assert_eq!(names[3], "python3.19");
        assert_eq!(names.last().unwrap(), "pypy");
        assert_eq!(
            shell_names(&Constraints::default())[..2],
            ["python3.19", "python3.18"]
        );
    }
}
