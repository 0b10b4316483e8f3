//! What will surprise whoever embeds a PEX, said when it is embedded.

use crate::embed::target;
use crate::pex::Pex;

/// What holds for a head of this target alone, without the name of the file.
pub fn of_target(pex: &Pex, target: &str) -> Option<String> {
    let lacking = target::lacking(pex, target);
    let arch = target.trim_end_matches("-linux");
    (!lacking.is_empty()).then(|| {
        format!(
            "has no wheel of {} for Linux on {arch}, which its native start is for: it will start on no such machine",
            lacking.join(", ")
        )
    })
}

/// What holds for any head, without the name of the file.
pub fn of_any(pex: &Pex) -> Vec<String> {
    let mut found = Vec::new();
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
