//! The key of a launch: everything that selects a launch by its value.

use crate::seal::Seal;

/// Environment variables that select a launch, by value. `PYTHONPATH` joins by presence alone.
pub const SELECTING: &[&str] = &[
    "HOME",
    "XDG_CACHE_HOME",
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
    "PEX_ROOT",
    "PEX_SCRIPT",
    "PEX_TOOLS",
    "PEX_UNZIP",
    "PEX_VENV",
    "PEX_VENV_BIN_PATH",
    "PEX_VERBOSE",
    "PEXBOOT_HOST_SITE",
    "PEXBOOT_SEEDS",
    "PYENV_ROOT",
    "PYENV_VERSION",
    "_PEXBOOT_CURRENT",
];

/// What a key is made of besides the environment.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The seal of the file; the default one for a bare PEX.
    pub seal: &'a Seal,
    /// The application's name: the last component of P.
    pub name: &'a [u8],
    /// P's inode number, so that copies of a file do not evict each other; 0 where a seed is asked.
    pub ino: u64,
}

/// SHA-256 over the format version, the subject and every selecting variable that `env` has.
///
/// `env` gives a variable's value, `None` where it is not set.
#[must_use]
pub fn key<'e>(subject: Subject<'_>, env: impl Fn(&str) -> Option<&'e [u8]>) -> [u8; 32] {
    let _ = (subject, &env);
    todo!()
}
