//! Scripts in `bin/`: those that entry points call for, and the files that wheels bring.

use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use crate::resolve::entry_points::EntryPoint;

/// The first lines of every Python script of an environment.
#[derive(Debug, Clone)]
pub(super) struct Shebang {
    /// The environment's Python.
    pub python: PathBuf,
    /// Whether scripts run isolated (`-I`).
    pub hermetic: bool,
}

/// What the kernel reads of a `#!` line on every Linux; from 5.1 on it would be twice that.
const SHEBANG_LIMIT: usize = 127;

impl Shebang {
    /// The lines, `coding` (a PEP 263 line, with its line end) among the first two.
    ///
    /// Where the kernel could not take the path in a `#!` line, `/bin/sh` starts Python: what Python sees as a string in
    /// triple quotes is a command to the shell.
    pub fn lines(&self, coding: &[u8]) -> Vec<u8> {
        let python = self.python.as_os_str().as_bytes();
        let option: &[u8] = if self.hermetic { b" -I" } else { b"" };
        let plain = [b"#!", python, option].concat();
        if plain.len() <= SHEBANG_LIMIT && !python.iter().any(u8::is_ascii_whitespace) {
            return [plain.as_slice(), b"\n", coding].concat();
        }
        let mut quoted = Vec::new();
        for byte in python {
            if matches!(byte, b'\\' | b'"' | b'$' | b'`') {
                quoted.push(b'\\');
            }
            quoted.push(*byte);
        }
        [
            b"#!/bin/sh\n",
            coding,
            b"'''exec' \"",
            &quoted,
            b"\"",
            option,
            b" \"$0\" \"$@\"\n' '''\n",
        ]
        .concat()
    }
}

/// A console or gui script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Script {
    /// Its name.
    pub name: String,
    entry: EntryPoint,
}

/// The console and gui scripts that an entry_points.txt calls for, in that order. What is no name of a file or no name
/// in Python is passed over.
pub(super) fn entry_points(text: &str) -> Vec<Script> {
    let mut found = [Vec::new(), Vec::new()];
    let mut group = None;
    for line in text.lines().map(str::trim) {
        if line.starts_with(['#', ';']) {
            continue;
        }
        if let Some(header) = line.strip_prefix('[') {
            group = match header.strip_suffix(']').map(str::trim) {
                Some("console_scripts") => Some(0),
                Some("gui_scripts") => Some(1),
                _ => None,
            };
        } else if let Some(group) = group
            && let Some((name, value)) = line.split_once('=')
            && let Some(entry) = entry_point(name.trim(), value)
        {
            found[group].push(entry);
        }
    }
    found.concat()
}

fn entry_point(name: &str, value: &str) -> Option<Script> {
    let entry = EntryPoint::parse(value)?;
    let dotted = |text: &str| {
        text.split('.')
            .all(|part| !part.is_empty() && part.chars().all(|c| c == '_' || c.is_alphanumeric()))
    };
    let plain = !name.is_empty() && !name.contains(['/', '\0']) && name != "." && name != "..";
    (plain && dotted(&entry.module) && entry.attributes.iter().all(|name| dotted(name))).then(
        || Script {
            name: name.to_owned(),
            entry,
        },
    )
}

impl Script {
    /// Its text.
    pub fn text(&self, shebang: &Shebang) -> Vec<u8> {
        let mut text = shebang.lines(b"# -*- coding: utf-8 -*-\n");
        let EntryPoint { module, attributes } = &self.entry;
        if attributes.is_empty() {
            text.extend(
                format!(
                    "import sys\n\nif __name__ == \"__main__\":\n    import runpy\n\n    \
                     runpy.run_module(\"{module}\", run_name=\"__main__\", alter_sys=True)\n    sys.exit(0)\n"
                )
                .bytes(),
            );
        } else {
            let attributes = attributes.join(".");
            text.extend(
                format!(
                    "import sys\nfrom importlib import import_module\n\n\
                     entry = import_module(\"{module}\").{attributes}\n\n\
                     if __name__ == \"__main__\":\n    sys.exit(entry())\n"
                )
                .bytes(),
            );
        }
        text
    }
}

/// A script file of a wheel with the environment's Python in its first line; `None` when it is no Python script.
pub(super) fn rewritten(script: &[u8], shebang: &Shebang) -> Option<Vec<u8>> {
    let (first, rest) = line(script);
    let command = first.strip_prefix(b"#!")?.trim_ascii();
    let mut body = rest;
    if command == b"/bin/sh" {
        // Another one's detour by the shell, as in `Shebang::lines`.
        let (mut next, mut behind) = line(rest);
        if is_coding(next) {
            (next, behind) = line(behind);
        }
        if !next.starts_with(b"'''") {
            return None;
        }
        while {
            (next, behind) = line(behind);
            !next.trim_ascii_end().ends_with(b"'''")
        } {
            if behind.is_empty() {
                return None;
            }
        }
        let (second, _) = line(rest);
        let coding = if is_coding(second) { second } else { b"" };
        return Some([&shebang.lines(coding), behind].concat());
    }
    let mut words = command
        .split(u8::is_ascii_whitespace)
        .filter(|word| !word.is_empty());
    let base = |word: &[u8]| {
        word.rsplit(|byte| *byte == b'/')
            .next()
            .unwrap_or_default()
            .to_vec()
    };
    let mut interpreter = base(words.next()?);
    if interpreter == b"env" {
        interpreter = base(words.find(|word| !word.starts_with(b"-"))?);
    }
    if !interpreter.starts_with(b"python") && !interpreter.starts_with(b"pypy") {
        return None;
    }
    let (second, behind) = line(rest);
    let coding = if is_coding(second) {
        body = behind;
        second
    } else {
        b""
    };
    Some([&shebang.lines(coding), body].concat())
}

/// The first line with its line end, and what follows.
fn line(text: &[u8]) -> (&[u8], &[u8]) {
    let end = text
        .iter()
        .position(|byte| *byte == b'\n')
        .map_or(text.len(), |newline| newline + 1);
    text.split_at(end)
}

/// Whether the line declares the source's encoding (PEP 263).
fn is_coding(line: &[u8]) -> bool {
    let text = line.trim_ascii_start();
    text.starts_with(b"#")
        && text
            .windows(7)
            .any(|window| window.starts_with(b"coding") && matches!(window[6], b':' | b'='))
}

#[cfg(test)]
mod tests {
    use super::{Shebang, entry_points, rewritten};

    fn shebang(python: &str) -> Shebang {
        Shebang {
            python: python.into(),
            hermetic: true,
        }
    }

    #[test]
    fn entry_points_become_scripts() {
        let text = "[other]\nx = y:z\n[gui_scripts]\nwin=app:gui\n[console_scripts]\n# no\n one = app.cli:Main.run [extra]\nmod = app\n../evil = app:x\nbad = os;x:y\nworse = app:\"x\n";
        let found = entry_points(text);
        let names: Vec<_> = found.iter().map(|entry| entry.name.as_str()).collect();
        assert_eq!(names, ["one", "mod", "win"]);
        let script = String::from_utf8(found[0].text(&shebang("/v/bin/python3.11"))).unwrap();
        assert!(
            script.starts_with("#!/v/bin/python3.11 -I\n# -*- coding: utf-8 -*-\n"),
            "{script}"
        );
        assert!(
            script.contains("entry = import_module(\"app.cli\").Main.run\n"),
            "{script}"
        );
    }

    #[test]
    fn python_scripts_get_the_environments_python_and_others_are_left() {
        let check = |script: &str, expect: Option<&str>| {
            let found = rewritten(script.as_bytes(), &shebang("/v/python"));
            assert_eq!(
                found
                    .as_deref()
                    .map(|text| std::str::from_utf8(text).unwrap()),
                expect
            );
        };
        check("#!python\nx\n", Some("#!/v/python -I\nx\n"));
        check("#!pythonw\nx", Some("#!/v/python -I\nx"));
        check(
            "#!/usr/bin/env -S pypy3 -u\nx\n",
            Some("#!/v/python -I\nx\n"),
        );
        check(
            "#!/opt/python3.9\n# coding: latin-1\nx\n",
            Some("#!/v/python -I\n# coding: latin-1\nx\n"),
        );
        check(
            "#!/bin/sh\n'''exec' \"/o o/python\" \"$0\" \"$@\"\n' '''\nx\n",
            Some("#!/v/python -I\nx\n"),
        );
        check("#!/bin/sh\necho\n", None);
        check("#!/bin/bash\n# python\n", None);
        check("print()\n", None);
        check("", None);
        check("#!/bin/sh\n'''never closed\n", None);
    }

    #[test]
    fn a_long_or_spacious_path_goes_by_the_shell() {
        for python in [
            format!("/{}/python", "x".repeat(200)),
            "/a b/python".to_owned(),
        ] {
            let text = shebang(&python).lines(b"# coding: utf-8\n");
            let text = String::from_utf8(text).unwrap();
            assert_eq!(
                text,
                format!(
                    "#!/bin/sh\n# coding: utf-8\n'''exec' \"{python}\" -I \"$0\" \"$@\"\n' '''\n"
                )
            );
        }
    }
}
