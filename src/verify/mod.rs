//! The full check: every CRC of a file and every hash that PEX-INFO promises, computed again; and on request whether what
//! is in the cache is what this file brings, and whole.
//!
//! The wheels are unpacked by the very code that a cold start uses, into a root of their own that goes away again; so what
//! is checked is what would run, and what is compared with the cache is whole trees. Nothing of the PEX is executed, and
//! nothing in the cache is changed.

mod cache;
mod hashes;
mod tree;

use std::path::Path;

use crate::archive::Archive;
use crate::pex::{Pex, WheelSource};
use crate::resolve::Selected;
use crate::store::Store;
use crate::unpack;

/// What was checked, and what is wrong.
#[derive(Debug, Default)]
pub struct Findings {
    /// Members whose CRC-32 was computed.
    pub members: usize,
    /// Wheels whose promise was computed.
    pub wheels: usize,
    /// Hashes of PEX-INFO besides those of wheels that were computed: `pex_hash`, `code_hash`, `bootstrap_hash`.
    pub hashes: usize,
    /// Promises of kinds that cannot be computed.
    pub unpromised: Vec<String>,
    /// Entries of the cache that were looked at.
    pub cached: usize,
    /// What is wrong, one line each.
    pub faults: Vec<String>,
}

impl Findings {
    /// Compares a hash with what PEX-INFO promises of it, where it does.
    fn promise(&mut self, pex: &Pex, field: &str, what: &str, found: &[String]) {
        let promised = pex.info.raw.get(field).and_then(|hash| hash.as_str());
        let Some(promised) = promised else { return };
        self.hashes += 1;
        if !found.iter().any(|found| found == promised) {
            let found = found.first().map_or("", String::as_str);
            self.faults.push(format!(
                "{what} has hash {found}, PEX-INFO promises {promised}"
            ));
        }
    }

    /// Notes an error as a fault.
    fn note<T>(&mut self, result: Result<T, impl std::fmt::Display>) -> Option<T> {
        result
            .map_err(|error| {
                let fault = error.to_string();
                // A member can be met on two ways.
                if !self.faults.contains(&fault) {
                    self.faults.push(fault);
                }
            })
            .ok()
    }
}

/// Why the check could not be made.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The file is no PEX, or cannot be read at all.
    #[error(transparent)]
    Embed(#[from] crate::embed::EmbedError),
    /// There is no root to compare with, or none to unpack into.
    #[error(transparent)]
    Store(#[from] crate::store::StoreError),
    /// There is no place to unpack into.
    #[error(
        "a temporary directory cannot be made: {0}; set TMPDIR to a directory that can be written"
    )]
    Temporary(std::io::Error),
}

/// Checks the PEX at `path`, and what `cache` has of it.
///
/// # Errors
/// When the check cannot be made. What it finds wrong is no error but a finding.
pub fn verify(path: &Path, cache: Option<&Store>) -> Result<Findings, VerifyError> {
    let state = crate::embed::state(path)?;
    let pex = &state.pex;
    let mut findings = Findings::default();
    if !state.as_sealed {
        findings.faults.push(
            "the file is not as long as its seal says: it was changed after it was embedded"
                .to_owned(),
        );
    }
    if let Some(archive) = pex.archive() {
        members(archive, &mut findings);
        // What was embedded must still be there byte for byte.
        if archive.seal().is_some() {
            findings.note(archive.original());
        }
    }
    hashes(pex, &mut findings);
    if let (Some(seal), Ok(fingerprint)) = (&state.seal, pex.fingerprint())
        && seal.fingerprint != fingerprint
    {
        findings
            .faults
            .push("its fingerprint is not the one that it is sealed with".to_owned());
    }
    let temporary = tempfile::tempdir().map_err(VerifyError::Temporary)?;
    let scratch = Store::scratch(temporary.path())?;
    wheels(pex, &scratch, &mut findings);
    if let Some(cache) = cache {
        cache::check(pex, &scratch, cache, &mut findings);
    }
    Ok(findings)
}

/// Every member of a zip, read whole.
fn members(archive: &Archive, findings: &mut Findings) {
    for entry in archive.entries() {
        findings.members += 1;
        findings.note(archive.copy(entry, &mut std::io::sink()));
    }
}

/// What PEX-INFO promises besides the wheels.
fn hashes(pex: &Pex, findings: &mut Findings) {
    match hashes::pex_hash(pex) {
        Some(found) => findings.promise(pex, "pex_hash", "PEX-INFO", &[found]),
        None if pex.info.raw.contains_key("pex_hash") => {
            findings.faults.push("pex_hash is no hash".to_owned());
        }
        // Releases before 2.1.60 had none.
        None => {}
    }
    if let Some(found) = findings.note(hashes::code_hashes(pex)) {
        findings.promise(pex, "code_hash", "user code", &found);
    }
    if let Some(Some(found)) = findings.note(hashes::bootstrap_hash(pex)) {
        let promised = pex
            .info
            .raw
            .get("bootstrap_hash")
            .and_then(|hash| hash.as_str());
        if promised.is_some_and(|promised| promised != found) && !hashes::bootstrap_is_ordered(pex)
        {
            findings.unpromised.push("bootstrap_hash".to_owned());
        } else {
            findings.promise(pex, "bootstrap_hash", "the bootstrap", &[found]);
        }
    }
    // Of one file, these are among its members.
    if pex.archive().is_none()
        && let Ok(bootstrap) = pex.bootstrap()
        && let Some(archive) = bootstrap.archive
    {
        members(&archive, findings);
    }
}

/// Every wheel and the user code, unpacked into `scratch` and so checked.
fn wheels(pex: &Pex, scratch: &Store, findings: &mut Findings) {
    for (name, promised) in &pex.info.distributions {
        match promised.len() {
            64 => findings.wheels += 1,
            40 => {
                findings.wheels += 1;
                if let Some(found) = findings.note(hashes::wheel_sha1(pex, name))
                    && found != *promised
                {
                    findings.faults.push(format!(
                        "wheel `{name}` has hash {found}, PEX-INFO promises {promised}"
                    ));
                }
            }
            _ => findings.unpromised.push(format!("wheel `{name}`")),
        }
        let archive = match pex.wheel(name) {
            Ok(WheelSource::WheelFile { wheel, .. }) => Some(wheel),
            Ok(WheelSource::Chroot { archive, .. }) if pex.archive().is_none() => archive,
            // Among the members of the file; or told by what follows.
            Ok(_) | Err(_) => None,
        };
        if let Some(archive) = archive {
            members(&archive, findings);
        }
        let selected = Selected {
            name: name.clone(),
            fingerprint: promised.clone(),
        };
        findings.note(unpack::wheels(pex, &[selected], scratch, false));
    }
    if let Some(fingerprint) = findings.note(pex.fingerprint()) {
        findings.note(unpack::code(pex, &fingerprint, scratch));
    }
}
