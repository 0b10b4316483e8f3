//! Which wheels are needed, as far as file names tell before an interpreter is chosen.

use std::collections::HashSet;
use std::path::Path;

use super::Selected;
use crate::interpreter::{Prospect, Request, Series, prospect};
use crate::packaging::names::{WheelName, normalise};
use crate::pex_info::PexInfo;

/// The wheels that whatever interpreter is chosen will need, but for those that a marker leaves out. None where that cannot
/// be told, or where none of the Pythons that the choice will look at could use them all.
///
/// A PEX that brings each project once needs all of them or cannot start. So where a Python is of a series that all of its
/// wheels are for, all are certain. Where the names of the Pythons do not tell, those that every Python 3 can use are.
#[must_use]
pub fn certain(info: &PexInfo, request: &Request<'_>) -> Vec<Selected> {
    certain_by(info, request.constraints.is_empty(), &|fits| {
        prospect(request, fits)
    })
}

/// What the machine says of a series that fits.
type Ask<'a> = dyn Fn(&dyn Fn(Series) -> bool) -> Prospect + 'a;

fn certain_by(info: &PexInfo, any_version: bool, ask: &Ask<'_>) -> Vec<Selected> {
    let mut projects = HashSet::new();
    let mut wheels = Vec::new();
    for (name, fingerprint) in &info.distributions {
        let Some(wheel) = WheelName::parse(name) else {
            return Vec::new();
        };
        if !projects.insert(normalise(wheel.project)) {
            return Vec::new();
        }
        let tags: Vec<Tag> = wheel.tags().filter_map(|tag| Tag::ours(&tag)).collect();
        let selected = Selected {
            name: name.clone(),
            fingerprint: fingerprint.clone(),
        };
        wheels.push((tags, selected));
    }
    let is_pure = |tags: &[Tag]| tags.contains(&Tag::Any);
    let fits = |series: Series| {
        let serve = |(tags, _): &(Vec<Tag>, Selected)| tags.iter().any(|tag| tag.fits(series));
        wheels.iter().all(serve)
    };
    let prospect = if any_version && wheels.iter().all(|(tags, _)| is_pure(tags)) {
        Prospect::Open
    } else {
        ask(&fits)
    };
    wheels
        .into_iter()
        .filter(|(tags, _)| match prospect {
            Prospect::Fits => true,
            Prospect::Open => is_pure(tags),
            Prospect::Hopeless => false,
        })
        .map(|(_, selected)| selected)
        .collect()
}

/// Which Pythons of this machine have a tag (PEP 425).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tag {
    /// Every Python 3.
    Any,
    /// CPython from this minor version on, but for free-threaded builds where it is about the stable ABI.
    From(u32, bool),
    /// This one.
    Only(Series),
}

impl Tag {
    /// `None` where no Python 3 of this machine has it.
    fn ours(tag: &str) -> Option<Tag> {
        let mut parts = tag.splitn(3, '-');
        let (python, abi, platform) = (parts.next()?, parts.next()?, parts.next()?);
        if platform != "any" && !is_of_this_machine(platform) {
            return None;
        }
        if let Some(minor) = python.strip_prefix("py3") {
            return match (abi, minor) {
                // One for a platform needs a Python of that, which every one here is.
                ("none", "") => Some(Tag::Any),
                ("none", minor) => Some(Tag::From(minor.parse().ok()?, false)),
                _ => None,
            };
        }
        let minor: u32 = python.strip_prefix("cp3")?.parse().ok()?;
        if abi == "abi3" {
            return Some(Tag::From(minor, true));
        }
        let flags = if abi == "none" {
            ""
        } else {
            abi.strip_prefix(python)?
        };
        Some(Tag::Only(Series {
            minor,
            free_threaded: flags.contains('t'),
        }))
    }

    fn fits(self, series: Series) -> bool {
        match self {
            Tag::Any => true,
            Tag::From(minor, stable) => series.minor >= minor && !(stable && series.free_threaded),
            Tag::Only(only) => series == only,
        }
    }
}

/// Whether a Python of this machine can be of the platform: its architecture, and a C library that is here.
fn is_of_this_machine(platform: &str) -> bool {
    let arch = std::env::consts::ARCH;
    let musl = || Path::new(&format!("/lib/ld-musl-{arch}.so.1")).exists();
    platform.contains("linux")
        && platform.ends_with(arch)
        && (!platform.starts_with("musllinux") || musl())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The names of those that are certain on a machine with these series, and Pythons of unknown ones.
    #[track_caller]
    fn check(names: &[&str], series: &[u32], unknown: bool, expected: &[&str]) {
        let distributions: Vec<String> = (names.iter())
            .map(|name| format!("\"{name}\":\"00\""))
            .collect();
        let text = format!("{{\"distributions\":{{{}}}}}", distributions.join(","));
        let info = PexInfo::parse(text.as_bytes()).unwrap();
        let ask = |fits: &dyn Fn(Series) -> bool| {
            let there = |minor: &u32| {
                fits(Series {
                    minor: *minor,
                    free_threaded: false,
                })
            };
            match (series.iter().any(there), unknown) {
                (true, _) => Prospect::Fits,
                (false, true) => Prospect::Open,
                (false, false) => Prospect::Hopeless,
            }
        };
        let found = certain_by(&info, true, &ask);
        let found: Vec<&str> = found.iter().map(|wheel| wheel.name.as_str()).collect();
        assert_eq!(found, expected, "{names:?} {series:?}");
    }

    #[test]
    fn what_no_python_here_can_use_is_not_certain() {
        let arch = std::env::consts::ARCH;
        let native = format!("b-1-cp312-cp312-manylinux_2_17_{arch}.manylinux2014_{arch}.whl");
        let pure = "a-1-py3-none-any.whl";
        let both = [pure, native.as_str()];
        check(&both, &[11, 12], false, &both);
        // 58 MB were unpacked before the start was refused.
        check(&both, &[11], false, &[]);
        check(&both, &[11], true, &[pure]);
        check(&[pure], &[], false, &[pure]);
        check(&[], &[], false, &[]);
    }

    #[test]
    fn each_project_once_and_for_this_platform() {
        let arch = std::env::consts::ARCH;
        let of = |tags: &str| format!("b-1-{tags}_{arch}.whl");
        let [stable, old, threads, musl] = [
            "cp38-abi3-manylinux_2_17",
            "cp37-cp37m-manylinux1",
            "cp313-cp313t-manylinux_2_17",
            "cp311-cp311-musllinux_1_2",
        ]
        .map(of);
        let native = of("cp311-cp311-manylinux_2_17");
        let other = of("cp312-cp312-manylinux_2_17").replace('b', "B");
        check(&[&native, &other], &[11, 12], true, &[]);
        check(&[&stable], &[11], false, &[&stable]);
        check(&[&stable], &[7], false, &[]);
        check(&[&old], &[7], false, &[&old]);
        check(&[&threads], &[13], false, &[]);
        let here = Path::new(&format!("/lib/ld-musl-{arch}.so.1")).exists();
        let found: &[&str] = if here { &[&musl] } else { &[] };
        check(&[&musl], &[11], false, found);
        for (name, series) in [
            ("a-1-py2.py3-none-any.whl", Some(7)),
            ("a-1-py39-none-any.whl", Some(9)),
            ("a-1-cp311-none-any.whl", Some(11)),
            ("a-1-py2-none-any.whl", None),
            ("a-1-cp311-cp311-macosx_11_0_arm64.whl", None),
            ("no wheel", None),
        ] {
            let found: &[&str] = if series.is_some() { &[name] } else { &[] };
            check(&[name], &[series.unwrap_or(11)], false, found);
            if series != Some(7) {
                check(&[name], &[7], false, &[]);
            }
        }
    }
}
