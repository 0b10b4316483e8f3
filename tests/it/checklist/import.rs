//! Items 128-147: `import __pex__`, by which a Python that runs already takes a PEX's packages (reference 6.9).

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use crate::fixtures::{Built, Pex, Wheel};
use crate::harness::subject::{no_oracle, on_each, subject};
use crate::harness::{Case, Outcome, Stage, Way, long, stated, ways};

/// A library: one wheel and two modules of its own.
fn library(name: &str) -> Pex {
    Pex::empty(name)
        .source("mine.py", "WHO = 'mine'\n")
        .source("pkg/__init__.py", "")
        .source(
            "pkg/handler.py",
            "import dep\ndef handle(event):\n    return dep.WHO, event\n",
        )
        .dep(Wheel::empty("dep", "1.0").file("dep/__init__.py", "WHO = 'pex'\nPLACE = __file__\n"))
}

/// The code, run by the item's Python with the PEX first on its path.
fn runs<'p>(pex: &'p Built, code: &'static str) -> Case<'p> {
    Case::new(pex).with(move |start, stage| {
        let python = subject().path.clone();
        let start = start.env("PYTHONPATH", &stage.pex);
        start.before([python.as_os_str(), "-c".as_ref(), code.as_ref()])
    })
}

/// Whether the Python goes on by itself: PyPy, and what is older than 3.8, leaves it to the original's hook.
fn is_native() -> bool {
    subject().implementation == "cpython" && subject().version >= (3, 8, 0)
}

/// Runs an item on each Python; one that leaves all of it to the original, which takes its time, in the long tier alone.
fn on_each_native(item: impl Fn()) {
    on_each(|| {
        if is_native() || long() {
            item();
        }
    });
}

#[test]
fn item_128_a_python_takes_the_packages_of_a_pex() {
    on_each(|| {
        let pex = library("item128").build();
        let code = "import os, sys\nimport __pex__\nimport dep, mine, pkg.handler, json\n\
                    print(dep.WHO, mine.WHO, pkg.handler.handle(1), os.environ['PEX'], sys.argv, 'PEXBOOT' in str(sorted(os.environ)))";
        runs(&pex, code).agrees().ok().says("");
        for &way in ways() {
            if way == Way::Embedded && is_native() {
                let stage = Stage::new(way, &pex);
                let start = stage.start().env("PYTHONPATH", &stage.pex);
                let python = &subject().path;
                let code = "import __pex__, dep; print(__pex__.__file__, dep.PLACE)";
                let run = start
                    .before([python.as_os_str(), "-c".as_ref(), code.as_ref()])
                    .run();
                // The wheels of a normal start, and no second tree of them.
                let printed = &run.ok().stdout;
                assert!(printed.contains("app.pex/__pex__/__init__.py "), "{run}");
                assert!(printed.contains("/pexboot/v2/"), "{run}");
                assert!(!stage.home().join(".cache/pex").exists(), "{run}");
                let files = stage.cached_files();
                let originals = files
                    .iter()
                    .any(|file| file.to_string_lossy().contains("originals"));
                assert!(!originals, "{files:?}");
            }
        }
    });
}

#[test]
fn item_129_modules_go_by_the_name_of_the_pex_as_well() {
    on_each_native(|| {
        let pex = library("item129").build();
        let code = "import sys\nfrom __pex__ import dep\nimport __pex__.pkg.handler as handler\nimport pkg.handler\n\
                    print(dep.__name__, dep.__spec__.name, handler is pkg.handler, sys.modules['__pex__.dep'] is dep)\n\
                    try:\n    import __pex__.nothing\nexcept ImportError as error:\n    print(error)\n\
                    try:\n    import __pex__.json\nexcept ImportError as error:\n    print(error)\n";
        runs(&pex, code).agrees().ok().says("");
    });
}

#[test]
fn item_130_what_the_host_has_is_taken_away_unless_it_is_inherited() {
    on_each_native(|| {
        let pex = library("item130").build();
        let code = "import sys, hosted\nimport __pex__, dep\nprint(dep.WHO, 'hosted' in sys.modules)\n\
                    try:\n    import hosted\n    print('found', hosted.WHO)\nexcept ImportError:\n    print('gone')\n\
                    place = sys.path.index\nprint(sorted(entry for entry in sys.path if 'hosted-there' in entry) and \
                    place(dep.__path__[0].rpartition('/')[0]) < place([e for e in sys.path if 'hosted-there' in e][0]))\n";
        for (inherit, found) in [
            (None, "gone"),
            (Some("prefer"), "found"),
            (Some("fallback"), "found"),
        ] {
            let case = runs(&pex, code).with(move |mut start, stage| {
                stage.write("hosted-there/hosted.py", "WHO = 'host'\n");
                stage.write("hosted-there/dep.py", "WHO = 'host'\n");
                let there = stage.path("hosted-there");
                let list = std::env::join_paths([&stage.pex, &there]).unwrap();
                if let Some(inherit) = inherit {
                    start = start.env("PEX_INHERIT_PATH", inherit);
                }
                start.env("PYTHONPATH", list)
            });
            // Where the host comes first, its `dep` is a file.
            let case = if inherit == Some("prefer") {
                case.ignore_stderr()
            } else {
                case
            };
            let outcome = case.agrees();
            if inherit != Some("prefer") {
                outcome.ok().says("");
                assert!(outcome.stdout.contains(found), "{outcome}");
            }
        }
    });
}

#[test]
fn item_131_no_interpreter_is_chosen_and_none_is_refused_but_by_its_wheels() {
    on_each_native(|| {
        let other =
            library("item131").info("interpreter_constraints", serde_json::json!(["==2.7.*"]));
        let (major, minor, _) = subject().version;
        runs(
            &other.build(),
            "import __pex__, sys, dep; print(dep.WHO, sys.version_info[:2])",
        )
        .agrees()
        .ok()
        .prints(&format!("pex ({major}, {minor})"));
        let unfit = Pex::empty("item131-unfit")
            .dep(Wheel::new("native", "1.0").tag("cp27-cp27m-win32"))
            .build();
        let code = "try:\n    import __pex__\nexcept BaseException as error:\n    print(type(error).__name__, 'native' in str(error))\n";
        let last = |run: &Outcome| assert!(run.ok().stdout.contains("True"), "{run}");
        last(&runs(&unfit, code).ignore_stderr().agrees());
    });
}

#[test]
fn item_132_a_second_import_changes_nothing() {
    on_each_native(|| {
        let pex = library("item132").build();
        let code = "import sys, __pex__\nbefore = list(sys.path)\nimport __pex__\nprint(before == sys.path)\n\
                    import subprocess\nprint(subprocess.call([sys.executable, '-c', 'import __pex__, dep; print(dep.WHO)']))\n";
        runs(&pex, code).agrees().ok().says("");
    });
}

#[test]
fn item_133_without_an_answer_the_original_does_it() {
    on_each_native(|| {
        let pex = library("item133");
        let code = "import __pex__, dep, mine; print(dep.WHO, mine.WHO)";
        // An environment; a root in which a file stands where the launches would be; a file that may not be executed.
        for pex in [pex.clone().venv().build(), pex.build()] {
            runs(&pex, code).agrees().ok().prints("pex mine");
            let case = runs(&pex, code).with(|start, stage| {
                fs::set_permissions(&stage.pex, fs::Permissions::from_mode(0o644)).unwrap();
                stage.write("root/pexboot/v2/launches", "in the way");
                start.env("PEX_ROOT", stage.path("root"))
            });
            case.agrees().ok().prints("pex mine");
        }
    });
}

#[test]
fn item_134_a_file_that_was_unzipped_is_a_pex_all_the_same() {
    on_each_native(|| {
        let app = "import sys, dep\ndef main():\n    print(dep.WHO, sys.argv[1:])\n    return 3\n";
        let pex = Pex::app("item134", app)
            .source("pkg/__init__.py", "")
            .source(
                "pkg/handler.py",
                "import dep\ndef handle(event):\n    return dep.WHO, event\n",
            )
            .dep(Wheel::empty("dep", "1.0").file("dep/__init__.py", "WHO = 'pex'\n"));
        no_oracle("unzipping is done to both, and what is unzipped is the original's");
        for pex in [pex.clone().build(), pex.venv().build()] {
            for &way in stated() {
                let stage = Stage::new(way, &pex);
                let task = stage.path("task");
                let unzip =
                    "import sys, zipfile; zipfile.ZipFile(sys.argv[1]).extractall(sys.argv[2])";
                let python = subject().path.clone();
                let done = std::process::Command::new(crate::fixtures::PYTHON)
                    .args(["-c", unzip])
                    .args([&stage.pex, &task])
                    .status();
                assert!(done.unwrap().success());
                // As Lambda's runtime imports a handler.
                let lambda = "import importlib; print(importlib.import_module('__pex__.pkg.handler').handle(1))";
                let start = stage.start().env("PYTHONPATH", &task);
                let run = start
                    .before([python.as_os_str(), "-c".as_ref(), lambda.as_ref()])
                    .run();
                run.ok().prints("('pex', 1)");
                let run = stage
                    .start()
                    .program(&task)
                    .python(&python)
                    .args(["a"])
                    .run();
                run.exits(3).prints("pex ['a']");
            }
        }
    });
}
