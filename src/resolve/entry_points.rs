//! Entry points: what `module:attr` means, and the console and GUI scripts of entry_points.txt (reference 6.2).
//!
//! Scripts that are files of a wheel (`.data/scripts`) are not looked up here.

use std::fmt;

use super::Selected;
use crate::interpreter::Cause;
use crate::packaging::names::normalise;
use crate::shown::line;
use crate::variables::Mode;

/// What an entry point names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryPoint {
    /// The module.
    pub module: String,
    /// The attributes that lead from it to what is called; none when the module itself is run.
    pub attributes: Vec<String>,
}

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

impl EntryPoint {
    /// Reads `module` or `module:attr.attr`; extras in brackets behind it are passed over. `None` when there is no
    /// module, or nothing behind the colon.
    #[must_use]
    pub fn parse(text: &str) -> Option<EntryPoint> {
        let (reference, _) = text.split_once('[').unwrap_or((text, ""));
        let (module, attributes) = match reference.split_once(':') {
            Some((module, attributes)) => (module.trim(), Some(attributes.trim())),
            None => (reference.trim(), None),
        };
        if module.is_empty() || attributes == Some("") {
            return None;
        }
        Some(EntryPoint {
            module: module.to_owned(),
            attributes: attributes
                .into_iter()
                .flat_map(|attributes| attributes.split('.'))
                .map(str::to_owned)
                .collect(),
        })
    }
}

impl fmt::Display for EntryPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.module)?;
        if self.attributes.is_empty() {
            return Ok(());
        }
        write!(f, ":{}", self.attributes.join("."))
    }
}

/// Finds a script among the selected wheels: console scripts before GUI scripts within each.
///
/// Two projects that both have it are refused in zipapp mode; in a venv the first one installed has its way.
///
/// # Errors
/// When the script is ambiguous, or an entry_points.txt cannot be read.
pub fn script(
    name: &str,
    mode: Mode,
    selected: &[Selected],
    entry_points: Read<'_>,
) -> Result<Option<EntryPoint>, ScriptError> {
    let mut matches: Vec<(EntryPoint, String)> = Vec::new();
    for Selected { name: wheel, .. } in selected {
        let text = entry_points(wheel).map_err(|source| ScriptError::Read {
            wheel: wheel.clone(),
            source,
        })?;
        let Some(found) = text.and_then(|text| find(name, &String::from_utf8_lossy(&text))) else {
            continue;
        };
        if mode == Mode::Venv {
            return Ok(Some(found));
        }
        // Of two versions of one project the later one's counts, in the earlier one's place.
        let project = normalise(wheel.split('-').next().unwrap_or_default());
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

/// The script in one entry_points.txt, console scripts first.
fn find(script: &str, text: &str) -> Option<EntryPoint> {
    let (mut console, mut gui) = (None, None);
    let mut group = "";
    for line in text.lines().map(str::trim) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(name) = line
            .strip_prefix('[')
            .and_then(|line| line.strip_suffix(']'))
        {
            group = name;
            continue;
        }
        let found = match group {
            "console_scripts" => &mut console,
            "gui_scripts" => &mut gui,
            _ => continue,
        };
        // A line that names another script, or nothing that can be understood, is no obstacle.
        let Some((name, reference)) = line.split_once('=') else {
            continue;
        };
        if name.trim() == script && !reference.contains('=') {
            // Of a name that is there twice the last counts.
            *found = EntryPoint::parse(reference).or(found.take());
        }
    }
    console.or(gui)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references() {
        #[track_caller]
        fn check(text: &str, expected: Option<&str>) {
            let found = EntryPoint::parse(text).map(|found| found.to_string());
            assert_eq!(found.as_deref(), expected, "{text:?}");
        }
        check("m", Some("m"));
        check(" a.b : c.d [x, y]", Some("a.b:c.d"));
        check("m[x]", Some("m"));
        check("", None);
        check(":f", None);
        check("m:", None);
        check("m: [x]", None);
    }

    const TEXT: &str = "\
# a comment
[other]
run = no:no
[console_scripts]
  run = a:one
run=a:main [extra]
Run = a:upper
broken
also broken = a:b = c
[gui_scripts]
run = a:gui
show = a:show
";

    #[test]
    fn scripts_of_one_file() {
        #[track_caller]
        fn check(script: &str, expected: Option<&str>) {
            let found = find(script, TEXT).map(|found| found.to_string());
            assert_eq!(found.as_deref(), expected, "{script}");
        }
        check("run", Some("a:main"));
        check("Run", Some("a:upper"));
        check("show", Some("a:show"));
        check("RUN", None);
        check("broken", None);
        check("also broken", None);
    }

    fn lookup(mode: Mode, files: &[(&str, Option<&str>)]) -> Result<Option<String>, ScriptError> {
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
        script("run", mode, &selected, &mut read).map(|found| found.map(|found| found.to_string()))
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
        fn check(mode: Mode, files: &[(&str, Option<&str>)], expected: Option<&str>) {
            assert_eq!(lookup(mode, files).unwrap().as_deref(), expected);
        }
        check(Mode::Zipapp, &[NONE, A], Some("a:f"));
        check(Mode::Zipapp, &[NONE], None);
        check(Mode::Zipapp, &[A, A2], Some("a:g"));
        check(Mode::Venv, &[A, A2], Some("a:f"));
        check(Mode::Venv, &[B, A], Some("b"));
    }

    #[test]
    fn a_script_of_two_projects_is_ambiguous() {
        assert_eq!(
            lookup(Mode::Zipapp, &[A, B]).unwrap_err().to_string(),
            "Ambiguous script specification run matches multiple entry points:\n\ta:f from a\n\tb from b"
        );
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let selected = [Selected {
            name: "a.whl".into(),
            fingerprint: String::new(),
        }];
        let error = script("run", Mode::Venv, &selected, &mut |_| Err("gone".into())).unwrap_err();
        assert_eq!(error.to_string(), "`a.whl`: gone");
    }
}
