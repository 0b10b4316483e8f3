//! What starts the original: the `#!` line of the archive, or the script for the shell behind it (`--sh-boot`).

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

/// So much is looked at: a script for the shell names its Pythons within its first kilobytes.
pub(super) const HEAD: u64 = 8192;

/// What starts the original.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartedBy {
    /// The Python.
    pub python: Python,
    /// Its options, as they reach it.
    pub options: Vec<OsString>,
    /// What `env` does to the environment, in order: a variable gets this value, or is taken out.
    pub variables: Vec<(OsString, Option<OsString>)>,
    /// Whether `env` lets none of the caller's variables through.
    pub clears: bool,
    /// The command in front of Python for what `env` does beside that (`-C DIR`, `--ignore-signal`): `env` itself, up to
    /// where its command follows. Empty where it does nothing else.
    pub wrapper: Vec<OsString>,
}

/// Which Python it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Python {
    /// A file.
    File(PathBuf),
    /// The first of that name on PATH.
    Name(String),
    /// The one that the shell finds (reference 7.2).
    Shell {
        /// This file, where it can be executed.
        file: Option<PathBuf>,
        /// Else the first of these names on PATH; none are known where the script is another's.
        names: Vec<String>,
    },
}

impl StartedBy {
    /// Reads the beginning of an archive. Options that a PEX injects stand in a script as well, in front of its own: the
    /// first words of `injected`.
    #[must_use]
    pub fn parse(head: &[u8], injected: &[String]) -> Option<StartedBy> {
        let text = head.strip_prefix(b"#!")?;
        let (line, script) = match text.iter().position(|&byte| byte == b'\n') {
            Some(end) => (&text[..end], &text[end + 1..]),
            None => (text, &[][..]),
        };
        let line = line.trim_ascii();
        let (program, rest) = first_word(line);
        match Path::new(OsStr::from_bytes(program))
            .file_name()?
            .to_str()?
        {
            "env" => by_env(program, rest),
            "sh" | "bash" | "dash" => Some(by_shell(script, injected)),
            _ => Some(StartedBy {
                options: as_one_word(rest),
                ..StartedBy::of(Python::File(path(program)))
            }),
        }
    }

    /// Nothing but this Python.
    fn of(python: Python) -> StartedBy {
        StartedBy {
            python,
            options: Vec::new(),
            variables: Vec::new(),
            clears: false,
            wrapper: Vec::new(),
        }
    }

    /// Whether a script for the shell starts it.
    #[must_use]
    pub fn is_shell(&self) -> bool {
        matches!(self.python, Python::Shell { .. })
    }

    /// What an archive that it starts has beyond its members; nothing where a Python is started and no more is said.
    pub(super) fn says(&self) -> Vec<u8> {
        let mut text = Vec::new();
        for option in &self.options {
            text.extend([b"-", option.as_bytes(), b"\0"].concat());
        }
        for (name, value) in &self.variables {
            text.extend(name.as_bytes());
            if let Some(value) = value {
                text.extend([b"=", value.as_bytes()].concat());
            }
            text.push(b'\0');
        }
        for word in &self.wrapper {
            text.extend([b" ", word.as_bytes(), b"\0"].concat());
        }
        if self.clears {
            text.extend(b"=\0");
        }
        text
    }
}

/// The first word, and what is behind it.
fn first_word(text: &[u8]) -> (&[u8], &[u8]) {
    let text = text.trim_ascii_start();
    let end = text.iter().position(u8::is_ascii_whitespace);
    let (word, rest) = text.split_at(end.unwrap_or(text.len()));
    (word, rest.trim_ascii())
}

fn path(bytes: &[u8]) -> PathBuf {
    PathBuf::from(OsString::from_vec(bytes.to_vec()))
}

/// Splits at blanks.
fn words(text: &[u8]) -> Vec<OsString> {
    text.split(u8::is_ascii_whitespace)
        .filter(|word| !word.is_empty())
        .map(|word| OsString::from_vec(word.to_vec()))
        .collect()
}

/// The options behind a Python's own path: the kernel hands on all of them as one word, which can only end in a value
/// with a blank before it (`-W ignore`). What Python would refuse is taken as it was meant.
fn as_one_word(text: &[u8]) -> Vec<OsString> {
    if text.is_empty() {
        return Vec::new();
    }
    let ends = |byte: &u8| byte.is_ascii_whitespace() || b"WX".contains(byte);
    match text.iter().find(|byte| ends(byte)) {
        Some(byte) if byte.is_ascii_whitespace() => words(text),
        _ => vec![OsString::from_vec(text.to_vec())],
    }
}

/// `env`, which splits what `-S` brings into words of its own.
fn by_env(program: &[u8], text: &[u8]) -> Option<StartedBy> {
    let mut words = VecDeque::from(split_string(text));
    let mut found = StartedBy::of(Python::Name(String::new()));
    let os = |bytes: &[u8]| OsString::from_vec(bytes.to_vec());
    let python = loop {
        let word = words.pop_front()?;
        match word.as_bytes() {
            b"-" => found.clears = true,
            [b'-', b'-', long @ ..] => {
                let at = long.iter().position(|&byte| byte == b'=');
                let (name, value) = long.split_at(at.unwrap_or(long.len()));
                let value = value.get(1..).map(os);
                match (name, value) {
                    (b"", _) => {}
                    (b"split-string", value) => {
                        value.into_iter().for_each(|word| words.push_front(word))
                    }
                    (b"ignore-environment", _) => found.clears = true,
                    (b"unset", value) => {
                        let name = value.or_else(|| words.pop_front())?;
                        found.variables.push((name, None));
                    }
                    (b"chdir" | b"argv0", None) => {
                        found.wrapper.extend([word, words.pop_front()?]);
                    }
                    _ => found.wrapper.push(word),
                }
            }
            [b'-', letters @ ..] => by_letters(letters, &mut words, &mut found)?,
            bytes => match bytes.iter().position(|&byte| byte == b'=') {
                Some(at) => {
                    let variable = (os(&bytes[..at]), Some(os(&bytes[at + 1..])));
                    found.variables.push(variable);
                }
                None => break word,
            },
        }
    };
    found.python = match python.to_str() {
        Some(name) if !name.contains('/') => Python::Name(name.to_owned()),
        _ => Python::File(python.into()),
    };
    if !found.wrapper.is_empty() {
        found.wrapper.insert(0, os(program));
        found.wrapper.push("--".into());
    }
    found.options = words.into();
    Some(found)
}

/// One word of `env`'s letters; a letter's value is what follows it, or else the next word.
fn by_letters(
    mut letters: &[u8],
    words: &mut VecDeque<OsString>,
    found: &mut StartedBy,
) -> Option<()> {
    while let [letter, rest @ ..] = letters {
        letters = rest;
        let glued = (!rest.is_empty()).then(|| OsString::from_vec(rest.to_vec()));
        match letter {
            b'i' => found.clears = true,
            b'S' => glued.into_iter().for_each(|word| words.push_front(word)),
            b'u' => {
                let name = glued.or_else(|| words.pop_front())?;
                found.variables.push((name, None));
            }
            b'C' | b'a' => {
                let option = OsString::from_vec(vec![b'-', *letter]);
                let value = glued.or_else(|| words.pop_front())?;
                found.wrapper.extend([option, value]);
            }
            _ => {
                found.wrapper.push(OsString::from_vec(vec![b'-', *letter]));
                continue;
            }
        }
        if *letter != b'i' {
            break;
        }
    }
    Some(())
}

/// Splits as `env -S` does: at blanks, but for what is quoted or behind a backslash. Variables are left as they stand.
fn split_string(text: &[u8]) -> Vec<OsString> {
    let mut words = Vec::new();
    let mut word: Option<Vec<u8>> = None;
    let mut quote = None;
    let mut bytes = text.iter().copied();
    while let Some(byte) = bytes.next() {
        match (byte, quote) {
            (b'\'' | b'"', None) => {
                quote = Some(byte);
                word.get_or_insert_default();
            }
            (_, Some(open)) if byte == open => quote = None,
            (b'\\', None | Some(b'"')) => {
                let Some(escaped) = bytes.next() else { break };
                match (escaped, quote) {
                    (b'_', None) => words.extend(word.take()),
                    (b'_', _) => word.get_or_insert_default().push(b' '),
                    (b'c', None) => break,
                    _ => word.get_or_insert_default().push(escaped),
                }
            }
            (b'#', None) if word.is_none() => break,
            (_, None) if byte.is_ascii_whitespace() => words.extend(word.take()),
            _ => word.get_or_insert_default().push(byte),
        }
    }
    words.extend(word);
    words.into_iter().map(OsString::from_vec).collect()
}

/// The script that pex writes for the shell; what cannot be read in it stays empty.
fn by_shell(script: &[u8], injected: &[String]) -> StartedBy {
    let value = |name: &str| {
        let mut lines = script.split(|&byte| byte == b'\n');
        lines.find_map(|line| {
            let value = line.strip_prefix(name.as_bytes())?.strip_prefix(b"=\"")?;
            value.strip_suffix(b"\"")
        })
    };
    let file = value("DEFAULT_PYTHON").filter(|value| value.starts_with(b"/"));
    // The shell splits what the variable holds at blanks, and knows no quotes there.
    let mut options = words(value("PYTHON_ARGS").unwrap_or_default());
    if options.len() >= injected.len() && options.iter().zip(injected).all(|(a, b)| a == &**b) {
        options.drain(..injected.len());
    }
    let text = String::from_utf8_lossy(script);
    let names = text
        .split_once("for python in \\\n")
        .and_then(|(_, rest)| rest.split_once("; do"))
        .map_or("", |(names, _)| names);
    StartedBy {
        options,
        ..StartedBy::of(Python::Shell {
            file: file.map(path),
            names: names
                .split_whitespace()
                .filter_map(|word| word.strip_prefix('"')?.strip_suffix('"'))
                .map(str::to_owned)
                .collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn started(head: &str) -> StartedBy {
        StartedBy::parse(head.as_bytes(), &[]).unwrap()
    }

    fn check(line: &str, python: Python, options: &[&str]) {
        let found = started(&format!("#!{line}\nPK"));
        assert_eq!(
            (found.python, found.options),
            (python, options.iter().map(OsString::from).collect()),
            "{line}"
        );
    }

    #[test]
    fn a_line_names_a_python_and_its_options() {
        let file = |path: &str| Python::File(path.into());
        let name = |name: &str| Python::Name(name.to_owned());
        check("/usr/bin/env python3.11", name("python3.11"), &[]);
        check(
            "/usr/bin/python3 -sEuO",
            file("/usr/bin/python3"),
            &["-sEuO"],
        );
        check(
            "/usr/bin/python3.9 -E ",
            file("/usr/bin/python3.9"),
            &["-E"],
        );
        check(" /opt/venv/bin/python\r", file("/opt/venv/bin/python"), &[]);
        // As the kernel hands it on, but for what Python would refuse.
        check("/p -W ignore -u", file("/p"), &["-W ignore -u"]);
        check("/p -uX dev", file("/p"), &["-uX dev"]);
        check("/p -s -E", file("/p"), &["-s", "-E"]);
        check(
            "/usr/bin/env -S python3 -sE -u",
            name("python3"),
            &["-sE", "-u"],
        );
        check("/usr/bin/env -Spython3 -u", name("python3"), &["-u"]);
        check("/usr/bin/env python3 -u", name("python3"), &["-u"]);
        check(
            r#"/usr/bin/env -S python3 "-W ignore" -X'dev' # of this"#,
            name("python3"),
            &["-W ignore", "-Xdev"],
        );
        check(
            "/usr/bin/env -S -C /tmp /opt/python -I",
            file("/opt/python"),
            &["-I"],
        );
        let none = |head: &[u8]| assert_eq!(StartedBy::parse(head, &[]), None);
        none(b"#!/usr/bin/env\n");
        none(b"#!\n");
        none(b"PK");
    }

    #[test]
    fn env_changes_variables() {
        let found = started("#!/usr/bin/env -S -u A --unset=B C=d=e python3 F=g\n");
        let text = |name: &str| OsString::from(name);
        let expect = vec![
            (text("A"), None),
            (text("B"), None),
            (text("C"), Some(text("d=e"))),
        ];
        assert_eq!(found.variables, expect);
        assert_eq!(found.options, ["F=g"]);
        assert!(!found.clears && found.wrapper.is_empty());
    }

    #[test]
    fn env_does_more_than_that() {
        for line in [
            "-iS A=b python3 -u",
            "-S -i A=b python3 -u",
            "-S - A=b python3 -u",
        ] {
            let found = started(&format!("#!/usr/bin/env {line}\n"));
            assert!(found.clears && found.wrapper.is_empty(), "{line}");
            assert_eq!(found.variables, [("A".into(), Some("b".into()))]);
            assert_eq!(found.options, ["-u"], "{line}");
        }
        for (line, wrapper) in [
            ("-S -C /tmp python3", &["-C", "/tmp"][..]),
            ("-S -iC/tmp -uA python3", &["-C", "/tmp"]),
            ("-S --chdir=/tmp python3", &["--chdir=/tmp"]),
            ("-S --chdir /tmp python3", &["--chdir", "/tmp"]),
            ("--ignore-signal=PIPE -S python3", &["--ignore-signal=PIPE"]),
            ("-vS python3", &["-v"]),
        ] {
            let found = started(&format!("#!/usr/bin/env {line}\n"));
            let words = ["/usr/bin/env"].iter().chain(wrapper).chain(&["--"]);
            let words: Vec<OsString> = words.map(OsString::from).collect();
            assert_eq!(found.wrapper, words, "{line}");
            assert_eq!(found.python, Python::Name("python3".to_owned()), "{line}");
        }
        let (unset, empty) = (
            started("#!/usr/bin/env -S -u A python3\n"),
            started("#!/usr/bin/env -S A= python3\n"),
        );
        assert_ne!(unset.says(), empty.says());
    }

    #[test]
    fn a_script_names_what_the_shell_looks_for() {
        let script = "#!/bin/sh\nVENV_PYTHON_ARGS=\"-I\"\nDEFAULT_PYTHON=\"/opt/python\"\nPYTHON_ARGS=\"-O -u -X dev\"\n\
                      for python in \\\n\"python3.11\" \\\n\"python3\" \\\n    ; do\nfor python in \\\n\"x\"; do\n";
        let found = StartedBy::parse(script.as_bytes(), &["-O".to_owned()]).unwrap();
        let names = vec!["python3.11".to_owned(), "python3".to_owned()];
        let file = Some(PathBuf::from("/opt/python"));
        assert_eq!(found.python, Python::Shell { file, names });
        assert_eq!(found.options, ["-u", "-X", "dev"]);
        let bare = started("#!/bin/sh\nexec python3 \"$0\"\n");
        let names = Vec::new();
        assert_eq!(bare.python, Python::Shell { file: None, names });
        assert!(bare.is_shell() && bare.says().is_empty());
    }
}
