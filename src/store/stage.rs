//! Work in progress: what is built in `tmp/` before it is published, and the removal of what killed processes left there.
//!
//! A staged thing is named `BOOT-PID-COUNTER-RANDOM` and its owner holds a lock on it as long as it works, so that a
//! sweeper can tell leftovers from work in any pid namespace. Where locks do not work, and for things of another boot (or
//! another machine that shares the root), age decides. A sweeper never looks outside `tmp/`.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use fs2::FileExt;

use super::BootId;
use super::lock::is_held;

/// After this long, work that cannot be asked whether it goes on has ended.
const ABANDONED: Duration = Duration::from_secs(24 * 60 * 60);

/// A directory or file in `tmp/`, removed when dropped unless it was moved to its place.
#[derive(Debug)]
pub(super) struct Staged {
    path: PathBuf,
    /// The thing itself, locked where locks work.
    file: File,
}

impl Staged {
    /// A fresh empty directory.
    pub(super) fn directory(tmp: &Path, boot: BootId) -> io::Result<Staged> {
        Staged::new(tmp, boot, |path| {
            DirBuilder::new().mode(0o755).create(path)?;
            OpenOptions::new()
                .read(true)
                .custom_flags(nix::libc::O_NOFOLLOW)
                .open(path)
        })
    }

    /// A fresh empty file; `executable` asks for the x bits.
    pub(super) fn file(tmp: &Path, boot: BootId, executable: bool) -> io::Result<Staged> {
        let mode = if executable { 0o755 } else { 0o644 };
        Staged::new(tmp, boot, |path| {
            OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(mode)
                .open(path)
        })
    }

    fn new(
        tmp: &Path,
        boot: BootId,
        make: impl Fn(&Path) -> io::Result<File>,
    ) -> io::Result<Staged> {
        // A sweeper may come between making and locking; then another name is taken. Twice in a row is no accident.
        let mut attempts = 0;
        loop {
            attempts += 1;
            let path = tmp.join(fresh_name(boot));
            let file = match make(&path) {
                Ok(file) => file,
                Err(error)
                    if error.kind() == io::ErrorKind::NotFound && tmp.exists() && attempts < 8 =>
                {
                    continue;
                }
                Err(error) => return Err(error),
            };
            let staged = Staged { path, file };
            match staged.file.try_lock_exclusive() {
                Err(error) if is_held(&error) && attempts < 8 => continue,
                _ => {}
            }
            if staged.file.metadata()?.nlink() > 0 || attempts >= 8 {
                return Ok(staged);
            }
        }
    }

    /// Where it is now.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The open file, to write to.
    pub(super) fn handle(&self) -> &File {
        &self.file
    }

    /// Moves it to its place. On failure it is still here.
    pub(super) fn publish(&mut self, target: &Path) -> io::Result<()> {
        std::fs::rename(&self.path, target)?;
        // Nothing is left to remove.
        self.path = PathBuf::new();
        Ok(())
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if !self.path.as_os_str().is_empty() {
            // What cannot be removed now is swept later.
            let _ = remove(&self.path);
        }
    }
}

/// Moves whatever is at `path` out of the way and removes it.
///
/// Where it cannot be moved (a lower layer of overlayfs, EXDEV), it is removed where it is.
pub(super) fn discard(path: &Path, tmp: &Path, boot: BootId) -> io::Result<()> {
    let aside = tmp.join(fresh_name(boot));
    match std::fs::rename(path, &aside) {
        Ok(()) => {
            // It is out of the way; what cannot be removed now is swept later.
            let _ = remove(&aside);
            Ok(())
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::CrossesDevices => remove(path),
        Err(error) => Err(error),
    }
}

/// Removes a file or a whole directory, following no link.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    let result = match std::fs::symlink_metadata(path) {
        Ok(status) if status.is_dir() => std::fs::remove_dir_all(path),
        Ok(_) => std::fs::remove_file(path),
        Err(error) => Err(error),
    };
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Removes what dead processes left in `tmp`.
pub(super) fn sweep(tmp: &Path, boot: BootId) {
    let Ok(entries) = std::fs::read_dir(tmp) else {
        return;
    };
    let prefix = prefix(boot);
    for entry in entries.flatten() {
        let path = entry.path();
        let local = entry
            .file_name()
            .as_encoded_bytes()
            .starts_with(prefix.as_bytes());
        if let Some(_lock) = abandoned(&path, local) {
            let _ = remove(&path);
        }
    }
}

/// What the name of an engine begins with that a stub wrote because it could not run it from memory (stub/src/engine.rs).
const ENGINE: &str = "engine-";
/// Writing an engine and becoming it takes no longer.
const WRITTEN: Duration = Duration::from_secs(60);

/// Removes the file that this process runs from, where a stub has put it into `tmp/` for this start alone.
pub(super) fn remove_own_copy() {
    let Ok(path) = std::fs::read_link("/proc/self/exe") else {
        return;
    };
    let in_tmp = path
        .parent()
        .is_some_and(|parent| parent.ends_with(super::tmp(Path::new(""))));
    if in_tmp && is_engine(&path) {
        // Swept later, where it cannot be removed now.
        let _ = std::fs::remove_file(&path);
    }
}

fn is_engine(path: &Path) -> bool {
    path.file_name()
        .is_some_and(|name| name.as_encoded_bytes().starts_with(ENGINE.as_bytes()))
}

/// Whether nobody works at the thing any more; `local` when it was made in this boot of this machine.
///
/// What comes back is to be kept until the thing is removed: its lock, where there is one. Let go before, it could be taken
/// by whoever has just made the thing, who would then work at what is being removed.
fn abandoned(path: &Path, local: bool) -> Option<Option<File>> {
    let status = std::fs::symlink_metadata(path).ok()?;
    let age = status
        .modified()
        .ok()
        .and_then(|modified| SystemTime::now().duration_since(modified).ok());
    let old = age.is_some_and(|age| age > ABANDONED).then_some(None);
    if status.is_file() && is_engine(path) {
        // A program that runs cannot be opened for writing (ETXTBSY).
        let mut writing = OpenOptions::new();
        writing.write(true).custom_flags(nix::libc::O_NOFOLLOW);
        let gone = age.is_some_and(|age| age > WRITTEN) && writing.open(path).is_ok();
        return gone.then_some(None);
    }
    if !status.is_dir() && !status.is_file() {
        return old;
    }
    // O_NONBLOCK: a fifo that took the name meanwhile must not hold us up.
    let flags = nix::libc::O_NOFOLLOW | nix::libc::O_NONBLOCK;
    let Ok(file) = OpenOptions::new().read(true).custom_flags(flags).open(path) else {
        return old;
    };
    match file.try_lock_exclusive() {
        Ok(()) if local || old.is_some() => Some(Some(file)),
        Err(error) if !is_held(&error) => old,
        _ => None,
    }
}

/// What every name of this boot begins with.
fn prefix(boot: BootId) -> String {
    format!("{}-", pexboot_core::hex::hex(&boot.0[..4]))
}

/// A name that nothing in `tmp/` has.
pub(super) fn fresh_name(boot: BootId) -> String {
    use std::hash::{BuildHasher, Hasher};
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let counter = COUNTER.fetch_add(1, Ordering::Relaxed);
    // Seeded by the system at random: two containers may well have the same pid.
    let mut hasher = std::hash::RandomState::new().build_hasher();
    hasher.write_u64(counter);
    hasher.write_u128(
        SystemTime::UNIX_EPOCH
            .elapsed()
            .map_or(0, |elapsed| elapsed.as_nanos()),
    );
    format!(
        "{}{}-{counter}-{:016x}",
        prefix(boot),
        std::process::id(),
        hasher.finish()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A start lost its fresh file to a sweeper that had locked it, found it abandoned, and let go before removing it.
    #[test]
    fn what_is_about_to_be_swept_stays_locked_until_it_is_gone() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("fresh");
        let file = File::create(&path).unwrap();
        let lock = abandoned(&path, true);
        assert!(matches!(lock, Some(Some(_))));
        assert!(
            file.try_lock_exclusive()
                .is_err_and(|error| is_held(&error))
        );
    }
}
