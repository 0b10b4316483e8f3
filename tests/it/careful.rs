//! Tools that a careful person can trust: looking at a PEX runs nothing of it and creates nothing, what it says reaches no
//! terminal as a command, and files are written as `cp` would, to regular files alone.

mod looking;
mod showing;
mod writing;

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::fixtures::{Pex, Wheel};
use crate::harness::{Outcome, PEXBOOT, Stage, Way};

fn app() -> Pex {
    Pex::app("careful", "def main():\n    print('started')\n").dep(Wheel::new("dep", "1.0"))
}

fn stage(pex: &Pex) -> Stage {
    Stage::new(Way::Original, &pex.build())
}

/// Runs `pexboot` in the directory of the PEX.
fn pexboot(stage: &Stage, words: &[&str]) -> Outcome {
    stage.start().program(PEXBOOT).args(words).run()
}

/// The same after these commands of a shell.
fn pexboot_after(stage: &Stage, commands: &str, words: &[&str]) -> Outcome {
    let start = stage.start().program(PEXBOOT).args(words);
    start.after_shell(commands).run()
}

/// Everything below a directory, with the time of its last change.
fn files_and_directories(directory: &Path) -> Vec<(PathBuf, i64, i64)> {
    let mut found = Vec::new();
    let mut left = vec![directory.to_owned()];
    while let Some(path) = left.pop() {
        let status = fs::symlink_metadata(&path).unwrap();
        if status.is_dir() {
            left.extend(
                fs::read_dir(&path)
                    .unwrap()
                    .map(|entry| entry.unwrap().path()),
            );
        }
        // Temporary files may come and go.
        if !path.ends_with("tmp") || path.parent() != Some(directory) {
            found.push((path, status.mtime(), status.mtime_nsec()));
        }
    }
    found.sort();
    found
}
