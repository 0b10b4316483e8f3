//! Everything that reads bytes from others, each as one function of these bytes, for fuzzers and mutation tests. None may
//! panic, hang, or take memory out of proportion; what they answer does not matter.

use std::path::Path;

use crate::archive::Archive;
use crate::packaging::metadata::Metadata;
use crate::packaging::requirement::Requirement;
use crate::pex::Pex;
use crate::pex_info::PexInfo;

/// A zip, and whether it is a PEX: the central directory, and every member. `path` is a file to put the bytes into.
pub fn archive(bytes: &[u8], path: &Path) {
    if std::fs::write(path, bytes).is_err() {
        return;
    }
    if let Ok(archive) = Archive::open(path) {
        for entry in archive.entries() {
            // A bomb inflates to much; it is read in bounded memory, but the fuzzer has better things to do.
            if entry.size <= 1 << 20 {
                let _ = archive.copy(entry, &mut std::io::sink());
            }
        }
        let _ = archive.original();
        let _ = archive.shebang();
    }
    if let Ok(pex) = Pex::open(path) {
        let _ = pex.user_code();
        for (name, _) in &pex.info.distributions {
            let _ = pex.wheel(name);
            let _ = pex.metadata(name);
        }
    }
}

/// PEX-INFO.
pub fn pex_info(bytes: &[u8]) {
    let _ = PexInfo::parse(bytes);
}

/// METADATA of a wheel, and a requirement.
pub fn metadata(bytes: &[u8]) {
    if let Ok(metadata) = Metadata::parse(bytes) {
        let _ = metadata.requires_dist();
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = Requirement::parse(text);
    }
}

/// The plans of a key, as they are, and the first with the length and checksum that it should have, which no mutation
/// would find; what can be read is written back and read as the same.
///
/// # Panics
/// When it is not.
pub fn plan(bytes: &[u8]) {
    use pexboot_core::plan::{Plan, Plans, encode};
    let mut sealed = bytes.to_vec();
    if let Some((head, body)) = sealed.split_at_mut_checked(24) {
        let length = u32::try_from(body.len()).unwrap_or(u32::MAX);
        head[12..16].copy_from_slice(&length.to_le_bytes());
        let sum = pexboot_core::checksum::checksum(body);
        head[16..24].copy_from_slice(&sum);
    }
    for bytes in [bytes, &sealed] {
        let plans: Vec<Plan> = Plans::of(bytes).collect();
        assert_eq!(Plans::of(&encode(&plans)).collect::<Vec<_>>(), plans);
    }
}

/// An interpreter record.
pub fn record(bytes: &[u8]) {
    crate::interpreter::fuzz_record(bytes);
}
