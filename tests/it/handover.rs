//! What is left to the PEX's own bootstrap, and the ways of starting a file in which the stub has no part: on embedded
//! files both show what they show on the original.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::json;

use crate::fixtures::{App, Built, PYTHON, Pex, Wheel, sources};
use crate::harness::{Case, Stage, Way, coverage, is_root, pythons, stated, ways};

/// Prints what the application of a handed-over start must still find, each line marked.
const APP: &str = "import os, sys, dep\ndef main():\n    \
                   print('APP', sys.argv, os.environ['PEX'], dep.WHO)\n    \
                   print('APP', sorted(n for n in os.environ if 'PEX' in n and n != '_PEX_CACHE_ACCESS_LOCK'))\n    \
                   sys.stdout.flush()\n    return 3\n";

fn app(name: &str) -> Pex {
    Pex::app(name, APP)
        .dep(Wheel::new("dep", "1.0"))
        .info("includes_tools", true)
}

/// Only the application's own lines: what a profiler prints is full of times.
fn marked(text: &str) -> String {
    let lines = text.lines().filter(|line| line.starts_with("APP "));
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn the_tools_run_as_they_do_in_the_original() {
    let pex = app("tools").build();
    for (args, expected) in [
        (&["info"][..], "\"entry_point\""),
        (&["interpreter"], "python"),
        (&["graph"], "digraph"),
        (&["repository", "info"], "dep 1.0"),
    ] {
        // The tools name the file that they read: here, the archive without the head.
        let case = Case::new(&pex).normalise(|text| text.replace("[BOX]/work/", "[CACHE]/"));
        let outcome = case.env("PEX_TOOLS", "1").args(args).agrees();
        assert!(outcome.stdout.contains(expected), "{outcome}");
    }
    // Wrapped by the length of the path.
    let help = Case::new(&pex).env("PEX_TOOLS", "1").args(["--help"]);
    help.holds(|run| assert!(run.ok().stdout.starts_with("usage: PEX_TOOLS=1 "), "{run}"));
    let wrong = Case::new(&pex).env("PEX_TOOLS", "1").args(["no-such-tool"]);
    wrong.holds(|run| {
        run.exits(2).says("invalid choice: 'no-such-tool'");
    });
    let without = Pex::app("tools-absent", APP).dep(Wheel::new("dep", "1.0"));
    let outcome = Case::new(&without.build()).env("PEX_TOOLS", "1").agrees();
    outcome.refused().says("PEX_TOOLS");
}

#[test]
fn the_tools_make_a_virtual_environment_that_runs() {
    let pex = app("tools-venv").build();
    let case = Case::new(&pex).with(|start, stage| {
        let _ = fs::remove_dir_all(stage.path("work/made"));
        let words = "PEX_TOOLS=1 \"$0\" venv made >&2 && exec env PEX=x ./made/pex \"$@\"";
        let words = format!("rm -rf made; {words}");
        start.before(["/bin/sh", "-c", &words]).args(["a b"])
    });
    let outcome = case.ignore_stderr().agrees();
    outcome.exits(3);
    assert!(outcome.stdout.contains("'a b'"), "{outcome}");
}

#[test]
fn a_profiled_start_is_the_same_start() {
    let pex = app("profile").build();
    let case = |name, value: &str| Case::new(&pex).env(name, value).args(["x", "--y"]);
    let outcome = case("PEX_PROFILE", "1").normalise(marked).agrees();
    assert!(outcome.exits(3).stdout.contains("[BOX]/work/app.pex"));
    // That there was a profiler at all.
    case("PEX_PROFILE", "1").holds(|run| assert!(run.stdout.contains("function calls"), "{run}"));
    for &way in stated() {
        let stage = Stage::new(way, &pex);
        let run = stage.start().env("PEX_PROFILE_FILENAME", "stats.out").run();
        run.exits(3);
        assert!(stage.path("work/stats.out").exists(), "{way:?}");
    }
}

#[test]
fn a_covered_start_uses_the_coverage_of_the_pex() {
    let coverage = "class coverage:\n    def __init__(self, **options):\n        print('APP', sorted(options.items()))\n    \
                    def start(self):\n        print('APP started')\n    def stop(self):\n        print('APP stopped')\n    \
                    def save(self):\n        print('APP saved')\n    \
                    def report(self, **options):\n        print('APP reported', options['ignore_errors'])\n";
    let with = app("covered").dep(Wheel::empty("coverage", "1.0").file("coverage.py", coverage));
    let with = with.build();
    let outcome = Case::new(&with).env("PEX_COVERAGE", "1").agrees();
    assert!(outcome.exits(3).stdout.contains("APP reported True"));
    let outcome = Case::new(&with)
        .env("PEX_COVERAGE_FILENAME", "c.out")
        .agrees();
    assert!(outcome.exits(3).stdout.contains("APP saved"));

    let without = app("uncovered").build();
    let outcome = Case::new(&without).env("PEX_COVERAGE", "1").agrees();
    outcome
        .exits(1)
        .says("Could not bootstrap coverage module, aborting.");
}

#[test]
fn rc_files_are_heard_when_a_start_is_handed_over() {
    let text = APP.replace("def main()", "def other()") + "def main():\n    print('APP main')\n";
    let pex = Pex::app("handed-rc", &text).dep(Wheel::new("dep", "1.0"));
    let pex = pex.info("strip_pex_env", false).build();
    let case = Case::new(&pex).normalise(marked).with(|start, stage| {
        stage.write("home/.pexrc", "PEX_PROFILE=1\nPEX_MODULE=nothing\n");
        stage.write("work/.pexrc", "PEX_MODULE=app:other\n");
        start
    });
    let outcome = case.agrees();
    assert!(outcome.exits(3).stdout.contains("dep 1.0"), "{outcome}");
}

#[test]
fn what_is_handed_over_is_said() {
    let pex = app("said").build();
    let stage = Stage::new(Way::Embedded, &pex);
    if ways().contains(&Way::Embedded) {
        for name in ["PEX_TOOLS", "PEX_PROFILE", "PEX_COVERAGE"] {
            let start = stage.start().env(name, "1").env("PEX_VERBOSE", "1");
            let run = start.run();
            run.says(&format!("{name} is left to the PEX's own bootstrap"));
        }
    }
}

#[test]
fn the_import_hook_brings_the_dependencies() {
    let pex = app("hook").source("mine.py", "WHO = 'mine'\n");
    for pex in [pex.clone().build(), pex.venv().build()] {
        let code = "import sys; from __pex__ import dep; import mine, json; print(dep.WHO, mine.WHO, sys.argv)";
        let case = Case::new(&pex).with(move |start, stage| {
            start
                .env("PYTHONPATH", &stage.pex)
                .before([PYTHON, "-c", code])
        });
        let expected = "dep 1.0 mine ['-c', '[BOX]/work/app.pex']";
        case.agrees().ok().prints(expected);
    }
}

#[test]
fn python_runs_the_file_itself_with_its_options() {
    for venv in [false, true] {
        let pex = app("by-python");
        let pex = if venv { pex.venv() } else { pex }.build();
        for mode in [0o755, 0o644] {
            let case = Case::new(&pex).with(move |start, stage| {
                fs::set_permissions(&stage.pex, fs::Permissions::from_mode(mode)).unwrap();
                start.before([PYTHON, "-u"]).args(["x"])
            });
            assert!(case.agrees().exits(3).stdout.contains("dep 1.0"));
        }
    }
}

/// The original takes no embedded file for a PEX: the members are given to it as they were before.
#[test]
fn embedded_members_of_pex_path_are_read_when_a_start_is_handed_over() {
    let member = |name: &str| {
        let pex = Pex::empty(name).source(&format!("{name}_own.py"), "WHO = 'own'\n");
        pex.dep(Wheel::new(name, "1.0")).build()
    };
    let text = "import os, sys, one, two, one_own, two_own\ndef main():\n    \
                print('APP', one.WHO, two.WHO, one_own.WHO, two_own.WHO)\n    sys.stdout.flush()\n    return 3\n";
    let pex = Pex::app("handed-members", text).info("pex_paths", json!(["one.pex"]));
    let pex = pex.info("includes_tools", true).build();
    let with_members = |case: Case<'static>| {
        let (one, two) = (member("one"), member("two"));
        case.with(move |start, stage| {
            stage.place(&one, &stage.path("work/one.pex"));
            stage.place(&two, &stage.path("work/two.pex"));
            start.env("PEX_PATH", "two.pex")
        })
    };
    let pex: &'static Built = Box::leak(Box::new(pex));
    let case = with_members(Case::new(pex).env("PEX_PROFILE", "1"));
    let outcome = case.normalise(marked).agrees();
    let outcome = outcome.exits(3);
    assert_eq!(outcome.stdout, "APP one 1.0 two 1.0 own own", "{outcome}");
    let tools = || with_members(Case::new(pex).env("PEX_TOOLS", "1"));
    tools().args(["interpreter"]).agrees().ok();
    // The wheels of both, each known by its name and version.
    let listed = tools().args(["repository", "info"]).agrees();
    let listed = &listed.ok().stdout;
    assert!(
        listed.contains("one 1.0") && listed.contains("two 1.0"),
        "{listed}"
    );
    let made = tools().with(|start, _| {
        let words = "rm -rf made; \"$0\" venv made >&2 && exec env -u PEX_TOOLS -u PEX_PATH PEX=x ./made/bin/python -c \
                     'import one, two; print(one.WHO, two.WHO)'";
        start.before(["/bin/sh", "-c", words])
    });
    made.ignore_stderr().agrees().ok().prints("one 1.0 two 1.0");
}

/// The zip that the tools read is a zip that others read, with another PEX-INFO alone.
#[test]
fn what_the_tools_are_given_is_the_archive_with_other_members() {
    if !ways().contains(&Way::Embedded) {
        return;
    }
    let member = Pex::empty("zipped")
        .dep(Wheel::new("zipped", "1.0"))
        .build();
    let pex = app("tools-member").info("pex_paths", json!(["zipped.pex"]));
    let stage = Stage::new(Way::Embedded, &pex.build());
    stage.place(&member, &stage.path("work/zipped.pex"));
    let start = stage.start().env("PEX_TOOLS", "1");
    let info = start.args(["info"]).run();
    assert!(info.ok().stdout.contains("/zipped.pex\"]"), "{info}");
    let cached = stage.cached_files();
    let copy = cached
        .iter()
        .find(|file| file.ends_with("app.pex") && file.starts_with("pexboot/v2/originals"));
    let copy = stage.home().join(".cache").join(copy.expect("the copy"));
    let compare = "import sys, zipfile, json\nold, new = [zipfile.ZipFile(name) for name in sys.argv[1:]]\n\
                   assert new.testzip() is None\nassert old.namelist() == new.namelist()\n\
                   changed = [name for name in old.namelist() if old.read(name) != new.read(name)]\n\
                   old, new = [json.loads(zip.read('PEX-INFO')) for zip in (old, new)]\n\
                   print(changed, sorted(key for key in old if old[key] != new.get(key)))";
    let output = std::process::Command::new(PYTHON)
        .args(["-c", compare])
        .args([&pex.build().path, &copy])
        .output()
        .unwrap();
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "['PEX-INFO'] ['pex_hash', 'pex_path', 'pex_paths']\n",
        "{output:?}"
    );
}

/// Code that runs before the bootstrap may set what the launch depends on.
#[test]
fn a_preamble_runs_before_everything() {
    let preamble = sources().join("preamble.py");
    let options = ["--preamble-file", preamble.to_str().unwrap()];
    for venv in [&[][..], &["--venv"]] {
        let pex = App::cowsay().with(&options).with(venv).build();
        let outcome = Case::new(&pex).args(["-t", "moo"]).agrees();
        assert!(outcome.ok().stdout.contains("| moo |"), "{outcome}");
        let code = "import os, cowsay; print(os.environ['SET_BY_PREAMBLE'], os.environ['PEX'])";
        let case = Case::new(&pex).env("AS_PYTHON", "1").args(["-c", code]);
        let outcome = case.agrees();
        outcome.ok().prints("before [BOX]/work/app.pex");
        if ways().contains(&Way::Embedded) {
            let stage = Stage::new(Way::Embedded, &pex);
            let run = stage.start().env("PEX_VERBOSE", "1").run();
            run.says("the preamble is left to the PEX's own bootstrap");
        }
    }
}

/// Nothing is promised for a Python before 3.8, but the bootstrap knows it.
#[test]
fn a_python_that_is_too_old_for_the_native_way_runs_by_the_bootstrap() {
    let pex = app("old").build();
    for old in pythons::old("a start on Python 3.5 to 3.7") {
        let path = old.path.to_str().unwrap();
        let case = Case::new(&pex).env("PEX_PYTHON", path).args(["x"]);
        // Where no locale is set, it says so.
        let run = case.ignore_stderr().agrees();
        assert!(run.exits(3).stdout.contains("dep 1.0"), "{run}");
        if ways().contains(&Way::Embedded) {
            let stage = Stage::new(Way::Embedded, &pex);
            let start = stage.start().env("PEX_PYTHON", path);
            let run = start.env("PEX_VERBOSE", "1").run();
            let said = format!("a start on Python {} is left to", old.xy());
            run.exits(3).says(&said);
        }
    }
}

/// Makes the head one of another machine's: no kernel here executes it, from a file or from memory.
fn of_another_architecture(pex: &Path) {
    const E_MACHINE: usize = 18;
    const EM_RISCV: u8 = 243;
    let mut bytes = fs::read(pex).unwrap();
    bytes[E_MACHINE] = EM_RISCV;
    let other = pex.with_extension("other");
    fs::write(&other, bytes).unwrap();
    fs::set_permissions(&other, fs::Permissions::from_mode(0o755)).unwrap();
    fs::rename(other, pex).unwrap();
}

/// So do `coverage run app.pex` and others like it.
#[test]
fn a_program_that_runs_the_file_runs_it_by_its_own_bootstrap() {
    let text = "import os, sys, dep\ndef main():\n    \
                print(dep.WHO, sys.argv[-2:], os.environ['PEX'], 'traced' in os.environ)\n    return 3\n";
    let pex = Pex::app("run-by-another", text).dep(Wheel::new("dep", "1.0"));
    let pex = pex.build();
    let code = "import os, runpy, sys; os.environ['traced'] = ''; runpy.run_path(sys.argv[1], run_name='__main__')";
    for words in [[PYTHON, "-c", code], [PYTHON, "-B", "tool.py"]] {
        let case = Case::new(&pex).with(move |start, stage| {
            stage.write("work/tool.py", code);
            start.before(words)
        });
        let outcome = case.args(["x", "--y"]).agrees();
        let expected = "dep 1.0 ['x', '--y'] [BOX]/work/app.pex True";
        outcome.exits(3).prints(expected);
    }
    // The same of a directory, whose `pex` is not the file that Python runs in the end.
    let directory = Pex::app("directory-run-by-another", text);
    let directory = directory
        .dep(Wheel::new("dep", "1.0"))
        .layout("packed")
        .build();
    let case = Case::new(&directory).with(move |start, stage| {
        let pex = stage.path("work/app.pex/pex");
        start.program(pex).before([PYTHON, "-c", code])
    });
    case.args(["x", "--y"]).agrees().exits(3);
}

/// The copy that the bootstrap runs from was put into any sticky directory of that name, a stranger's as well.
#[test]
fn a_squatted_root_gets_no_copy_of_the_archive() {
    if !ways().contains(&Way::Embedded) {
        return;
    }
    if !is_root() {
        return coverage::left_out("a squatted root of a handed-over start", "root");
    }
    let pex = app("squatted").build();
    let stage = Stage::new(Way::Embedded, &pex);
    let code = "import runpy, sys; runpy.run_path(sys.argv[1], run_name='__main__')";
    let squat = "mount -t tmpfs -o mode=1777 none /var/tmp; umask 0; mkdir -p /var/tmp/pexboot-0/v2/originals\n\
                 chmod -R 1777 /var/tmp/pexboot-0; chown -R 65534 /var/tmp/pexboot-0\n\
                 \"$@\"; code=$?; find /var/tmp/pexboot-0 -type f; exit $code";
    let run = |tmpdir: &str, squat: &str| {
        let start = stage.start().env("HOME", "/dev/null").env("TMPDIR", tmpdir);
        let words = [
            "unshare", "--mount", "sh", "-c", squat, "sh", PYTHON, "-c", code,
        ];
        start.before(words).run()
    };
    let own = stage.path("tmp").display().to_string();
    let started = run(&own, squat);
    assert!(started.exits(3).stdout.contains("dep 1.0"), "{started}");
    assert!(!started.stdout.contains("/var/tmp/pexboot-0"), "{started}");
    assert!(stage.path("tmp/pexboot-0/v2/originals").is_dir());

    // Where no root can be used, the copy is there for one start.
    let open = stage.path("open");
    fs::create_dir(&open).unwrap();
    fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).unwrap();
    let started = run(open.to_str().unwrap(), squat);
    assert!(started.exits(3).stdout.contains("dep 1.0"), "{started}");
    let left: Vec<_> = fs::read_dir(&open).unwrap().flatten().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_file_of_another_architecture_runs_by_its_own_bootstrap() {
    for venv in [false, true] {
        let pex = app("foreign");
        let pex = if venv { pex.venv() } else { pex }.build();
        let case = Case::new(&pex).with(|start, stage| {
            if stage.way == Way::Embedded {
                of_another_architecture(&stage.pex);
            }
            start.before([PYTHON, "-u"]).args(["x"])
        });
        let outcome = case.agrees();
        assert!(outcome.exits(3).stdout.contains("dep 1.0"), "{outcome}");
    }
    if ways().contains(&Way::Embedded) {
        let stage = Stage::new(Way::Embedded, &app("foreign").build());
        of_another_architecture(&stage.pex);
        let start = stage.start().python(Path::new(PYTHON));
        let run = start.env("PEX_VERBOSE", "1").run();
        run.exits(3).says("its own bootstrap starts it");
    }
}
