//! Launches and plans. A launch is named by its content, so what lies there under its name is compared with what belongs
//! there, byte for byte; nothing that holds is ever replaced. The launch pack beside it, which Python has written, is
//! believed in the boot that wrote it, or once it is known to be on disk (`boot_id`).

use std::path::{Path, PathBuf};

use pexboot_core::hex::hex;
use pexboot_core::plan::{Plan, Plans};

use super::error::at;
use super::kind::place;
use super::publish::make_parent;
use super::stage::Staged;
use super::{BootId, IMPORTING, Kind, Store, StoreError, Tree, tmp};

/// The files of a launch besides the boot, which has the application's name.
pub const LAUNCH_FILES: [&str; 5] = ["data", "shipped", PACK, IMPORTING, BOOT_ID];
const PACK: &str = "pack";
const BOOT_ID: &str = "boot_id";

impl Store {
    /// The launch `name` with these files, made where it is missing, with an empty file `marker` then; `None` where it is
    /// missing and there is no lasting root.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn launch(
        &self,
        name: &str,
        files: &[(&str, &[u8])],
        marker: Option<&str>,
    ) -> Result<Option<PathBuf>, StoreError> {
        let there = self.readable.iter();
        let mut there = there.map(|root| place(root, Kind::Launches, name));
        if let Some(found) = there.find(|launch| holds(launch, files)) {
            return Ok(Some(found));
        }
        // Where nothing lasts, nothing is made for the launch alone.
        let Some(root) = self.written().filter(|_| !self.looks) else {
            return Ok(None);
        };
        self.sweep(root);
        let launch = place(root, Kind::Launches, name);
        if launch.symlink_metadata().is_ok() {
            if holds(&launch, files) {
                self.adopt(&launch)?;
                return Ok(Some(launch));
            }
            self.discarded_now(&launch);
            self.set_aside(Kind::Launches, name)?;
        }
        // It takes less time to make one than to wait for another.
        let mut staged = Staged::directory(&tmp(root), self.boot).map_err(at(&tmp(root)))?;
        let mut tree = Tree::new(staged.path()).map_err(at(staged.path()))?;
        let boot: (&str, &[u8]) = (BOOT_ID, &self.boot.0);
        let marker = marker.map(|marker| (marker, &b""[..]));
        for (name, bytes) in files.iter().copied().chain([boot]).chain(marker) {
            tree.write(name, bytes, false)
                .map_err(at(&launch.join(name)))?;
        }
        make_parent(&launch)?;
        match staged.publish(&launch) {
            Ok(()) => Ok(Some(launch)),
            // Another start has made it meanwhile.
            Err(_) if holds(&launch, files) => Ok(Some(launch)),
            Err(error) => Err(at(&launch)(error)),
        }
    }

    /// Takes over a launch that an earlier boot, or a start that has met damage, may have left with half a pack.
    fn adopt(&self, launch: &Path) -> Result<(), StoreError> {
        let wrote = crate::regular::read(&launch.join(BOOT_ID)).unwrap_or_default();
        let wrote = <[u8; 16]>::try_from(wrote.as_slice()).map(BootId);
        if wrote.is_ok_and(|boot| self.is_sure_of(boot)) && !self.distrust {
            return Ok(());
        }
        // Where it can't be removed there is none, or Python finds out.
        let _ = std::fs::remove_file(launch.join(PACK));
        self.write(&launch.join(BOOT_ID), &self.boot.0)
    }

    /// Notes that the launches of this boot are on disk, packs included, once they are.
    pub(super) fn settle_launches(&self, root: &Path) -> Result<(), StoreError> {
        let launches = std::fs::read_dir(place(root, Kind::Launches, ""));
        for launch in launches.into_iter().flatten().flatten() {
            let note = launch.path().join(BOOT_ID);
            if crate::regular::read(&note).is_ok_and(|boot| boot == self.boot.0) {
                self.write(&note, &BootId::ON_DISK.0)?;
            }
        }
        Ok(())
    }

    /// The plans of that key in the root that is written to; none where there is no such root.
    #[must_use]
    pub fn plans(&self, key: &[u8; 32]) -> Vec<Plan> {
        let Some(root) = self.lasting() else {
            return Vec::new();
        };
        let bytes = crate::regular::read(&place(root, Kind::Plans, &hex(key)));
        Plans::of(&bytes.unwrap_or_default()).collect()
    }
}

/// Whether these files lie there, and are what they should be.
fn holds(launch: &Path, files: &[(&str, &[u8])]) -> bool {
    files.iter().all(|(name, bytes)| {
        crate::regular::read(&launch.join(name)).is_ok_and(|found| found == *bytes)
    })
}
