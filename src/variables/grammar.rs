//! The grammar of `PEX_*` values (reference, section 3): booleans, integers, paths and lists of paths, as Python reads them.
//!
//! Text in, value out: nothing here looks at the file system, and no user database is asked for a `~`.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use pexboot_core::roots;

/// `0`, `1`, `true`, `false` in any case; nothing else, not even an empty text.
pub(super) fn boolean(text: &str) -> Option<bool> {
    roots::boolean(text.as_bytes())
}

/// The text without blanks at its ends, as Python's `strip` leaves it: the four ASCII separators are blanks to it.
pub(super) fn strip(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || ('\x1c'..='\x1f').contains(&c))
}

/// A decimal integer as Python's `int` takes it: blanks around it, a sign, single `_` between digits. What exceeds 64
/// bits counts as the nearest that fits.
pub(super) fn integer(text: &str) -> Option<i64> {
    let text = strip(text);
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let mut value: i64 = 0;
    for group in digits.split('_') {
        if group.is_empty() {
            return None;
        }
        for digit in group.chars() {
            let digit = i64::from(digit.to_digit(10)?);
            value = value.saturating_mul(10).saturating_add(digit);
        }
    }
    Some(if negative { -value } else { value })
}

/// A path with a leading `~` replaced by `home` (`pexboot_core::roots::expand`).
pub(super) fn expand(path: &OsStr, home: Option<&OsStr>) -> OsString {
    OsString::from_vec(roots::expand(path.as_bytes(), home.map(OsStr::as_bytes)))
}

/// A path without empty, `.` and resolvable `..` components, by text alone; nothing becomes `.`. Two leading slashes
/// stay two, which POSIX leaves to the system.
pub(super) fn normalise(path: &OsStr) -> OsString {
    let bytes = path.as_bytes();
    let slashes = match bytes.iter().take_while(|&&byte| byte == b'/').count() {
        2 => 2,
        0 => 0,
        _ => 1,
    };
    let mut components: Vec<&[u8]> = Vec::new();
    for component in bytes.split(|&byte| byte == b'/') {
        match component {
            b"" | b"." => {}
            b".." => match components.last() {
                Some(last) if *last != b".." => {
                    components.pop();
                }
                None if slashes > 0 => {}
                _ => components.push(component),
            },
            _ => components.push(component),
        }
    }
    let mut normal = vec![b'/'; slashes];
    normal.extend(components.join(&b'/'));
    if normal.is_empty() {
        normal.push(b'.');
    }
    OsString::from_vec(normal)
}

/// A list of paths divided by colons, each expanded and normalised, repetitions dropped. An empty text is a list of one
/// empty item, and that is `.`.
pub(super) fn paths(text: &OsStr, home: Option<&OsStr>) -> Vec<PathBuf> {
    let mut list: Vec<PathBuf> = Vec::new();
    for item in text.as_bytes().split(|&byte| byte == b':') {
        let path = PathBuf::from(normalise(&expand(OsStr::from_bytes(item), home)));
        // As text: `PathBuf` takes `//x` and `/x` for equal.
        if !list.iter().any(|seen| seen.as_os_str() == path.as_os_str()) {
            list.push(path);
        }
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers() {
        #[track_caller]
        fn check(text: &str, expected: Option<i64>) {
            assert_eq!(integer(text), expected, "{text:?}");
        }
        check("3", Some(3));
        check(" +12\n", Some(12));
        check("\x1c7\u{a0}", Some(7));
        check("-2", Some(-2));
        check("1_000", Some(1000));
        check("99999999999999999999", Some(i64::MAX));
        check("", None);
        check("-", None);
        check("1__0", None);
        check("_1", None);
        check("- 1", None);
        check("--1", None);
        check("0x1", None);
        check("1.0", None);
    }

    #[test]
    fn normal_paths() {
        #[track_caller]
        fn check(path: &str, expected: &str) {
            assert_eq!(normalise(path.as_ref()), expected, "{path:?}");
        }
        check("", ".");
        check("./a//b/", "a/b");
        check("a/..", ".");
        check("../a/../..", "../..");
        check("/..", "/");
        check("/a/../../b", "/b");
        check("//a", "//a");
        check("///a", "/a");
        check("//", "//");
    }

    #[test]
    fn lists_of_paths() {
        #[track_caller]
        fn check(text: &str, expected: &[&str]) {
            let expected: Vec<PathBuf> = expected.iter().map(PathBuf::from).collect();
            assert_eq!(
                paths(text.as_ref(), Some("/h".as_ref())),
                expected,
                "{text:?}"
            );
        }
        check("", &["."]);
        check("a:b/../a:~/c", &["a", "/h/c"]);
        check("a::./", &["a", "."]);
    }
}
