//! The Pythons of this machine: what PATH names, and the versions below a pyenv root if there is one. Each is asked
//! once who it is; the tests that need a second one take what is here and note what they had to leave out.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use super::coverage;

/// One Python.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Python {
    /// The real executable.
    pub path: PathBuf,
    /// `cpython` or `pypy`.
    pub implementation: String,
    /// Major, minor, patch.
    pub version: (u32, u32, u32),
}

impl Python {
    /// `python3.11`, `pypy3.9`.
    pub fn name(&self) -> String {
        let stem = if self.implementation == "pypy" {
            "pypy"
        } else {
            "python"
        };
        format!("{stem}{}.{}", self.version.0, self.version.1)
    }

    /// `311`, as tags write it.
    pub fn nodot(&self) -> String {
        format!("{}{}", self.version.0, self.version.1)
    }

    /// The constraint that it alone of all satisfies.
    pub fn constraint(&self) -> String {
        let implementation = match self.implementation.as_str() {
            "pypy" => "PyPy",
            _ => "CPython",
        };
        format!("{implementation}=={}.*", self.xy())
    }

    /// `3.11`.
    pub fn xy(&self) -> String {
        format!("{}.{}", self.version.0, self.version.1)
    }
}

/// Every Python from 3.8 on, one per implementation and minor version, the Debian one first.
pub fn all() -> &'static [Python] {
    static ALL: OnceLock<Vec<Python>> = OnceLock::new();
    ALL.get_or_init(|| {
        let debian = identify(Path::new(crate::fixtures::PYTHON));
        let mut found = BTreeMap::new();
        for path in candidates() {
            if let Some(python) = identify(&path) {
                let key = (
                    python.implementation.clone(),
                    python.version.0,
                    python.version.1,
                );
                found.entry(key).or_insert(python);
            }
        }
        let mut all: Vec<Python> = debian.into_iter().collect();
        for python in found.into_values() {
            if python.version >= (3, 8, 0) && all.iter().all(|p| p.name() != python.name()) {
                all.push(python);
            }
        }
        for python in &all {
            let (major, minor, patch) = python.version;
            coverage::note(&format!(
                "python: {} {major}.{minor}.{patch} ({})",
                python.implementation,
                python.path.display()
            ));
        }
        all
    })
}

/// Whether a Python of this machine has hooks of its own beside those that its packages bring: what they do is no matter of
/// the tests.
pub fn hooked() -> bool {
    static HOOKED: OnceLock<bool> = OnceLock::new();
    *HOOKED.get_or_init(|| {
        let own = |name: &str| {
            let named = name.strip_suffix(".pth");
            named.is_some_and(|name| name != "distutils-precedence" && !name.ends_with("-nspkg"))
                || name == "sitecustomize.py"
        };
        let hooked = all().iter().find(|python| {
            let directories = super::host::said(&python.path, super::host::SITE_PACKAGES);
            let entries = directories.iter().flat_map(std::fs::read_dir);
            let mut names = entries.flatten().flatten().map(|entry| entry.file_name());
            names.any(|name| own(&name.to_string_lossy()))
        });
        if let Some(python) = hooked {
            coverage::note(&format!(
                "hooks of the host are left out (`embed --no-host-site`): {} has some",
                python.path.display()
            ));
        }
        hooked.is_some()
    })
}

/// The CPythons, the Debian one first.
pub fn cpythons() -> impl Iterator<Item = &'static Python> {
    all()
        .iter()
        .filter(|python| python.implementation == "cpython")
}

/// The Python that tests run on unless they say otherwise.
pub fn debian() -> &'static Python {
    cpythons().next().expect("a CPython at the fixtures' path")
}

/// Another CPython of a version other than the Debian one's; `None`, and a note of what that leaves untested, where
/// there is none.
pub fn second(case: &str) -> Option<&'static Python> {
    let other = cpythons().find(|python| python.version.1 != debian().version.1);
    if other.is_none() {
        coverage::left_out(case, "a second CPython");
    }
    other
}

/// A Python other than the one that the running item is about, a CPython if there is one; `None`, and a note, where there
/// is none.
pub fn other(case: &str) -> Option<&'static Python> {
    let other = |python: &&Python| *python != super::subject::subject();
    let found = cpythons().find(other).or_else(|| all().iter().find(other));
    if found.is_none() {
        coverage::left_out(case, "a second Python");
    }
    found
}

/// PyPy.
pub fn pypy(case: &str) -> Option<&'static Python> {
    let found = all().iter().find(|python| python.implementation == "pypy");
    if found.is_none() {
        coverage::left_out(case, "PyPy");
    }
    found
}

/// The Pythons 3 that are older than those that are supported, by version; in the long tier each, else the newest.
pub fn old(case: &str) -> Vec<Python> {
    let found = candidates_of(5..8);
    let mut found: Vec<Python> = found.iter().filter_map(|path| identify(path)).collect();
    found.sort_by_key(|python| std::cmp::Reverse(python.version));
    found.dedup_by_key(|python| python.version);
    if found.is_empty() {
        coverage::left_out(case, "a Python 3.5 to 3.7");
    }
    found.truncate(if super::long() { usize::MAX } else { 1 });
    found
}

fn candidates() -> Vec<PathBuf> {
    let mut found = candidates_of(8..21);
    found.extend(
        directories()
            .into_iter()
            .map(|directory| directory.join("pypy3")),
    );
    found.retain(|path| path.is_file());
    found
}

fn candidates_of(minors: std::ops::Range<u32>) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for directory in directories() {
        for minor in minors.clone() {
            found.push(directory.join(format!("python3.{minor}")));
        }
    }
    found.retain(|path| path.is_file());
    found
}

fn directories() -> Vec<PathBuf> {
    let mut directories: Vec<PathBuf> =
        std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()).collect();
    directories.push("/usr/bin".into());
    let pyenv = std::env::var_os("PYENV_ROOT")
        .map(PathBuf::from)
        .or_else(|| std::env::home_dir().map(|home| home.join(".pyenv")));
    if let Some(versions) = pyenv.and_then(|root| std::fs::read_dir(root.join("versions")).ok()) {
        directories.extend(versions.flatten().map(|version| version.path().join("bin")));
    }
    // What a version manager puts there is a script that picks one of the others.
    directories.retain(|directory| !directory.ends_with("shims"));
    directories
}

/// The Python at this path.
pub fn identify(path: &Path) -> Option<Python> {
    let ask = "import os, sys; v = sys.version_info; \
               print(sys.implementation.name, v[0], v[1], v[2], os.path.realpath(sys.executable))";
    let output = Command::new(path)
        .args(["-I", "-S", "-c", ask])
        .env_clear()
        .env("LANG", "C.UTF-8")
        .stdin(Stdio::null())
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let mut words = text.split_whitespace();
    let implementation = words.next()?.to_string();
    let mut number = || words.next()?.parse().ok();
    let version = (number()?, number()?, number()?);
    Some(Python {
        implementation,
        version,
        path: words.next()?.into(),
    })
}

#[test]
fn there_is_a_cpython_and_in_ci_a_pypy() {
    assert_eq!(debian().implementation, "cpython");
    let pypy = pypy("everything on PyPy");
    assert!(
        pypy.is_some() || std::env::var_os("CI").is_none(),
        "no pypy3 on PATH: run ./setup"
    );
}
