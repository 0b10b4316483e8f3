//! Finding what is published: in a seed or in the root, and whole.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

#[cfg(feature = "cli")]
use super::Listed;
use super::error::at;
use super::kind::place;
use super::manifest::{self, Manifest};
use super::{BootId, Kind, Store, StoreError, stage, tmp};

impl Store {
    /// Where the entry `name` of `kind` is complete: in a seed or in the root.
    ///
    /// What the running boot wrote, or what is known to be on disk, is complete when it is there; of anything else the
    /// sizes are compared with its manifest, and what fell short (a power cut) is set aside.
    #[must_use]
    pub fn find(&self, kind: Kind, name: &str) -> Option<PathBuf> {
        self.readable
            .iter()
            .map(|root| (root.as_path(), false))
            .chain(self.written().map(|root| (root, true)))
            .find_map(|(root, ours)| self.find_in(root, ours, kind, name))
    }

    /// As [`Store::find`], of an entry that others may have written to since, though they should not: a package manager goes
    /// through the links of a virtual environment. One of the root that is written to is set aside then (see
    /// [`Store::changed`]); each is looked at once.
    #[must_use]
    pub fn find_unchanged(&self, kind: Kind, name: &str) -> Option<PathBuf> {
        let path = self.find(kind, name)?;
        let ours = self
            .written()
            .is_some_and(|root| path == place(root, kind, name));
        if !ours || self.looks || !self.lock_checked().insert(path.clone()) {
            return Some(path);
        }
        let manifest = manifest::path_of(&path);
        let since = std::fs::metadata(&manifest).and_then(|status| status.modified());
        let (Ok(since), Ok(status)) = (since, std::fs::symlink_metadata(&path)) else {
            return Some(path);
        };
        if Manifest::read(&manifest).is_some_and(|manifest| manifest.is_changed(&path, since)) {
            self.discard_if_same(&path, status.ino());
            self.lock_changed().push(path);
            return None;
        }
        Some(path)
    }

    fn find_in(&self, root: &Path, ours: bool, kind: Kind, name: &str) -> Option<PathBuf> {
        let path = place(root, kind, name);
        let status = std::fs::symlink_metadata(&path).ok()?;
        if !kind.has_manifest() {
            // What else may lie there is replaced by what is published.
            let is_entry = match kind {
                Kind::Launches => status.is_dir(),
                _ => status.is_file(),
            };
            return is_entry.then_some(path);
        }
        let manifest = manifest::path_of(&path);
        let trusted = !self.distrust
            && status.is_dir()
            && manifest::boot_of(&manifest).is_some_and(|boot| self.is_sure_of(boot));
        if trusted {
            return Some(path);
        }
        match Manifest::read(&manifest).filter(|manifest| manifest.holds(&path)) {
            Some(whole) => {
                if ours && !self.distrust && !self.looks {
                    // It came through a boot whole, so it is on disk. A hint: failing to note it costs the next start
                    // the same check.
                    let _ = self.write(&manifest, &whole.on_disk().encode());
                }
                Some(path)
            }
            None => {
                if ours && !self.looks {
                    self.discard_if_same(&path, status.ino());
                }
                None
            }
        }
    }

    /// Whether what that boot wrote is whole when it is there.
    pub(super) fn is_sure_of(&self, boot: BootId) -> bool {
        boot == BootId::ON_DISK || (boot == self.boot && boot != BootId::UNKNOWN)
    }

    /// Whether every file of the published entry `name` of `kind` is there with its size; true for kinds that check
    /// themselves. Says nothing of entries that are not there.
    #[must_use]
    pub fn verify(&self, kind: Kind, name: &str) -> bool {
        let Some(path) = self.present(kind, name) else {
            return true;
        };
        !kind.has_manifest()
            || Manifest::read(&manifest::path_of(&path))
                .is_some_and(|manifest| manifest.holds(&path))
    }

    /// What the directory at `entry`, which has a manifest, consists of; `None` where that is missing or damaged. For a
    /// full check.
    #[cfg(feature = "cli")]
    pub(crate) fn listed(entry: &Path) -> Option<Vec<Listed>> {
        Some(Manifest::read(&manifest::path_of(entry))?.into_items())
    }

    /// Takes the entry `name` of `kind` out of the root, so that the next to ask makes it anew.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn set_aside(&self, kind: Kind, name: &str) -> Result<(), StoreError> {
        let root = self.writable()?;
        let path = place(root, kind, name);
        stage::discard(&path, &tmp(root), self.boot).map_err(at(&path))
    }

    /// Where the entry is present at all, complete or not.
    fn present(&self, kind: Kind, name: &str) -> Option<PathBuf> {
        self.readable
            .iter()
            .map(PathBuf::as_path)
            .chain(self.written())
            .map(|root| place(root, kind, name))
            .find(|path| path.symlink_metadata().is_ok())
    }

    /// Notes that what lies at `path` was found damaged.
    pub(super) fn discarded_now(&self, path: &Path) {
        self.lock_discarded().push(path.to_owned());
    }

    /// Sets aside what is at `path` unless another start has put something new there since it was judged.
    fn discard_if_same(&self, path: &Path, ino: u64) {
        let Some(root) = self.written() else { return };
        if std::fs::symlink_metadata(path).is_ok_and(|status| status.ino() == ino) {
            self.discarded_now(path);
            // Where this fails, publishing meets it again and says so.
            let _ = stage::discard(path, &tmp(root), self.boot);
        }
    }
}
