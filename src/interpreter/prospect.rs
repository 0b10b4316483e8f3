//! What file names tell of the Pythons that a choice will look at, before any of them is asked.
//!
//! A few names are looked up where the choice will look; no directory is read, and nothing becomes an input: what is done
//! by this is work ahead of the choice, never the choice itself. A name may lie, so a prospect is no promise.

use std::path::{Path, PathBuf};

use super::binary::is_executable;
use super::constraint::{Constraints, Implementation};
use super::search::Names;
use super::shims::{self, Shim};
use super::surroundings::Surroundings;
use super::{Request, stand_in};
use crate::plan::Inputs;

/// A series of CPython, as a file name gives it: `python3.11`, `python3.13t`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Series {
    /// The 11 of 3.11.
    pub minor: u32,
    /// Whether it is a free-threaded build.
    pub free_threaded: bool,
}

/// What is to be expected of a choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prospect {
    /// There is a Python of a series that fits.
    Fits,
    /// There are Pythons whose names do not tell.
    Open,
    /// There is none that could fit.
    Hopeless,
}

impl Series {
    /// The series that a Python of this name is of.
    fn of(name: &str) -> Option<Series> {
        let rest = name.strip_prefix("python3.")?;
        let number = rest.strip_suffix('t').unwrap_or(rest);
        Some(Series {
            minor: number.parse().ok()?,
            free_threaded: number.len() < rest.len(),
        })
    }

    /// The name of its Pythons.
    fn name(self) -> String {
        let threads = if self.free_threaded { "t" } else { "" };
        format!("python3.{}{threads}", self.minor)
    }

    /// Whether one of the constraints may allow it.
    fn is_allowed(self, constraints: &Constraints) -> bool {
        let implementation = match (self.free_threaded, self.minor) {
            (true, _) => Implementation::FreeThreaded,
            (false, ..=12) => Implementation::CPython,
            (false, _) => Implementation::Gil,
        };
        constraints.is_empty() || constraints.may_accept(implementation, 3, self.minor)
    }
}

/// Looks whether a Python of a series that `fits` and that the constraints allow is where the choice will look.
#[must_use]
pub fn prospect(request: &Request<'_>, fits: &dyn Fn(Series) -> bool) -> Prospect {
    prospect_in(request, &Surroundings::here(), fits)
}

fn prospect_in(
    request: &Request<'_>,
    surroundings: &Surroundings,
    fits: &dyn Fn(Series) -> bool,
) -> Prospect {
    // The choice refuses what cannot be parsed.
    let Ok(constraints) = Constraints::parse(request.constraints) else {
        return Prospect::Hopeless;
    };
    let fits = |series: Series| fits(series) && series.is_allowed(&constraints);
    let named = request.python.filter(|python| !python.is_empty());
    let absolute = named.map(Path::new).filter(|python| python.is_absolute());
    let mut inputs = Inputs::default();
    let mut prospect = Prospect::Hopeless;
    let mut look = |path: PathBuf| {
        if prospect != Prospect::Fits && is_executable(&path) {
            match series(path, surroundings, &mut inputs) {
                Some(Some(series)) if fits(series) => prospect = Prospect::Fits,
                Some(None) => prospect = Prospect::Open,
                Some(Some(_)) | None => {}
            }
        }
        prospect == Prospect::Fits
    };
    if let Some(python) = absolute {
        look(python.to_owned());
        return prospect;
    }
    let current = match request.current {
        Some(path) => Some(path.to_owned()),
        None => stand_in::find(
            request.started_by,
            &constraints,
            surroundings,
            &mut Inputs::default(),
        ),
    };
    if current.is_some_and(&mut look) {
        return prospect;
    }
    let items = request.python_path.filter(|items| !items.is_empty());
    let (items, names) = match (items, named) {
        (Some(items), _) => (items.to_vec(), usual_names(&fits)),
        (None, Some(name)) => {
            let name = name.rsplit('/').next().unwrap_or(name);
            (surroundings.search_path(), vec![name.to_owned()])
        }
        (None, None) => (surroundings.search_path(), usual_names(&fits)),
    };
    for item in items {
        if Names::Usual.accept(&item) && look(item.clone()) {
            break;
        }
        if names.iter().any(|name| look(item.join(name))) {
            break;
        }
    }
    prospect
}

/// Names worth a look: those of series that fit, and those that tell nothing by themselves.
fn usual_names(fits: &dyn Fn(Series) -> bool) -> Vec<String> {
    let series = stand_in::MINORS.flat_map(|minor| {
        [false, true].map(|free_threaded| Series {
            minor,
            free_threaded,
        })
    });
    let fitting = series.filter(|series| fits(*series)).map(Series::name);
    ["python3", "python"]
        .map(str::to_owned)
        .into_iter()
        .chain(fitting)
        .collect()
}

/// The series of the Python at `path`, by the name of the file that it comes to; `Some(None)` where that does not tell, and
/// `None` for a shim that stands for nothing.
fn series(
    path: PathBuf,
    surroundings: &Surroundings,
    inputs: &mut Inputs,
) -> Option<Option<Series>> {
    let python = match shims::resolve(&path, surroundings, inputs) {
        Shim::No => path,
        Shim::Active(python) => python,
        Shim::Inactive => return None,
    };
    let real = std::fs::canonicalize(&python).unwrap_or(python);
    let name = real.file_name().and_then(|name| name.to_str());
    match name.and_then(Series::of) {
        Some(series) => Some(Some(series)),
        // A PyPy has wheels of its own, and none of those ahead.
        None if name.is_some_and(|name| name.starts_with("pypy")) => None,
        None => Some(None),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::super::record::record_tests::program;
    use super::*;
    use crate::pex::StartedBy;

    #[test]
    fn names_tell_the_series() {
        let check = |name: &str, expected: Option<(u32, bool)>| {
            let found = Series::of(name);
            let found = found.map(|series| (series.minor, series.free_threaded));
            assert_eq!(found, expected, "{name}");
        };
        check("python3.11", Some((11, false)));
        check("python3.13t", Some((13, true)));
        for name in [
            "python3",
            "python",
            "python2.7",
            "python3.",
            "python3.x",
            "pypy3.10",
        ] {
            check(name, None);
        }
    }

    #[test]
    fn what_can_be_told_of_a_path_before_any_python_is_asked() {
        let root = tempfile::tempdir().unwrap();
        let bin = root.path().join("bin");
        std::fs::create_dir(&bin).unwrap();
        let expect = |request: &Request<'_>, minor: u32, expected| {
            let surroundings = Surroundings {
                variables: [("PATH".into(), bin.clone().into_os_string())].into(),
                cwd: root.path().to_owned(),
            };
            let found = prospect_in(request, &surroundings, &|series| {
                series
                    == Series {
                        minor,
                        free_threaded: false,
                    }
            });
            assert_eq!(found, expected, "{request:?} 3.{minor}");
        };
        let plain = Request::default();
        expect(&plain, 11, Prospect::Hopeless);
        program(&bin.join("python3.11"), "#!/bin/sh\n", 0o755);
        symlink("python3.11", bin.join("python3")).unwrap();
        expect(&plain, 11, Prospect::Fits);
        expect(&plain, 12, Prospect::Hopeless);
        let constraints = ["CPython>=3.12".to_owned()];
        let constrained = Request {
            constraints: &constraints,
            ..Request::default()
        };
        expect(&constrained, 11, Prospect::Hopeless);
        let named = |python| Request {
            python: Some(python),
            ..Request::default()
        };
        expect(&named("python3.11"), 11, Prospect::Fits);
        expect(&named("python3.9"), 11, Prospect::Hopeless);
        let items = [bin.join("python3")];
        let listed = Request {
            python_path: Some(&items),
            ..Request::default()
        };
        expect(&listed, 11, Prospect::Fits);
        expect(&listed, 12, Prospect::Hopeless);
        let current = root.path().join("anything");
        program(&current, "#!/bin/sh\n", 0o755);
        let running = Request {
            current: Some(&current),
            ..Request::default()
        };
        expect(&running, 12, Prospect::Open);
        expect(&running, 11, Prospect::Fits);
        let started_by = StartedBy::parse(b"#!/usr/bin/env python3.11\n", &[]);
        let shebang = Request {
            started_by: started_by.as_ref(),
            ..Request::default()
        };
        expect(&shebang, 11, Prospect::Fits);
    }
}
