//! What packages say of themselves, read as the original reads it: with the rules of `packaging`, to the letter.
//!
//! ```text
//! names         projects and extras (PEP 503), a wheel's file name (PEP 427)
//! specifier     which versions fit (PEP 440); range compares two of them
//! marker        when a requirement applies (PEP 508)
//! requirement   one line of Requires-Dist (PEP 508)
//! metadata      METADATA
//! tags          what an interpreter supports (PEP 425)
//! ```
//!
//! Functions of bytes and texts: nothing here opens a file, looks at the machine or knows of an interpreter or a PEX.

pub mod marker;
pub mod metadata;
pub mod names;
pub(crate) mod range;
pub mod requirement;
pub mod specifier;
pub(crate) mod tags;
