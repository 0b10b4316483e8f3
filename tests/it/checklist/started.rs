//! Items 99-104, 125 to 127: what starts the original has a say: options and path of its Python, and what that reads at its start.

use std::os::unix::fs::symlink;
use std::path::PathBuf;

use serde_json::json;

use crate::fixtures::{PYTHON, Pex, Wheel, commanded};
use crate::harness::subject::{about_each, no_oracle, on_each, subject};
use crate::harness::{Case, Outcome, Stage, Start, Way, pythons};

/// Prints what options change.
const REPORT: &str = "import os, sys; f = sys.flags; print(f.optimize, f.no_user_site, f.ignore_environment, \
                      f.dont_write_bytecode, sys.stdout.write_through, sys.warnoptions, os.environ.get('SPELLED'))";

fn reports() -> String {
    format!("def main():\n    {REPORT}\n")
}

/// Options of the line that starts the original, in every form, are options of the one Python, unless another Python than
/// the line's runs the file: then that one's count. From a directory the original loses them where it starts another.
#[test]
fn item_99_options_of_the_shebang_line_count() {
    about_each(|| {
        let python = subject().path.display().to_string();
        let glued = format!("{python} -sEuO");
        let app = |line: &str| Pex::app("item99", &reports()).shebang(line);
        let all = "1 1 1 0 True [] None";
        let python_is = subject();
        if python_is.implementation == "pypy" && python_is.version < (3, 10, 0) {
            no_oracle("a PyPy before 3.10 does not tell the original its options");
            for pex in [app(&glued), app(&glued).layout("loose")] {
                Case::new(&pex.build()).holds(|run| {
                    if run.way == Some(Way::Embedded) {
                        run.ok().prints(all);
                    }
                });
            }
            return;
        }
        let check = |pex: Pex| Case::new(&pex.build()).agrees().ok().stdout.clone();
        for pex in [app(&glued), app(&glued).venv(), app(&glued).layout("loose")] {
            assert_eq!(check(pex).trim(), all);
        }
        for layout in ["packed", "loose"] {
            check(app(&glued).layout(layout));
            check(app(&glued).layout(layout).venv());
        }
        let split = format!("/usr/bin/env -S SPELLED=out {python} -u -W ignore");
        assert_eq!(check(app(&split)).trim(), "0 0 0 0 True ['ignore'] out");
        assert_eq!(
            check(app(&split).venv()).trim(),
            "0 1 1 0 True ['ignore'] out"
        );
        check(app(&format!("{python} -W ignore")));
        check(app(&format!("{python} -uB")).info("inject_python_args", json!(["-O"])));

        let pex = app(&glued).build();
        let loose = app(&glued).layout("loose").build();
        for pex in [&pex, &loose] {
            let run = |words: &'static [&'static str]| {
                let python = PathBuf::from(&python);
                Case::new(pex).with(move |start, _| {
                    let words = words.iter().map(|word| (*word).to_owned());
                    start.before([python.display().to_string()].into_iter().chain(words))
                })
            };
            run(&["-Wignore"]).agrees().ok();
            Case::new(pex).env("PYTHONPATH", "/nowhere").agrees().ok();
            if let Some(other) = pythons::other("options of the shebang line under PEX_PYTHON") {
                let other = other.path.display().to_string();
                Case::new(pex).env("PEX_PYTHON", &other).agrees().ok();
            }
        }
        let interpreter = Pex::empty("item99").shebang(&glued).build();
        let typed = Case::new(&interpreter).args(["-c", REPORT]).agrees();
        typed.ok().prints(all);
        let typed = Case::new(&interpreter).args(["-B", "-c", REPORT]).agrees();
        typed.ok().prints("1 1 1 1 True [] None");

        for more in [&[][..], &["--venv"]] {
            let boot = ["--sh-boot", "--python-shebang", &glued];
            let options: Vec<&str> = boot.iter().chain(more).copied().collect();
            let pex = commanded("item99", &reports(), &options);
            Case::new(&pex).agrees().ok().prints(all);
        }
    });
}

/// Modules of the standard library that a session needs, sooner or later.
const TRAPS: &[&str] = &[
    "__future__",
    "ast",
    "atexit",
    "code",
    "codeop",
    "collections",
    "contextlib",
    "copy",
    "dataclasses",
    "dis",
    "enum",
    "fcntl",
    "functools",
    "inspect",
    "json",
    "keyword",
    "linecache",
    "operator",
    "opcode",
    "platform",
    "re",
    "runpy",
    "select",
    "shlex",
    "signal",
    "string",
    "struct",
    "termios",
    "textwrap",
    "token",
    "tokenize",
    "traceback",
    "types",
    "warnings",
];
/// Those that the original itself imports from there.
const LATE_TRAPS: &[&str] = &["readline", "rlcompleter", "_curses", "unicodedata"];

#[test]
fn item_100_a_session_runs_no_file_of_the_working_directory_by_itself() {
    fn lay<'a>(start: Start<'a>, stage: &Stage) -> Start<'a> {
        let late = LATE_TRAPS.iter().filter(|_| stage.way == Way::Embedded);
        for name in TRAPS.iter().chain(late) {
            stage.write(
                &format!("work/{name}.py"),
                &format!("import os\nos.write(2, b'ran {name}\\n')\nos._exit(9)\n"),
            );
        }
        stage.write("work/mine.py", "print('mine')\n");
        start
    }
    let unharmed = |run: &Outcome| assert!(!run.stderr.contains("ran "), "{run}");
    on_each(|| {
        let zipapp = Pex::empty("item100").dep(Wheel::new("dep", "1.0"));
        let venv = zipapp.clone().venv().build();
        let zipapp = zipapp.build();
        for pex in [&zipapp, &venv] {
            let typed = "pex()\npex(json=True)\n1/0\nx y\ntry:\n    import mine\nexcept ImportError:\n    print('none')\n\n\
                         exit(3)\n";
            Case::new(pex).stdin(typed).with(lay).holds(|run| {
                unharmed(run.exits(3));
                let finds = if std::ptr::eq(pex, &zipapp) {
                    "mine"
                } else {
                    "none"
                };
                assert!(run.stdout.contains(finds), "{run}");
            });
            let case = Case::new(pex).args(["-i", "-c", "x = 5"]).with(lay);
            case.stdin("print(x)\n1/0\nimport mine\n").holds(|run| {
                // The original's own goes by `python` in a virtual environment, which runs some of them.
                if run.way == Some(Way::Embedded) {
                    // PyPy prompts on standard output.
                    let text = run.ok().stdout.replace(">>>> ", "");
                    assert_eq!(text.trim(), "5\nmine", "{run}");
                    unharmed(run);
                }
            });
        }
    });
}

#[test]
fn item_101_sys_executable_is_the_path_by_which_python_was_started() {
    about_each(|| {
        let app = "import sys\ndef main():\n    print(sys.executable)\n";
        let named = Pex::app("item101", app).shebang("/usr/bin/env python3");
        let link = |stage: &Stage| {
            let link = stage.path("bin/python3");
            std::fs::create_dir_all(stage.path("bin")).unwrap();
            let _ = symlink(&subject().path, &link);
            link
        };
        for pex in [named.clone().build(), named.layout("loose").build()] {
            let by_link = || Case::new(&pex).with(move |start, stage| start.python(&link(stage)));
            by_link().agrees().ok().prints("[BOX]/bin/python3");
            // The original starts a Python anew with it, by the path that links lead to.
            by_link().env("PYTHONPATH", "/nowhere").agrees().ok();
            let by_path = Case::new(&pex).with(move |start, stage| {
                let path = link(stage).parent().unwrap().display().to_string();
                start.env("PATH", format!("{path}:/usr/bin:/bin"))
            });
            by_path.agrees().ok().prints("[BOX]/bin/python3");
            let path = subject().path.display().to_string();
            by_link().env("PEX_PYTHON", &path).agrees().ok();
            if let Some(other) = pythons::other("sys.executable under PEX_PYTHON") {
                by_link()
                    .env("PEX_PYTHON", &other.path.display().to_string())
                    .agrees()
                    .ok();
            }
        }
    });
}

/// One Python starts where the original starts two: whether it is in its UTF-8 mode in the C locale differs, nothing that
/// follows from it does. What a variable makes it take itself for, an environment does not believe.
#[test]
fn item_102_locale_and_pythonexecutable_do_no_harm() {
    on_each(|| {
        let app = "import locale, os, sys\ndef main():\n    print(sys.getfilesystemencoding(), sys.stdin.encoding, \
                   sys.stdout.encoding, sys.stdout.errors, sys.stderr.errors, os.environ.get('LC_CTYPE'), \
                   ascii(os.fsdecode(b'\\xff')), ascii('gr\\xfc\\xdfe'.encode(locale.getpreferredencoding(False))))\n";
        let app = Pex::app("item102", app);
        for pex in [app.clone().build(), app.clone().venv().build()] {
            Case::new(&pex).env("LANG", "C").agrees().ok();
            Case::new(&pex).env("LC_ALL", "POSIX").agrees().ok();
        }
        let app = "import dep, sys\ndef main():\n    print(dep.WHO, sys.executable)\n";
        let pex = Pex::app("item102", app)
            .dep(Wheel::new("dep", "1.0"))
            .venv();
        for pex in [
            pex.clone().build(),
            pex.info("venv_hermetic_scripts", false).build(),
        ] {
            let case = Case::new(&pex).env("PYTHONEXECUTABLE", "/no/such/python");
            case.holds(|run| {
                // The original starts itself again by that path.
                if run.way == Some(Way::Embedded) {
                    assert!(run.ok().stdout.starts_with("dep 1.0 "), "{run}");
                    assert!(run.stdout.trim().ends_with("/bin/python"), "{run}");
                }
            });
        }
    });
}

#[test]
fn item_103_pythonpath_is_inherited_whatever_python_ignores() {
    on_each(|| {
        let app = "import sys\ndef main():\n    print([entry for entry in sys.path if not entry.startswith('/') \
                   or '/listed' in entry])\n";
        let app = Pex::app("item103", app);
        let plain = app.clone().build();
        for (inherit, options) in [("prefer", "-I"), ("fallback", "-sE")] {
            let built = app.clone().info("inherit_path", inherit).build();
            for (pex, variable) in [(&built, ""), (&plain, inherit)] {
                let listed = "/listed/a:/listed/b:listed:/listed/a";
                let python = subject().path.clone();
                let case = Case::new(pex)
                    .env("PYTHONPATH", listed)
                    .with(move |start, _| {
                        let start = start.before([python.as_os_str(), options.as_ref()]);
                        match variable {
                            "" => start,
                            inherit => start.env("PEX_INHERIT_PATH", inherit),
                        }
                    });
                let found = case.agrees();
                found.ok().prints("['/listed/a', '/listed/b', 'listed']");
            }
        }
    });
}

/// Runs the words behind it at a terminal, and says what a session there knows.
const AT_A_TERMINAL: &str = "
import os, pty, sys
pid, terminal = pty.fork()
if pid == 0:
    os.execv(sys.argv[1], sys.argv[1:])
os.write(terminal, b\"print('got', x)\\nexit(3)\\n\")
out = b''
while True:
    try:
        more = os.read(terminal, 4096)
    except OSError:
        break
    if not more:
        break
    out += more
print('a session' if b'got 5' in out else out)
sys.exit(os.waitpid(pid, 0)[1] >> 8)
";

#[test]
fn item_104_a_venv_opens_what_it_is_given_and_says_why_it_cannot_run_a_script() {
    on_each(|| {
        let script = "#!/bin/sh\necho ran\n";
        let wheel = Wheel::empty("scripts", "1.0");
        let wheel = wheel.file_with_mode("scripts-1.0.data/scripts/shut", script, 0o644);
        let pex = Pex::app("item104", "def main():\n    pass\n")
            .dep(wheel)
            .venv()
            .build();
        Case::new(&pex).env("PEX_SCRIPT", "shut").holds(|run| {
            run.refused();
            let said = ["Permission denied", "it is not executable"];
            assert!(said.iter().any(|said| run.stderr.contains(said)), "{run}");
            assert!(!run.stderr.contains("Could not find"), "{run}");
        });
        let interpreter = Pex::empty("item104").dep(Wheel::new("dep", "1.0"));
        for pex in [interpreter.clone().build(), interpreter.venv().build()] {
            for args in [&["given.py"][..], &["-m", "given"], &["-c", "x = 5"]] {
                let case = Case::new(&pex).args(args).env("PYTHONINSPECT", "1");
                let case = case.env("TERM", "dumb").env("PYTHON_BASIC_REPL", "1");
                let case = case.with(|start, stage| {
                    stage.write("work/given.py", "x = 5\n");
                    start.before([PYTHON, "-I", "-c", AT_A_TERMINAL])
                });
                case.agrees().exits(3).prints("a session");
            }
        }
    });
}

/// The environment as `env` leaves it, the working directory, and signals: with what `env` can be told beside variables.
#[test]
fn item_125_options_of_env_count() {
    on_each(|| {
        let app = "import os, signal, sys\ndef main():\n    kept = {n: os.environ.get(n) for n in ('KEPT', 'SET', 'GONE')}\n    \
                   print(kept, os.getcwd(), signal.getsignal(signal.SIGUSR1), sys.argv[1:])\n";
        let python = subject().path.display().to_string();
        let app = Pex::app("item125", app);
        for (options, said) in [
            (
                "-S -i SET=a=b",
                "{'KEPT': None, 'SET': 'a=b', 'GONE': None} [BOX]/work",
            ),
            ("-iS SET=1 -", ""),
            (
                "-S -u GONE -C /usr",
                "{'KEPT': '1', 'SET': None, 'GONE': None} /usr",
            ),
            (
                "-S --chdir=/usr --ignore-signal=USR1",
                "{'KEPT': '1', 'SET': None, 'GONE': '1'} /usr",
            ),
        ] {
            let line = format!("/usr/bin/env {} {python}", options.trim_end_matches(" -"));
            let pex = app.clone().shebang(&line);
            for pex in [pex.clone().build(), pex.venv().build()] {
                let case = Case::new(&pex)
                    .env("KEPT", "1")
                    .env("GONE", "1")
                    .args(["a"]);
                // `env` changes the directory before Python looks for the file.
                let case = case.with(|start, stage| {
                    start.program(stage.pex.clone()).env("HOME", stage.home())
                });
                let found = case.ignore_stderr().agrees();
                assert!(found.ok().stdout.starts_with(said), "{found}");
            }
        }
    });
}

/// A variable that is set to nothing is not one that is not set: the next start finds it as it was.
#[test]
fn item_126_an_empty_variable_holds_at_the_next_start() {
    on_each(|| {
        let pex = Pex::app("item126", "def main():\n    pass\n").build();
        no_oracle("it has no plans");
        let stage = Stage::new(Way::Embedded, &pex);
        for expected in [false, true, true] {
            let start = stage
                .start()
                .env("PYTHONUSERBASE", "")
                .env("PEX_VERBOSE", "1");
            let run = start.run();
            let warm = run.ok().stderr.contains("replaying the launch plan");
            assert_eq!(warm, expected, "{run}");
        }
    });
}

/// Workers of multiprocessing look for the main module of who has started them: code that lies in no file has none.
#[test]
fn item_127_typed_code_has_workers() {
    on_each(|| {
        let wheel = Wheel::new("dep", "1.0")
            .file("work.py", "import dep\ndef work():\n    return dep.WHO\n");
        let code = "import multiprocessing, work\n\
                    if __name__ == '__main__':\n    \
                    with multiprocessing.get_context('spawn').Pool(1) as pool:\n        \
                    print(pool.apply_async(work.work).get(60), __file__)\n";
        let interpreter = Pex::empty("item127").dep(wheel);
        for pex in [interpreter.clone().build(), interpreter.venv().build()] {
            let typed = Case::new(&pex).args(["-c", code]);
            typed.agrees().ok().prints("dep 1.0 -c <cmd>");
            let read = Case::new(&pex).args(["-"]).stdin(code);
            read.agrees().ok().prints("dep 1.0 -");
        }
    });
}
