//! How far unpacking has come, for someone who sits before a terminal: one line, from the second second on, wiped when
//! the work is done. Whoever writes files adds what it has written and draws when it is time; there is no thread for it.

use std::io::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// For so many milliseconds nobody minds waiting.
const SILENCE: u64 = 1000;
/// Milliseconds from one drawing to the next.
const EVERY: u64 = 100;
/// Columns between the brackets.
const WIDTH: usize = 30;
/// Most characters of a name.
const LABEL: usize = 32;

/// Work that is being done, by several threads together.
#[derive(Debug)]
pub(super) struct Progress {
    label: String,
    total: u64,
    /// `None` where nobody looks on.
    start: Option<Instant>,
    done: AtomicU64,
    /// Milliseconds after the start; 0 before the first time.
    drawn: AtomicU64,
}

impl Progress {
    /// `total` bytes are to be written; `label` says of what.
    pub(super) fn new(label: &str, total: u64, shown: bool) -> Progress {
        Progress {
            label: label.to_owned(),
            total,
            start: shown.then(Instant::now),
            done: AtomicU64::new(0),
            drawn: AtomicU64::new(0),
        }
    }

    /// So many bytes more are written.
    pub(super) fn add(&self, bytes: u64) {
        let Some(start) = self.start else { return };
        let done = self.done.fetch_add(bytes, Ordering::Relaxed) + bytes;
        let now = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
        let last = self.drawn.load(Ordering::Relaxed);
        let mine = is_due(now, last)
            && self
                .drawn
                .compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok();
        if mine {
            show(&format!("\r{}", line(&self.label, done, self.total)));
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if *self.drawn.get_mut() > 0 {
            show("\r\x1b[K");
        }
    }
}

/// Who cannot be shown anything has lost nothing.
fn show(text: &str) {
    let _ = std::io::stderr().write_all(text.as_bytes());
}

/// Whether it is time to draw, all in milliseconds after the start.
fn is_due(now: u64, last: u64) -> bool {
    now >= SILENCE && now >= last.saturating_add(EVERY)
}

fn line(label: &str, done: u64, total: u64) -> String {
    let label: String = label.chars().take(LABEL).collect();
    let done = done.min(total);
    let filled = usize::try_from(u128::from(done) * WIDTH as u128 / u128::from(total.max(1)))
        .unwrap_or(WIDTH);
    let bar = match filled {
        WIDTH => "=".repeat(WIDTH),
        _ => format!("{}>{}", "=".repeat(filled), " ".repeat(WIDTH - 1 - filled)),
    };
    let megabytes = |bytes: u64| bytes.div_ceil(1_000_000);
    format!(
        "pexboot: unpacking {}  [{bar}] {}/{} MB",
        crate::shown::line(label),
        megabytes(done),
        megabytes(total)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_says_what_and_how_far() {
        let check = |done, expected: &str| assert_eq!(line("app.pex", done, 240_000_000), expected);
        check(
            0,
            "pexboot: unpacking app.pex  [>                             ] 0/240 MB",
        );
        check(
            120_000_000,
            "pexboot: unpacking app.pex  [===============>              ] 120/240 MB",
        );
        check(
            900_000_000,
            "pexboot: unpacking app.pex  [==============================] 240/240 MB",
        );
        assert!(line("a\x1b[31m", 0, 0).contains("a\u{fffd}[31m  [>"));
    }

    #[test]
    fn it_is_silent_at_first_and_then_draws_now_and_then() {
        let cases = [
            (0, 0, false),
            (999, 0, false),
            (1000, 0, true),
            (1099, 1000, false),
            (1100, 1000, true),
        ];
        for (now, last, due) in cases {
            assert_eq!(is_due(now, last), due, "{now} after {last}");
        }
    }

    #[test]
    fn where_nobody_looks_on_nothing_is_counted() {
        let mut progress = Progress::new("app", 10, false);
        progress.add(5);
        assert_eq!(*progress.done.get_mut(), 0);
    }
}
