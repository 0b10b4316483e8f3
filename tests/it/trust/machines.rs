//! Odd surroundings that need no rights to be made: umasks, homes, descriptors, paths, environments.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use super::*;
use crate::harness::PEXBOOT;

/// Cold and warm, without a word.
#[track_caller]
fn twice(start: &Start<'_>) {
    starts(start, SAYS);
    starts(start, SAYS);
}

#[test]
fn any_umask_keeps_others_out_and_the_owner_in() {
    for umask in ["000", "002", "022", "027", "077"] {
        let stage = stage("machine-umask");
        twice(&stage.start().after_shell(&format!("umask {umask}")));
        is_sound(&home(&stage), false);
        // What hands over is unpacked by another hand.
        let start = stage
            .start()
            .env("PEX_COVERAGE", "1")
            .after_shell(&format!("umask {umask}"));
        start.run();
        is_sound(&home(&stage), false);
    }
}

#[test]
fn closed_descriptors_do_no_harm() {
    for closed in ["<&-", "2>&-", "<&- 2>&-"] {
        let stage = stage("machine-closed");
        let start = stage.start().after_shell(&format!("exec {closed}"));
        start.run().ok().prints(SAYS);
        start.run().ok().prints(SAYS);
    }
    let stage = stage("machine-closed");
    let start = stage.start().after_shell("exec <&- >&- 2>&-");
    // Nobody hears it print; the cache is as whole as ever.
    start.run();
    is_sound(&home(&stage), false);
    starts(&stage.start(), SAYS);
}

#[test]
fn a_full_or_broken_stderr_does_not_end_a_start() {
    let stage = stage("machine-full");
    // Both have something to say: a root that is passed over, and what was decided.
    let start = stage
        .start()
        .env("HOME", "/dev/null")
        .env("PEX_VERBOSE", "9");
    let start = own_var_tmp(start.env("PEXBOOT_SEEDS", "/dev/null"));
    for stderr in ["2>/dev/full", "2>&-"] {
        start
            .clone()
            .after_shell(&format!("exec {stderr}"))
            .run()
            .ok()
            .prints(SAYS);
    }
}

#[test]
fn very_long_paths() {
    let pex = app("machine-long");
    let stage = Stage::new(Way::Embedded, &pex);
    let deep = vec!["d".repeat(200); 12].join("/");
    let directory = stage.path("work").join(deep);
    fs::create_dir_all(&directory).unwrap();
    let path = directory.join("n".repeat(255));
    stage.place(&pex, &path);
    twice(&stage.start().program(&path));
    twice(&stage.start().env("HOME", directory.join("home")));
    // Longer than any path may be: refused, not hung or half done.
    let far = directory.join(vec!["e".repeat(250); 7].join("/"));
    let run = stage.start().env("PEX_ROOT", &far).run();
    assert!(
        run.code.is_some_and(|code| code != 0 && code < 128) || run.stdout.trim() == SAYS,
        "{run}"
    );
}

#[test]
fn paths_and_names_that_are_not_text() {
    let pex = app("machine-raw");
    let stage = Stage::new(Way::Embedded, &pex);
    let odd = |bytes: &[u8]| stage.path("work").join(OsStr::from_bytes(bytes));
    for name in [
        b"\xff\xfe.pex".as_slice(),
        b"with space 'and\" $quotes",
        b"new\nline",
        b"-option",
        b"data",
        b"pack",
    ] {
        stage.place(&pex, &odd(name));
        twice(&stage.start().program(odd(name)));
    }
    let home = odd(b"h\xf6me \n");
    fs::create_dir(&home).unwrap();
    twice(&stage.start().env("HOME", &home));
    assert!(home.join(".cache/pexboot/v2/launches").is_dir());
    let run = stage.start().args([OsStr::from_bytes(b"\xe9")]).run();
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{run}");
}

#[test]
fn no_path_at_all() {
    // Python is found by the shebang's absolute path; on PATH alone there is none to find.
    let pex = Pex::app("machine-path", APP)
        .source("helper.py", "NAME = 'helper'\n")
        .dep(Wheel::new("dep", "1.0"))
        .dep(Wheel::new("deep", "1.0").file("pile/m39.py", "WHO = 39\n"))
        .shebang("/usr/bin/python3")
        .build();
    let stage = Stage::new(Way::Embedded, &pex);
    twice(&stage.start().env("PATH", ""));
    twice(&stage.start().without_env("PATH"));
    twice(&stage.start().env("PATH", ":::/nowhere:relative"));
}

#[test]
fn homes_that_are_none() {
    for (home, fallback) in [
        ("", true),
        ("relative", true),
        ("/dev/null", true),
        ("/proc/nowhere", true),
    ] {
        let stage = stage("machine-home");
        let run = own_var_tmp(stage.start().env("HOME", home)).run();
        run.ok().prints(SAYS);
        assert!(run.stderr.lines().count() <= 1, "one line at most\n{run}");
        assert!(fallback && !stage.path("work/relative").exists());
    }
}

#[test]
fn few_descriptors() {
    let stage = stage("machine-fds");
    let start = |limit: usize| stage.start().after_shell(&format!("ulimit -n {limit}"));
    // As many as are needed, and no more than a shell gives to anybody.
    twice(&start(32));
    for limit in [4, 5, 6, 8] {
        upkeep::cache(&stage, &["clear"]).ok();
        let run = start(limit).run();
        if run.code != Some(0) {
            assert!(
                run.code.is_some_and(|code| code < 128),
                "limit {limit}\n{run}"
            );
            assert!(!run.stderr.is_empty(), "limit {limit}\n{run}");
        }
        is_sound(&home(&stage), true);
    }
    starts(&stage.start(), SAYS);
}

#[test]
fn little_memory_ends_in_a_message_or_works() {
    let stage = stage("machine-memory");
    for kilobytes in [20_000, 60_000, 400_000] {
        let run = stage
            .start()
            .after_shell(&format!("ulimit -v {kilobytes}"))
            .run();
        assert!(run.code == Some(0) || !run.stderr.is_empty(), "{run}");
        is_sound(&home(&stage), true);
    }
    starts(&stage.start(), SAYS);
}

#[test]
fn the_file_system_may_limit_the_size_of_files() {
    let stage = stage("machine-fsize");
    // SIGXFSZ is ignored, so that writing fails with EFBIG.
    let run = stage.start().after_shell("trap '' XFSZ; ulimit -f 8").run();
    assert!(run.code == Some(0) || run.code == Some(74), "{run}");
    is_sound(&home(&stage), false);
    starts(&stage.start(), SAYS);
}

#[test]
fn clocks_may_jump() {
    use std::time::{Duration, SystemTime};
    let stage = stage("machine-clock");
    starts(&stage.start(), SAYS);
    for then in [
        SystemTime::UNIX_EPOCH,
        SystemTime::now() + Duration::from_secs(1 << 31),
    ] {
        for path in below(&home(&stage)) {
            if path.is_file() && !path.is_symlink() {
                fs::File::open(&path).unwrap().set_modified(then).unwrap();
            }
        }
        twice(&stage.start());
        fs::remove_dir_all(home(&stage).join("plans")).unwrap();
        twice(&stage.start());
    }
}

#[test]
fn without_memfd_the_engine_runs_from_a_file() {
    let stage = stage("machine-memfd");
    let start = stage
        .start()
        .before(["python3", "-c", FORBID, "memfd_create"]);
    twice(&start);
    is_sound(&home(&stage), false);
}

#[test]
fn newer_system_calls_may_be_forbidden() {
    for calls in [
        "renameat2",
        "statx",
        "openat2,faccessat2,clone3,close_range,rseq",
        "execveat",
        "flock",
        "copy_file_range,sendfile",
    ] {
        let stage = stage("machine-seccomp");
        twice(&stage.start().before(["python3", "-c", FORBID, calls]));
        is_sound(&home(&stage), false);
    }
}

/// As on Linux 3.10, whose last call is finit_module: everything that came later is unknown. The command runs there, and what
/// it embeds starts by stub, engine and boot, with and without a fresh cache.
#[test]
fn a_kernel_of_2013_will_do() {
    let stage = stage("machine-kernel");
    let embed = stage.start().before(["python3", "-c", FORBID, "later"]);
    let embed = embed.before([PEXBOOT, "embed", "--no-host-site"]);
    embed.args(["-o", "old.pex"]).run().ok();
    let start = stage.start().before(["python3", "-c", FORBID, "later"]);
    twice(&start.program(stage.path("work/old.pex")));
    is_sound(&home(&stage), false);
}

/// Python that runs a command under the seccomp filter which its first part makes, in `program` (linux/seccomp.h,
/// linux/bpf_common.h).
macro_rules! filtered {
    ($makes:literal) => {
        concat!(
            $makes,
            r#"
code = b"".join(struct.pack("HBBI", *step) for step in program)
buffer = ctypes.create_string_buffer(code)
filter = struct.pack("HxxxxxxP", len(program), ctypes.addressof(buffer))
libc = ctypes.CDLL(None, use_errno=True)
assert libc.prctl(38, 1, 0, 0, 0) == 0 and libc.prctl(22, 2, filter, 0, 0) == 0, ctypes.get_errno()
os.execvp(sys.argv[2], sys.argv[2:])
"#
        )
    };
}
pub(super) use filtered;

/// Runs a command under a seccomp filter (linux/seccomp.h, linux/bpf_common.h) that answers these system calls with
/// ENOSYS; `later` are all that Linux 3.10 did not have.
pub const FORBID: &str = filtered!(
    r#"
import ctypes, os, struct, sys
NUMBERS = {
    "x86_64": dict(memfd_create=319, renameat2=316, statx=332, openat2=437, faccessat2=439, clone3=435, close_range=436,
                   rseq=334, execveat=322, flock=73, copy_file_range=326, sendfile=40),
    "aarch64": dict(memfd_create=279, renameat2=276, statx=291, openat2=437, faccessat2=439, clone3=435, close_range=436,
                    rseq=293, execveat=281, flock=32, copy_file_range=285, sendfile=71),
}[os.uname().machine]
program = [(0x20, 0, 0, 0)]  # load the number
if sys.argv[1] == "later":
    first = {"x86_64": 314, "aarch64": 274}[os.uname().machine]
    program += [(0x35, 0, 1, first), (0x06, 0, 0, 0x00050000 | 38)]  # greater or equal
for name in [] if sys.argv[1] == "later" else sys.argv[1].split(","):
    program += [(0x15, 0, 1, NUMBERS[name]), (0x06, 0, 0, 0x00050000 | 38)]  # equal: errno 38
program.append((0x06, 0, 0, 0x7FFF0000))  # allow
"#
);
