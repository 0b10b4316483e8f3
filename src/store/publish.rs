//! Publishing: built in `tmp/`, moved to its place whole.

use std::fs::DirBuilder;
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::errno::Errno;

use super::error::at;
use super::lock::{self, Lock, Turn};
use super::manifest::{self, Manifest};
use super::patience;
use super::stage::{self, Staged};
use super::{Fill, FillError, Kind, Noted, Store, StoreError, place, tmp};

/// Waiting longer for what takes milliseconds is waiting in vain.
const SHORTLY: Duration = Duration::from_secs(3);

/// The turn to make something that other processes may want to make too, until it is dropped.
#[derive(Debug)]
pub struct Work(#[expect(dead_code, reason = "held, not looked at")] Option<Lock>);

impl Store {
    /// The entry `name` of `kind`, made by `fill` when it is missing: `fill` gets the path of a fresh empty directory in
    /// `tmp/`, and what it leaves there is published by rename. Of several at once one does the work (lock permitting);
    /// a name may hold one `/` (`SHA256/NAME.whl`).
    ///
    /// # Errors
    /// When `fill` fails (nothing is published, the space is given back) or the system refuses.
    pub fn directory(
        &self,
        kind: Kind,
        name: &str,
        fill: &mut Fill<'_>,
    ) -> Result<PathBuf, StoreError> {
        self.directory_noted(kind, name, &mut |path| fill(path).map(|()| None))
    }

    /// As [`Store::directory`], with a `fill` that may know every file it has written, so that nobody has to look.
    ///
    /// # Errors
    /// As [`Store::directory`].
    pub fn directory_noted(
        &self,
        kind: Kind,
        name: &str,
        fill: &mut dyn FnMut(&Path) -> Result<Option<Noted>, FillError>,
    ) -> Result<PathBuf, StoreError> {
        if let Some(path) = self.find(kind, name) {
            return Ok(path);
        }
        let root = self.writable()?;
        let lock = lock::path(root, kind, Path::new(name));
        let found = || self.find(kind, name);
        let _lock = match lock::acquire(lock, &patience::OURS, Duration::MAX, found) {
            Turn::Done(path) => return Ok(path),
            Turn::Work(lock) => lock,
        };
        self.sweep(root);
        let mut staged = Staged::directory(&tmp(root), self.boot).map_err(at(&tmp(root)))?;
        let noted = fill(staged.path())?;
        let target = place(root, kind, name);
        make_parent(&target)?;
        if kind.has_manifest() {
            let manifest = match noted {
                Some(noted) => Manifest::of_noted(noted, self.boot),
                None => {
                    Manifest::of_directory(staged.path(), self.boot).map_err(at(staged.path()))?
                }
            };
            self.write(&manifest::path_of(&target), &manifest.encode())?;
        }
        match staged.publish(&target) {
            Ok(()) => Ok(target),
            // Someone was faster; or what is there is no entry and goes.
            Err(error) => match self.find(kind, name) {
                Some(path) => Ok(path),
                None if is_occupied(&error) => {
                    stage::discard(&target, &tmp(root), self.boot).map_err(at(&target))?;
                    staged.publish(&target).map_err(at(&target))?;
                    Ok(target)
                }
                None => Err(at(&target)(error)),
            },
        }
    }

    /// The turn to make the entry `name` of `kind`; `None` when another process had it and `done` says that it is made. Whoever
    /// has waited for a few seconds gets one all the same.
    pub fn turn(&self, kind: Kind, name: &str, done: &mut dyn FnMut() -> bool) -> Option<Work> {
        let Some(root) = &self.lasting else {
            return Some(Work(None));
        };
        let path = lock::path(root, kind, Path::new(name));
        match lock::acquire(path, &patience::OURS, SHORTLY, || done().then_some(())) {
            Turn::Done(()) => None,
            Turn::Work(lock) => Some(Work(lock)),
        }
    }

    /// The turn to make an entry that only later starts need, without waiting; `None` when another process has it, or
    /// nothing is kept for later starts.
    #[must_use]
    pub fn turn_now(&self, kind: Kind, name: &str) -> Option<Work> {
        let root = self.lasting()?;
        lock::attempt(lock::path(root, kind, Path::new(name))).map(Work)
    }

    /// Publishes `bytes` as the file `name` of `kind`, replacing what is there.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn file(&self, kind: Kind, name: &str, bytes: &[u8]) -> Result<PathBuf, StoreError> {
        let root = self.writable()?;
        let target = place(root, kind, name);
        make_parent(&target)?;
        self.write(&target, bytes)?;
        Ok(target)
    }

    /// Publishes an executable file (the engine), as [`Store::file`], where `write` finds what it has written to be right.
    ///
    /// # Errors
    /// When the system refuses, or `write` fails: nothing is published then.
    pub fn executable(
        &self,
        kind: Kind,
        name: &str,
        write: &mut dyn FnMut(&mut dyn Write) -> io::Result<bool>,
    ) -> Result<(), StoreError> {
        let root = self.writable()?;
        let target = place(root, kind, name);
        make_parent(&target)?;
        self.write_by(&target, true, write)
    }

    /// Writes a file beside its place and moves it there.
    pub(super) fn write(&self, target: &Path, bytes: &[u8]) -> Result<(), StoreError> {
        self.write_by(target, false, &mut |file| {
            file.write_all(bytes).map(|()| true)
        })
    }

    fn write_by(
        &self,
        target: &Path,
        executable: bool,
        write: &mut dyn FnMut(&mut dyn Write) -> io::Result<bool>,
    ) -> Result<(), StoreError> {
        let root = self.writable()?;
        self.sweep(root);
        let mut staged = Staged::file(&tmp(root), self.boot, executable).map_err(at(&tmp(root)))?;
        if !write(&mut staged.handle()).map_err(at(target))? {
            return Ok(());
        }
        match staged.publish(target) {
            Err(error) if is_occupied(&error) => {
                stage::discard(target, &tmp(root), self.boot).map_err(at(target))?;
                staged.publish(target).map_err(at(target))
            }
            other => other.map_err(at(target)),
        }
    }

    /// Removes what killed processes left, once.
    pub(super) fn sweep(&self, root: &Path) {
        self.swept.call_once(|| stage::sweep(&tmp(root), self.boot));
    }
}

/// Makes the directories above an entry.
pub(super) fn make_parent(target: &Path) -> Result<(), StoreError> {
    let Some(parent) = target.parent() else {
        return Ok(());
    };
    DirBuilder::new()
        .recursive(true)
        .mode(0o755)
        .create(parent)
        .map_err(at(parent))
}

/// Whether a rename failed because something stands at the target.
fn is_occupied(error: &io::Error) -> bool {
    let errno = error.raw_os_error().map(Errno::from_raw);
    matches!(
        errno,
        Some(Errno::EEXIST | Errno::ENOTEMPTY | Errno::ENOTDIR | Errno::EISDIR)
    )
}
