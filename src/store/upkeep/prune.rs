//! Taking out what has long been unused.
//!
//! 1. What is too old is chosen: plans by their stamps, anything else by its own and those of the plans that refer to it;
//!    then, while the rest is larger than it may be, the plans that were used longest ago with all that they alone need.
//!    What a process shows in `/proc`, and all that this needs, is spared.
//! 2. The plans that go are removed, so that no start begins by them any more; a second later, whoever has read one runs
//!    Python, and shows it. What is in use by then, or was prepared anew, is spared.
//! 3. Each entry is moved aside into `tmp/` under its lock; who holds that lock is about to publish it, and keeps it.
//! 4. `/proc` is looked at once more, and what has come into use meanwhile is moved back.
//! 5. What was moved aside stays there for a grace period, so that whoever has just looked at it can go on; a later prune
//!    (or a cold start after a day) removes it.
//!
//! A cold start looks once more at what its plan refers to before it executes it (`launch`), so what a prune pulled from
//! under it is made again. What is left of the race, microseconds, is mended as any damage is: by the boot.

use std::collections::{HashMap, HashSet};
use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use nix::fcntl::AT_FDCWD;
use nix::sys::stat::{UtimensatFlags, utimensat};
use nix::sys::time::TimeSpec;
use pexboot_core::paths::LOCKS;

use super::super::error::at;
use super::super::manifest::{self, Manifest};
use super::super::{BootId, FORMAT, Kind, Store, StoreError, lock, stage, tmp};
use super::catalogue::{Catalogue, Entry, File, is_manifest, modified, walk};
use super::in_use;

/// What may stay.
#[derive(Debug, Clone, Copy, Default)]
pub struct Limits {
    /// What was not used for so long goes.
    pub older_than: Option<Duration>,
    /// The root is to be no larger than so many bytes; what was used longest ago goes.
    pub max_size: Option<u64>,
    /// How long what was taken out still lies in `tmp/`.
    pub grace: Duration,
    /// Only say what would go.
    pub dry_run: bool,
}

/// What a prune did.
#[derive(Debug, Default)]
pub struct Pruned {
    /// What was taken out.
    pub gone: Vec<Entry>,
    /// What would have gone, had it not been in use.
    pub spared: Vec<Entry>,
    /// Bytes that were given back to the file system: what was taken out, once its grace is over.
    pub freed: u64,
}

impl Store {
    /// Takes out what is beyond `limits`, and what dead processes left.
    ///
    /// # Errors
    /// When the root cannot be read or written, or `/proc` does not say what is in use.
    pub fn prune(&self, limits: &Limits) -> Result<Pruned, StoreError> {
        let root = self.kept()?;
        let format = root.join(FORMAT);
        let now = SystemTime::now();
        let catalogue = self.catalogue()?;
        let used = self.in_use(&catalogue, &format)?;
        let chosen = choose(&catalogue, limits, now, &used);
        let of = |numbers: &[usize]| -> Vec<Entry> {
            numbers
                .iter()
                .map(|&number| catalogue.entries[number].clone())
                .collect()
        };
        let mut pruned = Pruned {
            spared: of(&chosen.spared),
            ..Pruned::default()
        };
        if limits.dry_run {
            pruned.gone = of(&chosen.go);
            return Ok(pruned);
        }
        let (plans, others): (Vec<usize>, Vec<usize>) = chosen
            .go
            .iter()
            .partition(|&&number| catalogue.entries[number].kind == Kind::Plans);
        let retired = of(&plans)
            .into_iter()
            .filter(|plans| retire(&format, plans));
        pruned.gone.extend(retired);
        if !pruned.gone.is_empty() {
            std::thread::sleep(UNDER_WAY);
        }
        // What has come into use meanwhile, or was prepared anew, stays.
        let later = self.catalogue()?;
        let mut staying = self.in_use(&later, &format)?;
        staying.extend(later.closure(
            (0..later.entries.len()).filter(|&number| later.entries[number].kind == Kind::Plans),
        ));
        // What plans have said of a launch counts while it runs, though they are gone.
        let running = self.in_use(&catalogue, &format)?;
        let mut moved = Vec::new();
        for number in others {
            let entry = &catalogue.entries[number];
            let now = later.index.get(&entry.place());
            if running.contains(&number) || now.is_some_and(|number| staying.contains(number)) {
                pruned.spared.push(entry.clone());
            } else if let Some(aside) = self.move_aside(root, entry)? {
                moved.push((number, aside));
            }
        }
        if !moved.is_empty() {
            let used = self.in_use(&catalogue, &format)?;
            for (number, aside) in moved {
                let entry = &catalogue.entries[number];
                if used.contains(&number) && self.put_back(&format, entry, &aside) {
                    pruned.spared.push(entry.clone());
                } else {
                    pruned.gone.push(entry.clone());
                }
            }
        }
        pruned.freed = remove_asides(root, limits.grace, now).map_err(at(&tmp(root)))?;
        stage::sweep(&tmp(root), self.boot);
        remove_orphans(&format, now);
        // What stays need not be looked at after the next boot. A hint: where it fails, sizes are compared then.
        let _ = self.settle();
        Ok(pruned)
    }

    /// The entries that processes show, and all that these need.
    fn in_use(&self, catalogue: &Catalogue, format: &Path) -> Result<HashSet<usize>, StoreError> {
        let shown = in_use::paths_below(format).map_err(at(Path::new("/proc")))?;
        Ok(catalogue.closure(
            shown
                .iter()
                .filter_map(|path| catalogue.containing(path, format)),
        ))
    }

    /// Moves an entry into `tmp/`; `None` where it is gone already or about to be published.
    fn move_aside(&self, root: &Path, entry: &Entry) -> Result<Option<Aside>, StoreError> {
        let format = root.join(FORMAT);
        let path = format.join(entry.place());
        let Some(_lock) = lock::attempt(lock::path(root, entry.kind, &entry.name)) else {
            return Ok(None);
        };
        let aside = tmp(root).join(aside_name(entry, self.boot));
        match std::fs::rename(&path, &aside) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            // A lower layer of overlayfs: its space could not be given back anyway.
            Err(error) if error.kind() == io::ErrorKind::CrossesDevices => return Ok(None),
            Err(error) => return Err(at(&path)(error)),
        }
        // Its grace begins now.
        let now = TimeSpec::UTIME_NOW;
        let _ = utimensat(
            AT_FDCWD,
            &aside,
            &now,
            &now,
            UtimensatFlags::NoFollowSymlink,
        );
        let manifest = manifest::path_of(&path);
        let vouched = Manifest::read(&manifest).filter(|_| entry.kind.has_manifest());
        if entry.kind.has_manifest() {
            let _ = std::fs::remove_file(&manifest);
        }
        if entry.kind == Kind::Wheels
            && let Some(parent) = path.parent()
        {
            // Stays where another wheel lies.
            let _ = std::fs::remove_dir(parent);
        }
        Ok(Some(Aside {
            path: aside,
            manifest: vouched,
        }))
    }

    /// Moves an entry back unless there is a new one by now.
    fn put_back(&self, format: &Path, entry: &Entry, aside: &Aside) -> bool {
        let path = format.join(entry.place());
        if path.symlink_metadata().is_ok() {
            return false;
        }
        if let Some(parent) = path.parent() {
            // Where this fails, so does the rename.
            let _ = std::fs::create_dir_all(parent);
        }
        if let Some(manifest) = &aside.manifest {
            let _ = self.write(&manifest::path_of(&path), &manifest.encode());
        }
        std::fs::rename(&aside.path, &path).is_ok()
    }
}

/// After this long a start that has read a plan has become Python, and shows in `/proc` what it runs.
const UNDER_WAY: Duration = Duration::from_secs(1);

/// Takes plans away, so that no start begins by them any more; whether they were there.
fn retire(format: &Path, plans: &Entry) -> bool {
    std::fs::remove_file(format.join(plans.place())).is_ok()
}

/// An entry that was moved aside.
struct Aside {
    path: PathBuf,
    manifest: Option<Manifest>,
}

/// What is to go, plans first, and what is spared because it is in use.
struct Choice {
    go: Vec<usize>,
    spared: Vec<usize>,
}

fn choose(
    catalogue: &Catalogue,
    limits: &Limits,
    now: SystemTime,
    used: &HashSet<usize>,
) -> Choice {
    let entries = &catalogue.entries;
    let mut old: Vec<usize> = Vec::new();
    if let Some(age) = limits.older_than {
        old.extend((0..entries.len()).filter(|&number| {
            // A clock that was set back makes nothing old.
            let unused = now.duration_since(entries[number].used);
            age.is_zero() || unused.is_ok_and(|unused| unused >= age)
        }));
    }
    let (spared, go): (Vec<usize>, Vec<usize>) =
        old.into_iter().partition(|number| used.contains(number));
    let mut going: HashSet<usize> = go.into_iter().collect();
    let mut spared = spared;
    if let Some(most) = limits.max_size {
        shrink(catalogue, most, used, &mut going, &mut spared);
    }
    // What a launch that stays refers to stays, whatever the stamps say.
    let staying = catalogue.closure(
        (0..entries.len())
            .filter(|number| entries[*number].kind == Kind::Plans && !going.contains(number)),
    );
    let mut go: Vec<usize> = going.difference(&staying).copied().collect();
    // The catalogue's order: plans, launches, then what needs others, then what others need.
    go.sort_unstable();
    Choice { go, spared }
}

/// Chooses what was used longest ago until the rest is small enough.
fn shrink(
    catalogue: &Catalogue,
    most: u64,
    used: &HashSet<usize>,
    going: &mut HashSet<usize>,
    spared: &mut Vec<usize>,
) {
    let entries = &catalogue.entries;
    // How many plans that stay need each entry.
    let mut needed = vec![0_u32; entries.len()];
    let plans = (0..entries.len()).filter(|&number| entries[number].kind == Kind::Plans);
    for plans in plans.filter(|plans| !going.contains(plans)) {
        for number in catalogue.closure([plans]) {
            needed[number] += 1;
        }
    }
    let mut order: Vec<usize> = (0..entries.len()).collect();
    // Of equal age the plans first: what they need was used no earlier, so its turn comes later.
    order.sort_by_key(|&number| (entries[number].used, number));
    let mut room = Room::of(catalogue, going);
    for number in order {
        if room.left <= most {
            break;
        }
        let is_plans = entries[number].kind == Kind::Plans;
        if going.contains(&number) || (needed[number] > 0 && !is_plans) {
            continue;
        }
        if used.contains(&number) {
            spared.push(number);
            continue;
        }
        if is_plans {
            for number in catalogue.closure([number]) {
                needed[number] -= 1;
            }
        }
        room.give_back(&entries[number]);
        going.insert(number);
    }
}

/// The bytes that stay. What several entries have hard links to stays until the last of them goes.
struct Room {
    left: u64,
    links: HashMap<File, usize>,
}

impl Room {
    fn of(catalogue: &Catalogue, going: &HashSet<usize>) -> Room {
        let mut room = Room {
            left: 0,
            links: HashMap::new(),
        };
        for (number, entry) in catalogue.entries.iter().enumerate() {
            if going.contains(&number) {
                continue;
            }
            room.left += entry.own;
            for (file, bytes) in &entry.shared {
                let links = room.links.entry(*file).or_default();
                *links += 1;
                room.left += if *links == 1 { *bytes } else { 0 };
            }
        }
        room
    }

    fn give_back(&mut self, entry: &Entry) {
        self.left = self.left.saturating_sub(entry.own);
        for (file, bytes) in &entry.shared {
            if let Some(links) = self.links.get_mut(file) {
                *links -= 1;
                self.left -= if *links == 0 { *bytes } else { 0 };
            }
        }
    }
}

/// What every name of something that was moved aside begins with.
const ASIDE: &str = "aside-";

/// A name in `tmp/` that nothing has.
fn aside_name(entry: &Entry, boot: BootId) -> OsString {
    let mut name = OsString::from(ASIDE);
    name.push(stage::fresh_name(boot));
    name.push("-");
    name.push(entry.kind.directory());
    name
}

/// Removes what was moved aside longer ago than `grace` and is not in use; gives the bytes.
fn remove_asides(root: &Path, grace: Duration, now: SystemTime) -> io::Result<u64> {
    let tmp = tmp(root);
    let shown = in_use::paths_below(&tmp)?;
    let mut freed = 0;
    for entry in std::fs::read_dir(&tmp)?.flatten() {
        let path = entry.path();
        let is_aside = entry.file_name().as_bytes().starts_with(ASIDE.as_bytes());
        let over = path.symlink_metadata().is_ok_and(|status| {
            now.duration_since(modified(&status))
                .is_ok_and(|age| age >= grace)
        }) || grace.is_zero();
        if is_aside && over && !shown.iter().any(|used| used.starts_with(&path)) {
            walk(&path, &mut |_, status| {
                if status.is_dir() || status.nlink() < 2 {
                    freed += status.blocks() * 512;
                }
            });
            stage::remove(&path)?;
        }
    }
    Ok(freed)
}

/// After this long a manifest without an entry, or a lock that nobody holds, has been forgotten.
const FORGOTTEN: Duration = Duration::from_secs(24 * 60 * 60);

/// Removes manifests whose entry is gone, and locks that killed processes left.
fn remove_orphans(format: &Path, now: SystemTime) {
    let old = |path: &Path| {
        path.symlink_metadata().is_ok_and(|status| {
            now.duration_since(modified(&status))
                .is_ok_and(|age| age > FORGOTTEN)
        })
    };
    let mut orphans = Vec::new();
    for kind in ["finders", "code", "bytecode", "sites", "venvs", "originals"] {
        manifests(&format.join(kind), &mut orphans);
    }
    for wheel in std::fs::read_dir(format.join("wheels"))
        .into_iter()
        .flatten()
        .flatten()
    {
        manifests(&wheel.path(), &mut orphans);
    }
    for path in orphans.into_iter().filter(|path| old(path)) {
        let _ = std::fs::remove_file(path);
    }
    for entry in std::fs::read_dir(format.join(LOCKS))
        .into_iter()
        .flatten()
        .flatten()
    {
        if old(&entry.path()) {
            // Taken and dropped, which removes it.
            drop(lock::attempt(entry.path()));
        }
    }
}

/// The manifests in a directory that have no entry beside them.
fn manifests(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        if is_manifest(&path) && path.with_extension("").symlink_metadata().is_err() {
            found.push(path);
        }
    }
}
