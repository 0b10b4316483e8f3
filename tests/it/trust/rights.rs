//! A PEX runs with the rights of its caller, never more; and a security module's word is no reason to refuse.

use std::process::{Command, Stdio};

use nix::libc;
use nix::sys::ptrace;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use super::*;

fn mode_of(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_process_with_more_rights_than_its_caller_is_refused() {
    if !root("a set-id start") {
        return;
    }
    let stage = stage("owner-secure");
    fs::set_permissions(stage.root(), fs::Permissions::from_mode(0o755)).unwrap();
    let refused = |words: &[&str], says: &str| {
        let run = stage.start().before(words).run();
        run.exits(77).says("refusing to start").says(says);
        assert!(run.stdout.is_empty() && !home(&stage).exists(), "{run}");
    };
    let nobody = as_nobody();
    let nobody = nobody.each_ref().map(String::as_str);
    for mode in [0o4755, 0o2755] {
        mode_of(&stage.pex, mode);
        refused(
            &nobody,
            &format!("run `chmod ug-s {}`", stage.pex.display()),
        );
    }
    // To change the file is no advice where it is the caller that has two users.
    mode_of(&stage.pex, 0o755);
    let ids = ["setpriv", "--ruid", "65534", "--clear-groups"];
    refused(&ids, "its effective user 0 is not its real one, 65534");
    let ids = ["setpriv", "--rgid", "65534", "--clear-groups"];
    refused(&ids, "its effective group 0 is not its real one, 65534");
    // One capability, effective (linux/capability.h: VFS_CAP_REVISION_2).
    let script = "import os, struct, sys\n\
                  os.setxattr(sys.argv[1], 'security.capability', struct.pack('<5I', 0x02000001, 1 << 10, 0, 0, 0))";
    let mut command = Command::new(PYTHON);
    let given = command.args(["-c", script]).arg(&stage.pex).output();
    if given.unwrap().status.success() {
        refused(&nobody, &format!("run `setcap -r {}`", stage.pex.display()));
    } else {
        coverage::left_out("a start with file capabilities", "them");
    }
    // The same with the rights of its owner only: an ordinary start.
    starts(&stage.start(), SAYS);
}

/// SELinux, say, moves the process at a container's entry into another domain: the kernel then says what it says of a
/// set-id start, of the same user. The original's first program is one that takes out what a loader would hear of.
#[test]
#[cfg(target_arch = "x86_64")]
fn a_start_in_another_domain_is_a_start_without_the_loaders_variables() {
    let text = "import os\ndef main():\n    \
                print(*[os.environ.get(n) for n in ('LD_LIBRARY_PATH', 'GLIBC_TUNABLES', 'KEPT')])\n";
    let stage = Stage::new(Way::Embedded, &Pex::app("domain", text).build());
    let start = stage
        .start()
        .env("LD_LIBRARY_PATH", "/nowhere")
        .env("GLIBC_TUNABLES", "glibc.malloc.check=0")
        .env("KEPT", "kept")
        .after_shell("kill -STOP $$");
    for _ in 0..2 {
        let mut command = start.command();
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let child = command.spawn().unwrap();
        let pid = Pid::from_raw(child.id().cast_signed());
        let stopped = waitpid(pid, Some(WaitPidFlag::WUNTRACED)).unwrap();
        assert!(matches!(stopped, WaitStatus::Stopped(..)), "{stopped:?}");
        ptrace::seize(pid, ptrace::Options::PTRACE_O_TRACEEXEC).unwrap();
        kill(pid, Signal::SIGCONT).unwrap();
        loop {
            match waitpid(pid, None).unwrap() {
                WaitStatus::PtraceEvent(_, _, libc::PTRACE_EVENT_EXEC) => break,
                WaitStatus::PtraceEvent(..) | WaitStatus::Stopped(..) => {
                    ptrace::cont(pid, None).unwrap();
                }
                other => panic!("{other:?} instead of an exec"),
            }
        }
        make_secure(pid);
        ptrace::detach(pid, None).unwrap();
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{output:?}");
        assert_eq!(said.trim_end(), "None None kept");
    }
}

/// Has the kernel say `AT_SECURE` to a process that is about to begin.
#[cfg(target_arch = "x86_64")]
fn make_secure(pid: Pid) {
    const AT_SECURE: i64 = 23;
    const WORD: u64 = 8;
    let at = |address: u64| address as ptrace::AddressType;
    let read = |address: u64| ptrace::read(pid, at(address)).unwrap();
    // argc, as many arguments, null, the environment, null, pairs.
    let mut address = ptrace::getregs(pid).unwrap().rsp;
    for _ in 0..2 {
        address += WORD;
        while read(address) != 0 {
            address += WORD;
        }
    }
    address += WORD;
    while read(address) != AT_SECURE {
        address += 2 * WORD;
    }
    ptrace::write(pid, at(address + WORD), 1).unwrap();
}
