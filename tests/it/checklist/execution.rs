//! Items 63-84: how the application is called and what it sees.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::symlink;
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;

use crate::fixtures::{Pex, Wheel, sources};
use crate::harness::subject::{on_each, subject};
use crate::harness::{Case, Stage, Way, stated};

/// A module that prints its name and its arguments.
const SAYS: &str = "import sys\ndef main():\n    print(__name__, sys.argv[1:])\n\
                    if __name__ == '__main__':\n    print('module', sys.argv[1:])\n";

/// The probe, called instead of run as a module.
fn called(name: &str) -> Pex {
    Pex::probe(name).entry("probe:main")
}

#[test]
fn item_63_what_a_callable_returns_is_the_exit_code() {
    on_each(|| {
        let pex = Pex::app(
            "item63",
            "import sys\ndef main():\n    return eval(sys.argv[1])\n",
        )
        .build();
        for (value, code) in [
            ("None", 0),
            ("0", 0),
            ("3", 3),
            ("True", 1),
            ("-1", 255),
            ("261", 5),
        ] {
            Case::new(&pex).args([value]).agrees().exits(code);
        }
        let text = Case::new(&pex).args(["'text'"]).agrees();
        text.exits(1);
        assert_eq!(text.stderr, "text\n");
    });
}

#[test]
fn item_64_a_nested_attribute_is_called_without_arguments() {
    on_each(|| {
        let app = "class A:\n    class B:\n        @staticmethod\n        def c(*args):\n            print('called', args)\n";
        let pex = Pex::empty("item64")
            .source("app.py", app)
            .entry("app:A.B.c")
            .build();
        Case::new(&pex).agrees().ok().prints("called ()");
    });
}

#[test]
fn item_65_a_module_entry_is_main() {
    on_each(|| {
        let probe = std::fs::read_to_string(sources().join("probe.py")).unwrap();
        let pex = Pex::empty("item65")
            .source("pkg/__init__.py", "")
            .source("pkg/probe.py", &probe)
            .entry("pkg.probe")
            .build();
        Case::new(&pex).args(["a"]).holds(|run| {
            let state = run.state();
            assert_eq!(state.text("/main/__name__"), "__main__", "{run}");
            assert_eq!(state.text("/main/__spec__/name"), "pkg.probe", "{run}");
            assert_eq!(state.text("/main/__package__"), "pkg", "{run}");
            assert_eq!(state.text("/argv/0"), state.text("/main/__file__"), "{run}");
            assert!(state.text("/argv/0").ends_with("/pkg/probe.py"), "{run}");
            assert_eq!(state.texts("/argv")[1..], ["a"], "{run}");
        });
    });
}

#[test]
fn item_66_through_a_symlink_argv0_is_the_link_and_pex_the_file() {
    on_each(|| {
        let pex = called("item66").build();
        for &way in stated() {
            let stage = Stage::new(way, &pex);
            let link = stage.path("work/link");
            symlink("app.pex", &link).unwrap();
            for program in [link.clone(), "./link".into()] {
                let run = stage.start().program(&program).run();
                let state = run.state();
                let work = stage.root().join("work");
                // Absolute, but not normalised: `BOX/work/./link` is as good. Before 3.9 Python did not make it so.
                let argv0 = state.text("/argv/0").replace("/./", "/");
                let as_given = way == Way::Original && subject().version < (3, 9, 0);
                if as_given {
                    assert_eq!(argv0, program.to_str().unwrap(), "{run}");
                } else {
                    assert_eq!(argv0, work.join("link").to_str().unwrap(), "{run}");
                }
                assert_eq!(state.env("PEX"), work.join("app.pex").to_str(), "{run}");
            }
        }
    });
}

#[test]
fn item_67_signals_reach_the_process_that_was_started() {
    on_each(|| {
        let app = "import os, signal\ndef main():\n    print(os.getpid(), flush=True)\n    signal.pause()\n";
        let pex = Pex::app("item67", app).build();
        for &way in stated() {
            let stage = Stage::new(way, &pex);
            let mut child = stage
                .start()
                .command()
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            let mut line = String::new();
            BufReader::new(child.stdout.take().unwrap())
                .read_line(&mut line)
                .unwrap();
            assert_eq!(line.trim(), child.id().to_string(), "{way:?}");
            kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGTERM).unwrap();
            assert_eq!(child.wait().unwrap().signal(), Some(15), "{way:?}");
        }
    });
}

#[test]
fn item_68_pex_module_replaces_the_entry_point_and_its_arguments() {
    on_each(|| {
        let pex = Pex::app("item68", SAYS)
            .source("m.py", SAYS)
            .info("inject_args", json!(["injected"]))
            .build();
        Case::new(&pex)
            .args(["a"])
            .agrees()
            .ok()
            .prints("app ['injected', 'a']");
        Case::new(&pex)
            .args(["a"])
            .env("PEX_MODULE", "m")
            .agrees()
            .ok()
            .prints("module ['a']");
        Case::new(&pex)
            .args(["a"])
            .env("PEX_MODULE", "m:main")
            .agrees()
            .ok()
            .prints("m ['a']");
    });
}

/// A dist with a script of each kind.
fn scripts() -> Wheel {
    Wheel::empty("scripts", "1.0")
        .file("s.py", "import sys\ndef con():\n    print('console', sys.argv)\ndef gui():\n    print('gui', sys.argv)\n")
        .file_with_mode("DATA/scripts/data-python", "#!python\nimport sys\nprint('data', sys.argv[1:], __name__)\n", 0o755)
        .file_with_mode("DATA/scripts/data-shell", "#!/bin/sh\necho shell \"$@\"\nexit 7\n", 0o755)
        .entry_points("[console_scripts]\ncon = s:con\n[gui_scripts]\ngui = s:gui\n")
}

#[test]
fn item_69_pex_script_runs_scripts_of_every_kind() {
    on_each(|| {
        let pex = Pex::probe("item69").dep(scripts()).build();
        let run = |script: &str| {
            Case::new(&pex)
                .env("PEX_SCRIPT", script)
                .args(["a"])
                .agrees()
        };
        assert!(run("con").ok().stdout.starts_with("console "));
        assert!(run("gui").ok().stdout.starts_with("gui "));
        run("data-python").ok().prints("data ['a'] __main__");
        run("data-shell").exits(7).prints("shell a");
        Case::new(&pex).env("PEX_SCRIPT", "nope").holds(|run| {
            run.refused().says("Could not find script 'nope'");
        });
    });
}

#[test]
fn item_70_script_and_module_exclude_each_other() {
    on_each(|| {
        let pex = Pex::probe("item70").build();
        Case::new(&pex)
            .env("PEX_SCRIPT", "x")
            .env("PEX_MODULE", "y")
            .holds(|run| {
                run.refused();
            });
    });
}

#[test]
fn item_71_interpreter_mode_takes_what_python_takes() {
    on_each(|| {
        let report = "import sys; print(sys.argv, sys.path[0] == '')";
        let pex = Pex::probe("item71")
            .source("m.py", &format!("{report}\n"))
            .dep(Wheel::new("dep", "1.0"))
            .build();
        let case = |args: &[&str]| {
            Case::new(&pex)
                .env("PEX_INTERPRETER", "1")
                .args(args)
                .with(move |start, stage| {
                    stage.write("work/file.py", &format!("import dep\n{report}\n"));
                    stage.write("work/dir/__main__.py", &format!("import dep\n{report}\n"));
                    start
                })
        };
        case(&["-c", report, "a"])
            .agrees()
            .ok()
            .prints("['-c', 'a'] True");
        case(&["file.py", "a"])
            .agrees()
            .ok()
            .prints("['file.py', 'a'] True");
        case(&["dir", "a"]).agrees().ok();
        case(&["-", "a"])
            .stdin("import sys, dep; print(sys.argv, sys.path[0] == '')")
            .agrees()
            .ok()
            .prints("['-', 'a'] True");
        let module = case(&["-m", "m", "a"]).agrees();
        assert!(
            module.ok().stdout.ends_with("/m.py', 'a'] True\n") || module.stdout.contains("m.py"),
            "{module}"
        );
    });
}

#[test]
fn item_72_without_an_entry_point_a_file_is_run() {
    on_each(|| {
        let pex = Pex::empty("item72").dep(Wheel::new("dep", "1.0")).build();
        let case = Case::new(&pex).args(["file.py", "a"]).with(|start, stage| {
            stage.write(
                "work/file.py",
                "import sys, dep\nprint(dep.WHO, sys.argv)\n",
            );
            start
        });
        case.agrees().ok().prints("dep 1.0 ['file.py', 'a']");
    });
}

#[test]
fn item_73_injected_arguments_are_formatted() {
    on_each(|| {
        let pex = Pex::app("item73", SAYS)
            .info(
                "inject_args",
                json!(["--x", "{pex.env.VALUE}", "{{y}}", "{pex.env.NO_SUCH}"]),
            )
            .build();
        let case = Case::new(&pex).env("VALUE", "the value").args(["user"]);
        case.agrees()
            .ok()
            .prints("app ['--x', 'the value', '{y}', '', 'user']");
        // Of what an interpreter is given, a module is an entry point to a virtual environment alone.
        let shows = "import sys\nprint(sys.argv[1:])\n";
        let pex = || {
            Pex::empty("item73-m")
                .source("shown.py", shows)
                .info("inject_args", json!(["{pex.env.VALUE}"]))
        };
        for (pex, prints) in [(pex(), "['user']"), (pex().venv(), "['x', 'user']")] {
            let pex = pex.build();
            let case = || Case::new(&pex).env("VALUE", "x");
            case()
                .args(["-m", "shown", "user"])
                .agrees()
                .ok()
                .prints(prints);
            case()
                .args(["-c", shows, "user"])
                .agrees()
                .ok()
                .prints("['user']");
            let asked = case()
                .env("PEX_INTERPRETER", "1")
                .args(["-m", "shown", "user"]);
            asked.agrees().ok().prints("['user']");
        }
    });
}

#[test]
fn item_74_injected_variables_yield_to_the_callers() {
    on_each(|| {
        let pex = Pex::probe("item74")
            .info("inject_env", json!({"FOO": "a", "BAR": "c"}))
            .build();
        Case::new(&pex).env("FOO", "b").holds(|run| {
            let state = run.state();
            assert_eq!(
                (state.env("FOO"), state.env("BAR")),
                (Some("b"), Some("c")),
                "{run}"
            );
        });
    });
}

#[test]
fn item_75_python_options_can_be_injected() {
    on_each(|| {
        let pex = Pex::probe("item75")
            .info("inject_python_args", json!(["-O"]))
            .build();
        Case::new(&pex).holds(|run| assert_eq!(run.state().flag("optimize"), 1, "{run}"));
    });
}

#[test]
fn item_76_resources_are_bound_to_files() {
    on_each(|| {
        let app = "import os\ndef main():\n    res = os.environ['RES']\n    print(os.path.isabs(res), open(res).read())\n";
        let pex = |resource| {
            Pex::app("item76", app)
                .source("res/__init__.py", "")
                .source("res/d.txt", "bound")
                .info("bind_resource_paths", json!({"RES": resource}))
                .build()
        };
        Case::new(&pex("res/d.txt"))
            .env("RES", "overwritten")
            .agrees()
            .ok()
            .prints("True bound");
        Case::new(&pex("res/missing.txt")).holds(|run| {
            run.refused().says("res/missing.txt");
        });
    });
}

#[test]
fn item_77_pex_variables_do_not_reach_the_application() {
    on_each(|| {
        for (strip, seen) in [(true, false), (false, true)] {
            let pex = Pex::probe("item77").info("strip_pex_env", strip).build();
            let case = Case::new(&pex)
                .env("PEX_FOO", "1")
                .with(|start, stage| start.env("PEX_ROOT", stage.path("root")));
            case.holds(|run| {
                let state = run.state();
                assert_eq!(
                    (
                        state.env("PEX_FOO").is_some(),
                        state.env("PEX_ROOT").is_some()
                    ),
                    (seen, seen),
                    "{run}"
                );
            });
        }
    });
}

#[test]
fn item_78_pex_names_the_file_whatever_the_caller_set() {
    on_each(|| {
        let pex = Pex::probe("item78").build();
        for &way in stated() {
            let stage = Stage::new(way, &pex);
            let run = stage.start().env("PEX", "junk").run();
            assert_eq!(
                run.state().env("PEX"),
                stage.root().join("work/app.pex").to_str(),
                "{run}"
            );
        }
    });
}

#[test]
fn item_79_python_variables_count_unless_pythonpath_is_set() {
    on_each(|| {
        let pex = Pex::probe("item79").build();
        let case = || {
            Case::new(&pex)
                .env("PYTHONOPTIMIZE", "1")
                .env("PYTHONUNBUFFERED", "1")
        };
        case().holds(|run| {
            let state = run.state();
            assert_eq!(
                (state.flag("optimize"), state.flag("isolated")),
                (1, 0),
                "{run}"
            );
        });
        // A PyPy before 3.10 does not tell its own arguments, and so the original cannot start it again with `-I` added.
        let python = subject();
        let blind = python.implementation == "pypy" && python.version < (3, 10, 0);
        for pythonpath in ["", "/no/such/directory"] {
            case().env("PYTHONPATH", pythonpath).holds(|run| {
                let state = run.state();
                let expected = if blind && run.way == Some(Way::Original) {
                    (1, 0)
                } else {
                    (0, 1)
                };
                assert_eq!(
                    (state.flag("optimize"), state.flag("isolated")),
                    expected,
                    "{run}"
                );
                assert_eq!(state.env("PYTHONPATH"), Some(pythonpath), "{run}");
            });
        }
    });
}

#[test]
fn item_80_multiprocessing_works_with_every_start_method() {
    on_each(|| {
        let app = r#"
import multiprocessing
def work(number):
    import dep
    return number * 2, dep.WHO
def main():
    for method in ("fork", "spawn", "forkserver"):
        with multiprocessing.get_context(method).Pool(2) as pool:
            print(method, sorted(pool.map(work, range(2))))
if __name__ == "__main__":
    main()
"#;
        let lines = ["fork", "spawn", "forkserver"]
            .map(|method| format!("{method} [(0, 'dep 1.0'), (2, 'dep 1.0')]"))
            .join("\n");
        for entry in ["app", "app:main"] {
            let pex = Pex::app("item80", app)
                .entry(entry)
                .dep(Wheel::new("dep", "1.0"))
                .build();
            Case::new(&pex).ignore_stderr().agrees().ok().prints(&lines);
        }
    });
}

#[test]
fn item_81_exit_handlers_and_threads_finish() {
    on_each(|| {
        let app = r#"
import atexit, threading
def main():
    gate = threading.Event()
    def late():
        gate.wait()
        print("thread", flush=True)
    atexit.register(print, "atexit")
    threading.Thread(target=late).start()
    threading.Timer(0.05, gate.set).start()
    print("main", flush=True)
"#;
        Case::new(&Pex::app("item81", app).build())
            .agrees()
            .ok()
            .prints("main\nthread\natexit");
    });
}

/// The system's rc file is left out: it would have to be written to /etc of the machine that runs the tests.
#[test]
fn item_82_rc_files_yield_to_the_environment() {
    on_each(|| {
        let pex = Pex::app("item82", SAYS)
            .source("m.py", SAYS)
            .source("n.py", SAYS)
            .source("o.py", SAYS)
            .build();
        let case = |home: bool, beside: bool| {
            Case::new(&pex).with(move |start, stage| {
                if home {
                    stage.write("home/.pexrc", "PEX_MODULE=m:main\n");
                }
                if beside {
                    stage.write("work/.pexrc", "# a comment\nPEX_MODULE=n:main\n");
                }
                start
            })
        };
        case(false, false).agrees().ok().prints("app []");
        case(true, false).agrees().ok().prints("m []");
        case(true, true).agrees().ok().prints("n []");
        case(true, true)
            .env("PEX_MODULE", "o:main")
            .agrees()
            .ok()
            .prints("o []");
        case(true, true)
            .env("PEX_IGNORE_RCFILES", "1")
            .agrees()
            .ok()
            .prints("app []");
    });
}

#[test]
fn item_83_variables_can_be_disabled() {
    on_each(|| {
        let pex = Pex::app("item83", SAYS).source("m.py", SAYS).build();
        let case = Case::new(&pex)
            .env("PEX_MODULE", "m:main")
            .env("PEX_DISABLE_VARIABLES", "1");
        case.agrees().ok().prints("app []");
    });
}

#[test]
fn item_84_a_bad_integer_is_refused_in_one_line() {
    on_each(|| {
        let pex = Pex::probe("item84").build();
        Case::new(&pex).env("PEX_VERBOSE", "abc").holds(|run| {
            run.refused().says("PEX_VERBOSE");
            assert_eq!(run.stderr.trim().lines().count(), 1, "{run}");
        });
    });
}

/// Not on the list: a value that only an interactive session looks at.
#[test]
fn a_bad_history_setting_is_no_obstacle_to_an_application() {
    let pex = Pex::app("bad_history", SAYS).build();
    let case = Case::new(&pex).env("PEX_INTERPRETER_HISTORY", "yes");
    case.agrees().ok().prints("app []");
}
