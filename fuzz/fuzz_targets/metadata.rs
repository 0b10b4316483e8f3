//! See `pexboot::fuzzing::metadata`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| pexboot::fuzzing::metadata(bytes));
