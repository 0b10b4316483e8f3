//! Signs of life: a process that works under locks moves the times of their files, so that others can tell it from one
//! that was stopped.
//!
//! One thread does it for all locks of the process, every [`PERIOD`]. It is started by work that lasts ([`lasts`]), so a
//! short start has none, and it ends when no lock is held. Where no thread can be had, or the time cannot be set, others
//! wait a little less. Nothing but times of locks' files is ever touched.

use std::fs::File;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use nix::sys::stat::futimens;
use nix::sys::time::TimeSpec;

/// The time between two signs.
pub(super) const PERIOD: Duration = Duration::from_millis(500);
/// Work that goes on for so long gets a thread.
const SHORT: Duration = Duration::from_millis(250);
/// A single step with so many bytes may last by itself, on a slow disk.
const MUCH: u64 = 1 << 20;
/// The stack of a thread that calls one function.
const STACK: usize = 64 << 10;

static BEGIN: LazyLock<Instant> = LazyLock::new(Instant::now);
static HELD: Mutex<Held> = Mutex::new(Held {
    files: Vec::new(),
    beats: false,
});
/// When a thread is due, in milliseconds since [`BEGIN`]: never while there is one, or nothing is held.
static DUE: AtomicU64 = AtomicU64::new(NEVER);
const NEVER: u64 = u64::MAX;

struct Held {
    files: Vec<Arc<File>>,
    /// Whether there is a thread.
    beats: bool,
}

/// A file whose time moves as long as this is there, if the work lasts.
#[derive(Debug)]
pub(super) struct Beat(Arc<File>);

impl Beat {
    /// Moves the time of the file now, which an earlier holder may have left behind.
    pub(super) fn new(file: Arc<File>) -> Beat {
        touch(&file);
        let mut held = held();
        held.files.push(Arc::clone(&file));
        if !held.beats && held.files.len() == 1 {
            DUE.store(now().saturating_add(milliseconds(SHORT)), Ordering::Relaxed);
        }
        Beat(file)
    }
}

impl Drop for Beat {
    fn drop(&mut self) {
        let mut held = held();
        if let Some(place) = (held.files.iter()).position(|file| Arc::ptr_eq(file, &self.0)) {
            held.files.swap_remove(place);
        }
        if held.files.is_empty() {
            DUE.store(NEVER, Ordering::Relaxed);
        }
    }
}

/// Work goes on, and its next step has so many bytes. To be called before each step under a lock; costs a look at a clock.
pub(crate) fn lasts(bytes: u64) {
    let due = DUE.load(Ordering::Relaxed);
    if due == NEVER || (bytes < MUCH && now() < due) {
        return;
    }
    let mut held = held();
    if held.beats || held.files.is_empty() {
        return;
    }
    // Tried once, if it fails.
    DUE.store(NEVER, Ordering::Relaxed);
    let thread = std::thread::Builder::new().stack_size(STACK);
    held.beats = thread.spawn(beat).is_ok();
}

/// The life of the thread.
fn beat() {
    loop {
        std::thread::sleep(PERIOD);
        let mut held = held();
        if held.files.is_empty() {
            held.beats = false;
            return;
        }
        let files = held.files.clone();
        // Where the disk is slow, nobody waits for this to give a lock back.
        drop(held);
        files.iter().for_each(|file| touch(file));
    }
}

fn touch(file: &File) {
    // The time of the file system, which others see too.
    let _ = futimens(file.as_fd(), &TimeSpec::UTIME_NOW, &TimeSpec::UTIME_NOW);
}

fn now() -> u64 {
    milliseconds(BEGIN.elapsed())
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(NEVER)
}

fn held() -> MutexGuard<'static, Held> {
    HELD.lock().unwrap_or_else(PoisonError::into_inner)
}
