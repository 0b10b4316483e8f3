//! The facts of the steps of a launch, in the words that every way of telling them shares.

use std::path::Path;

use crate::interpreter::Candidates;
use crate::launch::conflicts::Conflict;
use crate::launch::fact::{About, Fact};
use crate::launch::{Invocation, Report};
use crate::pex::Pex;
use crate::resolve::{self, ResolveError, Selected};
use crate::store::{Origin, Store};
use crate::variables::Variables;

/// Where a setting comes from.
pub(super) fn source(variables: &Variables, name: &str) -> String {
    match variables.from_rc.get(name) {
        Some(line) => format!("`{}`, line {}", line.file.display(), line.number),
        None => "the environment".to_owned(),
    }
}

/// The settings that count, and the files that do not.
pub(super) fn settings(invocation: &Invocation, variables: &Variables, report: &mut dyn Report) {
    let ours = |name: &str| name.starts_with("PEX_") || name.starts_with("PEXBOOT_");
    for (name, value) in &invocation.env {
        let Some(name) = name.to_str().filter(|name| ours(name)) else {
            continue;
        };
        report.fact(&|| {
            let what = format!("{name}={}", value.to_string_lossy());
            Fact::new(About::Setting, what, "set by the environment")
        });
    }
    for (name, line) in &variables.from_rc {
        report.fact(&|| {
            let what = format!("{name}={}", line.value.to_string_lossy());
            let verdict = format!("set by {}", source(variables, name));
            Fact::new(About::Setting, what, verdict)
        });
    }
    for path in &variables.untrusted_rc {
        report.fact(&|| {
            let why = "others than you and root can write to it, or to a directory above it";
            Fact::new(About::Setting, shown(path), "passed over").because(why)
        });
    }
}

/// The roots, and what came of each.
pub(super) fn roots(store: &Store, named_by: &str, report: &mut dyn Report) {
    for judged in store.judged() {
        report.fact(&|| {
            let place = match judged.kind {
                Origin::Seed => "PEXBOOT_SEEDS names it",
                Origin::Explicit => named_by,
                Origin::Cache => "the user's cache directory",
                Origin::Fallback => "the user's own in a place for temporary files",
            };
            let (verdict, why) = match (&judged.why, judged.kind) {
                (Some(why), _) if judged.read => ("only read", why.as_str()),
                (Some(why), _) => ("passed over", why.as_str()),
                (None, Origin::Seed) => ("only read", place),
                (None, _) => ("taken", place),
            };
            Fact::new(About::Root, shown(&judged.path), verdict).because(why)
        });
    }
}

/// The Pythons that were looked at, and what came of each.
pub(super) fn pythons(judged: &Candidates, variables: &Variables, report: &mut dyn Report) {
    for candidate in &judged.0 {
        report.fact(&|| {
            let what = match &candidate.version {
                Some(version) => format!("{} ({version})", shown(&candidate.python)),
                None => shown(&candidate.python),
            };
            let mut why = candidate.why.lines().collect::<Vec<_>>().join(" ");
            // The longer name first: one begins with the other.
            let named = ["PEX_PYTHON_PATH", "PEX_PYTHON"];
            if let Some(name) = named.iter().find(|name| why.contains(*name)) {
                why += &format!(" ({})", source(variables, name));
            }
            Fact::new(About::Python, what, candidate.verdict.word()).because(why)
        });
    }
}

/// The wheels of each member, and what came of each; versions that conflict.
///
/// # Errors
/// When a wheel cannot be read.
pub(super) fn wheels(
    members: &[(&Pex, &[Selected])],
    conflicts: &[Conflict],
    interpreter: &crate::interpreter::Record,
    report: &mut dyn Report,
) -> Result<(), ResolveError> {
    for (index, (pex, selected)) in members.iter().enumerate() {
        if index > 0 {
            report.fact(&|| Fact::new(About::Member, shown(&pex.path), "added"));
        }
        wheels_of(pex, interpreter, Some(selected), report)?;
    }
    for conflict in conflicts {
        report.fact(&|| {
            let why = conflict.to_string();
            Fact::new(About::Member, &conflict.project, "two versions").because(why)
        });
    }
    Ok(())
}

/// The wheels of one PEX, and what came of each.
///
/// # Errors
/// When a wheel cannot be read.
pub(super) fn wheels_of(
    pex: &Pex,
    interpreter: &crate::interpreter::Record,
    selected: Option<&[Selected]>,
    report: &mut dyn Report,
) -> Result<(), ResolveError> {
    let read = &mut |name: &str| Ok(pex.metadata(name)?);
    for wheel in resolve::verdicts(&pex.info, interpreter, selected, read)? {
        report.fact(&|| Fact::new(About::Wheel, &wheel.wheel, wheel.verdict).because(&wheel.why));
    }
    Ok(())
}

/// A path as it is shown.
pub(super) fn shown(path: &Path) -> String {
    format!("`{}`", path.display())
}
