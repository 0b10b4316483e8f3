//! The targets that no comparison of starts tells: each measured in a way of its own, its raw figures kept in the
//! record. What they are held against is in `tables::targets`.

mod crowd;
mod memory;
mod process;
mod share;
mod shared;
mod unpacking;

use std::error::Error;
use std::path::Path;

use pexboot::internals::bench::{App, Session, Subject};

use crate::apps;
use crate::peers::{Bench, OURS, find};
use crate::record::{Figures, Record};

pub use crowd::COUNT as CROWD;

/// Something to be measured.
pub struct Target {
    /// Its name on the command line and in the record.
    pub id: &'static str,
    /// What it is, for a list.
    pub what: &'static str,
    /// Builds what it needs.
    prepare: fn(&Bench) -> Result<(), Box<dyn Error>>,
    /// Measures it.
    measure: fn(&mut Stage) -> Result<Figures, Box<dyn Error>>,
}

/// All there are.
pub static TARGETS: [Target; 5] = [
    Target {
        id: "share",
        what: "the launcher's own share of a warm start",
        prepare: |bench| {
            share::APPS
                .iter()
                .try_for_each(|name| prepared(bench, name))
        },
        measure: share::measure,
    },
    Target {
        id: "unpacking",
        what: "unpacking all wheels against `cp -r` of the result",
        prepare: |bench| prepared(bench, unpacking::APP),
        measure: unpacking::measure,
    },
    Target {
        id: "shared",
        what: "a second PEX that shares its wheels with the first",
        prepare: |bench| shared::second(bench).map(drop),
        measure: shared::measure,
    },
    Target {
        id: "crowd",
        what: "simultaneous cold starts",
        prepare: |bench| {
            crowd::APPS
                .iter()
                .try_for_each(|name| prepared(bench, name))
        },
        measure: crowd::measure,
    },
    Target {
        id: "memory",
        what: "peak anonymous memory of a cold start of 500 MB",
        prepare: |bench| memory::ballast(bench).map(drop),
        measure: memory::measure,
    },
];

/// What a measurement has.
pub struct Stage<'a> {
    /// What is measured.
    pub bench: &'a Bench,
    /// A directory that goes away afterwards.
    pub scratch: &'a Path,
    /// Environment and caches of runs, below that.
    pub session: Session,
    /// How often to do it.
    pub repetitions: usize,
}

impl Stage<'_> {
    /// An application, embedded.
    pub fn embedded(&self, name: &str) -> Result<Subject, Box<dyn Error>> {
        embedded(self.bench, name)
    }
}

/// The targets of these names, or all.
pub fn chosen(names: &[String]) -> Result<Vec<&'static Target>, Box<dyn Error>> {
    if names.is_empty() {
        return Ok(TARGETS.iter().collect());
    }
    let find = |name: &String| TARGETS.iter().find(|target| target.id == name);
    names
        .iter()
        .map(|name| find(name).ok_or_else(|| crate::unknown("target", name)))
        .collect()
}

/// Builds what they need.
pub fn prepare(bench: &Bench, targets: &[&Target]) -> Result<(), Box<dyn Error>> {
    for target in targets {
        (target.prepare)(bench).map_err(|error| format!("{}: {error}", target.id))?;
        eprintln!("{}: ready", target.id);
    }
    Ok(())
}

/// Measures one and adds it to the record.
pub fn measure(
    target: &Target,
    bench: &Bench,
    cache: &Path,
    repetitions: usize,
    record: &mut Record,
) -> Result<(), Box<dyn Error>> {
    eprintln!("{}", target.what);
    let scratch = tempfile::Builder::new()
        .prefix("scratch-")
        .tempdir_in(cache)?;
    let mut stage = Stage {
        bench,
        scratch: scratch.path(),
        session: Session::new(scratch.path(), bench.workshop.environment()),
        repetitions,
    };
    let figures =
        (target.measure)(&mut stage).map_err(|error| format!("{}: {error}", target.id))?;
    record.targets.insert(target.id.to_owned(), figures);
    scratch.close()?;
    nix::unistd::sync();
    Ok(())
}

/// The application of that name.
fn app(name: &str) -> &'static App {
    match apps::find(name) {
        Some(app) => app,
        None => unreachable!("`{name}` is not in the list"),
    }
}

fn embedded(bench: &Bench, name: &str) -> Result<Subject, Box<dyn Error>> {
    Ok(find(OURS).subject(bench, app(name))?)
}

fn prepared(bench: &Bench, name: &str) -> Result<(), Box<dyn Error>> {
    embedded(bench, name).map(drop)
}

/// Figures by name.
fn figures<const N: usize>(named: [(&str, Vec<f64>); N]) -> Figures {
    named
        .into_iter()
        .map(|(name, samples)| (name.to_owned(), samples))
        .collect()
}
