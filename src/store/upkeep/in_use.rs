//! What running processes use, as `/proc` shows it: command lines, programs, mapped and open files, working directories.
//!
//! Processes of other users cannot be looked into; they cannot use a root that is closed to them either. A process in
//! another pid namespace is not seen at all: of such a container only the age of what it uses speaks.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// Every path at or below `directory` that a process shows.
///
/// # Errors
/// When `/proc` is not there.
pub(super) fn paths_below(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut processes = 0;
    for process in std::fs::read_dir("/proc")?.flatten() {
        let is_process = process
            .file_name()
            .as_bytes()
            .iter()
            .all(u8::is_ascii_digit);
        if is_process {
            processes += 1;
            look_at(
                &process.path(),
                directory.as_os_str().as_bytes(),
                &mut found,
            );
        }
    }
    if processes == 0 {
        return Err(io::Error::new(
            io::ErrorKind::NotFound,
            "no process is shown there, not even this one",
        ));
    }
    found.sort();
    found.dedup();
    Ok(found)
}

/// What one process shows. It may end while it is looked at.
fn look_at(process: &Path, directory: &[u8], found: &mut Vec<PathBuf>) {
    for (file, end) in [("cmdline", 0), ("maps", b'\n')] {
        let text = crate::regular::read(&process.join(file)).unwrap_or_default();
        found.extend(
            text.split(|&byte| byte == end)
                .filter_map(|line| within(line, directory)),
        );
    }
    let mut links = vec![process.join("cwd"), process.join("exe")];
    let open = std::fs::read_dir(process.join("fd"));
    links.extend(open.into_iter().flatten().flatten().map(|fd| fd.path()));
    for link in links {
        if let Ok(target) = std::fs::read_link(link) {
            found.extend(within(&target.into_os_string().into_vec(), directory));
        }
    }
}

/// The path below `directory` that a text contains.
fn within(text: &[u8], directory: &[u8]) -> Option<PathBuf> {
    let at = text
        .windows(directory.len())
        .position(|window| window == directory)?;
    let path = &text[at..];
    let path = path.strip_suffix(b" (deleted)").unwrap_or(path);
    matches!(path.get(directory.len()), None | Some(b'/'))
        .then(|| PathBuf::from(OsStr::from_bytes(path)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_found_in_command_lines_and_maps() {
        let check = |text: &str, expect: Option<&str>| {
            assert_eq!(within(text.as_bytes(), b"/r/v2"), expect.map(PathBuf::from));
        };
        check("/r/v2/launches/k/app", Some("/r/v2/launches/k/app"));
        check(
            "7f00-7f01 r-xp 00 fe:00 12   /r/v2/wheels/x.so",
            Some("/r/v2/wheels/x.so"),
        );
        check("/r/v2/engine/d (deleted)", Some("/r/v2/engine/d"));
        check("--root=/r/v2", Some("/r/v2"));
        check("/r/v20/launches", None);
        check("/r", None);
    }

    #[test]
    fn this_process_is_seen_with_its_open_files() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().canonicalize().unwrap();
        let file = path.join("open");
        let _open = std::fs::File::create(&file).unwrap();
        assert_eq!(paths_below(&path).unwrap(), [file]);
    }
}
