//! Waiting for other processes, bounded: for one that works, and for one that shows no sign of life.
//!
//! Whoever holds a lock moves the time of its file while the work lasts (see [`super::beat`]). So a start waits long for
//! one that unpacks gigabytes, and not for one that was stopped. Both bounds are those of a whole process, whatever number
//! of locks it meets: three seconds without a sign, thirty seconds in all. What several threads wait for at the same time
//! counts once. A lock whose file has not moved for as long already is not waited for at all.

use std::fs::File;
use std::io::IsTerminal;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

/// The patience of this process.
pub(super) static OURS: Patience = Patience::new(Duration::from_secs(3), Duration::from_secs(30));

/// After how long someone who looks on is told.
const TOLD: Duration = Duration::from_secs(1);
/// The longest pause between two looks.
const PAUSE_MAX: Duration = Duration::from_millis(50);

/// How long others are waited for.
#[derive(Debug)]
pub(super) struct Patience {
    /// With those that show no sign of life.
    silence: Duration,
    /// In all.
    whole: Duration,
    spent: Mutex<Spent>,
}

#[derive(Debug)]
struct Spent {
    /// Without a sign, in vain.
    silence: Duration,
    /// In waits that have ended.
    whole: Duration,
    /// How many wait now, and since when there is one.
    waiting: usize,
    since: Option<Instant>,
}

impl Patience {
    pub(super) const fn new(silence: Duration, whole: Duration) -> Patience {
        Patience {
            silence,
            whole,
            spent: Mutex::new(Spent {
                silence: Duration::ZERO,
                whole: Duration::ZERO,
                waiting: 0,
                since: None,
            }),
        }
    }

    /// Begins to wait for the lock in `file`, for at most `limit`.
    pub(super) fn wait(&self, file: &File, limit: Duration) -> Wait<'_> {
        let begin = Instant::now();
        {
            let mut spent = self.spent();
            spent.waiting += 1;
            spent.since.get_or_insert(begin);
        }
        let sign = sign(file);
        // A time that is still to come, by another machine's clock, says nothing.
        let age = sign.and_then(|sign| SystemTime::now().duration_since(sign).ok());
        Wait {
            patience: self,
            limit,
            begin,
            sign,
            moved: begin,
            age: age.unwrap_or_default(),
            pause: Duration::from_millis(1),
            told: false,
        }
    }

    fn spent(&self) -> MutexGuard<'_, Spent> {
        self.spent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Waiting for one lock.
#[derive(Debug)]
pub(super) struct Wait<'w> {
    patience: &'w Patience,
    limit: Duration,
    begin: Instant,
    /// The file's time, when it was seen to have moved last, and how old it was then.
    sign: Option<SystemTime>,
    moved: Instant,
    age: Duration,
    pause: Duration,
    told: bool,
}

impl Wait<'_> {
    /// Waits a little for the lock in `file`, at `path`; false when it has been long enough.
    pub(super) fn goes_on(&mut self, path: &Path, file: &File) -> bool {
        let sign = sign(file);
        if sign != self.sign {
            (self.sign, self.moved, self.age) = (sign, Instant::now(), Duration::ZERO);
        }
        let waited = self.begin.elapsed();
        let silent = self.moved.elapsed();
        {
            let mut spent = self.patience.spent();
            if silent + self.age + spent.silence >= self.patience.silence {
                spent.silence += silent;
                return false;
            }
            let now = spent.since.map_or(Duration::ZERO, |since| since.elapsed());
            if waited >= self.limit || spent.whole + now >= self.patience.whole {
                return false;
            }
        }
        if waited >= TOLD && !self.told {
            self.told = true;
            if std::io::stderr().is_terminal() {
                eprintln!(
                    "pexboot: waiting for another start to finish (`{}`)",
                    path.display()
                );
            }
        }
        std::thread::sleep(self.pause);
        self.pause = (self.pause * 2).min(PAUSE_MAX);
        true
    }
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        let mut spent = self.patience.spent();
        spent.waiting -= 1;
        if spent.waiting == 0
            && let Some(since) = spent.since.take()
        {
            spent.whole += since.elapsed();
        }
    }
}

/// The time of a lock's file.
fn sign(file: &File) -> Option<SystemTime> {
    file.metadata().ok()?.modified().ok()
}
