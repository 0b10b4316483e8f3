//! The preamble (`pex --preamble-file`): code that runs before the bootstrap and may set whatever a launch depends on.
//! Only the bootstrap itself can follow it, so a PEX that has one is handed over.

use std::path::Path;

use super::Pex;
use crate::archive::Archive;

/// Keeps the preamble in an embedded file, whose `__main__.py` is replaced; as the hook's, a name that is none of user
/// code.
pub(crate) const MEMBER: &str = "__pex__preamble.py";
/// What starts a PEX: shebang line, preamble, bootstrap.
const MAIN: &str = "__main__.py";
/// The import hook: the bootstrap alone.
const HOOK: &str = "__pex__/__init__.py";
/// The line with which a script for the shell begins that is a text to Python.
const SHELL_BEGINS: &[u8] = b"'''': pshprs\n";
/// The line with which it ends.
const SHELL_ENDS: &[u8] = b"\n'''\n";
/// The bootstrap is some ten kilobytes.
const LIMIT: u64 = 1 << 20;

/// What stands between the shebang line of `main` and the code that `hook` has too; `None` where that is nothing.
///
/// A directory that was built with `--sh-boot` has its shell script there, which is none of Python's.
fn between<'m>(main: &'m [u8], hook: &[u8]) -> Option<&'m [u8]> {
    let rest = main.strip_suffix(hook)?;
    let line = rest.iter().position(|&byte| byte == b'\n')?;
    let text = behind_shell(rest.get(line + 1..)?).trim_ascii();
    (!text.is_empty()).then_some(text)
}

/// What follows the script that the shell runs and Python takes for a text: pex quotes it so.
fn behind_shell(text: &[u8]) -> &[u8] {
    let script = text.strip_prefix(SHELL_BEGINS);
    let end = script.and_then(|script| {
        let ends = |window: &[u8]| window == SHELL_ENDS;
        Some(&script[script.windows(SHELL_ENDS.len()).position(ends)? + SHELL_ENDS.len()..])
    });
    end.unwrap_or(text)
}

/// The preamble of an archive that is not embedded. One that is made by a release without the hook has none that we
/// could tell from the bootstrap.
pub(crate) fn preamble(archive: &Archive) -> Option<Vec<u8>> {
    let read = |name| archive.read(archive.find(name)?, LIMIT).ok();
    between(&read(MAIN)?, &read(HOOK)?).map(<[u8]>::to_vec)
}

fn of_directory(pex: &Path) -> Option<Vec<u8>> {
    let read = |name| crate::regular::read(&pex.join(name)).ok();
    between(&read(MAIN)?, &read(HOOK)?).map(<[u8]>::to_vec)
}

impl Pex {
    /// Whether code is to run before the bootstrap.
    pub fn has_preamble(&self) -> bool {
        match self.archive() {
            Some(archive) if archive.seal().is_some() => archive.find(MEMBER).is_some(),
            Some(archive) => preamble(archive).is_some(),
            None => of_directory(&self.path).is_some(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::between;

    #[test]
    fn the_preamble_is_what_the_hook_does_not_have() {
        let hook = b"boot()\n";
        let check = |main: &[u8], expect: Option<&[u8]>| assert_eq!(between(main, hook), expect);
        check(b"#!/usr/bin/env python3\n\nboot()\n", None);
        check(b"#!/usr/bin/env python3\nx = 1\n\nboot()\n", Some(b"x = 1"));
        check(b"#!/usr/bin/env python3\nx = 1\n", None);
        check(b"boot()\n", None);
        let shell = b"#!/bin/sh\n'''': pshprs\nset -eu\nexit 1\n'''\n\nboot()\n";
        check(shell, None);
        let both = b"#!/bin/sh\n'''': pshprs\nset -eu\nexit 1\n'''\nx = 1\n\nboot()\n";
        check(both, Some(b"x = 1"));
        // No script, or one that does not end: code like any other.
        check(b"#!python\n'''text'''\n\nboot()\n", Some(b"'''text'''"));
        check(
            b"#!/bin/sh\n'''': pshprs\n\nboot()\n",
            Some(b"'''': pshprs"),
        );
    }
}
