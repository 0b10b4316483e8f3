//! For which machine a PEX is embedded: what its wheels' tags ask for, and whether it has all that one machine needs.
//!
//! Tags and markers are looked at, no interpreter is asked: one for the other machine need not be here. So what is refused
//! could not start there on any Python; what is let through can still lack a wheel for some Python.

use std::collections::{BTreeMap, BTreeSet};

use super::EmbedError;
use crate::packaging::metadata::Metadata;
use crate::packaging::names::{WheelName, normalise};
use crate::packaging::requirement::Requirement;
use crate::pex::Pex;

/// The machines that there can be heads for.
pub const TARGETS: [&str; 2] = ["x86_64-linux", "aarch64-linux"];

/// The machine that a file's head is for, by the first bytes of the file (ELF's `e_machine`).
pub(super) fn of_head(bytes: &[u8; 20]) -> Option<&'static str> {
    match bytes {
        [0x7f, b'E', b'L', b'F', .., 62, 0] => Some(TARGETS[0]),
        [0x7f, b'E', b'L', b'F', .., 183, 0] => Some(TARGETS[1]),
        _ => None,
    }
}

/// The machines that wheels are tagged for, in the order of [`TARGETS`].
#[must_use]
pub fn asked_for(pex: &Pex) -> Vec<&'static str> {
    let asks = |target: &str| {
        let names = pex.info.distributions.iter().map(|(name, _)| name);
        names
            .filter_map(|name| WheelName::parse(name))
            .any(|name| name.tags().any(|tag| tag.ends_with(&suffix(target))))
    };
    TARGETS.into_iter().filter(|target| asks(target)).collect()
}

/// The wheels of each project, by its normalised name.
fn projects(pex: &Pex) -> BTreeMap<String, Vec<&str>> {
    let mut projects: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for (name, _) in &pex.info.distributions {
        if let Some(wheel) = WheelName::parse(name) {
            let wheels = projects.entry(normalise(wheel.project)).or_default();
            wheels.push(name);
        }
    }
    projects
}

/// The projects of which the PEX has wheels, but none for `target`.
#[must_use]
pub fn lacking(pex: &Pex, target: &str) -> Vec<String> {
    let projects = projects(pex).into_iter();
    let lacking = projects.filter(|(_, wheels)| !wheels.iter().any(|wheel| fits(wheel, target)));
    lacking.map(|(project, _)| project).collect()
}

/// Refuses a PEX that needs a project of which it has wheels, but none for `target`.
///
/// # Errors
/// When there is such a project, or METADATA cannot be read.
pub fn check(pex: &Pex, target: &'static str) -> Result<(), EmbedError> {
    let projects = projects(pex);
    let roots = pex.info.requirements.iter();
    let roots = roots.filter_map(|text| Requirement::parse(text).ok());
    let mut ahead: Vec<String> = roots.filter(is_for_all).map(|r| r.project).collect();
    let mut seen = BTreeSet::new();
    while let Some(project) = ahead.pop() {
        let Some(wheels) = projects.get(&project).filter(|_| seen.insert(project)) else {
            // Excluded, or for none of the systems that the PEX was built for.
            continue;
        };
        let fitting: Vec<&str> = wheels.iter().copied().filter(|w| fits(w, target)).collect();
        if fitting.is_empty() {
            return Err(EmbedError::NoWheel {
                path: pex.path.clone(),
                target,
                wheels: wheels.iter().map(ToString::to_string).collect(),
            });
        }
        for wheel in fitting {
            // What cannot be understood is the start's to refuse.
            let Ok(metadata) = Metadata::parse(&pex.metadata(wheel)?) else {
                continue;
            };
            let requires = metadata.requires_dist().unwrap_or_default();
            ahead.extend(requires.into_iter().filter(is_for_all).map(|r| r.project));
        }
    }
    Ok(())
}

/// Whether no marker makes the requirement a matter of the machine.
fn is_for_all(requirement: &Requirement) -> bool {
    let marker = requirement.marker.as_ref().map(ToString::to_string);
    marker.is_none_or(|marker| !marker.contains("platform_") && !marker.contains("sys_platform"))
}

/// Whether a wheel can be for the machine: not where its tags name others alone.
fn fits(wheel: &str, target: &str) -> bool {
    let fits = |tag: &str| {
        let platform = tag.rsplit('-').next().unwrap_or_default();
        let is_linux = ["linux_", "manylinux", "musllinux_"]
            .iter()
            .any(|kind| platform.starts_with(kind));
        platform == "any" || is_linux && platform.ends_with(&suffix(target))
    };
    WheelName::parse(wheel).is_none_or(|name| name.tags().any(|tag| fits(&tag)))
}

/// How platform tags for the machine end.
fn suffix(target: &str) -> String {
    format!("_{}", target.trim_end_matches("-linux"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wheel_fits_the_machines_of_its_tags() {
        #[track_caller]
        fn check(wheel: &str, expected: [bool; 2]) {
            assert_eq!(TARGETS.map(|target| fits(wheel, target)), expected);
        }
        check("a-1-py3-none-any.whl", [true, true]);
        check(
            "a-1-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
            [true, false],
        );
        check("a-1-cp311-abi3-musllinux_1_2_aarch64.whl", [false, true]);
        check(
            "a-1-py3-none-manylinux1_x86_64.manylinux2014_aarch64.whl",
            [true, true],
        );
        check("a-1-cp311-cp311-linux_i686.whl", [false, false]);
        check("a-1-cp311-cp311-macosx_11_0_x86_64.whl", [false, false]);
        check("no-wheel-name", [true, true]);
    }

    #[test]
    fn a_marker_for_a_machine_asks_no_other() {
        #[track_caller]
        fn check(text: &str, expected: bool) {
            assert_eq!(
                is_for_all(&Requirement::parse(text).unwrap()),
                expected,
                "{text}"
            );
        }
        check("a", true);
        check("a>=1 ; python_version < '3.11'", true);
        check("a ; extra == 'x'", true);
        check("a ; platform_machine == 'x86_64'", false);
        check("a ; extra == 'x' and sys_platform == 'win32'", false);
    }
}
