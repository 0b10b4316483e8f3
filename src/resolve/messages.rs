//! The texts of a failed resolve (reference 10): they say what the original says, so that what was learned from it,
//! and what looks for it, goes on working.

use super::wheels::{Unusable, Wheels};
use crate::interpreter::Record;
use crate::packaging::metadata::Metadata;
use crate::packaging::requirement::Requirement;
use crate::shown::line;

/// A requirement that nothing satisfies, and the wheels that have it.
#[derive(Debug)]
pub(super) struct Unresolved {
    pub(super) requirement: Requirement,
    pub(super) requirers: Vec<usize>,
}

/// There is no usable wheel for the project of a root requirement.
pub(super) fn root(
    project: &str,
    unusable: &[(usize, Unusable)],
    wheels: &mut Wheels<'_>,
    interpreter: &Record,
) -> String {
    let target = line(interpreter.binary.display());
    let project = line(project);
    let mut message = format!("A distribution for {project} could not be resolved for {target}.");
    if unusable.is_empty() {
        return message;
    }
    let (noun, verb) = match unusable.len() {
        1 => ("distribution", "does"),
        _ => ("distributions", "do"),
    };
    message += &format!(
        "\nFound {} {noun} for {project} that {verb} not apply:",
        unusable.len()
    );
    for (index, (wheel, why)) in unusable.iter().enumerate() {
        let reason = reason(&distribution(*wheel, wheels), why, interpreter);
        message += &format!("\n{}.) {reason}", index + 1);
    }
    message
}

fn reason(distribution: &str, why: &Unusable, interpreter: &Record) -> String {
    let target = line(interpreter.binary.display());
    match why {
        Unusable::Name => format!(
            "The filename of {distribution} is not a valid wheel file name that can be parsed for tags."
        ),
        Unusable::Tags(tags) => format!(
            "The wheel tags for {distribution} are {} which do not match the supported tags of {target}:\n{}\n... {} more ...",
            line(tags.join(", ")),
            interpreter.tags.first().map_or("", String::as_str),
            interpreter.tags.len().saturating_sub(1),
        ),
        Unusable::Python(specifier) => {
            let (major, minor, patch) = interpreter.version;
            let specifier = line(specifier);
            format!(
                "The distribution has a python requirement of {specifier} which does not match the python version of \
                 {major}.{minor}.{patch} for {target}."
            )
        }
    }
}

/// The same in one line.
pub(super) fn root_short(
    project: &str,
    unusable: &[(usize, Unusable)],
    wheels: &Wheels<'_>,
) -> String {
    let reasons = unusable.iter();
    let reasons = reasons.map(|(wheel, why)| format!("`{}` {}", wheels.name(*wheel), why));
    match unusable.is_empty() {
        true => line(format!("the PEX has no wheel of {project}")),
        false => line(reasons.collect::<Vec<_>>().join("; ")),
    }
}

/// Requirements that nothing satisfies, in one line.
pub(super) fn unresolved_short(unresolved: &[Unresolved], wheels: &mut Wheels<'_>) -> String {
    let one = |one: &Unresolved| {
        let by = one
            .requirers
            .first()
            .map(|wheel| distribution(*wheel, wheels));
        let by = by.map_or(String::new(), |by| format!(", required by {by}"));
        line(format!("nothing satisfies `{}`{by}", one.requirement))
    };
    unresolved.iter().map(one).collect::<Vec<_>>().join("; ")
}

/// Requirements that nothing satisfies.
pub(super) fn unresolved(
    unresolved: &[Unresolved],
    wheels: &mut Wheels<'_>,
    interpreter: &Record,
    label: &str,
) -> String {
    let tag = interpreter.tags.first().map_or("", String::as_str);
    let label = line(label);
    let mut message = format!(
        "Failed to resolve requirements from PEX environment @ {label}.\n\
         Needed {tag} compatible dependencies for:"
    );
    for (
        index,
        Unresolved {
            requirement,
            requirers,
        },
    ) in unresolved.iter().enumerate()
    {
        message += &format!("\n {}: {}", index + 1, line(requirement));
        if !requirers.is_empty() {
            message += "\n    Required by:";
        }
        for requirer in requirers {
            message += &format!("\n      {}", distribution(*requirer, wheels));
        }
        // What cannot be read was said before: every project in here was looked at.
        let usable: Vec<usize> = wheels
            .project(&requirement.project)
            .map(|project| project.usable.iter().map(|usable| usable.wheel).collect())
            .unwrap_or_default();
        if usable.is_empty() {
            message += &format!(
                "\n    But this pex had no '{}' distributions.",
                line(&requirement.name)
            );
        } else {
            message += "\n    But this pex only contains:";
        }
        for wheel in usable {
            message += &format!("\n      {}", line(wheels.name(wheel)));
        }
    }
    message
}

/// Several overrides of one project apply.
pub(super) fn ambiguous_override(
    requirement: &Requirement,
    overrides: &[&Requirement],
    interpreter: &Record,
) -> String {
    let mut message = format!(
        "Invalid override configuration for target {} interpreter at {}.\n\
         More than one applicable override was found for '{}':",
        interpreter.tags.first().map_or("", String::as_str),
        line(interpreter.binary.display()),
        line(requirement),
    );
    for (index, instead) in overrides.iter().enumerate() {
        message += &format!("\n{}. '{}'", index + 1, line(instead));
    }
    message
}

/// A wheel as `name version`; its file name where METADATA cannot be read.
fn distribution(wheel: usize, wheels: &mut Wheels<'_>) -> String {
    wheels.metadata(wheel).map_or_else(
        |_| line(wheels.name(wheel)),
        |metadata| {
            let Metadata { name, version, .. } = &*metadata;
            format!("{} {}", line(name), line(version))
        },
    )
}
