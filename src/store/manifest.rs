//! The manifest of a published directory: what it consists of and whether that is known to be on disk.
//!
//! A rename can survive a power cut while the data does not, and nothing is ever synced on the way to the application. So
//! each published directory `NAME` has a sibling `NAME.manifest`, put there before it: the boot that wrote the entry, and
//! size and path of every file. In that boot the entry is trusted unseen; in a later one its sizes are compared once, after
//! which the manifest says that it is on disk. What Python puts into `__pycache__` directories later is nobody's promise.
//!
//! ```text
//! pexboot manifest 1\n
//! BOOT FILES BYTES\n          boot_id as 32 hex digits, all zero once on disk; how many files; their bytes together
//! (TYPE SIZE PATH\0)*         `f` regular file, `l` symbolic link; decimal size; path relative to the entry
//! end\n
//! ```

use std::collections::{HashMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::io::{self, Read};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::{BootId, Noted};

/// Where Python keeps bytecode, in the directory of the sources (PEP 3147).
pub const CACHE: &str = "__pycache__";
const MAGIC: &str = "pexboot manifest 1\n";
const END: &[u8] = b"end\n";

/// One file of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Item {
    /// Relative to the entry.
    pub(crate) path: PathBuf,
    /// Whether it is a symbolic link.
    pub(crate) link: bool,
    /// Its bytes.
    pub(crate) size: u64,
}

/// What a published directory consists of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Manifest {
    boot: BootId,
    items: Vec<Item>,
}

/// Where the manifest of the entry at `entry` is.
pub(super) fn path_of(entry: &Path) -> PathBuf {
    let mut name = OsString::from(entry);
    name.push(".manifest");
    name.into()
}

impl Manifest {
    /// Takes stock of the directory at `root`.
    pub(super) fn of_directory(root: &Path, boot: BootId) -> io::Result<Manifest> {
        let mut items = Vec::new();
        let mut left = vec![PathBuf::new()];
        while let Some(directory) = left.pop() {
            for entry in std::fs::read_dir(root.join(&directory))? {
                let entry = entry?;
                let path = directory.join(entry.file_name());
                if entry.file_type()?.is_dir() {
                    left.push(path);
                } else {
                    let status = entry.metadata()?;
                    items.push(Item {
                        path,
                        link: status.is_symlink(),
                        size: status.len(),
                    });
                }
            }
        }
        Ok(Manifest::of_items(items, boot))
    }

    /// Of regular files that were just written, without looking at them again.
    pub(super) fn of_noted(noted: Noted, boot: BootId) -> Manifest {
        let item = |(path, size): (String, u64)| Item {
            path: path.into(),
            link: false,
            size,
        };
        Manifest::of_items(noted.into_iter().map(item).collect(), boot)
    }

    fn of_items(mut items: Vec<Item>, boot: BootId) -> Manifest {
        // Python may replace bytecode that was there from the beginning.
        items.retain(|item| {
            let mut above = item.path.components().rev().skip(1);
            above.all(|part| part.as_os_str() != CACHE)
        });
        // By bytes: paths compare component by component, which takes five times as long.
        items.sort_by(|one: &Item, other: &Item| {
            let (one, other) = (one.path.as_os_str(), other.path.as_os_str());
            one.as_bytes().cmp(other.as_bytes())
        });
        Manifest { boot, items }
    }

    /// Its files, sorted by the bytes of their paths.
    #[cfg(feature = "cli")]
    pub(super) fn into_items(self) -> Vec<Item> {
        self.items
    }

    /// The same, known to be on disk.
    pub(super) fn on_disk(self) -> Manifest {
        Manifest {
            boot: BootId::ON_DISK,
            ..self
        }
    }

    /// Whether every file is there with its size. What is there besides does not matter.
    pub(super) fn holds(&self, root: &Path) -> bool {
        std::fs::symlink_metadata(root).is_ok_and(|status| status.is_dir())
            && self.items.iter().all(|item| {
                std::fs::symlink_metadata(root.join(&item.path)).is_ok_and(|status| {
                    status.len() == item.size
                        && if item.link {
                            // Through one that leads nowhere Python could write no bytecode, ever.
                            let caches = item.path.file_name().is_some_and(|name| name == CACHE);
                            status.is_symlink() && (!caches || root.join(&item.path).is_dir())
                        } else {
                            status.is_file()
                        }
                })
            })
    }

    /// Whether a name in a directory of code below `root` was replaced, added or removed after `since`, when the manifest was
    /// written.
    ///
    /// A directory tells by its time that none of its names has changed, and so that it need not be read. A file that was
    /// written to in place is not noticed; nor is Python's bytecode, and what lies in directories without code.
    pub(super) fn is_changed(&self, root: &Path, since: SystemTime) -> bool {
        let mut seen: HashSet<&[u8]> = HashSet::from([&b""[..]]);
        let code = self
            .items
            .iter()
            .map(|item| item.path.as_os_str().as_bytes());
        for mut path in code.filter(|path| path.ends_with(b".py") || path.ends_with(b".so")) {
            while let Some(end) = path.iter().rposition(|&byte| byte == b'/') {
                path = &path[..end];
                if !seen.insert(path) {
                    break;
                }
            }
        }
        seen.into_iter().any(|directory| {
            let path = root.join(OsStr::from_bytes(directory));
            is_later(&path, since) && self.differs(directory, &path, since)
        })
    }

    /// Whether the directory at `path`, which is `directory` of the entry, holds other names than it should, or a file that
    /// is later than `since` or of another size.
    fn differs(&self, directory: &[u8], path: &Path, since: SystemTime) -> bool {
        let prefix = match directory {
            b"" => Vec::new(),
            directory => [directory, b"/"].concat(),
        };
        let before = |item: &Item| item.path.as_os_str().as_bytes() < &*prefix;
        let start = self.items.partition_point(before);
        let mut expected: HashMap<&OsStr, Option<u64>> = HashMap::new();
        for item in &self.items[start..] {
            let Some(rest) = item.path.as_os_str().as_bytes().strip_prefix(&*prefix) else {
                break;
            };
            match rest.iter().position(|&byte| byte == b'/') {
                Some(end) => expected.insert(OsStr::from_bytes(&rest[..end]), None),
                None => expected.insert(OsStr::from_bytes(rest), Some(item.size)),
            };
        }
        let Ok(found) = std::fs::read_dir(path) else {
            return true;
        };
        for entry in found.flatten() {
            let name = entry.file_name();
            match expected.remove(name.as_os_str()) {
                Some(None) => {}
                None if name == CACHE => {}
                None => return true,
                Some(Some(size)) => {
                    let same = entry.metadata().is_ok_and(|status| status.len() == size);
                    if !same || is_later(&path.join(name), since) {
                        return true;
                    }
                }
            }
        }
        expected.keys().any(|name| *name != CACHE)
    }

    /// The manifest as bytes.
    pub(super) fn encode(&self) -> Vec<u8> {
        let bytes = total(&self.items);
        let mut text =
            format!("{MAGIC}{} {} {bytes}\n", self.boot.hex(), self.items.len()).into_bytes();
        for item in &self.items {
            text.extend_from_slice(
                format!("{} {} ", if item.link { 'l' } else { 'f' }, item.size).as_bytes(),
            );
            text.extend_from_slice(item.path.as_os_str().as_bytes());
            text.push(0);
        }
        text.extend_from_slice(END);
        text
    }

    /// Reads what [`Manifest::encode`] wrote; `None` for anything else.
    pub(super) fn decode(bytes: &[u8]) -> Option<Manifest> {
        let (boot, rest) = decode_boot(bytes)?;
        let end = rest.iter().position(|&byte| byte == b'\n')?;
        let mut counts = std::str::from_utf8(&rest[..end])
            .ok()?
            .trim_start()
            .split(' ');
        let files: usize = counts.next()?.parse().ok()?;
        let bytes: u64 = counts.next()?.parse().ok()?;
        let body = rest[end + 1..].strip_suffix(END)?;
        let mut items = Vec::new();
        for record in body.split_inclusive(|&byte| byte == 0) {
            let mut fields = record.strip_suffix(&[0])?.splitn(3, |&byte| byte == b' ');
            let link = match fields.next()? {
                b"f" => false,
                b"l" => true,
                _ => return None,
            };
            let size = std::str::from_utf8(fields.next()?).ok()?.parse().ok()?;
            let path = PathBuf::from(OsString::from_vec(fields.next()?.to_vec()));
            items.push(Item { path, link, size });
        }
        (items.len() == files && bytes == total(&items)).then_some(Manifest { boot, items })
    }

    /// Reads the manifest at `path`; `None` when there is none or it is damaged.
    pub(super) fn read(path: &Path) -> Option<Manifest> {
        Manifest::decode(&crate::regular::read(path).ok()?)
    }
}

/// Whether what is at `path` was modified after `since`.
fn is_later(path: &Path, since: SystemTime) -> bool {
    let status = std::fs::symlink_metadata(path).and_then(|status| status.modified());
    status.is_ok_and(|time| time > since)
}

/// The boot in the manifest at `path`, which is as much of it as a start in the same boot needs; `None` where it was not
/// known (no `/proc`), since any two unknown boots look the same.
pub(super) fn boot_of(path: &Path) -> Option<BootId> {
    let mut head = [0; MAGIC.len() + 33];
    crate::regular::open(path)
        .ok()?
        .read_exact(&mut head)
        .ok()?;
    decode_boot(&head)
        .map(|(boot, _)| boot)
        .filter(|&boot| boot != BootId::UNKNOWN)
}

/// The boot, and what follows it.
fn decode_boot(bytes: &[u8]) -> Option<(BootId, &[u8])> {
    let rest = bytes.strip_prefix(MAGIC.as_bytes())?;
    let (boot, rest) = rest.split_at_checked(32)?;
    Some((BootId::parse(boot)?, rest))
}

/// The bytes of all files together.
fn total(items: &[Item]) -> u64 {
    items
        .iter()
        .fold(0, |sum, item| sum.wrapping_add(item.size))
}
