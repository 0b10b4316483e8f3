//! A warm start: the plan of an earlier launch, if every input it depended on still holds.

use alloc::vec::Vec;

use pexboot_core::env;
use pexboot_core::key::{Subject, key};
use pexboot_core::paths;
use pexboot_core::plan::{Plan, SIZE_MAX};
use pexboot_core::replay::{Launch, command, holds};
use pexboot_core::roots::safety::User;
use pexboot_core::roots::{Candidate, Kind};
use pexboot_core::seal::Seal;
use rustix::fd::OwnedFd;
use rustix::fs::{Timespec, Timestamps, UTIME_NOW};

use crate::entry::{self, Clock, Process};
use crate::file::File;
use pexboot_core::machine::{self, Machine};

/// After so many seconds a plan's time stamp is set anew, so that prune knows what is in use.
const DAY: i64 = 24 * 60 * 60;

/// Executes the first plan that holds. Comes back when there is none.
pub fn replay(process: &Process, seal: &Seal, file: &File, roots: &[Candidate]) {
    let Some(stat) = &file.stat else { return };
    let identity = machine::identity(stat);
    let machine = Machine {
        known: Some((&file.path, identity)),
    };
    let launch = Launch {
        pex: &file.path,
        real: &file.real,
        args: process.args.get(1..).unwrap_or_default(),
        env: &process.env,
    };
    for root in roots {
        let seed = root.kind == Kind::Seed;
        let key = launch_key(process, seal, file, if seed { 0 } else { identity.ino });
        let Some(found) = Found::open(root, &key, process.user()) else {
            continue;
        };
        let Some(plan) = Plan::decode(&found.bytes) else {
            continue;
        };
        if holds(&plan, launch, &machine) {
            if !seed {
                found.touch();
            }
            let command = command(&plan.exec, launch);
            // Whatever the reason it does not start for, the engine finds it and says it better.
            let _ = entry::execute(
                &command.program,
                &slices(&command.argv),
                &slices(&command.env),
            );
        }
    }
}

/// The key of this launch of a file with that inode number.
pub fn launch_key(process: &Process, seal: &Seal, file: &File, ino: u64) -> [u8; 32] {
    let subject = Subject {
        seal,
        name: file.name(),
        ino,
    };
    key(subject, |name| env::get(&process.env, name.as_bytes()))
}

fn slices(texts: &[Vec<u8>]) -> Vec<&[u8]> {
    texts.iter().map(Vec::as_slice).collect()
}

/// A plan on disk.
struct Found {
    file: OwnedFd,
    /// When it was last stamped, seconds.
    mtime: i64,
    bytes: Vec<u8>,
}

impl Found {
    /// The plan of that key, if the root can be trusted and has one.
    fn open(root: &Candidate, key: &[u8; 32], user: User<'_>) -> Option<Found> {
        let root = machine::safe(&root.path, user).ok()?;
        let file = machine::open(&paths::plan(&root.path, key)).ok()?;
        let stat = rustix::fs::fstat(&file).ok()?;
        let size = usize::try_from(stat.st_size)
            .ok()
            .filter(|&size| size <= SIZE_MAX)?;
        if !machine::trusted(&stat, &root) {
            return None;
        }
        let bytes = machine::read(&file, 0, size)?;
        Some(Found {
            file,
            mtime: machine::identity(&stat).mtime,
            bytes,
        })
    }

    /// Notes that the plan is in use, at most once a day.
    fn touch(&self) {
        let [now, _] = Clock::Realtime.now();
        if now.saturating_sub(self.mtime) > DAY {
            let now = Timespec {
                tv_sec: 0,
                tv_nsec: UTIME_NOW,
            };
            // A root that can't be written to has nobody who would prune it.
            let _ = rustix::fs::futimens(
                &self.file,
                &Timestamps {
                    last_access: now,
                    last_modification: now,
                },
            );
        }
    }
}
