//! Pythons that no machine has installed, fetched for these tests alone: the newest of Debian sid, and a debug build. The long
//! tier runs a part of the checklist on each, by this program itself, and what is new in them. (Debian has none without the
//! global lock.)

use std::path::Path;
use std::process::{Command, Stdio};

use crate::fixtures::{Pex, Wheel, sid_python};
use crate::harness::{Case, Stage, Way, coverage, long_tier, ways};

/// The part of the checklist that depends on Python most: `sys.path`, how code is run, environments.
const PART: [&str; 3] = ["syspath::item_", "execution::item_", "venv::item_"];

/// Runs a part of the checklist on this Python; what `expression` says of it must be true.
#[track_caller]
fn passes_the_checklist(python: &Path, expression: &str) {
    let says = Command::new(python)
        .args([
            "-I",
            "-S",
            "-c",
            &format!("import sys; print({expression})"),
        ])
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&says.stdout).trim(), "True");
    let run = Command::new(std::env::current_exe().unwrap())
        .args(PART)
        .env("PEXBOOT_PYTHON", python)
        .env_remove("PEXBOOT_TESTS")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let stdout = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success(), "{}\n{stdout}", python.display());
    let result = stdout.lines().find(|line| line.starts_with("test result:"));
    coverage::note(&format!(
        "checklist on {}: {}",
        python.file_name().unwrap().display(),
        result.unwrap()
    ));
}

#[test]
fn python_3_14_passes_the_checklist() {
    if long_tier("the checklist on Python 3.14") {
        passes_the_checklist(&sid_python("python3.14"), "sys.version_info[:2] == (3, 14)");
    }
}

#[test]
fn python_3_15_passes_the_checklist() {
    if long_tier("the checklist on Python 3.15") {
        passes_the_checklist(&sid_python("python3.15"), "sys.version_info[:2] == (3, 15)");
    }
}

#[test]
fn a_debug_build_passes_the_checklist() {
    if long_tier("the checklist on a debug build") {
        passes_the_checklist(&sid_python("python3.14-dbg"), "sys.abiflags == 'd'");
    }
}

/// The most specific of the wheels for one version is that of the build; a debug build takes the other, too.
#[test]
fn each_build_takes_the_wheel_that_was_built_for_it() {
    if !long_tier("wheels of builds") {
        return;
    }
    let wheel = |tag: &str| {
        Wheel::empty("dep", "1.0")
            .tag(&format!("{tag}-linux_x86_64"))
            .file("dep.py", &format!("WHO = '{tag}'\n"))
    };
    let pex = |tags: &[&str]| {
        let pex = Pex::app("builds", "import dep\ndef main():\n    print(dep.WHO)\n");
        let pex = pex.requires("dep");
        tags.iter()
            .fold(pex, |pex, tag| pex.wheel(wheel(tag)))
            .build()
    };
    let all = [
        "cp314-cp314",
        "cp314-cp314d",
        "cp314-cp314t",
        "cp38-abi3",
        "py3-none",
    ];
    let without = ["cp314-cp314", "cp314-cp314t", "py3-none"];
    for (python, [best, next]) in [
        (sid_python("python3.14"), ["cp314-cp314", "cp314-cp314"]),
        (
            sid_python("python3.14-dbg"),
            ["cp314-cp314d", "cp314-cp314"],
        ),
    ] {
        for (tags, expected) in [(&all[..], best), (&without, next)] {
            let pex = pex(tags);
            let case = Case::new(&pex).python(python.clone());
            case.ignore_stderr().agrees().ok().prints(expected);
        }
    }
}

/// Modules of PEP 810 are looked for when they are used: after the boot is done, and what it has put aside stays aside.
#[test]
fn lazy_imports_find_what_eager_ones_find() {
    if !long_tier("lazy imports of Python 3.15") {
        return;
    }
    let text = "import sys\nlazy import dep\nlazy from own.mine import WHO\nlazy import wave\ndef main():\n    \
                before = [name in sys.modules for name in ('dep', 'own.mine', 'wave')]\n    \
                print(before, dep.WHO, WHO, wave.__name__, 'dep' in sys.modules)\n    \
                try:\n        lazy_missing()\n    except ImportError as error:\n        print(type(error).__name__, error)\n\
                lazy import missing\ndef lazy_missing():\n    missing.x\n";
    let pex = Pex::app("lazy", text)
        .source("own/mine.py", "WHO = 'own'\n")
        .dep(Wheel::new("dep", "1.0"));
    let python = sid_python("python3.15");
    let says = "[False, False, False] dep 1.0 own wave True\nModuleNotFoundError No module named 'missing'";
    for pex in [pex.clone().build(), pex.venv().build()] {
        let case = Case::new(&pex).python(python.clone()).ignore_stderr();
        case.agrees().ok().prints(says);
        if !ways().contains(&Way::Embedded) {
            continue;
        }
        // With every import lazy, the first start of the original ends in a `RecursionError` of its own import hook.
        let stage = Stage::new(Way::Embedded, &pex);
        let start = stage.start().python(&python);
        for _ in 0..2 {
            let run = start.clone().env("PYTHON_LAZY_IMPORTS", "all").run();
            run.ok().prints(says);
        }
    }
}
