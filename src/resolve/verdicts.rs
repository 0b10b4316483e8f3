//! Each wheel of a PEX with what became of it, for someone who is to be told.

use std::collections::HashSet;

use super::wheels::Wheels;
use super::{ResolveError, Selected};
use crate::interpreter::{Cause, Record};
use crate::packaging::names::{WheelName, normalise};
use crate::pex_info::PexInfo;

/// What became of a wheel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Its file name.
    pub wheel: String,
    /// The verdict in a word or two.
    pub verdict: &'static str,
    /// Why.
    pub why: String,
}

/// The verdict on each wheel: of those that were `selected`, and of the others. Without a selection, of what fits.
///
/// # Errors
/// When a wheel cannot be read.
pub fn verdicts(
    info: &PexInfo,
    interpreter: &Record,
    selected: Option<&[Selected]>,
    metadata: &mut dyn FnMut(&str) -> Result<Vec<u8>, Cause>,
) -> Result<Vec<Verdict>, ResolveError> {
    let mut wheels = Wheels::new(&info.distributions, interpreter, metadata)?;
    let used: HashSet<&str> = selected
        .unwrap_or_default()
        .iter()
        .map(|wheel| wheel.name.as_str())
        .collect();
    let project = |name: &str| WheelName::parse(name).map(|name| normalise(name.project));
    let mut found = Vec::new();
    for wheel in 0..info.distributions.len() {
        let name = wheels.name(wheel);
        let (verdict, why) = if used.contains(name) {
            ("used", String::new())
        } else {
            let own = project(name);
            let instead = used
                .iter()
                .find(|other| own.is_some() && project(other) == own);
            match (wheels.examine(wheel)?, instead) {
                (Err(why), _) => ("rejected", format!("it {why}")),
                (Ok(_), Some(other)) => ("passed over", format!("`{other}` fits better")),
                (Ok(_), None) if selected.is_none() => ("fits", String::new()),
                (Ok(_), None) => (
                    "not needed",
                    "no requirement that applies here asks for it".to_owned(),
                ),
            }
        };
        found.push(Verdict {
            wheel: name.to_owned(),
            verdict,
            why,
        });
    }
    Ok(found)
}
