//! What will surprise whoever embeds a PEX, said when it is embedded.

use crate::embed::target;
use crate::parts::OWN;
use crate::pex::Pex;

/// The warnings, without the name of the file.
pub fn surprises(pex: &Pex) -> Vec<String> {
    let mut found = Vec::new();
    let arch = std::env::consts::ARCH;
    let foreign = target::lacking(pex, OWN.target);
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
