//! One unpacked wheel into the environment (reference 7.1, 9.4).
//!
//! A wheel with a top-level package that user code or an earlier wheel has too is spilled: it goes into a directory of
//! its own behind site-packages on `sys.path`, so that portions of a namespace package stay apart and the bytecode of
//! each can be shared. With copies there is one tree instead.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use super::layout::Layout;
use super::place::{Mode, Placer, names};
use super::record::{self, Row};
use super::scripts::{self, EntryPoint, Shebang};
use super::skeleton::write;
use super::{FillIo, Request, at};
use crate::unpack::Unpacked;

/// Where an unpacked wheel keeps what does not go to site-packages.
const STASH: &str = ".prefix";
/// What pex itself noted about the unpacked wheel; wheels that old releases unpacked have none.
const NOTES: &str = ".layout.json";
/// Spilled wheels, below site-packages.
const SPILLS: &str = "pex-ns-pkgs";
/// Files of a `.dist-info` that an installer writes.
const INSTALLERS: [&str; 3] = ["INSTALLER", "REQUESTED", "RECORD"];

/// For each wheel the directory below site-packages that it is spilled to, `None` where it stays.
pub(super) fn spills(request: &Request<'_>) -> Vec<Option<String>> {
    if request.copies {
        return vec![None; request.wheels.len()];
    }
    let mut seen: HashMap<String, usize> = HashMap::new();
    for package in packages(request.code) {
        *seen.entry(package).or_default() += 1;
    }
    request
        .wheels
        .iter()
        .map(|wheel| {
            let packages = packages(&wheel.path);
            let times = packages.iter().filter_map(|package| seen.get(package)).max().copied();
            for package in packages {
                *seen.entry(package).or_default() += 1;
            }
            times.map(|times| format!("{SPILLS}/{times}"))
        })
        .collect()
}

/// The spill directories, each once, in the order of their first wheel.
pub(super) fn spill_directories(spills: &[Option<String>]) -> Vec<&str> {
    let mut seen = HashSet::new();
    spills
        .iter()
        .flatten()
        .map(String::as_str)
        .filter(|spill| seen.insert(*spill))
        .collect()
}

/// Puts the spill directories on `sys.path`.
pub(super) fn write_spill_paths(
    spills: &[Option<String>],
    site_packages: &Path,
) -> Result<(), FillIo> {
    let lines: String = spill_directories(spills)
        .iter()
        .map(|spill| format!("{spill}\n"))
        .collect();
    if lines.is_empty() {
        return Ok(());
    }
    write(&site_packages.join(format!("{SPILLS}.pth")), lines.as_bytes())
}

/// The directories at the top of a tree that an import can name.
fn packages(tree: &Path) -> Vec<String> {
    names(tree)
        .unwrap_or_default()
        .into_iter()
        .filter_map(|name| name.into_string().ok())
        .filter(|name| {
            name != "__pycache__"
                && name != "bin"
                && name.chars().all(|c| c == '_' || c.is_alphanumeric())
                && !name.starts_with(|c: char| c.is_numeric())
                && tree.join(name).is_dir()
        })
        .collect()
}

/// Installs one wheel.
pub(super) fn install(
    wheel: &Unpacked,
    spill: Option<&str>,
    mode: Mode,
    layout: &Layout,
    shebang: &Shebang,
    work: &Path,
    placer: &mut Placer,
) -> Result<(), FillIo> {
    let tree = &wheel.path;
    let top = names(tree)?;
    let is_dist_info = |name: &str| name.ends_with(".dist-info");
    let dist_info = top
        .iter()
        .filter_map(|name| name.to_str())
        .find(|name| is_dist_info(name));
    let target = match spill {
        Some(spill) => format!("{}/{spill}", layout.site_packages),
        None => layout.site_packages.clone(),
    };
    // Old releases unpacked scripts beside the packages.
    let legacy = !tree.join(NOTES).exists();
    let entry_points = match dist_info {
        Some(dist_info) => {
            match fs::read_to_string(tree.join(dist_info).join("entry_points.txt")) {
                Ok(text) => scripts::entry_points(&text),
                Err(_) => Vec::new(),
            }
        }
        None => Vec::new(),
    };
    let mut installed = Installed {
        entry_points: &entry_points,
        rewritten: BTreeSet::new(),
        mode,
        shebang,
        work,
    };

    placer.chosen(mode, tree, &work.join(&target), &|name| {
        name != STASH && name != NOTES && !is_dist_info(name) && !(legacy && name == "bin")
    })?;
    for name in top.iter().filter_map(|name| name.to_str()).filter(|name| is_dist_info(name)) {
        let directory = work.join(&target).join(name);
        placer.chosen(mode, &tree.join(name), &directory, &|name| {
            !INSTALLERS.contains(&name)
        })?;
    }
    if legacy && tree.join("bin").is_dir() {
        installed.scripts(&tree.join("bin"), placer)?;
    }
    let stash = tree.join(STASH);
    if stash.is_dir() {
        for name in names(&stash)? {
            let source = stash.join(&name);
            match name.to_str() {
                Some("bin") => installed.scripts(&source, placer)?,
                Some("platlib" | "purelib") => {
                    placer.children(mode, &source, &work.join(&target))?;
                }
                Some("data") => placer.children(mode, &source, work)?,
                Some("include") => {
                    // include/site/pythonX.Y, where the wheel's tag need not tell the version.
                    for version in directories(&source.join("site"))? {
                        placer.children(mode, &version, &work.join(&layout.headers))?;
                    }
                }
                // Releases around 2.33 put data here itself.
                _ => placer.put(mode, &source, &work.join(&name))?,
            }
        }
    }
    for entry in &entry_points {
        let path = work.join("bin").join(&entry.name);
        if path.symlink_metadata().is_err() {
            executable(&path, &entry.script(shebang))?;
        }
    }
    match dist_info {
        Some(dist_info) => installed.metadata(tree, dist_info, &target, layout, legacy),
        None => Ok(()),
    }
}

fn directories(path: &Path) -> Result<Vec<std::path::PathBuf>, FillIo> {
    if !path.is_dir() {
        return Ok(Vec::new());
    }
    Ok(names(path)?
        .iter()
        .map(|name| path.join(name))
        .filter(|path| path.is_dir())
        .collect())
}

/// A wheel that is being installed.
struct Installed<'a> {
    entry_points: &'a [EntryPoint],
    /// Scripts whose text is not the wheel's own any more.
    rewritten: BTreeSet<String>,
    mode: Mode,
    shebang: &'a Shebang,
    work: &'a Path,
}

impl Installed<'_> {
    /// Puts script files into `bin/`, the environment's Python in those that are Python's. Entry points make theirs anew.
    fn scripts(&mut self, source: &Path, placer: &mut Placer) -> Result<(), FillIo> {
        let bin = self.work.join("bin");
        for name in names(source)? {
            let (from, to) = (source.join(&name), bin.join(&name));
            let plain = name.to_str().unwrap_or_default();
            if self.entry_points.iter().any(|entry| entry.name == plain) {
                continue;
            }
            let text = if from.is_file() {
                scripts::rewritten(&fs::read(&from).map_err(at(&from))?, self.shebang)
            } else {
                None
            };
            match text {
                Some(text) if to.symlink_metadata().is_err() => {
                    executable(&to, &text)?;
                    self.rewritten.insert(plain.to_owned());
                }
                Some(_) => {}
                None if self.mode == Mode::Symlink && !to.is_dir() => {
                    if to.symlink_metadata().is_err() {
                        symlink(&from, &to).map_err(at(&to))?;
                    }
                }
                None => placer.put(self.mode, &from, &to)?,
            }
        }
        Ok(())
    }

    /// Writes INSTALLER, REQUESTED and RECORD, unless another PEX's wheel of the same name and version has them there.
    fn metadata(
        &self,
        tree: &Path,
        dist_info: &str,
        target: &str,
        layout: &Layout,
        legacy: bool,
    ) -> Result<(), FillIo> {
        let directory = self.work.join(target).join(dist_info);
        if directory.join("RECORD").symlink_metadata().is_ok() {
            return Ok(());
        }
        write(&directory.join("INSTALLER"), b"pex\n")?;
        write(&directory.join("REQUESTED"), b"")?;

        let mut rows = Vec::new();
        for row in self.listed(tree, dist_info)? {
            let own = |name: &str| row.path == format!("{dist_info}/{name}");
            if row.path.ends_with(".pyc") || INSTALLERS.into_iter().any(own) {
                continue;
            }
            let Some(path) = destination(&row.path, target, layout, legacy) else {
                continue;
            };
            let script = path.strip_prefix("bin/").unwrap_or_default();
            if self.entry_points.iter().any(|entry| entry.name == script) {
                continue;
            }
            if self.rewritten.contains(script) {
                rows.push(self.row(&path, target)?);
            } else {
                rows.push(Row {
                    path: relative(&path, target),
                    ..row
                });
            }
        }
        for entry in self.entry_points {
            rows.push(self.row(&format!("bin/{}", entry.name), target)?);
        }
        for name in ["INSTALLER", "REQUESTED"] {
            rows.push(self.row(&format!("{target}/{dist_info}/{name}"), target)?);
        }
        rows.push(Row::bare(&format!("{dist_info}/RECORD")));
        write(&directory.join("RECORD"), record::text(&rows).as_bytes())
    }

    fn row(&self, path: &str, target: &str) -> Result<Row, FillIo> {
        let file = self.work.join(path);
        Row::of(&relative(path, target), &file).map_err(at(&file))
    }

    /// The wheel's files: what its RECORD lists, else what is there.
    fn listed(&self, tree: &Path, dist_info: &str) -> Result<Vec<Row>, FillIo> {
        if let Ok(text) = fs::read_to_string(tree.join(dist_info).join("RECORD")) {
            return Ok(record::parse(&text));
        }
        let mut rows = Vec::new();
        let mut pending = vec![String::new()];
        while let Some(directory) = pending.pop() {
            for name in names(&tree.join(&directory))? {
                let Ok(name) = name.into_string() else { continue };
                let path = if directory.is_empty() {
                    name
                } else {
                    format!("{directory}/{name}")
                };
                let file = tree.join(&path);
                if file.is_dir() {
                    if !path.ends_with("__pycache__") {
                        pending.push(path);
                    }
                } else if path != NOTES {
                    rows.push(Row::of(&path, &file).map_err(at(&file))?);
                }
            }
        }
        rows.sort();
        Ok(rows)
    }
}

/// Where a file of an unpacked wheel goes, relative to the environment; `None` for a path that leads out of the wheel.
fn destination(path: &str, target: &str, layout: &Layout, legacy: bool) -> Option<String> {
    if path.starts_with('/') || path.split('/').any(|part| part.is_empty() || part == "..") {
        return None;
    }
    if legacy && path.starts_with("bin/") {
        return Some(path.to_owned());
    }
    let Some(stashed) = path.strip_prefix(STASH).and_then(|rest| rest.strip_prefix('/')) else {
        return Some(format!("{target}/{path}"));
    };
    let (kind, rest) = stashed.split_once('/').unwrap_or((stashed, ""));
    Some(match kind {
        "platlib" | "purelib" => format!("{target}/{rest}"),
        "data" => rest.to_owned(),
        "include" => {
            let mut parts = rest.splitn(3, '/').skip(2);
            format!("{}/{}", layout.headers, parts.next()?)
        }
        _ => stashed.to_owned(),
    })
}

/// `path` as seen from the directory `base`; both relative to the environment.
fn relative(path: &str, base: &str) -> String {
    let (mut path, mut base) = (path.split('/').peekable(), base.split('/').peekable());
    while path.peek().is_some() && path.peek() == base.peek() {
        path.next();
        base.next();
    }
    base.map(|_| "..").chain(path).collect::<Vec<_>>().join("/")
}

/// Writes a new script.
fn executable(path: &Path, text: &[u8]) -> Result<(), FillIo> {
    write(path, text)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).map_err(at(path))
}

#[cfg(test)]
mod tests {
    use super::{destination, relative};

    #[test]
    fn record_paths_lead_from_site_packages_to_the_file() {
        let layout = crate::venv::layout::Layout {
            base: "python3.11".to_owned(),
            python: "python3.11".to_owned(),
            aliases: Vec::new(),
            site_packages: "lib/python3.11/site-packages".to_owned(),
            include: "include/python3.11".to_owned(),
            headers: "include/site/python3.11".to_owned(),
        };
        let check = |path: &str, expect: Option<&str>| {
            let target = "lib/python3.11/site-packages";
            let found = destination(path, target, &layout, false).map(|path| relative(&path, target));
            assert_eq!(found.as_deref(), expect, "{path}");
        };
        check("alpha/__init__.py", Some("alpha/__init__.py"));
        check(".prefix/bin/tool", Some("../../../bin/tool"));
        check(".prefix/platlib/alpha/x.so", Some("alpha/x.so"));
        check(".prefix/data/share/x", Some("../../../share/x"));
        check(".prefix/include/site/pythonX.Y/alpha/a.h", Some("../../../include/site/python3.11/alpha/a.h"));
        check(".prefix/share/x", Some("../../../share/x"));
        check("bin/x", Some("bin/x"));
        check("../../etc/passwd", None);
        check("/etc/passwd", None);
        assert_eq!(relative("bin/x", "lib/python3.11/site-packages/pex-ns-pkgs/1"), "../../../../../bin/x");
    }
}
