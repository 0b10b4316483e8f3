//! What a launch says on stderr, and every command with it. All of it is shown as `shown` has it.

use std::io::Write as _;
use std::time::Instant;

use crate::launch::Report;
use crate::shown;

/// Writes a message to stderr, where that takes it. (`eprintln` would panic where it is full or its reader gone.) The
/// message may have several lines; what is put into one is to come from [`shown::line`].
pub(crate) fn complain(message: &str) {
    // There is nobody left to tell.
    let _ = std::io::stderr().write_all(format!("{}\n", shown::lines(message)).as_bytes());
}

/// Answers a Python that has asked, and ends the process. An answer that is cut short is none to it.
pub(crate) fn answer(answer: &[u8]) -> ! {
    let mut out = std::io::stdout();
    let told = out.write_all(answer).and_then(|()| out.flush());
    std::process::exit(i32::from(told.is_err()))
}

/// Lines on stderr, each with the name of this program; what was decided with the time since the start.
#[derive(Debug)]
pub struct Console {
    level: u8,
    start: Instant,
}

impl Console {
    /// A console that shows what is worth `PEX_VERBOSE`'s value in `env`.
    #[must_use]
    pub fn new() -> Console {
        let level = std::env::var("PEX_VERBOSE")
            .ok()
            .and_then(|value| value.parse().ok())
            .unwrap_or(0);
        Console {
            level,
            start: Instant::now(),
        }
    }
}

impl Default for Console {
    fn default() -> Self {
        Console::new()
    }
}

impl Report for Console {
    fn warn(&mut self, line: &str) {
        complain(&format!("pexboot: {}", shown::line(line)));
    }

    fn say(&mut self, level: u8, line: &dyn Fn() -> String) {
        if level <= self.level {
            complain(&format!(
                "pexboot: {:8.2} ms: {}",
                self.start.elapsed().as_secs_f64() * 1e3,
                shown::line(line())
            ));
        }
    }

    fn explains(&self) -> bool {
        self.level > 0
    }
}
