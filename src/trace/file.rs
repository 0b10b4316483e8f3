//! The file: written whole as every file that a user names (see `output`), for its owner alone where it is new.
//!
//! Replaces an earlier trace or an empty file and nothing else. Whoever mistypes the name of a trace loses the trace and no
//! file of their own.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use super::event::{BEGINNING, END, Text};
use crate::output::{Draft, OutputError, Rights};

/// As much of the end of a file as is looked at: the last event, and what is said about the whole.
const TAIL: u32 = 4096;

/// Where more can be put in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Joint {
    /// What tells the file from another one of its name.
    pub inode: u64,
    /// Where the last event begins.
    pub offset: usize,
}

/// Puts the text at `path`; the error is a reason.
pub(super) fn write(path: &Path, text: &Text) -> Result<Joint, String> {
    let why = |error: OutputError| error.why();
    let rights = Rights::Usual {
        new: 0o600,
        executable: false,
    };
    let mut draft = Draft::new(path, rights).map_err(why)?;
    draft.write(text.head.as_bytes()).map_err(why)?;
    draft.write(text.tail.as_bytes()).map_err(why)?;
    let inode = draft.file().metadata().map_err(|error| error.to_string())?;
    if !may_go(path) {
        return Err("it is no trace and is left alone; name a new file".to_owned());
    }
    draft.publish().map_err(why)?;
    Ok(Joint {
        inode: inode.ino(),
        offset: text.head.len(),
    })
}

/// Whether there is nothing that is worth anything but an earlier trace.
fn may_go(path: &Path) -> bool {
    let opened = OpenOptions::new()
        .read(true)
        .custom_flags(nix::libc::O_NOFOLLOW | nix::libc::O_NONBLOCK)
        .open(path);
    let mut file = match opened {
        Ok(file) => file,
        Err(error) => return error.kind() == ErrorKind::NotFound,
    };
    let mut piece = |from, length: u64| {
        let mut bytes = Vec::new();
        file.seek(from).ok()?;
        (&mut file).take(length).read_to_end(&mut bytes).ok()?;
        Some(bytes)
    };
    let Some(beginning) = piece(SeekFrom::Start(0), BEGINNING.len() as u64) else {
        return false;
    };
    if beginning.is_empty() {
        return true;
    }
    let end = piece(SeekFrom::End(-i64::from(TAIL)), TAIL.into())
        .or_else(|| piece(SeekFrom::Start(0), TAIL.into()));
    let has = |text: Vec<u8>| {
        text.windows(END.len())
            .any(|window| window == END.as_bytes())
    };
    beginning == BEGINNING.as_bytes() && end.is_some_and(has)
}
