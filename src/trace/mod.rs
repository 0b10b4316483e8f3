//! The timeline of one launch: what `PEXBOOT_TRACE=FILE` asks for, in Chrome's trace event format.
//!
//! A launch is one chain of programs in one process, so its steps are collected in one place and written once, right
//! before Python is executed; Python's own part is added to the same file by [`traced.py`](TRACED), which travels in the
//! environment: a start that is not traced carries nothing of it. Times are those of CLOCK_MONOTONIC, which
//! all processes of a machine share. Where no trace was asked for, a step is one look at a variable.
//!
//! Only entry points [`begin`] and only `launch` [`finish`]es; in between, whoever does something that takes time says so
//! by a [`step`]. Nothing here fails a launch: what can't be written is told in one line.

mod event;
mod file;
#[cfg(test)]
mod tests;

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};

use nix::time::{ClockId, clock_gettime};
use pexboot_core::replay::Command;

use event::Event;
use file::Joint;

/// Names the file.
pub const VARIABLE: &str = "PEXBOOT_TRACE";
/// From the stub, when it began; to the boot, what traces it.
const PRIVATE: &str = "_PEXBOOT_TRACE";
/// What marks a variable that goes on to the boot: a Python without one can't add anything.
const BOOT: &[u8] = b"_PEXBOOT=";
/// Times Python's part.
const TRACED: &str = include_str!("traced.py");

static TRACE: OnceLock<Trace> = OnceLock::new();

/// The trace of this launch.
#[derive(Debug)]
struct Trace {
    /// What is launched, as the timeline shows it.
    program: String,
    /// The file, absolute.
    path: PathBuf,
    /// Whether the application and its children go on with the variable: each then has a file of its own.
    goes_on: bool,
    /// When the launch began, nanoseconds.
    began: u64,
    events: Mutex<Vec<Event>>,
}

/// Something that takes time, until it is dropped.
#[must_use = "a step that is dropped at once has taken no time"]
#[derive(Debug)]
pub struct Step(Option<Event>);

impl Drop for Step {
    fn drop(&mut self) {
        if let (Some(mut event), Some(trace)) = (self.0.take(), TRACE.get()) {
            event.end = now();
            trace.add(event);
        }
    }
}

/// A step of the launch.
pub fn step(name: &'static str) -> Step {
    Step(TRACE.get().map(|_| Event::starts(now(), "launch", name)))
}

/// Does what is a step of the launch.
pub fn timed<T>(name: &'static str, work: impl FnOnce() -> T) -> T {
    let _step = step(name);
    work()
}

/// One of several things of a `kind` that are done alike, by its name.
pub fn item(kind: &'static str, name: impl FnOnce() -> String) -> Step {
    Step(TRACE.get().map(|_| Event::starts(now(), kind, name())))
}

/// Whether this launch is traced.
#[must_use]
pub fn is_on() -> bool {
    TRACE.get().is_some()
}

/// Begins the trace of a launch of the file `pex`, if the environment asks for one.
pub fn begin(pex: &Path) {
    let here = now();
    let Some(wanted) = std::env::var_os(VARIABLE).filter(|value| !value.is_empty() && value != "0")
    else {
        return;
    };
    // The stub's word is the last one; nothing else sets the variable but a caller who means mischief.
    let stamps = std::env::var_os(PRIVATE).and_then(|value| stamps(value.as_bytes()));
    let (path, goes_on) = with_pid(wanted.as_bytes(), std::process::id());
    let program = pex.file_name().unwrap_or_default().to_string_lossy();
    let trace = Trace {
        program: program.into_owned(),
        path: absolute(&path),
        goes_on,
        began: stamps.map_or(here, |(began, _)| began),
        events: Mutex::default(),
    };
    if let Some((began, asked)) = stamps {
        let mut seal = Event::starts(began, "launch", "seal");
        seal.end = asked;
        let mut engine = Event::starts(asked, "launch", "engine start");
        engine.end = here;
        trace.add(seal);
        trace.add(engine);
    }
    // Nobody else begins one.
    let _ = TRACE.set(trace);
}

/// Writes what there is to the file and gives what is executed in place of `command`, where the launch is traced: the
/// same without the variable, and with what traces the boot if there is one. `tell` takes a line for the user.
#[must_use]
pub fn finish(command: &Command, tell: &mut dyn FnMut(&str)) -> Option<Command> {
    let trace = TRACE.get()?;
    let began_writing = now();
    let joint = trace.write(tell);
    let mut command = untraced(command);
    let boots = command.env.iter().any(|entry| entry.starts_with(BOOT));
    if let Some(joint) = joint.filter(|_| boots) {
        let source = trace.for_the_boot(&joint, began_writing);
        command
            .env
            .push([PRIVATE.as_bytes(), b"=", source.as_bytes()].concat());
    }
    Some(command)
}

/// Writes what there is to the file, of a launch that failed.
pub fn give_up(tell: &mut dyn FnMut(&str)) {
    if let Some(trace) = TRACE.get() {
        trace.write(tell);
    }
}

/// The command without the variable, unless it names a file for each process.
#[must_use]
pub fn untraced(command: &Command) -> Command {
    let mut command = command.clone();
    if TRACE.get().is_some_and(|trace| !trace.goes_on) {
        let variable = [VARIABLE.as_bytes(), b"="].concat();
        command.env.retain(|entry| !entry.starts_with(&variable));
    }
    command
}

impl Trace {
    fn add(&self, event: Event) {
        let mut events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        events.push(event);
    }

    /// Writes the file; says so where that is not possible.
    fn write(&self, tell: &mut dyn FnMut(&str)) -> Option<Joint> {
        let events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        let text = event::Text::new(&self.program, &events, self.began, now());
        match file::write(&self.path, &text) {
            Ok(joint) => Some(joint),
            Err(error) => {
                tell(&format!(
                    "pexboot: no trace: {VARIABLE} names `{}`: {}",
                    crate::shown::line(self.path.display()),
                    crate::shown::line(error)
                ));
                None
            }
        }
    }

    /// The source of what traces the boot, with what it needs to know.
    fn for_the_boot(&self, joint: &Joint, began_writing: u64) -> String {
        let path: String = self
            .path
            .as_os_str()
            .as_bytes()
            .iter()
            .map(|byte| format!("\\x{byte:02x}"))
            .collect();
        format!(
            "FILE = b\"{path}\"\nINODE, OFFSET = {}, {}\nBEGAN, WROTE, EXEC = {}, {}, {}\n{TRACED}",
            joint.inode,
            joint.offset,
            event::microseconds(self.began),
            event::microseconds(began_writing),
            event::microseconds(now()),
        )
    }
}

/// CLOCK_MONOTONIC in nanoseconds; 0 where the kernel does not say.
fn now() -> u64 {
    clock_gettime(ClockId::CLOCK_MONOTONIC)
        .map_or(0, |time| nanoseconds(time.tv_sec(), time.tv_nsec()))
}

fn nanoseconds(seconds: i64, nanoseconds: i64) -> u64 {
    let number = |value| u64::try_from(value).unwrap_or_default();
    number(seconds)
        .saturating_mul(1_000_000_000)
        .saturating_add(number(nanoseconds))
}

/// When the stub began and when it asked for the engine, as the stub writes them (`stub/src/engine.rs`).
fn stamps(text: &[u8]) -> Option<(u64, u64)> {
    if text.len() != 64 {
        return None;
    }
    let digit = |at: usize| char::from(*text.get(at)?).to_digit(16).map(u64::from);
    let number = |at: usize| {
        (0..8).rev().try_fold(0_u64, |number, byte| {
            let place = 16 * at + 2 * byte;
            Some(number << 8 | digit(place)? << 4 | digit(place + 1)?)
        })
    };
    let time = |at| {
        let (whole, rest) = (number(at)?, number(at + 1)?);
        Some(nanoseconds(whole.cast_signed(), rest.cast_signed()))
    };
    Some((time(0)?, time(2)?))
}

/// The pattern with each `%p` replaced by the number of the process, and whether there was one.
fn with_pid(pattern: &[u8], pid: u32) -> (Vec<u8>, bool) {
    let mut path = Vec::with_capacity(pattern.len());
    let (mut rest, mut found) = (pattern, false);
    loop {
        match rest {
            [b'%', b'p', behind @ ..] => {
                path.extend(pid.to_string().into_bytes());
                (rest, found) = (behind, true);
            }
            [byte, behind @ ..] => {
                path.push(*byte);
                rest = behind;
            }
            [] => return (path, found),
        }
    }
}

/// From the working directory.
fn absolute(path: &[u8]) -> PathBuf {
    let path = Path::new(OsStr::from_bytes(path));
    std::env::current_dir().map_or_else(|_| path.to_owned(), |directory| directory.join(path))
}
