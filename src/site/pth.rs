//! `.pth` and `.start` files, as Python's `site` reads them: files in order of name, lines in order.
//!
//! From Python 3.15 on a `.start` file names functions to be called, and takes the place of the import lines of the
//! `.pth` file of the same name; from 3.18 on import lines count no more (PEP 829).

use std::io;
use std::path::{Path, PathBuf};

use crate::lexical::normal;

/// The first Python that reads `.start` files.
const STARTS: (u32, u32) = (3, 15);
/// The first Python that passes import lines over.
const IMPORTS_NO_MORE: (u32, u32) = (3, 18);

/// What the `.pth` and `.start` files of a directory say.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Pth {
    /// Directories to be put on the path behind this one; those that exist.
    pub(super) paths: Vec<PathBuf>,
    /// Lines to be executed, a function to be called being one that calls it.
    pub(super) lines: Vec<String>,
}

/// Reads every such file of a directory, as a Python of this version does.
pub(super) fn read(directory: &Path, python: (u32, u32)) -> io::Result<Pth> {
    let (mut pths, mut starts) = (Vec::new(), Vec::new());
    for entry in std::fs::read_dir(directory)? {
        let name = entry?.file_name();
        let bytes = name.as_encoded_bytes();
        // Newer versions pass hidden ones over, older ones read them; no wheel has one.
        if bytes.starts_with(b".") {
        } else if bytes.ends_with(b".pth") {
            pths.push(name);
        } else if bytes.ends_with(b".start") && python >= STARTS {
            starts.push(name);
        }
    }
    pths.sort();
    starts.sort();
    let mut pth = Pth::default();
    let text = |name: &std::ffi::OsString| {
        let path = directory.join(name);
        let bytes = path.is_file().then(|| crate::regular::read(&path));
        bytes.transpose()
    };
    // The presence of a `.start` file is enough, unless it is no text.
    let mut started = Vec::new();
    let mut calls = Vec::new();
    for name in &starts {
        if let Some(text) = text(name)?.and_then(|bytes| String::from_utf8(bytes).ok()) {
            started.push(Path::new(name).with_extension("pth").into_os_string());
            calls.extend(entry_points(&text).map(call));
        }
    }
    for name in &pths {
        if let Some(bytes) = text(name)? {
            let imports = python < IMPORTS_NO_MORE && !started.contains(name);
            let text = String::from_utf8_lossy(&bytes);
            parse(&text, directory, python, imports, &mut pth);
        }
    }
    pth.lines.extend(calls);
    Ok(pth)
}

fn parse(text: &str, directory: &Path, python: (u32, u32), imports: bool, pth: &mut Pth) {
    for line in text.trim_start_matches('\u{feff}').lines() {
        // What reads `.start` files no longer minds blanks at the beginning.
        let line = if python >= STARTS { line.trim() } else { line };
        if line.starts_with('#') || line.trim().is_empty() {
        } else if line.starts_with("import ") || line.starts_with("import\t") {
            if imports {
                pth.lines.push(line.to_owned());
            }
        } else {
            let path = normal(&directory.join(line.trim_end()));
            if path.exists() && !pth.paths.contains(&path) {
                pth.paths.push(path);
            }
        }
    }
}

/// The entry points of a `.start` file.
fn entry_points(text: &str) -> impl Iterator<Item = &str> {
    let lines = text.trim_start_matches('\u{feff}').lines().map(str::trim);
    lines.filter(|line| !line.is_empty() && !line.starts_with('#'))
}

/// The line that calls it as `site` does, which leaves it to `pkgutil` to say what is no entry point.
fn call(entry_point: &str) -> String {
    let name: String = entry_point
        .chars()
        .map(|c| match c {
            c if c.is_ascii_alphanumeric() || "_.:".contains(c) => c.to_string(),
            c => format!("\\U{:08x}", u32::from(c)),
        })
        .collect();
    format!("import pkgutil; pkgutil.resolve_name('{name}', strict=True)()")
}
