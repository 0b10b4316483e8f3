//! The boot: the few lines of Python that run before the app, and the data they read.
//!
//! The boot itself is the same for every launch with one interpreter; what differs lies beside it in `data`, one
//! marshalled dict. Marshal is the only format that every Python reads without importing anything.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// The boot's source; an interpreter's probe compiles it.
pub const SOURCE: &str = include_str!("boot.py");

/// The interactive session of a PEX without entry point.
pub const REPL: &str = include_str!("repl.py");

/// A value of Python that the boot reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Py {
    /// `None`
    None,
    /// `True`, `False`
    Bool(bool),
    /// `str`: file-system bytes, decoded as `os.fsdecode` would.
    Str(Vec<u8>),
    /// `list`
    List(Vec<Py>),
    /// `dict` with `str` keys
    Dict(Vec<(&'static str, Py)>),
}

impl Py {
    /// A `str`.
    #[must_use]
    pub fn str(text: &str) -> Py {
        Py::Str(text.as_bytes().to_vec())
    }

    /// A path as `str`.
    #[must_use]
    pub fn path(path: &Path) -> Py {
        Py::os(path.as_os_str())
    }

    /// What the system gave, as `str`.
    #[must_use]
    pub fn os(text: &OsStr) -> Py {
        Py::Str(text.as_bytes().to_vec())
    }

    /// A `list` of `str`.
    pub fn strs<T: AsRef<str>>(items: impl IntoIterator<Item = T>) -> Py {
        Py::List(
            items
                .into_iter()
                .map(|item| Py::str(item.as_ref()))
                .collect(),
        )
    }

    /// A `list` of paths as `str`.
    pub fn paths<T: AsRef<Path>>(items: impl IntoIterator<Item = T>) -> Py {
        Py::List(
            items
                .into_iter()
                .map(|item| Py::path(item.as_ref()))
                .collect(),
        )
    }

    /// A `list` of pairs of `str`, each a `list` itself.
    pub fn pairs<'a>(items: impl IntoIterator<Item = &'a (String, String)>) -> Py {
        Py::List(
            items
                .into_iter()
                .map(|(name, value)| Py::List(vec![Py::str(name), Py::str(value)]))
                .collect(),
        )
    }

    /// The bytes that `marshal.loads` reads: the subset of version 2 that every Python 3 understands.
    #[must_use]
    pub fn marshal(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.write(&mut out);
        out
    }

    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Py::None => out.push(b'N'),
            Py::Bool(true) => out.push(b'T'),
            Py::Bool(false) => out.push(b'F'),
            Py::Str(bytes) => write_str(bytes, out),
            Py::List(items) => {
                out.push(b'[');
                write_size(items.len(), out);
                for item in items {
                    item.write(out);
                }
            }
            Py::Dict(items) => {
                out.push(b'{');
                for (key, value) in items {
                    write_str(key.as_bytes(), out);
                    value.write(out);
                }
                out.push(b'0');
            }
        }
    }
}

/// Marshal's sizes are signed 32-bit; nothing of ours comes near (a data file is some kilobytes).
fn write_size(size: usize, out: &mut Vec<u8>) {
    out.extend(u32::try_from(size).unwrap_or(u32::MAX).to_le_bytes());
}

/// Bytes that are not UTF-8 become the lone surrogates of PEP 383, which marshal passes as three bytes each.
fn write_str(bytes: &[u8], out: &mut Vec<u8>) {
    let mut text = Vec::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.extend(chunk.valid().as_bytes());
        for byte in chunk.invalid() {
            text.extend([0xED, 0xB0 | (byte >> 6), 0x80 | (byte & 0x3F)]);
        }
    }
    out.push(b'u');
    write_size(text.len(), out);
    out.extend(text);
}

#[cfg(test)]
mod tests {
    use super::Py;
    use std::io::Write;
    use std::process::{Command, Stdio};

    /// What Python's `repr` shows of the marshalled value.
    fn seen_by_python(value: &Py) -> String {
        let mut python = Command::new("/usr/bin/python3")
            .args([
                "-c",
                "import marshal, sys; print(ascii(marshal.loads(sys.stdin.buffer.read())), end='')",
            ])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        python
            .stdin
            .take()
            .unwrap()
            .write_all(&value.marshal())
            .unwrap();
        String::from_utf8(python.wait_with_output().unwrap().stdout).unwrap()
    }

    #[test]
    fn python_reads_what_is_marshalled() {
        let value = Py::Dict(vec![
            ("none", Py::None),
            ("flags", Py::List(vec![Py::Bool(true), Py::Bool(false)])),
            ("text", Py::str("grüße")),
            ("bytes", Py::Str(b"/caf\xe9\xff/\x80".to_vec())),
            ("empty", Py::List(vec![])),
        ]);
        assert_eq!(
            seen_by_python(&value),
            r"{'none': None, 'flags': [True, False], 'text': 'gr\xfc\xdfe', 'bytes': '/caf\udce9\udcff/\udc80', 'empty': []}"
        );
    }
}
