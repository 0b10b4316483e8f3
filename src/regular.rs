//! Reading what must be a regular file: a pipe under its name would hold the caller up for ever, and a device would never
//! end. Nothing that others have named or put somewhere is opened for reading in any other way.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// Opens the file at `path` for reading.
///
/// # Errors
/// When the system refuses, or it is no regular file.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    open_sized(path).map(|(file, _)| file)
}

/// As [`open`], with the bytes that the file has.
fn open_sized(path: &Path) -> io::Result<(File, u64)> {
    let file = File::options()
        .read(true)
        .custom_flags(nix::libc::O_NONBLOCK)
        .open(path)?;
    let metadata = file.metadata()?;
    if metadata.is_file() {
        Ok((file, metadata.len()))
    } else {
        Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "not a regular file",
        ))
    }
}

/// The bytes of the file at `path`.
///
/// # Errors
/// As [`open`], or when it cannot be read.
pub(crate) fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(path)?.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The first bytes of the file at `path`, at most `limit`: of a file that has its size, which those of `/proc` do not.
///
/// # Errors
/// As [`read`].
pub(crate) fn beginning(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let (file, size) = open_sized(path)?;
    let size = size.min(limit);
    // One read, where growing room would take a dozen.
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(0));
    file.take(size).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The text of the file at `path`.
///
/// # Errors
/// As [`read`], or when it is not UTF-8.
pub(crate) fn text(path: &Path) -> io::Result<String> {
    String::from_utf8(read(path)?)
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

/// Whether the files at these paths hold the same bytes.
///
/// # Errors
/// As [`open`], or when one cannot be read.
pub(crate) fn same_content(one: &Path, other: &Path) -> io::Result<bool> {
    let ((mut one, size), (mut other, other_size)) = (open_sized(one)?, open_sized(other)?);
    if size != other_size {
        return Ok(false);
    }
    let (mut left, mut right) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    loop {
        let count = match one.read(&mut left) {
            // Of the same size, they end together.
            Ok(0) => return Ok(true),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        match other.read_exact(&mut right[..count]) {
            Ok(()) if left[..count] == right[..count] => {}
            Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => return Err(error),
            _ => return Ok(false),
        }
    }
}

/// Whether the files at these paths hold the same lines of Python, comments and blank lines aside.
///
/// # Errors
/// As [`same_content`].
pub(crate) fn same_code(one: &Path, other: &Path) -> io::Result<bool> {
    Ok(code_lines(&read(one)?).eq(code_lines(&read(other)?)))
}

fn code_lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| *byte == b'\n')
        .map(<[u8]>::trim_ascii_end)
        .filter(|line| !line.is_empty() && !line.trim_ascii_start().starts_with(b"#"))
}
