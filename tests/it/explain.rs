//! `pexboot explain`: why a PEX does not start is in its output alone, it says what the start itself says, and it writes
//! nothing.

use serde_json::Value;

use crate::fixtures::{Built, Pex, Wheel};
use crate::harness::pythons::{debian, second};
use crate::harness::{Outcome, PEXBOOT, Stage, Way, ways};

const APP: &str = "import sys\ndef main():\n    print('ran', *sys.argv[1:])\n";

fn app() -> Pex {
    Pex::app("explain", APP).dep(Wheel::new("dep", "1.0"))
}

fn explain(stage: &Stage, words: &[&str]) -> Outcome {
    let start = stage.start().program(PEXBOOT).args(["explain"]);
    start.args(words).run()
}

/// A line of the answer to this question holds all these words.
#[track_caller]
fn says(run: &Outcome, question: &str, words: &[&str]) {
    let mut current = "";
    let found = run.stdout.lines().any(|line| {
        let (label, text) = line.split_at_checked(13).unwrap_or((line, ""));
        if !label.trim().is_empty() {
            current = label.trim();
        }
        current == question && words.iter().all(|word| text.contains(word))
    });
    assert!(found, "{question}: {words:?}\n{run}");
}

/// Everything below the machine's directory, by path and time.
fn state(stage: &Stage) -> Vec<(std::path::PathBuf, std::time::SystemTime)> {
    let mut found: Vec<_> = crate::fixtures::files_below(&stage.root())
        .into_iter()
        .map(|file| {
            let time = file.symlink_metadata().unwrap().modified().unwrap();
            (file, time)
        })
        .collect();
    found.sort();
    found
}

#[test]
fn a_start_is_explained_before_it_and_after_it() {
    if !ways().contains(&Way::Embedded) {
        return;
    }
    let stage = Stage::new(Way::Embedded, &app().build());
    let python = debian().path.display().to_string();
    let before = state(&stage);
    let cold = explain(&stage, &["--for", &python, "app.pex"]);
    says(cold.ok(), "verdict", &["starts, cold the first time"]);
    says(&cold, "python", &[&python, "taken: --for names it"]);
    says(&cold, "wheels", &["dep-1.0-py3-none-any.whl: used"]);
    says(
        &cold,
        "root",
        &["home/.cache/pexboot`: taken", "the user's cache directory"],
    );
    says(&cold, "settings", &["no PEX_* variable is set"]);
    says(&cold, "handed over", &["nothing"]);
    says(&cold, "exec", &[&python, "v2/launches/.../app.pex"]);
    explain(&stage, &["app.pex"]).ok();
    assert_eq!(state(&stage), before, "it writes nothing");

    stage.start().args(["x"]).run().ok().prints("ran x");
    let before = state(&stage);
    let warm = explain(&stage, &["app.pex", "--", "it's"]);
    says(warm.ok(), "verdict", &["starts, warm"]);
    says(&warm, "next start", &["inputs: holds"]);
    says(&warm, "sys.path", &["v2/code/"]);
    says(&warm, "sys.path", &["dep-1.0-py3-none-any.whl"]);
    let exec = warm.stdout.lines().find(|line| line.starts_with("exec"));
    let exec = exec.unwrap_or_default();
    assert!(exec.ends_with("/app.pex \"it's\""), "{warm}");
    assert_eq!(state(&stage), before, "not even the time of the last use");
    // What it says is what runs.
    let line = exec.trim_start_matches("exec").trim();
    let shell = stage.start().program("/bin/sh").args(["-c", line]).run();
    shell.ok().prints("ran it's");

    stage.write("home/.pexrc", "PEX_EMIT_WARNINGS=0\n");
    let cold = explain(&stage, &["app.pex"]);
    says(
        cold.ok(),
        "next start",
        &["does not hold", ".pexrc` is there now"],
    );
    says(
        &cold,
        "settings",
        &["PEX_EMIT_WARNINGS=0", "home/.pexrc`, line 1"],
    );

    let run = stage
        .start()
        .program(PEXBOOT)
        .args(["explain", "--json", "app.pex"])
        .run();
    let json: Value = serde_json::from_str(&run.ok().stdout).unwrap();
    assert_eq!(json["schema"], 1);
    assert_eq!(json["starts"], true);
    assert_eq!(json["next_start"], "cold");
    assert_eq!(json["facts"]["wheels"][0]["verdict"], "used");
}

/// The answer of `explain` and what the start itself says, each in words that a test looks for.
#[track_caller]
fn refused_alike(stage: &Stage, expected: &[(&str, &[&str])], start_says: &[&str]) {
    let run = explain(stage, &["app.pex"]);
    run.exits(1);
    for (question, words) in expected {
        says(&run, question, words);
    }
    if stage.way == Way::Embedded {
        let run = stage.start().run();
        run.refused();
        for words in start_says {
            run.says(words);
        }
        let verbose = stage.start().env("PEX_VERBOSE", "1").run();
        for (question, words) in expected {
            let words = words.iter().all(|word| verbose.stderr.contains(word));
            assert!(words || *question != "python", "{verbose}");
        }
    }
}

fn stages(pex: &Built) -> Vec<Stage> {
    let ways = ways().iter();
    ways.map(|&way| Stage::new(way, pex)).collect()
}

#[test]
fn an_rc_file_that_names_a_wrong_python_is_told_with_its_line() {
    for stage in stages(&app().build()) {
        stage.write("home/.pexrc", "# company\nPEX_PYTHON=/bin/true\n");
        refused_alike(
            &stage,
            &[
                ("verdict", &["WOULD NOT START", "no Python here fits"]),
                (
                    "settings",
                    &["PEX_PYTHON=/bin/true", "home/.pexrc`, line 2"],
                ),
                (
                    "python",
                    &["true`: cannot be used: it did not run the script"],
                ),
                ("do", &["without the setting", "would be taken"]),
                ("do", &["take PEX_PYTHON out of", "home/.pexrc`, line 2"]),
            ],
            &[
                "could not be identified",
                "pexboot: take PEX_PYTHON out of",
                "line 2",
            ],
        );
    }
    let Some(other) = second("a Python that an rc file names and that does not fit") else {
        return;
    };
    let (major, minor, _) = debian().version;
    let only = format!("CPython=={major}.{minor}.*");
    let pex = app()
        .info("interpreter_constraints", serde_json::json!([only]))
        .build();
    for stage in stages(&pex) {
        let line = format!("PEX_PYTHON={}\n", other.path.display());
        stage.write("home/.pexrc", &line);
        refused_alike(
            &stage,
            &[
                ("python", &["rejected: the PEX is for", &only]),
                ("do", &["install a Python that is", &only]),
            ],
            &["pexboot: take PEX_PYTHON out of", "line 1"],
        );
    }
}

#[test]
fn wheels_that_fit_no_python_here_are_told_with_what_they_are_for() {
    let (_, minor, _) = debian().version;
    let tag = format!(
        "cp3{}-cp3{}-linux_{}",
        minor + 9,
        minor + 9,
        std::env::consts::ARCH
    );
    let pex = app().dep(Wheel::new("native", "2.0").tag(&tag)).build();
    for stage in stages(&pex) {
        let wanted = format!("CPython 3.{}", minor + 9);
        refused_alike(
            &stage,
            &[
                ("python", &["rejected: `native-2.0", &wanted]),
                ("wheels", &["native-2.0", "rejected: it is for", &wanted]),
                ("wheels", &["dep-1.0-py3-none-any.whl: fits"]),
                ("do", &["install", &wanted]),
            ],
            &["could not be resolved", "pexboot: install", &wanted],
        );
    }
}

#[test]
fn where_no_place_can_be_written_each_is_told_with_its_reason() {
    if !crate::trust::root("nothing to write to, explained") {
        return;
    }
    let stage = Stage::new(Way::Embedded, &app().build());
    let script = r#"
        cd "$0/work"
        mount -o remount,ro,bind /
        for directory in /tmp /var/tmp /dev/shm; do
            mount --bind "$directory" "$directory" && mount -o remount,ro,bind "$directory" || true
        done
        "$1" explain app.pex && exit 9
        ./app.pex && exit 9
        exit 0"#;
    let start = stage
        .start()
        .program("/bin/sh")
        .before(["unshare", "--mount"]);
    let run = start
        .args(["-uc", script])
        .args([stage.root()])
        .args([PEXBOOT])
        .run();
    says(
        run.ok(),
        "verdict",
        &["WOULD NOT START", "no place can be written"],
    );
    says(
        &run,
        "root",
        &["home/.cache", "passed over", "Read-only file system"],
    );
    says(
        &run,
        "root",
        &["/var/tmp/pexboot-0`: ", "Read-only file system"],
    );
    says(&run, "do", &["set PEX_ROOT"]);
    says(&run, "do", &["pexboot warm --root DIR", "PEXBOOT_SEEDS"]);
    run.says("set PEX_ROOT to a directory that can be written");
}

#[test]
fn members_of_pex_path_and_versions_that_conflict_are_told() {
    let stage = Stage::new(Way::Original, &app().build());
    let other = Pex::app("explain-member", APP).dep(Wheel::new("dep", "2.0"));
    stage.place(&other.build(), &stage.path("work/other.pex"));
    let start = stage.start().program(PEXBOOT).args(["explain", "app.pex"]);
    let run = start.env("PEX_PATH", "other.pex").run();
    says(run.ok(), "members", &["other.pex`: added"]);
    says(
        &run,
        "members",
        &["dep: two versions", "2.0 in", "1.0 in", "comes first"],
    );
}

/// A PEX may have come with a file beside it; what HOME says is the user's own word.
#[test]
fn programs_are_run_that_the_user_names_and_no_others() {
    let stage = Stage::new(Way::Original, &app().build());
    let mark = stage.path("asked");
    let script = format!("#!/bin/sh\ntouch {}\nexit 1\n", mark.display());
    let program = stage.script("away/python3", &script);
    let line = format!("PEX_PYTHON={}\n", program.display());
    stage.write("work/.pexrc", &line);
    let run = explain(&stage, &["app.pex"]);
    says(run.exits(1), "python", &["away/python3`: not asked"]);
    assert!(!mark.exists(), "{run}");
    std::fs::rename(stage.path("work/.pexrc"), stage.path("home/.pexrc")).unwrap();
    explain(&stage, &["app.pex"]).exits(1);
    assert!(mark.exists());
}
