//! Collects what a launch consulted, and writes the plan (formats in `pexboot_core::plan`).

use std::ffi::OsStr;
use std::fs::Metadata;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

pub use pexboot_core::plan::{Anchor, EnvChange, Exec, Identity, Input, Place, Plan, Value};

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

    /// Adds the file or directory at `path`, links followed, as it is now: its identity, or its absence.
    ///
    /// A relative path is taken from the working directory. A directory's identity changes when an entry comes or goes.
    pub fn file(&mut self, path: &Path) {
        self.file_at(place(path), path);
    }

    /// The same under a place that leads to `path` now.
    pub fn file_at(&mut self, place: Place, path: &Path) {
        self.add(match std::fs::metadata(path) {
            Ok(metadata) => Input::File(place, identity(&metadata)),
            Err(_) => Input::Absent(place),
        });
    }

    /// Adds the value of an environment variable that is not part of the key.
    pub fn variable(&mut self, name: &str, value: Option<&OsStr>) {
        self.add(Input::Variable(
            name.as_bytes().to_vec(),
            value.map(|value| value.as_bytes().to_vec()),
        ));
    }

    /// The inputs, in order.
    #[must_use]
    pub fn into_list(self) -> Vec<Input> {
        self.list
    }
}

/// What tells a file from a changed one, from what `stat` said.
#[must_use]
pub fn identity(metadata: &Metadata) -> Identity {
    // Nanoseconds of a second are always below 2^32.
    let nsec = |value: i64| u32::try_from(value).unwrap_or_default();
    Identity {
        ino: metadata.ino(),
        size: metadata.size(),
        mtime: metadata.mtime(),
        mtime_nsec: nsec(metadata.mtime_nsec()),
        ctime: metadata.ctime(),
        ctime_nsec: nsec(metadata.ctime_nsec()),
    }
}

/// Where `path` is: absolute, or from the working directory.
#[must_use]
pub fn place(path: &Path) -> Place {
    let anchor = if path.is_absolute() {
        Anchor::Root
    } else {
        Anchor::Cwd
    };
    Place {
        anchor,
        path: path.as_os_str().as_bytes().to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_an_input_as_it_is_or_as_absent() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        let mut inputs = Inputs::default();
        inputs.file(&path);
        inputs.file(&path);
        std::fs::write(&path, "12345").unwrap();
        inputs.file(&path);
        inputs.file(Path::new("."));
        let list = inputs.into_list();
        let place = place(&path);
        assert_eq!(list[0], Input::Absent(place.clone()));
        assert!(
            matches!(&list[1], Input::File(at, identity) if *at == place && identity.size == 5 && identity.ino != 0)
        );
        assert!(matches!(
            &list[2],
            Input::File(
                Place {
                    anchor: Anchor::Cwd,
                    ..
                },
                _
            )
        ));
        assert_eq!(list.len(), 3);
    }

    #[test]
    fn a_directory_is_told_by_its_names_in_any_order() {
        use pexboot_core::machine::Machine;
        use pexboot_core::plan::Content;
        use pexboot_core::replay::World as _;

        let sum = |path: &Path| Machine.sum(path.as_os_str().as_bytes(), Content::DIRECTORY);
        let of = |names: &[&str]| {
            let directory = tempfile::tempdir().unwrap();
            for name in names {
                std::fs::write(directory.path().join(name), name).unwrap();
            }
            sum(directory.path()).unwrap()
        };
        let two = of(&["a.pth", "b"]);
        assert_eq!(two, of(&["b", "a.pth"]));
        for others in [&["a.pth"][..], &["a.pth", "c"], &["a.pth", "b", "c"]] {
            assert_ne!(two, of(others), "{others:?}");
        }
        assert_eq!(sum(Path::new("/dev/null")), None);
    }
}
