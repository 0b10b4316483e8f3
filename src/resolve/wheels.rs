//! The wheels of a PEX as one interpreter sees them: which it can use, and how well they fit (reference 5.1).
//!
//! A wheel is looked at only when its project is asked for, and METADATA read only of wheels whose tags fit: most of a
//! multi-platform PEX is never touched. Until METADATA says otherwise a wheel's file name says whose it is.

use std::collections::HashMap;
use std::rc::Rc;

use super::ResolveError;
use super::order::first_sorted;
use crate::interpreter::{Cause, Record};
use crate::packaging::metadata::Metadata;
use crate::packaging::names::{WheelName, normalise};
use crate::packaging::requirement::Requirement;
use crate::packaging::specifier::SpecifierSet;

/// Reads a wheel's METADATA by its file name.
pub(super) type Read<'a> = &'a mut dyn FnMut(&str) -> Result<Vec<u8>, Cause>;

/// The wheels of a PEX.
pub(super) struct Wheels<'a> {
    /// File names and fingerprints, in stored order; everywhere else a wheel is its place in here.
    distributions: &'a [(String, String)],
    interpreter: &'a Record,
    ranks: HashMap<&'a str, usize>,
    read: Read<'a>,
    metadata: Vec<Option<Rc<Metadata>>>,
    projects: HashMap<String, Project>,
    /// Whether `projects` goes by METADATA's names.
    by_metadata: bool,
}

/// What there is of one project.
#[derive(Debug, Clone, Default)]
pub(super) struct Project {
    members: Vec<usize>,
    examined: bool,
    /// Wheels that the interpreter can use, in stored order.
    pub(super) usable: Vec<Usable>,
    /// Those it cannot, and why, in stored order.
    pub(super) unusable: Vec<(usize, Unusable)>,
}

/// A wheel that the interpreter can use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Usable {
    pub(super) wheel: usize,
    /// Place of its best tag among the interpreter's: the lower, the better it fits.
    rank: usize,
}

/// Why a wheel cannot be used.
#[derive(Debug, Clone)]
pub(super) enum Unusable {
    /// Its name has no tags.
    Name,
    /// The interpreter supports none of these tags.
    Tags(Vec<String>),
    /// It is for other versions of Python.
    Python(SpecifierSet),
}

impl std::fmt::Display for Unusable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Unusable::Name => f.write_str("has no name of a wheel"),
            // As the name has them: a dozen aliases say no more.
            Unusable::Tags(tags) => {
                let tag = tags.first().map_or("", String::as_str);
                let mut parts = tag.splitn(3, '-');
                let (python, abi) = (parts.next().unwrap_or_default(), parts.next());
                let release = ["cp", "pp", "py"].iter().zip(["CPython", "PyPy", "Python"]);
                let mut release = release.filter_map(|(prefix, name)| {
                    let digits = python.strip_prefix(prefix)?;
                    let (major, minor) = digits.split_at_checked(1)?;
                    let dot = if minor.is_empty() { "" } else { "." };
                    Some(format!("{name} {major}{dot}{minor}"))
                });
                let python = release.next().unwrap_or_else(|| python.to_owned());
                let later = if abi == Some("abi3") { " or later" } else { "" };
                let platform = parts.next().unwrap_or_default();
                write!(f, "is for {python}{later} on {platform}")
            }
            Unusable::Python(specifier) => write!(f, "is for Python {specifier}"),
        }
    }
}

impl<'a> Wheels<'a> {
    pub(super) fn new(
        distributions: &'a [(String, String)],
        interpreter: &'a Record,
        read: Read<'a>,
    ) -> Result<Wheels<'a>, ResolveError> {
        let mut ranks = HashMap::with_capacity(interpreter.tags.len());
        for (index, tag) in interpreter.tags.iter().enumerate() {
            // 0 is better than any tag: see `rank`.
            ranks.entry(tag.as_str()).or_insert(index + 1);
        }
        let mut wheels = Wheels {
            distributions,
            interpreter,
            ranks,
            read,
            metadata: vec![None; distributions.len()],
            projects: HashMap::with_capacity(distributions.len()),
            by_metadata: false,
        };
        for (wheel, (name, _)) in distributions.iter().enumerate() {
            let project = match WheelName::parse(name) {
                Some(name) => normalise(name.project),
                None => normalise(&wheels.metadata(wheel)?.name),
            };
            wheels
                .projects
                .entry(project)
                .or_default()
                .members
                .push(wheel);
        }
        Ok(wheels)
    }

    /// The wheel's file name.
    pub(super) fn name(&self, wheel: usize) -> &'a str {
        &self.distributions[wheel].0
    }

    /// The wheel's promised fingerprint.
    pub(super) fn fingerprint(&self, wheel: usize) -> &'a str {
        &self.distributions[wheel].1
    }

    /// The wheel's METADATA.
    pub(super) fn metadata(&mut self, wheel: usize) -> Result<Rc<Metadata>, ResolveError> {
        if let Some(metadata) = &self.metadata[wheel] {
            return Ok(Rc::clone(metadata));
        }
        let name = self.name(wheel);
        let bytes = (self.read)(name).map_err(|source| ResolveError::Read {
            wheel: name.to_owned(),
            source,
        })?;
        let metadata = Metadata::parse(&bytes)
            .map_err(|error| ResolveError::bad_wheel(name, &error.to_string()))?;
        let metadata = Rc::new(metadata);
        self.metadata[wheel] = Some(Rc::clone(&metadata));
        Ok(metadata)
    }

    /// What there is of a project, by its normalised name; nothing of one that the PEX does not have.
    pub(super) fn project(&mut self, project: &str) -> Result<&Project, ResolveError> {
        if !self.projects.contains_key(project) {
            self.go_by_metadata();
        }
        if !self.examine_all(project)? {
            // Wheels are named after their project; should one not be, the names of all are looked up.
            self.go_by_metadata();
            self.examine_all(project)?;
        }
        Ok(self.projects.entry(project.to_owned()).or_default())
    }

    /// Examines the wheels of a project, unless that was done; false when one turns out to be another project's.
    fn examine_all(&mut self, project: &str) -> Result<bool, ResolveError> {
        let members = match self.projects.get(project) {
            Some(known) if !known.examined => known.members.clone(),
            _ => return Ok(true),
        };
        let mut examined = Project {
            examined: true,
            ..Project::default()
        };
        for &wheel in &members {
            match self.examine(wheel)? {
                Ok(usable) => examined.usable.push(usable),
                Err(why) => examined.unusable.push((wheel, why)),
            }
            let name = self.metadata[wheel]
                .as_ref()
                .map(|metadata| normalise(&metadata.name));
            if name.is_some_and(|name| name != project) && !self.by_metadata {
                return Ok(false);
            }
        }
        self.projects.insert(
            project.to_owned(),
            Project {
                members,
                ..examined
            },
        );
        Ok(true)
    }

    pub(super) fn examine(
        &mut self,
        wheel: usize,
    ) -> Result<Result<Usable, Unusable>, ResolveError> {
        let rank = match self.rank(wheel) {
            Ok(rank) => rank,
            Err(why) => return Ok(Err(why)),
        };
        // What is no wheel at all was put there by pex itself and fits anything.
        if rank > 0 {
            let metadata = self.metadata(wheel)?;
            let (major, minor, patch) = self.interpreter.version;
            let version = pep440_rs::Version::new([major, minor, patch].map(u64::from));
            if !metadata.requires_python.contains(&version) {
                return Ok(Err(Unusable::Python(metadata.requires_python.clone())));
            }
        }
        Ok(Ok(Usable { wheel, rank }))
    }

    /// How well the wheel's tags fit.
    fn rank(&self, wheel: usize) -> Result<usize, Unusable> {
        let name = self.name(wheel);
        if !name.to_lowercase().ends_with(".whl") {
            return Ok(0);
        }
        let parsed = WheelName::parse(name).ok_or(Unusable::Name)?;
        let best = parsed
            .tags()
            .filter_map(|tag| self.ranks.get(tag.as_str()))
            .min();
        best.copied()
            .ok_or_else(|| Unusable::Tags(parsed.tags().collect()))
    }

    /// Sorts the wheels by the names in their METADATA, once; one that cannot be read stays with its file name.
    fn go_by_metadata(&mut self) {
        if std::mem::replace(&mut self.by_metadata, true) {
            return;
        }
        self.projects.clear();
        for wheel in 0..self.distributions.len() {
            let project = match (self.metadata(wheel), WheelName::parse(self.name(wheel))) {
                (Ok(metadata), _) => normalise(&metadata.name),
                (Err(_), Some(name)) => normalise(name.project),
                (Err(_), None) => continue,
            };
            self.projects
                .entry(project)
                .or_default()
                .members
                .push(wheel);
        }
    }

    /// Whether the wheel's version is one that the requirement asks for.
    pub(super) fn satisfies(
        &mut self,
        wheel: usize,
        requirement: &Requirement,
    ) -> Result<bool, ResolveError> {
        let metadata = self.metadata(wheel)?;
        if let Some(text) = requirement.specifier.arbitrary() {
            return Ok(metadata.version == text);
        }
        match &metadata.parsed_version {
            Some(version) => Ok(requirement.specifier.contains(version)),
            None => Err(ResolveError::bad_wheel(
                self.name(wheel),
                &format!("version `{}` is not one of PEP 440", metadata.version),
            )),
        }
    }

    /// The best of these wheels, each with what it was found for (reference 5.3).
    pub(super) fn best<T: Copy>(&self, candidates: &[(Usable, T)]) -> Option<(Usable, T)> {
        first_sorted(candidates, |(one, _), (two, _)| self.before(one, two))
    }

    /// The original's relation between candidates, which is no order (see `order`).
    fn before(&self, one: Usable, two: Usable) -> bool {
        if one.rank != two.rank || one.wheel == two.wheel {
            return one.rank < two.rank;
        }
        let version = |usable: Usable| {
            let metadata = self.metadata[usable.wheel].as_ref();
            metadata.and_then(|metadata| metadata.parsed_version.as_ref())
        };
        version(one) >= version(two) || self.fingerprint(one.wheel) < self.fingerprint(two.wheel)
    }
}
