//! The stub: what the kernel runs when an embedded PEX is started.
//!
//! It looks for a launch plan that still holds and executes what the plan says; without one it starts the engine. It
//! works without a libc and without the standard library, so that a warm start is a dozen system calls in a process of
//! a few pages: that takes no lock and writes nothing but a plan's time stamp once a day. Where no plan holds, the lock of
//! this launch says whether another start is making one; it goes to the engine. No directory is read, no descriptor is
//! left to the application, and the engine is written only where no memory file can be executed.
//!
//! Unsafe code is in [`entry`], [`system`], [`stdio`] and [`memory`] alone.

#![no_std]
#![no_main]
#![deny(unsafe_code)]

extern crate alloc;

mod directory;
mod engine;
mod entry;
mod failure;
mod file;
mod memory;
mod rights;
mod stdio;
mod system;
mod turn;
mod warm;

use pexboot_core::env;
use pexboot_core::seal::Seal;
use pexboot_core::{machine, roots};

use crate::entry::Process;
use crate::failure::{Code, Failure};
use crate::file::File;
use crate::system::Clock;
use crate::turn::Turn;

/// One launch. What comes back is why there was none.
fn launch(mut process: Process) -> Failure {
    if let Err(failure) = rights::check(&mut process) {
        return failure;
    }
    let process = &process;
    let asked = |name: &[u8]| !matches!(env::get(&process.env, name), None | Some(b"" | b"0"));
    let began = asked(b"PEXBOOT_TRACE").then(|| Clock::Monotonic.now());
    let seal = match Seal::decode(entry::seal()) {
        Some(seal) if seal.sealed => seal,
        _ => {
            return Failure::new(Code::Internal, &[
                b"this is a bare stub without an application; `pexboot embed` puts it in front of one",
            ]);
        }
    };
    let file = match File::invoked(process) {
        Ok(file) => file,
        Err(failure) => return failure,
    };
    let roots = roots::candidates(
        |name| env::get(&process.env, name.as_bytes()),
        &seal.pex_root,
        process.euid,
        machine::cwd,
    );
    // A launch that is asked to explain itself or to be traced takes the engine's way: it replays too, and says so.
    let told = asked(b"PEX_VERBOSE") || began.is_some() || process.repairs();
    let mut lock = None;
    if !told && let Some(start) = warm::start(process, &seal, &file) {
        let key = start.key();
        if let Some(found) = start.find(&key, &roots) {
            warm::execute(&found, &start);
        }
        match Turn::ask(&key, process.user(), &roots) {
            Turn::First(held) => lock = Some(held),
            Turn::Waited(mut wait) => {
                if let Some(found) = start.find(&key, &roots) {
                    wait.for_imports(&found.plan);
                    warm::execute(&found, &start);
                }
            }
            Turn::Unknown => {}
        }
    }
    let failure = engine::start(process, &seal, &file, &roots, began, lock.as_mut());
    if let Some(lock) = lock {
        lock.remove();
    }
    failure
}
