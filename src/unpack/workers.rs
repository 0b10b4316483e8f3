//! Several jobs at once, as many as this process really has processors for.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// Below this many bytes in all, starting threads costs more than it saves.
const SERIAL: u64 = 2 << 20;
/// More threads than this wait for the disk and for each other.
const MOST: usize = 16;

/// Does every job that has a size, the largest first. The first error ends it; jobs under way are finished.
///
/// # Errors
/// The error of the first job that failed.
pub(super) fn each<E: Send>(
    sizes: &[Option<u64>],
    work: impl Fn(usize) -> Result<(), E> + Sync,
) -> Result<(), E> {
    let mut order: Vec<(u64, usize)> = sizes
        .iter()
        .enumerate()
        .filter_map(|(index, size)| Some(((*size)?, index)))
        .collect();
    order.sort_by_key(|(size, index)| (std::cmp::Reverse(*size), *index));
    let total: u64 = order.iter().map(|(size, _)| size).sum();
    // Counts the affinity mask and the quota of the control group.
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let count = processors.min(MOST).min(order.len());
    if total < SERIAL || count < 2 {
        return order.iter().try_for_each(|(_, index)| work(*index));
    }
    let next = AtomicUsize::new(0);
    let failed = Mutex::new(None);
    let run = || {
        while let Some((_, index)) = order.get(next.fetch_add(1, Ordering::Relaxed)) {
            if let Err(error) = work(*index) {
                // Nobody takes another job.
                next.store(order.len(), Ordering::Relaxed);
                failed
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .get_or_insert(error);
            }
        }
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
