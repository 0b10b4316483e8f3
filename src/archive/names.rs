//! Member names: how they are decoded, and what path below a directory they come to.
//!
//! The rules are those of Python's `zipfile` on Linux, which is what pex extracts with (reference 9.1).

use std::collections::HashMap;

use super::MemberFault;

/// The upper half of code page 437, which names without the UTF-8 flag are written in (APPNOTE 4.4.4, appendix D).
const CP437: &str = "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u{a0}";

/// General purpose flag: the name is UTF-8 (APPNOTE 4.4.4, bit 11).
const UTF8: u16 = 1 << 11;

/// Longest component of a path that Linux file systems take, in bytes.
const COMPONENT: usize = 255;

/// A stored name as text.
pub(super) fn decode(raw: &[u8], flags: u16) -> Result<String, MemberFault> {
    if raw.is_empty() {
        return Err(MemberFault::NameEmpty);
    }
    if raw.contains(&0) {
        return Err(MemberFault::NameNul);
    }
    if flags & UTF8 != 0 || raw.is_ascii() {
        return std::str::from_utf8(raw)
            .map(str::to_owned)
            .map_err(|_| MemberFault::NameEncoding);
    }
    let upper: Vec<char> = CP437.chars().collect();
    Ok(raw
        .iter()
        .map(|&byte| {
            if byte.is_ascii() {
                byte as char
            } else {
                upper[usize::from(byte) - 128]
            }
        })
        .collect())
}

/// The path below a directory that a member of this name is extracted to, `None` where nothing is left of it.
///
/// Empty, `.` and `..` components are dropped, leading slashes with them; a backslash is an ordinary character, as it is
/// to Python on Linux. What comes out never leaves the directory.
#[must_use]
pub fn safe_relative(name: &str) -> Option<String> {
    let mut path = String::with_capacity(name.len());
    for component in name
        .split('/')
        .filter(|component| !matches!(*component, "" | "." | ".."))
    {
        if !path.is_empty() {
            path.push('/');
        }
        path.push_str(component);
    }
    (!path.is_empty()).then_some(path)
}

/// Files on their way to becoming a directory tree: of several with one path the last is kept, at its place.
///
/// Guarantees that what it gives back can be laid out: no path is both a file and a directory, no component is longer
/// than a file system takes.
#[derive(Debug)]
pub struct Tree<T> {
    files: Vec<Option<(String, T)>>,
    by_path: HashMap<String, usize>,
    /// Every directory, with a member that needs it.
    directories: HashMap<String, String>,
    last_parent: String,
}

impl<T> Default for Tree<T> {
    fn default() -> Self {
        Tree {
            files: Vec::new(),
            by_path: HashMap::new(),
            directories: HashMap::new(),
            last_parent: String::new(),
        }
    }
}

impl<T> Tree<T> {
    /// Adds a file; `path` comes from [`safe_relative`].
    ///
    /// # Errors
    /// When a component is too long.
    pub fn file(&mut self, path: String, value: T) -> Result<(), MemberFault> {
        let (parent, name) = path.rsplit_once('/').unwrap_or(("", &path));
        check_component(name)?;
        self.parents(parent, &path)?;
        if let Some(earlier) = self.by_path.insert(path.clone(), self.files.len()) {
            self.files[earlier] = None;
        }
        self.files.push(Some((path, value)));
        Ok(())
    }

    /// Adds a directory that exists for its own sake.
    ///
    /// # Errors
    /// When a component is too long.
    pub fn directory(&mut self, path: &str) -> Result<(), MemberFault> {
        self.parents(path, path)
    }

    /// The files in the order they were added.
    ///
    /// # Errors
    /// The member at fault and why, when a path is both a file and a directory.
    pub fn into_files(self) -> Result<Vec<(String, T)>, (String, MemberFault)> {
        for (path, value) in self.files.iter().flatten() {
            let _ = value;
            if let Some(other) = self.directories.get(path) {
                return Err((
                    path.clone(),
                    MemberFault::FileAndDirectory {
                        other: other.clone(),
                    },
                ));
            }
        }
        Ok(self.files.into_iter().flatten().collect())
    }

    fn parents(&mut self, directory: &str, member: &str) -> Result<(), MemberFault> {
        // Neighbours mostly share their directory.
        if directory == self.last_parent {
            return Ok(());
        }
        self.last_parent = directory.to_owned();
        let mut rest = directory;
        while !rest.is_empty() && !self.directories.contains_key(rest) {
            let (parent, name) = rest.rsplit_once('/').unwrap_or(("", rest));
            check_component(name)?;
            self.directories.insert(rest.to_owned(), member.to_owned());
            rest = parent;
        }
        Ok(())
    }
}

fn check_component(name: &str) -> Result<(), MemberFault> {
    if name.len() > COMPONENT {
        Err(MemberFault::NameTooLong { length: name.len() })
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_to_what_python_extracts() {
        for (name, expect) in [
            ("a/b.py", Some("a/b.py")),
            ("../x", Some("x")),
            ("/y", Some("y")),
            ("//y//z/", Some("y/z")),
            ("a/../../b", Some("a/b")),
            ("./a/.", Some("a")),
            ("..", None),
            ("/", None),
            ("...", Some("...")),
            ("a\\..\\b", Some("a\\..\\b")),
            ("C:/x", Some("C:/x")),
        ] {
            assert_eq!(safe_relative(name).as_deref(), expect, "{name}");
        }
    }

    #[test]
    fn decodes_code_page_437_and_utf8() {
        assert_eq!(decode(b"plain", 0), Ok("plain".into()));
        assert_eq!(decode(&[b'a', 0x81, 0xff], 0), Ok("aü\u{a0}".into()));
        assert_eq!(decode("ü".as_bytes(), UTF8), Ok("ü".into()));
        assert_eq!(decode(&[0x81], UTF8), Err(MemberFault::NameEncoding));
        assert_eq!(decode(b"a\0b", 0), Err(MemberFault::NameNul));
        assert_eq!(decode(b"", 0), Err(MemberFault::NameEmpty));
        assert_eq!(CP437.chars().count(), 128);
    }

    #[test]
    fn a_tree_keeps_the_last_of_a_name() {
        let mut tree = Tree::default();
        for (path, value) in [("a", 1), ("b", 2), ("a", 3)] {
            tree.file(path.into(), value).unwrap();
        }
        assert_eq!(
            tree.into_files().unwrap(),
            [("b".into(), 2), ("a".into(), 3)]
        );
    }

    #[test]
    fn a_tree_refuses_what_no_directory_can_hold() {
        for paths in [["a", "a/b"], ["a/b", "a"], ["x/y", "x/y/z/w"]] {
            let mut tree = Tree::default();
            for path in paths {
                tree.file(path.to_owned(), ()).unwrap();
            }
            assert!(
                matches!(
                    tree.into_files(),
                    Err((_, MemberFault::FileAndDirectory { .. }))
                ),
                "{paths:?}"
            );
        }
        let mut tree = Tree::default();
        tree.directory("a").unwrap();
        tree.file("a".into(), ()).unwrap();
        assert!(tree.into_files().is_err());

        let long = "x".repeat(256);
        let fault = MemberFault::NameTooLong { length: 256 };
        assert_eq!(Tree::default().file(long.clone(), ()), Err(fault.clone()));
        assert_eq!(Tree::default().file(format!("{long}/a"), ()), Err(fault));
    }
}
