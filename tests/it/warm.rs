//! What a warm start does and does not do, by strace: invariants 1 to 3 of the design. How much it costs is counted in
//! [`crate::budgets`].

use crate::budgets::system_calls::traced;
use crate::budgets::warmed;
use crate::fixtures::{App, Pex, Wheel};
use crate::harness::{Stage, Way};

/// Calls that a warm start may make beside the `stat` of each input.
const BUDGET: u64 = 60;

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
    let found = traced.named(&forbidden);
    assert!(found.is_empty(), "{found:#?}");
    for open in traced.named(&["open", "openat"]) {
        assert!(
            open.text.contains("O_RDONLY") && open.text.contains("O_CLOEXEC"),
            "{open:?}"
        );
    }
    let others = traced.calls.len() as u64 - traced.stats();
    assert!(others <= BUDGET, "{others} calls: {:#?}", traced.calls);
    let python = &traced.calls.last().unwrap().text;
    assert!(python.starts_with("execve(\"/usr/bin/python3."), "{python}");
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
            .map(|call| call.name().to_owned())
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
