//! What a PEX was built to leave out or to take instead: `excluded` and `overridden` (reference 5.4).

use std::collections::BTreeMap;

use super::ResolveError;
use super::messages;
use crate::interpreter::Record;
use crate::packaging::names::normalise;
use crate::packaging::range;
use crate::packaging::requirement::{self, Requirement};
use crate::pex_info::PexInfo;

/// Exclusions and overrides, understood.
#[derive(Debug, Default)]
pub(super) struct Configuration {
    excluded: Vec<Requirement>,
    /// By the normalised name of the project they stand in for.
    overridden: BTreeMap<String, Vec<Requirement>>,
}

impl Configuration {
    /// Reads PEX-INFO's items.
    pub(super) fn read(info: &PexInfo) -> Result<Configuration, ResolveError> {
        let mut configuration = Configuration::default();
        for item in &info.excluded {
            configuration.excluded.push(parse("excluded", item)?);
        }
        for item in &info.overridden {
            let (project, requirement) = replacement(item)?;
            let overrides = configuration.overridden.entry(project).or_default();
            if !overrides.contains(&requirement) {
                overrides.push(requirement);
            }
        }
        Ok(configuration)
    }

    /// Whether all that the requirement allows is left out.
    pub(super) fn excludes(&self, requirement: &Requirement) -> bool {
        self.excluded.iter().any(|excluded| {
            excluded.project == requirement.project
                && range::includes(&excluded.specifier, &requirement.specifier)
        })
    }

    /// What stands in for a transitive requirement on this interpreter, marker and all.
    pub(super) fn replacement(
        &self,
        requirement: &Requirement,
        interpreter: &Record,
    ) -> Result<Option<&Requirement>, ResolveError> {
        let mut applicable = Vec::new();
        for candidate in self
            .overridden
            .get(&requirement.project)
            .into_iter()
            .flatten()
        {
            if super::applies(candidate, interpreter, [].into_iter())? {
                applicable.push(candidate);
            }
        }
        match applicable.as_slice() {
            [] => Ok(None),
            [only] => Ok(Some(only)),
            several => Err(ResolveError::Bad {
                message: messages::ambiguous_override(requirement, several, interpreter),
            }),
        }
    }
}

fn parse(key: &str, item: &str) -> Result<Requirement, ResolveError> {
    Requirement::parse(item).map_err(|error| ResolveError::bad_info(key, &error.to_string()))
}

/// An override: `requirement`, for its own project, or `old=requirement`, for another.
fn replacement(item: &str) -> Result<(String, Requirement), ResolveError> {
    let other = requirement::identifier(item).and_then(|(project, rest)| {
        let instead = rest.trim_start().strip_prefix('=')?.trim_start();
        let begins = instead.starts_with(|c: char| c.is_ascii_alphanumeric());
        begins.then(|| (normalise(project), instead))
    });
    match other {
        Some((project, instead)) => Ok((project, parse("overridden", instead)?)),
        None => {
            let requirement = parse("overridden", item)?;
            Ok((requirement.project.clone(), requirement))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overrides_name_their_project_or_are_it() {
        #[track_caller]
        fn check(item: &str, project: &str, requirement: &str) {
            let (found, instead) = replacement(item).unwrap();
            assert_eq!(
                (found.as_str(), instead.to_string().as_str()),
                (project, requirement)
            );
        }
        check("Dd>=1", "dd", "Dd>=1");
        check("dd==1.0", "dd", "dd==1.0");
        check("dd === 1.0", "dd", "dd===1.0");
        check(
            "Old.name=new>=2; os_name == 'posix'",
            "old-name",
            "new>=2; os_name == \"posix\"",
        );
        check("old = new", "old", "new");
        assert!(replacement("old = >1").is_err());
    }
}
