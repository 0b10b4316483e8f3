//! The machine on which one PEX runs: a temporary directory with a home, a working directory and an empty cache.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::pythons::{self, Python, debian};
use super::{Start, Way, subject};
use crate::fixtures::Built;

/// The embedding command line under test.
pub const PEXBOOT: &str = env!("CARGO_BIN_EXE_pexboot");

/// A fresh machine with one PEX in its working directory.
///
/// ```text
/// BOX/home/            HOME, and so the place of the cache
/// BOX/work/app.pex     the PEX; the working directory
/// BOX/tmp/             TMPDIR
/// BOX/python/          the Python that a checklist item is about
/// ```
#[derive(Debug)]
pub struct Stage {
    /// How the PEX is started here.
    pub way: Way,
    /// The PEX, ready to be started.
    pub pex: PathBuf,
    /// `PATH`: the system's, before it the Python that a checklist item is about.
    pub search: String,
    hooks: Hooks,
    root: TempDir,
}

/// What of the machine's own Pythons is heeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hooks {
    /// Their hooks, as anywhere.
    Heeded,
    /// Nothing: a test must not depend on what this machine has installed there.
    LeftOut,
}

impl Stage {
    /// A fresh machine with this PEX as `app.pex`, on which the hooks of the host count whatever there are.
    pub fn with_hooks(way: Way, pex: &Built) -> Stage {
        Stage::made(way, pex, "app.pex", Hooks::Heeded)
            .unwrap_or_else(|message| panic!("{message}"))
    }

    /// The same on which none counts.
    pub fn without_hooks(way: Way, pex: &Built) -> Stage {
        Stage::made(way, pex, "app.pex", Hooks::LeftOut)
            .unwrap_or_else(|message| panic!("{message}"))
    }

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
        let hooks = if pythons::hooked() {
            Hooks::LeftOut
        } else {
            Hooks::Heeded
        };
        Stage::made(way, pex, name, hooks)
    }

    fn made(way: Way, pex: &Built, name: &str, hooks: Hooks) -> Result<Stage, String> {
        let root = tempfile::Builder::new()
            .prefix("pexboot-")
            .tempdir()
            .unwrap();
        for directory in ["home", "work", "tmp"] {
            fs::create_dir(root.path().join(directory)).unwrap();
        }
        let mut search = "/usr/bin:/bin".to_owned();
        if let Some(python) = subject::placed() {
            let directory = root.path().join("python");
            fs::create_dir(&directory).unwrap();
            symlink(&python.path, directory.join(python.name())).unwrap();
            search = format!("{}:{search}", directory.display());
        }
        let stage = Stage {
            way,
            pex: root.path().join("work").join(name),
            search,
            hooks,
            root,
        };
        stage.try_place(pex, &stage.pex)?;
        subject::starts(way);
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
        let (shebang_of, source) = match (subject::placed(), pex.path.is_file()) {
            (Some(python), true) => (None, self.started_by(python, &pex.path)),
            (placed, _) => (placed, pex.path.clone()),
        };
        let embed = self.way == Way::Embedded;
        if embed && source.is_file() {
            let mut command = self.embed();
            // Bytecode that comes along is made for one interpreter of this machine: `bytecode::` and `apps::` have it.
            command.arg("--no-compile").arg(&source);
            return done(command.arg("-o").arg(to));
        }
        let mut copy = Command::new("/bin/cp");
        copy.args(["-R", "--preserve=mode"]).arg(&source).arg(to);
        done(&mut copy)?;
        if let Some(python) = shebang_of {
            let line = format!("1s|^#!/usr/bin/env .*|#!/usr/bin/env {}|", python.name());
            let mut sed = Command::new("/bin/sed");
            done(sed.arg("-i").arg(line).arg(to.join("__main__.py")))?;
        }
        if embed {
            // The stub takes the place of the directory's `pex`.
            return done(self.embed().arg(to));
        }
        Ok(())
    }

    fn embed(&self) -> Command {
        let mut command = Command::new(PEXBOOT);
        command.env("HOME", self.home()).arg("embed");
        if self.hooks == Hooks::LeftOut {
            command.arg("--no-host-site");
        }
        command
    }

    /// A copy of the zip whose shebang line names this Python, of the same length, so that no offset changes.
    fn started_by(&self, python: &Python, pex: &Path) -> PathBuf {
        let mut bytes = fs::read(pex).unwrap();
        let old = format!("#!/usr/bin/env {}", debian().name());
        if bytes.starts_with(old.as_bytes()) && bytes[old.len()] == b'\n' {
            let new = format!(
                "#!/usr/bin/env {:>width$}",
                python.name(),
                width = debian().name().len()
            );
            bytes[..old.len()].copy_from_slice(new.as_bytes());
        }
        let draft = self.path("draft.pex");
        fs::write(&draft, bytes).unwrap();
        fs::set_permissions(&draft, fs::metadata(pex).unwrap().permissions()).unwrap();
        draft
    }

    /// A copy of the command that other users can reach: the clone may lie in a home that is its owner's alone.
    pub fn command_for_all(&self) -> PathBuf {
        let copy = self.path("pexboot");
        let copied = Command::new("/bin/cp").arg(PEXBOOT).arg(&copy).status();
        assert!(copied.unwrap().success());
        fs::set_permissions(&copy, fs::Permissions::from_mode(0o755)).unwrap();
        copy
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
            let link = directory.join(python.name());
            if !link.is_symlink() {
                symlink(&python.path, link).unwrap();
            }
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

/// Runs a command to its end.
fn done(command: &mut Command) -> Result<(), String> {
    let output = command.stdin(Stdio::null()).output().unwrap();
    if output.status.success() {
        return Ok(());
    }
    let message = String::from_utf8_lossy(&output.stderr);
    Err(format!("{command:?}: {}\n{message}", output.status))
}
