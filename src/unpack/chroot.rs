//! A pre-installed wheel (reference 1.7): its members as they are.
//!
//! **What the promise covers.** PEX-INFO promises SHA-256 over the sorted names run together and then the contents run
//! together, without bytecode and, since pex notes the hash in there, `.layout.json` (reference 1.6). Two different trees can have one such hash: nothing says
//! where a name or a content ends, x bits are left out, and so is whatever is bytecode. So a wheel is not kept under the
//! promise but under a key: SHA-256 over the promise and, for each file, path, size, x bit and, where the promise leaves it
//! out, its own SHA-256. With the sizes fixed the promise can be read in one way only, so promise and key together commit
//! to the tree, and what one PEX brings into a shared store can never pass for what another one promises. Sizes, names
//! and modes are in the central directory and the other hashes are of small files: the key costs no second pass.
//!
//! **What is left out.** Bytecode beside its source or in `__pycache__` never runs after unpacking (the source wins; a
//! cached file of another time stamp is stale), and if it did, nobody has promised it. A module without source is kept.
//!
//! **Where nothing can be checked** (40 digits: SHA-1 of an old PEX), a first pass finds what the promise would be, and the
//! rest is the same. Such a wheel too is shared by content and by nothing else.

use std::collections::HashSet;

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::hasher::{DirectoryHash, Seen};
use super::item::{self, Bytes, Item};
use super::pool::Crew;
use super::progress::Progress;
use super::work::Work;
use super::{UnpackError, hex, is_sha256};
use crate::archive::Archive;
use crate::pex::Member;
use crate::store::{CACHE, Noted};

/// The file that says what a chroot's `sys.path` entries are.
pub(super) const LAYOUT: &str = ".layout.json";

/// A pre-installed wheel that can be laid out.
#[derive(Debug)]
pub(super) struct Chroot<'a> {
    items: Vec<Item<'a>>,
    /// What its content must hash to.
    pub(super) promise: String,
    /// Its key in the store.
    pub(super) key: String,
    /// Its `sys.path` entries.
    pub(super) entries: Vec<String>,
}

impl<'a> Chroot<'a> {
    /// Takes stock; `promise` is PEX-INFO's.
    pub(super) fn new(
        archive: Option<&'a Archive>,
        members: &'a [Member],
        promise: &str,
    ) -> Result<Chroot<'a>, UnpackError> {
        let layout = layout(archive, members)?;
        let items = items(archive, members, covers_layout(layout.as_ref()))?;
        let promise = if is_sha256(promise) {
            promise.to_owned()
        } else {
            let mut hash = DirectoryHash::new(&items);
            item::look(&items, &mut hash)?;
            hash.finish()
        };
        let mut key = Key::new(&promise);
        for item in &items {
            key.item(item);
            if !item.hashed {
                let mut seen = Seen::default();
                item::look(std::slice::from_ref(item), &mut seen)?;
                key.0.update(seen.0.finalize());
            }
        }
        let entries = entries(layout.as_ref(), &items);
        Ok(Chroot {
            key: hex(&key.0.finalize()),
            items,
            promise,
            entries,
        })
    }

    /// Bytes of all files together.
    pub(super) fn size(&self) -> u64 {
        self.items.iter().map(Item::size).sum()
    }

    /// Lays it out below `root` and gives the hash of what was laid out, and the files.
    pub(super) fn unpack<'b>(
        &'b self,
        root: &std::path::Path,
        progress: &'b Progress,
        crew: &Crew<'b>,
    ) -> Result<(String, Noted), UnpackError> {
        let hash = DirectoryHash::new(&self.items);
        let work = Work::new(root, &self.items, hash, progress);
        let hash = crew.finish(work)?;
        Ok((hash.finish(), item::noted(&self.items)))
    }
}

/// A chroot's `.layout.json`, where it has one that is JSON.
fn layout(archive: Option<&Archive>, members: &[Member]) -> Result<Option<Value>, UnpackError> {
    // It has some two hundred bytes; one of more than this is none.
    let Some(member) = members
        .iter()
        .find(|member| member.path == LAYOUT && member.size <= 1 << 20)
    else {
        return Ok(None);
    };
    let mut bytes = Vec::new();
    member.content.copy(archive, &mut bytes)?;
    Ok(serde_json::from_slice(&bytes).ok())
}

/// Whether the promise covers `.layout.json`: pex wrote it before it took the hash until it began to note the hash in
/// there (2.1.137 did, 2.33.4 did not).
fn covers_layout(layout: Option<&Value>) -> bool {
    layout.is_some_and(|layout| layout.get("fingerprint").is_none())
}

/// What is kept of a chroot's members, sorted by path.
fn items<'a>(
    archive: Option<&'a Archive>,
    members: &'a [Member],
    covers_layout: bool,
) -> Result<Vec<Item<'a>>, UnpackError> {
    let paths: HashSet<&str> = members.iter().map(|member| member.path.as_str()).collect();
    let mut items: Vec<Item<'_>> = members
        .iter()
        .filter(|member| !is_dead(&member.path, &paths))
        .map(|member| {
            Ok(Item {
                path: member.path.clone(),
                executable: member.executable,
                hashed: !is_bytecode(&member.path) && (covers_layout || member.path != LAYOUT),
                bytes: Bytes::of(member, archive)?,
            })
        })
        .collect::<Result<_, UnpackError>>()?;
    items.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(items)
}

/// Whether pex takes the path for bytecode, which it leaves out of hashes.
pub(crate) fn is_bytecode(path: &str) -> bool {
    let (directory, name) = path.rsplit_once('/').unwrap_or(("", path));
    let temporary = name.rsplit_once(".pyc.").is_some_and(|(_, digits)| {
        !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
    });
    name.ends_with(".pyc")
        || name.ends_with(".pyo")
        || temporary
        || directory.split('/').any(|part| part == CACHE)
}

/// Whether the file is bytecode that never runs.
fn is_dead(path: &str, paths: &HashSet<&str>) -> bool {
    let cached = path.split('/').rev().skip(1).any(|part| part == CACHE);
    let source = path.strip_suffix('c').filter(|path| path.ends_with(".py"));
    (cached && is_bytecode(path)) || source.is_some_and(|source| paths.contains(source))
}

/// The `sys.path` entries that a `.layout.json` lists, as far as they are directories of this very tree; the root alone
/// where it lists none (reference 1.7, 1.8).
///
/// Read from the PEX at hand and never from the store, so that no PEX can decide for another.
fn entries(layout: Option<&Value>, items: &[Item<'_>]) -> Vec<String> {
    let listed = layout.and_then(|layout| layout.get("sys_path_entries")?.as_array());
    let Some(listed) = listed else {
        return vec![".".to_owned()];
    };
    let is_directory = |path: &str| {
        items.iter().any(|item| {
            item.path
                .strip_prefix(path)
                .is_some_and(|rest| rest.starts_with('/'))
        })
    };
    let mut entries: Vec<String> = Vec::new();
    for entry in listed.iter().filter_map(Value::as_str) {
        let parts: Vec<&str> = entry
            .split('/')
            .filter(|part| !matches!(*part, "" | "."))
            .collect();
        let path = parts.join("/");
        let found = if path.is_empty() {
            ".".to_owned()
        } else if parts.contains(&"..") || entry.starts_with('/') || !is_directory(&path) {
            continue;
        } else {
            path
        };
        if !entries.contains(&found) {
            entries.push(found);
        }
    }
    entries
}

/// The key of a wheel in the making.
struct Key(Sha256);

impl Key {
    fn new(promise: &str) -> Key {
        let mut hash = Sha256::new();
        hash.update(b"pexboot chroot 1\0");
        hash.update(promise.as_bytes());
        Key(hash)
    }

    fn item(&mut self, item: &Item<'_>) {
        self.0.update((item.path.len() as u64).to_le_bytes());
        self.0.update(item.path.as_bytes());
        self.0.update(item.size().to_le_bytes());
        self.0
            .update([u8::from(item.executable), u8::from(item.hashed)]);
    }
}
