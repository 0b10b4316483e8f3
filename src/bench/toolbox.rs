//! Setting up what is measured: virtual environments with pinned packages, kept between uses in a cache directory.
//!
//! Only this part of the program, at the command of `demo` or a benchmark, ever lets pip reach for the network.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::BenchError;
use super::session::tail;

/// Written last into a directory that was set up, with what it was made of; a directory whose note differs is not used.
const NOTE: &str = "complete";

/// A virtual environment that is complete.
#[derive(Debug, Clone)]
pub struct PythonEnvironment {
    directory: PathBuf,
}

impl PythonEnvironment {
    /// The environment at `directory` with what `requirements`, arguments of pip's, ask for installed for `python`;
    /// made when it is not there yet, made anew when it holds something else or was not finished.
    ///
    /// pip compiles what it installs, so that no measured run has to.
    ///
    /// # Errors
    /// When `python` has no venv module, or pip fails (without network, say).
    pub fn at(
        directory: &Path,
        python: &Path,
        requirements: &[&str],
    ) -> Result<PythonEnvironment, BenchError> {
        let environment = PythonEnvironment {
            directory: directory.to_owned(),
        };
        let contents = format!("{}\n{}\n", python.display(), requirements.join("\n"));
        if fs::read_to_string(directory.join(NOTE)).is_ok_and(|note| note == contents) {
            return Ok(environment);
        }
        if directory.exists() {
            fs::remove_dir_all(directory).map_err(BenchError::io(directory))?;
        }
        if !succeeds(&mut plain(python, ["-c", "import ensurepip, venv"])) {
            return Err(BenchError::NoVenv {
                python: python.to_owned(),
            });
        }
        execute(plain(python, ["-m", "venv"]).arg(directory))?;
        if !requirements.is_empty() {
            let pip = [
                "-m",
                "pip",
                "install",
                "--quiet",
                "--disable-pip-version-check",
            ];
            execute(plain(&environment.python(), pip).args(requirements))?;
        }
        write(&directory.join(NOTE), contents.as_bytes(), 0o644)?;
        Ok(environment)
    }

    /// Its interpreter.
    #[must_use]
    pub fn python(&self) -> PathBuf {
        self.script("python")
    }

    /// A console script in it.
    #[must_use]
    pub fn script(&self, name: &str) -> PathBuf {
        self.directory.join("bin").join(name)
    }
}

/// A command in this process's environment, less the variables that change what Python or pex do.
pub fn plain(program: &Path, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Command {
    let mut command = Command::new(program);
    command.args(args);
    for (name, _) in std::env::vars_os() {
        let name_bytes = name.as_encoded_bytes();
        if name_bytes.starts_with(b"PYTHON") || name_bytes.starts_with(b"PEX_") {
            command.env_remove(&name);
        }
    }
    command
}

/// Runs a step of setting up; its output is shown only when it fails.
///
/// # Errors
/// When it cannot be started or fails.
pub fn execute(command: &mut Command) -> Result<(), BenchError> {
    let what = line(command);
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(BenchError::io(command.get_program()))?;
    if output.status.success() {
        return Ok(());
    }
    let tail = tail(&[&output.stdout, &output.stderr]);
    Err(BenchError::SetUp {
        what,
        status: output.status.to_string(),
        tail,
    })
}

/// Embeds the PEX at `pex` with `program`, a `pexboot`, into a new file `out`.
///
/// # Errors
/// When that fails.
pub fn embed(program: &Path, pex: &Path, out: &Path, options: &[&str]) -> Result<(), BenchError> {
    execute(
        plain(program, ["embed"])
            .args(options)
            .arg("--output")
            .arg(out)
            .arg(pex),
    )
}

/// Makes what `make` makes at `path`, unless it is there already: built beside it and renamed, so that what is under
/// the final name is complete.
///
/// # Errors
/// Those of `make`, and when the result cannot be put in place.
pub fn once(
    path: &Path,
    make: impl FnOnce(&Path) -> Result<(), BenchError>,
) -> Result<(), BenchError> {
    if path.exists() {
        return Ok(());
    }
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(BenchError::io(path)(
            std::io::ErrorKind::InvalidInput.into(),
        ));
    };
    let work = parent.join(format!(".work-{}", std::process::id()));
    if work.exists() {
        fs::remove_dir_all(&work).map_err(BenchError::io(&work))?;
    }
    fs::create_dir_all(&work).map_err(BenchError::io(&work))?;
    let made = work.join(name);
    make(&made)?;
    match fs::rename(&made, path) {
        // Another process was making the same, and was faster.
        Err(_) if path.exists() => {}
        renamed => renamed.map_err(BenchError::io(path))?,
    }
    fs::remove_dir_all(&work).map_err(BenchError::io(&work))
}

/// Writes a file with that mode.
///
/// # Errors
/// When it cannot be written.
pub fn write(path: &Path, contents: &[u8], mode: u32) -> Result<(), BenchError> {
    fs::write(path, contents).map_err(BenchError::io(path))?;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(BenchError::io(path))
}

fn succeeds(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

fn line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let words: Vec<_> = words.map(OsStr::to_string_lossy).collect();
    format!("`{}`", words.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failing_step_is_told_with_its_last_words() {
        let error = execute(&mut plain(
            Path::new("/bin/sh"),
            ["-c", "echo why >&2; exit 3"],
        ))
        .unwrap_err();
        let message = error.to_string();
        assert!(
            message.contains("echo why")
                && message.contains("exit status: 3")
                && message.ends_with("  why"),
            "{message}"
        );
    }

    #[test]
    fn once_makes_once_and_leaves_no_work_behind() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("made");
        let failed = once(&path, |_| {
            Err(BenchError::NoVenv {
                python: PathBuf::new(),
            })
        });
        assert!(failed.is_err() && !path.exists());
        once(&path, |work| write(work, b"1", 0o755)).unwrap();
        once(&path, |work| write(work, b"2", 0o755)).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"1");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }
}
