//! Scripts: the text of one that an entry point calls for, and a wheel's own with another Python in its first line.

use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use super::entry_points::EntryPoint;

/// Bytes that show whether a file is a Python script.
pub(crate) const HEAD: usize = 64 << 10;

/// The Python that a script begins with.
#[derive(Debug, Clone)]
pub(crate) struct Shebang {
    /// Its path, or `python` where an installer is to put one.
    pub(crate) python: PathBuf,
    /// Whether scripts run isolated (`-I`).
    pub(crate) hermetic: bool,
}

/// What the kernel reads of a `#!` line on every Linux; from 5.1 on it would be twice that.
const SHEBANG_LIMIT: usize = 127;

impl Shebang {
    /// `#!python`: what an installer puts its own Python into (PEP 427).
    pub(crate) fn neutral() -> Shebang {
        Shebang {
            python: "python".into(),
            hermetic: false,
        }
    }

    /// The lines, `coding` (a PEP 263 line, with its line end) among the first two.
    ///
    /// Where the kernel could not take the path in a `#!` line, `/bin/sh` starts Python: what Python sees as a string in
    /// triple quotes is a command to the shell.
    pub(crate) fn lines(&self, coding: &[u8]) -> Vec<u8> {
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

/// The script that calls an entry point, as the original makes it.
pub(crate) fn text(entry: &EntryPoint, shebang: &Shebang) -> Vec<u8> {
    let fallback = concat!(
        "if __name__ == \"__main__\":\n",
        "    import os\n",
        "    pex_root_fallback = os.environ.get(\"_PEX_ROOT_FALLBACK\")\n",
        "    if pex_root_fallback:\n",
        "        import atexit\n",
        "        import shutil\n",
        "\n",
        "        atexit.register(shutil.rmtree, pex_root_fallback, True)\n",
        "\n",
    );
    let mut text = shebang.lines(b"# -*- coding: utf-8 -*-\n");
    let module = repr(&entry.module);
    let body = if entry.attributes.is_empty() {
        format!(
            "import runpy\nimport sys\n\n{fallback}    \
             runpy.run_module({module}, run_name=\"__main__\", alter_sys=True)\n    sys.exit(0)\n"
        )
    } else {
        let attributes: Vec<String> = entry.attributes.iter().map(|name| repr(name)).collect();
        let comma = if attributes.len() == 1 { "," } else { "" };
        format!(
            "import importlib\nimport sys\n\n\
             entry_point = importlib.import_module({module})\n\
             for attr in ({}{comma}):\n    entry_point = getattr(entry_point, attr)\n\n\
             {fallback}    sys.exit(entry_point())\n",
            attributes.join(", ")
        )
    };
    text.extend(body.bytes());
    text
}

/// A text as Python writes it.
fn repr(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') {
        '"'
    } else {
        '\''
    };
    let mut result = String::from(quote);
    for character in text.chars() {
        match character {
            '\\' => result.push_str("\\\\"),
            '\n' => result.push_str("\\n"),
            '\r' => result.push_str("\\r"),
            '\t' => result.push_str("\\t"),
            character if character == quote => {
                result.push('\\');
                result.push(character);
            }
            character if character.is_ascii_control() => {
                result.push_str(&format!("\\x{:02x}", u32::from(character)));
            }
            character => result.push(character),
        }
    }
    result.push(quote);
    result
}

/// A script with that Python in its first line; `None` for what is no Python script, and so stays as it is.
pub(crate) fn rewritten(script: &[u8], shebang: &Shebang) -> Option<Vec<u8>> {
    if !is_python_script(script) {
        return None;
    }
    let (first, mut body) = line(script);
    let mut coding: &[u8] = b"";
    let (second, behind) = line(body);
    if is_coding(second) {
        (coding, body) = (second, behind);
    }
    if first.trim_ascii_end() == b"#!/bin/sh" {
        // A shell line that finds a Python whose path is too long for a shebang: it goes, to its closing quotes.
        let mut detour;
        (_, body) = line(body);
        while {
            (detour, body) = line(body);
            !detour.is_empty() && !detour.ends_with(b"'''\n")
        } {}
    }
    Some([&shebang.lines(coding), body].concat())
}

/// The first line with its line end, and what follows.
fn line(text: &[u8]) -> (&[u8], &[u8]) {
    let end = text.iter().position(|byte| *byte == b'\n');
    text.split_at(end.map_or(text.len(), |newline| newline + 1))
}

/// Whether a file that begins so is a script for Python.
pub(crate) fn is_python_script(head: &[u8]) -> bool {
    let (first, rest) = line(head);
    let Some(command) = first.strip_prefix(b"#!").map(<[u8]>::trim_ascii_end) else {
        return false;
    };
    if names_python(command) {
        return true;
    }
    if command != b"/bin/sh" {
        return false;
    }
    let (mut next, rest) = line(rest);
    if is_coding(next) {
        (next, _) = line(rest);
    }
    // What pex, and what pip and uv write where a path is too long for a shebang.
    if next == b"'''': pshprs\n" {
        return true;
    }
    let next = next.strip_suffix(b"\n").unwrap_or(next);
    let quotes = next.iter().filter(|&&byte| byte == b'\'').count();
    let executes = (3..next.len().saturating_sub(4)).any(|at| next[at..].starts_with(b"exec"));
    next.starts_with(b"'''") && executes && quotes >= 4
}

/// Whether a shebang's command runs a Python: `python` or `pypy`, a version, `.exe`, then an argument or the end.
fn names_python(command: &[u8]) -> bool {
    let lower = command.to_ascii_lowercase();
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    (0..lower.len()).any(|start| {
        if start > 0 && is_word(lower[start - 1]) {
            return false;
        }
        let tail = &lower[start..];
        let Some(mut rest) = tail
            .strip_prefix(b"python")
            .or_else(|| tail.strip_prefix(b"pypy"))
        else {
            return false;
        };
        rest = skip_digits(rest);
        if rest.len() < tail.len() {
            while let Some(after) = rest.strip_prefix(b".").map(skip_digits)
                && after.len() + 1 < rest.len()
            {
                rest = after;
            }
        }
        rest = rest.strip_prefix(b".exe").unwrap_or(rest);
        match rest {
            [] => true,
            [blank, next, ..] => blank.is_ascii_whitespace() && !next.is_ascii_whitespace(),
            [_] => false,
        }
    })
}

fn skip_digits(bytes: &[u8]) -> &[u8] {
    let digits = bytes
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    &bytes[digits..]
}

/// Whether the line declares the source's encoding (PEP 263).
fn is_coding(line: &[u8]) -> bool {
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let start = line
        .iter()
        .position(|byte| !blank(byte) && *byte != b'\x0c');
    let Some(comment) = start.and_then(|start| line[start..].strip_prefix(b"#")) else {
        return false;
    };
    (0..comment.len()).any(|at| {
        let Some([b':' | b'=', rest @ ..]) = comment[at..].strip_prefix(b"coding") else {
            return false;
        };
        let named = rest.iter().find(|byte| !blank(byte));
        named.is_some_and(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shebang(python: &str) -> Shebang {
        Shebang {
            python: python.into(),
            hermetic: true,
        }
    }

    #[test]
    fn entry_points_become_the_originals_scripts() {
        let text = |entry: &str, shebang: &Shebang| {
            let entry = EntryPoint::parse(entry).unwrap();
            String::from_utf8(text(&entry, shebang)).unwrap()
        };
        let called = text("app.cli:Main.run", &shebang("/v/bin/python3.11"));
        assert!(
            called.starts_with(
                "#!/v/bin/python3.11 -I\n# -*- coding: utf-8 -*-\nimport importlib\nimport sys\n\n\
                 entry_point = importlib.import_module('app.cli')\nfor attr in ('Main', 'run'):\n"
            ),
            "{called}"
        );
        assert!(
            called.ends_with("    sys.exit(entry_point())\n"),
            "{called}"
        );
        let quoted = text("os;'x:y", &Shebang::neutral());
        assert!(
            quoted.contains("import_module(\"os;'x\")\nfor attr in ('y',):\n"),
            "{quoted}"
        );
        let module = text("app", &Shebang::neutral());
        assert!(
            module.starts_with("#!python\n# -*- coding: utf-8 -*-\nimport runpy\nimport sys\n\nif"),
            "{module}"
        );
        assert!(
            module.ends_with(
                "    runpy.run_module('app', run_name=\"__main__\", alter_sys=True)\n    sys.exit(0)\n"
            ),
            "{module}"
        );
    }

    /// What the original takes for a script of Python's.
    #[test]
    fn python_scripts_are_told_from_others() {
        for (text, expect) in [
            ("#!python\n", true),
            ("#!python", true),
            ("#!python -u\n", true),
            ("#!python\tx\n", true),
            ("#!python  -u\n", false),
            ("#!/usr/bin/env python3.9\r\n", true),
            ("#!/usr/bin/env python3 \n", true),
            ("#!/usr/bin/env -S pypy3 -u\nx\n", true),
            ("#!/usr/bin/pypy3\n", true),
            ("#! python\n", true),
            ("#!C:\\python.exe\n", true),
            ("#!PYTHON.EXE\n", true),
            ("#!/opt/Python3.11.2 -E\n", true),
            ("#!python \n", true),
            ("#!/usr/bin/xpython\n", false),
            ("#!/a-python\n", true),
            ("#!/a_python\n", false),
            ("#!/a/python3.\n", false),
            ("#!/a/python3.x\n", false),
            ("#!/a/pythonw\n", false),
            ("#!pythonw\n", false),
            ("#!/usr/bin/python-config\n", false),
            ("#!/bin/bash\n# python\n", false),
            ("#!/bin/sh\necho\n", false),
            ("#!/bin/sh\n'''exec' /p/python \"$0\" \"$@\"\n' '''\n", true),
            ("#!/bin/sh \n'''exec' a\n' '''\n", true),
            ("#!/bin/sh -e\n'''exec' x '''\n", false),
            ("#!/bin/sh\n# coding: latin-1\n'''': pshprs\n'''\n", true),
            ("#!/bin/sh\n# coding: x\n'''exec' ' y\n", true),
            ("#!/bin/sh\n'''': pshprs", false),
            ("#!/bin/sh\n\n'''exec' a' \n", false),
            ("#!/bin/sh\n'''exec\n''' '\n", false),
            ("#!/bin/sh\n'''' exec\n", false),
            ("#!/bin/sh\n'''' exec exec\n", true),
            ("print()\n", false),
            ("", false),
        ] {
            assert_eq!(is_python_script(text.as_bytes()), expect, "{text:?}");
        }
    }

    #[test]
    fn lines_that_name_an_encoding() {
        for (text, expect) in [
            ("# coding: utf-8\n", true),
            ("#coding=x", true),
            (" \t\x0c# vim: set fileencoding=latin-1 :\n", true),
            ("# coding: coding=x\n", true),
            ("# coding:\n", false),
            ("# coding : x\n", false),
            ("x # coding: y", false),
            ("\r# coding: x\n", false),
        ] {
            assert_eq!(is_coding(text.as_bytes()), expect, "{text:?}");
        }
    }

    #[test]
    fn python_scripts_get_another_python_and_others_are_left() {
        #[track_caller]
        fn check(script: &str, expect: Option<&str>) {
            let found = rewritten(script.as_bytes(), &shebang("/v/python"));
            let found = found.map(|text| String::from_utf8(text).unwrap());
            assert_eq!(found.as_deref(), expect, "{script:?}");
            let neutral = rewritten(script.as_bytes(), &Shebang::neutral());
            let neutral = neutral.map(|text| String::from_utf8(text).unwrap());
            let expect = expect.map(|text| text.replace("/v/python -I", "python"));
            assert_eq!(neutral, expect, "{script:?}");
        }
        check("#!python\nx\n", Some("#!/v/python -I\nx\n"));
        check("#!python", Some("#!/v/python -I\n"));
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
        check(
            "#!/bin/sh\n# coding: x\n'''': pshprs\nexec python\n'''\nx\n",
            Some("#!/v/python -I\n# coding: x\nx\n"),
        );
        check(
            "#!/bin/sh\n'''exec' a' \nnever closed\n",
            Some("#!/v/python -I\n"),
        );
        check("#!pythonw\nx", None);
        check("#!/bin/sh\necho\n", None);
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
