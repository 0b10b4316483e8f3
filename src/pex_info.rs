//! PEX-INFO: the JSON object that says what a PEX is (reference, section 2).
//!
//! Reads every key with its default; keeps what it does not know out of the way. Never looks at the environment.

use serde_json::{Map, Value};

/// How the host's `sys.path` takes part (reference 6.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum InheritPath {
    /// Not at all.
    #[default]
    False,
    /// Before the PEX's dependencies.
    Prefer,
    /// After everything of the PEX.
    Fallback,
}

/// Whether and where a venv's `bin` goes on `PATH` (reference 7.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BinPath {
    /// Nowhere.
    #[default]
    False,
    /// In front.
    Prepend,
    /// Behind.
    Append,
}

/// Which of several fitting interpreters is taken (reference 4.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SelectionStrategy {
    /// The lowest X.Y.
    #[default]
    Oldest,
    /// The highest X.Y.
    Newest,
}

/// PEX-INFO as stored, every key with its default.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PexInfo {
    /// `pex_version` of `build_properties`, where written.
    pub pex_version: Option<String>,
    /// `pex_hash`.
    pub pex_hash: Option<String>,
    /// `code_hash`.
    pub code_hash: Option<String>,
    /// `bootstrap_hash`.
    pub bootstrap_hash: Option<String>,
    /// `distributions`: wheel name → fingerprint, in stored order.
    pub distributions: Vec<(String, String)>,
    /// `requirements`, in stored order; legacy list items are reduced to their first element.
    pub requirements: Vec<String>,
    /// `deps_are_wheel_files`.
    pub deps_are_wheel_files: bool,
    /// `interpreter_constraints`.
    pub interpreter_constraints: Vec<String>,
    /// `interpreter_selection_strategy`.
    pub interpreter_selection_strategy: SelectionStrategy,
    /// `entry_point`; empty counts as absent.
    pub entry_point: Option<String>,
    /// `script`; empty counts as absent.
    pub script: Option<String>,
    /// `inherit_path`.
    pub inherit_path: InheritPath,
    /// `ignore_errors`.
    pub ignore_errors: bool,
    /// `strip_pex_env`, true by default.
    pub strip_pex_env: bool,
    /// `emit_warnings`, true by default.
    pub emit_warnings: bool,
    /// `excluded`.
    pub excluded: Vec<String>,
    /// `overridden`.
    pub overridden: Vec<String>,
    /// `inject_args`.
    pub inject_args: Vec<String>,
    /// `inject_env`, in stored order.
    pub inject_env: Vec<(String, String)>,
    /// `inject_python_args`.
    pub inject_python_args: Vec<String>,
    /// `bind_resource_paths`, in stored order.
    pub bind_resource_paths: Vec<(String, String)>,
    /// `pex_paths`, or the legacy `pex_path` split at colons.
    pub pex_paths: Vec<String>,
    /// `pex_root`.
    pub pex_root: Option<String>,
    /// `venv`.
    pub venv: bool,
    /// `venv_bin_path`.
    pub venv_bin_path: BinPath,
    /// `venv_copies`.
    pub venv_copies: bool,
    /// `venv_site_packages_copies`.
    pub venv_site_packages_copies: bool,
    /// `venv_system_site_packages`.
    pub venv_system_site_packages: bool,
    /// `venv_hermetic_scripts`, true by default.
    pub venv_hermetic_scripts: bool,
    /// `includes_tools`; defaults to `venv`.
    pub includes_tools: bool,
    /// The object as it stands, for display.
    pub raw: Map<String, Value>,
}

/// Why PEX-INFO could not be read.
#[derive(Debug, thiserror::Error)]
pub enum PexInfoError {
    /// Not JSON.
    #[error("PEX-INFO is not JSON: {0}; build the PEX anew")]
    Json(#[from] serde_json::Error),
    /// JSON, but not an object.
    #[error("PEX-INFO is not a JSON object but {found}; build the PEX anew")]
    NotAnObject {
        /// What it is.
        found: &'static str,
    },
    /// A key with a value of the wrong kind.
    #[error("PEX-INFO's `{key}` is `{value}`, must be {expected}; build the PEX anew")]
    Key {
        /// The key.
        key: &'static str,
        /// Its value.
        value: String,
        /// What it must be.
        expected: &'static str,
    },
}

impl PexInfo {
    /// Reads PEX-INFO's bytes.
    ///
    /// # Errors
    /// When they are not a JSON object, or a key has a value of the wrong kind.
    pub fn parse(bytes: &[u8]) -> Result<PexInfo, PexInfoError> {
        let _ = bytes;
        todo!()
    }
}
