//! What will surprise whoever embeds a PEX, said when it is embedded.

use std::collections::BTreeMap;

use crate::packaging::names::{WheelName, normalise};
use crate::pex::Pex;

/// The warnings, without the name of the file.
pub fn surprises(pex: &Pex) -> Vec<String> {
    let mut found = Vec::new();
    let arch = std::env::consts::ARCH;
    let foreign = foreign(pex, arch);
    if !foreign.is_empty() {
        found.push(format!(
            "has no wheel of {} for Linux on {arch}, which its native start is for: it will start on no such machine",
            foreign.join(", ")
        ));
    }
    if pex.has_preamble() {
        found.push(
            "has a preamble, which only its own bootstrap runs: each start is handed over and gains nothing"
                .to_owned(),
        );
    }
    if pex.info.entry_point.is_none() && pex.info.script.is_none() {
        found.push(
            "has no entry point: started it is an interpreter; as a member of PEX_PATH it gains nothing"
                .to_owned(),
        );
    }
    found
}

/// The projects of which no wheel is for this architecture.
fn foreign(pex: &Pex, arch: &str) -> Vec<String> {
    let mut projects: BTreeMap<String, bool> = BTreeMap::new();
    for (name, _) in &pex.info.distributions {
        let Some(wheel) = WheelName::parse(name) else {
            continue;
        };
        let fits = wheel.tags().any(|tag| {
            let platform = tag.rsplit('-').next().unwrap_or_default();
            platform == "any" || platform.contains("linux") && platform.ends_with(arch)
        });
        *projects.entry(normalise(wheel.project)).or_default() |= fits;
    }
    let foreign = projects.into_iter().filter(|(_, fits)| !fits);
    foreign.map(|(project, _)| project).collect()
}
