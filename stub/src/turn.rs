//! Many first starts at once: one of them prepares, the others wait for its plan.
//!
//! Nobody comes here who has found a plan: a warm start takes no lock. The lock only saves doing the same work many
//! times over. It goes with the process that has it, whoever can't have one goes on without, and nobody waits longer
//! than [`PATIENCE`] or holds it after waiting: a launch that can't be prepared fails for all of them at the same time,
//! and not for one after the other.

use alloc::vec::Vec;

use pexboot_core::paths::{self, decimal};
use pexboot_core::plan::Plan;
use pexboot_core::roots::safety::{Safe, User, Why};
use pexboot_core::roots::{Candidate, Kind};
use rustix::fd::{AsRawFd, OwnedFd};
use rustix::fs::{FlockOperation, Mode, OFlags, Timespec};
use rustix::io::{Errno, FdFlags};

use crate::directory::made;
use crate::stdio;
use crate::system::Clock;
use pexboot_core::machine::{self, c};

/// How long another start may take, in milliseconds.
const PATIENCE: i64 = 3000;
/// After how long someone who looks on is told.
const SILENCE: i64 = 1000;
/// The longest pause between two looks, in milliseconds. A look costs some 50 microseconds, which the first start may
/// need: dozens that look every few milliseconds would keep a processor busy.
const PAUSE_MAX: i64 = 50;
/// Lower numbers are the standard descriptors, which may be closed.
const NUMBER_MIN: i32 = 3;

/// What came of asking whose turn it is.
pub enum Turn {
    /// This start is the first: the others wait for it while it has the lock.
    First(Lock),
    /// Another start was the first, and is done, or gone, or takes too long.
    Waited(Wait),
    /// Where there is no lock, there is none to respect.
    Unknown,
}

/// The lock of a launch, held.
pub struct Lock {
    file: OwnedFd,
    path: Vec<u8>,
}

impl Turn {
    /// Asks for the turn to make a plan of this key, and waits while another start has it.
    pub fn ask(key: &[u8; 32], user: User<'_>, roots: &[Candidate]) -> Turn {
        let Some((locks, lock)) = open(roots, key, user) else {
            return Turn::Unknown;
        };
        let taken = rustix::fs::flock(&lock.file, FlockOperation::NonBlockingLockExclusive);
        let links = match rustix::fs::fstat(&lock.file) {
            Ok(stat) if machine::trusted(&stat, &locks) => stat.st_nlink,
            _ => return Turn::Unknown,
        };
        match taken {
            // Removed by then: the first was done in this very moment.
            Ok(()) if links > 0 => return Turn::First(lock),
            Ok(()) | Err(Errno::AGAIN) => {}
            Err(_) => return Turn::Unknown,
        }
        let mut wait = Wait::new(lock.path);
        // Shared, so that those who wait don't wait for each other.
        let shared = FlockOperation::NonBlockingLockShared;
        while rustix::fs::flock(&lock.file, shared) == Err(Errno::AGAIN) && wait.goes_on() {}
        Turn::Waited(wait)
    }
}

impl Lock {
    /// What tells the engine of the lock, which stays open for it: `_PEXBOOT_LOCK=NUMBER:PATH`. `None` where it can't.
    pub fn hand_over(&mut self) -> Option<Vec<u8>> {
        self.file = rustix::io::fcntl_dupfd_cloexec(&self.file, NUMBER_MIN).ok()?;
        rustix::io::fcntl_setfd(&self.file, FdFlags::empty()).ok()?;
        let number = u32::try_from(self.file.as_raw_fd()).ok()?;
        Some(
            [
                b"_PEXBOOT_LOCK=",
                decimal(number).as_slice(),
                b":",
                &self.path,
            ]
            .concat(),
        )
    }

    /// Takes the lock away: this start has failed.
    pub fn remove(self) {
        let _ = rustix::fs::unlink(c(&self.path));
    }
}

/// The lock of the launch, in the root that will have its plan. What is missing on the way there is made, as the engine
/// would make it next.
fn open(roots: &[Candidate], key: &[u8; 32], user: User<'_>) -> Option<(Safe, Lock)> {
    // For writing, since NFS turns the lock into one of bytes, which needs it.
    let flags =
        OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    for root in roots.iter().filter(|root| root.kind != Kind::Seed) {
        let locks = match made(&root.path, paths::LOCKS, user) {
            Ok(locks) => locks,
            // The engine uses this root all the same.
            Err(fault) if fault.why != Why::Missing && machine::safe(&root.path, user).is_ok() => {
                return None;
            }
            Err(_) => continue,
        };
        let path = paths::lock(&locks.path, key);
        match rustix::fs::open(c(&path), flags, Mode::from_raw_mode(0o644)) {
            Ok(file) => return Some((locks, Lock { file, path })),
            // The engine goes on to the next root as well.
            Err(Errno::ROFS | Errno::ACCESS) => {}
            Err(_) => return None,
        }
    }
    None
}

/// The waiting for another start, bounded.
pub struct Wait {
    /// What is waited for.
    lock: Vec<u8>,
    /// Since when, in milliseconds of [`Clock::Monotonic`].
    since: i64,
    told: bool,
}

impl Wait {
    fn new(lock: Vec<u8>) -> Wait {
        Wait {
            lock,
            since: milliseconds(),
            told: false,
        }
    }

    /// Waits while the first start of this plan's launch imports its modules, and compiles what every other would compile as
    /// well.
    pub fn for_imports(&mut self, plan: &Plan) {
        let Some(launch) = plan.launch() else { return };
        let marker = c(&paths::importing(launch));
        while rustix::fs::lstat(&*marker).is_ok() {
            if !self.goes_on() {
                // It was killed, or serves while it imports: nobody else is to wait for it.
                let _ = rustix::fs::unlink(&*marker);
                break;
            }
        }
    }

    /// Waits a little; false when it has been long enough.
    fn goes_on(&mut self) -> bool {
        let waited = milliseconds() - self.since;
        if waited >= PATIENCE {
            return false;
        }
        if waited >= SILENCE && !self.told {
            self.told = true;
            stdio::tell(
                &[
                    b"pexboot: waiting for another start to finish (`".as_slice(),
                    &self.lock,
                    b"`)\n",
                ]
                .concat(),
            );
        }
        let _ = rustix::thread::nanosleep(&Timespec {
            tv_sec: 0,
            tv_nsec: (waited / 2).clamp(1, PAUSE_MAX) * 1_000_000,
        });
        true
    }
}

fn milliseconds() -> i64 {
    let [seconds, nanoseconds] = Clock::Monotonic.now();
    seconds * 1000 + nanoseconds / 1_000_000
}
