//! A file that claims to be a PEX: see `pexboot::fuzzing::archive`.
#![no_main]

use std::sync::OnceLock;

static DIRECTORY: OnceLock<tempfile::TempDir> = OnceLock::new();

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let directory = DIRECTORY.get_or_init(|| tempfile::tempdir().unwrap());
    pexboot::fuzzing::archive(bytes, &directory.path().join("x.pex"));
});
