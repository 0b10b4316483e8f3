//! Everything a root holds, by application, size and last use.
//!
//! An entry counts as used when it was made, and whenever plans that refer to it were: the stub stamps the plans of a key
//! at most once a day. A plan refers to its launch and to what its inputs and its command name, and a site or virtual
//! environment to what its symbolic links lead to. What a plan refers to its launch needs.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::fs::{DirEntry, Metadata};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use pexboot_core::plan::{Input, Plan, Plans};

use crate::lexical::normal;

use super::super::{FORMAT, Kind, Store, StoreError, manifest, place};

/// Every kind of entry.
const KINDS: [Kind; 11] = [
    Kind::Plans,
    Kind::Launches,
    Kind::Venvs,
    Kind::Sites,
    Kind::Code,
    Kind::Bytecode,
    Kind::Wheels,
    Kind::Originals,
    Kind::Finders,
    Kind::Interpreters,
    Kind::Engine,
];

/// A file: device and inode.
pub(super) type File = (u64, u64);

/// A file that was started: its name, and what it holds.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Application {
    /// The name that it was started under.
    pub name: OsString,
    /// Fingerprint of its content.
    pub fingerprint: [u8; 32],
}

/// One published thing.
#[derive(Debug, Clone)]
pub struct Entry {
    /// What it is.
    pub kind: Kind,
    /// Its name below the kind's directory.
    pub name: PathBuf,
    /// Bytes on disk; what hard links share is counted once, in the entry that comes first.
    pub size: u64,
    /// When it was last used, as far as the root tells.
    pub used: SystemTime,
    /// The applications that use it.
    pub applications: BTreeSet<Application>,
    /// The entries that it needs.
    pub(super) needs: Vec<usize>,
    /// Bytes that nobody else has a hard link to: given back when it goes.
    pub(super) own: u64,
    /// Files with hard links, and their bytes: given back with the last entry that has one.
    pub(super) shared: Vec<(File, u64)>,
}

impl Entry {
    /// Where it is below the format's directory.
    #[must_use]
    pub fn place(&self) -> PathBuf {
        Path::new(self.kind.directory()).join(&self.name)
    }
}

/// What is in a root.
#[derive(Debug, Default)]
pub struct Catalogue {
    /// Plans first, then launches.
    pub entries: Vec<Entry>,
    /// Where each is, by `KIND/NAME`.
    pub(super) index: HashMap<PathBuf, usize>,
}

impl Store {
    /// Looks at everything in the root. What disappears meanwhile is left out.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn catalogue(&self) -> Result<Catalogue, StoreError> {
        let root = self.kept()?;
        let mut catalogue = Catalogue::default();
        for kind in KINDS {
            let depth = if matches!(kind, Kind::Wheels) { 1 } else { 0 };
            for name in names(&place(root, kind, ""), depth, kind.has_manifest())? {
                catalogue.add(kind, name);
            }
        }
        let format = root.join(FORMAT);
        let mut counted = HashSet::new();
        for number in 0..catalogue.entries.len() {
            catalogue.measure(number, &format, &mut counted);
        }
        for number in 0..catalogue.entries.len() {
            if catalogue.entries[number].kind == Kind::Plans {
                catalogue.refer(number, &format);
            }
        }
        for number in 0..catalogue.entries.len() {
            if catalogue.entries[number].kind == Kind::Plans {
                let used = catalogue.entries[number].used;
                let applications = catalogue.entries[number].applications.clone();
                for needed in catalogue.closure([number]) {
                    let entry = &mut catalogue.entries[needed];
                    entry.used = entry.used.max(used);
                    entry.applications.extend(applications.iter().cloned());
                }
            }
        }
        Ok(catalogue)
    }
}

impl Catalogue {
    /// Bytes of everything.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.entries.iter().map(|entry| entry.size).sum()
    }

    /// These entries and all that they need.
    pub(super) fn closure(&self, from: impl IntoIterator<Item = usize>) -> HashSet<usize> {
        let mut found = HashSet::new();
        let mut left: Vec<usize> = from.into_iter().collect();
        while let Some(number) = left.pop() {
            if found.insert(number) {
                left.extend(&self.entries[number].needs);
            }
        }
        found
    }

    /// The entry in which `path` lies, below `format`.
    pub(super) fn containing(&self, path: &Path, format: &Path) -> Option<usize> {
        let mut parts = path.strip_prefix(format).ok()?.components();
        let mut name: PathBuf = parts.next()?.as_os_str().into();
        // One component below the kind, two for a wheel.
        for part in parts.take(2) {
            name.push(part);
            if let Some(&number) = self.index.get(&name) {
                return Some(number);
            }
        }
        None
    }

    fn add(&mut self, kind: Kind, name: PathBuf) {
        self.index
            .insert(Path::new(kind.directory()).join(&name), self.entries.len());
        self.entries.push(Entry {
            kind,
            name,
            size: 0,
            used: SystemTime::UNIX_EPOCH,
            applications: BTreeSet::new(),
            needs: Vec::new(),
            own: 0,
            shared: Vec::new(),
        });
    }

    /// Size, last use and what it refers to.
    fn measure(&mut self, number: usize, format: &Path, counted: &mut HashSet<File>) {
        let entry = &self.entries[number];
        let path = format.join(entry.place());
        let (mut size, mut alone, mut shared) = (0, 0, HashMap::new());
        let mut used = SystemTime::UNIX_EPOCH;
        let mut targets = Vec::new();
        let mut note = |path: &Path, status: &Metadata| {
            let (file, bytes) = ((status.dev(), status.ino()), status.blocks() * 512);
            if status.nlink() < 2 || status.is_dir() {
                alone += bytes;
                size += bytes;
            } else {
                shared.insert(file, bytes);
                size += if counted.insert(file) { bytes } else { 0 };
            }
            if status.is_symlink()
                && let Ok(target) = std::fs::read_link(path)
                && let Some(parent) = path.parent()
            {
                // The links of a site lead from real directories.
                targets.push(normal(&parent.join(target)));
            }
        };
        walk(&path, &mut note);
        // A launch's own directory is written to by what looks after it.
        let own = match entry.kind {
            Kind::Launches => path.join("data"),
            _ => path.clone(),
        };
        if let Ok(status) = std::fs::symlink_metadata(&own) {
            used = modified(&status);
        }
        // Its time says nothing: it is written anew when the entry is known to be on disk.
        if entry.kind.has_manifest()
            && let Ok(status) = std::fs::symlink_metadata(manifest::path_of(&path))
        {
            alone += status.blocks() * 512;
            size += status.blocks() * 512;
        }
        let entry = &mut self.entries[number];
        entry.size = size;
        entry.own = alone;
        entry.shared = shared.into_iter().collect();
        entry.used = used;
        self.needs(number, &targets, format);
    }

    /// Notes that the entry needs those in which the targets lie.
    fn needs(&mut self, number: usize, targets: &[PathBuf], format: &Path) {
        let mut needs = std::mem::take(&mut self.entries[number].needs);
        let found = targets
            .iter()
            .filter_map(|path| self.containing(path, format));
        needs.extend(found.filter(|&needed| needed != number));
        needs.sort_unstable();
        needs.dedup();
        self.entries[number].needs = needs;
    }

    /// Notes what the plans of a key refer to, and whose they are.
    fn refer(&mut self, number: usize, format: &Path) {
        let bytes =
            crate::regular::read(&format.join(self.entries[number].place())).unwrap_or_default();
        for plan in Plans::of(&bytes) {
            let targets = references(&plan);
            self.needs(number, &targets, format);
            let Some(launch) = plan.launch().map(path) else {
                continue;
            };
            self.needs(number, std::slice::from_ref(&launch), format);
            if let Some(launch) = self.containing(&launch, format) {
                self.needs(launch, &targets, format);
            }
            // The boot has the application's name.
            let boot = plan.exec.argv.last().map(|boot| path(boot));
            let name = boot.and_then(|boot| boot.file_name().map(OsStr::to_owned));
            let application = name.map(|name| Application {
                name,
                fingerprint: plan.fingerprint,
            });
            self.entries[number].applications.extend(application);
        }
    }
}

fn path(bytes: &[u8]) -> PathBuf {
    PathBuf::from(OsStr::from_bytes(bytes))
}

/// When it was last written to.
pub(super) fn modified(status: &Metadata) -> SystemTime {
    let seconds = u64::try_from(status.mtime()).unwrap_or_default();
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

/// The names of the entries in a kind's directory.
fn names(directory: &Path, depth: u32, manifests: bool) -> Result<Vec<PathBuf>, StoreError> {
    let listed = match std::fs::read_dir(directory) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => {
            return Err(StoreError::Io {
                path: directory.to_owned(),
                source,
            });
        }
        Ok(listed) => listed,
    };
    let mut found = Vec::new();
    let mut listed: Vec<DirEntry> = listed.flatten().collect();
    listed.sort_by_key(DirEntry::file_name);
    for entry in listed {
        let name = PathBuf::from(entry.file_name());
        if depth > 0 {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                let below = names(&entry.path(), depth - 1, manifests).unwrap_or_default();
                found.extend(below.into_iter().map(|below| name.join(below)));
            }
        } else if !(manifests && is_manifest(&name)) {
            found.push(name);
        }
    }
    Ok(found)
}

/// Whether a name is that of a manifest.
pub(super) fn is_manifest(name: &Path) -> bool {
    name.as_os_str().as_bytes().ends_with(b".manifest")
}

/// Shows a path and everything below it, links not followed.
pub(super) fn walk(path: &Path, note: &mut dyn FnMut(&Path, &Metadata)) {
    let Ok(status) = std::fs::symlink_metadata(path) else {
        return;
    };
    note(path, &status);
    if status.is_dir() {
        for entry in std::fs::read_dir(path).into_iter().flatten().flatten() {
            walk(&entry.path(), note);
        }
    }
}

/// What a plan refers to.
fn references(plan: &Plan) -> Vec<PathBuf> {
    let inputs = plan.inputs.iter().filter_map(|input| match input {
        Input::File(place, _)
        | Input::Content(place, _)
        | Input::Present(place, _)
        | Input::Link(place, _) => Some(path(&place.path)),
        _ => None,
    });
    inputs
        .chain(plan.exec.argv.iter().map(|text| path(text)))
        .chain([path(&plan.exec.program)])
        .collect()
}
