//! What the store promises, seen from outside: nothing half-published, no leftovers, no trust in others' directories.

mod changed;
mod inherited;
mod publish;
mod roots;
mod waits;

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use super::*;

const FILES: usize = 24;

/// A candidate at that path.
fn candidate(kind: Origin, path: &Path) -> Candidate {
    Candidate {
        path: path.as_os_str().as_bytes().to_vec(),
        kind,
    }
}

/// A named root, and another behind it.
fn candidates(root: &Path) -> [Candidate; 2] {
    [
        candidate(Origin::Explicit, root),
        candidate(Origin::Fallback, &root.with_extension("fallback")),
    ]
}

/// The store at `root`; says anything, and the test fails.
fn silent(root: &Path) -> Store {
    Store::open_candidates(&candidates(root), &mut |line| panic!("said: {line}"))
}

/// The store, and what it said.
fn open(candidates: &[Candidate]) -> (Store, Vec<String>) {
    let mut said = Vec::new();
    let store = Store::open_candidates(candidates, &mut |line| said.push(line.to_owned()));
    (store, said)
}

fn fill(path: &Path) -> Result<(), FillError> {
    let mut tree = Tree::new(path)?;
    for number in 0..FILES {
        tree.write(&format!("package/{number}.py"), b"content", false)?;
    }
    Ok(())
}

fn publish(store: &Store, name: &str) -> PathBuf {
    store.directory(Kind::Wheels, name, &mut fill).unwrap()
}

fn is_whole(path: &Path) -> bool {
    (0..FILES).all(|number| {
        std::fs::read(path.join("package").join(format!("{number}.py")))
            .is_ok_and(|bytes| bytes == b"content")
    })
}

fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn leftovers(root: &Path) -> Vec<String> {
    names(&root.join("v2/tmp"))
}

fn mode(path: &Path) -> u32 {
    path.metadata().unwrap().permissions().mode() & 0o7777
}

fn chmod(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

fn directory() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

/// Runs the test of this name again in a process of its own, where `is_child` holds.
fn child(test: &str, root: &Path) -> Command {
    child_of(&std::env::current_exe().unwrap(), test, root)
}

/// The same, of a copy of this program.
fn child_of(program: &Path, test: &str, root: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .current_dir("/")
        .args(["--exact", "--nocapture", &format!("store::tests::{test}")])
        .env("STORE_TEST_ROOT", root);
    command
}

fn child_root() -> Option<PathBuf> {
    std::env::var_os("STORE_TEST_ROOT").map(PathBuf::from)
}
