//! The two native parts that every embedded file gets, as `build.rs` made them.
//!
//! An embedded file begins with [`STUB`], its seal filled in at [`SEAL_OFFSET`], and [`ENGINE`] behind it.

/// The stub, not sealed.
pub const STUB: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/stub"));
/// The engine, raw deflate.
pub const ENGINE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/engine.deflate"));

include!(concat!(env!("OUT_DIR"), "/parts.rs"));
