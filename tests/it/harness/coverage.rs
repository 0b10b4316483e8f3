//! What this run covered and what it had to leave out, in `target/tmp/coverage.txt`: `.ci/run` and `./long-tests`
//! print it at their end, so that a green run never hides a test that did nothing.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::sync::Mutex;

static NOTES: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// Writes a line into the summary.
pub fn note(line: &str) {
    let mut notes = NOTES.lock().unwrap();
    if notes.insert(line.to_string()) {
        let text: String = notes.iter().map(|line| format!("{line}\n")).collect();
        fs::write(file(), text).unwrap();
    }
}

/// Notes that `case`, or a part of it, was not tested because something is missing here.
pub fn left_out(case: &str, missing: &str) {
    super::subject::left_out(missing);
    note(&format!("left out: {case}: needs {missing}"));
}

fn file() -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("coverage.txt")
}
