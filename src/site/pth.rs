//! `.pth` files, as Python's `site` reads them (`addsitedir`, `addpackage`): files in order of name, lines in order.

use std::io;
use std::path::{Path, PathBuf};

/// What the `.pth` files of a directory say.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Pth {
    /// Directories to be put on the path behind this one; those that exist.
    pub(super) paths: Vec<PathBuf>,
    /// Lines to be executed.
    pub(super) lines: Vec<String>,
}

/// Reads every `.pth` file of a directory.
pub(super) fn read(directory: &Path) -> io::Result<Pth> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let name = entry?.file_name();
        let bytes = name.as_encoded_bytes();
        // Newer versions pass hidden ones over, older ones read them; no wheel has one.
        if bytes.ends_with(b".pth") && !bytes.starts_with(b".") {
            names.push(name);
        }
    }
    names.sort();
    let mut pth = Pth::default();
    for name in names {
        let path = directory.join(name);
        if path.is_file() {
            parse(
                &String::from_utf8_lossy(&crate::regular::read(&path)?),
                directory,
                &mut pth,
            );
        }
    }
    Ok(pth)
}

fn parse(text: &str, directory: &Path, pth: &mut Pth) {
    for line in text.trim_start_matches('\u{feff}').lines() {
        if line.starts_with('#') || line.trim().is_empty() {
        } else if line.starts_with("import ") || line.starts_with("import\t") {
            pth.lines.push(line.to_owned());
        } else {
            let path = normal(&directory.join(line.trim_end()));
            if path.exists() && !pth.paths.contains(&path) {
                pth.paths.push(path);
            }
        }
    }
}

/// The path without `.` and `..`, as `os.path.abspath` has it.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for component in path.components() {
        match component {
            std::path::Component::ParentDir => {
                normal.pop();
            }
            std::path::Component::CurDir => {}
            other => normal.push(other),
        }
    }
    normal
}
