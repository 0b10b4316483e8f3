//! The boot: the few lines of Python that run before the app, and the data they read.

/// The boot's source; an interpreter's probe compiles it.
pub const SOURCE: &str = include_str!("boot.py");
