//! The environment as it will be, before any of it is written: several trees of files merged into one.
//!
//! A directory that comes from one source alone becomes one symbolic link. When a second source brings files for it, it
//! is opened up: a real directory takes its place and holds what both have. Where two bring the same file the first one
//! stays. Since all of this happens in memory, nothing can ever be written through a link.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use nix::errno::Errno;

use super::{FillIo, at};
use crate::regular;
use crate::store::{CACHE, Tree, has_no_links};

/// How a file gets to its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// Symbolic links, of whole directories where possible; bytecode is then shared by all who link them.
    Symlink,
    /// Hard links in real directories; copies where the system refuses those.
    HardLink,
    /// Hard links in real directories; symbolic ones where the system refuses those.
    AnyLink,
    /// Copies.
    Copy,
}

/// What will be at one place.
#[derive(Debug)]
enum Node {
    Directory(BTreeMap<String, Node>),
    /// What is at that absolute path; a directory only where it is linked.
    Source(Mode, PathBuf),
    /// A file of our own, and whether it is executable.
    Text(Vec<u8>, bool),
    /// A symbolic link to a neighbour.
    Neighbour(String),
    /// A symbolic link to that absolute path, which nothing is merged with.
    Link(PathBuf),
}

/// An environment in the making. Paths are relative to it, `/`-separated.
#[derive(Debug, Default)]
pub(super) struct Image {
    root: BTreeMap<String, Node>,
    clashes: Vec<String>,
}

impl Image {
    /// Files that found their place taken by another content, one line each.
    pub fn into_clashes(self) -> Vec<String> {
        self.clashes
    }

    /// A file of our own; false, and nothing done, when its place is taken.
    pub fn text(&mut self, path: &str, bytes: Vec<u8>, executable: bool) -> Result<bool, FillIo> {
        self.insert(path, Node::Text(bytes, executable))
    }

    /// A symbolic link to a name beside it.
    pub fn neighbour(&mut self, path: &str, name: String) -> Result<bool, FillIo> {
        self.insert(path, Node::Neighbour(name))
    }

    /// A symbolic link to an absolute path.
    pub fn link(&mut self, path: &str, target: &Path) -> Result<bool, FillIo> {
        self.insert(path, Node::Link(target.to_owned()))
    }

    /// A directory, with those above it.
    pub fn directory(&mut self, path: &str) -> Result<(), FillIo> {
        enter(&mut self.root, path).map(drop)
    }

    fn insert(&mut self, path: &str, node: Node) -> Result<bool, FillIo> {
        let (parent, name) = split(path);
        let Some(directory) = enter(&mut self.root, parent)? else {
            return Ok(false);
        };
        match directory.entry(name.to_owned()) {
            Entry::Vacant(vacant) => {
                vacant.insert(node);
                Ok(true)
            }
            Entry::Occupied(_) => Ok(false),
        }
    }

    /// Merges everything in the directory `source` into the directory `path`.
    pub fn children(&mut self, mode: Mode, source: &Path, path: &str) -> Result<(), FillIo> {
        self.chosen(mode, source, path, &|_| true)
    }

    /// The same for those names that `wanted` wants.
    pub fn chosen(
        &mut self,
        mode: Mode,
        source: &Path,
        path: &str,
        wanted: &dyn Fn(&str) -> bool,
    ) -> Result<(), FillIo> {
        let Some(directory) = enter(&mut self.root, path)? else {
            self.clashes.push(refused(path, source));
            return Ok(());
        };
        merge_children(mode, source, path, directory, &mut self.clashes, wanted)
    }

    /// Merges the file or directory `source` into what is at `path`.
    pub fn put(&mut self, mode: Mode, source: &Path, path: &str) -> Result<(), FillIo> {
        let (parent, name) = split(path);
        let Some(directory) = enter(&mut self.root, parent)? else {
            self.clashes.push(refused(path, source));
            return Ok(());
        };
        merge(mode, source, path, name, directory, &mut self.clashes)
    }

    /// Writes it all below `work`, a fresh empty directory.
    pub fn write(&self, work: &Path) -> Result<(), FillIo> {
        let mut tree = Tree::new(work).map_err(at(work))?;
        write(&self.root, "", &mut tree).map_err(at(work))
    }
}

fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}

/// The directory at `path`, made where it is missing and opened up where it is linked; `None` where a file is in the way.
fn enter<'a>(
    root: &'a mut BTreeMap<String, Node>,
    path: &str,
) -> Result<Option<&'a mut BTreeMap<String, Node>>, FillIo> {
    let mut directory = root;
    for name in path.split('/').filter(|name| !name.is_empty()) {
        let name = match directory.get(name) {
            Some(Node::Neighbour(neighbour)) => neighbour.clone(),
            _ => name.to_owned(),
        };
        let node = directory
            .entry(name)
            .or_insert_with(|| Node::Directory(BTreeMap::new()));
        if !open_up(node)? {
            return Ok(None);
        }
        let Node::Directory(inner) = node else {
            return Ok(None);
        };
        directory = inner;
    }
    Ok(Some(directory))
}

/// Makes a real directory of a linked one; false for what is no directory at all.
fn open_up(node: &mut Node) -> Result<bool, FillIo> {
    let source = match node {
        Node::Directory(_) => return Ok(true),
        Node::Source(_, source) if source.is_dir() => source.clone(),
        _ => return Ok(false),
    };
    let mut children = BTreeMap::new();
    for name in names(&source)? {
        if name != CACHE {
            let child = source.join(&name);
            children.insert(name, Node::Source(Mode::Symlink, child));
        }
    }
    *node = Node::Directory(children);
    Ok(true)
}

fn merge_children(
    mode: Mode,
    source: &Path,
    path: &str,
    directory: &mut BTreeMap<String, Node>,
    clashes: &mut Vec<String>,
    wanted: &dyn Fn(&str) -> bool,
) -> Result<(), FillIo> {
    for name in names(source)? {
        // Bytecode is Python's to write anew in each real directory.
        if name != CACHE && wanted(&name) {
            let inner = format!("{path}/{name}");
            merge(mode, &source.join(&name), &inner, &name, directory, clashes)?;
        }
    }
    Ok(())
}

fn merge(
    mode: Mode,
    source: &Path,
    path: &str,
    name: &str,
    directory: &mut BTreeMap<String, Node>,
    clashes: &mut Vec<String>,
) -> Result<(), FillIo> {
    let is_directory = fs::metadata(source).map_err(at(source))?.is_dir();
    let name = match directory.get(name) {
        Some(Node::Neighbour(neighbour)) if is_directory => neighbour.clone(),
        _ => name.to_owned(),
    };
    let node = match directory.entry(name) {
        Entry::Vacant(vacant) => {
            if mode == Mode::Symlink || !is_directory {
                vacant.insert(Node::Source(mode, source.to_owned()));
                return Ok(());
            }
            vacant.insert(Node::Directory(BTreeMap::new()))
        }
        Entry::Occupied(occupied) => occupied.into_mut(),
    };
    if matches!(node, Node::Source(_, there) if there == source) {
        return Ok(());
    }
    if is_directory && open_up(node)? {
        if let Node::Directory(inner) = node {
            merge_children(mode, source, path, inner, clashes, &|_| true)?;
        }
        return Ok(());
    }
    let same = match node {
        Node::Source(_, there) if !is_directory && there.is_file() => {
            same_content(there, source).map_err(at(source))?
        }
        _ => false,
    };
    if !same {
        clashes.push(refused(path, source));
    }
    Ok(())
}

fn refused(path: &str, source: &Path) -> String {
    format!(
        "`{path}` stays as it was first brought; not taken: `{}`",
        source.display()
    )
}

fn write(directory: &BTreeMap<String, Node>, path: &str, tree: &mut Tree) -> io::Result<()> {
    for (name, node) in directory {
        let path = if path.is_empty() {
            name.clone()
        } else {
            format!("{path}/{name}")
        };
        match node {
            Node::Neighbour(name) => match tree.link(&path, Path::new(name)) {
                // `lib64` is for those who know no `lib`; they do without.
                Err(error) if has_no_links(&error) => match directory.get(name) {
                    None | Some(Node::Directory(_) | Node::Neighbour(_)) => {}
                    Some(node) => write_node(node, &path, tree)?,
                },
                result => result?,
            },
            node => write_node(node, &path, tree)?,
        }
    }
    Ok(())
}

/// Writes what is no link to a neighbour.
fn write_node(node: &Node, path: &str, tree: &mut Tree) -> io::Result<()> {
    match node {
        Node::Directory(inner) => {
            tree.directory(path)?;
            write(inner, path, tree)
        }
        Node::Text(bytes, executable) => tree.write(path, bytes, *executable),
        Node::Neighbour(name) => tree.link(path, Path::new(name)),
        Node::Source(Mode::Symlink, target) => tree.link_or_copy(path, target, target),
        // The base's Python, with which nothing of ours may share a file.
        Node::Link(target) => match tree.link(path, target) {
            Err(error) if has_no_links(&error) => tree.copy(path, target),
            result => result,
        },
        Node::Source(Mode::Copy, source) => tree.copy(path, source),
        Node::Source(Mode::AnyLink, source) => match tree.hard_link(path, source) {
            Ok(()) => Ok(()),
            Err(_) => tree.link_or_copy(path, source, source),
        },
        Node::Source(Mode::HardLink, source) => match tree.hard_link(path, source) {
            Err(error)
                if matches!(
                    error.raw_os_error().map(Errno::from_raw),
                    Some(
                        Errno::EXDEV
                            | Errno::EPERM
                            | Errno::EMLINK
                            | Errno::EOPNOTSUPP
                            | Errno::ENOSYS
                    )
                ) =>
            {
                tree.copy(path, source)
            }
            result => result,
        },
    }
}

/// The names in a directory, sorted.
pub(super) fn names(directory: &Path) -> Result<Vec<String>, FillIo> {
    let list = || -> io::Result<Vec<String>> {
        fs::read_dir(directory)?
            .map(|entry| {
                entry?.file_name().into_string().map_err(|name: OsString| {
                    io::Error::other(format!("the name {name:?} is not UTF-8; rename that file"))
                })
            })
            .collect()
    };
    let mut names = list().map_err(at(directory))?;
    names.sort();
    Ok(names)
}

/// Whether two files count as the same: by their bytes; an `__init__.py` by its lines of code.
fn same_content(one: &Path, other: &Path) -> io::Result<bool> {
    if one.file_name().is_some_and(|name| name == "__init__.py") {
        // Packages that several wheels share differ in comments and blank lines, which matters to nobody.
        return regular::same_code(one, other);
    }
    regular::same_content(one, other)
}
