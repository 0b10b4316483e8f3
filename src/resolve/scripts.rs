//! Which wheel a script is from: console and GUI scripts of the selected wheels (reference 6.2).
//!
//! Scripts that are files of a wheel (`.data/scripts`) are not looked up here.

use super::Selected;
use crate::interpreter::Cause;
use crate::packaging::entry_points::{EntryPoint, Scripts};
use crate::packaging::names;
use crate::shown::line;

/// Gives a wheel's entry_points.txt by the wheel's file name; `None` where it has none.
pub type Read<'a> = &'a mut dyn FnMut(&str) -> Result<Option<Vec<u8>>, Cause>;

/// Why a script could not be looked up.
#[derive(Debug, thiserror::Error)]
pub enum ScriptError {
    /// Several projects have it.
    #[error(
        "Ambiguous script specification {script} matches multiple entry points:{}",
        list(matches)
    )]
    Ambiguous {
        /// The script.
        script: String,
        /// Entry points and the projects they are from.
        matches: Vec<(EntryPoint, String)>,
    },
    /// A wheel's entry_points.txt cannot be read.
    #[error("`{}`: {}", line(wheel), line(source))]
    Read {
        /// The wheel.
        wheel: String,
        /// Why.
        source: Cause,
    },
}

fn list(matches: &[(EntryPoint, String)]) -> String {
    let lines = matches
        .iter()
        .map(|(entry_point, project)| format!("\n\t{entry_point} from {project}"));
    lines.collect()
}

/// Finds a script among the selected wheels: console scripts before GUI scripts within each.
/// Two projects that both have it are refused.
///
/// # Errors
/// When the script is ambiguous, or an entry_points.txt cannot be read.
pub fn script(
    name: &str,
    selected: &[Selected],
    entry_points: Read<'_>,
) -> Result<Option<EntryPoint>, ScriptError> {
    let mut matches: Vec<(EntryPoint, String)> = Vec::new();
    for Selected { name: wheel, .. } in selected {
        let failed = |source| ScriptError::Read {
            wheel: wheel.clone(),
            source,
        };
        let text = entry_points(wheel).map_err(failed)?.unwrap_or_default();
        let scripts = Scripts::parse(&text).map_err(|error| failed(error.into()))?;
        let Some(found) = scripts.find(name).cloned() else {
            continue;
        };
        // Of two versions of one project the later one's counts, in the earlier one's place.
        let project = names::project(wheel);
        match matches.iter_mut().find(|(_, known)| *known == project) {
            Some((entry_point, _)) => *entry_point = found,
            None => matches.push((found, project)),
        }
    }
    if matches.len() > 1 {
        let script = name.to_owned();
        return Err(ScriptError::Ambiguous { script, matches });
    }
    Ok(matches.pop().map(|(entry_point, _)| entry_point))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lookup(files: &[(&str, Option<&str>)]) -> Result<Option<String>, ScriptError> {
        let selected: Vec<_> = files
            .iter()
            .map(|(name, _)| Selected {
                name: (*name).to_owned(),
                fingerprint: String::new(),
            })
            .collect();
        let mut read = |wheel: &str| {
            let file = files.iter().find(|(name, _)| *name == wheel);
            Ok(file.and_then(|(_, text)| text.map(|text| text.as_bytes().to_vec())))
        };
        script("run", &selected, &mut read).map(|found| found.map(|found| found.to_string()))
    }

    const A: (&str, Option<&str>) = (
        "a-1-py3-none-any.whl",
        Some("[console_scripts]\nrun = a:f\n"),
    );
    const A2: (&str, Option<&str>) = (
        "A-2-py3-none-any.whl",
        Some("[console_scripts]\nrun = a:g\n"),
    );
    const B: (&str, Option<&str>) = ("b-1-py3-none-any.whl", Some("[gui_scripts]\nrun = b\n"));
    const NONE: (&str, Option<&str>) = ("c-1-py3-none-any.whl", None);

    #[test]
    fn scripts_of_several_wheels() {
        #[track_caller]
        fn check(files: &[(&str, Option<&str>)], expected: Option<&str>) {
            assert_eq!(lookup(files).unwrap().as_deref(), expected);
        }
        check(&[NONE, A], Some("a:f"));
        check(&[NONE], None);
        check(&[A, A2], Some("a:g"));
        check(&[B], Some("b"));
    }

    #[test]
    fn a_script_of_two_projects_is_ambiguous() {
        assert_eq!(
            lookup(&[A, B]).unwrap_err().to_string(),
            "Ambiguous script specification run matches multiple entry points:\n\ta:f from a\n\tb from b"
        );
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let selected = [Selected {
            name: "a.whl".into(),
            fingerprint: String::new(),
        }];
        let error = script("run", &selected, &mut |_| Err("gone".into())).unwrap_err();
        assert_eq!(error.to_string(), "`a.whl`: gone");
        let damaged = ("c-1-py3-none-any.whl", Some("[other]\nbroken\n"));
        assert_eq!(
            lookup(&[A, damaged]).unwrap_err().to_string(),
            "`c-1-py3-none-any.whl`: entry_points.txt has `broken`, which is no entry point of a group"
        );
    }
}
