//! `PEXBOOT_TRACE=FILE`: the timeline holds every step of a launch, whichever way it goes, and the application can't tell.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::fixtures::{Pex, Wheel};
use crate::harness::{PEXBOOT, Stage, Way};

/// One event, microseconds.
#[derive(Debug, Clone)]
struct Event {
    name: String,
    category: String,
    start: f64,
    end: f64,
    thread: u64,
}

/// A trace that has been read and found sound.
#[derive(Debug)]
struct Trace(Vec<Event>);

/// Times are written with three places.
const ROUNDING: f64 = 0.002;

impl Event {
    fn encloses(&self, other: &Event) -> bool {
        self.start <= other.start + ROUNDING && other.end <= self.end + ROUNDING
    }
}

impl Trace {
    /// Reads the file. Events of a thread nest or follow each other, all are of one process and within its launch.
    #[track_caller]
    fn read(path: &Path) -> Trace {
        let text = fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let file: Value = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}"));
        let listed = file["traceEvents"].as_array().unwrap();
        let pid = &listed[0]["pid"];
        let mut events = Vec::new();
        for event in listed {
            assert_eq!(&event["pid"], pid, "{event}");
            if event["ph"] == "M" {
                continue;
            }
            let start = event["ts"].as_f64().unwrap();
            events.push(Event {
                name: event["name"].as_str().unwrap().to_owned(),
                category: event["cat"].as_str().unwrap().to_owned(),
                start,
                end: start + event["dur"].as_f64().unwrap(),
                thread: event["tid"].as_u64().unwrap(),
            });
        }
        let trace = Trace(events);
        let launch = trace.one("launch");
        assert_eq!(Some(launch.thread), pid.as_u64());
        for event in &trace.0 {
            assert!(launch.encloses(event), "{event:?} is not within {launch:?}");
            for other in trace.0.iter().filter(|other| other.thread == event.thread) {
                let apart =
                    event.end <= other.start + ROUNDING || other.end <= event.start + ROUNDING;
                assert!(
                    apart || event.encloses(other) || other.encloses(event),
                    "{event:?} and {other:?} overlap"
                );
            }
        }
        trace
    }

    #[track_caller]
    fn one(&self, name: &str) -> &Event {
        let named = |step: bool| {
            let of = self.0.iter().filter(|event| event.name == name);
            of.filter(|event| !step || event.category == "launch")
                .collect::<Vec<_>>()
        };
        // A module may have the name of a step.
        let found = match named(true) {
            steps if steps.is_empty() => named(false),
            steps => steps,
        };
        match found.as_slice() {
            [one] => one,
            _ => panic!("not one `{name}` but {} in {:#?}", found.len(), self.0),
        }
    }

    fn has(&self, name: &str) -> bool {
        self.0.iter().any(|event| event.name == name)
    }

    fn of(&self, category: &str) -> Vec<&str> {
        let of = self.0.iter().filter(|event| event.category == category);
        of.map(|event| event.name.as_str()).collect()
    }

    /// These steps follow each other, one after the other has ended; the last ends with the launch, and where a stub was
    /// there the first begins with it.
    #[track_caller]
    fn is(&self, steps: &[&str]) -> &Trace {
        let launch = self.one("launch");
        let mut at = launch.start;
        for name in steps {
            let step = self.one(name);
            assert!(
                step.start + ROUNDING >= at,
                "`{name}` begins before what comes before it has ended: {:#?}",
                self.0
            );
            assert!(
                *name != "seal" || step.start <= at + ROUNDING,
                "`{name}` begins late"
            );
            at = step.end;
        }
        assert!(launch.end <= at + ROUNDING, "something follows {steps:?}");
        self
    }

    /// The step consists of these, in this order.
    #[track_caller]
    fn within(&self, outer: &str, steps: &[&str]) -> &Trace {
        let outer = self.one(outer);
        let mut at = outer.start;
        for name in steps {
            let step = self.one(name);
            assert!(outer.encloses(step), "`{name}` is not within {outer:?}");
            assert!(step.start + ROUNDING >= at, "`{name}` comes too early");
            at = step.end;
        }
        self
    }
}

const COLD: &[&str] = &[
    "seal",
    "engine start",
    "replay",
    "prepare",
    "trace written",
    "exec",
    "Python start",
    "boot",
];
const WARM: &[&str] = &[
    "seal",
    "engine start",
    "replay",
    "trace written",
    "exec",
    "Python start",
    "boot",
];

/// A PEX that imports one of its wheels; three are large enough to be unpacked by several workers.
fn app() -> Pex {
    let text = "import sys\nimport dep.deeper\n\
                def main():\n    print('started', *sys.argv[1:])\n";
    let large = |name: &str| {
        Wheel::new(name, "1.0").file(&format!("{name}.txt"), &"all the same\n".repeat(100_000))
    };
    Pex::app("traced", text)
        .dep(
            Wheel::empty("dep", "1.0")
                .file("dep/__init__.py", "")
                .file("dep/deeper.py", "import dep.deepest\n")
                .file("dep/deepest.py", ""),
        )
        .dep(large("one"))
        .dep(large("two"))
        .dep(large("three"))
}

/// Starts the PEX with a trace and reads it.
#[track_caller]
fn traced(stage: &Stage, args: &[&str]) -> Trace {
    let file = stage.path("trace.json");
    let _ = fs::remove_file(&file);
    stage
        .start()
        .env("PEXBOOT_TRACE", &file)
        .args(args)
        .run()
        .ok();
    Trace::read(&file)
}

#[test]
fn a_cold_and_a_warm_start_from_the_first_instruction_to_the_entry_point() {
    let stage = Stage::new(Way::Embedded, &app().build());
    let cold = traced(&stage, &[]);
    cold.is(COLD)
        .within(
            "prepare",
            &[
                "archive",
                "settings",
                "fingerprint",
                "root",
                "interpreter",
                "unpack",
                "code",
                "site",
                "plan",
            ],
        )
        .within("archive", &["archive directory", "PEX-INFO"])
        .within("interpreter", &["resolve"]);
    assert_eq!(cold.of("probe").len(), 1, "{cold:#?}");
    let mut wheels = cold.of("unpack");
    wheels.sort_unstable();
    let names = ["dep", "one", "three", "two"].map(|name| format!("{name}-1.0-py3-none-any.whl"));
    assert_eq!(wheels, names);

    let warm = traced(&stage, &[]);
    warm.is(WARM).within("replay", &["plans"]);
    assert!(!warm.has("prepare") && warm.of("unpack").is_empty());
    for trace in [cold, warm] {
        trace
            .within("boot", &["app"])
            .within("app", &["dep.deeper"])
            // Importing a module imports its package.
            .within("dep.deeper", &["dep", "dep.deepest"]);
        assert!(trace.of("import").contains(&"app"));
    }
}

#[test]
fn every_way_to_start_is_traced() {
    let check = |pex: &Pex, env: &[(&str, &str)], args: &[&str], boots: bool, step: &str| {
        let stage = Stage::new(Way::Embedded, &pex.build());
        for cold in [true, false] {
            let file = stage.path("trace.json");
            let mut start = stage.start().env("PEXBOOT_TRACE", &file).args(args);
            for (name, value) in env {
                start = start.env(name, value);
            }
            start.run().ok();
            let trace = Trace::read(&file);
            assert_eq!(trace.has("prepare"), cold, "{env:?} {args:?}");
            assert_eq!(trace.has("boot"), boots, "{env:?} {args:?}");
            assert!(!cold || trace.has(step), "{env:?} {args:?}");
        }
    };
    check(&app().venv(), &[], &[], true, "venv");
    let script =
        Wheel::new("tool", "1.0").entry_points("[console_scripts]\ntool = tool:WHO.isspace\n");
    let script = Pex::app("script", "").dep(script).venv();
    check(&script, &[("PEX_SCRIPT", "tool")], &[], false, "venv");
    check(
        &app(),
        &[("PEX_INTERPRETER", "1")],
        &["-c", "pass"],
        true,
        "site",
    );
    check(&app(), &[("PEX_PROFILE", "1")], &[], false, "hand over");
    check(&app(), &[("PEX_VERBOSE", "1")], &[], true, "site");
    check(&app(), &[("PEXBOOT_HOST_SITE", "1")], &[], true, "site");
}

#[test]
fn a_bare_pex_is_traced_without_a_stub() {
    let stage = Stage::new(Way::Original, &app().build());
    let file = stage.path("trace.json");
    let start = stage
        .start()
        .before([PEXBOOT, "run"])
        .env("PEXBOOT_TRACE", &file);
    start.run().ok().prints("started");
    Trace::read(&file).is(&COLD[2..]);
    start.run().ok();
    Trace::read(&file).is(&WARM[2..]);
}

#[test]
fn a_python_that_is_given_the_file_is_followed_by_a_traced_start() {
    let stage = Stage::new(Way::Embedded, &app().build());
    let file = stage.path("trace.json");
    let python = Path::new(crate::fixtures::PYTHON);
    stage
        .start()
        .python(python)
        .env("PEXBOOT_TRACE", &file)
        .run()
        .ok();
    Trace::read(&file).is(COLD);
}

#[test]
fn a_launch_that_fails_leaves_what_it_did() {
    let stage = Stage::new(Way::Embedded, &app().requires("missing").build());
    let file = stage.path("trace.json");
    stage.start().env("PEXBOOT_TRACE", &file).run().refused();
    assert!(Trace::read(&file).has("interpreter"));
}

/// What an application can look at, while it is imported and when it is called.
const LOOKS: &str = "\
import gc, importlib, os, subprocess, sys, traceback, warnings
def look():
    try:
        import broken
    except ZeroDivisionError:
        print(traceback.format_exc())
    try:
        import missing_altogether
    except ImportError:
        print(traceback.format_exc())
    print(sorted(os.environ.items()), sorted(sys.modules), sys.path, sys.argv, sys.flags, sys.meta_path)
    print(sorted(os.listdir('/proc/self/fd')), gc.get_threshold(), __import__, __builtins__['__import__'])
    print(sorted(sys.modules['__main__'].__dict__), sorted(vars(importlib._bootstrap)), sys.gettrace(), sys.getprofile())
    print(subprocess.check_output(['/usr/bin/env']).decode())
    print(open('/proc/self/cmdline').read(), os.getcwd(), os.umask(0o22))
    import warned
look()
def main():
    print(importlib._bootstrap._find_and_load.__code__)
    look()
";

#[test]
fn the_application_sees_nothing_of_it() {
    let pex = Pex::app("looks", LOOKS)
        .source("broken.py", "import broken_inside\n")
        .source("broken_inside.py", "1 / 0\n")
        .source(
            "warned.py",
            "import warnings\nwarnings.warn('here', stacklevel=2)\n",
        )
        .build();
    let stage = Stage::new(Way::Embedded, &pex);
    stage.start().run().ok();
    let plain = stage.start().run();
    // Addresses differ from start to start, and where there are any is not what is compared.
    let same = |text: &str| {
        let mut out = String::new();
        for piece in text.split("0x") {
            out += piece.trim_start_matches(|c: char| c.is_ascii_hexdigit());
        }
        out
    };
    let file = stage.path("trace.json");
    let traced = stage.start().env("PEXBOOT_TRACE", &file).run();
    assert_eq!(same(&traced.ok().stdout), same(&plain.ok().stdout));
    assert_eq!(traced.stderr, plain.stderr);
    let trace = Trace::read(&file);
    for module in ["broken", "broken_inside", "missing_altogether", "warned"] {
        assert!(trace.of("import").contains(&module), "{module}");
    }
}

#[test]
fn a_file_that_cannot_be_written_costs_one_line_and_the_application_starts() {
    let stage = Stage::new(Way::Embedded, &app().build());
    stage.start().run().ok();
    fs::write(stage.path("precious"), "precious").unwrap();
    symlink("precious", stage.path("link")).unwrap();
    for (name, why) in [
        (".", "it is a directory and is left alone"),
        (
            "missing/trace.json",
            "No such file or directory (os error 2)",
        ),
        (
            "precious",
            "it is no trace and is left alone; name a new file",
        ),
        ("link", "it is no trace and is left alone; name a new file"),
        ("precious/trace.json", "Not a directory (os error 20)"),
    ] {
        let path = stage.path(name);
        let outcome = stage.start().env("PEXBOOT_TRACE", &path).run();
        outcome.ok().prints("started");
        let line = format!(
            "pexboot: no trace: PEXBOOT_TRACE names `{}`: {why}\n",
            path.display()
        );
        assert_eq!(outcome.stderr, line);
    }
    assert_eq!(
        fs::read_to_string(stage.path("precious")).unwrap(),
        "precious"
    );
}

#[test]
fn a_trace_named_like_the_application_does_not_destroy_it() {
    let stage = Stage::new(Way::Embedded, &app().build());
    let before = fs::read(&stage.pex).unwrap();
    for _ in 0..2 {
        let start = stage.start().env("PEXBOOT_TRACE", "app.pex");
        start.run().ok().prints("started").says("it is no trace");
    }
    assert!(fs::read(&stage.pex).unwrap() == before);
    assert_eq!(fs::read_dir(stage.path("work")).unwrap().count(), 1);
}

#[test]
fn empty_and_0_ask_for_nothing() {
    let stage = Stage::new(Way::Embedded, &app().build());
    for value in ["", "0"] {
        stage.start().env("PEXBOOT_TRACE", value).run().ok();
    }
    assert_eq!(fs::read_dir(stage.path("work")).unwrap().count(), 1);
}

/// Starts itself once more.
const PARENT: &str = "\
import os, subprocess, sys
def main():
    if sys.argv[1:]:
        subprocess.check_call([os.environ['PEX']])
";

fn traces(directory: &Path) -> Vec<PathBuf> {
    let found = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    found
        .filter(|path| path.extension().is_some_and(|e| e == "json"))
        .collect()
}

#[test]
fn a_child_does_not_take_its_parents_file_and_gets_one_where_that_is_asked_for() {
    let stage = Stage::new(Way::Embedded, &Pex::app("parent", PARENT).build());
    // Relative: from the working directory, which is where the file is then.
    let start = |name: &str| {
        stage
            .start()
            .args(["again"])
            .env("PEXBOOT_TRACE", name)
            .run()
    };
    start("trace.json").ok();
    let one = Trace::read(&stage.path("work/trace.json"));
    assert!(one.has("prepare"), "the parent's");
    assert_eq!(traces(&stage.path("work")).len(), 1);

    start("trace-%p.json").ok();
    let all = traces(&stage.path("work"));
    assert_eq!(all.len(), 3, "{all:?}");
    all.iter().for_each(|path| drop(Trace::read(path)));
}

#[test]
fn a_file_that_is_another_launchs_by_now_is_left_to_it() {
    let text = "import os\nos.rename('other', 'trace.json')\ndef main():\n    pass\n";
    let stage = Stage::new(Way::Embedded, &Pex::app("replaces", text).build());
    fs::write(stage.path("work/other"), "{}\n").unwrap();
    stage.start().env("PEXBOOT_TRACE", "trace.json").run().ok();
    assert_eq!(
        fs::read_to_string(stage.path("work/trace.json")).unwrap(),
        "{}\n"
    );
}

#[test]
fn an_environment_that_is_full_starts_without_pythons_part() {
    let stage = Stage::new(Way::Embedded, &app().build());
    stage.start().run().ok();
    let file = stage.path("trace.json");
    // The kernel takes a quarter of the stack's limit for arguments and environment (execve(2)).
    let fill = "ulimit -s 1024; for n in 1 2; do export FILL$n=$(printf %0126000d 0); done; export FILL3=$(printf %04700d 0)";
    let start = stage.start().env("PEXBOOT_TRACE", &file).after_shell(fill);
    start.run().ok().prints("started");
    Trace::read(&file);
}

/// Other Pythons import by other code: where there is a trace it is sound, and the imports are in it.
#[test]
fn every_python_is_traced() {
    for python in crate::harness::pythons::all() {
        let stage = Stage::new(Way::Embedded, &app().build());
        let bin = stage.bin("bin", &[python]);
        let file = stage.path("trace.json");
        let start = stage
            .start()
            .env("PEX_PYTHON", bin.join(python.name()))
            .env("PEXBOOT_TRACE", &file);
        start.run().ok().prints("started");
        let trace = Trace::read(&file);
        trace.is(COLD);
        let imports = trace.of("import");
        assert!(
            imports.contains(&"dep.deepest") || python.implementation != "cpython",
            "{python:?}: {imports:?}"
        );
    }
}

#[test]
fn chromes_own_format_is_what_it_is() {
    // What the viewers ask of a file: an object with a list of events, each with its phase, process and thread.
    let stage = Stage::new(Way::Embedded, &app().build());
    let file = stage.path("trace.json");
    stage.start().env("PEXBOOT_TRACE", &file).run().ok();
    let check = "import json, sys\nfor e in json.load(open(sys.argv[1]))['traceEvents']:\n\
                 \x20   assert e['ph'] in 'XM' and e['name'] and type(e['pid']) is type(e['tid']) is int, e\n\
                 \x20   assert e['ph'] == 'M' or (e['ts'] >= 0 and e['dur'] >= 0 and e['cat']), e\n";
    let python = Command::new(crate::fixtures::PYTHON)
        .args(["-c", check])
        .arg(&file)
        .status();
    assert!(python.unwrap().success());
}
