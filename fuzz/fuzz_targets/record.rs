//! See `pexboot::fuzzing::record`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| pexboot::fuzzing::record(bytes));
