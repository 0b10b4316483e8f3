//! Putting it on record that entries are on disk, for roots that are carried elsewhere and starts after the next boot.

use std::fs::File;
use std::path::Path;

use super::error::at;
use super::kind::{WITH_MANIFEST, place};
use super::manifest::{self, Manifest};
use super::{BootId, Store, StoreError};

impl Store {
    /// Waits until everything in the root is on disk (`syncfs`) and notes that in the manifests of what this boot wrote,
    /// so that no later start compares sizes. What an earlier boot wrote is left to be compared.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn settle(&self) -> Result<(), StoreError> {
        let root = self.writable()?;
        // Seen before the data is synced, so that nothing newer is vouched for.
        let mut written = Vec::new();
        for kind in WITH_MANIFEST {
            // A name holds at most one `/`.
            manifests(&place(root, kind, ""), 1, &mut written);
        }
        let found: Vec<_> = written
            .into_iter()
            .filter(|path| manifest::boot_of(path) == Some(self.boot))
            .filter_map(|path| Some((Manifest::read(&path)?, path)))
            // Without a boot's number nobody knows who wrote it.
            .filter(|(manifest, path)| {
                self.boot != BootId::UNKNOWN || manifest.holds(&path.with_extension(""))
            })
            .collect();
        let directory = File::open(root).map_err(at(root))?;
        nix::unistd::syncfs(&directory).map_err(|errno| at(root)(errno.into()))?;
        self.settle_launches(root)?;
        for (manifest, path) in found {
            self.write(&path, &manifest.on_disk().encode())?;
        }
        Ok(())
    }
}

/// The manifests in a directory, and in those below it down to `depth`.
fn manifests(directory: &Path, depth: u32, found: &mut Vec<std::path::PathBuf>) {
    // A kind that has no directory has no entries.
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        let is_directory = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if !is_directory && path.extension().is_some_and(|end| end == "manifest") {
            found.push(path);
        } else if is_directory && depth > 0 && !manifest::path_of(&path).exists() {
            manifests(&path, depth - 1, found);
        }
    }
}
