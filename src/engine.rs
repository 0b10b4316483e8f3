//! The engine: started by the stub when no plan holds. Prepares the launch and executes it.
//!
//! C's `main` is defined here instead of Rust's: the standard library's start-up ignores SIGPIPE and opens `/dev/null`
//! over closed descriptors, and the application would inherit both.

#![no_main]

use std::os::fd::{BorrowedFd, RawFd};

use nix::libc;

/// Process entry.
// SAFETY: the C runtime calls `main` once, with the process's arguments; std reads those on its own.
#[allow(unsafe_code)]
#[unsafe(no_mangle)]
pub extern "C" fn main(_argc: i32, _argv: *const *const u8) -> i32 {
    pexboot::internals::launch::engine(inherited)
}

/// The descriptor of that number, where this program was started with one. To be called before anything is opened.
#[allow(unsafe_code)]
fn inherited(number: RawFd) -> Option<BorrowedFd<'static>> {
    // SAFETY: fcntl(2) looks at any number. What was open when the program began is nobody's in it, so nobody closes it.
    unsafe { (libc::fcntl(number, libc::F_GETFD) >= 0).then(|| BorrowedFd::borrow_raw(number)) }
}
