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
    /// A `null` stands for a false boolean and for an absent string, and for an empty list where the original bears it.
    /// Items that repeat in `requirements`, `excluded` and `overridden` count once, at their first place.
    ///
    /// # Errors
    /// When they are not a JSON object, or a key has a value of the wrong kind.
    pub fn parse(bytes: &[u8]) -> Result<PexInfo, PexInfoError> {
        let raw = match serde_json::from_slice(bytes)? {
            Value::Object(object) => object,
            other => {
                return Err(PexInfoError::NotAnObject {
                    found: kind(&other),
                });
            }
        };
        let keys = Keys(&raw);
        let venv = keys.flag("venv", false)?;
        Ok(PexInfo {
            pex_version: raw
                .get("build_properties")
                .and_then(|properties| properties.get("pex_version"))
                .and_then(Value::as_str)
                .map(str::to_owned),
            pex_hash: keys.text("pex_hash")?,
            code_hash: keys.text("code_hash")?,
            bootstrap_hash: keys.text("bootstrap_hash")?,
            distributions: keys.map("distributions")?,
            requirements: keys.requirements()?,
            deps_are_wheel_files: keys.flag("deps_are_wheel_files", false)?,
            interpreter_constraints: keys.list("interpreter_constraints", Null::Refused)?,
            interpreter_selection_strategy: keys.strategy()?,
            entry_point: keys.text("entry_point")?,
            script: keys.text("script")?,
            inherit_path: keys.inherit_path()?,
            ignore_errors: keys.flag("ignore_errors", false)?,
            strip_pex_env: keys.flag("strip_pex_env", true)?,
            emit_warnings: keys.flag("emit_warnings", true)?,
            excluded: distinct(keys.list("excluded", Null::Empty)?),
            overridden: distinct(keys.list("overridden", Null::Empty)?),
            inject_args: keys.list("inject_args", Null::Refused)?,
            inject_env: keys.map("inject_env")?,
            inject_python_args: keys.list("inject_python_args", Null::Refused)?,
            bind_resource_paths: keys.map("bind_resource_paths")?,
            pex_paths: keys.pex_paths()?,
            pex_root: keys.text("pex_root")?,
            venv,
            venv_bin_path: keys.bin_path()?,
            venv_copies: keys.flag("venv_copies", false)?,
            venv_site_packages_copies: keys.flag("venv_site_packages_copies", false)?,
            venv_system_site_packages: keys.flag("venv_system_site_packages", false)?,
            venv_hermetic_scripts: keys.flag("venv_hermetic_scripts", true)?,
            includes_tools: keys.flag("includes_tools", venv)?,
            raw,
        })
    }
}

impl InheritPath {
    /// What the words of PEX-INFO and of `PEX_INHERIT_PATH` say; they are the same.
    #[must_use]
    pub fn from_word(word: &str) -> Option<InheritPath> {
        match word {
            "false" => Some(InheritPath::False),
            "prefer" => Some(InheritPath::Prefer),
            "fallback" => Some(InheritPath::Fallback),
            _ => None,
        }
    }
}

impl BinPath {
    /// What the words of PEX-INFO and of `PEX_VENV_BIN_PATH` say; they are the same.
    #[must_use]
    pub fn from_word(word: &str) -> Option<BinPath> {
        match word {
            "false" => Some(BinPath::False),
            "prepend" => Some(BinPath::Prepend),
            "append" => Some(BinPath::Append),
            _ => None,
        }
    }
}

/// What a `null` means where a list is expected.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Null {
    /// No items.
    Empty,
    /// The PEX is refused, as by the original.
    Refused,
}

/// The object, read key by key with the expected kind.
struct Keys<'a>(&'a Map<String, Value>);

impl Keys<'_> {
    /// A boolean. Numbers count as in Python; a text does not, since `"false"` would count as true.
    fn flag(&self, key: &'static str, default: bool) -> Result<bool, PexInfoError> {
        match self.0.get(key) {
            None => Ok(default),
            Some(Value::Null) => Ok(false),
            Some(Value::Bool(value)) => Ok(*value),
            Some(Value::Number(number)) => Ok(number.as_f64() != Some(0.0)),
            Some(other) => Err(wrong(key, other, "true or false")),
        }
    }

    /// A string; an empty one counts as absent.
    fn text(&self, key: &'static str) -> Result<Option<String>, PexInfoError> {
        match self.0.get(key) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone()).filter(|text| !text.is_empty())),
            Some(other) => Err(wrong(key, other, "a string")),
        }
    }

    /// A list of strings.
    fn list(&self, key: &'static str, null: Null) -> Result<Vec<String>, PexInfoError> {
        const EXPECTED: &str = "a list of strings";
        match self.0.get(key) {
            None => Ok(Vec::new()),
            Some(Value::Null) if null == Null::Empty => Ok(Vec::new()),
            Some(Value::Array(items)) => items
                .iter()
                .map(|item| {
                    item.as_str()
                        .map(str::to_owned)
                        .ok_or_else(|| wrong(key, item, EXPECTED))
                })
                .collect(),
            Some(other) => Err(wrong(key, other, EXPECTED)),
        }
    }

    /// An object of strings, in stored order.
    fn map(&self, key: &'static str) -> Result<Vec<(String, String)>, PexInfoError> {
        const EXPECTED: &str = "an object of strings";
        match self.0.get(key) {
            None => Ok(Vec::new()),
            Some(Value::Object(object)) => object
                .iter()
                .map(|(name, value)| match value {
                    Value::String(text) => Ok((name.clone(), text.clone())),
                    other => Err(wrong(key, other, EXPECTED)),
                })
                .collect(),
            Some(other) => Err(wrong(key, other, EXPECTED)),
        }
    }

    /// `requirements`: strings, or the lists of three that PEX files before 0.8 had, whose first element counts.
    fn requirements(&self) -> Result<Vec<String>, PexInfoError> {
        const KEY: &str = "requirements";
        const EXPECTED: &str = "a list of requirements";
        let items = match self.0.get(KEY) {
            None => return Ok(Vec::new()),
            Some(Value::Array(items)) => items,
            Some(other) => return Err(wrong(KEY, other, EXPECTED)),
        };
        let requirements = items.iter().map(|item| {
            let text = match item {
                Value::Array(parts) if parts.len() == 3 => parts[0].as_str(),
                other => other.as_str(),
            };
            text.map(str::to_owned)
                .ok_or_else(|| wrong(KEY, item, EXPECTED))
        });
        Ok(distinct(requirements.collect::<Result<_, _>>()?))
    }

    /// `pex_paths`; where it is absent or empty, the older `pex_path`, one string with colons.
    fn pex_paths(&self) -> Result<Vec<String>, PexInfoError> {
        let paths = self.list("pex_paths", Null::Empty)?;
        if !paths.is_empty() {
            return Ok(paths);
        }
        let legacy = self.text("pex_path")?;
        Ok(legacy.map_or_else(Vec::new, |paths| {
            paths.split(':').map(str::to_owned).collect()
        }))
    }

    fn inherit_path(&self) -> Result<InheritPath, PexInfoError> {
        const KEY: &str = "inherit_path";
        match self.0.get(KEY) {
            None | Some(Value::Null | Value::Bool(false)) => Ok(InheritPath::False),
            Some(Value::Bool(true)) => Ok(InheritPath::Prefer),
            Some(Value::String(word)) if word.is_empty() => Ok(InheritPath::False),
            Some(other) => other
                .as_str()
                .and_then(InheritPath::from_word)
                .ok_or_else(|| wrong(KEY, other, "`false`, `prefer`, `fallback` or a boolean")),
        }
    }

    fn strategy(&self) -> Result<SelectionStrategy, PexInfoError> {
        const KEY: &str = "interpreter_selection_strategy";
        match self.0.get(KEY) {
            None | Some(Value::Null) => Ok(SelectionStrategy::Oldest),
            Some(other) => match other.as_str() {
                Some("" | "oldest") => Ok(SelectionStrategy::Oldest),
                Some("newest") => Ok(SelectionStrategy::Newest),
                _ => Err(wrong(KEY, other, "`oldest` or `newest`")),
            },
        }
    }

    fn bin_path(&self) -> Result<BinPath, PexInfoError> {
        const KEY: &str = "venv_bin_path";
        let Some(value) = self.0.get(KEY) else {
            return Ok(BinPath::False);
        };
        value
            .as_str()
            .and_then(BinPath::from_word)
            .ok_or_else(|| wrong(KEY, value, "`false`, `prepend` or `append`"))
    }
}

/// The items without those that came before.
fn distinct(items: Vec<String>) -> Vec<String> {
    let mut seen = std::collections::HashSet::new();
    items
        .into_iter()
        .filter(|item| seen.insert(item.clone()))
        .collect()
}

/// An error about a key, its value shortened to what a terminal line bears.
fn wrong(key: &'static str, value: &Value, expected: &'static str) -> PexInfoError {
    const LONGEST: usize = 120;
    let mut value = value.to_string();
    if value.chars().count() > LONGEST {
        value = value.chars().take(LONGEST).chain("...".chars()).collect();
    }
    PexInfoError::Key {
        key,
        value,
        expected,
    }
}

/// The kind of a JSON value, as a message names it.
fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> PexInfo {
        PexInfo::parse(text.as_bytes()).unwrap()
    }

    #[track_caller]
    fn refused(text: &str, message: &str) {
        let error = PexInfo::parse(text.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(message), "{error}");
    }

    #[test]
    fn an_empty_object_has_every_default() {
        let expected = PexInfo {
            strip_pex_env: true,
            emit_warnings: true,
            venv_hermetic_scripts: true,
            ..PexInfo::default()
        };
        assert_eq!(parse("{}"), expected);
    }

    #[test]
    fn what_is_not_an_object_is_refused() {
        refused("[]", "not a JSON object but a list");
        refused("null", "not a JSON object but null");
        refused("{", "not JSON");
        refused("", "not JSON");
    }

    #[test]
    fn unknown_keys_are_kept_only_as_they_stand() {
        let info = parse(r#"{"later": {"a": [1]}, "zip_safe": "x"}"#);
        assert_eq!(info.raw.len(), 2);
        assert_eq!(
            PexInfo {
                raw: Map::new(),
                ..info
            },
            PexInfo {
                raw: Map::new(),
                ..parse("{}")
            }
        );
    }

    #[test]
    fn distributions_and_environment_keep_the_stored_order() {
        let info =
            parse(r#"{"distributions": {"b": "2", "a": "1"}, "inject_env": {"Z": "1", "A": "2"}}"#);
        assert_eq!(
            info.distributions,
            [("b".into(), "2".into()), ("a".into(), "1".into())]
        );
        assert_eq!(
            info.inject_env,
            [("Z".into(), "1".into()), ("A".into(), "2".into())]
        );
    }

    #[test]
    fn requirements_of_before_0_8_are_lists() {
        let info = parse(r#"{"requirements": ["b", ["a==1", false, null], "b"]}"#);
        assert_eq!(info.requirements, ["b", "a==1"]);
        refused(
            r#"{"requirements": "a"}"#,
            "`requirements` is `\"a\"`, must be a list",
        );
        refused(r#"{"requirements": null}"#, "must be a list");
        refused(r#"{"requirements": [["a", "b"]]}"#, "must be a list");
        refused(r#"{"requirements": [[1, 2, 3]]}"#, "must be a list");
    }

    #[test]
    fn booleans_are_as_python_takes_them_but_never_a_text() {
        #[track_caller]
        fn check(value: &str, expected: bool) {
            let info = parse(&format!(r#"{{"venv": {value}, "strip_pex_env": {value}}}"#));
            assert_eq!(
                (info.venv, info.strip_pex_env),
                (expected, expected),
                "{value}"
            );
        }
        check("true", true);
        check("false", false);
        check("null", false);
        check("1", true);
        check("0", false);
        refused(
            r#"{"venv": "false"}"#,
            "`venv` is `\"false\"`, must be true or false",
        );
    }

    #[test]
    fn tools_follow_venv_unless_written() {
        assert!(parse(r#"{"venv": true}"#).includes_tools);
        assert!(!parse(r#"{"venv": true, "includes_tools": false}"#).includes_tools);
        assert!(parse(r#"{"includes_tools": true}"#).includes_tools);
    }

    #[test]
    fn empty_texts_count_as_absent() {
        let info =
            parse(r#"{"entry_point": "", "script": null, "pex_root": "", "pex_hash": "ab"}"#);
        assert_eq!(
            (info.entry_point, info.script, info.pex_root),
            (None, None, None)
        );
        assert_eq!(info.pex_hash.as_deref(), Some("ab"));
        refused(
            r#"{"entry_point": 3}"#,
            "`entry_point` is `3`, must be a string",
        );
    }

    #[test]
    fn inherit_path_was_once_a_boolean() {
        #[track_caller]
        fn check(value: &str, expected: InheritPath) {
            assert_eq!(
                parse(&format!(r#"{{"inherit_path": {value}}}"#)).inherit_path,
                expected,
                "{value}"
            );
        }
        check("true", InheritPath::Prefer);
        check("false", InheritPath::False);
        check("null", InheritPath::False);
        check("\"\"", InheritPath::False);
        check("\"false\"", InheritPath::False);
        check("\"prefer\"", InheritPath::Prefer);
        check("\"fallback\"", InheritPath::Fallback);
        refused(r#"{"inherit_path": "Prefer"}"#, "`prefer`, `fallback`");
        refused(r#"{"inherit_path": 1}"#, "`inherit_path` is `1`");
    }

    #[test]
    fn words_are_one_of_the_known() {
        let info =
            parse(r#"{"interpreter_selection_strategy": "newest", "venv_bin_path": "append"}"#);
        assert_eq!(
            info.interpreter_selection_strategy,
            SelectionStrategy::Newest
        );
        assert_eq!(info.venv_bin_path, BinPath::Append);
        refused(
            r#"{"interpreter_selection_strategy": "best"}"#,
            "`oldest` or `newest`",
        );
        refused(r#"{"venv_bin_path": null}"#, "`prepend` or `append`");
    }

    #[test]
    fn the_older_pex_path_counts_only_alone() {
        #[track_caller]
        fn check(text: &str, expected: &[&str]) {
            assert_eq!(parse(text).pex_paths, expected, "{text}");
        }
        check(r#"{"pex_path": "a:b"}"#, &["a", "b"]);
        check(r#"{"pex_path": "a:b", "pex_paths": []}"#, &["a", "b"]);
        check(r#"{"pex_path": "a:b", "pex_paths": ["c"]}"#, &["c"]);
        check(r#"{"pex_path": null, "pex_paths": null}"#, &[]);
        check(r#"{"pex_path": ""}"#, &[]);
    }

    #[test]
    fn a_long_value_is_shortened_in_the_message() {
        let error = PexInfo::parse(format!(r#"{{"excluded": "{}"}}"#, "x".repeat(5000)).as_bytes())
            .unwrap_err();
        assert!(error.to_string().len() < 300, "{error}");
    }

    #[test]
    fn the_version_that_built_it_is_found() {
        assert_eq!(
            parse(r#"{"build_properties": {"pex_version": "2.1.24"}}"#)
                .pex_version
                .as_deref(),
            Some("2.1.24")
        );
        assert_eq!(parse(r#"{"build_properties": null}"#).pex_version, None);
    }
}
