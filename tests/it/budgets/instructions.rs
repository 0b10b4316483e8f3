//! Instructions: of the stub, counted one by one; of whole programs, by callgrind.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::libc;
use nix::sys::ptrace;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::fixtures::files_below;
use crate::harness::Start;

/// Instructions from the kernel's exec of the file to its exec of something else.
///
/// The processor stops behind each of them. callgrind can't say: what it counted is lost where a program executes another.
pub fn of_the_stub(start: Start<'_>) -> u64 {
    let start = start.after_shell("kill -STOP $$");
    let mut command = start.command();
    command.stdin(Stdio::null()).stdout(Stdio::null());
    let mut child = command.spawn().unwrap();
    let pid = Pid::from_raw(child.id().cast_signed());
    // The shell waits to be looked at.
    let stopped = waitpid(pid, Some(WaitPidFlag::WUNTRACED)).unwrap();
    assert!(matches!(stopped, WaitStatus::Stopped(..)), "{stopped:?}");
    ptrace::seize(pid, ptrace::Options::PTRACE_O_TRACEEXEC).unwrap();
    kill(pid, Signal::SIGCONT).unwrap();
    let next_exec = |step: bool| {
        let mut count = 0;
        loop {
            match waitpid(pid, None).unwrap() {
                WaitStatus::PtraceEvent(_, _, libc::PTRACE_EVENT_EXEC) => return count,
                WaitStatus::PtraceEvent(..) | WaitStatus::Stopped(..) => {}
                other => panic!("{other:?} instead of an exec"),
            }
            if step {
                ptrace::step(pid, None).unwrap();
                count += 1;
            } else {
                ptrace::cont(pid, None).unwrap();
            }
        }
    };
    next_exec(false);
    ptrace::step(pid, None).unwrap();
    let count = 1 + next_exec(true);
    ptrace::detach(pid, None).unwrap();
    assert!(child.wait().unwrap().success());
    count
}

/// The words that have callgrind count what follows them.
pub const CALLGRIND: [&str; 5] = [
    "/usr/bin/valgrind",
    "--tool=callgrind",
    "--trace-children=yes",
    "--callgrind-out-file=/dev/null",
    "--",
];

/// What callgrind said last: of the program that the process was in the end.
pub fn collected(stderr: &str) -> u64 {
    let (_, count) = stderr
        .rsplit_once("Collected : ")
        .unwrap_or_else(|| panic!("callgrind said nothing:\n{stderr}"));
    count.split_whitespace().next().unwrap().parse().unwrap()
}

/// Instructions of a program until it executes another, by callgrind, which writes down what it has counted every so many
/// basic blocks, and loses what came after the last time.
pub fn until_it_executes_another(start: Start<'_>, scratch: &Path) -> u64 {
    fs::create_dir(scratch).unwrap();
    let words = [
        "/usr/bin/valgrind",
        "--quiet",
        "--tool=callgrind",
        "--dump-every-bb=20000",
    ];
    let file = format!("--callgrind-out-file={}/counts", scratch.display());
    start.before(words).before([file.as_str(), "--"]).run().ok();
    let total = |file: PathBuf| {
        let text = fs::read_to_string(file).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix("totals: "));
        line.map_or(0, |count| count.trim().parse().unwrap())
    };
    files_below(scratch).into_iter().map(total).sum::<u64>()
}

/// Instructions of a Python that runs nothing, started as the launch starts it.
pub fn of_a_bare_python(python: &Path) -> u64 {
    let output = Command::new(CALLGRIND[0])
        .args(&CALLGRIND[1..])
        .arg(python)
        .args(["-S", "-c", "pass"])
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("LANG", "C.UTF-8")
        .env("PYTHONHASHSEED", "0")
        .output()
        .unwrap();
    assert!(output.status.success());
    collected(&String::from_utf8_lossy(&output.stderr))
}
