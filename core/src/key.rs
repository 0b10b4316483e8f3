//! The key of a launch: everything that selects a launch by its value.

use sha2::{Digest, Sha256};

use crate::seal::Seal;

/// Environment variables that select a launch, by value. `PYTHONPATH` joins by presence alone. Those that only say where
/// the roots are (HOME, `PEX_ROOT`, ...) are left out: a root may have been filled elsewhere, by another user perhaps. What
/// a preparation took from such a value, a tilde say, is an input of the plan.
pub const SELECTING: &[&str] = &[
    "PEX_COVERAGE",
    "PEX_COVERAGE_FILENAME",
    "PEX_DISABLE_VARIABLES",
    "PEX_EMIT_WARNINGS",
    "PEX_EXTRA_SYS_PATH",
    "PEX_IGNORE_ERRORS",
    "PEX_IGNORE_RCFILES",
    "PEX_INHERIT_PATH",
    "PEX_INTERPRETER",
    "PEX_INTERPRETER_HISTORY",
    "PEX_INTERPRETER_HISTORY_FILE",
    "PEX_MAX_INSTALL_JOBS",
    "PEX_MODULE",
    "PEX_PATH",
    "PEX_PROFILE",
    "PEX_PROFILE_FILENAME",
    "PEX_PROFILE_SORT",
    "PEX_PYTHON",
    "PEX_PYTHON_PATH",
    "PEX_SCRIPT",
    "PEX_TOOLS",
    "PEX_UNZIP",
    "PEX_VENV",
    "PEX_VENV_BIN_PATH",
    "PEX_VERBOSE",
    "PEXBOOT_HOST_SITE",
    "PEXBOOT_VENV",
    "PYENV_ROOT",
    "PYENV_VERSION",
    "_PEXBOOT_CURRENT",
];

/// The variable that joins by presence alone.
const PRESENCE: &str = "PYTHONPATH";
/// The beginnings of all these names.
const BEGINNINGS: &[&str] = &["PEX", "PY", "_PEX"];

/// Returns false for an entry of the environment that can't be a variable of the key.
#[must_use]
pub fn may_select(entry: &[u8]) -> bool {
    BEGINNINGS
        .iter()
        .any(|beginning| entry.starts_with(beginning.as_bytes()))
}

/// Format version of keys: another one, another key.
const DOMAIN: &[u8] = b"pexboot launch 2\0";

/// What a key is made of besides the environment.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The seal of the file; the default one for a bare PEX.
    pub seal: &'a Seal,
    /// The application's name: the last component of P.
    pub name: &'a [u8],
}

/// SHA-256 over the format version, the subject and every selecting variable that `env` has.
///
/// `env` gives a variable's value, `None` where it is not set. Copies of a file have one key: which file is meant is for
/// the plan to say.
#[must_use]
pub fn key<'e>(subject: Subject<'_>, env: impl Fn(&str) -> Option<&'e [u8]>) -> [u8; 32] {
    /// Every piece goes in with its length, so that no two lists of pieces give the same bytes.
    fn add(hash: &mut Sha256, piece: &[u8]) {
        hash.update((piece.len() as u64).to_le_bytes());
        hash.update(piece);
    }

    let mut hash = Sha256::new();
    hash.update(DOMAIN);
    add(&mut hash, &subject.seal.written());
    add(&mut hash, subject.name);
    for name in SELECTING {
        if let Some(value) = env(name) {
            add(&mut hash, name.as_bytes());
            add(&mut hash, value);
        }
    }
    if env(PRESENCE).is_some() {
        add(&mut hash, PRESENCE.as_bytes());
    }
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    fn keyed(seal: &Seal, name: &str, env: &[(&str, &str)]) -> [u8; 32] {
        key(
            Subject {
                seal,
                name: name.as_bytes(),
            },
            |wanted| {
                env.iter()
                    .find(|(name, _)| *name == wanted)
                    .map(|(_, value)| value.as_bytes())
            },
        )
    }

    #[test]
    fn everything_that_selects_a_launch_changes_its_key() {
        let seal = Seal::default();
        let other = Seal {
            file_size: 1,
            ..Seal::default()
        };
        let mut keys: Vec<[u8; 32]> = alloc::vec![
            keyed(&seal, "app", &[]),
            keyed(&other, "app", &[]),
            keyed(&seal, "app2", &[]),
            keyed(&seal, "app", &[("PYTHONPATH", "")]),
        ];
        for name in SELECTING {
            keys.push(keyed(&seal, "app", &[(name, "")]));
            keys.push(keyed(&seal, "app", &[(name, "1")]));
        }
        let count = keys.len();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), count);
    }

    #[test]
    fn a_variable_that_selects_a_launch_is_never_left_out() {
        for name in SELECTING.iter().chain([&PRESENCE]) {
            assert!(may_select(name.as_bytes()), "{name}");
        }
        assert!(!may_select(b"PATH=/bin") && !may_select(b""));
    }

    #[test]
    fn what_does_not_select_a_launch_leaves_its_key_alone() {
        let seal = Seal::default();
        let bare = keyed(&seal, "app", &[]);
        assert_eq!(
            bare,
            keyed(&seal, "app", &[("TERM", "dumb"), ("PATH", "/bin")])
        );
        assert_eq!(
            keyed(&seal, "app", &[("PYTHONPATH", "a")]),
            keyed(&seal, "app", &[("PYTHONPATH", "b")]),
            "presence alone counts"
        );
    }

    #[test]
    fn a_root_is_found_from_any_home() {
        let seal = Seal::default();
        let bare = keyed(&seal, "app", &[]);
        for name in ["HOME", "XDG_CACHE_HOME", "PEX_ROOT", "PEXBOOT_SEEDS"] {
            assert_eq!(bare, keyed(&seal, "app", &[(name, "/x")]));
        }
    }

    #[test]
    fn values_do_not_run_into_each_other() {
        let seal = Seal::default();
        assert_ne!(
            keyed(&seal, "app", &[("PEX_MODULE", "a"), ("PEX_PATH", "b")]),
            keyed(&seal, "app", &[("PEX_MODULE", "ab"), ("PEX_PATH", "")])
        );
    }
}
