//! Where the roots are, and in which order they are tried. Whether one can be trusted is [`safety`]'s to say.
//!
//! Stub, engine, command line and the hand-over script (`src/embed/original.py`, held to it by a test) look in the same
//! places in the same order.

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
    /// Below a `PEX_ROOT` that somebody named.
    Explicit,
    /// In the user's cache directory.
    Cache,
    /// A private directory in a place that is there for everybody, or for as long as the user is logged in.
    Fallback,
}

/// The value of an environment variable by its name.
type Env<'f, 'e> = &'f dyn Fn(&str) -> Option<&'e [u8]>;

/// The roots of a launch, in the order in which they are tried.
///
/// 1. Each absolute item of `PEXBOOT_SEEDS` (colon separated).
/// 2. `pexboot` below the root that is [`named`], when one is.
/// 3. `pexboot` in `XDG_CACHE_HOME` if that is absolute, else in `$HOME/.cache` if that is.
/// 4. `/var/tmp/pexboot-<euid>`.
/// 5. `pexboot` in `XDG_RUNTIME_DIR` if that is absolute.
/// 6. `pexboot-<euid>` in `TMPDIR` if that is absolute, else in `/tmp`.
///
/// The first of 2 to 6 that can be trusted and written is the one that is written to. Where there is none, a directory
/// in one of [`temporary`] is made for this start alone.
///
/// `env` gives a variable's value; `pex_root` is PEX-INFO's, from the seal (reference 2 and 3.1); `cwd` is asked only
/// for a relative name.
#[must_use]
pub fn candidates<'e>(
    env: impl Fn(&str) -> Option<&'e [u8]>,
    pex_root: &'e [u8],
    euid: u32,
    cwd: impl FnOnce() -> Option<Vec<u8>>,
) -> Vec<Candidate> {
    all(&env, named(&env, pex_root), euid, cwd)
}

/// As [`candidates`], for a caller who knows which root is named, empty for none: it has read rc files, too.
#[must_use]
pub fn all<'e>(
    env: Env<'_, 'e>,
    named: &[u8],
    euid: u32,
    cwd: impl FnOnce() -> Option<Vec<u8>>,
) -> Vec<Candidate> {
    let mut list: Vec<Candidate> = Vec::new();
    let mut add = |path: Vec<u8>, kind| {
        // One place may have several names: TMPDIR is /var/tmp on some machines. (A root that is a seed, too, is both.)
        if list
            .iter()
            .all(|known| known.path != path || known.kind == Kind::Seed)
        {
            list.push(Candidate { path, kind });
        }
    };
    for seed in env("PEXBOOT_SEEDS")
        .unwrap_or_default()
        .split(|&b| b == b':')
    {
        if is_absolute(seed) {
            add(seed.to_vec(), Kind::Seed);
        }
    }
    if !named.is_empty() {
        let mut path = expand(named, env("HOME"));
        if !is_absolute(&path)
            && let Some(cwd) = cwd()
        {
            path = below(&cwd, &[&path]);
        }
        add(below(&path, &[b"pexboot"]), Kind::Explicit);
    }
    if let Some(cache) = absolute(env, "XDG_CACHE_HOME") {
        add(below(cache, &[b"pexboot"]), Kind::Cache);
    } else if let Some(home) = absolute(env, "HOME") {
        add(below(home, &[b".cache", b"pexboot"]), Kind::Cache);
    }
    let private = [b"pexboot-", decimal(euid).as_slice()].concat();
    add(below(b"/var/tmp", &[&private]), Kind::Fallback);
    if let Some(runtime) = absolute(env, "XDG_RUNTIME_DIR") {
        add(below(runtime, &[b"pexboot"]), Kind::Fallback);
    }
    let tmp = absolute(env, "TMPDIR").unwrap_or(b"/tmp");
    add(below(tmp, &[&private]), Kind::Fallback);
    list
}

/// The root that environment or PEX-INFO name: `PEX_ROOT`, unless it is empty or `PEX_DISABLE_VARIABLES` is true, else
/// `pex_root`; empty when none is named.
#[must_use]
pub fn named<'e>(env: impl Fn(&str) -> Option<&'e [u8]>, pex_root: &'e [u8]) -> &'e [u8] {
    if env("PEX_DISABLE_VARIABLES").and_then(boolean) == Some(true) {
        return pex_root;
    }
    match env("PEX_ROOT") {
        Some(root) if !root.is_empty() => root,
        _ => pex_root,
    }
}

/// Where a directory for one start may be made when no root can be used: the usual places, and those that are better than
/// none. They are the ones that Python's `tempfile` knows, and `/dev/shm`, which is small and may be all that a read-only
/// container has.
#[must_use]
pub fn temporary<'e>(
    env: impl Fn(&str) -> Option<&'e [u8]>,
    cwd: Option<Vec<u8>>,
) -> [Vec<Vec<u8>>; 2] {
    let usual = absolute(&env, "TMPDIR").into_iter();
    let usual = usual.chain([b"/tmp".as_slice(), b"/var/tmp"]);
    let last = [b"/dev/shm".to_vec()].into_iter().chain(cwd);
    [usual.map(<[u8]>::to_vec).collect(), last.collect()]
}

/// A path with a leading `~` replaced by `home`, as Python's `os.path.expanduser` does it, where HOME is set at all.
/// Without it, and with the name of a user behind the `~`, a path stays as it is: looking those up would take the
/// system's user database.
#[must_use]
pub fn expand(path: &[u8], home: Option<&[u8]>) -> Vec<u8> {
    let (Some(rest), Some(mut home)) = (path.strip_prefix(b"~"), home) else {
        return path.to_vec();
    };
    if rest.first().is_some_and(|&b| b != b'/') {
        return path.to_vec();
    }
    while let Some(shorter) = home.strip_suffix(b"/") {
        home = shorter;
    }
    if home.is_empty() && rest.is_empty() {
        return b"/".to_vec();
    }
    [home, rest].concat()
}

/// A boolean as pex reads one: `0`, `1`, `true`, `false` in any case; nothing else, not even an empty text.
#[must_use]
pub fn boolean(text: &[u8]) -> Option<bool> {
    if text == b"1" || text.eq_ignore_ascii_case(b"true") {
        Some(true)
    } else if text == b"0" || text.eq_ignore_ascii_case(b"false") {
        Some(false)
    } else {
        None
    }
}

fn is_absolute(path: &[u8]) -> bool {
    path.first() == Some(&b'/')
}

fn absolute<'e>(env: Env<'_, 'e>, name: &str) -> Option<&'e [u8]> {
    env(name).filter(|path| is_absolute(path))
}

#[cfg(test)]
mod tests;
