//! One measured process: started, awaited, its time taken from the kernel's own accounts.
//!
//! CPU time is the difference of `getrusage(RUSAGE_CHILDREN)` around the run, which is what `wait4` would report: user
//! and system time of the child and of all descendants that were awaited. The kernel knows the sum to the microsecond;
//! how it splits into user and system is an estimate by timer ticks. Only one child is measured at a time per process.

use std::fs::File;
use std::io::Read;
use std::io::Seek;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

/// What one run took. Times in seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    /// From before the start to after the end, by the monotonic clock.
    pub wall: f64,
    /// CPU time in user mode.
    pub user: f64,
    /// CPU time in the kernel.
    pub system: f64,
    /// The exit code; 128 + n for a death by signal n, as shells have it.
    pub exit_code: i32,
}

impl Sample {
    /// User and system time together.
    #[must_use]
    pub fn cpu(&self) -> f64 {
        self.user + self.system
    }
}

/// A run's sample and what it wrote.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) sample: Sample,
    pub(super) stdout: Vec<u8>,
    pub(super) stderr: Vec<u8>,
}

/// Only one measured child at a time: `RUSAGE_CHILDREN` is the whole process's.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Runs `command` to its end, standard input from `/dev/null`, both outputs into memory files: no reader of ours wakes
/// up meanwhile, and no disk is written.
pub(super) fn measure(command: &mut Command) -> std::io::Result<Run> {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let (mut stdout, mut stderr) = (memory_file()?, memory_file()?);
    command
        .stdin(Stdio::null())
        .stdout(stdout.try_clone()?)
        .stderr(stderr.try_clone()?);
    let before = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let start = Instant::now();
    let status = command.spawn()?.wait()?;
    let wall = start.elapsed().as_secs_f64();
    let after = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let sample = Sample {
        wall,
        user: seconds(after.user_time().num_microseconds() - before.user_time().num_microseconds()),
        system: seconds(
            after.system_time().num_microseconds() - before.system_time().num_microseconds(),
        ),
        exit_code: exit_code(status),
    };
    Ok(Run {
        sample,
        stdout: contents(&mut stdout)?,
        stderr: contents(&mut stderr)?,
    })
}

fn memory_file() -> std::io::Result<File> {
    Ok(File::from(memfd_create("output", MFdFlags::MFD_CLOEXEC)?))
}

/// Everything in `file`; the child moved the offset, which is shared with it.
fn contents(file: &mut File) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.rewind()?;
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn seconds(microseconds: i64) -> f64 {
    Duration::from_micros(microseconds.max(0).unsigned_abs()).as_secs_f64()
}

fn exit_code(status: ExitStatus) -> i32 {
    // One of the two is always there for a process that ended; 255 would be neither.
    status
        .code()
        .or_else(|| status.signal().map(|signal| 128 + signal))
        .unwrap_or(255)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Run {
        measure(Command::new("/bin/sh").args(["-c", script])).unwrap()
    }

    #[test]
    fn outputs_and_exit_code_are_kept_apart() {
        let run = shell("echo out; echo err >&2; exit 3");
        assert_eq!(
            (run.stdout.as_slice(), run.stderr.as_slice()),
            (&b"out\n"[..], &b"err\n"[..])
        );
        assert_eq!(run.sample.exit_code, 3);
    }

    #[test]
    fn a_death_by_signal_is_told_as_shells_do() {
        assert_eq!(shell("kill -TERM $$").sample.exit_code, 128 + 15);
    }

    #[test]
    fn cpu_time_of_grandchildren_counts() {
        // The grandchild ends when the kernel says that it has used 5 ticks of 10 ms (fields 14 and 15 of
        // /proc/PID/stat, proc(5)).
        let script = r#"sh -c 'until read -r s </proc/self/stat && set -- $s && [ $((${14}+${15})) -ge 5 ]; do :; done'; :"#;
        let sample = shell(script).sample;
        assert!(sample.cpu() >= 0.04, "{sample:?}");
    }

    #[test]
    fn a_missing_program_is_an_error() {
        let error = measure(&mut Command::new("/nonexistent/program")).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
    }
}
