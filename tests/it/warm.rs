//! What a warm start costs, counted by strace: invariants 1 to 3 of the design. Counts do not wobble as clocks do.

use std::fs;

use crate::fixtures::{App, Pex, Wheel};
use crate::harness::{Outcome, Stage, Way};

/// Calls that a warm start may make beside the `stat` of each input.
const BUDGET: usize = 60;

/// The system calls of the native part of one start: from the kernel's exec of the file to the exec of Python.
struct Traced {
    outcome: Outcome,
    calls: Vec<String>,
}

impl Traced {
    fn named(&self, names: &[&str]) -> Vec<&String> {
        let named = |call: &&String| names.contains(&name(call));
        self.calls.iter().filter(named).collect()
    }
}

fn name(call: &str) -> &str {
    call.split('(').next().unwrap_or_default()
}

/// One start under strace. Lines are `PID call(arguments) = result`.
fn traced(stage: &Stage, args: &[&str]) -> Traced {
    let log = stage.path("trace");
    let words = [
        "/usr/bin/strace",
        "-f",
        "-s",
        "256",
        "-o",
        log.to_str().unwrap(),
    ];
    let outcome = stage.start().before(words).args(args).run();
    let text = fs::read_to_string(&log).unwrap();
    let mut calls: Vec<String> = text
        .lines()
        .filter_map(|line| line.split_once(' '))
        .map(|(_, call)| call.trim_start().to_string())
        .collect();
    assert!(calls[0].starts_with("execve("), "{text}");
    let python = 1 + calls[1..]
        .iter()
        .position(|call| name(call) == "execve")
        .expect("Python");
    calls.truncate(python + 1);
    calls.remove(0);
    Traced { outcome, calls }
}

/// A machine on which the PEX has been started before.
fn warmed(pex: &crate::fixtures::Built, args: &[&str]) -> Stage {
    let stage = Stage::new(Way::Embedded, pex);
    stage.start().args(args).run().ok();
    stage
}

#[test]
fn a_warm_start_writes_nothing_locks_nothing_and_executes_once() {
    let args = ["-t", "moo"];
    let stage = warmed(&App::cowsay().build(), &args);
    let traced = traced(&stage, &args);
    traced.outcome.ok();

    let forbidden = [
        // writes
        "write",
        "pwrite64",
        "writev",
        "mkdir",
        "mkdirat",
        "rename",
        "renameat",
        "renameat2",
        "unlink",
        "unlinkat",
        "link",
        "linkat",
        "symlink",
        "symlinkat",
        "chmod",
        "fchmod",
        "fchmodat",
        "utimensat",
        "ftruncate",
        "fsync",
        // locks
        "flock",
        "fcntl",
        // processes and threads
        "fork",
        "vfork",
        "clone",
        "clone3",
        "wait4",
        "waitid",
        "pipe",
        "pipe2",
        // directories
        "getdents",
        "getdents64",
        "chdir",
        "fchdir",
        // what the application would inherit
        "rt_sigaction",
        "rt_sigprocmask",
        "sigaltstack",
        "setrlimit",
        "prlimit64",
        "umask",
        "dup",
        "dup2",
        "dup3",
        // the network
        "socket",
        "connect",
    ];
    assert_eq!(traced.named(&forbidden), Vec::<&String>::new());
    for open in traced.named(&["open", "openat"]) {
        assert!(
            open.contains("O_RDONLY") && open.contains("O_CLOEXEC"),
            "{open}"
        );
    }
    assert!(
        traced.named(&["open", "openat"]).len() <= 4,
        "{:#?}",
        traced.calls
    );

    let stats = traced
        .named(&["stat", "lstat", "newfstatat", "statx"])
        .len();
    let others = traced.calls.len() - stats;
    assert!(others <= BUDGET, "{others} calls: {:#?}", traced.calls);
    let python = traced.calls.last().unwrap();
    assert!(
        python.starts_with("execve(\"/usr/bin/python3.11\", "),
        "{python}"
    );
}

#[test]
fn what_a_warm_start_costs_does_not_depend_on_the_size_of_the_archive() {
    let text = "def main():\n    print('started')\n";
    let small = Pex::app("sized", text).dep(Wheel::new("dep", "1.0"));
    let large = (0..200).fold(small.clone(), |pex, number| {
        pex.source(&format!("more/m{number}.py"), &"x = 1\n".repeat(2000))
    });
    let count = |pex: &Pex| {
        let stage = warmed(&pex.build(), &[]);
        let traced = traced(&stage, &[]);
        traced.outcome.ok().prints("started");
        traced
            .calls
            .iter()
            .map(|call| name(call).to_string())
            .collect::<Vec<_>>()
    };
    assert_eq!(count(&small), count(&large));
}

#[test]
fn each_wheel_costs_a_warm_start_one_stat_at_most() {
    let with = |wheels: usize| {
        (0..wheels).fold(
            Pex::app("wheels", "def main():\n    pass\n"),
            |pex, number| pex.dep(Wheel::new(&format!("dep{number}"), "1.0")),
        )
    };
    let count = |wheels: usize| {
        let stage = warmed(&with(wheels).build(), &[]);
        let traced = traced(&stage, &[]);
        traced.outcome.ok();
        traced.calls.len()
    };
    let (few, many) = (count(2), count(22));
    assert!(
        many <= few + 20,
        "{few} calls with 2 wheels, {many} with 22"
    );
}

/// Under strace even a cold start shows that no process outlives its purpose: the one that was started becomes Python.
#[test]
fn the_application_has_the_pid_that_was_started() {
    let pex = Pex::app(
        "pid",
        "import os\ndef main():\n    print(os.getpid(), os.getppid())\n",
    )
    .build();
    let stage = Stage::new(Way::Embedded, &pex);
    for _ in 0..2 {
        let child = stage
            .start()
            .command()
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let pid = child.id();
        let output = child.wait_with_output().unwrap();
        let expected = format!("{pid} {}", std::process::id());
        assert_eq!(String::from_utf8_lossy(&output.stdout).trim_end(), expected);
    }
}
