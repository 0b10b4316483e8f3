//! Conflicts: one distribution in several versions among the wheels of a launch's members. Each member of PEX_PATH is
//! resolved on its own, so the first on `sys.path` wins unless PEXBOOT_CONFLICTS asks to refuse such a start.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr as _;

use pep440_rs::Version;

use crate::launch::LaunchError;
use crate::packaging::names::{WheelName, normalise};
use crate::pex::Pex;
use crate::resolve::Selected;
use crate::variables::VariableError;

/// The user's own word: `error` refuses.
pub(super) const VARIABLE: &str = "PEXBOOT_CONFLICTS";

/// A distribution that two members bring in different versions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Conflict {
    pub project: String,
    first: (String, PathBuf),
    other: (String, PathBuf),
}

impl fmt::Display for Conflict {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, other) = (&self.first, &self.other);
        write!(
            out,
            "{} in `{}`, {} in `{}`, which comes first",
            other.0,
            other.1.display(),
            first.0,
            first.1.display()
        )
    }
}

/// The conflicts among the wheels of these members, the one that was started first.
pub(super) fn of<'a>(members: impl Iterator<Item = (&'a Pex, &'a [Selected])>) -> Vec<Conflict> {
    let mut known: BTreeMap<String, Vec<(&str, &Path)>> = BTreeMap::new();
    for (pex, selected) in members {
        for Selected { name, .. } in selected {
            if let (Some(parsed), Some(version)) = (WheelName::parse(name), name.split('-').nth(1))
            {
                let versions = known.entry(normalise(parsed.project)).or_default();
                if !versions.iter().any(|(known, _)| is_same(known, version)) {
                    versions.push((version, &pex.path));
                }
            }
        }
    }
    let owned = |(version, path): (&str, &Path)| (version.to_owned(), path.to_owned());
    let mut conflicts = Vec::new();
    for (project, versions) in known {
        for &other in &versions[1..] {
            conflicts.push(Conflict {
                project: project.clone(),
                first: owned(versions[0]),
                other: owned(other),
            });
        }
    }
    conflicts
}

/// Whether two versions are one (PEP 440).
fn is_same(one: &str, other: &str) -> bool {
    let parsed = |text| Version::from_str(text).ok();
    one == other || parsed(one).is_some_and(|version| Some(version) == parsed(other))
}

/// Refuses the conflicts where `asked`, the variable's value, says so.
///
/// # Errors
/// When it does, or says what nobody understands.
pub(super) fn refuse(conflicts: &[Conflict], asked: Option<&OsStr>) -> Result<(), LaunchError> {
    match asked.map(OsStr::as_encoded_bytes) {
        None | Some(b"") => return Ok(()),
        Some(b"error") => {}
        Some(value) => {
            return Err(LaunchError::Variable(VariableError {
                name: VARIABLE.to_owned(),
                value: value.escape_ascii().to_string(),
                expected: "'error' or nothing".to_owned(),
            }));
        }
    }
    let mut text = format!(
        "{VARIABLE}=error refuses this start: members of PEX_PATH or `pex_paths` bring one distribution in several \
         versions"
    );
    for conflict in conflicts {
        text += &format!("\n    {}: {conflict}", conflict.project);
    }
    text += &format!(
        "\nbuild them with one version of each, or unset {VARIABLE} to have the first on sys.path"
    );
    Err(LaunchError::Refused(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_versions() {
        for (one, other, same) in [
            ("1.0", "1.0", true),
            ("1.0", "1.0.0", true),
            ("1.0", "1.1", false),
            ("no version", "no version", true),
            ("no version", "1.0", false),
        ] {
            assert_eq!(is_same(one, other), same, "{one} {other}");
        }
    }

    #[test]
    fn the_variable_refuses_by_one_word() {
        let check = |asked: Option<&str>, expect: &str| {
            let found = refuse(&[], asked.map(OsStr::new)).err();
            let told = found.map(|error| error.to_string()).unwrap_or_default();
            assert!(told.starts_with(expect), "{asked:?} {told}");
            assert_eq!(told.is_empty(), expect.is_empty(), "{asked:?} {told}");
        };
        check(None, "");
        check(Some(""), "");
        check(Some("error"), "PEXBOOT_CONFLICTS=error refuses this start");
        check(Some("1"), "Invalid value for PEXBOOT_CONFLICTS");
    }
}
