//! Where the roots are, and in which order they are tried. Whether one can be trusted is [`safety`]'s to say.
//!
//! Stub, engine and command line look in the same places in the same order, by this code.

use alloc::vec::Vec;

use crate::paths::{below, decimal};

pub mod safety;

/// A root that may be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Absolute path, but for an explicit root whose working directory is not known.
    pub path: Vec<u8>,
    /// Where it comes from.
    pub kind: Kind,
}

/// Where a root comes from, and so what may be done with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Named by `PEXBOOT_SEEDS`: read, never written.
    Seed,
    /// Below a `PEX_ROOT` that somebody named: the engine refuses the launch when it is not safe.
    Explicit,
    /// In the user's cache directory.
    Cache,
    /// The private directory below `/var/tmp`, when there is no better.
    Fallback,
}

/// The roots of a launch, in the order in which they are tried.
///
/// 1. Each absolute item of `PEXBOOT_SEEDS` (colon separated).
/// 2. `PEX_ROOT` of the environment, else `pex_root` (PEX-INFO's, from the seal; reference 2 and 3.1), below which
///    `pexboot` is used. Empty counts as unset, a leading `~` is HOME, a relative one starts at `cwd`.
/// 3. Without one: `pexboot` in `XDG_CACHE_HOME` if that is absolute, else in `$HOME/.cache` if that is.
/// 4. `/var/tmp/pexboot-<euid>`: where a root that is safe cannot be written, its plans are here.
///
/// `env` gives a variable's value; `cwd` is asked only for a relative `PEX_ROOT`.
#[must_use]
pub fn candidates<'e>(
    env: impl Fn(&str) -> Option<&'e [u8]>,
    pex_root: &[u8],
    euid: u32,
    cwd: impl FnOnce() -> Option<Vec<u8>>,
) -> Vec<Candidate> {
    let absolute = |path: &&[u8]| path.first() == Some(&b'/');
    let mut list: Vec<Candidate> = env("PEXBOOT_SEEDS")
        .unwrap_or_default()
        .split(|&b| b == b':')
        .filter(absolute)
        .map(|seed| Candidate {
            path: seed.to_vec(),
            kind: Kind::Seed,
        })
        .collect();

    let home = env("HOME").filter(|home| !home.is_empty());
    let named = env("PEX_ROOT")
        .filter(|root| !root.is_empty())
        .unwrap_or(pex_root);
    if !named.is_empty() {
        let mut path = expand(named, home);
        if path.first() != Some(&b'/')
            && let Some(cwd) = cwd()
        {
            path = below(&cwd, &[&path]);
        }
        list.push(Candidate {
            path: below(&path, &[b"pexboot"]),
            kind: Kind::Explicit,
        });
    } else {
        let cache = match env("XDG_CACHE_HOME").filter(absolute) {
            Some(cache) => Some(below(cache, &[b"pexboot"])),
            None => home
                .filter(absolute)
                .map(|home| below(home, &[b".cache", b"pexboot"])),
        };
        list.extend(cache.map(|path| Candidate {
            path,
            kind: Kind::Cache,
        }));
    }
    list.push(Candidate {
        path: [b"/var/tmp/pexboot-", decimal(euid).as_slice()].concat(),
        kind: Kind::Fallback,
    });
    list
}

/// `~` and `~/…` with HOME in place of the tilde. `~user` would take the passwd database and stays as it is.
fn expand(path: &[u8], home: Option<&[u8]>) -> Vec<u8> {
    match (path.strip_prefix(b"~"), home) {
        (Some(rest), Some(home)) if rest.first().is_none_or(|&b| b == b'/') => {
            [home, rest].concat()
        }
        _ => path.to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::String;

    use super::*;

    /// The candidates of an environment, each as its kind's first letter and its path.
    fn check(env: &[(&str, &str)], pex_root: &str, expect: &[&str]) {
        let found = candidates(
            |wanted| {
                env.iter()
                    .find(|(name, _)| *name == wanted)
                    .map(|(_, value)| value.as_bytes())
            },
            pex_root.as_bytes(),
            1000,
            || Some(b"/work".to_vec()),
        );
        let found: Vec<String> = found
            .iter()
            .map(|candidate| {
                let kind = match candidate.kind {
                    Kind::Seed => "S",
                    Kind::Explicit => "E",
                    Kind::Cache => "C",
                    Kind::Fallback => "F",
                };
                [kind, str::from_utf8(&candidate.path).unwrap()].concat()
            })
            .collect();
        assert_eq!(found, expect);
    }

    #[test]
    fn the_cache_directory_then_the_fallback() {
        check(
            &[("HOME", "/h")],
            "",
            &["C/h/.cache/pexboot", "F/var/tmp/pexboot-1000"],
        );
        check(
            &[("HOME", "/h"), ("XDG_CACHE_HOME", "/x/")],
            "",
            &["C/x/pexboot", "F/var/tmp/pexboot-1000"],
        );
        check(
            &[("XDG_CACHE_HOME", "/x")],
            "",
            &["C/x/pexboot", "F/var/tmp/pexboot-1000"],
        );
    }

    #[test]
    fn a_home_that_is_no_place_is_passed_over() {
        for env in [&[][..], &[("HOME", "")], &[("HOME", "h")]] {
            check(env, "", &["F/var/tmp/pexboot-1000"]);
        }
        check(
            &[("HOME", "/h"), ("XDG_CACHE_HOME", "x")],
            "",
            &["C/h/.cache/pexboot", "F/var/tmp/pexboot-1000"],
        );
    }

    #[test]
    fn an_explicit_root_stands_for_the_cache_directory() {
        let home = ("HOME", "/h");
        let fallback = "F/var/tmp/pexboot-1000";
        check(
            &[home, ("PEX_ROOT", "/r")],
            "/seal",
            &["E/r/pexboot", fallback],
        );
        check(
            &[home, ("PEX_ROOT", "")],
            "/seal",
            &["E/seal/pexboot", fallback],
        );
        check(&[home], "~/seal", &["E/h/seal/pexboot", fallback]);
        check(&[home, ("PEX_ROOT", "~")], "", &["E/h/pexboot", fallback]);
        check(
            &[home, ("PEX_ROOT", "~u/r")],
            "",
            &["E/work/~u/r/pexboot", fallback],
        );
        check(
            &[home, ("PEX_ROOT", "r")],
            "",
            &["E/work/r/pexboot", fallback],
        );
        check(
            &[("PEX_ROOT", "~/r")],
            "",
            &["E/work/~/r/pexboot", fallback],
        );
    }

    #[test]
    fn seeds_come_first() {
        check(
            &[("PEXBOOT_SEEDS", "/a::b:/c"), ("PEX_ROOT", "/r")],
            "",
            &["S/a", "S/c", "E/r/pexboot", "F/var/tmp/pexboot-1000"],
        );
    }
}
