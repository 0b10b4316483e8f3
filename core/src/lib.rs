//! What decides a launch, for all who start one: stub, engine and command line.
//!
//! The seal of a file, the key of its plans, the plan and its replay, where roots are and which can be trusted, and the
//! machine as these see it. Works without the standard library. Nothing in here writes but a time
//! stamp, and nothing executes.

#![no_std]
#![deny(unsafe_code)]

extern crate alloc;

/// The directory of this package, for the build script of the package `pexboot`.
pub const DIRECTORY: &str = env!("CARGO_MANIFEST_DIR");

pub mod checksum;
pub mod env;
pub mod hex;
pub mod key;
pub mod lz4;
pub mod machine;
pub mod note;
pub mod options;
pub mod paths;
pub mod plan;
pub mod replay;
pub mod roots;
pub mod seal;
pub mod warm;
