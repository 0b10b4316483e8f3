//! The full check: every CRC of a file and every hash that PEX-INFO promises, computed again; and on request whether what
//! is in the cache is what this file brings.
//!
//! The wheels are unpacked by the very code that a cold start uses, into a root of their own that goes away again; so what
//! is checked is what would run, and what is compared with the cache is whole trees. Nothing of the PEX is executed.

mod tree;

use std::io::Write;
use std::path::Path;

use sha1::Sha1;
use sha2::Digest;

use crate::archive::Archive;
use crate::pex::Pex;
use crate::resolve::Selected;
use crate::store::{FORMAT, Store};
use crate::unpack;

/// What was checked, and what is wrong.
#[derive(Debug, Default)]
pub struct Findings {
    /// Members whose CRC-32 was computed.
    pub members: usize,
    /// Wheels whose promise was computed.
    pub wheels: usize,
    /// Wheels whose promise is of a kind that cannot be computed (SHA-1 of old releases of pex).
    pub unpromised: usize,
    /// Entries of the cache that were compared.
    pub cached: usize,
    /// What is wrong, one line each.
    pub faults: Vec<String>,
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
    if !state.intact {
        findings.faults.push(
            "the file is not as long as its seal says: it was changed after it was embedded"
                .to_owned(),
        );
    }
    if let Some(archive) = pex.archive() {
        members(archive, &mut findings);
    }
    match code_hash(pex) {
        Ok(found) => {
            let promised = pex.info.raw.get("code_hash").and_then(|hash| hash.as_str());
            if let Some(promised) = promised.filter(|promised| *promised != found) {
                findings.faults.push(format!(
                    "user code has hash {found}, PEX-INFO promises {promised}"
                ));
            }
        }
        Err(error) => findings.faults.push(error.to_string()),
    }
    if let (Some(seal), Ok(fingerprint)) = (&state.seal, pex.fingerprint())
        && seal.fingerprint != fingerprint
    {
        findings
            .faults
            .push("its fingerprint is not the one that it is sealed with".to_owned());
    }
    let temporary = tempfile::tempdir().map_err(VerifyError::Temporary)?;
    // Made for its owner alone, so it can be trusted wherever it lies.
    let root = temporary
        .path()
        .canonicalize()
        .map_err(VerifyError::Temporary)?;
    let scratch = Store::open(Some(&root), &mut |_| {})?;
    wheels(pex, &scratch, &mut findings);
    if let Some(cache) = cache {
        compare(&scratch, cache, &mut findings);
    }
    Ok(findings)
}

/// Every member of the zip, read whole.
fn members(archive: &Archive, findings: &mut Findings) {
    for entry in archive.entries() {
        findings.members += 1;
        if let Err(error) = archive.copy(entry, &mut std::io::sink()) {
            findings.faults.push(error.to_string());
        }
    }
    // What was embedded must still be there byte for byte.
    if archive.seal().is_some()
        && let Err(error) = archive.original()
    {
        findings.faults.push(error.to_string());
    }
}

/// Every wheel and the user code, unpacked into `scratch` and so checked.
fn wheels(pex: &Pex, scratch: &Store, findings: &mut Findings) {
    for (name, fingerprint) in &pex.info.distributions {
        findings.wheels += 1;
        if fingerprint.len() != 64 {
            findings.unpromised += 1;
        }
        let selected = Selected {
            name: name.clone(),
            fingerprint: fingerprint.clone(),
        };
        if let Err(error) = unpack::wheels(pex, &[selected], scratch, false) {
            findings.faults.push(error.to_string());
        }
    }
    let code = pex
        .fingerprint()
        .map_err(|error| error.to_string())
        .and_then(|fingerprint| {
            unpack::code(pex, &fingerprint, scratch).map_err(|error| error.to_string())
        });
    if let Err(error) = code {
        findings.faults.push(error);
    }
}

/// Compares each entry that was unpacked here with the one of the same name in the cache.
fn compare(scratch: &Store, cache: &Store, findings: &mut Findings) {
    let home = |store: &Store| store.root().join(FORMAT);
    let (truth, found) = (home(scratch), home(cache));
    for entry in tree::entries(&truth) {
        let there = found.join(&entry);
        if there.symlink_metadata().is_err() {
            continue;
        }
        findings.cached += 1;
        for fault in tree::differences(&truth.join(&entry), &there) {
            findings.faults.push(format!("cache: {fault}"));
        }
    }
}

/// `code_hash` as pex computes it: SHA-1 over the sorted names of the user code run together, then the contents in that
/// order, without bytecode and files whose names begin with a dot (reference 1.6).
fn code_hash(pex: &Pex) -> Result<String, crate::pex::PexError> {
    let mut members = pex.user_code()?;
    members.retain(|member| {
        let path = Path::new(&member.path);
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let cached = path.iter().any(|part| part == "__pycache__");
        !(cached || name.starts_with('.') || name.ends_with(".pyc"))
    });
    members.sort_by(|one, other| one.path.cmp(&other.path));
    let mut hash = Hash(Sha1::new());
    for member in &members {
        hash.0.update(member.path.as_bytes());
    }
    for member in &members {
        pex.copy(&member.content, &mut hash)?;
    }
    Ok(hash
        .0
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect())
}

/// A hash as an output.
struct Hash(Sha1);

impl Write for Hash {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
