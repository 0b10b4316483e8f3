//! What packages say of themselves, read as the original reads it: with the rules of `packaging`, to the letter.
//!
//! ```text
//! names         projects and extras (PEP 503), a wheel's file name (PEP 427)
//! specifier     which versions fit (PEP 440); range compares two of them
//! marker        when a requirement applies (PEP 508)
//! requirement   one line of Requires-Dist (PEP 508)
//! headers       fields of METADATA and WHEEL; metadata: what a resolve asks of them
//! entry_points  entry_points.txt; scripts: the files that it, and a shebang, call for
//! record        RECORD
//! tags          what an interpreter supports (PEP 425)
//! ```
//!
//! Functions of bytes and texts: nothing here opens a file, looks at the machine or knows of an interpreter or a PEX.

pub mod entry_points;
pub(crate) mod headers;
pub mod marker;
pub mod metadata;
pub mod names;
pub(crate) mod range;
pub(crate) mod record;
pub mod requirement;
pub(crate) mod scripts;
pub mod specifier;
pub(crate) mod tags;
