//! Progress of what takes longer than a second, on a terminal alone.

use std::io::IsTerminal as _;
use std::path::Path;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget};

use crate::shown::line;

/// After so long something is said.
const PATIENCE: Duration = Duration::from_secs(1);
/// It moves as often.
const BEAT: Duration = Duration::from_millis(120);

/// Some work; what was drawn goes when it is dropped.
#[derive(Debug)]
pub struct Progress(Option<(Sender<()>, JoinHandle<()>)>);

impl Progress {
    /// The work on a file. Nothing is drawn where standard error is no terminal.
    pub fn of(doing: &str, file: &Path) -> Progress {
        if !std::io::stderr().is_terminal() {
            return Progress(None);
        }
        let text = line(format!("{doing} {}", file.display()));
        let (done, ended) = mpsc::channel::<()>();
        let draw = move || {
            if ended.recv_timeout(PATIENCE) != Err(RecvTimeoutError::Timeout) {
                return;
            }
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            bar.set_message(text);
            while ended.recv_timeout(BEAT) == Err(RecvTimeoutError::Timeout) {
                bar.tick();
            }
            bar.finish_and_clear();
        };
        // Where no thread can be had, nothing is drawn.
        let thread = std::thread::Builder::new().spawn(draw).ok();
        Progress(thread.map(|thread| (done, thread)))
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some((done, thread)) = self.0.take() {
            drop(done);
            let _ = thread.join();
        }
    }
}
