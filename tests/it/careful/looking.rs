//! Looking at a PEX runs no program that the PEX or an rc file names, and creates nothing.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Command;

use super::{app, files_and_directories, pexboot, stage};
use crate::fixtures::PYTHON;
use crate::harness::{PEXBOOT, Stage, is_root};

/// A Python that leaves word that it ran.
fn helper(stage: &Stage, relative: &str) -> PathBuf {
    let text = format!(
        "#!/bin/sh\necho ran >> {}\nexec {PYTHON} \"$@\"\n",
        stage.path("ran").display()
    );
    stage.script(relative, &text)
}

#[test]
fn info_and_compile_run_no_program_that_the_pex_names() {
    for shebang in [
        "#!./helper",
        "#!/usr/bin/env ./helper",
        "#!/usr/bin/env not-a-python",
        "#!./venv/bin/python3",
    ] {
        let stage = stage(&app().shebang(shebang));
        helper(&stage, "work/helper");
        helper(&stage, "bin/not-a-python");
        // Started from there it would take its standard library from there.
        stage.write("work/venv/pyvenv.cfg", "home = lib\n");
        fs::create_dir(stage.path("work/venv/bin")).unwrap();
        symlink(PYTHON, stage.path("work/venv/bin/python3")).unwrap();
        let path = format!("{}:/usr/bin:/bin", stage.path("bin").display());
        for words in [
            &["info", "app.pex"][..],
            &["info", "--json", "app.pex"],
            &["embed", "--compile", "app.pex", "-o", "out"],
        ] {
            let start = stage.start().program(PEXBOOT).args(words);
            let run = start.env("PATH", &path).run();
            run.ok();
            assert!(!stage.path("ran").exists(), "{shebang}\n{run}");
            let name = shebang.rsplit(['/', ' ']).next().unwrap();
            let said = run.stdout.clone() + &run.stderr;
            let told = said.lines().any(|line| {
                line.contains(name) && (line.contains("was not run") || words.contains(&"--json"))
            });
            assert!(told, "{shebang}\n{run}");
            // The next best is on PATH.
            assert!(
                said.contains("python here  /usr/bin/") || words != ["info", "app.pex"],
                "{run}"
            );
        }
        pexboot(&stage, &["run", "app.pex"]).ok();
        let is_helper = shebang.contains("./helper");
        assert_eq!(stage.path("ran").exists(), is_helper, "a start does run it");
    }
}

#[test]
fn info_runs_no_program_that_an_rc_file_names() {
    let stage = stage(&app());
    let path = helper(&stage, "work/python3.99");
    let directory = stage.path("work").display().to_string();
    for line in [
        format!("PEX_PYTHON={}", path.display()),
        format!("PEX_PYTHON_PATH={directory}"),
        format!("PEX_PYTHON_PATH={}", path.display()),
    ] {
        stage.write("work/.pexrc", &format!("{line}\n"));
        let run = pexboot(&stage, &["info", "app.pex"]);
        run.ok();
        assert!(!stage.path("ran").exists(), "{line}\n{run}");
        let told = format!("not asked    `{}` was not run", path.display());
        assert!(run.stdout.contains(&told), "{line}\n{run}");
    }
}

#[test]
fn info_runs_no_program_that_a_version_file_names_past_its_manager() {
    let stage = stage(&app().shebang("#!/usr/bin/env python3"));
    let shim = "#!/bin/sh\n# asdf-plugin: python\nexec asdf exec \"python3\" \"$@\"\n";
    stage.script("asdf/shims/python3", shim);
    let python = helper(&stage, "work/away/bin/python3");
    let installed = stage.path("asdf/installs/python/3.0.0/bin");
    std::fs::create_dir_all(&installed).unwrap();
    symlink(PYTHON, installed.join("python3")).unwrap();
    let path = format!("{}:/bin", stage.path("asdf/shims").display());
    let info = |version: &str| {
        stage.write("work/.tool-versions", &format!("python {version}\n"));
        let start = stage.start().program(PEXBOOT).args(["info", "app.pex"]);
        let run = start.env("PATH", &path).run();
        run.ok();
        assert!(!stage.path("ran").exists(), "{version}\n{run}");
        run.stdout
    };
    let away = stage.path("work/away").display().to_string();
    let around = format!("{}/../work/away", stage.path("asdf").display());
    for home in [away, around] {
        // A version manager's `path:` may not be followed at all.
        let told = info(&format!("path:{home}"));
        let name = python.display().to_string();
        assert!(
            !told.contains(&name) || told.contains("was not run"),
            "{told}"
        );
    }
    assert!(!info("3.0.0").contains("was not run"));
}

#[test]
fn info_asks_the_python_that_is_named_by_option() {
    let stage = stage(&app().shebang("#!./python3.99"));
    let path = helper(&stage, "work/python3.99");
    for python in ["./python3.99", path.to_str().unwrap()] {
        let run = pexboot(&stage, &["info", "--python", python, "app.pex"]);
        assert!(
            run.ok().stdout.contains("python here  /usr/bin/python3"),
            "{run}"
        );
        assert!(!run.stdout.contains("not asked"), "{run}");
        fs::remove_file(stage.path("ran")).unwrap();
    }
    let python = format!("--python={}", path.display());
    pexboot(&stage, &["embed", &python, "app.pex", "-o", "out"]).ok();
    assert!(stage.path("ran").exists());
}

/// What it was before, where another start has asked it.
#[test]
fn info_knows_a_python_that_was_recorded_without_running_it() {
    let stage = stage(&app());
    let venv = stage.path("venv");
    let made = Command::new(PYTHON)
        .args(["-m", "venv", "--without-pip"])
        .arg(&venv)
        .status();
    assert!(made.unwrap().success());
    let python = venv.join("bin/python3");
    stage.write("work/.pexrc", &format!("PEX_PYTHON={}\n", python.display()));
    let info = || pexboot(&stage, &["info", "app.pex"]);
    assert!(info().ok().stdout.contains("was not run"));
    let start = stage.start().before([PEXBOOT, "run"]);
    start.run().ok().prints("started");
    let run = info();
    assert!(!run.ok().stdout.contains("was not run"), "{run}");
    assert!(run.stdout.contains("python here"), "{run}");
}

#[test]
fn looking_creates_nothing() {
    let stage = stage(&app());
    let named = stage.path("named");
    let pex = app().edit_info("pex_root", named.to_str().unwrap());
    let directory = tempfile::tempdir().unwrap();
    let pex = pex.build_in(directory.path());
    stage.place(&pex, &stage.path("work/named.pex"));
    let list = || files_and_directories(&stage.root());
    let before = list();
    let commands: [&[&str]; 8] = [
        &["info", "app.pex"],
        &["info", "named.pex"],
        &["info", "--json", "--modules", "named.pex"],
        &["verify", "named.pex"],
        &["verify", "--cache", "app.pex"],
        &["cache", "ls"],
        &["cache", "du"],
        &["cache", "path"],
    ];
    for words in commands {
        for env in [
            ("PEX_ROOT", Some(named.to_str().unwrap())),
            ("HOME", None),
            ("HOME", Some("/nowhere")),
        ] {
            let mut start = stage.start().program(PEXBOOT).args(words);
            start = match env {
                (name, Some(value)) => start.env(name, value),
                (name, None) => start.without_env(name),
            };
            if is_root() {
                let script = "mount -t tmpfs -o mode=1777 none /var/tmp && \"$@\"; code=$?; \
                              echo in /var/tmp: $(ls -A /var/tmp) >&2; exit $code";
                start = start.before(["unshare", "--mount", "sh", "-c", script, "sh"]);
            }
            let run = start.run();
            // The edit of PEX-INFO shows.
            let expect = if words == ["verify", "named.pex"] {
                65
            } else {
                0
            };
            run.exits(expect);
            assert_eq!(list(), before, "{words:?} {env:?}");
            assert!(
                !is_root() || run.stderr.ends_with("in /var/tmp:\n"),
                "{run}"
            );
        }
        pexboot(&stage, words);
        assert_eq!(list(), before, "{words:?}");
    }
    // And what is there stays as it is.
    stage.start().before([PEXBOOT, "run"]).run().ok();
    let before = list();
    for words in commands {
        pexboot(&stage, words);
        assert_eq!(list(), before, "{words:?}");
    }
    let listed = pexboot(&stage, &["cache", "ls"]);
    assert!(listed.stdout.contains("app.pex"), "{listed}");
}
