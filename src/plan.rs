//! Collects what a launch consulted, and writes the plan (formats in `pexboot_stub::plan`).

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
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

/// The identity that `metadata` shows.
#[must_use]
pub fn identity(metadata: &Metadata) -> Identity {
    // The kernel's nanoseconds are below a thousand million.
    let nanoseconds = |value: i64| u32::try_from(value).unwrap_or_default();
    Identity {
        ino: metadata.ino(),
        size: metadata.size(),
        mtime: metadata.mtime(),
        mtime_nsec: nanoseconds(metadata.mtime_nsec()),
        ctime: metadata.ctime(),
        ctime_nsec: nanoseconds(metadata.ctime_nsec()),
    }
}
