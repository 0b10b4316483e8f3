//! See `pexboot::fuzzing::plan`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| pexboot::fuzzing::plan(bytes));
