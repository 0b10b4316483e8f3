//! The `PEX_*` settings of a launch: environment, rc files, their grammar and precedence (reference, sections 2.1, 2.2, 3).

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::pex_info::{BinPath, InheritPath};
use crate::plan::Inputs;

/// Every `PEX_*` setting that can matter to a launch, parsed; `None` where it is not set.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Variables {
    /// `PEX_ROOT`, tilde expanded; an empty value counts as unset.
    pub root: Option<PathBuf>,
    /// `PEX_PATH`.
    pub path: Vec<PathBuf>,
    /// `PEX_EXTRA_SYS_PATH`, each item expanded and normalised.
    pub extra_sys_path: Vec<String>,
    /// `PEX_INHERIT_PATH`.
    pub inherit_path: Option<InheritPath>,
    /// `PEX_PYTHON`.
    pub python: Option<String>,
    /// `PEX_PYTHON_PATH`.
    pub python_path: Option<Vec<PathBuf>>,
    /// `PEX_MODULE`: set, even when empty.
    pub module: Option<String>,
    /// `PEX_SCRIPT`: set, even when empty.
    pub script: Option<String>,
    /// `PEX_INTERPRETER`.
    pub interpreter: Option<bool>,
    /// `PEX_INTERPRETER_HISTORY`.
    pub interpreter_history: Option<bool>,
    /// `PEX_INTERPRETER_HISTORY_FILE`.
    pub interpreter_history_file: Option<PathBuf>,
    /// `PEX_VENV`.
    pub venv: Option<bool>,
    /// `PEX_VENV_BIN_PATH`.
    pub venv_bin_path: Option<BinPath>,
    /// `PEX_TOOLS`.
    pub tools: bool,
    /// `PEX_COVERAGE`.
    pub coverage: bool,
    /// `PEX_PROFILE`.
    pub profile: bool,
    /// `PEX_UNZIP`.
    pub unzip: bool,
    /// `PEX_IGNORE_ERRORS`.
    pub ignore_errors: Option<bool>,
    /// `PEX_VERBOSE`, 0 when unset.
    pub verbose: i64,
    /// `PEX_EMIT_WARNINGS`.
    pub emit_warnings: Option<bool>,
    /// `PEX_MAX_INSTALL_JOBS`.
    pub max_install_jobs: Option<i64>,
}

/// A setting that cannot be understood.
#[derive(Debug, thiserror::Error)]
#[error("{name}={value}: must be {expected}")]
pub struct VariableError {
    /// The variable.
    pub name: String,
    /// Its value.
    pub value: String,
    /// What it must be.
    pub expected: String,
}

impl Variables {
    /// Reads the environment and, unless told otherwise, the rc files beside `pex`, of HOME and of the system; every rc
    /// file looked for becomes an input of the plan. A foreign or writable-by-others rc file is passed over.
    ///
    /// # Errors
    /// When a value is not of its variable's grammar.
    pub fn read(
        env: &[(OsString, OsString)],
        pex: &Path,
        inputs: &mut Inputs,
    ) -> Result<Variables, VariableError> {
        let _ = (env, pex, inputs);
        todo!()
    }
}
