//! Starts PEX files natively: what the command `pexboot` does, for Rust programs. Start with [`embed()`]; the reverse is
//! [`strip()`]. [`inspect()`] and [`verify()`] look at a file, [`plan()`] tells what a start of it would do. The versions of this
//! interface are those of the command.
//!
//! # The life of a launch
//!
//! ```text
//! ./app.pex ARGS
//!   kernel execs the stub (crate pexboot-stub)
//!   ├─ seal        what the stub is glued to, no I/O
//!   ├─ replay      the plan for this key; every recorded input still holds?  ── yes ──▶ execve python   (warm: done)
//!   └─ engine      no (cold): launch::prepare
//!        archive       central directory, PEX-INFO
//!        interpreter   candidates → records (one probe per Python) → the one that fits
//!        resolve       tags, markers, requirements → the wheels to activate
//!        unpack        missing wheels and the user code, in parallel, verified, published by rename
//!        site          the merged import directory
//!        plan          written last, published by rename ──▶ the same execve as a warm start
//! ```
//!
//! Dependencies flow one way: `launch → plan → {site, unpack, resolve} → interpreter → {packaging, archive, pex_info, store}`.
//! Only `store` creates or removes anything under a root; only `launch` execs; only `interpreter` ever runs a Python to
//! ask it something; only the entry points print.

// What an engine or a fuzzer leaves unused, the command line has a use for.
#![cfg_attr(not(feature = "cli"), allow(dead_code, unused_imports))]

mod archive;
#[cfg(feature = "cli")]
mod bench;
mod boot;
#[cfg(feature = "cli")]
mod cli;
#[cfg(feature = "cli")]
mod embed;
mod exit;
#[cfg(feature = "cli")]
mod face;
#[cfg(any(feature = "cli", feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
mod hashing;
#[doc(hidden)]
pub mod internals;
mod interpreter;
mod launch;
mod lexical;
mod output;
#[cfg(feature = "cli")]
mod pack;
mod packaging;
#[cfg(feature = "cli")]
mod parts;
mod pex;
mod pex_info;
mod plan;
mod regular;
mod resolve;
mod shown;
mod site;
mod store;
mod trace;
mod unpack;
mod user;
mod variables;
mod venv;
#[cfg(feature = "cli")]
mod verify;

#[cfg(feature = "cli")]
pub use face::{
    Embedded, Error, Inspected, Options, Plan, Verified, embed, inspect, plan, strip, verify,
};
