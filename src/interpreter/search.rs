//! The search for Pythons along PATH, or among the files and directories of PEX_PYTHON_PATH (reference 4.2).

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use super::binary;
use super::shims::{self, Shim};
use super::surroundings::Surroundings;
use crate::plan::Inputs;

/// Where to look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Where {
    /// Along PATH.
    Path,
    /// In these files and directories, canonical.
    Items(Vec<PathBuf>),
}

impl Where {
    /// The given items, canonical, each once.
    pub(super) fn items(items: &[PathBuf]) -> Where {
        let mut canonical: Vec<PathBuf> = Vec::new();
        for item in items {
            let item = binary::canonical(item);
            if !canonical.contains(&item) {
                canonical.push(item);
            }
        }
        Where::Items(canonical)
    }

    /// Whether this Python may be taken without a search: PATH allows every one, a list those that it names or whose
    /// directory it names.
    pub(super) fn admits(&self, python: &Path) -> bool {
        match self {
            Where::Path => true,
            Where::Items(items) => items
                .iter()
                .any(|item| item == python || python.parent().is_some_and(|parent| parent == item)),
        }
    }
}

/// Which file names count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Names<'a> {
    /// Those that Pythons usually have.
    Usual,
    /// Exactly this one.
    Exactly(&'a str),
}

impl Names<'_> {
    pub(super) fn accept(self, path: &Path) -> bool {
        let Some(name) = path.file_name().and_then(OsStr::to_str) else {
            return false;
        };
        match self {
            Names::Usual => binary::is_python_name(name),
            Names::Exactly(exact) => name == exact,
        }
    }
}

/// Every candidate binary in order, shims replaced by what they stand for and left out where they stand for nothing.
/// Everything that was looked at becomes an input.
pub(super) fn candidates(
    place: &Where,
    names: Names<'_>,
    surroundings: &Surroundings,
    inputs: &mut Inputs,
) -> Vec<PathBuf> {
    let items = match place {
        Where::Path => {
            surroundings.note_path(inputs);
            surroundings.search_path()
        }
        Where::Items(items) => items.clone(),
    };
    let mut found: Vec<PathBuf> = Vec::new();
    for item in &items {
        // A directory's date tells of every name that comes or goes.
        inputs.file(item);
        for file in expand(item, names) {
            let python = match shims::resolve(&file, surroundings, inputs) {
                Shim::No => file,
                Shim::Active(python) => python,
                Shim::Inactive => continue,
            };
            // What a link leads to can change without the directory.
            inputs.file(&python);
            if !found.contains(&python) {
                found.push(python);
            }
        }
    }
    found
}

/// A file stands for itself, a directory for its entries sorted by name.
fn expand(item: &Path, names: Names<'_>) -> Vec<PathBuf> {
    if item.is_file() {
        return if names.accept(item) {
            vec![item.to_owned()]
        } else {
            Vec::new()
        };
    }
    let mut files: Vec<PathBuf> = fs::read_dir(item)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| names.accept(path))
        .collect();
    files.sort();
    files
}
