//! Faults of the system, put into single calls by `strace --inject` (the engine is static, nothing else reaches it).

use super::*;
use crate::harness::coverage;

/// A cold start of which the calls in `when` (see strace(1)) to `call` fail by `error`.
fn injected(stage: &Stage, call: &str, error: &str, when: &str) -> Outcome {
    let inject = format!("--inject={call}:error={error}:when={when}");
    let trace = stage.path("trace");
    let start = own_var_tmp(stage.start())
        .before(["strace", "-f", "-qq", "-o"])
        .before([&trace]);
    start
        .before(["-e", &format!("trace={call}"), &inject])
        .run()
}

fn can_inject(case: &str) -> bool {
    let stage = stage("fault-probe");
    let can = stage
        .start()
        .program("/bin/true")
        .before(["strace", "-f", "-o", "/dev/null"])
        .run()
        .code
        == Some(0);
    if !can {
        coverage::left_out(case, "strace that may trace");
    }
    can
}

/// Either it worked all the same, or it said so in one line, with an exit code of its own, and left nothing half done. The
/// next start works without a word.
#[track_caller]
fn orderly(stage: &Stage, run: &Outcome, what: &str) {
    if run.code == Some(0) {
        run.prints(SAYS);
    } else {
        assert!(
            run.code.is_some_and(|code| [1, 65, 73, 74].contains(&code)),
            "{what}\n{run}"
        );
        // The write of the message itself may be the one that failed.
        let heard = !run.stderr.is_empty() || what.starts_with("write");
        assert!(run.stdout.is_empty() && heard, "{what}\n{run}");
        assert!(!run.stderr.contains("panicked"), "{what}\n{run}");
    }
    if home(stage).exists() {
        is_sound(&home(stage), true);
    }
    starts(&stage.start(), SAYS);
    // An engine that was written there and could not start is swept after a minute.
    is_sound(&home(stage), true);
}

/// Whether the fault hit Python or the dynamic linker: theirs to tell.
fn is_pythons(run: &Outcome) -> bool {
    let marks = [
        "Traceback",
        "Fatal Python error",
        "shared librar",
        "can't open file",
        "Could not find platform",
    ];
    marks.iter().any(|mark| run.stderr.contains(mark))
}

#[test]
fn single_calls_that_fail() {
    if !can_inject("injected faults") {
        return;
    }
    let stage = stage("fault-single");
    let cases = [
        ("write", "ENOSPC"),
        ("write", "EIO"),
        ("write", "EDQUOT"),
        ("mkdirat,mkdir", "ENOSPC"),
        ("rename,renameat,renameat2", "EIO"),
        ("rename,renameat,renameat2", "EROFS"),
        ("openat,open", "EMFILE"),
        ("openat,open", "EIO"),
        ("pread64,read", "EIO"),
        ("symlinkat,linkat", "EPERM"),
        ("linkat", "EMLINK"),
        ("unlink,unlinkat,rmdir", "EIO"),
        ("fstat,newfstatat,statx", "EIO"),
        ("getdents64", "EIO"),
        ("mmap", "ENOMEM"),
        ("memfd_create", "ENOSYS"),
    ];
    let mut count = 0;
    for (call, error) in cases {
        let moments: Vec<usize> = if long() {
            (1..60).chain((60..600).step_by(13)).collect()
        } else {
            vec![1, 7, 23, 71]
        };
        for moment in moments {
            upkeep::cache(&stage, &["clear"]).ok();
            let run = injected(&stage, call, error, &moment.to_string());
            if !is_pythons(&run) {
                orderly(&stage, &run, &format!("{call} {error} at {moment}"));
            }
            count += 1;
        }
    }
    coverage::note(&format!("trust: {count} faults in single calls"));
}

#[test]
fn every_write_is_interrupted_once_or_comes_short() {
    if !can_inject("interrupted calls") {
        return;
    }
    for (call, error) in [("write", "EINTR"), ("flock", "EINTR")] {
        let stage = stage("fault-eintr");
        // Every second one, so that trying again succeeds.
        let run = injected(&stage, call, error, "1+2");
        if !is_pythons(&run) {
            orderly(&stage, &run, call);
            run.ok();
        }
    }
}

#[test]
fn locks_that_do_not_work_hold_nobody_up() {
    if !can_inject("locks that do not work") {
        return;
    }
    for error in ["ENOLCK", "ENOSYS", "EOPNOTSUPP", "EBADF", "EACCES"] {
        let stage = stage("fault-lock");
        let run = injected(&stage, "flock", error, "1+");
        silent(&run, SAYS);
        is_sound(&home(&stage), false);
    }
}

#[test]
fn the_disk_is_full_from_some_write_on() {
    if !can_inject("a disk that fills up") {
        return;
    }
    let stage = stage("fault-full");
    for moment in if long() {
        (1..80).collect::<Vec<_>>()
    } else {
        vec![1, 4, 12, 40]
    } {
        upkeep::cache(&stage, &["clear"]).ok();
        let run = injected(&stage, "write", "ENOSPC", &format!("{moment}+"));
        assert_ne!(run.signal, Some(6), "{run}");
        is_sound(&home(&stage), false);
        starts(&stage.start(), SAYS);
    }
}
