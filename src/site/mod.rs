//! The site: one import directory merged from the selected wheels, wherever that looks the same to an import.
//!
//! What there is to merge is a sequence of *units*: each wheel's `sys.path` entries in order, and behind each the
//! directories that its `.pth` files name. A path of all units is the truth; the site may differ from it in nothing but
//! speed, in that directories of one package lie together, and in what that lets be found (see [`merge`]). A unit is merged
//! unless
//!
//! * it clashes with what is merged already (see [`merge`]): then it is *spilled* to a path entry of its own behind the
//!   site, where what was merged goes before it, as on the path;
//! * it shares an import name or a project with a unit spilled earlier: then it would wrongly overtake that one;
//! * it lies outside its wheel (a `.pth` line with an absolute path or `..`).
//!
//! On disk (see [`links`]) a directory that one wheel alone brings is a link to the store; where native code lies and where
//! wheels meet directories are real. Either way what Python compiles is shared by all sites: through the link, by a
//! `__pycache__` that is a link to the wheel's, or, where wheels meet, by taking over what another site has by the time
//! this one is assembled (see [`bytecode`]). The same wheels give the same site whatever the interpreter.

mod bytecode;
mod links;
mod merge;
mod pth;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::store::{Kind, Store, StoreError};
use crate::unpack::Unpacked;

use bytecode::Known;
use merge::{Directory, Node};
use pth::Pth;

/// What goes on `sys.path` for the wheels.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Site {
    /// Path entries in order of precedence, the merged directory first where there is one.
    pub entries: Vec<PathBuf>,
    /// Import lines of `.pth` files and calls of `.start` files, in order: the directory that they are to see as `sitedir`, and the line.
    pub import_lines: Vec<(PathBuf, String)>,
}

/// A directory that is to be on the path.
#[derive(Debug)]
struct Unit {
    /// Where it is.
    path: PathBuf,
    /// Whether it belongs to a wheel, so that it can be merged.
    inside: bool,
    /// Whether its wheel may hold native code.
    native: bool,
    /// Import lines of its `.pth` files, and what calls the functions that its `.start` files name.
    lines: Vec<String>,
}

/// Assembles the site of these wheels, in resolve order, for a Python of this version. `seen` is told where an import finds what lies where in them:
/// files, and directories with everything below.
///
/// # Errors
/// When the store cannot be read or written.
pub fn assemble(
    wheels: &[Unpacked],
    python: (u32, u32),
    store: &Store,
    seen: &mut dyn FnMut(&Path, &Path),
) -> Result<Site, StoreError> {
    let units = units(wheels, python)?;
    // One directory alone is its own site.
    if units.len() < 2 {
        units.iter().for_each(|unit| seen(&unit.path, &unit.path));
        return Ok(apart(units));
    }
    let (merged, places) = plan(&units)?;
    let site = match beside(wheels, store) {
        Some(site) => site,
        // A path of all units is the truth.
        None if !store.can_write() => {
            units.iter().for_each(|unit| seen(&unit.path, &unit.path));
            return Ok(apart(units));
        }
        None => {
            let format = format(store.root());
            store.directory(Kind::Sites, &key(wheels, &format), &mut |root| {
                let known = Known::in_sites(&format.join(Kind::Sites.directory()));
                links::build(root, &merged, &format, &known)
            })?
        }
    };
    tell(&merged, &site, seen);
    let spilled = units.iter().zip(&places).filter(|(_, merges)| !**merges);
    (spilled.clone()).for_each(|(unit, _)| seen(&unit.path, &unit.path));
    let entries = std::iter::once(site.clone())
        .chain(spilled.map(|(unit, _)| unit.path.clone()))
        .collect();
    let import_lines = units
        .iter()
        .zip(&places)
        .flat_map(|(unit, merges)| {
            let place = if *merges { &site } else { &unit.path };
            unit.lines.iter().map(|line| (place.clone(), line.clone()))
        })
        .collect();
    Ok(Site {
        entries,
        import_lines,
    })
}

/// Builds in the empty directory `work` what [`assemble`] keeps for these wheels in the root whose format directory is
/// `format`, and gives its name there; `None` where they need no site. To compare the two.
///
/// # Errors
/// As [`assemble`].
#[cfg(feature = "cli")]
pub fn rebuild(
    wheels: &[Unpacked],
    format: &Path,
    work: &Path,
) -> Result<Option<String>, StoreError> {
    // Whatever the Python: the site is the same.
    let units = units(wheels, (3, 0))?;
    if units.len() < 2 {
        return Ok(None);
    }
    let (merged, _) = plan(&units)?;
    links::build(work, &merged, format, &Known::default()).map_err(StoreError::Fill)?;
    Ok(Some(key(wheels, format)))
}

/// Whether these directories, which have one import name in several wheels, make one regular package, as they do where pip
/// has installed those.
///
/// # Errors
/// When one cannot be read.
pub(crate) fn is_one_package(directories: &[PathBuf]) -> std::io::Result<bool> {
    merge::is_one_package(directories)
}

/// Tells where what was merged lies, `place` being where the merged directory is.
fn tell(merged: &Directory, place: &Path, seen: &mut dyn FnMut(&Path, &Path)) {
    for (name, node) in &merged.children {
        let place = place.join(name);
        match node {
            Node::File(source) | Node::Whole { path: source, .. } => seen(&place, source),
            Node::Shared(directory) => tell(directory, &place, seen),
        }
    }
}

/// What the units merge to, and which of them do.
fn plan(units: &[Unit]) -> Result<(Directory, Vec<bool>), StoreError> {
    let mut merged = Directory::default();
    let mut spilled = merge::Names::default();
    // Behind something that cannot be looked into (a zip on the path) nothing may be moved forward.
    let mut closed = false;
    let mut places = Vec::with_capacity(units.len());
    for unit in units {
        let failed = |error| io(&unit.path, error);
        if !unit.path.is_dir() {
            closed = true;
            places.push(false);
            continue;
        }
        let listed = merge::list(&unit.path, unit.native).map_err(failed)?;
        let names = listed.names();
        let fits = unit.inside
            && !closed
            && !names.meet(&spilled)
            && merged.accepts(&listed).map_err(failed)?;
        if fits {
            merged.merge(listed).map_err(failed)?;
        } else {
            spilled.extend(names);
        }
        places.push(fits);
    }
    Ok((merged, places))
}

/// The units of these wheels, each directory once.
fn units(wheels: &[Unpacked], python: (u32, u32)) -> Result<Vec<Unit>, StoreError> {
    let mut units: Vec<Unit> = Vec::new();
    for wheel in wheels {
        // The tag says it; a wheel that lies still finds what is its own.
        let native = !wheel.name.ends_with("-none-any.whl");
        for entry in &wheel.entries {
            let path = match entry.as_str() {
                "." | "" => wheel.path.clone(),
                entry => wheel.path.join(entry),
            };
            if units.iter().any(|unit| unit.path == path) {
                continue;
            }
            let Pth { paths, lines } =
                pth::read(&path, python).map_err(|error| io(&path, error))?;
            units.push(Unit {
                path,
                inside: true,
                native,
                lines,
            });
            for path in paths {
                if !units.iter().any(|unit| unit.path == path) {
                    let inside = path.starts_with(&wheel.path) && path.is_dir();
                    units.push(Unit {
                        path,
                        inside,
                        native,
                        lines: Vec::new(),
                    });
                }
            }
        }
    }
    Ok(units)
}

/// The site of units each of which is a path entry of its own.
fn apart(units: Vec<Unit>) -> Site {
    let mut site = Site::default();
    for unit in units {
        let lines = unit.lines.into_iter().map(|line| (unit.path.clone(), line));
        site.import_lines.extend(lines);
        site.entries.push(unit.path);
    }
    site
}

/// The site of these wheels in the root that they all lie in, where that root is not the one that is written to (a seed,
/// a read-only root).
fn beside(wheels: &[Unpacked], store: &Store) -> Option<PathBuf> {
    // `HOME/wheels/SHA256/NAME.whl`
    let format = wheels.first()?.path.ancestors().nth(3)?;
    if format == self::format(store.root())
        || !wheels.iter().all(|wheel| wheel.path.starts_with(format))
    {
        return None;
    }
    store
        .find(Kind::Sites, &key(wheels, format))
        .filter(|site| site.starts_with(format))
}

/// The name of the site of these wheels as seen from `format`: what lies below it counts by its path from there, so that a
/// root can be moved; anything else by its absolute path.
fn key(wheels: &[Unpacked], format: &Path) -> String {
    let mut hash = Sha256::new();
    hash.update(b"pexboot site 2\0");
    let mut text = |bytes: &[u8]| {
        hash.update((bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    };
    for wheel in wheels {
        let path = wheel.path.strip_prefix(format).unwrap_or(&wheel.path);
        text(path.as_os_str().as_encoded_bytes());
        wheel
            .entries
            .iter()
            .for_each(|entry| text(entry.as_bytes()));
        text(b"");
    }
    pexboot_core::hex::hex(&hash.finalize())
}

/// The directory of the format version in a root.
fn format(root: &Path) -> PathBuf {
    root.join(crate::store::FORMAT)
}

fn io(path: &Path, source: std::io::Error) -> StoreError {
    StoreError::Io {
        path: path.to_owned(),
        source,
    }
}
