//! A Python that a test may change: a copy of the one that an item is about, with site-packages of its own.

use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::pythons::Python;
use super::subject::subject;
use super::{Stage, coverage};
use crate::fixtures::{key, product};

/// What no test needs of a standard library, and what a host has installed.
const LEFT_OUT: &[&str] = &[
    "site-packages",
    "dist-packages",
    "test",
    "tests",
    "idlelib",
    "lib2to3",
    "ensurepip",
    "tkinter",
    "turtledemo",
    "config-*",
    // Debian's; it would be imported instead of a test's own.
    "sitecustomize.py",
    "__pycache__/sitecustomize.*",
];

/// Prints the site-packages directories of a Python.
pub(super) const SITE_PACKAGES: &str = "import site; print('\\n'.join(site.getsitepackages()))";

/// A copy of a Python.
#[derive(Debug)]
pub struct Host {
    /// The executable.
    pub python: PathBuf,
    /// Site-packages directories, empty: one beside the standard library, one below it, or the kind that it has.
    pub site_packages: Vec<PathBuf>,
}

impl Host {
    /// A copy of the Python that this item is about, at `BOX/host`; `None`, and a note, where that can't be moved.
    pub fn new(stage: &Stage, case: &str) -> Option<Host> {
        let python = subject();
        if python.implementation != "cpython" {
            coverage::left_out(case, "a Python that can be copied: CPython");
            return None;
        }
        Some(Host::copy(python, &stage.path("host")))
    }

    fn copy(python: &Python, to: &Path) -> Host {
        // Links to files of the set of fixtures, where the file system allows it: nobody writes to those.
        let whole = copied_python(python);
        let linked = Command::new("/bin/cp")
            .arg("-Rl")
            .arg(&whole)
            .arg(to)
            .status();
        if !linked.unwrap().success() {
            let _ = fs::remove_dir_all(to);
            let mut copy = Command::new("/bin/cp");
            let copied = copy
                .args(["-R", "--preserve=mode,timestamps"])
                .arg(&whole)
                .arg(to)
                .status();
            assert!(copied.unwrap().success());
        }
        let python = to.join("bin").join(python.name());
        let all: Vec<PathBuf> = said(&python, SITE_PACKAGES)
            .iter()
            .map(PathBuf::from)
            .collect();
        let library =
            PathBuf::from(&said(&python, "import os; print(os.path.dirname(os.__file__))")[0]);
        // One of each kind: beside the standard library, below it.
        let (mut beside, mut below) = (None, None);
        for directory in all {
            fs::create_dir_all(&directory).unwrap();
            let kind = if directory.starts_with(&library) {
                &mut below
            } else {
                &mut beside
            };
            kind.get_or_insert(directory);
        }
        Host {
            python,
            site_packages: beside.into_iter().chain(below).collect(),
        }
    }

    /// A PATH on which it is found first.
    pub fn search(&self) -> String {
        let bin = self.python.parent().unwrap();
        format!("{}:/usr/bin:/bin", bin.display())
    }

    /// Empties its site-packages directories.
    pub fn clear(&self) {
        for directory in &self.site_packages {
            fs::remove_dir_all(directory).unwrap();
            fs::create_dir(directory).unwrap();
        }
    }

    /// Writes files into one of its site-packages directories, which is taken by its number.
    pub fn install(&self, directory: usize, files: &[(&str, &str)]) {
        for (name, text) in files {
            let path = self.site_packages[directory].join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
    }
}

/// A copy of the Python and its standard library, made once for all tests.
fn copied_python(python: &Python) -> PathBuf {
    let told = said(
        &python.path,
        "import os, sys; print(sys.prefix); print(os.path.dirname(os.__file__)); print(sys.version)",
    );
    let [prefix, stdlib] = [0, 1].map(|line| PathBuf::from(&told[line]));
    product(
        &format!(
            "hosts/{}",
            key(&[told.join("\n").as_bytes(), LEFT_OUT.join(" ").as_bytes()])
        ),
        |to| {
            let library = to.join(stdlib.strip_prefix(&prefix).unwrap());
            let bin = to.join("bin");
            for directory in [&library, &bin] {
                fs::create_dir_all(directory).unwrap();
            }
            let mut copy = Command::new("/bin/cp");
            let copied = copy.arg(&python.path).arg(bin.join(python.name())).status();
            assert!(copied.unwrap().success());
            let mut pack = Command::new("/bin/tar");
            for name in LEFT_OUT {
                pack.arg(format!("--exclude=./{name}"));
            }
            let mut pack = pack
                .arg("-C")
                .arg(&stdlib)
                .args(["-cf", "-", "."])
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            let unpacked = Command::new("/bin/tar")
                .arg("-C")
                .arg(&library)
                .args(["-xf", "-"])
                .stdin(pack.stdout.take().unwrap())
                .status();
            assert!(unpacked.unwrap().success() && pack.wait().unwrap().success());
        },
    )
}

/// The lines that a Python prints without its `site`.
pub(super) fn said(python: &Path, code: &str) -> Vec<String> {
    let output = Command::new(python)
        .args(["-I", "-S", "-B", "-c", code])
        .env_clear()
        .env("LANG", "C.UTF-8")
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = std::ffi::OsStr::from_bytes(&output.stdout);
    text.to_str().unwrap().lines().map(str::to_owned).collect()
}
