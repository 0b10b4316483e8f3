//! Files that a user names: regular files alone, whole or not at all, with the owner and mode that `cp` would leave.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{app, files_and_directories, pexboot, pexboot_after, stage};
use crate::fixtures::{PYTHON, files_below};
use crate::harness::{PEXBOOT, coverage, is_root};

/// Another user.
const SOMEBODY: u32 = 12_345;

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().mode() & 0o7777
}

fn owner(path: &Path) -> (u32, u32) {
    let found = fs::symlink_metadata(path).unwrap();
    (found.uid(), found.gid())
}

fn names(directory: &Path) -> Vec<String> {
    let listed = fs::read_dir(directory).unwrap();
    let mut names: Vec<String> = listed
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn embed_and_strip_replace_regular_files_alone() {
    let stage = stage(&app());
    let work = stage.path("work");
    pexboot(&stage, &["embed", "app.pex", "-o", "embedded"]).ok();
    fs::create_dir(work.join("directory")).unwrap();
    let made = Command::new("mkfifo").arg(work.join("pipe")).status();
    assert!(made.unwrap().success());
    symlink("/dev/null", work.join("to-device")).unwrap();
    symlink("pipe", work.join("to-pipe")).unwrap();
    let mut outputs = vec![
        ("directory", "a directory"),
        ("directory/", "a directory"),
        ("pipe", "a pipe"),
        ("to-pipe", "a pipe"),
        ("to-device", "a device"),
        ("/dev/stdout", "a process's own open file"),
        ("/dev/fd/1", "a process's own open file"),
    ];
    if is_root() {
        let made = Command::new("mknod")
            .arg(work.join("device"))
            .args(["c", "1", "3"])
            .status();
        // A sandbox may forbid it.
        if made.unwrap().success() {
            outputs.push(("device", "a device"));
        }
    }
    let before = files_and_directories(&stage.root());
    for (output, what) in outputs {
        for words in [["embed", "app.pex"], ["strip", "embedded"]] {
            let run = pexboot(&stage, &[&words[..], &["-o", output]].concat());
            run.exits(74)
                .says(&format!("is {what} and is left alone"))
                .says("standard output");
        }
        for option in ["--json", "--svg", "--markdown"] {
            let run = pexboot(&stage, &["bench", "app.pex", option, output]);
            run.exits(74).says(&format!("is {what} and is left alone"));
        }
        let run = stage
            .start()
            .before([PEXBOOT, "run"])
            .env("PEXBOOT_TRACE", output);
        run.run().ok().says("no trace").says("left alone");
    }
    let cache = stage.path("home/.cache");
    let after = files_and_directories(&stage.root());
    let without_cache = |list: Vec<(PathBuf, i64, i64)>| {
        let here = |path: &PathBuf| !path.starts_with(&cache) && !path.ends_with("home");
        list.into_iter()
            .filter(|(path, ..)| here(path))
            .collect::<Vec<_>>()
    };
    assert_eq!(without_cache(after), without_cache(before));
}

#[test]
fn a_planted_link_is_replaced_and_what_it_leads_to_stays() {
    let stage = stage(&app());
    let precious = stage.write("precious", "precious");
    pexboot(&stage, &["embed", "app.pex", "-o", "embedded"]).ok();
    for words in [["embed", "app.pex"], ["strip", "embedded"]] {
        for text in ["../precious", "../missing"] {
            let link = stage.path("work/link");
            symlink(text, &link).unwrap();
            pexboot(&stage, &[&words[..], &["-o", "link"]].concat()).ok();
            assert!(fs::symlink_metadata(&link).unwrap().is_file());
            fs::remove_file(&link).unwrap();
        }
    }
    assert_eq!(fs::read_to_string(precious).unwrap(), "precious");
    assert!(!stage.path("missing").exists());
    // Without an output it is the file itself that is meant.
    symlink("app.pex", stage.path("work/link")).unwrap();
    for words in [&["embed", "link"][..], &["embed", "link", "-o", "./link"]] {
        pexboot(&stage, words).ok();
        assert!(
            fs::symlink_metadata(stage.path("work/link"))
                .unwrap()
                .is_symlink()
        );
        pexboot(&stage, &["info", "app.pex"]).ok();
    }
}

#[test]
fn a_new_file_has_the_callers_umask_and_an_old_one_its_mode() {
    let stage = stage(&app());
    let at = |name: &str| stage.path("work").join(name);
    let check = |umask: &str, input: u32, old: Option<u32>, embedded: u32, stripped: u32| {
        fs::set_permissions(at("app.pex"), fs::Permissions::from_mode(input)).unwrap();
        for (words, expect) in [
            (["embed", "app.pex"], embedded),
            (["strip", "embedded"], stripped),
        ] {
            let _ = fs::remove_file(at("out"));
            if let Some(old) = old {
                stage.write("work/out", "old");
                fs::set_permissions(at("out"), fs::Permissions::from_mode(old)).unwrap();
            }
            let words = [&words[..], &["-o", "out"]].concat();
            pexboot_after(&stage, &format!("umask {umask}"), &words).ok();
            assert_eq!(
                mode(&at("out")),
                expect,
                "{words:?} {umask} {input:o} {old:?}"
            );
            if words[0] == "embed" {
                fs::copy(at("out"), at("embedded")).unwrap();
                let x = input | (input & 0o444) >> 2;
                fs::set_permissions(at("embedded"), fs::Permissions::from_mode(x)).unwrap();
            }
        }
    };
    check("022", 0o755, None, 0o755, 0o755);
    check("077", 0o755, None, 0o700, 0o700);
    check("022", 0o644, None, 0o755, 0o644);
    check("022", 0o600, None, 0o700, 0o600);
    check("077", 0o755, Some(0o644), 0o755, 0o755);
    check("000", 0o600, Some(0o640), 0o750, 0o640);
    check("022", 0o755, Some(0o4750), 0o750, 0o750);
}

#[test]
fn what_root_installs_a_second_time_does_not_belong_to_the_inputs_owner() {
    if !is_root() {
        return coverage::left_out("owners of what is written", "root");
    }
    let stage = stage(&app());
    let at = |name: &str| stage.path("work").join(name);
    chown(at("app.pex"), Some(SOMEBODY), Some(SOMEBODY)).unwrap();
    for _ in 0..2 {
        pexboot(&stage, &["embed", "app.pex", "-o", "installed"]).ok();
        assert_eq!(owner(&at("installed")), (0, 0));
    }
    // What is replaced decides, as it does for `cp`.
    chown(at("installed"), Some(SOMEBODY + 1), Some(SOMEBODY + 2)).unwrap();
    pexboot(&stage, &["embed", "app.pex", "-o", "installed"]).ok();
    assert_eq!(owner(&at("installed")), (SOMEBODY + 1, SOMEBODY + 2));
    // In place the file stays its owner's.
    pexboot(&stage, &["embed", "app.pex"]).ok();
    assert_eq!(owner(&at("app.pex")), (SOMEBODY, SOMEBODY));
    pexboot(&stage, &["strip", "app.pex"]).ok();
    assert_eq!(owner(&at("app.pex")), (SOMEBODY, SOMEBODY));
}

#[test]
fn a_group_that_cannot_be_kept_gets_none_of_its_rights() {
    if !is_root() {
        return coverage::left_out("a user who replaces another's file", "root");
    }
    let stage = stage(&app());
    fs::set_permissions(stage.root(), fs::Permissions::from_mode(0o755)).unwrap();
    chown(stage.path("work"), Some(SOMEBODY), Some(SOMEBODY)).unwrap();
    let out = stage.write("work/out", "old");
    fs::set_permissions(&out, fs::Permissions::from_mode(0o664)).unwrap();
    let id = SOMEBODY.to_string();
    let user = ["setpriv", "--reuid", &id, "--regid", &id, "--clear-groups"];
    let start = stage
        .start()
        .program(stage.command_for_all())
        .args(["embed", "app.pex", "-o", "out"]);
    start.before(user).run().ok();
    assert_eq!((owner(&out), mode(&out)), ((SOMEBODY, SOMEBODY), 0o755));
}

#[test]
fn a_file_that_somebody_laid_out_in_tmp_is_not_filled_for_him() {
    if !is_root() {
        return coverage::left_out("a file planted for root", "root");
    }
    let stage = stage(&app());
    let directory = stage.path("all");
    fs::create_dir(&directory).unwrap();
    fs::set_permissions(&directory, fs::Permissions::from_mode(0o1777)).unwrap();
    let planted = stage.write("all/app", "");
    chown(&planted, Some(SOMEBODY), Some(SOMEBODY)).unwrap();
    fs::set_permissions(&planted, fs::Permissions::from_mode(0o777)).unwrap();
    pexboot_after(
        &stage,
        "umask 022",
        &["embed", "app.pex", "-o", "../all/app"],
    )
    .ok();
    assert_eq!((owner(&planted), mode(&planted)), ((0, 0), 0o755));
}

#[test]
fn standard_output_takes_the_result() {
    let stage = stage(&app());
    let at = |name: &str| stage.path("work").join(name);
    pexboot(&stage, &["embed", "app.pex", "-o", "embedded"]).ok();
    // Whatever there is where temporary files go.
    fs::create_dir(stage.path("tmp/pexboot")).unwrap();
    let output = |words: &[&str]| {
        stage
            .start()
            .program(PEXBOOT)
            .args(words)
            .command()
            .output()
            .unwrap()
    };
    let embedded = output(&["embed", "app.pex", "-o", "-"]);
    assert!(embedded.status.success() && embedded.stdout == fs::read(at("embedded")).unwrap());
    let stripped = output(&["strip", "embedded", "-o", "-"]);
    assert!(stripped.status.success() && stripped.stdout == fs::read(at("app.pex")).unwrap());
    assert_eq!(names(&stage.path("work")), ["app.pex", "embedded"]);
    assert_eq!(names(&stage.path("tmp")), ["pexboot"]);
    // What cannot be made sends nothing.
    let refused = output(&["strip", "app.pex", "-o", "-"]);
    assert!(!refused.status.success() && refused.stdout.is_empty());

    let spawn = "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))";
    let start = stage
        .start()
        .program(PEXBOOT)
        .args(["embed", "app.pex", "-o", "-"]);
    let run = start.before([PYTHON, "-c", spawn]).run();
    run.exits(2);
    assert!(
        run.stdout.contains("standard output is a terminal"),
        "{run}"
    );
}

#[test]
fn an_embed_that_is_killed_or_fails_leaves_nothing_beside_the_file() {
    let stage = stage(&app());
    stage.write("work/out", "old");
    let before = files_and_directories(&stage.path("work"));
    // Past the limit the kernel kills, or the write fails where that signal is ignored.
    for (commands, killed) in [
        ("ulimit -f 64", true),
        ("trap '' XFSZ; ulimit -f 64", false),
    ] {
        for words in [
            &["embed", "app.pex"][..],
            &["embed", "app.pex", "-o", "out"],
            &["embed", "app.pex", "-o", "new"],
        ] {
            let run = pexboot_after(&stage, commands, words);
            assert_eq!(run.signal.is_some(), killed, "{run}");
            if !killed {
                run.exits(74).says("File too large");
            }
            let left = files_and_directories(&stage.path("work"));
            assert_eq!(left[1..], before[1..], "{words:?}");
        }
    }
}

#[test]
fn bench_writes_its_files_as_everything_that_a_user_names_is_written() {
    let stage = stage(&app());
    let precious = stage.write("precious", "precious");
    symlink("../precious", stage.path("work/chart.svg")).unwrap();
    stage.write("work/table.md", "old");
    fs::set_permissions(
        stage.path("work/table.md"),
        fs::Permissions::from_mode(0o600),
    )
    .unwrap();
    let words = [
        "bench", "app.pex", "--runs", "1", "--warmup", "0", "--json", "all.json",
    ];
    let words = [
        &words[..],
        &["--svg", "chart.svg", "--markdown", "table.md"],
    ]
    .concat();
    pexboot_after(&stage, "umask 027", &words).ok();
    let at = |name: &str| stage.path("work").join(name);
    assert_eq!(fs::read_to_string(precious).unwrap(), "precious");
    assert!(
        fs::read_to_string(at("chart.svg"))
            .unwrap()
            .contains("</svg>")
    );
    assert_eq!(
        [
            mode(&at("all.json")),
            mode(&at("chart.svg")),
            mode(&at("table.md"))
        ],
        [0o640, 0o640, 0o600]
    );
    assert_eq!(
        names(&stage.path("work")),
        ["all.json", "app.pex", "chart.svg", "table.md"]
    );
    assert!(files_below(&stage.path("tmp")).is_empty());
}
