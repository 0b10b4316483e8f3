//! A wheel file (PEP 427) installed the way the original installs it (reference 9.3): the chroot comes out byte for byte
//! as the pre-installed one of the same wheel.
//!
//! Nothing is moved about on disk: where each file goes, and what the made ones hold, is settled first, from RECORD and
//! the metadata; then one pass writes it all. The promise is plain SHA-256 of the file and is checked before.

mod metadata;
mod scripts;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::Path;

use sha2::{Digest as _, Sha256};

use super::chroot::{LAYOUT, is_bytecode};
use super::hasher::DirectoryHash;
use super::item::{self, Bytes, Item};
use super::pool::Crew;
use super::progress::Progress;
use super::work::Work;
use super::{UnpackError, hex};
use crate::archive::{Archive, Entry, safe_relative};
use crate::hashing::Hashing;
use crate::packaging::record::{self, Row};
use crate::store::{Noted, Tree};

use metadata::Metadata;

/// Most bytes of a text that is read whole: RECORD, WHEEL, a script.
const TEXT: u64 = 64 << 20;

/// The directory below a chroot for what is not on `sys.path` (reference 1.7).
const STASH: &str = ".prefix";

/// A file of the chroot.
#[derive(Debug)]
enum Source<'a> {
    /// As it is in the wheel.
    Member(&'a Entry),
    /// Made here; whether it is executable.
    Made(Vec<u8>, bool),
}

/// The chroot in the making: its files by path.
type Files<'a> = BTreeMap<String, Source<'a>>;

/// The members of a wheel, by the path they are extracted to.
type Members<'a> = BTreeMap<String, &'a Entry>;

/// A wheel file that can be installed: what lies where is settled.
#[derive(Debug)]
pub(super) struct Plan<'a> {
    items: Vec<Item<'a>>,
    metadata: Metadata,
}

impl<'a> Plan<'a> {
    /// Of the wheel file called `name`; `fail` makes an error of what is wrong with it.
    pub(super) fn new(
        name: &str,
        wheel: &'a Archive,
        fail: &dyn Fn(String) -> UnpackError,
    ) -> Result<Plan<'a>, UnpackError> {
        let members: Members<'a> = wheel
            .entries()
            .iter()
            .filter(|entry| !entry.is_directory())
            .filter_map(|entry| Some((safe_relative(&entry.name)?, entry)))
            .collect();
        let metadata = Metadata::read(name, wheel, &members, fail)?;
        let (mut files, mut rows, eol) = spread(wheel, &members, &metadata, fail)?;
        scripts::entry_points(wheel, &metadata, &mut files, &mut rows, fail)?;

        let info = format!("{}/original-whl-info.json", metadata.pex_info);
        let bytes = original_info(name, wheel)?;
        rows.push(Row::of_bytes(&info, &bytes));
        files.insert(info, Source::Made(bytes, false));
        let record = record::write(&rows, eol);
        files.insert(metadata.record(), Source::Made(record, false));

        let items = files
            .into_iter()
            .map(|(path, source)| {
                let hashed = !is_bytecode(&path);
                let (executable, bytes) = match source {
                    Source::Member(entry) => (entry.is_executable(), Bytes::Entry(wheel, entry)),
                    Source::Made(bytes, executable) => (executable, Bytes::Made(bytes)),
                };
                Item {
                    path,
                    executable,
                    hashed,
                    bytes,
                }
            })
            .collect();
        Ok(Plan { items, metadata })
    }

    /// Installs it below `root`, with the help of the crew; gives the files.
    pub(super) fn install<'b>(
        &'b self,
        root: &Path,
        progress: &'b Progress,
        crew: &Crew<'b>,
    ) -> Result<Noted, UnpackError> {
        let hash = DirectoryHash::new(&self.items);
        let hash = crew.finish(Work::new(root, &self.items, hash, progress))?;
        let layout = layout(&hash.finish(), &self.metadata, &self.items);
        Tree::new(root)
            .and_then(|mut tree| tree.write(LAYOUT, layout.as_bytes(), false))
            .map_err(item::written(&root.join(LAYOUT)))?;
        let mut noted = item::noted(&self.items);
        noted.push((LAYOUT.to_owned(), layout.len() as u64));
        Ok(noted)
    }
}

/// The `sys.path` entries of an installed wheel file at `path`: they are what the install has made.
pub(super) fn entries(path: &Path) -> Vec<String> {
    let mut entries = vec![".".to_owned()];
    for library in ["platlib", "purelib"] {
        let entry = format!("{STASH}/{library}");
        if path.join(&entry).is_dir() {
            entries.push(entry);
        }
    }
    entries
}

/// What is wrong with a wheel of which something can't be read.
fn damaged(error: &dyn std::error::Error) -> String {
    format!("is damaged: {error}")
}

/// Where every member goes by RECORD, the rows of the RECORD to come, and its line ending.
fn spread<'a>(
    wheel: &Archive,
    members: &Members<'a>,
    metadata: &Metadata,
    fail: &dyn Fn(String) -> UnpackError,
) -> Result<(Files<'a>, Vec<Row>, &'static str), UnpackError> {
    // What is below the wheel's data directory is dropped unless it is moved elsewhere.
    let data = format!("{}/", metadata.data);
    let mut files: Files<'a> = members
        .iter()
        .filter(|(path, _)| !path.starts_with(&data))
        .map(|(path, entry)| (path.clone(), Source::Member(entry)))
        .collect();

    let record_path = metadata.record();
    let listed = match members.get(record_path.as_str()) {
        Some(entry) => Some(wheel.read(entry, TEXT)?),
        None => None,
    };
    let mut eol = listed.as_deref().map_or("\n", record::line_ending);
    let mut rows = match &listed {
        Some(bytes) => record::read(bytes).map_err(|error| fail(damaged(&error)))?,
        None => Vec::new(),
    };
    if rows.is_empty() || rows.iter().any(|row| row.path.starts_with('/')) {
        rows = record::of_files(members.keys().map(String::as_str));
    }
    if !rows.iter().any(|row| row.path == record_path) {
        eol = "\n";
    }

    let skipped: Vec<String> = ["INSTALLER", "REQUESTED", "uv_build.json", "uv_cache.json"]
        .iter()
        .map(|name| format!("{}/{name}", metadata.dist_info))
        .chain([format!("{}/original-whl-info.json", metadata.pex_info)])
        .collect();
    let mut kept = Vec::with_capacity(rows.len());
    for row in rows {
        if row.is_directory() {
            kept.push(row);
        } else if row.path == record_path {
            kept.push(Row::bare(&record_path));
        } else if skipped.contains(&row.path) || row.path.ends_with(".pyc") {
            // Nothing is recorded; what lies at the root stays there all the same.
        } else if let Some(path) = record::normal(&row.path)
            && let Some(entry) = members.get(path.as_str())
        {
            let Some((scheme, rest)) = metadata.scheme(&path) else {
                kept.push(Row { path, ..row });
                continue;
            };
            let name = path.rsplit('/').next().unwrap_or(&path);
            if scheme == "scripts" && metadata.scripts.find(name).is_some() {
                continue;
            }
            let target = metadata.target(scheme, rest);
            if scheme == "scripts"
                && let Some(bytes) = scripts::rewrite(wheel, entry)?
            {
                kept.push(Row::of_bytes(&target, &bytes));
                files.insert(target, Source::Made(bytes, false));
            } else {
                kept.push(Row {
                    path: target.clone(),
                    ..row
                });
                files.entry(target).or_insert(Source::Member(entry));
            }
        }
    }
    Ok((files, kept, eol))
}

/// `original-whl-info.json`: the wheel's name and what its central directory says, as Python's `json` writes it.
fn original_info(name: &str, wheel: &Archive) -> Result<Vec<u8>, UnpackError> {
    let mut text = String::from("{\"entries\":[");
    for (index, stamp) in wheel.stamps()?.iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        text.push('[');
        json_text(&mut text, &stamp.name);
        let [year, month, day, hour, minute, second] = stamp.date_time;
        text.push_str(&format!(
            ",[{year},{month},{day},{hour},{minute},{second}],{}]",
            stamp.external_attributes
        ));
    }
    text.push_str("],\"filename\":");
    json_text(&mut text, name);
    text.push('}');
    Ok(text.into_bytes())
}

/// `.layout.json`, as Python's `json` writes it.
fn layout(fingerprint: &str, metadata: &Metadata, items: &[Item<'_>]) -> String {
    let mut text = format!("{{\"fingerprint\":\"{fingerprint}\",\"record_relpath\":");
    json_text(&mut text, &metadata.record());
    let other = format!("{STASH}/{}", metadata.other_library());
    let below = format!("{other}/");
    let has_other = items.iter().any(|item| item.path.starts_with(&below));
    text.push_str(&format!(
        ",\"root_is_purelib\":{},\"stash_dir\":\"{STASH}\",\"sys_path_entries\":[\".\"",
        metadata.root_is_purelib
    ));
    if has_other {
        text.push_str(&format!(",\"{other}\""));
    }
    text.push_str("]}");
    text
}

/// A JSON string in ASCII.
fn json_text(text: &mut String, value: &str) {
    text.push('"');
    for character in value.chars() {
        match character {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            '\u{8}' => text.push_str("\\b"),
            '\u{c}' => text.push_str("\\f"),
            ' '..='~' => text.push(character),
            _ => {
                let mut units = [0; 2];
                for unit in character.encode_utf16(&mut units) {
                    text.push_str(&format!("\\u{unit:04x}"));
                }
            }
        }
    }
    text.push('"');
}

/// SHA-256 of a wheel file, through the descriptor that its members are read from.
pub(super) fn file_hash(wheel: &Archive) -> Result<String, UnpackError> {
    crate::store::lasts(wheel.extent().1);
    let mut hash = Hashing(Sha256::new());
    wheel.write_to(&mut hash).map_err(|source| {
        UnpackError::Pex(crate::pex::PexError::Io {
            path: wheel.path().to_owned(),
            source,
        })
    })?;
    Ok(hex(&hash.0.finalize()))
}

/// The key of a wheel file with this SHA-256: apart from the keys of chroots.
pub(super) fn key(promise: &str) -> String {
    let mut hash = Sha256::new();
    hash.update(b"pexboot wheel file 1\0");
    hash.update(promise.as_bytes());
    hex(&hash.finalize())
}
