//! Which wheels of a PEX an interpreter activates (reference, section 5).
//!
//! The answer is the original's to the letter, order included: what `packaging` and the original's own resolve would do
//! decides, also where PEP 440 and PEP 508 leave room. Nothing here opens a file: METADATA is asked for by wheel name.

mod certain;
mod configuration;
pub mod messages;
mod order;
pub mod scripts;
mod verdicts;
mod wheels;

use std::collections::{BTreeSet, HashMap, HashSet};

use self::configuration::Configuration;
use self::messages::Unresolved;
use self::wheels::Wheels;
use crate::interpreter::{Cause, Record, Unfit};
use crate::packaging::requirement::Requirement;
use crate::pex_info::PexInfo;
use crate::shown::line;

pub use certain::certain;
pub use verdicts::verdicts;

/// A wheel that was selected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selected {
    /// Its file name: a key of `distributions`.
    pub name: String,
    /// Its promised fingerprint.
    pub fingerprint: String,
}

impl Selected {
    /// Every wheel of a PEX, whatever any interpreter would activate of them.
    #[cfg(feature = "cli")]
    #[must_use]
    pub fn all(info: &PexInfo) -> Vec<Selected> {
        let wheels = info.distributions.iter();
        wheels
            .map(|(name, fingerprint)| Selected {
                name: name.clone(),
                fingerprint: fingerprint.clone(),
            })
            .collect()
    }
}

/// Why a resolve failed: the text of reference 10, without the candidate interpreters around it.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    /// No usable wheel for a root requirement's project; `ignore_errors` does not help.
    #[error("{message}")]
    Root {
        /// The message.
        message: String,
        /// The same in one line.
        short: String,
    },
    /// Requirements that nothing satisfies.
    #[error("{message}")]
    Unresolved {
        /// The message.
        message: String,
        /// The same in one line.
        short: String,
    },
    /// PEX-INFO or METADATA cannot be understood.
    #[error("{message}")]
    Bad {
        /// The message.
        message: String,
    },
    /// A wheel's METADATA cannot be read.
    #[error("wheel `{}`: {}", line(wheel), line(source))]
    Read {
        /// The wheel.
        wheel: String,
        /// Why.
        source: Cause,
    },
}

impl ResolveError {
    fn bad_info(key: &str, why: &str) -> ResolveError {
        let message = line(format!("PEX-INFO's `{key}`: {why}; build the PEX anew"));
        ResolveError::Bad { message }
    }

    /// The verdict in one line.
    #[must_use]
    pub fn short(&self) -> String {
        match self {
            ResolveError::Root { short, .. } | ResolveError::Unresolved { short, .. } => {
                short.clone()
            }
            error => line(error),
        }
    }

    fn bad_wheel(name: &str, why: &str) -> ResolveError {
        let message = line(format!(
            "wheel `{name}`: {why}; build the PEX without it or with one that is well-formed"
        ));
        ResolveError::Bad { message }
    }
}

impl From<ResolveError> for Unfit {
    fn from(error: ResolveError) -> Unfit {
        match error {
            ResolveError::Read { .. } => Unfit::Unread(error.into()),
            verdict => Unfit::Verdict {
                short: verdict.short(),
                message: verdict.to_string(),
            },
        }
    }
}

/// Selects the wheels of one PEX for one interpreter, in resolve order.
///
/// `metadata` gives a wheel's METADATA; `label` names the PEX in messages.
///
/// # Errors
/// When a requirement cannot be met (reference 5.5), unless `ignore_errors` forgives it.
pub fn resolve(
    info: &PexInfo,
    ignore_errors: bool,
    interpreter: &Record,
    label: &str,
    metadata: &mut dyn FnMut(&str) -> Result<Vec<u8>, Cause>,
) -> Result<Vec<Selected>, ResolveError> {
    let mut roots = Vec::with_capacity(info.requirements.len());
    for requirement in &info.requirements {
        let root = Requirement::parse(requirement);
        roots.push(
            root.map_err(|error| ResolveError::bad_info("requirements", &error.to_string()))?,
        );
    }
    let mut resolve = Resolve {
        interpreter,
        configuration: Configuration::read(info)?,
        wheels: Wheels::new(&info.distributions, interpreter, metadata)?,
        resolved: HashMap::new(),
        selected: Vec::new(),
        missing: HashSet::new(),
        unresolved: Vec::new(),
    };
    resolve.roots(roots)?;

    let Resolve {
        mut wheels,
        selected,
        unresolved,
        ..
    } = resolve;
    if !unresolved.is_empty() && !ignore_errors {
        let message = messages::unresolved(&unresolved, &mut wheels, interpreter, label);
        let short = messages::unresolved_short(&unresolved, &mut wheels);
        return Err(ResolveError::Unresolved { message, short });
    }
    let mut seen = HashSet::new();
    let selected = selected.into_iter().filter(|wheel| seen.insert(*wheel));
    Ok(selected
        .map(|wheel| Selected {
            name: wheels.name(wheel).to_owned(),
            fingerprint: wheels.fingerprint(wheel).to_owned(),
        })
        .collect())
}

/// Whether a requirement's marker holds on the interpreter for any of the extras.
fn applies<'e>(
    requirement: &Requirement,
    interpreter: &Record,
    extras: impl Iterator<Item = &'e str>,
) -> Result<bool, ResolveError> {
    let Some(marker) = &requirement.marker else {
        return Ok(true);
    };
    marker
        .holds(&interpreter.markers, extras)
        .map_err(|error| ResolveError::Bad {
            message: line(format!(
                "marker of requirement `{requirement}`: {error}; build the PEX without it"
            )),
        })
}

/// A resolve under way.
struct Resolve<'a> {
    interpreter: &'a Record,
    configuration: Configuration,
    wheels: Wheels<'a>,
    /// By project, the extras that each request for it was resolved with.
    resolved: HashMap<String, Vec<BTreeSet<String>>>,
    /// The wheels in the order they were resolved; one may be there several times.
    selected: Vec<usize>,
    /// Projects that a wheel has asked for and of which no wheel is usable.
    missing: HashSet<String>,
    unresolved: Vec<Unresolved>,
}

/// What is left to visit of one wheel's requirements.
struct Frame {
    requirer: Option<usize>,
    pending: std::vec::IntoIter<Requirement>,
}

impl Resolve<'_> {
    /// Visits one requirement for each project that the roots name, in the order they first name it.
    fn roots(&mut self, roots: Vec<Requirement>) -> Result<(), ResolveError> {
        let mut groups: Vec<Vec<Requirement>> = Vec::new();
        let mut places: HashMap<String, usize> = HashMap::new();
        for root in roots {
            if self.configuration.excludes(&root)
                || !applies(&root, self.interpreter, [].into_iter())?
            {
                continue;
            }
            let place = *places.entry(root.project.clone()).or_insert(groups.len());
            if place == groups.len() {
                groups.push(Vec::new());
            }
            groups[place].push(root);
        }
        for group in groups {
            if let Some(root) = self.representative(group)? {
                self.visit(root)?;
            }
        }
        Ok(())
    }

    /// Of root requirements for one project the one that its best wheel fits, with the extras of all that some wheel
    /// fits; `None` when none does.
    fn representative(
        &mut self,
        group: Vec<Requirement>,
    ) -> Result<Option<Requirement>, ResolveError> {
        let Some(Requirement { project, .. }) = group.first() else {
            return Ok(None);
        };
        let found = self.wheels.project(project)?;
        let (usable, unusable) = (found.usable.clone(), found.unusable.clone());
        // Once a wheel has asked for a project in vain, the original takes it for one that is there but does not fit.
        if usable.is_empty() && !self.missing.contains(project) {
            let message = messages::root(project, &unusable, &mut self.wheels, self.interpreter);
            let short = messages::root_short(project, &unusable, &self.wheels);
            return Err(ResolveError::Root { message, short });
        }
        let mut candidates = Vec::new();
        let mut extras = BTreeSet::new();
        for (index, root) in group.iter().enumerate() {
            for &candidate in &usable {
                if self.wheels.satisfies(candidate.wheel, root)? {
                    candidates.push((candidate, index));
                    extras.extend(root.extras.iter().cloned());
                }
            }
        }
        let Some((_, best)) = self.wheels.best(&candidates) else {
            for root in group {
                self.not_found(root, None);
            }
            return Ok(None);
        };
        let root = group.into_iter().nth(best);
        Ok(root.map(|root| Requirement { extras, ..root }))
    }

    /// Resolves a requirement and, depth first, what the wheels found for it require.
    fn visit(&mut self, root: Requirement) -> Result<(), ResolveError> {
        let mut stack = vec![Frame {
            requirer: None,
            pending: vec![root].into_iter(),
        }];
        while let Some(frame) = stack.last_mut() {
            let Some(requirement) = frame.pending.next() else {
                stack.pop();
                continue;
            };
            if self.configuration.excludes(&requirement) || self.is_resolved(&requirement) {
                continue;
            }
            let Some(wheel) = self.best(&requirement)? else {
                let requirer = frame.requirer;
                self.not_found(requirement, requirer);
                continue;
            };
            let pending = self.requirements(wheel, &requirement.extras)?.into_iter();
            let resolved = self.resolved.entry(requirement.project).or_default();
            resolved.push(requirement.extras);
            self.selected.push(wheel);
            stack.push(Frame {
                requirer: Some(wheel),
                pending,
            });
        }
        Ok(())
    }

    /// Whether the project was resolved with at least these extras.
    fn is_resolved(&self, requirement: &Requirement) -> bool {
        let resolved = self.resolved.get(&requirement.project);
        resolved
            .into_iter()
            .flatten()
            .any(|extras| requirement.extras.is_subset(extras))
    }

    /// The best usable wheel whose version fits.
    fn best(&mut self, requirement: &Requirement) -> Result<Option<usize>, ResolveError> {
        let usable = self.wheels.project(&requirement.project)?.usable.clone();
        if usable.is_empty() {
            self.missing.insert(requirement.project.clone());
        }
        let mut fitting = Vec::with_capacity(usable.len());
        for candidate in usable {
            if self.wheels.satisfies(candidate.wheel, requirement)? {
                fitting.push((candidate, ()));
            }
        }
        Ok(self.wheels.best(&fitting).map(|(best, ())| best.wheel))
    }

    /// What a wheel with these extras requires here, overrides in place.
    fn requirements(
        &mut self,
        wheel: usize,
        extras: &BTreeSet<String>,
    ) -> Result<Vec<Requirement>, ResolveError> {
        let all = self.wheels.metadata(wheel)?.requires_dist();
        let name = self.wheels.name(wheel);
        let mut required = Vec::new();
        for own in all.map_err(|error| ResolveError::bad_wheel(name, &error.to_string()))? {
            let replacement = self.configuration.replacement(&own, self.interpreter)?;
            let requirement = replacement.cloned().unwrap_or(own);
            if applies(
                &requirement,
                self.interpreter,
                extras.iter().map(String::as_str),
            )? {
                required.push(requirement);
            }
        }
        Ok(required)
    }

    fn not_found(&mut self, requirement: Requirement, requirer: Option<usize>) {
        let known = self
            .unresolved
            .iter()
            .position(|known| known.requirement == requirement);
        let requirers = match known {
            Some(index) => &mut self.unresolved[index].requirers,
            None => {
                self.unresolved.push(Unresolved {
                    requirement,
                    requirers: Vec::new(),
                });
                // Just pushed.
                let last = self.unresolved.len() - 1;
                &mut self.unresolved[last].requirers
            }
        };
        if let Some(requirer) = requirer.filter(|requirer| !requirers.contains(requirer)) {
            requirers.push(requirer);
        }
    }
}

#[cfg(test)]
mod tests;
