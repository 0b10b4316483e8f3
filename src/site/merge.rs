//! What units merge to, and when they clash.
//!
//! For an import name, a path gives the first module or regular package that any entry has; only when there is none, all
//! directories of that name together make a namespace package (PEP 420). Merged as pip merges them, the directories give
//! the same and, in a regular package, more: what the other units put into it can be imported too, and is found beside the
//! package's own files. Wheels that are cut from one source rely on that. So units may share a directory unless two of
//! them make it a regular package by different `__init__.py`; and the same holds inside, name by name. A clash is: a module
//! against a package, one file with two contents, a file against a directory, and two versions of one project (of two
//! `dist-info` directories, a path gives the first).

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use crate::packaging::names;
use crate::regular;
use crate::store::CACHE;

/// A directory of the site, or of a unit on its way there.
#[derive(Debug, Clone, Default)]
pub(super) struct Directory {
    pub(super) children: BTreeMap<String, Node>,
}

/// What a directory holds.
#[derive(Debug, Clone)]
pub(super) enum Node {
    /// A file, where it is in the store.
    File(PathBuf),
    /// A directory that one unit alone brings.
    Whole {
        /// Where it is in the store.
        path: PathBuf,
        /// Whether there may be native code in it.
        native: bool,
    },
    /// A directory that several units bring.
    Shared(Directory),
}

/// Names by which units take precedence over each other.
#[derive(Debug, Default)]
pub(super) struct Names(BTreeSet<String>);

impl Names {
    /// Whether both have one.
    pub(super) fn meet(&self, other: &Names) -> bool {
        !self.0.is_disjoint(&other.0)
    }

    /// Takes in the others.
    pub(super) fn extend(&mut self, other: Names) {
        self.0.extend(other.0);
    }
}

/// The directory at `path`, as one unit brings it.
pub(super) fn list(path: &Path, native: bool) -> io::Result<Directory> {
    let mut children = BTreeMap::new();
    for entry in std::fs::read_dir(path)? {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else {
            return Err(io::Error::other("a file name in it is not UTF-8"));
        };
        // Bytecode is made anew; the layout is for pex's own tools.
        if name == CACHE || name == ".layout.json" {
            continue;
        }
        let node = if entry.file_type()?.is_dir() {
            Node::Whole {
                path: entry.path(),
                native,
            }
        } else {
            Node::File(entry.path())
        };
        children.insert(name, node);
    }
    Ok(Directory { children })
}

impl Directory {
    /// The import names and projects at the top.
    pub(super) fn names(&self) -> Names {
        let names = self.children.iter().flat_map(|(name, node)| {
            let import = import_name(name, node.is_directory()).map(str::to_owned);
            // No import name has a blank.
            let project = project(name).map(|project| format!("project {project}"));
            [import, project].into_iter().flatten()
        });
        Names(names.collect())
    }

    /// Whether `other` can be merged into this without changing what an import finds.
    pub(super) fn accepts(&self, other: &Directory) -> io::Result<bool> {
        let mine = Index::of(self);
        for (name, node) in &other.children {
            if project(name).is_some_and(|project| mine.projects.contains(&project)) {
                return Ok(false);
            }
            let fits = match self.children.get(name) {
                Some(there) => there.accepts(node, name)?,
                None => import_name(name, node.is_directory())
                    .is_none_or(|import| !mine.imports.contains(import)),
            };
            if !fits {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Merges what was found acceptable.
    pub(super) fn merge(&mut self, other: Directory) -> io::Result<()> {
        for (name, node) in other.children {
            match self.children.remove(&name) {
                None => {
                    self.children.insert(name, node);
                }
                Some(there @ Node::File(_)) => {
                    self.children.insert(name, there);
                }
                Some(there) => {
                    let mut shared = there.into_listed()?;
                    shared.merge(node.into_listed()?)?;
                    self.children.insert(name, Node::Shared(shared));
                }
            }
        }
        Ok(())
    }
}

impl Node {
    fn is_directory(&self) -> bool {
        !matches!(self, Node::File(_))
    }

    /// Whether both can be one, under this name.
    fn accepts(&self, other: &Node, name: &str) -> io::Result<bool> {
        match (self, other) {
            (Node::File(one), Node::File(other)) => is_shared(one, other),
            (Node::File(_), _) | (_, Node::File(_)) => Ok(false),
            (one, other) => {
                let (one, other) = (one.listed()?, other.listed()?);
                let importable = import_name(name, true).is_some();
                if importable && !(may_share(&one.inits(), &other.inits())?) {
                    return Ok(false);
                }
                one.accepts(&other)
            }
        }
    }

    /// What is in a directory; nothing for a file.
    fn listed(&self) -> io::Result<std::borrow::Cow<'_, Directory>> {
        Ok(match self {
            Node::Shared(directory) => std::borrow::Cow::Borrowed(directory),
            Node::Whole { path, native } => std::borrow::Cow::Owned(list(path, *native)?),
            Node::File(_) => std::borrow::Cow::Owned(Directory::default()),
        })
    }

    fn into_listed(self) -> io::Result<Directory> {
        match self {
            Node::Shared(directory) => Ok(directory),
            Node::Whole { path, native } => list(&path, native),
            Node::File(_) => Ok(Directory::default()),
        }
    }
}

impl Directory {
    /// Whether it is a regular package.
    pub(super) fn is_regular(&self) -> bool {
        !self.inits().is_empty()
    }

    /// What makes it a regular package.
    fn inits(&self) -> Vec<&Path> {
        self.children
            .iter()
            .filter_map(|(name, node)| match node {
                Node::File(path) if import_name(name, false) == Some("__init__") => {
                    Some(path.as_path())
                }
                _ => None,
            })
            .collect()
    }
}

/// Import names and projects of a directory.
#[derive(Debug)]
struct Index<'a> {
    imports: BTreeSet<&'a str>,
    projects: BTreeSet<String>,
}

impl<'a> Index<'a> {
    fn of(directory: &'a Directory) -> Index<'a> {
        let children = || directory.children.iter();
        Index {
            imports: children()
                .filter_map(|(name, node)| import_name(name, node.is_directory()))
                .collect(),
            projects: children().filter_map(|(name, _)| project(name)).collect(),
        }
    }
}

/// Whether two directories with these `__init__` files can share one.
fn may_share(one: &[&Path], other: &[&Path]) -> io::Result<bool> {
    match (one, other) {
        ([], _) | (_, []) => Ok(true),
        ([one], [other]) => is_shared(one, other),
        _ => Ok(false),
    }
}

/// Whether these directories, which have one import name, make one regular package.
pub(super) fn is_one_package(directories: &[PathBuf]) -> io::Result<bool> {
    let mut merged = Directory::default();
    for directory in directories {
        let listed = list(directory, false)?;
        if !may_share(&merged.inits(), &listed.inits())? || !merged.accepts(&listed)? {
            return Ok(false);
        }
        merged.merge(listed)?;
    }
    Ok(merged.is_regular())
}

/// The name by which a file or directory can be imported; `None` for data.
fn import_name(name: &str, is_directory: bool) -> Option<&str> {
    let stem = if is_directory {
        name
    } else {
        let is_module = [".py", ".pyc", ".so"].iter().any(|end| name.ends_with(end));
        name.split('.').next().filter(|_| is_module)?
    };
    (!stem.is_empty() && !stem.contains(['-', '.', ' '])).then_some(stem)
}

/// The project that a metadata directory is about, as project names compare (PEP 503).
fn project(name: &str) -> Option<String> {
    let stem = name
        .strip_suffix(".dist-info")
        .or_else(|| name.strip_suffix(".egg-info"))?;
    Some(names::project(stem))
}

/// Whether two files of wheels are one small file that both bring. An `__init__.py` is known by its lines of code: those
/// of packages that several wheels share differ in licences and blank lines.
fn is_shared(one: &Path, other: &Path) -> io::Result<bool> {
    if [one, other]
        .iter()
        .all(|path| path.ends_with("__init__.py"))
    {
        return regular::same_code(one, other);
    }
    let (first, second) = (std::fs::metadata(one)?, std::fs::metadata(other)?);
    if !first.is_file() || !second.is_file() || first.len() != second.len() {
        return Ok(false);
    }
    // Files that two wheels have in common are small: licences, `__init__.py`.
    Ok(first.len() <= 1 << 20 && regular::same_content(one, other)?)
}
