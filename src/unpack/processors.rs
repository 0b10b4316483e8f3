//! The number of processors that this process really has.

use std::sync::OnceLock;

/// How many processors this process has: counts the affinity mask and the quota of the control group.
pub(super) fn processors() -> usize {
    static COUNT: OnceLock<usize> = OnceLock::new();
    *COUNT.get_or_init(|| std::thread::available_parallelism().map_or(1, usize::from))
}
