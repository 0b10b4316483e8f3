//! The stand-in for "current": the Python that the archive's `#!` line would have started (reference 4.1).
//!
//! The original always runs under some Python already and prefers it; a native start has none, so it takes the one
//! that would have been.

use std::path::{Path, PathBuf};

use super::binary::is_executable;
use super::constraint::{Constraints, Implementation};
use super::shims::{self, Shim};
use super::surroundings::Surroundings;
use crate::plan::Inputs;

/// The series that `sh` boot scripts look for, oldest first; the newest is some releases ahead of its time.
pub(super) const MINORS: std::ops::RangeInclusive<u32> = 5..=19;

/// What a `#!` line asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Shebang {
    /// A file.
    File(PathBuf),
    /// The first of that name on PATH.
    Name(String),
    /// The shell, which looks for a Python by itself (reference 7.2).
    Shell,
}

impl Shebang {
    /// Reads the line behind `#!`.
    fn parse(line: &[u8]) -> Option<Shebang> {
        let line = String::from_utf8_lossy(line);
        let mut words = line.split_whitespace();
        let program = words.next()?;
        match Path::new(program).file_name()?.to_str()? {
            "env" => {
                // Options and assignments of `env -S` stand before the name.
                let name = words.find(|word| !word.starts_with('-') && !word.contains('='))?;
                Some(if name.contains('/') {
                    Shebang::File(name.into())
                } else {
                    Shebang::Name(name.to_owned())
                })
            }
            "sh" | "bash" | "dash" => Some(Shebang::Shell),
            _ => Some(Shebang::File(program.into())),
        }
    }
}

/// Finds the stand-in; `None` where the original could not have been started at all.
pub(super) fn find(
    shebang: Option<&[u8]>,
    constraints: &Constraints,
    surroundings: &Surroundings,
    inputs: &mut Inputs,
) -> Option<PathBuf> {
    match shebang.and_then(Shebang::parse)? {
        Shebang::File(path) => {
            inputs.file(&path);
            if !is_executable(&path) {
                return None;
            }
            match shims::resolve(&path, surroundings, inputs) {
                Shim::No => Some(path),
                Shim::Active(python) => Some(python),
                Shim::Inactive => None,
            }
        }
        Shebang::Name(name) => by_name(&name, surroundings, inputs),
        Shebang::Shell => shell_names(constraints)
            .iter()
            .find_map(|name| by_name(name, surroundings, inputs)),
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

/// The names an `sh` boot script tries: those that the constraints allow, ascending; then every one, newest first,
/// CPython before PyPy; then those without a minor version.
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

    fn check(line: &str, expected: Option<Shebang>) {
        assert_eq!(Shebang::parse(line.as_bytes()), expected, "{line}");
    }

    #[test]
    fn lines_that_pex_writes() {
        check(
            "/usr/bin/env python3.11",
            Some(Shebang::Name("python3.11".to_owned())),
        );
        check(
            "/usr/bin/env -S python3.11 -sE",
            Some(Shebang::Name("python3.11".to_owned())),
        );
        check(
            "/usr/bin/env -S A=b /opt/python -I",
            Some(Shebang::File("/opt/python".into())),
        );
        check(
            "/usr/bin/python3.9 -E",
            Some(Shebang::File("/usr/bin/python3.9".into())),
        );
        check(
            " /opt/venv/bin/python",
            Some(Shebang::File("/opt/venv/bin/python".into())),
        );
        check("/bin/sh", Some(Shebang::Shell));
        check("/usr/bin/env", None);
        check("", None);
    }

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
