//! The command line: see `cli`.
//!
//! C's `main` is defined here instead of Rust's: the standard library's start-up ignores SIGPIPE and opens `/dev/null`
//! over closed descriptors, and what `pexboot run` starts would inherit both.

#![no_main]

/// Process entry.
// SAFETY: the C runtime calls `main` once, with the process's arguments; std reads those on its own.
#[allow(unsafe_code)]
#[unsafe(no_mangle)]
pub extern "C" fn main(_argc: i32, _argv: *const *const u8) -> i32 {
    pexboot::internals::cli::main()
}
