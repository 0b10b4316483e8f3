//! Runs a Python once to ask it what it is; nothing else in the project runs one to ask it something.
//!
//! The child gets an empty pipe for stdin (a root file system made by hand has no `/dev/null`), default signals and an
//! empty mask, and is bounded in time and output. It leads a process group of its own, so that a wrapper that hangs is
//! ended with everything it started.

use std::ffi::CString;
use std::io::{PipeReader, Read as _};
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::spawn::{PosixSpawnAttr, PosixSpawnFileActions, PosixSpawnFlags, posix_spawn};
use nix::sys::signal::{SigSet, Signal, killpg};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use super::Boots;
use super::answer::Answer;
use crate::boot::{FILES, SOURCES};

/// The script that a Python runs.
pub(super) const SCRIPT: &str = include_str!("probe.py");

/// How long a Python may take; a cold disk is slow, but not that slow.
const PATIENCE: Duration = Duration::from_secs(10);
/// More than any honest answer has.
const MAX_OUTPUT: usize = 4 * 1024 * 1024;
/// How much of an error text is kept.
const MAX_ERROR: usize = 16 * 1024;

/// What a child left behind.
#[derive(Debug)]
pub(super) struct Output {
    /// What it wrote to stdout.
    pub(super) stdout: Vec<u8>,
    /// What it wrote to stderr, shortened.
    pub(super) stderr: String,
}

/// Asks the Python at `binary`, which also compiles the [`SOURCES`] unless it is one of those that `came` has. The error is
/// fit for the list of broken interpreters.
///
/// Gives the answer also as it was written, to be kept.
pub(super) fn ask(binary: &Path, came: Option<&Boots>) -> Result<(Answer, Vec<u8>), String> {
    let _step = crate::trace::item("probe", || format!("probe {}", binary.display()));
    let tags = came.iter().flat_map(|boots| boots.keys());
    let tags: Vec<&str> = tags.map(String::as_str).collect();
    let tags = tags.join(" ");
    let sources: Vec<&str> = FILES
        .into_iter()
        .zip(SOURCES)
        .flat_map(<[&str; 2]>::from)
        .collect();
    let asked =
        |options: &[&'static str]| [options, &["-S", "-B", "-c", SCRIPT, &tags], &sources].concat();
    let mut output = run(binary, &asked(&["-I"]), PATIENCE)?;
    // Before 3.4 there was no -I.
    if output.stdout.is_empty() && output.stderr.contains("nknown option: -I") {
        output = run(binary, &asked(&["-E", "-s"]), PATIENCE)?;
    }
    let answer = Answer::parse(&output.stdout).map_err(|why| complaint(why, &output.stderr))?;
    Ok((answer, output.stdout))
}

/// The version of a musl loader, which prints it when it is run without arguments (PEP 656).
pub(super) fn musl_version(loader: &Path) -> Option<(u32, u32)> {
    let output = run(loader, &[], PATIENCE).ok()?;
    let mut lines = output
        .stderr
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty());
    lines.next().filter(|line| line.starts_with("musl"))?;
    let mut numbers = lines.next()?.strip_prefix("Version ")?.split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

fn complaint(why: String, stderr: &str) -> String {
    if stderr.is_empty() {
        why
    } else {
        stderr.to_owned()
    }
}

/// Runs `program` to its end.
fn run(program: &Path, arguments: &[&str], patience: Duration) -> Result<Output, String> {
    let failed = |what: &str, error: &dyn std::fmt::Display| format!("{what}: {error}");
    // Where 0 to 2 are closed, the pipes would take their places and be lost when the child's are set up.
    let (_reserved, empty) = reserve().map_err(|error| failed("could not make a pipe", &error))?;
    let (stdout, stdout_writer) =
        std::io::pipe().map_err(|error| failed("could not make a pipe", &error))?;
    let (stderr, stderr_writer) =
        std::io::pipe().map_err(|error| failed("could not make a pipe", &error))?;

    let spawn = || -> Result<Pid, Errno> {
        let mut files = PosixSpawnFileActions::init()?;
        files.add_dup2(empty.as_raw_fd(), 0)?;
        files.add_dup2(stdout_writer.as_raw_fd(), 1)?;
        files.add_dup2(stderr_writer.as_raw_fd(), 2)?;
        let mut attributes = PosixSpawnAttr::init()?;
        attributes.set_flags(
            PosixSpawnFlags::POSIX_SPAWN_SETSIGDEF
                | PosixSpawnFlags::POSIX_SPAWN_SETSIGMASK
                | PosixSpawnFlags::POSIX_SPAWN_SETPGROUP,
        )?;
        attributes.set_sigdefault(&SigSet::all())?;
        attributes.set_sigmask(&SigSet::empty())?;
        attributes.set_pgroup(Pid::from_raw(0))?;
        let program = CString::new(program.as_os_str().as_bytes()).map_err(|_| Errno::EINVAL)?;
        let mut argv = vec![program.clone()];
        for argument in arguments {
            argv.push(CString::new(*argument).map_err(|_| Errno::EINVAL)?);
        }
        // It would have this Python take itself for another one.
        let environment = std::env::vars_os()
            .filter(|(name, _)| name != "PYTHONEXECUTABLE")
            .map(|(name, value)| CString::new([name.as_bytes(), b"=", value.as_bytes()].concat()))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|_| Errno::EINVAL)?;
        posix_spawn(program.as_c_str(), &files, &attributes, &argv, &environment)
    };
    let child = spawn().map_err(|error| failed("could not be started", &error.desc()))?;
    drop((stdout_writer, stderr_writer));

    let deadline = Instant::now() + patience;
    let output = collect(stdout, stderr, deadline);
    let ended = output.is_ok() && reap(child, deadline);
    if !ended {
        // Whatever of its group is left; that nothing may be is no error.
        let _ = killpg(child, Signal::SIGKILL);
        // ECHILD where SIGCHLD is ignored: the kernel has reaped it already.
        while waitpid(child, None) == Err(Errno::EINTR) {}
    }
    match output {
        Ok(output) if ended => Ok(output),
        Ok(_) => Err("did not end in time".to_owned()),
        Err(error) => Err(error),
    }
}

/// Occupies the descriptors 0 to 2 as far as they are free, for as long as the result lives; gives a pipe above them, from
/// which nothing comes.
fn reserve() -> std::io::Result<(Vec<OwnedFd>, PipeReader)> {
    let mut held: Vec<OwnedFd> = Vec::new();
    loop {
        let (reader, writer) = std::io::pipe()?;
        if reader.as_raw_fd() > 2 {
            return Ok((held, reader));
        }
        held.extend([reader.into(), writer.into()]);
    }
}

/// Reads both pipes until they end, the limit is passed or time is up.
fn collect(
    mut stdout: PipeReader,
    mut stderr: PipeReader,
    deadline: Instant,
) -> Result<Output, String> {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let (mut out_open, mut err_open) = (true, true);
    let mut buffer = vec![0; 64 * 1024];
    while out_open || err_open {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err("did not answer in time".to_owned());
        }
        let (out_ready, err_ready) = {
            let mut fds = Vec::with_capacity(2);
            if out_open {
                fds.push(PollFd::new(stdout.as_fd(), PollFlags::POLLIN));
            }
            if err_open {
                fds.push(PollFd::new(stderr.as_fd(), PollFlags::POLLIN));
            }
            // Rounded up, or the last millisecond would be spent spinning.
            let timeout = PollTimeout::try_from(left.as_millis() + 1).unwrap_or(PollTimeout::MAX);
            match poll(&mut fds, timeout) {
                Err(Errno::EINTR) => continue,
                Err(error) => return Err(format!("could not be waited for: {}", error.desc())),
                Ok(_) => {}
            }
            let ready = |index: usize| fds.get(index).and_then(PollFd::any).unwrap_or(false);
            (
                out_open && ready(0),
                err_open && ready(usize::from(out_open)),
            )
        };
        if out_ready {
            let count = stdout.read(&mut buffer).unwrap_or(0);
            out_open = count > 0;
            out.extend_from_slice(&buffer[..count]);
            if out.len() > MAX_OUTPUT {
                return Err("answered with more than a Python has to say".to_owned());
            }
        }
        if err_ready {
            let count = stderr.read(&mut buffer).unwrap_or(0);
            err_open = count > 0;
            let room = MAX_ERROR.saturating_sub(err.len());
            err.extend_from_slice(&buffer[..count.min(room)]);
        }
    }
    Ok(Output {
        stdout: out,
        stderr: String::from_utf8_lossy(&err).trim().to_owned(),
    })
}

/// Waits for a child that has closed its outputs and so is about to be gone; says whether it is.
fn reap(child: Pid, deadline: Instant) -> bool {
    loop {
        match waitpid(child, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::StillAlive) if Instant::now() >= deadline => return false,
            Ok(WaitStatus::StillAlive) => {
                // Nothing to wait on but time; an exiting process takes some microseconds.
                std::thread::sleep(Duration::from_micros(50));
            }
            Err(Errno::EINTR) => {}
            Ok(_) | Err(_) => return true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::record::record_tests::program;
    use super::*;

    #[test]
    fn a_program_that_hangs_is_ended() {
        let script = "echo x; sleep 1000 & sleep 1000";
        let error = run(
            Path::new("/bin/sh"),
            &["-c", script],
            Duration::from_millis(50),
        );
        assert_eq!(error.unwrap_err(), "did not answer in time");
        let script = "exec >&- 2>&-; sleep 1000";
        let error = run(
            Path::new("/bin/sh"),
            &["-c", script],
            Duration::from_millis(50),
        );
        assert!(error.unwrap_err().ends_with("in time"));
    }

    #[test]
    fn both_outputs_are_read_to_their_end() {
        let script = "head -c 300000 /dev/zero; head -c 300000 /dev/zero >&2; cat";
        let output = run(Path::new("/bin/sh"), &["-c", script], PATIENCE).unwrap();
        assert_eq!(
            (output.stdout.len(), output.stderr.len()),
            (300_000, MAX_ERROR)
        );
    }

    #[test]
    fn a_musl_loader_says_its_version() {
        let directory = tempfile::tempdir().unwrap();
        let loader = directory.path().join("ld-musl");
        let check = |text: &str, expected| {
            program(
                &loader,
                &format!("#!/bin/sh\nprintf '{text}' >&2\nexit 127\n"),
                0o755,
            );
            assert_eq!(musl_version(&loader), expected, "{text}");
        };
        check(
            "musl libc (x86_64)\\nVersion 1.2.3\\nDynamic Program Loader\\n",
            Some((1, 2)),
        );
        check("musl libc (x86_64)\\nVersion x\\n", None);
        check("ld.so: missing program name\\n", None);
    }

    /// Runs itself once more, started by a Python that ignores SIGCHLD.
    #[test]
    fn sigchld_may_be_ignored() {
        const AGAIN: &str = "PEXBOOT_TEST_SIGCHLD";
        if std::env::var_os(AGAIN).is_some() {
            let status = std::fs::read_to_string("/proc/self/status").unwrap();
            let ignored = status
                .lines()
                .find_map(|line| line.strip_prefix("SigIgn:"))
                .unwrap();
            let ignored = u64::from_str_radix(ignored.trim(), 16).unwrap();
            assert_ne!(ignored & (1 << (Signal::SIGCHLD as i32 - 1)), 0);
            ask(Path::new("/usr/bin/python3"), None).unwrap();
            let error = ask(Path::new("/etc/passwd"), None).unwrap_err();
            assert!(error.contains("could not be started"), "{error}");
            return;
        }
        let code = "import os, signal, sys; signal.signal(signal.SIGCHLD, signal.SIG_IGN); \
                    os.execv(sys.argv[1], sys.argv[1:])";
        let output = std::process::Command::new("/usr/bin/python3")
            .args(["-c", code])
            .arg(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "interpreter::probe::tests::sigchld_may_be_ignored",
            ])
            .env(AGAIN, "1")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success() && said.contains("1 passed"),
            "{said}"
        );
    }
}
