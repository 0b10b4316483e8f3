//! What a zip or a directory comes to when it is laid out: members with safe paths, each path once.

use std::path::{Path, PathBuf};

use super::{Content, Member, PexError};
use crate::archive::{Entry, MemberFault, Tree, safe_relative};

/// The members that these entries of a zip become; `strip` bytes are taken off the front of each path.
pub(super) fn of_entries<'e>(
    pex: &Path,
    entries: impl IntoIterator<Item = &'e Entry>,
    strip: usize,
) -> Result<Vec<Member>, PexError> {
    let fault = |name: &str, fault: MemberFault| PexError::Layout {
        path: pex.to_path_buf(),
        name: name.to_owned(),
        fault,
    };
    let mut tree = Tree::default();
    for entry in entries {
        // `strip` ends behind a slash of every name.
        let Some(path) = safe_relative(&entry.name[strip..]) else {
            continue;
        };
        let added = if entry.is_directory() {
            tree.directory(&path)
        } else {
            tree.file(path, entry)
        };
        added.map_err(|found| fault(&entry.name, found))?;
    }
    let files = tree
        .into_files()
        .map_err(|(path, found)| fault(&path, found))?;
    let member = |(path, entry): (String, &Entry)| Member {
        path,
        size: entry.size,
        executable: entry.is_executable(),
        content: Content::Entry(entry.clone()),
    };
    Ok(files.into_iter().map(member).collect())
}

/// The files below `root`, sorted by path; `keep` is asked for each name directly below it.
///
/// Links to files count as files, links to directories are passed over, both as the original does (reference 1.2);
/// `__pycache__` is Python's own.
pub(super) fn of_directory(
    root: &Path,
    keep: &dyn Fn(&str) -> bool,
) -> Result<Vec<Member>, PexError> {
    let mut members = Vec::new();
    let mut left = vec![(root.to_path_buf(), String::new())];
    while let Some((directory, prefix)) = left.pop() {
        let io = |path: &Path| {
            let path = path.to_path_buf();
            move |source| PexError::Io { path, source }
        };
        for item in std::fs::read_dir(&directory).map_err(io(&directory))? {
            let item = item.map_err(io(&directory))?;
            let path = item.path();
            let foreign = |what| PexError::Foreign {
                path: path.clone(),
                what,
            };
            let name = item
                .file_name()
                .into_string()
                .map_err(|_| foreign("a name that is not UTF-8"))?;
            if name == "__pycache__" || (prefix.is_empty() && !keep(&name)) {
                continue;
            }
            let kind = item.file_type().map_err(io(&path))?;
            if kind.is_dir() {
                left.push((path, format!("{prefix}{name}/")));
                continue;
            }
            let metadata = std::fs::metadata(&path).map_err(io(&path))?;
            if metadata.is_dir() {
                continue;
            }
            if !metadata.is_file() {
                return Err(foreign("no regular file"));
            }
            members.push(member(path, format!("{prefix}{name}"), &metadata));
        }
    }
    members.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(members)
}

fn member(file: PathBuf, path: String, metadata: &std::fs::Metadata) -> Member {
    use std::os::unix::fs::PermissionsExt as _;
    Member {
        path,
        size: metadata.len(),
        executable: metadata.permissions().mode() & 0o111 != 0,
        content: Content::File(file),
    }
}
