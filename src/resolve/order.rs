//! Which of several fitting wheels comes first (reference 5.3).
//!
//! The original sorts candidates by a relation that is no order: of two wheels with one rank, a higher *or equal* version
//! comes before the other, and so does one with the lexically smaller fingerprint. Two wheels can each come before the
//! other, and which one wins is decided by the steps of Python's sort. An app was tested with what came out of that, so
//! the same steps are taken here.

/// The item that Python's `sorted` puts first under `before`, which need not be an order; `None` of none.
///
/// Follows CPython 3.8-3.12 for fewer than 64 items (`count_run` and `binarysort` of `listobject.c`), which is where it
/// does not merge; more wheels of one project for one interpreter are not to be expected.
pub(super) fn first_sorted<T: Copy>(items: &[T], before: impl Fn(T, T) -> bool) -> Option<T> {
    let mut sorted: Vec<T> = Vec::with_capacity(items.len());
    let mut items = items.iter().copied().peekable();
    sorted.push(items.next()?);
    // The run at the start, turned around where it descends.
    let descends = items.peek().is_some_and(|&next| before(next, sorted[0]));
    let mut last = sorted[0];
    while let Some(next) = items.next_if(|&next| before(next, last) == descends) {
        sorted.push(next);
        last = next;
    }
    if descends {
        sorted.reverse();
    }
    for item in items {
        // Not `partition_point`: where the relation is no order, the very probes decide.
        let (mut low, mut high) = (0, sorted.len());
        while low < high {
            let middle = low + (high - low) / 2;
            if before(item, sorted[middle]) {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        sorted.insert(low, item);
    }
    sorted.first().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_gives_the_least() {
        assert_eq!(first_sorted(&[3, 1, 2], |a, b| a < b), Some(1));
        assert_eq!(first_sorted(&[1, 2, 3, 0], |a, b| a < b), Some(0));
        assert_eq!(first_sorted(&[3, 2, 1, 5, 4], |a, b| a < b), Some(1));
        assert_eq!(first_sorted(&[], |a: u8, b| a < b), None);
    }

    #[test]
    fn of_equals_the_first_stays_first() {
        assert_eq!(
            first_sorted(&[(1, 'a'), (1, 'b'), (2, 'c')], |a, b| a.0 < b.0),
            Some((1, 'a'))
        );
    }

    /// Wheels as (version, fingerprint) under the original's relation; expectations from `sorted` of CPython 3.11.
    #[test]
    fn wheels_come_out_as_in_the_original() {
        #[track_caller]
        fn check(wheels: &[(u32, u32)], expected: (u32, u32)) {
            let first = first_sorted(wheels, |a, b| a != b && (a.0 >= b.0 || a.1 < b.1));
            assert_eq!(first, Some(expected), "{wheels:?}");
        }
        check(&[(1, 5), (2, 1)], (2, 1));
        check(&[(2, 5), (1, 1)], (1, 1));
        check(&[(2, 1), (1, 5)], (2, 1));
        check(&[(1, 1), (1, 2), (1, 3)], (1, 3));
        check(&[(3, 2), (1, 3), (2, 1)], (2, 1));
        check(&[(2, 2), (3, 1), (1, 3)], (3, 1));
        check(&[(3, 3), (2, 4), (1, 1)], (1, 1));
    }
}
