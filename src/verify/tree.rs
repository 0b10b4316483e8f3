//! Two trees that should be the same.

use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::regular;
use crate::store::{CACHE, Kind};

/// The directories of a kind below the format directory `format`, relative to it.
pub(super) fn entries(format: &Path, kind: Kind) -> Vec<PathBuf> {
    let top = Path::new(kind.directory());
    let found = children(format, top, true);
    if kind == Kind::Wheels {
        // Named by two components.
        return found
            .iter()
            .flat_map(|key| children(format, key, true))
            .collect();
    }
    found
}

/// The files of a kind, in the same way.
pub(super) fn files(format: &Path, kind: Kind) -> Vec<PathBuf> {
    children(format, Path::new(kind.directory()), false)
}

fn children(format: &Path, directory: &Path, directories: bool) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = std::fs::read_dir(format.join(directory))
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| {
            entry
                .file_type()
                .is_ok_and(|kind| kind.is_dir() == directories)
        })
        .map(|entry| directory.join(entry.file_name()))
        .collect();
    found.sort();
    found
}

/// Everything below a directory but directories and what Python keeps in `__pycache__`, relative to it.
pub(super) fn below(root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut left = vec![PathBuf::new()];
    while let Some(directory) = left.pop() {
        for name in list(&root.join(&directory)) {
            let path = directory.join(&name);
            let is_directory = root
                .join(&path)
                .symlink_metadata()
                .is_ok_and(|status| status.is_dir());
            if !is_directory {
                found.push(path);
            } else if name != CACHE {
                left.push(path);
            }
        }
    }
    found
}

/// What is different in `found`, which should be as `truth` is; Python's `__pycache__` is left out.
pub(super) fn differences(truth: &Path, found: &Path) -> Vec<String> {
    let mut faults = Vec::new();
    compare(truth, found, &mut faults);
    faults
}

fn compare(truth: &Path, found: &Path, faults: &mut Vec<String>) {
    let shown = found.display();
    let target = |truth: &Path| {
        let target = std::fs::read_link(truth).unwrap_or_default();
        found.parent().unwrap_or(Path::new("/")).join(target)
    };
    let (Ok(expected), Ok(status)) = (truth.symlink_metadata(), found.symlink_metadata()) else {
        // A second name for a directory is left out where there are no symbolic links.
        let second = truth.is_symlink() && target(truth).parent() == found.parent();
        if !(second && target(truth).is_dir()) {
            faults.push(format!("`{shown}` is missing"));
        }
        return;
    };
    if expected.is_symlink() && status.is_dir() {
        // No symbolic links there.
        compare(&target(truth), found, faults);
    } else if expected.is_symlink() && status.is_file() {
        // A hard link there; here, on another device, it could not be one.
        let target = target(truth);
        if !regular::same_content(&target, found).unwrap_or(false) {
            faults.push(format!("`{shown}` has other content"));
        }
    } else if expected.file_type() != status.file_type() {
        faults.push(format!("`{shown}` is of another type"));
    } else if expected.is_dir() {
        let mut names: Vec<_> = list(truth);
        for name in list(found) {
            if name != CACHE && !names.contains(&name) {
                faults.push(format!(
                    "`{}` should not be there",
                    found.join(name).display()
                ));
            }
        }
        names.retain(|name| name != CACHE);
        for name in names {
            compare(&truth.join(&name), &found.join(&name), faults);
        }
    } else if expected.is_symlink() {
        if std::fs::read_link(truth).ok() != std::fs::read_link(found).ok() {
            faults.push(format!("`{shown}` leads elsewhere"));
        }
    } else if expected.permissions().mode() & 0o111 != status.permissions().mode() & 0o111 {
        faults.push(format!("`{shown}` has other x bits"));
    } else if expected.len() != status.len()
        || !regular::same_content(truth, found).unwrap_or(false)
    {
        faults.push(format!("`{shown}` has other content"));
    }
}

/// The names in a directory, sorted.
pub(super) fn list(directory: &Path) -> Vec<OsString> {
    let mut names: Vec<_> = std::fs::read_dir(directory)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.file_name())
        .collect();
    names.sort();
    names
}
