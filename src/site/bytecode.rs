//! Bytecode for directories of a new site whose `__pycache__` is their own: what Python has compiled already, for the
//! wheel where it was imported from there, or in another site.
//!
//! A `.pyc` is taken over with the very file that it was compiled from: the same inode, so with the time and size by which
//! Python tells whether it holds. What cannot be had costs no more than compiling it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::merge::{Directory, Node};
use crate::store::CACHE;

/// So many other sites are looked into.
const SITES_MAX: usize = 16;

/// The sites that may have bytecode.
#[derive(Debug, Default)]
pub(super) struct Known(Vec<PathBuf>);

impl Known {
    /// The sites in the directory `sites`, those that changed last first.
    pub(super) fn in_sites(sites: &Path) -> Known {
        let mut found: Vec<(i64, PathBuf)> = std::fs::read_dir(sites)
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|entry| {
                let status = entry.metadata().ok().filter(Metadata::is_dir)?;
                Some((status.mtime(), entry.path()))
            })
            .collect();
        found.sort_by(|one, other| other.cmp(one));
        found.truncate(SITES_MAX);
        Known(found.into_iter().map(|(_, path)| path).collect())
    }
}

/// The bytecode of the modules in the directory at `path` of a site: the names of the files, and where they are.
pub(super) fn of(path: &str, directory: &Directory, known: &Known) -> BTreeMap<String, PathBuf> {
    // By what the names of their bytecode begin with: the file's name, and where it is.
    let modules: BTreeMap<&str, (&str, &Path)> = directory
        .children
        .iter()
        .filter_map(|(name, node)| match node {
            Node::File(source) => {
                Some((name.strip_suffix(".py")?, (name.as_str(), source.as_path())))
            }
            _ => None,
        })
        .collect();
    let mut found = BTreeMap::new();
    if modules.is_empty() {
        return found;
    }
    let mut take = |place: &Path, is_same: &dyn Fn(&str, &Path) -> bool| {
        let cache = place.join(CACHE);
        for entry in std::fs::read_dir(&cache).into_iter().flatten().flatten() {
            let Ok(name) = entry.file_name().into_string() else {
                continue;
            };
            // NAME.TAG.pyc or NAME.TAG.opt-N.pyc; behind the end of one in the making there are digits.
            let stem = name.split('.').next().unwrap_or_default();
            if name.ends_with(".pyc")
                && !found.contains_key(&name)
                && let Some((file, source)) = modules.get(stem)
                && is_same(file, source)
            {
                found.insert(name, entry.path());
            }
        }
    };
    let wheels: BTreeSet<&Path> = modules
        .values()
        .filter_map(|(_, source)| source.parent())
        .collect();
    for wheel in wheels {
        take(wheel, &|_, source| source.parent() == Some(wheel));
    }
    let identity = |path: &Path| {
        let status = std::fs::metadata(path).ok()?;
        Some((status.dev(), status.ino()))
    };
    for site in &known.0 {
        let place = site.join(path);
        take(&place, &|file, source| {
            identity(source).is_some_and(|source| identity(&place.join(file)) == Some(source))
        });
    }
    found
}
