//! The launcher's own share of a warm start: from the kernel's exec of the file to that of Python.
//!
//! The process is followed from exec to exec (ptrace(2)), and killed at the second. Its CPU time in between comes from the
//! scheduler, in nanoseconds. It holds the kernel's work of putting Python in the launcher's place, which any launcher
//! has; so the same is measured with a program of a few instructions that only execs Python: a bare exec.

use std::error::Error;
use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use nix::sys::ptrace::{self, Event, Options};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use pexboot::internals::bench::{Subject, write};

use super::process::run;
use super::{Stage, figures};
use crate::record::Figures;

/// One with few wheels, and a large one: the archive's size must not matter.
pub const APPS: [&str; 2] = ["cowsay", "scikit-learn"];

/// How many starts of each: cheap, and the figure is small.
const STARTS: usize = 200;

/// System calls that look at a file: `stat`, `fstat`, `lstat`, `newfstatat`, `statx` (x86-64).
const STATS: [u64; 5] = [4, 5, 6, 262, 332];

/// CPU time of both applications and of a bare exec, in turns; then the system calls of one start of each.
pub fn measure(stage: &mut Stage) -> Result<Figures, Box<dyn Error>> {
    let python = fs::canonicalize(stage.bench.workshop.python())?;
    let bare = stage.scratch.join("bare");
    write(&bare, &bare_exec(), 0o755)?;
    let bare = Subject::new("bare exec", bare, &[python.into_os_string()]);
    let [small, large] = APPS.map(|name| stage.embedded(name));
    let subjects = [small?, large?, bare];
    let mut places = Vec::new();
    for subject in &subjects {
        places.push(stage.session.warm_place(subject)?);
    }
    for _ in 0..3 {
        for (subject, place) in subjects.iter().zip(&places).take(APPS.len()) {
            run(&mut [stage.session.command(subject, place)])?;
        }
    }
    let mut samples = [const { Vec::new() }; 3];
    for _ in 0..STARTS {
        for (at, (subject, place)) in subjects.iter().zip(&places).enumerate() {
            let mut command = held(stage, subject, place);
            samples[at].push(follow(&mut command, false)?.milliseconds);
        }
    }
    let mut calls = Vec::new();
    for (subject, place) in subjects.iter().zip(&places).take(APPS.len()) {
        let mut command = held(stage, subject, place);
        calls.push(follow(&mut command, true)?);
    }
    let [small, large, bare] = samples;
    let one = |count: usize| vec![count as f64];
    Ok(figures([
        ("small: CPU ms", small),
        ("large: CPU ms", large),
        ("bare exec: CPU ms", bare),
        ("small: system calls", one(calls[0].calls)),
        ("small: of those stat", one(calls[0].stats)),
        ("large: system calls", one(calls[1].calls)),
        ("large: of those stat", one(calls[1].stats)),
    ]))
}

/// A shell that stops itself, and becomes `subject` when it is told to go on.
fn held(stage: &mut Stage, subject: &Subject, place: &Path) -> Command {
    let mut words: Vec<OsString> = vec![
        "-c".into(),
        "kill -STOP $$; exec \"$0\" \"$@\"".into(),
        subject.program.clone().into_os_string(),
    ];
    words.extend(subject.args.iter().cloned());
    let shell = Subject::new("held", "/bin/sh", &words);
    let mut command = stage.session.command(&shell, place);
    let quiet = command.stdin(Stdio::null()).stdout(Stdio::null());
    quiet.stderr(Stdio::null());
    command
}

/// What happened between two execs.
struct Followed {
    milliseconds: f64,
    calls: usize,
    stats: usize,
}

/// Follows a held command from its exec to the next, and ends it there. Counting system calls costs time, so it is
/// either.
fn follow(command: &mut Command, counting: bool) -> Result<Followed, Box<dyn Error>> {
    let mut child = command.spawn()?;
    let pid = Pid::from_raw(child.id().try_into()?);
    let followed = between(pid, counting);
    child.kill()?;
    child.wait()?;
    followed
}

fn between(pid: Pid, counting: bool) -> Result<Followed, Box<dyn Error>> {
    let stopped = waitpid(pid, Some(WaitPidFlag::WUNTRACED))?;
    if !matches!(stopped, WaitStatus::Stopped(..)) {
        return Err(format!("not held: {stopped:?}").into());
    }
    let options =
        Options::PTRACE_O_TRACEEXEC | Options::PTRACE_O_TRACESYSGOOD | Options::PTRACE_O_EXITKILL;
    ptrace::seize(pid, options)?;
    kill(pid, Signal::SIGCONT)?;
    let mut begin = None;
    let (mut calls, mut stats) = (0, 0);
    loop {
        let mut signal = None;
        match waitpid(pid, None)? {
            WaitStatus::PtraceEvent(_, _, event) if event == Event::PTRACE_EVENT_EXEC as i32 => {
                let now = nanoseconds(pid)?;
                let Some(begin) = begin.replace(now) else {
                    continue_(pid, counting, None)?;
                    continue;
                };
                return Ok(Followed {
                    milliseconds: (now - begin) as f64 / 1e6,
                    calls,
                    stats,
                });
            }
            WaitStatus::PtraceSyscall(_) => {
                let registers = ptrace::getregs(pid)?;
                // At the entry the result is still `-ENOSYS`.
                if registers.rax.cast_signed() == -i64::from(nix::libc::ENOSYS) {
                    calls += 1;
                    stats += usize::from(STATS.contains(&registers.orig_rax));
                }
            }
            WaitStatus::Stopped(_, other) => signal = Some(other),
            WaitStatus::PtraceEvent(..) => {}
            ended => return Err(format!("ended before it ran Python: {ended:?}").into()),
        }
        continue_(pid, counting && begin.is_some(), signal)?;
    }
}

fn continue_(pid: Pid, counting: bool, signal: Option<Signal>) -> nix::Result<()> {
    if counting {
        ptrace::syscall(pid, signal)
    } else {
        ptrace::cont(pid, signal)
    }
}

/// CPU time used so far (the first field of /proc/PID/schedstat, Documentation/scheduler/sched-stats.rst).
fn nanoseconds(pid: Pid) -> Result<u64, Box<dyn Error>> {
    let text = fs::read_to_string(format!("/proc/{pid}/schedstat"))?;
    let first = text.split_whitespace().next().unwrap_or_default();
    Ok(first.parse()?)
}

/// An executable that does `execve(argv[1], argv + 1, environ)` and nothing else: an ELF header, one segment, code.
fn bare_exec() -> Vec<u8> {
    const ADDRESS: u64 = 0x40_0000;
    const HEADERS: u64 = 64 + 56;
    #[rustfmt::skip]
    let code: [u8; 38] = [
        0x48, 0x8b, 0x0c, 0x24,       // mov rcx, [rsp]             argc
        0x48, 0x8d, 0x74, 0x24, 0x10, // lea rsi, [rsp + 16]        argv + 1
        0x48, 0x8b, 0x3e,             // mov rdi, [rsi]             argv[1]
        0x48, 0x8d, 0x54, 0xcc, 0x10, // lea rdx, [rsp + 8 rcx + 16]  environ
        0xb8, 59, 0, 0, 0,            // mov eax, execve
        0x0f, 0x05,                   // syscall
        0xbf, 127, 0, 0, 0,           // mov edi, 127
        0xb8, 60, 0, 0, 0,            // mov eax, exit
        0x0f, 0x05,                   // syscall
        0x0f, 0x0b,                   // ud2
    ];
    let size = HEADERS + code.len() as u64;
    let mut file = Vec::new();
    // Magic, 64 bits, little-endian, version 1; then an executable for x86-64.
    file.extend(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0");
    file.extend([2, 0, 62, 0, 1, 0, 0, 0]);
    // Entry point, program headers, no section headers.
    for number in [ADDRESS + HEADERS, 64, 0] {
        file.extend(u64::to_le_bytes(number));
    }
    // Flags; sizes and counts of headers.
    file.extend([0, 0, 0, 0, 64, 0, 56, 0, 1, 0, 0, 0, 0, 0, 0, 0]);
    // One segment to load, to be read and executed: all of the file.
    file.extend([1, 0, 0, 0, 5, 0, 0, 0]);
    for number in [0, ADDRESS, ADDRESS, size, size, 0x1000] {
        file.extend(u64::to_le_bytes(number));
    }
    file.extend(code);
    file
}
