//! Puts trees of files into the environment, several into one place where they meet.
//!
//! A directory that comes from one source alone is one symbolic link. When a second source brings files for it, the link
//! is opened up: a real directory takes its place and holds links to what both have. Where two bring the same file the
//! first one stays. Nothing is ever written through a link.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use nix::errno::Errno;

use super::{FillIo, at};

/// How a file gets to its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// Symbolic links, of whole directories where possible; bytecode is then shared by all who link them.
    Symlink,
    /// Hard links in real directories; copies where the system refuses those.
    HardLink,
    /// Copies.
    Copy,
}

/// Puts files into one environment and remembers those that found their place taken.
#[derive(Debug)]
pub(super) struct Placer {
    root: PathBuf,
    clashes: Vec<String>,
}

impl Placer {
    /// For the environment at `root`.
    pub fn new(root: &Path) -> Placer {
        Placer {
            root: root.to_owned(),
            clashes: Vec::new(),
        }
    }

    /// The files that found their place taken by another content, one line each.
    pub fn into_clashes(self) -> Vec<String> {
        self.clashes
    }

    /// Puts everything in the directory `source` into the directory `target`, which is made when it is missing.
    pub fn children(&mut self, mode: Mode, source: &Path, target: &Path) -> Result<(), FillIo> {
        self.chosen(mode, source, target, &|_| true)
    }

    /// The same for those names that `wanted` wants.
    pub fn chosen(
        &mut self,
        mode: Mode,
        source: &Path,
        target: &Path,
        wanted: &dyn Fn(&str) -> bool,
    ) -> Result<(), FillIo> {
        fs::create_dir_all(target).map_err(at(target))?;
        for name in names(source)? {
            if !is_bytecode(&name) && name.to_str().is_none_or(wanted) {
                self.put(mode, &source.join(&name), &target.join(&name))?;
            }
        }
        Ok(())
    }

    /// Puts the file or directory `source` at `target`.
    pub fn put(&mut self, mode: Mode, source: &Path, target: &Path) -> Result<(), FillIo> {
        let is_directory = fs::metadata(source).map_err(at(source))?.is_dir();
        let status = match fs::symlink_metadata(target) {
            Ok(status) => status,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return match mode {
                    Mode::Symlink => {
                        std::os::unix::fs::symlink(source, target).map_err(at(target))
                    }
                    _ if is_directory => self.children(mode, source, target),
                    Mode::HardLink => hard_link(source, target).map_err(at(target)),
                    Mode::Copy => fs::copy(source, target).map(drop).map_err(at(source)),
                };
            }
            Err(error) => return Err(at(target)(error)),
        };
        let target_is_directory = target.is_dir();
        if is_directory && target_is_directory {
            // Our own links of directories are absolute; a relative one (lib64) belongs to the environment.
            if status.is_symlink() {
                let linked = fs::read_link(target).map_err(at(target))?;
                if linked == source {
                    return Ok(());
                }
                if linked.is_absolute() {
                    fs::remove_file(target).map_err(at(target))?;
                    self.children(Mode::Symlink, &linked, target)?;
                }
            }
            return self.children(mode, source, target);
        }
        if is_directory != target_is_directory || !same_content(source, target).map_err(at(target))?
        {
            self.clashes.push(format!(
                "`{}` stays as it was first brought; not taken: `{}`",
                target.strip_prefix(&self.root).unwrap_or(target).display(),
                source.display()
            ));
        }
        Ok(())
    }
}

/// The names in a directory, sorted.
pub(super) fn names(directory: &Path) -> Result<Vec<OsString>, FillIo> {
    let list = || -> io::Result<Vec<OsString>> {
        fs::read_dir(directory)?
            .map(|entry| Ok(entry?.file_name()))
            .collect()
    };
    let mut names = list().map_err(at(directory))?;
    names.sort();
    Ok(names)
}

/// Bytecode is Python's to write anew in each real directory.
fn is_bytecode(name: &OsStr) -> bool {
    name == "__pycache__"
}

fn hard_link(source: &Path, target: &Path) -> io::Result<()> {
    match fs::hard_link(source, target) {
        Err(error)
            if matches!(
                error.raw_os_error().map(Errno::from_raw),
                Some(Errno::EXDEV | Errno::EPERM | Errno::EMLINK | Errno::EOPNOTSUPP)
            ) =>
        {
            fs::copy(source, target).map(drop)
        }
        result => result,
    }
}

/// Whether two files count as the same: by their bytes; an `__init__.py` by its lines of code.
fn same_content(one: &Path, other: &Path) -> io::Result<bool> {
    if one.file_name().is_some_and(|name| name == "__init__.py") {
        // Packages that several wheels share differ in comments and blank lines, which matters to nobody.
        return Ok(code_lines(&fs::read(one)?) == code_lines(&fs::read(other)?));
    }
    let (mut one, mut other) = (File::open(one)?, File::open(other)?);
    if one.metadata()?.len() != other.metadata()?.len() {
        return Ok(false);
    }
    let (mut left, mut right) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    loop {
        let count = one.read(&mut left)?;
        if count == 0 {
            return Ok(true);
        }
        match other.read_exact(&mut right[..count]) {
            Ok(()) if left[..count] == right[..count] => {}
            Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => return Err(error),
            _ => return Ok(false),
        }
    }
}

fn code_lines(text: &[u8]) -> Vec<&[u8]> {
    text.split(|byte| *byte == b'\n')
        .map(<[u8]>::trim_ascii_end)
        .filter(|line| !line.is_empty() && !line.trim_ascii_start().starts_with(b"#"))
        .collect()
}
