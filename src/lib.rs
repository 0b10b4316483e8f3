//! The life of a launch.
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

pub mod archive;
#[cfg(feature = "cli")]
pub mod bench;
pub mod boot;
#[cfg(feature = "cli")]
pub mod cli;
#[cfg(feature = "cli")]
pub mod embed;
pub mod exit;
#[cfg(any(feature = "cli", feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
mod hashing;
pub mod interpreter;
pub mod launch;
mod lexical;
pub mod output;
#[cfg(feature = "cli")]
pub mod pack;
pub mod packaging;
#[cfg(feature = "cli")]
pub mod parts;
pub mod pex;
pub mod pex_info;
pub mod plan;
mod regular;
pub mod resolve;
pub mod shown;
pub mod site;
pub mod store;
pub mod trace;
pub mod unpack;
pub mod user;
pub mod variables;
pub mod venv;
#[cfg(feature = "cli")]
pub mod verify;
