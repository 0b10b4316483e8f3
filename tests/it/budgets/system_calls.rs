//! System calls of the native part of a start, as strace writes them down: from the kernel's exec of the file to the exec
//! of Python, of every thread of that process and of no other.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fs;

use crate::harness::{Outcome, Stage, Start};

/// One system call.
#[derive(Debug, Clone)]
pub struct Call {
    /// As strace shows it: `name(arguments) = result`.
    pub text: String,
}

impl Call {
    pub fn name(&self) -> &str {
        self.text.split('(').next().unwrap_or_default()
    }

    fn is_exec(&self) -> bool {
        matches!(self.name(), "execve" | "execveat") && self.result() == Some(0)
    }

    /// The result, where it is a number that is none of an error.
    pub fn result(&self) -> Option<u64> {
        let (_, result) = self.text.rsplit_once(" = ")?;
        result.split(' ').next()?.parse().ok()
    }
}

/// What one start did.
#[derive(Debug)]
pub struct Traced {
    pub outcome: Outcome,
    /// The calls of the native part.
    pub calls: Vec<Call>,
}

impl Traced {
    /// What the engine did of it. (How the stub comes by the engine depends on the machine: the private root in `/var/tmp`
    /// may have it.)
    pub fn of_the_engine(mut self) -> Traced {
        let before = self.calls.len().saturating_sub(1);
        let begins = self.calls[..before].iter().rposition(Call::is_exec);
        let begins = begins.expect("an exec of the engine");
        self.calls.drain(..=begins);
        self
    }

    pub fn named(&self, names: &[&str]) -> Vec<&Call> {
        let named = |call: &&Call| names.contains(&call.name());
        self.calls.iter().filter(named).collect()
    }

    pub fn count(&self, names: &[&str]) -> u64 {
        self.named(names).len() as u64
    }

    pub fn stats(&self) -> u64 {
        self.count(&["stat", "lstat", "newfstatat", "statx"])
    }

    /// Files and directories that were opened.
    pub fn opens(&self) -> u64 {
        self.count(&["open", "openat"])
    }

    pub fn bytes_written(&self) -> u64 {
        let writes = self.named(&["write", "pwrite64", "writev", "copy_file_range", "sendfile"]);
        writes.iter().filter_map(|call| call.result()).sum()
    }

    /// Regular files that were made: opened as new ones, linked, or made in memory.
    pub fn files_made(&self) -> u64 {
        let opened = self.named(&["open", "openat"]);
        let new = opened.iter().filter(|call| call.text.contains("O_CREAT"));
        let made = new.filter(|call| call.result().is_some()).count() as u64;
        made + self.count(&["link", "linkat", "memfd_create"])
    }

    /// Processes that were started.
    pub fn processes(&self) -> u64 {
        let started = self.named(&["clone", "clone3", "fork", "vfork"]);
        started
            .iter()
            .filter(|call| !call.text.contains("CLONE_THREAD"))
            .count() as u64
    }

    /// Calls whose number is no matter of luck: how often threads and processes wait for each other, and in how many pieces
    /// a pipe is read, is.
    pub fn steady(&self) -> u64 {
        const UNSTEADY: &[&str] = &[
            "clock_nanosleep",
            "futex",
            "poll",
            "ppoll",
            "read",
            "restart_syscall",
            "wait4",
            "waitid",
        ];
        let unsteady = |call: &Call| UNSTEADY.contains(&call.name());
        self.calls.iter().filter(|call| !unsteady(call)).count() as u64
    }
}

/// One start under strace.
pub fn traced(stage: &Stage, args: &[&str]) -> Traced {
    traced_start(stage, &[], |start| start.args(args))
}

/// The same on one processor, so that the number of workers is one.
pub fn traced_on_one_processor(stage: &Stage) -> Traced {
    let one = super::one_processor();
    let words: Vec<&str> = one.iter().map(String::as_str).collect();
    traced_start(stage, &words, |start| start)
}

/// The same of a start behind these words.
pub fn traced_start<'a>(
    stage: &'a Stage,
    before: &[&str],
    describe: impl Fn(Start<'a>) -> Start<'a>,
) -> Traced {
    let log = stage.path("strace");
    let strace = [
        "/usr/bin/strace",
        "-f",
        "-s",
        "256",
        "-o",
        log.to_str().unwrap(),
    ];
    let start = describe(stage.start().before(before.iter().chain(&strace)));
    let outcome = start.run();
    let text = fs::read_to_string(&log).unwrap();
    Traced {
        calls: native(&text),
        outcome,
    }
}

/// The names of all calls in a log, whosever they are.
pub fn names_of(text: &str) -> BTreeSet<String> {
    let called = text.lines().filter_map(|line| {
        let (_, call) = line.split_once(' ')?;
        let (name, _) = call.trim_start().split_once('(')?;
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        name.chars().all(is_name).then(|| name.to_owned())
    });
    called.collect()
}

/// The native part of a log whose lines are `PID call(arguments) = result`.
fn native(text: &str) -> Vec<Call> {
    let mut unfinished: HashMap<&str, &str> = HashMap::new();
    let mut all: Vec<(&str, Call)> = Vec::new();
    for line in text.lines() {
        let Some((pid, text)) = line.split_once(' ') else {
            continue;
        };
        let text = text.trim_start();
        if let Some(begun) = text.strip_suffix(" <unfinished ...>") {
            unfinished.insert(pid, begun);
            continue;
        }
        let text = match text.split_once(" resumed>") {
            Some((_, rest)) if text.starts_with("<... ") => {
                unfinished.remove(pid).unwrap_or_default().to_owned() + rest
            }
            _ => text.to_owned(),
        };
        if !text.starts_with(['+', '-']) {
            all.push((pid, Call { text }));
        }
    }
    let main = all.first().map_or("", |(pid, _)| pid);
    // Processes that the launch started, with their threads: what they do is none of its own calls.
    let mut others: HashSet<String> = HashSet::new();
    loop {
        let known = others.len();
        for (pid, call) in &all {
            let started = ["clone", "clone3", "fork", "vfork"].contains(&call.name());
            let thread = call.text.contains("CLONE_THREAD") && !others.contains(*pid);
            if started
                && !thread
                && let Some(child) = call.result()
            {
                others.insert(child.to_string());
            }
        }
        if others.len() == known {
            break;
        }
    }
    let mut calls: Vec<(bool, Call)> = all
        .into_iter()
        .filter(|(pid, _)| !others.contains(*pid))
        .map(|(pid, call)| (pid == main, call))
        .collect();
    let first = calls.iter().position(|(_, call)| call.is_exec());
    let python = calls
        .iter()
        .rposition(|(main, call)| *main && call.is_exec());
    let (Some(first), Some(python)) = (first, python) else {
        panic!("no exec of the file or of Python:\n{text}");
    };
    calls.truncate(python + 1);
    calls
        .split_off(first + 1)
        .into_iter()
        .map(|(_, call)| call)
        .collect()
}

#[test]
fn a_log_is_read_as_strace_writes_it() {
    let log = "\
10 execve(\"/app\", [\"a\"], 0x7f /* 3 vars */) = 0
10 clone3({flags=CLONE_VM|CLONE_VFORK} <unfinished ...>
11 execve(\"/usr/bin/python3\", [\"b\"], 0x7f) = 0
11 write(1, \"abc\", 3) = 3
10 <... clone3 resumed>, 88) = 11
10 clone3({flags=CLONE_VM|CLONE_THREAD}, 88) = 12
12 openat(AT_FDCWD, \"f\", O_WRONLY|O_CREAT) = 3
12 openat(AT_FDCWD, \"g\", O_WRONLY|O_CREAT|O_EXCL) = -1 EEXIST (File exists)
12 write(3, \"x = y\", 5 <unfinished ...>
10 --- SIGCHLD {si_signo=SIGCHLD} ---
12 <... write resumed>) = 5
12 +++ exited with 0 +++
10 execve(\"/usr/bin/python3\", [\"c\"], 0x7f) = 0
10 write(1, \"not ours\", 8) = 8
";
    let traced = Traced {
        outcome: Outcome::default(),
        calls: native(log),
    };
    assert_eq!(traced.calls.len(), 6, "{:#?}", traced.calls);
    assert_eq!(traced.bytes_written(), 5);
    assert_eq!(
        (traced.opens(), traced.files_made(), traced.processes()),
        (2, 1, 1)
    );
}
