//! Where Python will keep bytecode of a wheel that has native code.
//!
//! Directories with native code in them or below are real ones in each site (see [`crate::site`]), not links to the store.
//! Their `__pycache__` is a link to the wheel's, so that sites share what Python compiles. Python does not make the
//! directory that such a link leads to, so it is there from the beginning. (Everywhere else Python makes it.)

use std::collections::HashSet;
use std::path::Path;

use super::UnpackError;
use crate::store::{CACHE, Noted, StoreError, Tree};

/// Makes them in the wheel at `root`, which consists of these files.
pub(super) fn make(root: &Path, files: &Noted) -> Result<(), UnpackError> {
    let io = |source| StoreError::Io {
        path: root.to_owned(),
        source,
    };
    let mut native = HashSet::new();
    for (path, _) in files.iter().filter(|(path, _)| is_library(path)) {
        native.extend(above(path));
    }
    if native.is_empty() {
        return Ok(());
    }
    let sources: HashSet<&str> = files
        .iter()
        .filter(|(path, _)| path.ends_with(".py"))
        .filter_map(|(path, _)| above(path).next())
        .collect();
    let mut tree = Tree::new(root).map_err(io)?;
    for directory in native.intersection(&sources) {
        tree.directory(&format!("{directory}/{CACHE}"))
            .map_err(io)?;
    }
    Ok(())
}

/// The directories above a file, the nearest first; not the wheel itself.
fn above(path: &str) -> impl Iterator<Item = &str> {
    path.rmatch_indices('/').map(|(end, _)| &path[..end])
}

/// Whether a file is a shared library by its name: `x.so`, `libx.so.1.2`.
pub(crate) fn is_library(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.ends_with(".so") || name.contains(".so.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_of_modules_with_native_code_at_or_below_them_get_one() {
        let temp = tempfile::tempdir().unwrap();
        let files = [
            "a/__init__.py",
            "a/b/c/x.cpython-311-x86_64-linux-gnu.so",
            "a/b/y.py",
            "a/tests/test.py",
            "a.libs/libz.so.1",
            "pure/__init__.py",
            "top.py",
        ];
        let noted = files.map(|path| (path.to_owned(), 0)).to_vec();
        make(temp.path(), &noted).unwrap();
        let has = |path: &str| temp.path().join(path).join("__pycache__").is_dir();
        assert!(has("a") && has("a/b"));
        for other in ["", "a/b/c", "a/tests", "a.libs", "pure"] {
            assert!(!has(other), "{other}");
        }
    }
}
