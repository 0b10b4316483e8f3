//! Paths of Python binaries: their canonical form, their names, and whether they can be run.

use std::fs;
use std::path::{Path, PathBuf};

use nix::unistd::{AccessFlags, access};

use crate::lexical::normal;

/// The canonical path of a Python: links resolved, but for the link that leads out of a virtual environment, whose
/// meaning would be lost (reference 4.2). A path that cannot be resolved is only made absolute.
pub(super) fn canonical(path: &Path) -> PathBuf {
    let path = absolute(path);
    venv_binary(&path)
        .or_else(|| fs::canonicalize(&path).ok())
        .unwrap_or(path)
}

/// The path from the root, without `.` and `..` components, no link followed.
pub(super) fn absolute(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    normal(&path)
}

/// For a link in the `bin` of a virtual environment: the last path within that `bin`.
fn venv_binary(path: &Path) -> Option<PathBuf> {
    if !path.is_symlink() || !path.exists() {
        return None;
    }
    pyvenv_cfg(path)?;
    let mut path = path.to_owned();
    // As many links as the kernel would follow.
    for _ in 0..40 {
        let Ok(target) = fs::read_link(&path) else {
            break;
        };
        let target = absolute(&path.parent()?.join(target));
        if target.parent() != path.parent() {
            break;
        }
        path = target;
    }
    Some(path)
}

/// The `pyvenv.cfg` that makes the Python at `path` one of a virtual environment: beside it or one level up, with a
/// `home` (PEP 405).
pub(super) fn pyvenv_cfg(path: &Path) -> Option<PathBuf> {
    let bin = path.parent()?;
    [Some(bin), bin.parent()]
        .into_iter()
        .flatten()
        .map(|directory| directory.join("pyvenv.cfg"))
        .find(|config| {
            crate::regular::text(config).is_ok_and(|text| {
                text.lines().any(|line| {
                    line.split_once('=')
                        .is_some_and(|(key, _)| key.trim() == "home")
                })
            })
        })
}

/// Whether this user may run the file there.
pub(super) fn is_executable(path: &Path) -> bool {
    path.is_file() && access(path, AccessFlags::X_OK).is_ok()
}

/// Whether a file's name is one that Pythons have: `python` or `pypy`, then perhaps a digit of 2 to 9, then perhaps any
/// character, digits and a letter; case does not count (reference 4.2).
pub(super) fn is_python_name(name: &str) -> bool {
    let name = name.to_lowercase();
    let Some(rest) = name
        .strip_prefix("python")
        .or_else(|| name.strip_prefix("pypy"))
    else {
        return false;
    };
    let mut rest = rest.chars();
    match rest.next() {
        None => return true,
        Some('2'..='9') => {}
        Some(_) => return false,
    }
    if rest.next().is_none() {
        return true;
    }
    let minor = rest.as_str();
    let digits = minor.trim_end_matches(|c: char| c.is_ascii_lowercase());
    !digits.is_empty()
        && digits.bytes().all(|byte| byte.is_ascii_digit())
        && minor.len() - digits.len() <= 1
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn names_of_pythons() {
        for name in [
            "python",
            "python3",
            "python2",
            "python3.11",
            "python3.13t",
            "pypy3.10",
            "pypy",
            "Python3",
            "python3-7",
            "python3.6m",
        ] {
            assert!(is_python_name(name), "{name}");
        }
        for name in [
            "python3-config",
            "python3.11-dbg",
            "python1",
            "pythonw",
            "python3.",
            "python3.11tt",
            "python3.t",
            "jython",
            "ipython3",
            "",
        ] {
            assert!(!is_python_name(name), "{name}");
        }
    }

    #[test]
    fn a_link_of_a_virtual_environment_is_kept() {
        let root = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(root.path()).unwrap();
        let bin = root.join("venv/bin");
        fs::create_dir_all(&bin).unwrap();
        fs::write(root.join("python3.11"), "").unwrap();
        symlink(root.join("python3.11"), bin.join("python3.11")).unwrap();
        symlink("python3.11", bin.join("python")).unwrap();
        assert_eq!(
            canonical(&bin.join("python")),
            root.join("python3.11"),
            "no pyvenv.cfg"
        );
        fs::write(root.join("venv/pyvenv.cfg"), "version = 3\n").unwrap();
        assert_eq!(
            canonical(&bin.join("python")),
            root.join("python3.11"),
            "no home"
        );
        fs::write(root.join("venv/pyvenv.cfg"), "home = /usr/bin\n").unwrap();
        assert_eq!(
            canonical(&bin.join("../bin/python")),
            bin.join("python3.11")
        );
        assert_eq!(canonical(&bin.join("python3.11")), bin.join("python3.11"));
        assert_eq!(canonical(&root.join("missing")), root.join("missing"));
    }

    #[test]
    fn links_in_a_circle_end() {
        let root = tempfile::tempdir().unwrap();
        symlink("b", root.path().join("a")).unwrap();
        symlink("a", root.path().join("b")).unwrap();
        assert_eq!(canonical(&root.path().join("a")), root.path().join("a"));
    }
}
