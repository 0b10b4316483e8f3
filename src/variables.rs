//! The `PEX_*` settings of a launch: environment, rc files, their grammar and precedence (reference, sections 2.1, 2.2, 3).
//!
//! Reads the environment it is given and nothing else of the process; reports every rc file it looked for. Never warns and
//! never prints: what it passed over it says in its result.

mod grammar;
mod rc;

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
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
    /// `PEX_EXTRA_SYS_PATH` as written: a venv takes its items untouched, and none from an empty text (reference 3.1, 6.7).
    pub extra_sys_path_text: Option<String>,
    /// `PEX_INHERIT_PATH`.
    pub inherit_path: Option<InheritPath>,
    /// `PEX_PYTHON`; an empty value counts as unset.
    pub python: Option<String>,
    /// `PEX_PYTHON_PATH`.
    pub python_path: Option<Vec<PathBuf>>,
    /// `PEX_MODULE`: set, even when empty.
    pub module: Option<String>,
    /// `PEX_SCRIPT`: set, even when empty.
    pub script: Option<String>,
    /// `PEX_INTERPRETER`; false also for a text that is no boolean, which [`Variables::check`] refuses in zipapp mode and
    /// a venv bears.
    pub interpreter: Option<bool>,
    /// `PEX_INTERPRETER_HISTORY`; false also for a text that is no boolean: only an interactive session asks.
    pub interpreter_history: Option<bool>,
    /// `PEX_INTERPRETER_HISTORY_FILE`, tilde expanded.
    pub interpreter_history_file: Option<PathBuf>,
    /// `PEX_VENV`.
    pub venv: Option<bool>,
    /// `PEX_VENV_BIN_PATH`.
    pub venv_bin_path: Option<BinPath>,
    /// `PEX_TOOLS`.
    pub tools: bool,
    /// `PEX_COVERAGE`, or a `PEX_COVERAGE_FILENAME`.
    pub coverage: bool,
    /// `PEX_PROFILE`, or a `PEX_PROFILE_FILENAME`.
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
    /// The variables whose value came from an rc file and not from the environment.
    pub from_rc: BTreeMap<String, Line>,
    /// rc files that are there but were passed over, because others than the user could have written them.
    pub untrusted_rc: Vec<PathBuf>,
    /// Values that only one mode reads, and refuses.
    pub(crate) deferred: Vec<(Mode, VariableError)>,
}

/// A setting of an rc file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The value as it is written there.
    pub value: OsString,
    /// The file.
    pub file: PathBuf,
    /// Its line in there, from 1.
    pub number: usize,
}

/// The two modes of running (reference, notation).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// On the base interpreter with a rebuilt `sys.path`.
    Zipapp,
    /// On a cached virtual environment.
    Venv,
}

/// A setting that cannot be understood. The text is the one that users of pex know.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("Invalid value for {name}, must be {expected}, got '{value}'")]
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
    /// `pex` is P: absolute, as invoked.
    ///
    /// # Errors
    /// When a value is not of its variable's grammar.
    pub fn read(
        env: &[(OsString, OsString)],
        pex: &Path,
        inputs: &mut Inputs,
    ) -> Result<Variables, VariableError> {
        Variables::read_with(env, &rc::Places::of(env, Some(pex)), inputs)
    }

    fn read_with(
        env: &[(OsString, OsString)],
        places: &rc::Places,
        inputs: &mut Inputs,
    ) -> Result<Variables, VariableError> {
        let home = variable(env, "HOME");
        // Of a name that is there twice the first value counts, as in Python and in every libc.
        let mut from_env = BTreeMap::new();
        for (name, value) in env {
            if let Some(name) = name.to_str().filter(|name| name.starts_with("PEX_")) {
                from_env
                    .entry(name.to_owned())
                    .or_insert_with(|| value.clone());
            }
        }
        let settings = Settings { values: from_env };
        if settings.flag("PEX_DISABLE_VARIABLES")? == Some(true) {
            return Ok(Variables::default());
        }
        if settings.flag("PEX_IGNORE_RCFILES")? == Some(true) {
            settings.note_home(home, inputs);
            return settings.parse(home);
        }

        let rc::Read { values, untrusted } = places.read(inputs);
        let mut settings = settings;
        let mut from_rc = BTreeMap::new();
        for (name, line) in values {
            if name.starts_with("PEX_") && !settings.values.contains_key(&name) {
                settings.values.insert(name.clone(), line.value.clone());
                from_rc.insert(name, line);
            }
        }
        settings.note_home(home, inputs);
        Ok(Variables {
            from_rc,
            untrusted_rc: untrusted,
            ..settings.parse(home)?
        })
    }

    /// The root that environment or rc files name, as it was written there, for a command that is about what is kept:
    /// read without any other setting, beside no PEX or beside `pex`.
    #[must_use]
    pub fn named_root(env: &[(OsString, OsString)], pex: Option<&Path>) -> Option<OsString> {
        let given = |name| variable(env, name);
        let is_true = |name| {
            given(name)
                .and_then(OsStr::to_str)
                .and_then(grammar::boolean)
                == Some(true)
        };
        if is_true("PEX_DISABLE_VARIABLES") {
            return None;
        }
        let root = match given("PEX_ROOT") {
            Some(root) => Some(root.to_owned()),
            None if is_true("PEX_IGNORE_RCFILES") => None,
            None => {
                let mut read = rc::Places::of(env, pex).read(&mut Inputs::default());
                read.values.remove("PEX_ROOT").map(|line| line.value)
            }
        };
        root.filter(|root| !root.is_empty())
    }

    /// Refuses what the mode that was settled on cannot use. Some variables are read in one mode only, and a bad value is
    /// no obstacle in the other.
    ///
    /// # Errors
    /// The first such value.
    pub fn check(&self, mode: Mode) -> Result<(), VariableError> {
        match self.deferred.iter().find(|(of, _)| *of == mode) {
            Some((_, error)) => Err(error.clone()),
            None => Ok(()),
        }
    }
}

/// The first value of a variable.
fn variable<'e>(env: &'e [(OsString, OsString)], name: &str) -> Option<&'e OsStr> {
    env.iter()
        .find(|(n, _)| n == name)
        .map(|(_, value)| value.as_os_str())
}

/// Names and values, wherever they came from.
struct Settings {
    values: BTreeMap<String, OsString>,
}

impl Settings {
    /// Notes HOME as an input where a value has it in place of a tilde. (Where the root is a launch does not depend on.)
    fn note_home(&self, home: Option<&OsStr>, inputs: &mut Inputs) {
        let tilde = |(name, value): (&String, &OsString)| {
            name != "PEX_ROOT" && value.as_bytes().contains(&b'~')
        };
        if self.values.iter().any(tilde) {
            inputs.variable("HOME", home);
        }
    }

    fn parse(&self, home: Option<&OsStr>) -> Result<Variables, VariableError> {
        let mut deferred = Vec::new();
        let extra_sys_path_text = self.text("PEX_EXTRA_SYS_PATH")?;
        let coverage = self.flag_in(Mode::Zipapp, "PEX_COVERAGE", &mut deferred);
        let profile = self.flag_in(Mode::Zipapp, "PEX_PROFILE", &mut deferred);
        Ok(Variables {
            root: self
                .get("PEX_ROOT")
                .filter(|root| !root.is_empty())
                .map(|root| grammar::expand(root, home).into()),
            path: self
                .get("PEX_PATH")
                .filter(|paths| !paths.is_empty())
                .map_or_else(Vec::new, |paths| grammar::paths(paths, home)),
            extra_sys_path: extra_sys_path_text
                .iter()
                .flat_map(|text| grammar::paths(OsStr::new(text), home))
                .map(|path| path.to_string_lossy().into_owned())
                .collect(),
            extra_sys_path_text,
            inherit_path: self.word(
                "PEX_INHERIT_PATH",
                "one of 'false', 'prefer', 'fallback'",
                InheritPath::from_word,
            )?,
            python: self.text("PEX_PYTHON")?.filter(|python| !python.is_empty()),
            python_path: self
                .get("PEX_PYTHON_PATH")
                .map(|paths| grammar::paths(paths, home)),
            module: self.text("PEX_MODULE")?,
            script: self.text("PEX_SCRIPT")?,
            interpreter: self.flag_in(Mode::Zipapp, "PEX_INTERPRETER", &mut deferred),
            interpreter_history: self.flag("PEX_INTERPRETER_HISTORY").unwrap_or(Some(false)),
            interpreter_history_file: self
                .get("PEX_INTERPRETER_HISTORY_FILE")
                .map(|file| grammar::expand(file, home).into()),
            venv: self.flag("PEX_VENV")?,
            venv_bin_path: self
                .word(
                    "PEX_VENV_BIN_PATH",
                    "one of 'false', 'prepend' or 'append'",
                    BinPath::from_word,
                )
                .unwrap_or_else(|error| {
                    deferred.push((Mode::Venv, error));
                    None
                }),
            tools: self.flag("PEX_TOOLS")?.unwrap_or(false),
            coverage: coverage == Some(true) || self.get("PEX_COVERAGE_FILENAME").is_some(),
            profile: profile == Some(true) || self.get("PEX_PROFILE_FILENAME").is_some(),
            unzip: self.flag("PEX_UNZIP")?.unwrap_or(false),
            ignore_errors: self.flag("PEX_IGNORE_ERRORS")?,
            verbose: self.integer("PEX_VERBOSE", i64::MIN)?.unwrap_or(0),
            emit_warnings: self.flag("PEX_EMIT_WARNINGS")?,
            max_install_jobs: self.integer("PEX_MAX_INSTALL_JOBS", -1)?,
            deferred,
            ..Variables::default()
        })
    }

    fn get(&self, name: &str) -> Option<&OsStr> {
        self.values.get(name).map(OsString::as_os_str)
    }

    fn error(&self, name: &str, expected: &str) -> VariableError {
        let value = self.get(name).unwrap_or_default();
        VariableError {
            name: name.to_owned(),
            value: value.as_bytes().escape_ascii().to_string(),
            expected: expected.to_owned(),
        }
    }

    /// A value that must be text, since it names something in Python.
    fn text(&self, name: &str) -> Result<Option<String>, VariableError> {
        self.get(name)
            .map(|value| {
                let text = value.to_str().ok_or_else(|| self.error(name, "UTF-8"))?;
                Ok(text.to_owned())
            })
            .transpose()
    }

    fn flag(&self, name: &str) -> Result<Option<bool>, VariableError> {
        self.word(name, "0/1/false/true", grammar::boolean)
    }

    /// A boolean that only `mode` insists on; elsewhere what is none counts as false.
    fn flag_in(
        &self,
        mode: Mode,
        name: &str,
        deferred: &mut Vec<(Mode, VariableError)>,
    ) -> Option<bool> {
        self.flag(name).unwrap_or_else(|error| {
            deferred.push((mode, error));
            Some(false)
        })
    }

    fn word<T>(
        &self,
        name: &str,
        expected: &str,
        read: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>, VariableError> {
        self.get(name)
            .map(|value| {
                value
                    .to_str()
                    .and_then(read)
                    .ok_or_else(|| self.error(name, expected))
            })
            .transpose()
    }

    fn integer(&self, name: &str, least: i64) -> Result<Option<i64>, VariableError> {
        let Some(number) = self.word(name, "an integer", grammar::integer)? else {
            return Ok(None);
        };
        if number < least {
            return Err(self.error(name, &format!("{least} or greater")));
        }
        Ok(Some(number))
    }
}

#[cfg(test)]
mod tests;
