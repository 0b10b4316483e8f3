//! One unpacked wheel into the environment (reference 7.1, 9.4).
//!
//! A wheel with a top-level package that user code or an earlier wheel has too is spilled: it goes into a directory of
//! its own behind site-packages on `sys.path`, so that portions of a namespace package stay apart and the bytecode of
//! each can be shared. With copies there is one tree instead. So it is for a regular package that several wheels bring
//! parts of, where they fit: its modules look for each other's files.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};

use sha2::Sha256;

use super::image::{Image, Mode, names};
use super::layout::Layout;
use super::{FillIo, Request, at};
use crate::hashing::hash_file;
use crate::packaging::entry_points::Scripts;
use crate::packaging::names::dist_info;
use crate::packaging::record::{self, Row};
use crate::packaging::scripts::{self, Shebang};
use crate::regular;
use crate::site;
use crate::store::CACHE;
use crate::unpack::Unpacked;

/// Where an unpacked wheel keeps what does not go to site-packages.
const STASH: &str = ".prefix";
/// What pex itself noted about the unpacked wheel; wheels that old releases unpacked have none.
const NOTES: &str = ".layout.json";
/// Spilled wheels, below site-packages.
const SPILLS: &str = "pex-ns-pkgs";
/// Files of a `.dist-info` that an installer writes.
const INSTALLERS: [&str; 3] = ["INSTALLER", "REQUESTED", "RECORD"];

/// Where the wheels of an environment go.
pub(super) struct Places {
    /// For each wheel the directory below site-packages that it is spilled to, `None` where it stays.
    pub spills: Vec<Option<String>>,
    /// Regular packages that several wheels bring parts of; these stay even of a wheel that is spilled.
    pub joined: HashSet<String>,
}

impl Places {
    /// Decides it.
    pub fn of(request: &Request<'_>) -> Places {
        if request.copies {
            return Places {
                spills: vec![None; request.wheels.len()],
                joined: HashSet::new(),
            };
        }
        let own = packages(request.code);
        let wheels: Vec<Vec<String>> = request
            .wheels
            .iter()
            .map(|wheel| packages(&wheel.path))
            .collect();
        let joined = joined(request, &own, &wheels);
        let mut seen: HashMap<&str, usize> = HashMap::new();
        for package in &own {
            *seen.entry(package).or_default() += 1;
        }
        let spills = wheels.iter().map(|packages| {
            let apart = || {
                let packages = packages.iter().filter(|name| !joined.contains(*name));
                packages.map(String::as_str)
            };
            let times = apart().filter_map(|package| seen.get(package)).max();
            let spill = times.map(|times| format!("{SPILLS}/{times}"));
            for package in apart() {
                *seen.entry(package).or_default() += 1;
            }
            spill
        });
        let spills = spills.collect();
        Places { spills, joined }
    }
}

/// The packages of several wheels that fit together, and that user code has no part of.
fn joined(request: &Request<'_>, own: &[String], wheels: &[Vec<String>]) -> HashSet<String> {
    let mut brought: BTreeMap<&str, Vec<PathBuf>> = BTreeMap::new();
    for (wheel, packages) in request.wheels.iter().zip(wheels) {
        for package in packages {
            let parts = brought.entry(package).or_default();
            parts.push(wheel.path.join(package));
        }
    }
    brought
        .into_iter()
        .filter(|(package, parts)| {
            parts.len() > 1
                && !own.iter().any(|name| name == package)
                // What cannot be read is said when it is installed.
                && site::is_one_package(parts).unwrap_or(false)
        })
        .map(|(package, _)| package.to_owned())
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
pub(super) fn spill_paths(
    spills: &[Option<String>],
    layout: &Layout,
    image: &mut Image,
) -> Result<(), FillIo> {
    let lines: String = spill_directories(spills)
        .iter()
        .map(|spill| format!("{spill}\n"))
        .collect();
    if !lines.is_empty() {
        let path = format!("{}/{SPILLS}.pth", layout.site_packages);
        image.text(&path, lines.into_bytes(), false)?;
    }
    Ok(())
}

/// The directories at the top of a tree that an import can name.
fn packages(tree: &Path) -> Vec<String> {
    names(tree)
        .unwrap_or_default()
        .into_iter()
        .filter(|name| {
            name != CACHE
                && name != "bin"
                && name.chars().all(|c| c == '_' || c.is_alphanumeric())
                && !name.starts_with(|c: char| c.is_numeric())
                && tree.join(name).is_dir()
        })
        .collect()
}

/// What is the same for every wheel of an environment.
pub(super) struct Installer<'a> {
    pub mode: Mode,
    pub layout: &'a Layout,
    pub shebang: &'a Shebang,
    /// Packages that other wheels bring parts of too.
    pub joined: &'a HashSet<String>,
}

/// A wheel that is being installed.
struct Wheel<'a> {
    tree: &'a Path,
    /// Its directory on `sys.path`.
    target: String,
    /// Whether an old release unpacked it: scripts are beside the packages then.
    legacy: bool,
    entry_points: Scripts,
    /// Rows of scripts whose text is not the wheel's own.
    scripts: BTreeMap<String, Row>,
}

impl Installer<'_> {
    /// Installs one wheel.
    pub fn install(
        &self,
        wheel: &Unpacked,
        spill: Option<&str>,
        image: &mut Image,
    ) -> Result<(), FillIo> {
        let tree = wheel.path.as_path();
        let top = names(tree)?;
        let is_dist_info = |name: &str| name.ends_with(".dist-info");
        let directories = top.iter().map(String::as_str);
        let directories = directories
            .filter(|name| is_dist_info(name) && tree.join(name).join("METADATA").is_file());
        let dist_info = dist_info(&wheel.name, directories);
        let site_packages = &self.layout.site_packages;
        let mut wheel = Wheel {
            tree,
            target: match spill {
                Some(spill) => format!("{site_packages}/{spill}"),
                None => site_packages.clone(),
            },
            legacy: !top.iter().any(|name| name == NOTES),
            entry_points: match dist_info {
                Some(name) => entry_points(&tree.join(name).join("entry_points.txt"))?,
                None => Scripts::default(),
            },
            scripts: BTreeMap::new(),
        };
        image.chosen(self.mode, tree, &wheel.target, &|name| {
            name != STASH
                && name != NOTES
                && !is_dist_info(name)
                && !self.joined.contains(name)
                && !(wheel.legacy && name == "bin")
        })?;
        // In real directories: a link resolved would lead into one wheel, where the parts of the others are not.
        image.chosen(Mode::AnyLink, tree, site_packages, &|name| {
            self.joined.contains(name)
        })?;
        for name in top.iter().filter(|name| is_dist_info(name)) {
            let directory = format!("{}/{name}", wheel.target);
            image.chosen(self.mode, &tree.join(name), &directory, &|name| {
                !INSTALLERS.contains(&name)
            })?;
        }
        if wheel.legacy && tree.join("bin").is_dir() {
            self.script_files(&tree.join("bin"), &mut wheel, image)?;
        }
        if tree.join(STASH).is_dir() {
            self.stash(&mut wheel, image)?;
        }
        for script in std::mem::take(&mut wheel.entry_points).all() {
            let name = script.path().map_err(damaged(tree))?;
            let path = format!("bin/{name}");
            let text = scripts::text(&script.entry, self.shebang);
            let row = wheel.row(&path, &text);
            // Of a console script and a GUI script of one name the first one stays.
            wheel.scripts.entry(path.clone()).or_insert(row);
            image.text(&path, text, true)?;
        }
        match dist_info {
            Some(dist_info) => self.metadata(&wheel, dist_info, image),
            None => Ok(()),
        }
    }

    /// What does not go to site-packages.
    fn stash(&self, wheel: &mut Wheel<'_>, image: &mut Image) -> Result<(), FillIo> {
        let stash = wheel.tree.join(STASH);
        for name in names(&stash)? {
            let source = stash.join(&name);
            match name.as_str() {
                "bin" => self.script_files(&source, wheel, image)?,
                "platlib" | "purelib" => image.children(self.mode, &source, &wheel.target)?,
                "data" => {
                    for name in names(&source)? {
                        image.put(self.mode, &source.join(&name), &name)?;
                    }
                }
                "include" => {
                    // include/site/pythonX.Y, where the wheel's tag need not tell the version.
                    let site = source.join("site");
                    for version in names(&site)? {
                        let version = site.join(version);
                        image.children(self.mode, &version, &self.layout.headers)?;
                    }
                }
                // Releases around 2.33 put data here itself.
                _ => image.put(self.mode, &source, &name)?,
            }
        }
        Ok(())
    }

    /// Puts script files into `bin/`, the environment's Python in those that are Python's. Entry points make theirs anew.
    fn script_files(
        &self,
        source: &Path,
        wheel: &mut Wheel<'_>,
        image: &mut Image,
    ) -> Result<(), FillIo> {
        for name in names(source)? {
            if wheel.entry_points.find(&name).is_some() {
                continue;
            }
            let (file, path) = (source.join(&name), format!("bin/{name}"));
            let text = if file.is_file() {
                scripts::rewritten(&regular::read(&file).map_err(at(&file))?, self.shebang)
            } else {
                None
            };
            match text {
                Some(text) => {
                    wheel.scripts.insert(path.clone(), wheel.row(&path, &text));
                    image.text(&path, text, true)?;
                }
                None => image.put(self.mode, &file, &path)?,
            }
        }
        Ok(())
    }

    /// INSTALLER, REQUESTED and RECORD, unless another PEX's wheel of the same name and version has them there.
    fn metadata(
        &self,
        wheel: &Wheel<'_>,
        dist_info: &str,
        image: &mut Image,
    ) -> Result<(), FillIo> {
        let path = |name: &str| format!("{}/{dist_info}/{name}", wheel.target);
        let mut rows = Vec::new();
        let (listed, eol) = wheel.listed(dist_info)?;
        for row in listed {
            if row.is_directory() {
                rows.push(row);
                continue;
            }
            let own = |name: &str| row.path == format!("{dist_info}/{name}");
            if row.path.ends_with(".pyc") || INSTALLERS.into_iter().any(own) {
                continue;
            }
            let package = row.path.split('/').next().unwrap_or_default();
            let target = match self.joined.contains(package) {
                true => &self.layout.site_packages,
                false => &wheel.target,
            };
            if let Some(path) = destination(&row.path, target, self.layout, wheel.legacy)
                && !wheel.scripts.contains_key(&path)
            {
                rows.push(Row {
                    path: relative(&path, &wheel.target),
                    ..row
                });
            }
        }
        rows.extend(wheel.scripts.values().cloned());
        for (name, text) in [("INSTALLER", "pex\n"), ("REQUESTED", "")] {
            rows.push(wheel.row(&path(name), text.as_bytes()));
            image.text(&path(name), text.into(), false)?;
        }
        rows.push(Row::bare(&format!("{dist_info}/RECORD")));
        image.text(&path("RECORD"), record::write(&rows, eol), false)?;
        Ok(())
    }
}

impl Wheel<'_> {
    fn row(&self, path: &str, bytes: &[u8]) -> Row {
        Row::of_bytes(&relative(path, &self.target), bytes)
    }

    /// The wheel's files: what its RECORD lists, else what is there; and how lines of its RECORD end.
    fn listed(&self, dist_info: &str) -> Result<(Vec<Row>, &'static str), FillIo> {
        let file = self.tree.join(dist_info).join("RECORD");
        let bytes = optional(&file)?;
        let listed = record::read(&bytes).map_err(damaged(&file))?;
        if !listed.is_empty() {
            let record = format!("{dist_info}/RECORD");
            let eol = match listed.iter().any(|row| row.path == record) {
                true => record::line_ending(&bytes),
                false => "\n",
            };
            return Ok((listed, eol));
        }
        let mut rows = Vec::new();
        let mut pending = vec![String::new()];
        while let Some(directory) = pending.pop() {
            for name in names(&self.tree.join(&directory))? {
                let path = if directory.is_empty() {
                    name
                } else {
                    format!("{directory}/{name}")
                };
                let file = self.tree.join(&path);
                if file.is_dir() {
                    if !path.ends_with(CACHE) {
                        pending.push(path);
                    }
                } else if path != NOTES {
                    let (digest, size) = hash_file::<Sha256>(&file).map_err(at(&file))?;
                    rows.push(Row::hashed(&path, &digest, size));
                }
            }
        }
        rows.sort();
        Ok((rows, "\n"))
    }
}

/// The scripts that an entry_points.txt calls for; none where there is no such file.
fn entry_points(file: &Path) -> Result<Scripts, FillIo> {
    Scripts::parse(&optional(file)?).map_err(damaged(file))
}

/// What is in the file; nothing where there is none.
fn optional(file: &Path) -> Result<Vec<u8>, FillIo> {
    match regular::read(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        read => read.map_err(at(file)),
    }
}

/// A part of a wheel that cannot be read.
fn damaged<E: std::error::Error + Send + Sync + 'static>(file: &Path) -> impl Fn(E) -> FillIo + '_ {
    move |error| at(file)(io::Error::new(io::ErrorKind::InvalidData, error))
}

/// Where a file of an unpacked wheel goes, relative to the environment; `None` for a path that leads out of the wheel.
fn destination(path: &str, target: &str, layout: &Layout, legacy: bool) -> Option<String> {
    let path = record::normal(path).filter(|_| !path.starts_with('/'))?;
    if legacy && path.starts_with("bin/") {
        return Some(path);
    }
    let Some(stashed) = path
        .strip_prefix(STASH)
        .and_then(|rest| rest.strip_prefix('/'))
    else {
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
            let found =
                destination(path, target, &layout, false).map(|path| relative(&path, target));
            assert_eq!(found.as_deref(), expect, "{path}");
        };
        check("alpha/__init__.py", Some("alpha/__init__.py"));
        check(".prefix/bin/tool", Some("../../../bin/tool"));
        check(".prefix/platlib/alpha/x.so", Some("alpha/x.so"));
        check(".prefix/data/share/x", Some("../../../share/x"));
        check(
            ".prefix/include/site/pythonX.Y/alpha/a.h",
            Some("../../../include/site/python3.11/alpha/a.h"),
        );
        check(".prefix/share/x", Some("../../../share/x"));
        check("bin/x", Some("bin/x"));
        check("a/./b//../c", Some("a/c"));
        check("../../etc/passwd", None);
        check("/etc/passwd", None);
        assert_eq!(
            relative("bin/x", "lib/python3.11/site-packages/pex-ns-pkgs/1"),
            "../../../../../bin/x"
        );
    }
}
