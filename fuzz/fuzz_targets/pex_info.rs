//! See `pexboot::fuzzing::pex_info`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| pexboot::fuzzing::pex_info(bytes));
