//! What of a process decides where Pythons are looked for: environment, working directory. Taken once per choice, so
//! that one choice sees one world, and tests can make their own.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use super::binary;
use crate::plan::{Input, Inputs};

/// Where Pythons are when there is no PATH to say so.
const WELL_KNOWN: [&str; 3] = ["/usr/local/bin", "/usr/bin", "/bin"];

/// The surroundings of a choice.
#[derive(Debug, Clone, Default)]
pub(super) struct Surroundings {
    /// The environment.
    pub(super) variables: BTreeMap<OsString, OsString>,
    /// The working directory.
    pub(super) cwd: PathBuf,
}

impl Surroundings {
    /// Those of this process.
    pub(super) fn here() -> Surroundings {
        Surroundings {
            variables: std::env::vars_os().collect(),
            cwd: std::env::current_dir().unwrap_or_default(),
        }
    }

    /// A variable, `None` where it is unset or empty.
    pub(super) fn variable(&self, name: &str) -> Option<&OsStr> {
        self.variables
            .get(OsStr::new(name))
            .map(OsString::as_os_str)
            .filter(|value| !value.is_empty())
    }

    /// `PATH` as it stands.
    pub(super) fn path(&self) -> Option<&OsStr> {
        self.variables
            .get(OsStr::new("PATH"))
            .map(OsString::as_os_str)
    }

    /// A variable, `None` where it is unset or empty; notes that it was asked for, as it stands.
    pub(super) fn asked(&self, name: &str, inputs: &mut Inputs) -> Option<&OsStr> {
        let value = self.variables.get(OsStr::new(name));
        inputs.variable(name, value.map(OsString::as_os_str));
        self.variable(name)
    }

    /// `$HOME`; notes that it was asked for.
    pub(super) fn home(&self, inputs: &mut Inputs) -> Option<PathBuf> {
        self.asked("HOME", inputs).map(PathBuf::from)
    }

    /// The directories to search, in order, each once, and that they depend on `PATH`. Where `PATH` is unset or empty:
    /// the usual ones.
    pub(super) fn search_path(&self) -> Vec<PathBuf> {
        let mut directories: Vec<PathBuf> = match self.variable("PATH") {
            None => WELL_KNOWN.iter().map(PathBuf::from).collect(),
            // An empty item is the working directory.
            Some(path) => path
                .as_bytes()
                .split(|&byte| byte == b':')
                .map(|item| self.cwd.join(OsStr::from_bytes(item)))
                .collect(),
        };
        let mut seen = std::collections::BTreeSet::new();
        directories.retain(|directory| seen.insert(directory.clone()));
        directories
    }

    /// The executables called `name` along the search path; whoever takes one notes the lookup by [`Self::note_first`].
    pub(super) fn on_path<'a>(&self, name: &'a str) -> impl Iterator<Item = PathBuf> + use<'a> {
        self.search_path()
            .into_iter()
            .map(move |directory| directory.join(name))
    }

    /// Notes that the first executable called `name` on `PATH` was looked for, and what was found.
    pub(super) fn note_first(&self, name: &str, found: Option<&Path>, inputs: &mut Inputs) {
        if self.variable("PATH").is_some() {
            let found = found.map(|path| path.as_os_str().as_bytes().to_vec());
            inputs.add(Input::FirstOnPath(name.as_bytes().to_vec(), found));
        } else {
            self.note_path(inputs);
        }
    }

    /// Notes that `PATH` was searched, from the working directory where an item of it is relative.
    pub(super) fn note_path(&self, inputs: &mut Inputs) {
        let path = self.asked("PATH", inputs);
        let path = path.unwrap_or_default().as_bytes();
        if !path.is_empty()
            && path
                .split(|&byte| byte == b':')
                .any(|item| !item.starts_with(b"/"))
        {
            inputs.add(Input::Cwd(self.cwd.as_os_str().as_bytes().to_vec()));
        }
    }

    /// The nearest regular file called `name` from the working directory upward; notes the lookup.
    pub(super) fn upward(&self, name: &str, inputs: &mut Inputs) -> Option<PathBuf> {
        let mut places = self.cwd.ancestors().map(|directory| directory.join(name));
        // A replay takes the nearest thing of that name; a directory would be passed over here.
        let nearest = places.clone().find(|path| path.exists());
        let hit = nearest
            .as_ref()
            .map(|path| path.as_os_str().as_bytes().to_vec());
        inputs.add(Input::FirstUpward(name.as_bytes().to_vec(), hit));
        let found = places.find(|path| path.is_file());
        for path in nearest.iter().chain(&found) {
            inputs.file(path);
        }
        found
    }

    /// The first executable called `name` on the search path.
    pub(super) fn first(&self, name: &str) -> Option<PathBuf> {
        self.on_path(name).find(|path| binary::is_executable(path))
    }
}
