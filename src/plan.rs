//! Collects what a launch consulted, and writes the plan (formats in `pexboot_stub::plan`).

use std::path::Path;

pub use pexboot_stub::plan::{Anchor, EnvChange, Exec, Identity, Input, Place, Plan, Value};

/// The inputs of a launch so far, in the order they were consulted, each once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inputs {
    list: Vec<Input>,
}

impl Inputs {
    /// Adds an input unless it is there already.
    pub fn add(&mut self, input: Input) {
        if !self.list.contains(&input) {
            self.list.push(input);
        }
    }

    /// Adds the file at `path`, links followed, as it is now: its identity, or its absence.
    pub fn file(&mut self, path: &Path) {
        let _ = path;
        todo!()
    }

    /// The inputs, in order.
    #[must_use]
    pub fn into_list(self) -> Vec<Input> {
        self.list
    }
}
