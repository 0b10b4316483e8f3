//! Several jobs at once, as many as this process really has processors for, and several hands on what is left of one.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::UnpackError;
use super::item::Witness;
use super::processors::processors;
use super::work::{Shared, Work};

/// Below this many bytes in all, starting threads costs more than it saves.
const SERIAL: u64 = 2 << 20;
/// More threads than this wait for the disk and for each other.
const MOST: usize = 16;

/// Does every job that has a size, the largest first; whoever finds none left helps the others with theirs. The first error
/// ends it; jobs under way are finished.
///
/// # Errors
/// The error of the first job that failed.
pub(super) fn each<'a, E: Send>(
    sizes: &[Option<u64>],
    work: impl Fn(usize, &Crew<'a>) -> Result<(), E> + Sync,
) -> Result<(), E> {
    let mut order: Vec<(u64, usize)> = sizes
        .iter()
        .enumerate()
        .filter_map(|(index, size)| Some(((*size)?, index)))
        .collect();
    order.sort_by_key(|(size, index)| (std::cmp::Reverse(*size), *index));
    let total: u64 = order.iter().map(|(size, _)| size).sum();
    let crew = Crew::new(order.len());
    let count = if total < SERIAL {
        1
    } else {
        processors().min(MOST)
    };
    if count < 2 {
        return order.iter().try_for_each(|(_, index)| work(*index, &crew));
    }
    let next = AtomicUsize::new(0);
    let failed = Mutex::new(None);
    let run = || {
        while let Some((_, index)) = order.get(next.fetch_add(1, Ordering::Relaxed)) {
            let done = Done(&crew);
            if let Err(error) = work(*index, &crew) {
                // Nobody takes another job.
                let taken = next.swap(order.len(), Ordering::Relaxed).min(order.len());
                (taken..order.len()).for_each(|_| crew.done());
                failed
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .get_or_insert(error);
            }
            drop(done);
        }
        crew.help();
    };
    std::thread::scope(|scope| {
        for _ in 1..count {
            // Where no thread can be had (a limit), the others do the work.
            let _ = std::thread::Builder::new().spawn_scoped(scope, run);
        }
        run();
    });
    failed
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner)
        .map_or(Ok(()), Err)
}

/// A job that is over when this is dropped, by a panic too.
struct Done<'c, 'a>(&'c Crew<'a>);

impl Drop for Done<'_, '_> {
    fn drop(&mut self) {
        self.0.done();
    }
}

/// The hands of one call, and what is open for them.
pub(super) struct Crew<'a> {
    open: Mutex<Open<'a>>,
    changed: Condvar,
}

struct Open<'a> {
    works: Vec<Arc<dyn Shared + 'a>>,
    /// Jobs that are not done, begun or not.
    jobs: usize,
}

impl<'a> Crew<'a> {
    /// For so many jobs.
    pub(super) fn new(jobs: usize) -> Crew<'a> {
        Crew {
            open: Mutex::new(Open {
                works: Vec::new(),
                jobs,
            }),
            changed: Condvar::new(),
        }
    }

    /// Does the work, with the help of whoever has nothing else to do.
    pub(super) fn finish<W: Witness + Send + 'a>(
        &self,
        work: Work<'a, W>,
    ) -> Result<W, UnpackError> {
        let work = Arc::new(work);
        let shared: Arc<dyn Shared + 'a> = Arc::clone(&work) as _;
        self.lock().works.push(Arc::clone(&shared));
        self.changed.notify_all();
        let result = work.finish();
        self.lock().works.retain(|open| !Arc::ptr_eq(open, &shared));
        result
    }

    /// A job is done.
    pub(super) fn done(&self) {
        let mut open = self.lock();
        open.jobs = open.jobs.saturating_sub(1);
        if open.jobs == 0 {
            self.changed.notify_all();
        }
    }

    /// Helps with whatever has the most left until every job is done.
    pub(super) fn help(&self) {
        let mut open = self.lock();
        while open.jobs > 0 {
            let most = (open.works.iter())
                .map(|work| (work.left(), work))
                .filter(|(left, _)| *left > 0)
                .max_by_key(|(left, _)| *left)
                .map(|(_, work)| Arc::clone(work));
            match most {
                Some(work) => {
                    drop(open);
                    work.help();
                    open = self.lock();
                }
                None => {
                    open = self
                        .changed
                        .wait(open)
                        .unwrap_or_else(PoisonError::into_inner);
                }
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Open<'a>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
