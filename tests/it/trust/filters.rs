//! A filter that kills whoever makes a system call that is not on a list: the lists of docs/platforms.md, of each stage, with
//! what Python calls by itself on top. It sets `no_new_privs` as well, without which a user may install none.

use std::collections::BTreeSet;

use super::*;
use crate::budgets::system_calls::{names_of, traced};

/// The system calls that docs/platforms.md lists in the point that begins so.
fn listed(stage: &str) -> BTreeSet<String> {
    let text = include_str!("../../../docs/platforms.md");
    let start = format!("* {stage}");
    let point = text.lines().skip_while(|line| !line.starts_with(&start));
    let own = |line: &&str| line.starts_with(&start) || !line.starts_with("* ") && !line.is_empty();
    let point: Vec<&str> = point.take_while(own).collect();
    let point = point.join("\n");
    let quoted = point.split('`').skip(1).step_by(2);
    let calls: BTreeSet<String> = quoted
        .flat_map(str::split_whitespace)
        .map(str::to_owned)
        .collect();
    assert!(!calls.is_empty(), "docs/platforms.md: {stage}");
    calls
}

/// What Python calls when it runs a file that imports another and keeps its bytecode.
fn of_python_itself(stage: &Stage) -> BTreeSet<String> {
    stage.write("work/beside.py", "");
    let script = stage.write(
        "work/plain.py",
        "import beside, os\nos.uname()\nprint(beside)\n",
    );
    let log = stage.path("plain");
    let start = stage.start().program(script);
    let start = start.before(["strace", "-f", "-o", log.to_str().unwrap()]);
    start.before([PYTHON]).run().ok();
    names_of(&fs::read_to_string(log).unwrap())
}

#[test]
fn a_filter_may_kill_on_what_is_not_listed() {
    if !cfg!(target_arch = "x86_64") {
        return coverage::left_out("a filter that kills", "x86-64: the lists are of its calls");
    }
    let warm = listed("a warm start");
    let first = &(&warm | &listed("a first start")) | &listed("the boot");
    let pexes = [app("filters"), described("filters").venv().build()];
    let stages: Vec<Stage> = pexes[..rounds(1, 2)]
        .iter()
        .map(|pex| Stage::new(Way::Embedded, pex))
        .collect();
    let own = of_python_itself(&stages[0]);
    let start = |stage: &Stage, allowed: &BTreeSet<String>| {
        let names: Vec<&str> = allowed.iter().map(String::as_str).collect();
        let filter = ["python3", "-c", ALLOW, &names.join(",")];
        stage.start().args(["x"]).before(filter).run()
    };
    for stage in &stages {
        silent(&start(stage, &(&first | &own)), &format!("{SAYS} x"));
        silent(&start(stage, &(&warm | &own)), &format!("{SAYS} x"));
        is_sound(&home(stage), false);
    }
    let stage = &stages[0];
    // What is listed for the stub is what it calls, no more; it asks for the directory where its own path is relative.
    let seen = traced(stage, &["x"]);
    let seen = seen.calls.iter().map(|call| call.name().to_owned());
    let seen: BTreeSet<String> = seen.chain(["getcwd".to_owned()]).collect();
    assert_eq!(seen, warm);
    // And the filter does kill: here for a call that Python does not make.
    let mut less = &warm | &own;
    assert!(less.remove("readlinkat"));
    let run = start(stage, &less);
    assert_eq!(run.signal, Some(nix::libc::SIGSYS), "{run}");
}

/// Runs a command under a seccomp filter (linux/seccomp.h, linux/bpf_common.h) that kills on all but these system calls.
const ALLOW: &str = machines::filtered!(
    r#"
import ctypes, os, re, struct, sys
with open("/usr/include/x86_64-linux-gnu/asm/unistd_64.h") as header:
    numbers = dict(re.findall(r'#define __NR_(\w+) (\d+)', header.read()))
program = [(0x20, 0, 0, 0)]  # load the number
for name in sys.argv[1].split(","):
    program += [(0x15, 0, 1, int(numbers[name])), (0x06, 0, 0, 0x7FFF0000)]  # equal: allow
program.append((0x06, 0, 0, 0x80000000))  # kill the process
"#
);
