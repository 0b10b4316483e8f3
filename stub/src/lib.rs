//! The stub of pexboot is a program: see `main.rs`. The library only says where its sources lie, for the build script of
//! the package `pexboot`, which builds it.

#![no_std]

/// The directory of this package.
pub const DIRECTORY: &str = env!("CARGO_MANIFEST_DIR");
