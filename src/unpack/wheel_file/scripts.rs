//! Scripts of a wheel: those that it brings, with their shebang line made neutral, and those made for its entry points.

use super::metadata::Metadata;
use super::record::Row;
use super::{Files, STASH, Source, TEXT, UnpackError};
use crate::archive::{Archive, ArchiveError, Entry};
use crate::pex::PexError;

/// Bytes that show whether a file is a Python script.
const HEAD: usize = 64 << 10;

/// The names of all console and gui scripts.
pub(super) fn names(entry_points: &str) -> Vec<String> {
    // A file that cannot be read is refused where the scripts are made.
    parse(entry_points)
        .unwrap_or_default()
        .into_iter()
        .map(|script| script.name)
        .collect()
}

/// A Python script with `#!python` for its first line; `None` for anything else, which stays as it is.
pub(super) fn rewrite(wheel: &Archive, entry: &Entry) -> Result<Option<Vec<u8>>, UnpackError> {
    if !is_python_script(&head(wheel, entry)?) {
        return Ok(None);
    }
    let bytes = wheel.read(entry, TEXT)?;
    let mut lines = bytes.split_inclusive(|&byte| byte == b'\n');
    let mut result = b"#!python\n".to_vec();
    if lines.next().unwrap_or_default().trim_ascii_end() == b"#!/bin/sh" {
        // A shell line that finds a Python whose path is too long for a shebang: it goes, to its closing quotes.
        let second = lines.next().unwrap_or_default();
        if is_encoding_line(second) {
            result.extend_from_slice(second);
            lines.next();
        }
        lines
            .by_ref()
            .find(|line| line.ends_with(b"'''\n"))
            .unwrap_or_default();
    }
    lines.for_each(|line| result.extend_from_slice(line));
    Ok(Some(result))
}

/// Makes `.prefix/bin/NAME` for every console script and gui script that is not there.
pub(super) fn entry_points(
    wheel: &Archive,
    metadata: &Metadata,
    files: &mut Files<'_>,
    rows: &mut Vec<Row>,
    fail: &dyn Fn(String) -> UnpackError,
) -> Result<(), UnpackError> {
    for script in parse(&metadata.entry_points).map_err(fail)? {
        let Some(name) =
            crate::archive::safe_relative(&script.name).filter(|name| *name == script.name)
        else {
            return Err(fail(format!(
                "has a script with the name `{}`",
                script.name.escape_debug()
            )));
        };
        let path = format!("{STASH}/bin/{name}");
        let source = files
            .entry(path.clone())
            .or_insert_with(|| Source::Made(script.text().into_bytes(), true));
        rows.push(match source {
            Source::Made(bytes, _) => Row::of_made(&path, bytes),
            Source::Member(entry) => Row::of_made(&path, &wheel.read(entry, TEXT)?),
        });
    }
    Ok(())
}

/// One entry point that becomes a script.
#[derive(Debug, PartialEq, Eq)]
struct Script {
    name: String,
    module: String,
    /// What is called in the module; nothing where the module itself is run.
    attributes: Vec<String>,
}

impl Script {
    /// The script, as the original makes it.
    fn text(&self) -> String {
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
        let module = repr(&self.module);
        if self.attributes.is_empty() {
            return format!(
                "#!python\n# -*- coding: utf-8 -*-\nimport runpy\nimport sys\n\n{fallback}    \
                 runpy.run_module({module}, run_name=\"__main__\", alter_sys=True)\n    sys.exit(0)\n"
            );
        }
        let attributes: Vec<String> = self.attributes.iter().map(|name| repr(name)).collect();
        let comma = if attributes.len() == 1 { "," } else { "" };
        format!(
            "#!python\n# -*- coding: utf-8 -*-\nimport importlib\nimport sys\n\n\
             entry_point = importlib.import_module({module})\n\
             for attr in ({}{comma}):\n    entry_point = getattr(entry_point, attr)\n\n\
             {fallback}    sys.exit(entry_point())\n",
            attributes.join(", ")
        )
    }
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

/// The console scripts of an entry_points.txt, then its gui scripts; a later one of a name replaces the earlier.
fn parse(text: &str) -> Result<Vec<Script>, String> {
    let mut groups: [Vec<Script>; 2] = Default::default();
    let mut group = None;
    for line in text.lines().map(str::trim) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(name) = line
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
        {
            group = Some(name);
            continue;
        }
        let bad = || format!("has `{}` in its entry_points.txt", line.escape_debug());
        let index = match group {
            Some("console_scripts") => 0,
            Some("gui_scripts") => 1,
            Some(_) => continue,
            None => return Err(bad()),
        };
        let script = parse_line(line).ok_or_else(bad)?;
        let scripts = &mut groups[index];
        match scripts.iter_mut().find(|known| known.name == script.name) {
            Some(known) => *known = script,
            None => scripts.push(script),
        }
    }
    Ok(groups.into_iter().flatten().collect())
}

/// `name = module:attribute.attribute [extra]`.
fn parse_line(line: &str) -> Option<Script> {
    let (name, value) = line.split_once('=')?;
    if value.contains('=') {
        return None;
    }
    let value = value.split('[').next().unwrap_or(value);
    let (module, object) = match value.split_once(':') {
        Some((module, object)) => (
            module,
            Some(object.trim()).filter(|object| !object.is_empty())?,
        ),
        None => (value, ""),
    };
    let module = module.trim();
    (!module.is_empty()).then(|| Script {
        name: name.trim().to_owned(),
        module: module.to_owned(),
        attributes: object
            .split('.')
            .filter(|_| !object.is_empty())
            .map(str::to_owned)
            .collect(),
    })
}

/// The first bytes of a member.
fn head(wheel: &Archive, entry: &Entry) -> Result<Vec<u8>, UnpackError> {
    if entry.size <= super::lay_out::WHOLE {
        let mut bytes = wheel.read(entry, super::lay_out::WHOLE)?;
        bytes.truncate(HEAD);
        return Ok(bytes);
    }
    let mut head = Head(Vec::new());
    match wheel.copy(entry, &mut head) {
        Ok(()) | Err(ArchiveError::Output(_)) => Ok(head.0),
        Err(error) => Err(UnpackError::Pex(PexError::Archive(error))),
    }
}

/// Takes what fits, then fails, which ends the copying.
struct Head(Vec<u8>);

impl std::io::Write for Head {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let room = HEAD.saturating_sub(self.0.len()).min(bytes.len());
        if room == 0 {
            return Err(std::io::ErrorKind::StorageFull.into());
        }
        self.0.extend_from_slice(&bytes[..room]);
        Ok(room)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Whether a file that begins so is a script for Python.
fn is_python_script(head: &[u8]) -> bool {
    let Some(rest) = head.strip_prefix(b"#!") else {
        return false;
    };
    let mut lines = rest.split(|&byte| byte == b'\n');
    let command = lines.next().unwrap_or_default().trim_ascii_end();
    if names_python(command) {
        return true;
    }
    if command != b"/bin/sh" {
        return false;
    }
    let mut line = lines.next().unwrap_or_default();
    if is_encoding_line(line) {
        line = lines.next().unwrap_or_default();
    }
    // What pex, and what pip and uv write where a path is too long for a shebang.
    let quotes = line.iter().filter(|&&byte| byte == b'\'').count();
    let executes = (3..line.len().saturating_sub(4)).any(|at| line[at..].starts_with(b"exec"));
    line == b"'''': pshprs" || (line.starts_with(b"'''") && executes && quotes >= 4)
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

/// Whether a line declares the encoding of Python source (PEP 263).
fn is_encoding_line(line: &[u8]) -> bool {
    let Some(comment) = line.trim_ascii_start().strip_prefix(b"#") else {
        return false;
    };
    comment
        .windows(7)
        .any(|window| window.starts_with(b"coding") && matches!(window[6], b':' | b'='))
}
