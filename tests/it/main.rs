//! The integration tests, one binary: what a user of PEX files sees, tested by comparison.
//!
//! A PEX is run as the original bootstrap runs it and as an embedded file, cold and warm, each time on a machine of
//! its own: fresh HOME, empty root, a minimal environment ([`harness`]). The PEXes are made by the real pex
//! ([`fixtures`]). [`checklist`] goes through the conformance checklist item by item, [`apps`] runs real applications,
//! [`tidy`] holds the house rules.
//!
//! `PEXBOOT_TESTS=oracle` leaves the embedded half out: it asks whether the tests describe the original truly.
//! `PEXBOOT_TESTS=long` runs every case on every Python found (see `./long-tests`).
//! `PEXBOOT_PYTHON=PATH` runs the checklist on this Python alone.

mod apps;
mod bad_input;
mod budgets;
mod bytecode;
mod caches;
mod careful;
mod checklist;
mod command_line;
mod cookbook;
mod crossed;
mod documents;
mod embedding;
mod environment;
mod examples;
mod explain;
mod face;
mod fixtures;
mod handover;
mod harness;
mod interpreters;
mod memory;
mod messages;
mod options;
mod pack;
mod packaging;
mod random;
mod refusals;
mod releases;
mod rooms;
mod seeds;
mod session;
mod sharing;
mod spark;
mod standalone;
mod state;
mod stripping;
mod stub;
mod surroundings;
mod tidy;
mod trace;
mod trust;
mod userlands;
mod warm;
mod warnings;
