//! File systems that XARs leave mounted: they go when the measurement is over, not a quarter of an hour later.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use pexboot::internals::bench::mount_seed;

/// All mounts that were made for places below a directory; unmounted with the value.
pub struct Mounts {
    seed: String,
}

impl Mounts {
    /// Those for places below `scratch`.
    pub fn below(scratch: &Path) -> Mounts {
        Mounts {
            seed: mount_seed(scratch),
        }
    }
}

impl Drop for Mounts {
    fn drop(&mut self) {
        let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
        let ours = mounts
            .lines()
            .filter_map(|line| line.split(' ').nth(1))
            .filter(|directory| directory.contains(&self.seed));
        for directory in ours {
            // What cannot be unmounted goes by itself, later.
            let _ = Command::new("umount")
                .arg(directory)
                .stderr(Stdio::null())
                .status();
        }
    }
}
