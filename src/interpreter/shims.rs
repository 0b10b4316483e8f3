//! Version managers' shims: small programs on PATH called `python…` that start whatever Python is active (reference 4.7).
//!
//! A shim is recognised by reading it and never run: running it costs tens of milliseconds, and its answer depends on
//! files that nobody would know of. What it would start is worked out from the manager's own version files, each of
//! which becomes an input of the plan. Such a file chooses among the Pythons that the manager has installed; a program
//! anywhere else (`path:`) it names only where the manager hears it, and nobody but the user and root could have written
//! it.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use super::binary::is_executable;
use super::surroundings::Surroundings;
use crate::plan::Inputs;
use crate::regular;
use crate::user;

/// What a file called `python…` is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Shim {
    /// Not a shim.
    No,
    /// A shim for this binary.
    Active(PathBuf),
    /// A shim that would find no Python, or that hands on to the rest of PATH.
    Inactive,
}

/// The managers whose shims are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manager {
    Pyenv,
    Asdf,
    Mise,
}

/// What stands before a directory that is given in place of a version.
const PATH: &str = "path:";
/// Shims are scripts of a few lines.
const MAX_SCRIPT: u64 = 4096;

/// Says what the file at `path` is, and notes what that depends on.
pub(super) fn resolve(path: &Path, surroundings: &Surroundings, inputs: &mut Inputs) -> Shim {
    let Some(manager) = manager(path) else {
        return Shim::No;
    };
    inputs.file(path);
    let Some(shim) = View::of(manager, path, surroundings) else {
        return Shim::Inactive;
    };
    let found = match manager {
        Manager::Pyenv => shim.pyenv(inputs),
        Manager::Asdf => shim.asdf(inputs),
        Manager::Mise => shim.mise(inputs),
    };
    found.map_or(Shim::Inactive, Shim::Active)
}

/// The manager that the file at `path` is a shim of.
fn manager(path: &Path) -> Option<Manager> {
    // A shim of mise is a link to mise itself, which looks at the name it is started by.
    if fs::read_link(path).is_ok_and(|target| target.file_name() == Some(OsStr::new("mise"))) {
        return Some(Manager::Mise);
    }
    let script = regular::beginning(path, MAX_SCRIPT).ok()?;
    if !script.starts_with(b"#!") {
        return None;
    }
    let script = String::from_utf8_lossy(&script);
    // The command that the line with `exec` runs, and its first argument: `exec "/…/pyenv" exec "$program" "$@"`.
    script.lines().find_map(|line| {
        let mut words = line
            .split_whitespace()
            .map(|word| word.trim_matches(['"', '\'']));
        if words.next()? != "exec" {
            return None;
        }
        let command = words.next()?.rsplit('/').next()?;
        match (command, words.next()?) {
            ("pyenv", "exec") => Some(Manager::Pyenv),
            ("asdf", "exec") => Some(Manager::Asdf),
            ("mise", "exec" | "x") => Some(Manager::Mise),
            _ => None,
        }
    })
}

/// A shim, and what there is to work out what it starts.
struct View<'a> {
    manager: Manager,
    /// The name it is started by.
    name: &'a str,
    /// The manager's directory: the shim lies in its `shims`.
    root: PathBuf,
    surroundings: &'a Surroundings,
}

impl<'a> View<'a> {
    fn of(manager: Manager, path: &'a Path, surroundings: &'a Surroundings) -> Option<View<'a>> {
        let root = path.parent()?.parent()?.to_owned();
        Some(View {
            manager,
            name: path.file_name()?.to_str()?,
            root,
            surroundings,
        })
    }

    /// pyenv: `PYENV_VERSION`, else the nearest `.python-version`, else the global `version`; the first of those
    /// versions that has the command.
    fn pyenv(&self, inputs: &mut Inputs) -> Option<PathBuf> {
        // A shim that was put elsewhere still speaks for the installation of the environment.
        let root = match self.surroundings.variable("PYENV_ROOT") {
            Some(root) if !self.root.join("versions").is_dir() => PathBuf::from(root),
            _ => self.root.clone(),
        };
        let versions = if let Some(versions) = self.surroundings.variable("PYENV_VERSION") {
            versions.to_str()?.split(':').map(str::to_owned).collect()
        } else if let Some(file) = self.surroundings.upward(".python-version", inputs) {
            words(&file)
        } else {
            let file = root.join("version");
            inputs.file(&file);
            words(&file)
        };
        let directory = root.join("versions");
        for version in &versions {
            // What `system` means, the search of PATH finds by itself.
            if version == "system" {
                return None;
            }
            if let Some(python) = self.installed(&directory, version, inputs) {
                return Some(python);
            }
        }
        None
    }

    /// asdf: `ASDF_PYTHON_VERSION`, else the nearest `.tool-versions` that speaks of Python, the home's last.
    fn asdf(&self, inputs: &mut Inputs) -> Option<PathBuf> {
        let versions = self.variable("ASDF_PYTHON_VERSION", inputs).or_else(|| {
            self.upward(&[".tool-versions"], inputs).or_else(|| {
                let file = self.surroundings.home(inputs)?.join(".tool-versions");
                inputs.file(&file);
                self.configured(&file)
            })
        })?;
        self.first_installed(&versions, inputs)
    }

    /// mise: `MISE_PYTHON_VERSION`, else the nearest configuration that speaks of Python, the global one last.
    fn mise(&self, inputs: &mut Inputs) -> Option<PathBuf> {
        const FILES: [&str; 5] = [
            "mise.local.toml",
            "mise.toml",
            ".mise.toml",
            ".config/mise.toml",
            ".tool-versions",
        ];
        let versions = self.variable("MISE_PYTHON_VERSION", inputs).or_else(|| {
            self.upward(&FILES, inputs).or_else(|| {
                let config = match self.surroundings.asked("XDG_CONFIG_HOME", inputs) {
                    Some(config) => PathBuf::from(config),
                    None => self.surroundings.home(inputs)?.join(".config"),
                };
                let file = config.join("mise/config.toml");
                inputs.file(&file);
                self.configured(&file)
            })
        })?;
        self.first_installed(&versions, inputs)
    }

    fn variable(&self, name: &str, inputs: &mut Inputs) -> Option<Vec<String>> {
        let value = self.surroundings.asked(name, inputs);
        Some(
            value?
                .to_str()?
                .split_whitespace()
                .map(str::to_owned)
                .collect(),
        )
    }

    /// The versions named by the nearest file, of these names in this order per directory, that names any.
    fn upward(&self, names: &[&str], inputs: &mut Inputs) -> Option<Vec<String>> {
        // The nearest of each name ties the lookup to the working directory; the files further up follow from it.
        for name in names {
            self.surroundings.upward(name, inputs);
        }
        for directory in self.surroundings.cwd.ancestors() {
            for file in names
                .iter()
                .map(|name| directory.join(name))
                .filter(|file| file.is_file())
            {
                inputs.file(&file);
                if let Some(versions) = self.configured(&file) {
                    return Some(versions);
                }
            }
        }
        None
    }

    /// The versions that a file names, without those that it may not name: of the managers, asdf alone takes a path
    /// from a file without being asked.
    fn configured(&self, file: &Path) -> Option<Vec<String>> {
        let mut versions = configured(file)?;
        if self.manager != Manager::Asdf || user::trusted_file(file).is_none() {
            versions.retain(|version| !unprefixed(version).starts_with(PATH));
        }
        Some(versions)
    }

    fn first_installed(&self, versions: &[String], inputs: &mut Inputs) -> Option<PathBuf> {
        let directory = self.root.join("installs/python");
        for version in versions {
            if version == "system" {
                return None;
            }
            if let Some(python) = self.installed(&directory, version, inputs) {
                return Some(python);
            }
        }
        None
    }

    /// The command in that version's `bin`, or in the newest version's that begins so.
    fn installed(&self, directory: &Path, version: &str, inputs: &mut Inputs) -> Option<PathBuf> {
        let version = unprefixed(version);
        let elsewhere = version
            .strip_prefix(PATH)
            .filter(|_| self.manager != Manager::Pyenv);
        let home = if let Some(path) = elsewhere {
            PathBuf::from(path)
        } else if version.is_empty() || version == ".." || version.contains('/') {
            // Nothing outside the manager's directory is a version.
            return None;
        } else {
            let exact = directory.join(version);
            if exact.is_dir() {
                exact
            } else {
                inputs.file(directory);
                directory.join(newest(directory, version)?)
            }
        };
        let python = home.join("bin").join(self.name);
        inputs.file(&python);
        is_executable(&python).then_some(python)
    }
}

/// A version as its directory is called.
fn unprefixed(version: &str) -> &str {
    version.strip_prefix("python-").unwrap_or(version)
}

/// The newest installed release that begins with `prefix` and a dot or dash; `latest` begins every one.
fn newest(directory: &Path, prefix: &str) -> Option<String> {
    let (prefix, threads) = match prefix.strip_suffix('t') {
        Some(number) if number.ends_with(|c: char| c.is_ascii_digit()) => (number, true),
        _ => (prefix, false),
    };
    let numbers = |version: &str| -> Option<Vec<u64>> {
        let rest = match prefix {
            "latest" => version,
            _ => version.strip_prefix(prefix)?.strip_prefix(['.', '-'])?,
        };
        let rest = if threads {
            rest.strip_suffix('t')?
        } else {
            rest
        };
        rest.split(['.', '-'])
            .map(|part| part.trim_start_matches('v').parse().ok())
            .collect()
    };
    fs::read_dir(directory)
        .ok()?
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter_map(|version| Some((numbers(&version)?, version)))
        .max()
        .map(|(_, version)| version)
}

/// The words of a version file of pyenv, comments left out.
fn words(file: &Path) -> Vec<String> {
    read(file)
        .lines()
        .filter(|line| !line.trim_start().starts_with('#'))
        .flat_map(str::split_whitespace)
        .map(str::to_owned)
        .collect()
}

/// The versions of Python that a `.tool-versions` or a TOML file names, `None` where it says nothing of Python.
fn configured(file: &Path) -> Option<Vec<String>> {
    let text = read(file);
    let versions: Vec<String> = if file
        .extension()
        .is_some_and(|extension| extension == "toml")
    {
        // Of TOML just the documented forms: `python = "3.12"`, `["3.12", "3.11"]`, `{ version = "3.12" }`.
        let mut in_tools = false;
        let line = text.lines().map(str::trim).find(|line| {
            if line.starts_with('[') {
                in_tools = *line == "[tools]";
            }
            in_tools
                && line
                    .split_once('=')
                    .is_some_and(|(key, _)| key.trim().trim_matches('"') == "python")
        })?;
        let (_, value) = line.split_once('=')?;
        let value = value.trim();
        let value = match value.strip_prefix('{') {
            Some(table) => table.split_once("version")?.1,
            None => value,
        };
        let strings = value.split('"').skip(1).step_by(2).map(str::to_owned);
        if value.starts_with('[') {
            strings.collect()
        } else {
            strings.take(1).collect()
        }
    } else {
        let line = text
            .lines()
            .map(|line| line.split('#').next().unwrap_or_default())
            .find_map(|line| {
                let mut words = line.split_whitespace();
                matches!(words.next()?, "python").then(|| words.map(str::to_owned).collect())
            });
        line?
    };
    Some(versions)
}

fn read(file: &Path) -> String {
    // What can't be read says nothing.
    let bytes = regular::beginning(file, 64 * 1024).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
#[path = "shims_tests.rs"]
mod shims_tests;
