//! rc files: where they are, which are honoured, what their lines mean (reference 2.2).
//!
//! An rc file decides what code runs, so it counts only when nobody but the user and root could have written it. Every
//! place looked at becomes an input of the plan, absent ones too.

use std::ffi::OsString;
use std::fs::{self, File, Metadata};
use std::io::{self, Read as _};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::{Line, grammar};
use crate::plan::{Anchor, Identity, Input, Inputs, Place};
use crate::user;

/// The rc files of a launch, later ones winning: of the system, of HOME, beside the PEX.
pub(super) struct Places(Vec<(Place, PathBuf)>);

/// What the rc files say.
#[derive(Debug, Default)]
pub(super) struct Read {
    /// Names and values, in order; of a repeated name the last counts.
    pub(super) values: std::collections::BTreeMap<String, Line>,
    /// Files that are there but may not be honoured.
    pub(super) untrusted: Vec<PathBuf>,
}

impl Places {
    /// Where rc files are looked for; none in HOME when that is not an absolute path.
    pub(super) fn of(env: &[(OsString, OsString)], pex: Option<&Path>) -> Places {
        Places::below(Path::new("/"), env, pex)
    }

    /// As [`Places::of`], with another directory for `/`.
    pub(super) fn below(system: &Path, env: &[(OsString, OsString)], pex: Option<&Path>) -> Places {
        let place = |anchor, path: &[u8]| Place {
            anchor,
            path: path.to_vec(),
        };
        let etc = system.join("etc/pexrc");
        let mut places = vec![(place(Anchor::Root, etc.as_os_str().as_bytes()), etc)];
        let home = super::variable(env, "HOME").map(Path::new);
        if let Some(home) = home.filter(|home| home.is_absolute()) {
            places.push((place(Anchor::Home, b".pexrc"), home.join(".pexrc")));
        }
        if let Some(directory) = pex.and_then(Path::parent) {
            places.push((place(Anchor::PexDir, b".pexrc"), directory.join(".pexrc")));
        }
        Places(places)
    }

    /// Reads them all. A file that cannot be read counts as absent, as in the original.
    pub(super) fn read(&self, inputs: &mut Inputs) -> Read {
        let mut read = Read::default();
        for (place, path) in &self.0 {
            let (input, text) = look(place, path, &mut read.untrusted);
            inputs.add(input);
            let lines = items(&text).map(|(number, name, value)| {
                let file = path.clone();
                (
                    name,
                    Line {
                        value,
                        file,
                        number,
                    },
                )
            });
            read.values.extend(lines);
        }
        read
    }
}

/// The rc file at `path`: what it is as an input, and its text where it may be honoured.
fn look(place: &Place, path: &Path, untrusted: &mut Vec<PathBuf>) -> (Input, Vec<u8>) {
    let Ok(metadata) = fs::metadata(path) else {
        return (Input::Absent(place.clone()), Vec::new());
    };
    if !metadata.is_file() {
        // A link to /dev/null, usually. Never opened: a FIFO would block.
        return (Input::Present(place.clone(), metadata.ino()), Vec::new());
    }
    let input = |of: &Metadata| Input::File(place.clone(), identity(of));
    match read_trusted(path) {
        Ok(Some((metadata, text))) => (input(&metadata), text),
        Ok(None) => {
            untrusted.push(path.to_owned());
            (input(&metadata), Vec::new())
        }
        Err(_) => (input(&metadata), Vec::new()),
    }
}

/// The file's text and what it was when read; `None` when it is not to be trusted.
fn read_trusted(path: &Path) -> io::Result<Option<(Metadata, Vec<u8>)>> {
    // Nobody else could put another in its place any more. (Non-blocking, should the user have put a FIFO there now.)
    let Some(path) = user::trusted_file(path) else {
        return Ok(None);
    };
    let flags = nix::fcntl::OFlag::O_NONBLOCK | nix::fcntl::OFlag::O_NOFOLLOW;
    let mut file = File::options()
        .read(true)
        .custom_flags(flags.bits())
        .open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Ok(None);
    }
    let mut text = Vec::new();
    file.read_to_end(&mut text)?;
    Ok(Some((metadata, text)))
}

/// The full identity of a file (see [`Identity`]).
fn identity(metadata: &Metadata) -> Identity {
    // Nanoseconds of a second fit, by definition.
    let nsec = |nanoseconds: i64| u32::try_from(nanoseconds).unwrap_or(0);
    Identity {
        ino: metadata.ino(),
        size: metadata.size(),
        mtime: metadata.mtime(),
        mtime_nsec: nsec(metadata.mtime_nsec()),
        ctime: metadata.ctime(),
        ctime_nsec: nsec(metadata.ctime_nsec()),
    }
}

/// The settings of an rc file: per line one `NAME=value`, blanks around the line dropped, those around the `=` kept.
/// Lines with no or several `=`, without name or without value say nothing; nor do names that are not text.
fn items(text: &[u8]) -> impl Iterator<Item = (usize, String, OsString)> {
    let mut number = 1;
    text.split_inclusive(|&byte| byte == b'\n' || byte == b'\r')
        .filter_map(move |line| {
            let here = number;
            number += usize::from(line.ends_with(b"\n"));
            let line = trim(line);
            let mut parts = line.split(|&byte| byte == b'=');
            let (name, value) = (parts.next()?, parts.next()?);
            if parts.next().is_some() || name.is_empty() || value.is_empty() {
                return None;
            }
            let name = std::str::from_utf8(name).ok()?;
            Some((here, name.to_owned(), OsString::from_vec(value.to_vec())))
        })
}

/// The line without blanks at its ends, Unicode ones included where it is text.
fn trim(line: &[u8]) -> &[u8] {
    std::str::from_utf8(line).map_or_else(
        |_| line.trim_ascii(),
        |text| grammar::strip(text).as_bytes(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        #[track_caller]
        fn check(text: &str, expected: &[(&str, &str)]) {
            let found: Vec<_> = items(text.as_bytes()).collect();
            let found: Vec<_> = found
                .into_iter()
                .map(|(_, name, value)| (name, value))
                .collect();
            let expected: Vec<_> = expected
                .iter()
                .map(|(name, value)| ((*name).to_owned(), OsString::from(value)))
                .collect();
            assert_eq!(found, expected, "{text:?}");
        }
        check("A=1\nB=2", &[("A", "1"), ("B", "2")]);
        check("  A=1  \r\nB=2\rC=3", &[("A", "1"), ("B", "2"), ("C", "3")]);
        check("A = 1", &[("A ", " 1")]);
        check("\u{feff}A=1\nB=2\x1c", &[("\u{feff}A", "1"), ("B", "2")]);
        check("A=b=c", &[]);
        check("A==b", &[]);
        check("A=\n=b\nA\n\n# A", &[]);
        check("# A=1", &[("# A", "1")]);
        check("export A=\"1\"", &[("export A", "\"1\"")]);
    }

    #[test]
    fn lines_are_counted_as_an_editor_counts_them() {
        let numbers = items(b"\n# x\r\nA=1\r\n\nB=2").map(|(number, ..)| number);
        assert_eq!(numbers.collect::<Vec<_>>(), [3, 5]);
    }

    #[test]
    fn a_value_may_be_any_bytes() {
        let found: Vec<_> = items(b"A=\xff\n\xff=1\n").collect();
        assert_eq!(found, [(1, "A".to_owned(), OsString::from_vec(vec![0xff]))]);
    }

    #[test]
    fn home_counts_only_as_an_absolute_path() {
        #[track_caller]
        fn check(home: Option<&str>, expected: &[Anchor]) {
            let env: Vec<_> = home
                .map(|home| (OsString::from("HOME"), OsString::from(home)))
                .into_iter()
                .collect();
            let places = Places::of(&env, Some(Path::new("/d/app.pex")));
            let anchors: Vec<_> = places.0.iter().map(|(place, _)| place.anchor).collect();
            assert_eq!(anchors, expected, "{home:?}");
            assert_eq!(places.0[0].1, Path::new("/etc/pexrc"));
        }
        check(Some("/h"), &[Anchor::Root, Anchor::Home, Anchor::PexDir]);
        check(Some(""), &[Anchor::Root, Anchor::PexDir]);
        check(Some("h"), &[Anchor::Root, Anchor::PexDir]);
        check(None, &[Anchor::Root, Anchor::PexDir]);
    }
}
