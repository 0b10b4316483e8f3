//! What pex can build, crossed with what its runtime can be told: `tests/fixtures/crossed.py` has the axes, and compares.
//! Differences that nobody thought of when a checklist item was written show here.

use serde_json::Value;

use crate::fixtures::crossed;
use crate::harness::{PEXBOOT, coverage, long, ways};

/// Some rows in the long tier, others at each run; `PEXBOOT_SEED` is a row that is to be run again.
const ROWS: usize = 300;

#[test]
fn what_can_be_built_and_said_agrees_in_every_pair() {
    if ways().len() < 2 {
        return;
    }
    let (first, count) = match std::env::var("PEXBOOT_SEED") {
        Ok(row) => (row.parse().expect("PEXBOOT_SEED is a number"), 1),
        Err(_) if long() => {
            let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
            (
                usize::try_from(now.unwrap().as_secs()).unwrap() % 2000,
                ROWS,
            )
        }
        Err(_) => (0, 2),
    };
    coverage::note(&format!("crossed: rows from {first}, {count} of them"));
    let scratch = tempfile::tempdir().unwrap();
    let text = crossed(PEXBOOT, first, count, scratch.path());
    let differing: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!(differing.is_empty(), "{differing:#?}");
}
