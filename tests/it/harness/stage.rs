//! The machine on which one PEX runs: a temporary directory with a home, a working directory and an empty cache.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::{Start, Way};
use crate::fixtures::Built;

/// The embedding command line under test.
pub const PEXBOOT: &str = env!("CARGO_BIN_EXE_pexboot");

/// A fresh machine with one PEX in its working directory.
///
/// ```text
/// BOX/home/            HOME, and so the place of the cache
/// BOX/work/app.pex     the PEX; the working directory
/// BOX/tmp/             TMPDIR
/// ```
#[derive(Debug)]
pub struct Stage {
    /// How the PEX is started here.
    pub way: Way,
    /// The PEX, ready to be started.
    pub pex: PathBuf,
    root: TempDir,
}

impl Stage {
    /// A fresh machine with this PEX as `app.pex`.
    pub fn new(way: Way, pex: &Built) -> Stage {
        Stage::named(way, pex, "app.pex")
    }

    /// The same under another file name.
    pub fn named(way: Way, pex: &Built, name: &str) -> Stage {
        Stage::attempt(way, pex, name).unwrap_or_else(|message| panic!("{message}"))
    }

    /// The same for a file that `embed` may refuse.
    ///
    /// # Errors
    /// What `embed` said.
    pub fn attempt(way: Way, pex: &Built, name: &str) -> Result<Stage, String> {
        let root = tempfile::Builder::new()
            .prefix("pexboot-")
            .tempdir()
            .unwrap();
        for directory in ["home", "work", "tmp"] {
            fs::create_dir(root.path().join(directory)).unwrap();
        }
        let stage = Stage {
            way,
            pex: root.path().join("work").join(name),
            root,
        };
        stage.try_place(pex, &stage.pex)?;
        Ok(stage)
    }

    /// Puts one more PEX onto this machine, the same way.
    ///
    /// Another process writes it: a file that this one had open for writing could not be executed while any other
    /// test's child still holds the descriptor.
    pub fn place(&self, pex: &Built, to: &Path) {
        self.try_place(pex, to)
            .unwrap_or_else(|message| panic!("{message}"));
    }

    fn try_place(&self, pex: &Built, to: &Path) -> Result<(), String> {
        // A directory has no head that could be replaced; it is run as it is (`pexboot run`).
        let embed = self.way == Way::Embedded && pex.path.is_file();
        let mut command = if embed {
            let mut command = Command::new(PEXBOOT);
            command.arg("embed").arg(&pex.path).arg("-o").arg(to);
            command.env("HOME", self.home());
            command
        } else {
            let mut command = Command::new("/bin/cp");
            command
                .arg("-R")
                .arg("--preserve=mode")
                .arg(&pex.path)
                .arg(to);
            command
        };
        let output = command.stdin(Stdio::null()).output().unwrap();
        let message = String::from_utf8_lossy(&output.stderr);
        if output.status.success() {
            Ok(())
        } else {
            Err(format!("{command:?}: {}\n{message}", output.status))
        }
    }

    /// The start of the PEX.
    pub fn start(&self) -> Start<'_> {
        Start::new(self)
    }

    /// A path on this machine.
    pub fn path(&self, relative: &str) -> PathBuf {
        self.root.path().join(relative)
    }

    /// The machine's own directory, links resolved.
    pub fn root(&self) -> PathBuf {
        self.root.path().canonicalize().unwrap()
    }

    /// The home directory.
    pub fn home(&self) -> PathBuf {
        self.path("home")
    }

    /// Writes a file, with the directories above it.
    pub fn write(&self, relative: &str, text: &str) -> PathBuf {
        let path = self.path(relative);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    /// Writes an executable script; by another process, see [`Stage::place`].
    pub fn script(&self, relative: &str, text: &str) -> PathBuf {
        let draft = self.write(&format!("{relative}.draft"), text);
        let path = self.path(relative);
        fs::set_permissions(&draft, fs::Permissions::from_mode(0o755)).unwrap();
        assert!(
            Command::new("/bin/cp")
                .arg(&draft)
                .arg(&path)
                .status()
                .unwrap()
                .success()
        );
        fs::remove_file(&draft).unwrap();
        path
    }

    /// A directory in which the Pythons are found as `pythonX.Y`.
    pub fn bin(&self, relative: &str, pythons: &[&super::pythons::Python]) -> PathBuf {
        let directory = self.path(relative);
        fs::create_dir_all(&directory).unwrap();
        for python in pythons {
            symlink(&python.path, directory.join(python.name())).unwrap();
        }
        directory
    }

    /// Every file under the cache directories of this machine, relative to them.
    pub fn cached_files(&self) -> Vec<PathBuf> {
        let cache = self.home().join(".cache");
        if !cache.exists() {
            return Vec::new();
        }
        crate::fixtures::files_below(&cache)
            .into_iter()
            .map(|file| file.strip_prefix(&cache).unwrap().to_path_buf())
            .collect()
    }
}
