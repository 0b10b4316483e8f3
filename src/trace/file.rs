//! The file: made under another name beside its place, for its owner alone, and put there by a rename.
//!
//! So it is always whole, and whatever lies at the place, a link that somebody has laid out for root in a directory that all
//! may write to, say, is replaced and never written to. What is no ordinary file is left alone.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{Error, ErrorKind, Result, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use super::event::Text;

/// Where more can be put in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// What tells the file from another one of its name.
    pub inode: u64,
    /// Where the last event begins.
    pub offset: usize,
}

/// Puts the text at `path`.
pub(super) fn write(path: &Path, text: &Text) -> Result<Place> {
    let name = path.file_name().ok_or(ErrorKind::IsADirectory)?;
    match path.symlink_metadata() {
        Ok(found) if found.is_dir() => return Err(ErrorKind::IsADirectory.into()),
        Ok(found) if !found.is_file() => {
            return Err(Error::other("not a regular file; it is left alone"));
        }
        Ok(_) | Err(_) => {}
    }
    let mut draft: OsString = ".".into();
    draft.push(name);
    draft.push(format!(".{}", std::process::id()));
    let draft = path.with_file_name(draft);
    let create = || {
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&draft)
    };
    let file = create().or_else(|error| {
        if error.kind() != ErrorKind::AlreadyExists {
            return Err(error);
        }
        // Of a process that had this number before.
        std::fs::remove_file(&draft)?;
        create()
    })?;
    let done = fill(file, text).and_then(|inode| {
        std::fs::rename(&draft, path)?;
        Ok(inode)
    });
    if done.is_err() {
        // It may be gone already.
        let _ = std::fs::remove_file(&draft);
    }
    Ok(Place {
        inode: done?,
        offset: text.head.len(),
    })
}

/// Fills the file and gives its number.
fn fill(mut file: File, text: &Text) -> Result<u64> {
    file.write_all([text.head.as_str(), &text.tail].concat().as_bytes())?;
    Ok(file.metadata()?.ino())
}
