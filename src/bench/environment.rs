//! The environment of every measured run: the same few variables for all, everything that packagers cache below one
//! directory per run (cold) or per command (warm), and a padding of random length.
//!
//! Nothing else of the caller's environment gets through: `PYTHONDONTWRITEBYTECODE` makes every start compile,
//! `PYTHONUNBUFFERED` makes every print a write, a `PEX_*` changes what the PEX does.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::BenchError;

/// Variables of the caller that a run may see.
const KEPT: [&str; 6] = [
    "PATH",
    "USER",
    "LOGNAME",
    "TZ",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
];

/// What launchers take for their cache, and what each is set to below the run's place.
const PLACED: [(&str, &str); 5] = [
    ("HOME", "home"),
    ("TMPDIR", "tmp"),
    ("XDG_CACHE_HOME", "cache"),
    ("PEX_ROOT", "pex"),
    ("SHIV_ROOT", "shiv"),
];

/// XAR mounts where it wants to, under a name that holds this: another for each place.
const MOUNT_SEED: &str = "XAR_MOUNT_SEED";

/// The padding's name; an application has no reason to look at it.
const PADDING: &str = "BENCH_RANDOM_PADDING";

/// The longest padding in bytes: a page, as the stack's alignment repeats by then.
pub(super) const MAX_PADDING: usize = 4096;

/// The variables that all compared commands get.
#[derive(Debug, Clone)]
pub struct Environment {
    variables: Vec<(OsString, OsString)>,
}

impl Environment {
    /// The caller's `PATH`, user and time zone, UTF-8 as the locale, and nothing else.
    #[must_use]
    pub fn clean() -> Environment {
        let mut environment = Environment {
            variables: Vec::new(),
        };
        environment.set("LC_ALL", "C.UTF-8");
        for name in KEPT {
            if let Some(value) = std::env::var_os(name) {
                environment.set(name, value);
            }
        }
        environment
    }

    /// Sets a variable for every run; it wins over those that are set below the run's place.
    pub fn set(&mut self, name: impl Into<OsString>, value: impl Into<OsString>) {
        let name = name.into();
        self.variables.retain(|(other, _)| *other != name);
        self.variables.push((name, value.into()));
    }

    /// The value of a variable, if it is the same for every run.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&OsStr> {
        self.variables
            .iter()
            .find(|(other, _)| other == name)
            .map(|(_, value)| value.as_os_str())
    }

    /// Gives `command` this environment with its caches below `place`, and `padding` bytes of padding.
    pub(super) fn apply(&self, command: &mut Command, place: &Path, padding: usize) {
        command.env_clear();
        for (name, directory) in PLACED {
            command.env(name, place.join(directory));
        }
        command.env(MOUNT_SEED, mount_seed(place));
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command.env(PADDING, "x".repeat(padding));
    }

    /// The file that a command line's first word means: itself when it holds a `/`, else the first on `PATH`.
    #[must_use]
    pub fn find_program(&self, word: &OsStr) -> Option<PathBuf> {
        let path = Path::new(word);
        if word.as_encoded_bytes().contains(&b'/') {
            return std::path::absolute(path).ok().filter(|path| path.exists());
        }
        std::env::split_paths(self.get("PATH")?)
            .map(|directory| directory.join(path))
            .find(|path| is_executable(path))
    }
}

/// A word without slashes that belongs to `place` alone.
#[must_use]
pub fn mount_seed(place: &Path) -> String {
    place
        .display()
        .to_string()
        .replace(|c: char| !c.is_ascii_alphanumeric(), "-")
}

/// Makes a place for the caches of one run or one command; it must not have existed. The caches themselves are left
/// to be made by who uses them.
pub(super) fn make_place(place: &Path) -> Result<(), BenchError> {
    for directory in [place.to_owned(), place.join("home"), place.join("tmp")] {
        fs::create_dir(&directory).map_err(BenchError::io(directory))?;
    }
    Ok(())
}

fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path)
        .is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen_by_a_run(environment: &Environment, padding: usize) -> String {
        let mut command = Command::new("/usr/bin/env");
        environment.apply(&mut command, Path::new("/place"), padding);
        String::from_utf8(command.output().unwrap().stdout).unwrap()
    }

    #[test]
    fn a_run_sees_its_place_and_nothing_of_the_caller() {
        let seen = seen_by_a_run(&Environment::clean(), 0);
        // A value may have several lines; those of names that are known have one.
        for line in seen.lines() {
            let name = line.split('=').next().unwrap_or_default();
            let known = KEPT.contains(&name) || PLACED.iter().any(|(placed, _)| *placed == name);
            assert!(
                known || ["LC_ALL", MOUNT_SEED, PADDING].contains(&name),
                "{line}"
            );
        }
        assert!(seen.lines().any(|line| line == "PEX_ROOT=/place/pex"));
        assert!(seen.lines().any(|line| line == "HOME=/place/home"));
    }

    #[test]
    fn what_is_set_wins_over_the_place() {
        let mut environment = Environment::clean();
        environment.set("HOME", "/mine");
        environment.set("HOME", "/ours");
        let seen = seen_by_a_run(&environment, 0);
        assert!(seen.lines().any(|line| line == "HOME=/ours"));
    }

    #[test]
    fn padding_changes_the_environments_size_by_its_length() {
        let environment = Environment::clean();
        assert_eq!(
            seen_by_a_run(&environment, 100).len(),
            seen_by_a_run(&environment, 0).len() + 100
        );
    }

    #[test]
    fn programs_are_found_on_the_runs_own_path() {
        let mut environment = Environment::clean();
        environment.set("PATH", "/nonexistent:/bin");
        assert_eq!(
            environment.find_program(OsStr::new("sh")),
            Some(PathBuf::from("/bin/sh"))
        );
        assert_eq!(
            environment.find_program(OsStr::new("no-such-program")),
            None
        );
        assert_eq!(
            environment.find_program(OsStr::new("/bin/sh")),
            Some(PathBuf::from("/bin/sh"))
        );
    }
}
