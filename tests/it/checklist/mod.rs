//! The conformance checklist, item by item: each test is one line of it, named by its number, and runs the original and
//! the embedded PEX, or says why the original cannot be asked.
//!
//! Where pexboot reads an item deliberately in another way (packages merged into one directory, no `.bootstrap` on
//! `sys.path`), the test is about what an import finds and in which order, never about the list's text.

mod beyond;
mod cache;
mod execution;
mod format;
mod host;
mod hosts;
mod import;
mod interpreter;
mod resolution;
mod started;
mod syspath;
mod venv;
