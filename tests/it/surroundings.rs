//! What a process inherits and how it was called: whatever the caller set up, the application finds it as it would
//! under the original bootstrap.

use crate::fixtures::{Pex, Wheel};
use crate::harness::pythons::{debian, second};
use crate::harness::{Case, PEXBOOT, Stage, Way, ways};

/// A PEX that calls `main` of this text.
fn app(text: &str) -> Pex {
    Pex::app("surroundings", text).dep(Wheel::new("dep", "1.0"))
}

#[test]
fn arguments_and_variables_need_not_be_text() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    let pex = app(
        "import os, sys\ndef main():\n    print(list(map(os.fsencode, sys.argv[1:])), os.environb[b'RAW'])\n",
    );
    let pex = pex.build();
    let raw = OsStr::from_bytes(b"\xff \n'\"");
    let case = Case::new(&pex).args([raw, OsStr::new(""), OsStr::new("--")]);
    let case = case.with(move |start, _| start.env("RAW", raw));
    case.agrees()
        .ok()
        .prints(r#"[b'\xff \n\'"', b'', b'--'] b'\xff \n\'"'"#);
}

#[test]
fn standard_input_is_the_applications() {
    let pex = app("import sys\ndef main():\n    print(sys.stdin.read()[::-1])\n").build();
    Case::new(&pex).stdin("abc").agrees().ok().prints("cba");
}

/// The original cannot be asked about a closed descriptor: the number goes to a file that its bootstrap opens.
#[test]
fn descriptors_stay_open_and_closed_as_they_were() {
    let text = "import os\ndef main():\n    for fd in (0, 7):\n        try:\n            os.fstat(fd)\n            \
                print(fd, 'open')\n        except OSError:\n            print(fd, 'closed')\n";
    let pex = app(text).build();
    let case = Case::new(&pex).with(|start, _| start.after_shell("exec 7</dev/null"));
    case.agrees().ok().prints("0 open\n7 open");
    for &way in ways().iter().filter(|&&way| way == Way::Embedded) {
        let stage = Stage::new(way, &pex);
        for _ in 0..2 {
            let start = stage.start().after_shell("exec 0<&- 7<&-");
            start.run().ok().prints("0 closed\n7 closed");
        }
    }
}

/// The original leaves a descriptor for its lock to the application; we leave none.
#[test]
fn no_descriptor_of_ours_is_left_to_the_application() {
    let pex = app("import os\ndef main():\n    print(sorted(int(n) for n in os.listdir('/proc/self/fd'))[:-1])\n").build();
    for &way in ways().iter().filter(|&&way| way == Way::Embedded) {
        let stage = Stage::new(way, &pex);
        let close_others =
            "for fd in $(ls /proc/$$/fd); do [ $fd -le 2 ] || eval \"exec $fd>&-\"; done";
        for _ in 0..2 {
            stage
                .start()
                .after_shell(close_others)
                .run()
                .ok()
                .prints("[0, 1, 2]");
        }
    }
}

#[test]
fn limits_mask_and_ignored_signals_are_inherited() {
    let text = "import os, resource, signal\ndef main():\n    mask = os.umask(0)\n    \
                print(oct(mask), resource.getrlimit(resource.RLIMIT_NOFILE)[0], resource.getrlimit(resource.RLIMIT_CORE)[0])\n    \
                print([s.name for s in (signal.SIGHUP, signal.SIGTERM, signal.SIGUSR1) if signal.getsignal(s) == signal.SIG_IGN])\n    \
                print(os.nice(0))\n";
    let pex = app(text).build();
    let case = Case::new(&pex)
        .with(|start, _| {
            start.after_shell("umask 027; ulimit -S -n 77; ulimit -c 0; trap '' HUP USR1")
        })
        .with(|start, _| start.before(["nice", "-n", "3"]));
    // On top of what this test was started with.
    let nice = (niceness() + 3).min(19);
    let expected = format!("0o27 77 0\n['SIGHUP', 'SIGUSR1']\n{nice}");
    case.agrees().ok().prints(&expected);
}

/// The niceness of this process (proc(5), field 19 of its status line).
fn niceness() -> i32 {
    let status = std::fs::read_to_string("/proc/self/stat").unwrap();
    // The second field is a name in parentheses.
    let fields = status.rsplit(") ").next().unwrap();
    fields.split(' ').nth(16).unwrap().parse().unwrap()
}

#[test]
fn sigpipe_and_sigchld_are_as_python_sets_them() {
    let text = "import signal\ndef main():\n    print(signal.getsignal(signal.SIGPIPE), signal.getsignal(signal.SIGCHLD))\n";
    let pex = app(text).build();
    Case::new(&pex).agrees().ok();
    Case::new(&pex)
        .with(|start, _| start.after_shell("trap '' CHLD PIPE"))
        .agrees()
        .ok();
}

#[test]
fn it_is_found_on_path_and_through_relative_names() {
    let pex = app(
        "import os, sys\ndef main():\n    print(os.path.realpath(sys.argv[0]), os.getcwd(), os.environ['PEX'])\n",
    );
    let pex = pex.build();
    let in_shell = |words: &'static str| {
        Case::new(&pex).with(move |start, stage| {
            std::fs::create_dir_all(stage.path("work/deep/er")).unwrap();
            let path = format!("{}:/usr/bin:/bin", stage.path("work").display());
            // The PEX itself is left as an argument.
            start
                .env("PATH", path)
                .before(["/bin/sh", "-c", words, "sh"])
        })
    };
    let expected = "[BOX]/work/app.pex [BOX]/work/deep [BOX]/work/app.pex";
    in_shell("cd deep && exec app.pex")
        .agrees()
        .ok()
        .prints(expected);
    in_shell("cd deep && exec ../app.pex")
        .agrees()
        .ok()
        .prints(expected);
    in_shell("cd deep && exec ./er/../../app.pex")
        .agrees()
        .ok()
        .prints(expected);
}

#[test]
fn the_working_directory_may_be_gone() {
    let pex = app("import dep\ndef main():\n    print(dep.WHO)\n").build();
    let case = Case::new(&pex).with(|start, stage| {
        std::fs::create_dir_all(stage.path("work")).unwrap();
        start.after_shell("mkdir -p ../gone && cd ../gone && rmdir ../gone")
    });
    // The original fails here before the application starts; what counts is that it is not worse.
    case.holds(|run| assert!(run.signal.is_none(), "{run}"));
}

#[test]
fn it_starts_from_the_root_directory() {
    let pex = app("import os, dep\ndef main():\n    print(os.getcwd(), dep.WHO)\n").build();
    Case::new(&pex)
        .with(|start, _| start.cwd("/"))
        .agrees()
        .ok()
        .prints("/ dep 1.0");
}

#[test]
fn it_starts_without_home_and_almost_no_environment() {
    let pex = app("import dep\ndef main():\n    print(dep.WHO)\n").build();
    let case = Case::new(&pex).with(|start, stage| {
        let start = start
            .without_env("HOME")
            .without_env("LANG")
            .without_env("TMPDIR");
        start.env("PEX_ROOT", stage.path("root"))
    });
    case.agrees().ok().prints("dep 1.0");
}

#[test]
fn builtins_of_an_interactive_python_are_there() {
    let pex = Pex::probe("builtins").build();
    Case::new(&pex).every_python().holds(|run| {
        let names = run.state().texts("/builtins").join(" ");
        assert_eq!(names, "copyright credits exit help license quit", "{run}");
    });
}

#[test]
fn python_options_of_the_caller_are_kept() {
    let pex = Pex::probe("options").build();
    let python = crate::fixtures::PYTHON;
    let case =
        Case::new(&pex).with(move |start, _| start.before([python, "-O", "-X", "utf8", "-B"]));
    case.holds(|run| {
        let state = run.state();
        let flags = ["optimize", "utf8_mode", "dont_write_bytecode"].map(|name| state.flag(name));
        assert_eq!(flags, [1, 1, 1], "{run}");
    });
}

/// Reloaders start `sys.orig_argv` again.
#[test]
fn an_application_can_repeat_its_own_command_line() {
    let text = "import os, sys, dep\ndef main():\n    again = 'AGAIN' in os.environ\n    \
                print(dep.WHO, sys.argv[1:], again, flush=True)\n    if not again:\n        \
                os.environ['AGAIN'] = '1'\n        os.execv(sys.executable, [sys.executable] + sys.orig_argv[1:])\n    \
                return sorted(name for name in os.environ if name.startswith('_PEXBOOT')) or 3\n";
    let pex = app(text);
    for pex in [pex.clone().build(), pex.venv().build()] {
        let outcome = Case::new(&pex).args(["a", "b"]).agrees();
        let expected = "dep 1.0 ['a', 'b'] False\ndep 1.0 ['a', 'b'] True";
        outcome.exits(3).prints(expected);
    }
}

#[test]
fn paths_are_found_whatever_the_encoding_of_file_names() {
    let pex = app("import sys, dep\ndef main():\n    print(dep.WHO, sys.flags.utf8_mode)\n");
    let pex = pex.build();
    let case = Case::new(&pex).with(|start, stage| {
        let home = stage.path("hôme");
        std::fs::create_dir_all(&home).unwrap();
        start.env("HOME", home).env("LC_ALL", "C")
    });
    let case = case.env("PYTHONCOERCECLOCALE", "0").env("PYTHONUTF8", "0");
    case.agrees().ok().prints("dep 1.0 0");
}

#[test]
fn what_is_to_be_inspected_does_not_exit() {
    let text =
        "import os, sys\ndef main():\n    os.environ.pop(*sys.argv[1:], None)\n    return 3\n";
    let pex = app(text).build();
    let case = |forget| Case::new(&pex).env("PYTHONINSPECT", "1").args([forget]);
    case("OTHER").agrees().ok();
    // Python shows the exit that it was told to hold back, with the frames of either bootstrap.
    case("PYTHONINSPECT")
        .ignore_stderr()
        .agrees()
        .says("SystemExit: 3");
}

#[test]
fn it_runs_on_pypy() {
    let Some(pypy) = crate::harness::pythons::pypy("a start on PyPy") else {
        return;
    };
    let pex = Pex::probe("pypy").dep(Wheel::new("dep", "1.0")).build();
    Case::new(&pex)
        .python(pypy.path.clone())
        .env("PROBE_IMPORT", "dep")
        .holds(|run| {
            let state = run.state();
            assert_eq!(
                (state.text("/sys/implementation"), state.who("dep")),
                ("pypy", "dep 1.0"),
                "{run}"
            );
        });
}

#[test]
fn it_runs_on_every_cpython() {
    crate::harness::pythons::second("a start on a version other than Debian's");
    let pex = Pex::probe("cpython").dep(Wheel::new("dep", "1.0")).build();
    for python in crate::harness::pythons::cpythons() {
        Case::new(&pex)
            .python(python.path.clone())
            .env("PROBE_IMPORT", "dep")
            .holds(|run| {
                let state = run.state();
                let version = [python.version.0, python.version.1, python.version.2];
                assert_eq!(
                    state.get("/sys/version"),
                    &serde_json::json!(version),
                    "{run}"
                );
                assert_eq!(state.who("dep"), "dep 1.0", "{run}");
            });
    }
}

#[test]
fn info_names_the_hooks_of_the_host_and_what_comes_of_them() {
    let pex = app("def main():\n    pass\n").build();
    let stage = Stage::with_hooks(Way::Embedded, &pex);
    let site = format!("home/.local/lib/{}/site-packages", debian().name());
    stage.write(&format!("{site}/hook.pth"), "import this\n");
    for (told, words) in [
        ("", "--no-host-site"),
        ("1", "hook.pth  runs"),
        ("0", "hook.pth  does not run"),
        ("0", "it starts with -S: PEXBOOT_HOST_SITE says so"),
    ] {
        let mut info = std::process::Command::new(PEXBOOT);
        info.arg("info").arg(&stage.pex).env_clear();
        info.env("PATH", "/usr/bin:/bin").env("HOME", stage.home());
        let output = info.env("PEXBOOT_HOST_SITE", told).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        for words in ["host hooks", words, "site-packages/hook.pth"] {
            assert!(text.contains(words), "{words} in\n{text}");
        }
    }
}

/// The bootstrap that runs under `python DIR` starts `DIR/pex` by the Python that it has chosen: where it chose another
/// one, or PYTHONPATH is set.
#[test]
fn a_directory_and_its_pex_can_be_given_to_a_python() {
    let text = "import os, sys, dep\ndef main():\n    print(sys.argv[1:], sys.version_info[:2], dep.WHO, \
                os.environ.get('PYTHONPATH'), os.path.basename(os.environ['PEX']))\n";
    for layout in ["packed", "loose"] {
        let pex = app(text).layout(layout).build();
        let python = second("a directory under another Python").unwrap_or(debian());
        let case = || Case::new(&pex).args(["a"]).env("PYTHONPATH", "/nowhere");
        case().python(python.path.clone()).agrees().ok();
        let chosen = case().python(debian().path.clone());
        let chosen = chosen.env("PEX_PYTHON", python.path.to_str().unwrap());
        chosen.agrees().ok();
        let given = case().with(|start, stage| {
            let pex = stage.path("work/app.pex/pex");
            start.program(pex).before([&python.path])
        });
        given.agrees().ok();
        given.env("PEX_INHERIT_PATH", "prefer").agrees().ok();
    }
}
