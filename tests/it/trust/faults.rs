//! Faults of the system, put into single calls by `strace --inject` (the engine is static, nothing else reaches it).

use nix::sys::signal::Signal;

use super::*;

/// A cold start of which the calls in `when` (see strace(1)) to `call` fail by `error`.
fn injected(stage: &Stage, call: &str, error: &str, when: &str) -> Outcome {
    let inject = format!("--inject={call}:error={error}:when={when}");
    let trace = stage.path("trace");
    let start = own_var_tmp(stage.start())
        .before(["strace", "-f", "-qq", "-o"])
        .before([&trace]);
    start
        .before(["-e", &format!("trace=execve,{call}"), &inject])
        .run()
}

pub(super) fn can_inject(case: &str) -> bool {
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
        "it did not run the script",
    ];
    marks.iter().any(|mark| run.stderr.contains(mark))
}

#[test]
fn single_calls_that_fail() {
    if !can_inject("injected faults") {
        return;
    }
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
    let pex = app("fault-single");
    // In the long tier every call that the native part makes, one by one.
    let rounds: Vec<(&str, &str, usize)> = cases
        .into_iter()
        .flat_map(|(call, error)| {
            let moments = if long() {
                (1..=calls(&pex, call)).collect()
            } else {
                vec![1, 7, 23, 71]
            };
            moments.into_iter().map(move |moment| (call, error, moment))
        })
        .collect();
    shared_out("faults in single calls", rounds.len(), |numbers| {
        let stage = Stage::new(Way::Embedded, &pex);
        for number in numbers {
            let (call, error, moment) = rounds[number];
            empty(&stage);
            let run = injected(&stage, call, error, &moment.to_string());
            if !is_pythons(&run) && !linker_died(&stage, &run) {
                orderly(&stage, &run, &format!("{call} {error} at {moment}"));
            }
        }
    });
}

/// The dynamic linker of a Python (glibc's, 2.36 for one) dies by SIGSEGV when its very first mapping fails: it is nobody's
/// of ours, and no start can tell. Whatever hits stub or engine is told in words.
#[test]
fn memory_that_runs_out_in_stub_or_engine_is_told() {
    if !can_inject("memory that runs out") {
        return;
    }
    let pex = app("fault-memory");
    // What is left of the root of an earlier start.
    let kept: [&[&str]; 4] = [
        &[],
        &["engine"],
        &["engine", "interpreters", "boot", "wheels", "code", "sites"],
        &[
            "engine",
            "interpreters",
            "boot",
            "wheels",
            "code",
            "sites",
            "launches",
        ],
    ];
    let rounds: Vec<(&[&str], usize)> = (kept.into_iter())
        .flat_map(|kept| (1..=rounds(3, 12)).map(move |moment| (kept, moment)))
        .collect();
    shared_out("first mappings that fail", rounds.len(), |numbers| {
        let stage = Stage::new(Way::Embedded, &pex);
        for number in numbers {
            let (kept, moment) = rounds[number];
            starts(&stage.start(), SAYS);
            for entry in fs::read_dir(home(&stage)).unwrap().flatten() {
                let name = entry.file_name();
                if !kept.iter().any(|kept| name == *kept) {
                    fs::remove_dir_all(entry.path()).unwrap();
                }
            }
            let run = injected(&stage, "mmap", "ENOMEM", &moment.to_string());
            if is_pythons(&run) || linker_died(&stage, &run) {
                starts(&stage.start(), SAYS);
            } else {
                let what = format!("mmap ENOMEM at {moment} with {kept:?}");
                orderly(&stage, &run, &what);
            }
        }
    });
}

/// Whether the fault hit a process that had become a Python, and killed its dynamic linker.
fn linker_died(stage: &Stage, run: &Outcome) -> bool {
    if run.signal != Some(Signal::SIGSEGV as i32) {
        return false;
    }
    let log = fs::read_to_string(stage.path("trace")).unwrap();
    let mut pythons = std::collections::HashSet::new();
    for line in log.lines() {
        let Some((process, call)) = line.split_once(' ') else {
            continue;
        };
        let call = call.trim_start();
        if call.starts_with("execve(")
            && call
                .split('"')
                .nth(1)
                .is_some_and(|path| path.contains("/python"))
        {
            pythons.insert(process);
        }
        if call.contains("(INJECTED)") && pythons.contains(process) {
            return true;
        }
    }
    false
}

/// How many of these calls the busiest native process of a cold start makes before it becomes Python.
fn calls(pex: &Built, call: &str) -> usize {
    let stage = Stage::new(Way::Embedded, pex);
    let log = stage.path("calls");
    let start = own_var_tmp(stage.start()).before(["strace", "-f", "-qq", "-o"]);
    let start = start.before([&log]);
    let calls = format!("trace=execve,{call}");
    start.before(["-e", &calls]).run().ok().prints(SAYS);
    // By process and number; what follows the execution of a Python counts no more.
    let mut counts: std::collections::HashMap<String, (usize, bool)> = Default::default();
    for line in fs::read_to_string(log).unwrap().lines() {
        let Some((process, rest)) = line.split_once(' ') else {
            continue;
        };
        let count = counts.entry(process.to_owned()).or_default();
        if rest.trim_start().starts_with("execve(") {
            count.1 = rest.contains("/python") || rest.contains("/pypy");
        } else if !count.1 && !rest.trim_start().starts_with("<...") {
            count.0 += 1;
        }
    }
    counts.values().map(|(count, _)| *count).max().unwrap_or(0)
}

#[test]
fn every_call_is_interrupted_once() {
    if !can_inject("interrupted calls") {
        return;
    }
    // Every second one, so that trying again succeeds. What never waits on a local disk is interrupted there by nobody;
    // on others (NFS, FUSE) it may be, and then a message will do.
    for (call, survives) in [
        ("write", true),
        ("pwrite64", true),
        // Python reads too, and does not always try again.
        ("read", false),
        ("pread64", true),
        ("flock", true),
        ("wait4,waitid", true),
        ("openat,open", false),
        ("getdents64", false),
        ("poll,ppoll", false),
        ("mkdir,mkdirat,rename,renameat,renameat2", false),
        ("fstat,newfstatat,statx", false),
    ] {
        let stage = stage("fault-eintr");
        let run = injected(&stage, call, "EINTR", "1+2");
        if !is_pythons(&run) {
            orderly(&stage, &run, call);
            assert!(!survives || run.code == Some(0), "{call}\n{run}");
        }
    }
}

#[test]
fn every_write_comes_short() {
    let pex = app("fault-short");
    let stage = Stage::without_hooks(Way::Embedded, &pex);
    let probe = stage
        .start()
        .program("/bin/true")
        .before(["python3", "-c", SHORT]);
    if probe.run().code != Some(0) {
        return coverage::left_out("short writes", "seccomp with a listener");
    }
    let run = stage.start().before(["python3", "-c", SHORT]).run();
    silent(&run, SAYS);
    is_sound(&home(&stage), false);
    // Python (3.11 for one) does not look whether its own bytecode was written whole, as on a disk that has just become
    // full; what the next start meets of it is removed, and said once.
    let run = stage.start().run();
    run.ok().prints(SAYS);
    assert!(run.stderr.lines().count() <= 1, "{run}");
    let pexboot = || stage.start().program(env!("CARGO_BIN_EXE_pexboot"));
    pexboot()
        .args(["verify", "--cache"])
        .args([&stage.pex])
        .run()
        .ok();
    silent(&stage.start().run(), SAYS);
    // The same file comes out.
    let embed = pexboot().before(["python3", "-c", SHORT]).args([
        "embed",
        "--no-compile",
        "--no-host-site",
        "-o",
    ]);
    let output = stage.path("work/short.pex");
    embed.args([&output, &pex.path]).run().ok();
    assert!(fs::read(&output).unwrap() == fs::read(&stage.pex).unwrap());
}

/// Runs a command of which every `write` comes to half of what was asked for: a supervisor does it in its stead, and says
/// how much was written (seccomp_unotify(2)).
const SHORT: &str = r#"
import ctypes, fcntl, os, select, socket, struct, sys
WRITE, SECCOMP, PIDFD_OPEN, PIDFD_GETFD = {"x86_64": (1, 317, 434, 438), "aarch64": (64, 277, 434, 438)}[os.uname().machine]
libc = ctypes.CDLL(None, use_errno=True)
ours, theirs = socket.socketpair()
child = os.fork()
if child == 0:
    ours.close()
    # Load the number; `write` is asked about, anything else allowed.
    program = [(0x20, 0, 0, 0), (0x15, 0, 1, WRITE), (0x06, 0, 0, 0x7FC00000), (0x06, 0, 0, 0x7FFF0000)]
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in program))
    filter = struct.pack("HxxxxxxP", len(program), ctypes.addressof(code))
    listener = -1
    if libc.prctl(38, 1, 0, 0, 0) == 0:
        listener = libc.syscall(SECCOMP, 1, 8, filter)
    if listener < 0:
        os._exit(99)
    socket.send_fds(theirs, [b"x"], [listener])
    theirs.close()
    os.close(listener)
    os.execvp(sys.argv[1], sys.argv[1:])
theirs.close()
_, listeners, _, _ = socket.recv_fds(ours, 1, 1)
while listeners:
    poll = select.poll()
    poll.register(listeners[0], select.POLLIN)
    if not any(event & select.POLLIN for _, event in poll.poll()):
        break
    asked = bytearray(80)
    try:
        fcntl.ioctl(listeners[0], 0xC0502100, asked)
    except FileNotFoundError:
        continue
    id, thread, _, _, _, _, fd, address, count = struct.unpack_from("QIIiIQQQQ", asked)
    value, error = 0, 0
    try:
        with open(f"/proc/{thread}/status") as status:
            process = next(int(line.split()[1]) for line in status if line.startswith("Tgid:"))
        pidfd = libc.syscall(PIDFD_OPEN, process, 0)
        target = libc.syscall(PIDFD_GETFD, pidfd, int(fd), 0)
        os.close(pidfd)
        memory = os.open(f"/proc/{thread}/mem", os.O_RDONLY)
        data = os.pread(memory, (count + 1) // 2, address)
        os.close(memory)
        value = os.write(target, data)
        os.close(target)
    except OSError as failed:
        value, error = 0, -failed.errno
    try:
        fcntl.ioctl(listeners[0], 0xC0182101, struct.pack("QqiI", id, value, error, 0))
    except FileNotFoundError:
        pass
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"#;

#[test]
fn files_may_be_no_longer_than_a_limit() {
    // The last write that fits comes short, the next one fails; SIGXFSZ is ignored.
    for blocks in [1, 3, 8, 40, 200, 1000, 4000] {
        let stage = stage("fault-limit");
        let script = format!("trap '' XFSZ; ulimit -f {blocks}");
        let run = stage.start().after_shell(&script).run();
        orderly(&stage, &run, &format!("write at a limit of {blocks}"));
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
        empty(&stage);
        let run = injected(&stage, "write", "ENOSPC", &format!("{moment}+"));
        assert_ne!(run.signal, Some(6), "{run}");
        is_sound(&home(&stage), false);
        starts(&stage.start(), SAYS);
    }
}
