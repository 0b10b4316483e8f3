//! Python's own options: among the arguments of a PEX that acts as an interpreter, before the file's name where a Python
//! runs it, and built into it. The original is the oracle wherever it does what `python` does; else `python` is.

use std::process::Command;

use serde_json::json;

use crate::fixtures::{PYTHON, Pex, Wheel};
use crate::harness::{Case, Outcome, Stage, Way, long_tier, pythons, ways};

/// Prints what options change; a file that starts with this line can be skipped by one.
const REPORT: &str = "import sys; f = sys.flags; print(sys.argv, [getattr(f, n, None) for n in 'debug optimize \
                      dont_write_bytecode no_user_site ignore_environment verbose bytes_warning quiet isolated dev_mode \
                      utf8_mode safe_path'.split()], sys.warnoptions, sorted(sys._xoptions), __debug__)";

/// What the original makes of an option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Oracle {
    /// What is right: output, messages and exit code are the same.
    Original,
    /// It fails, or takes its own path for an operand: here the option does what it does to `python`.
    Python,
    /// A virtual environment's own script takes it for a file: as [`Oracle::Original`] in a zipapp, else `python`'s way.
    OriginalButInVenv,
    /// It does what `python` does, with lines that hold paths or times.
    Code,
}

use Oracle::{Code, Original, OriginalButInVenv, Python};

const R: &str = "REPORT";

/// Every option of `python --help`, with a command that shows what it does.
const OPTIONS: &[(&[&str], Oracle)] = &[
    (&["-b", "-c", R], Original),
    (&["-bb", "-c", R], Original),
    (&["-bb", "-c", "str(b'')"], Code),
    (&["-B", "-c", R], Original),
    (&["-d", "-c", R], Original),
    (&["-E", "-c", R], Original),
    (&["-I", "-c", R], Original),
    (&["-O", "-c", R], Original),
    (&["-OO", "-c", R], Original),
    (&["-q", "-c", R], Original),
    (&["-R", "-c", R], Original),
    (&["-s", "-c", R], Original),
    (&["-S", "-c", R], Original),
    (&["-u", "-c", R], Original),
    (&["-v", "-c", R], Code),
    (&["-i", "-c", R], Original),
    (&["-i", "report.py", "a"], Original),
    (&["-i"], Original),
    (&["-q"], Original),
    (&[], Original),
    (&["-V"], Original),
    (&["-VV"], Original),
    (&["--version"], OriginalButInVenv),
    (&["-h"], Code),
    (&["-?"], Code),
    (&["--help"], Code),
    (&["-W", "ignore", "-c", R], Python),
    (&["-Wignore", "-Werror", "-c", R], Python),
    (&["-X", "dev", "-c", R], Python),
    (&["-Xutf8", "-c", R], Original),
    (&["-X", "utf8", "report.py", "a"], Python),
    (&["-Ximporttime", "-c", "pass"], Code),
    (&["--check-hash-based-pycs", "always", "report.py"], Python),
    (&["-x", "skipped.py", "a", "-x"], Python),
    (&["-xB", "-O", "skipped.py"], Python),
    (&["-x", "report.py"], Python),
    (&["-x", "directory", "a"], Original),
    (&["-x", "-c", R], Original),
    (&["-x", "-"], Original),
    (&["-x", "-m", "report"], Original),
    (&["-Bc", R, "a"], Python),
    (&["-Om", "report", "a"], Python),
    (&["-mreport", "a"], Python),
    (&["-Bsmreport", "a"], Python),
    (&["-BE", "report.py", "-B"], Original),
    (&["-Bs", "-u", "-", "-u"], Original),
    (&["-", "-u"], Original),
    (&["report.py", "-O"], Original),
    (&["directory", "-O"], Original),
    (&["-O", "-c", "assert 0"], Original),
    (&["-y", "-c", R], Code),
    (&["--nope", "-c", R], Code),
    (&["-W"], Code),
    (&["-uX"], Code),
    (&["--check-hash-based-pycs"], Code),
];

/// Those that Python has from 3.11 on.
const NEWER_OPTIONS: &[(&[&str], Oracle)] = &[
    (&["-P", "-c", R], Original),
    (&["--help-env"], OriginalButInVenv),
    (&["--help-xoptions"], OriginalButInVenv),
    (&["--help-all"], Code),
];

fn files(stage: &Stage) {
    stage.write("work/report.py", &format!("{REPORT}\n"));
    stage.write("work/directory/__main__.py", &format!("{REPORT}\n"));
    stage.write(
        "work/skipped.py",
        &format!("for another system\n{REPORT}\n"),
    );
}

fn words(args: &[&str]) -> Vec<String> {
    args.iter().map(|arg| arg.replace(R, REPORT)).collect()
}

/// What is typed: the program behind `-`, else something for the interactive session that may begin.
fn typed(args: &[&str]) -> &'static str {
    if args.contains(&"-") {
        REPORT
    } else {
        "print(6 * 7)\n"
    }
}

/// What `python` does with the arguments, where the PEX has run: code and standard output.
fn python_does(stage: &Stage, args: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(PYTHON);
    command
        .args(words(args))
        .current_dir(stage.path("work"))
        .env_clear()
        .env("LANG", "C.UTF-8");
    let mut child = command
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    // One that only tells its version may be gone by now.
    let _ = std::io::Write::write_all(&mut child.stdin.take().unwrap(), typed(args).as_bytes());
    let output = child.wait_with_output().unwrap();
    (
        output.status.code(),
        String::from_utf8(output.stdout).unwrap(),
    )
}

#[test]
fn every_option_of_python_does_what_it_does_to_python() {
    let pex = |name: &str| Pex::empty(name).dep(Wheel::new("dep", "1.0"));
    // In an environment against the original, two starts each, in the long tier.
    let in_venv = long_tier("options of Python in a virtual environment, against the original");
    for (venv, pex) in [
        (false, pex("options").build()),
        (true, pex("options-venv").venv().build()),
    ] {
        let stages: Vec<Stage> = ways().iter().map(|&way| Stage::new(way, &pex)).collect();
        stages.iter().for_each(files);
        let newer = pythons::debian().version >= (3, 11, 0);
        let newer = NEWER_OPTIONS.iter().filter(|_| newer);
        for (args, oracle) in OPTIONS.iter().chain(newer) {
            let run = |stage: &Stage| -> Outcome {
                let start = stage.start().args(words(args)).stdin(typed(args));
                start.run()
            };
            let oracle = match oracle {
                OriginalButInVenv if venv => Python,
                OriginalButInVenv => Original,
                oracle => *oracle,
            };
            for stage in &stages {
                if stage.way == Way::Original || venv && oracle == Original && !in_venv {
                    continue;
                }
                let found = run(stage);
                let (code, stdout) = python_does(stage, args);
                match oracle {
                    Original => {
                        let truth = run(&stages[0]);
                        let root = |stage: &Stage| stage.root().to_str().unwrap().to_owned();
                        let told = |outcome: &Outcome, stage: &Stage| {
                            let text = format!("{}\n{}", outcome.stdout, outcome.stderr);
                            flags_of(venv, &text.replace(&root(stage), "[BOX]"))
                        };
                        assert_eq!(found.code, truth.code, "{args:?}\n{truth}\n{found}");
                        assert_eq!(
                            told(&found, stage),
                            told(&truth, &stages[0]),
                            "{args:?}\n{truth}\n{found}"
                        );
                    }
                    Python => {
                        let expected = flags_of(venv, &stdout);
                        assert_eq!(found.code, code, "{args:?}\n{found}");
                        assert_eq!(flags_of(venv, &found.stdout), expected, "{args:?}\n{found}");
                    }
                    Code | OriginalButInVenv => assert_eq!(found.code, code, "{args:?}\n{found}"),
                }
            }
        }
    }
}

/// In a virtual environment, a report without what isolation sets: the original loses it where it is given an option
/// (docs/compatibility.md).
fn flags_of(venv: bool, text: &str) -> String {
    if !venv {
        return text.to_owned();
    }
    let mut lines = Vec::new();
    for line in text.lines() {
        let Some((argv, flags)) = line.split_once("] [") else {
            lines.push(line.to_owned());
            continue;
        };
        let (flags, rest) = flags.split_once(']').unwrap_or((flags, ""));
        let set_by_isolation = [3, 4, 8, 11];
        let kept = flags
            .split(", ")
            .enumerate()
            .filter(|(index, _)| !set_by_isolation.contains(index))
            .map(|(_, flag)| flag);
        lines.push(format!(
            "{argv}] [{}]{rest}",
            kept.collect::<Vec<_>>().join(", ")
        ));
    }
    lines.join("\n")
}

/// Options of the Python that runs the file, and those that are built in: they are kept, `-x` says nothing here.
#[test]
fn options_before_the_file_and_built_in_are_kept() {
    let app = format!("def main():\n    {REPORT}\n");
    let pex = |name: &str, options: &[&str]| {
        let pex = Pex::app(name, &app).dep(Wheel::new("dep", "1.0"));
        pex.info("inject_python_args", json!(options))
    };
    const GIVEN: &[&[&str]] = &[
        &["-b"],
        &["-B"],
        &["-E", "-s"],
        &["-I"],
        &["-O"],
        &["-q"],
        &["-u"],
        &["-x"],
        &["-Bx"],
        &["-W", "ignore::UserWarning"],
        &["-X", "utf8"],
        &["-Xutf8", "-B"],
        &["-Bs"],
        &["--check-hash-based-pycs", "never"],
    ];
    let none = pex("options-given", &[]);
    for pex in [none.clone().build(), none.venv().build()] {
        for options in GIVEN {
            let case = Case::new(&pex).with(move |start, _| {
                let words = [PYTHON].into_iter().chain(options.iter().copied());
                start.before(words.map(str::to_owned)).args(["a"])
            });
            case.agrees().ok();
        }
    }
    for options in [
        &["-O"][..],
        &["-B", "-s"],
        &["-x"],
        &["-X", "utf8", "-s"],
        &["-Wignore"],
    ] {
        for pex in [
            pex("options-built", options).build(),
            pex("options-built", options).venv().build(),
        ] {
            // The original adds them at each of its starts, so that they may come twice (and `-b` means more then).
            let case = Case::new(&pex).args(["a"]).normalise(|text| {
                text.replace("['ignore', 'ignore']", "['ignore']")
                    .replace("'a'] [0, 2,", "'a'] [0, 1,")
            });
            case.agrees().ok();
        }
    }
}

/// What goes to stderr with times in it is there.
#[test]
fn imports_are_timed_where_that_is_asked_for() {
    let pex = Pex::app(
        "options-timed",
        "import dep\ndef main():\n    print(dep.WHO)\n",
    );
    let pex = pex.dep(Wheel::new("dep", "1.0")).build();
    let case = Case::new(&pex).with(|start, _| start.before([PYTHON, "-X", "importtime"]));
    case.holds(|run| {
        run.ok()
            .prints("dep 1.0")
            .says("import time:")
            .says(" dep\n");
    });
    let case = Case::new(&pex).with(|start, _| start.before([PYTHON, "-v"]));
    case.holds(|run| {
        run.ok().prints("dep 1.0").says("import 'dep'");
    });
}

/// `python -i app.pex` goes on at a prompt that knows what the application left.
#[test]
fn a_session_follows_where_python_is_asked_to_inspect() {
    let pex = Pex::empty("options-inspect").source("app.py", "X = 5\nprint('ran')\n");
    let pex = pex.dep(Wheel::new("dep", "1.0")).entry("app").build();
    // The original shows the exception there by which it ends.
    let case = || {
        let case = Case::new(&pex).ignore_stderr();
        case.stdin("import dep; print(dep.WHO)\n")
    };
    let flag = case()
        .with(|start, _| start.before([PYTHON, "-i"]))
        .agrees();
    flag.ok().prints("ran\ndep 1.0");
    let variable = case().env("PYTHONINSPECT", "1").agrees();
    // Whose exit is asked for by `sys.exit` before Python looks at the variable.
    variable.ok().prints("ran");
    let interpreter = Pex::empty("options-inspected").dep(Wheel::new("dep", "1.0"));
    for pex in [interpreter.clone().build(), interpreter.venv().build()] {
        let case = Case::new(&pex).args(["-i", "-c", "x = 5"]);
        case.stdin("print(x)\n").agrees().ok().prints("5");
    }
}

/// What `site` provides beside paths is there where the launcher alone leaves `site` out, and not where the user does.
#[test]
fn exit_is_there_unless_the_user_wants_no_site() {
    let app = "import builtins\ndef main():\n    print(hasattr(builtins, 'exit'))\n";
    let pex = Pex::app("without-site", app).build();
    for (option, there) in [
        ("-S", "False"),
        ("-SO", "False"),
        ("-s", "True"),
        ("-WS", "True"),
    ] {
        let python = pythons::debian().path.clone();
        let case = Case::new(&pex)
            .with(move |start, _| start.before([python.as_os_str(), option.as_ref()]));
        case.ignore_stderr().agrees().ok().prints(there);
    }
}
