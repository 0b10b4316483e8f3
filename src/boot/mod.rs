//! The boot: the few lines of Python that run before the app, and the data they read.
//!
//! The boot itself is the same for every launch with one interpreter; what differs lies beside it in `data`, one
//! marshalled dict. Marshal is the only format that every Python reads without importing anything. What serves imports and
//! what makes a launch pack are needed by few starts: they are kept once for each interpreter, in `finders/` of the root.

mod data;
#[cfg(feature = "cli")]
mod paths;
mod run;
mod session;

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use pexboot_core::checksum::checksum;

pub use data::{Data, Interactive, Scrubbed, Served, SysPath};
#[cfg(feature = "cli")]
pub use paths::paths;
pub use run::Run;
pub use session::Session;

/// The boot's source.
const SOURCE: &str = include_str!("boot.py");

/// The interactive session of a PEX without entry point.
pub const REPL: &str = include_str!("repl.py");

/// What an interpreter's probe compiles: the boot; the finder of the launch pack and of shipped bytecode; what makes a
/// launch pack.
pub const SOURCES: [&str; 3] = [SOURCE, include_str!("pack.py"), include_str!("record.py")];

/// What [`SOURCES`] are called in a probe's answer, and in `finders/KEY` of a root.
pub const NAMES: [&str; 3] = ["boot", "finder", "recorder"];

/// What their code objects say that they are from. The finder passes for a part of Python's own import system, which
/// tracebacks leave out.
pub const FILES: [&str; 3] = [
    "<pexboot>",
    "<frozen importlib._bootstrap_external>",
    "<pexboot>",
];

/// The [`SOURCES`], compiled for one Python.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Compiled {
    /// By their [`NAMES`], as `marshal` writes code objects. All empty where that Python is too old for the boot.
    pub code: [Vec<u8>; 3],
    /// What tells them from any others where they came with a file: SHA-256 of the entry that had them.
    pub came: Option<[u8; 32]>,
}

impl Compiled {
    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.code.iter().any(Vec::is_empty)
    }

    /// The boot as a file that Python runs: hash-based bytecode that is never checked against a source (PEP 552).
    #[must_use]
    pub fn boot(&self, magic: &[u8]) -> Vec<u8> {
        [magic, &[1, 0, 0, 0], &[0; 8], &self.code[0]].concat()
    }

    /// What it is known by. Of an interpreter's own answer to our sources checksums will do: nobody else has a say in it.
    #[must_use]
    pub fn identity(&self) -> Vec<u8> {
        match self.came {
            Some(digest) => digest.to_vec(),
            None => self.code.iter().flat_map(|code| checksum(code)).collect(),
        }
    }
}

/// A checksum of the [`SOURCES`]: what was compiled from others is of no use here.
#[must_use]
pub fn sources() -> [u8; 8] {
    let each = SOURCES.map(|source| checksum(source.as_bytes()));
    checksum(each.as_flattened())
}

/// A value of Python that the boot reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Py {
    /// `None`
    None,
    /// `True`, `False`
    Bool(bool),
    /// `int`
    Int(i32),
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
            Py::Int(value) => {
                out.push(b'i');
                out.extend(value.to_le_bytes());
            }
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
            ("number", Py::Int(-70_000)),
            ("text", Py::str("grüße")),
            ("bytes", Py::Str(b"/caf\xe9\xff/\x80".to_vec())),
            ("empty", Py::List(vec![])),
        ]);
        assert_eq!(
            seen_by_python(&value),
            r"{'none': None, 'flags': [True, False], 'number': -70000, 'text': 'gr\xfc\xdfe', 'bytes': '/caf\udce9\udcff/\udc80', 'empty': []}"
        );
    }

    /// What Python prints that runs `script` after the boot's functions, and its status; in a directory with a package.
    fn with_boot(script: &str, args: &[&str]) -> (String, bool) {
        let directory = tempfile::tempdir().unwrap();
        let package = directory.path().join("package");
        std::fs::create_dir(&package).unwrap();
        std::fs::write(package.join("__init__.py"), "print('init')\n").unwrap();
        let show = "import sys
spec = __spec__.name, __spec__.origin, __spec__.cached, type(__loader__).__name__, __loader__ is __spec__.loader
print(sorted((k, repr(v)) for k, v in globals().items() if k not in ('sys', '__builtins__', '__loader__', '__spec__')))
print(spec, sys.argv, sys.modules['__main__'].__dict__ is globals())
";
        for name in ["__main__.py", "module.py"] {
            std::fs::write(package.join(name), show).unwrap();
        }
        std::fs::write(package.join("failing.py"), "import package.missing\n").unwrap();
        // All but the last statement, which boots.
        let functions = super::SOURCE.split("\n# One expression").next().unwrap();
        let source = format!("{functions}\nimport sys\nsys.path.insert(0, '')\n{script}\n");
        let output = Command::new("/usr/bin/python3")
            .args(["-B", "-c", &source])
            .args(args)
            .current_dir(&directory)
            .env_clear()
            .output()
            .unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let last = error.trim_end().rsplit('\n').next().unwrap_or_default();
        let place = directory.path().to_str().unwrap();
        (
            format!("{text}{last}").replace(place, ""),
            output.status.success(),
        )
    }

    #[test]
    fn a_module_runs_as_runpy_runs_it() {
        let theirs =
            "import runpy; runpy.run_module({name!r}, run_name='__main__', alter_sys=True)";
        for name in [
            "package",
            "package.module",
            "package.failing",
            "package.missing",
            "missing",
            "missing.module",
            ".package",
            "sys",
            "json",
        ] {
            let name = format!("'{name}'");
            // As when the boot has gone from its module.
            let ours = format!("run = _module({name}); del _module, _find_main, _run_main; run()");
            let ours = with_boot(&ours, &["x"]);
            let theirs = with_boot(&theirs.replace("{name!r}", &name), &["x"]);
            assert_eq!(ours, theirs, "{name}");
        }
    }

    #[test]
    fn a_module_that_runs_needs_no_runpy() {
        let (text, success) = with_boot(
            "_module('package')(); print('runpy' in sys.modules, sys.argv, __file__ if '__file__' in globals() else None)",
            &["x"],
        );
        assert!(
            success && text.ends_with("False ['-c', 'x'] None\n"),
            "{text}"
        );
    }

    #[test]
    fn what_a_module_leaves_can_be_inspected() {
        for (environ, left) in [("('PYTHONINSPECT',)", "True"), ("()", "False")] {
            let script =
                format!("_module('package.module', {environ})(); print('spec' in globals())");
            let (text, success) = with_boot(&script, &[]);
            assert!(success && text.ends_with(&format!("\n{left}\n")), "{text}");
        }
    }

    #[test]
    fn the_collector_is_held_off_and_let_go() {
        let script = "import gc; before = gc.get_threshold(); release = _hold_gc(); held = gc.get_threshold(); release()
print(before == gc.get_threshold(), held[0] > before[0], held[1:] == before[1:], gc.isenabled())
release = _hold_gc(); gc.set_threshold(5); release(); print(gc.get_threshold()[0])
gc.set_threshold(0); _hold_gc()(); print(gc.get_threshold()[0])";
        assert_eq!(
            with_boot(script, &[]),
            ("True True True True\n5\n0\n".to_owned(), true)
        );
    }
}
