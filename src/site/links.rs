//! The merged directory on disk.
//!
//! A directory that one wheel alone brings is one symbolic link into the store, relative where it stays within the root,
//! so that a root can be moved or mounted elsewhere. It is a real directory where units share it, with everything below
//! where that is a regular package (its modules may look for each other's files, links resolved), and where native code
//! lies in it or below: there `$ORIGIN/../..` of a library must lead through the site to other wheels' libraries, as it
//! does where pip has installed them all, and not to the store. Files in real directories are hard links (to the program
//! they are where they seem to be); where the file system refuses that (another device, `protected_hardlinks`, too many
//! links) symbolic ones, which are as good to Python and the dynamic linker. A file system that has no symbolic links gets
//! real directories alone.
//!
//! Bytecode is shared by all sites wherever it can be: through a link, it is the wheel's; of a real directory that one
//! wheel brings, `__pycache__` is a link to the wheel's (see `unpack::caches`). Where wheels meet it has no one home, and a
//! wheel of another root cannot be written to: there it is the site's own, and begins with what is known already (see
//! [`super::bytecode`]).

use std::io;
use std::path::{Path, PathBuf};

use super::bytecode::{self, Known};
use super::merge::{Directory, Node, list};
use crate::store::{CACHE, FillError, StoreError, Tree, has_no_links};
use crate::unpack::is_library;

/// Builds `merged` in the fresh directory `root`, which will lie two levels below `format`, as it does now; with the
/// bytecode that is known.
pub(super) fn build(
    root: &Path,
    merged: &Directory,
    format: &Path,
    known: &Known,
) -> Result<(), FillError> {
    let at = |path: &Path| {
        let path = path.to_owned();
        move |source| StoreError::Io { path, source }
    };
    let mut builder = Builder {
        tree: Tree::new(root).map_err(at(root))?,
        format,
        known,
    };
    builder.fill("", merged, false).map_err(at(root))?;
    Ok(builder.adopt("", merged).map_err(at(root))?)
}

struct Builder<'a> {
    tree: Tree,
    format: &'a Path,
    known: &'a Known,
}

impl Builder<'_> {
    /// Fills the directory `prefix`; with `real` everything below is real too.
    fn fill(&mut self, prefix: &str, directory: &Directory, real: bool) -> io::Result<()> {
        for (name, node) in &directory.children {
            let path = if prefix.is_empty() {
                name.clone()
            } else {
                format!("{prefix}/{name}")
            };
            match node {
                Node::File(source) => {
                    if prefix.is_empty() {
                        self.link(&path, source)?;
                    } else {
                        self.file(&path, source)?;
                    }
                }
                Node::Shared(directory) => {
                    self.real(&path, directory, real || directory.is_regular())?;
                    self.adopt(&path, directory)?;
                }
                Node::Whole {
                    path: source,
                    native,
                } if real || (*native && holds_native(source)?) => {
                    let listed = list(source, *native)?;
                    self.real(&path, &listed, real)?;
                    let cache = source.join(CACHE);
                    let shares = *native
                        && source.starts_with(self.format)
                        && cache.symlink_metadata().is_ok_and(|found| found.is_dir());
                    let place = format!("{path}/{CACHE}");
                    let link = || {
                        let target = self.target(&place, &cache);
                        self.tree.link(&place, &target)
                    };
                    match shares.then(link) {
                        Some(Err(error)) if !has_no_links(&error) => return Err(error),
                        Some(Ok(())) => {}
                        _ => self.adopt(&path, &listed)?,
                    }
                }
                Node::Whole { path: source, .. } => self.link(&path, source)?,
            }
        }
        Ok(())
    }

    fn real(&mut self, path: &str, directory: &Directory, below: bool) -> io::Result<()> {
        self.tree.directory(path)?;
        self.fill(path, directory, below)
    }

    /// Gives the directory at `path` a `__pycache__` of its own with the bytecode of its modules that there is, if any.
    fn adopt(&mut self, path: &str, directory: &Directory) -> io::Result<()> {
        for (name, source) in bytecode::of(path, directory, self.known) {
            let below = if path.is_empty() { "" } else { "/" };
            self.file(&format!("{path}{below}{CACHE}/{name}"), &source)?;
        }
        Ok(())
    }

    /// A file that is to seem to lie here.
    fn file(&mut self, path: &str, source: &Path) -> io::Result<()> {
        match self.tree.hard_link(path, source) {
            Ok(()) => Ok(()),
            Err(_) => self.link(path, source),
        }
    }

    fn link(&mut self, path: &str, source: &Path) -> io::Result<()> {
        self.tree
            .link_or_copy(path, &self.target(path, source), source)
    }

    /// What a link at `path` must read to lead to `source`.
    fn target(&self, path: &str, source: &Path) -> PathBuf {
        let Ok(within) = source.strip_prefix(self.format) else {
            return source.to_owned();
        };
        // From the link's directory up to the site, and from there past `sites/KEY`.
        let up = path.split('/').count() + 1;
        let mut target: PathBuf = std::iter::repeat_n("..", up).collect();
        target.push(within);
        target
    }
}

/// Whether a shared library lies in the directory or below.
fn holds_native(directory: &Path) -> io::Result<bool> {
    let mut below = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        if entry.file_type()?.is_dir() {
            below.push(entry.path());
        } else if is_library(&name.to_string_lossy()) {
            return Ok(true);
        }
    }
    for directory in below {
        if holds_native(&directory)? {
            return Ok(true);
        }
    }
    Ok(false)
}
