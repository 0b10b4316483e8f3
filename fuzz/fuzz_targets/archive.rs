//! A file that claims to be a PEX: see `pexboot::fuzzing::archive`.
#![no_main]

use std::sync::OnceLock;

static DIRECTORY: OnceLock<tempfile::TempDir> = OnceLock::new();

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let directory = DIRECTORY.get_or_init(|| {
        // In memory where that can be had.
        tempfile::tempdir_in("/dev/shm")
            .or_else(|_| tempfile::tempdir())
            .expect("a temporary directory")
    });
    pexboot::fuzzing::archive(bytes, &directory.path().join("x.pex"));
});
