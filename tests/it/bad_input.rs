//! Files that are no PEX, damaged ones, machines that lack something: one clear message, a documented exit code
//! (`docs/errors.md`), and nothing changed.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use crate::fixtures::{App, Built, Pex, Wheel};
use crate::harness::{PEXBOOT, Stage, Way};

/// Every command that reads a PEX refuses this file, a launch with this code; it names it, and leaves it as it was.
#[track_caller]
fn refused(bytes: &[u8], launched: i32, says: &str) {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("bad.pex");
    fs::write(&path, bytes).unwrap();
    for command in ["embed", "strip", "info", "run"] {
        if command == "strip" && says == "PEX-INFO" {
            // Nothing was embedded, so nothing is looked at.
            continue;
        }
        let output = run(command, &path);
        let message = String::from_utf8_lossy(&output.stderr);
        // A launch that the original refuses too ends as there.
        let code = if command == "run" { launched } else { 65 };
        assert_eq!(output.status.code(), Some(code), "{command}: {message}");
        assert!(message.contains("bad.pex"), "{command}: {message}");
        assert!(
            message.contains(says),
            "{command} does not say `{says}`: {message}"
        );
        assert!(!message.contains("panicked"), "{command}: {message}");
        assert!(
            fs::read(&path).unwrap() == bytes,
            "{command} changed the file"
        );
        assert_eq!(
            fs::read_dir(scratch.path()).unwrap().count(),
            1,
            "{command} left something behind"
        );
    }
}

fn run(command: &str, path: &Path) -> Output {
    let home = tempfile::tempdir().unwrap();
    Command::new(PEXBOOT)
        .arg(command)
        .arg(path)
        .env_clear()
        .env("HOME", home.path())
        .env("PATH", "/usr/bin:/bin")
        .output()
        .unwrap()
}

#[test]
fn what_is_no_zip_is_refused() {
    refused(b"", 65, "");
    refused(b"#!/bin/sh\necho hello\n", 65, "zip");
    refused(&[0; 4096], 65, "zip");
    refused(&fs::read("/bin/true").unwrap(), 65, "zip");
}

#[test]
fn a_zip_that_is_no_pex_is_refused() {
    let scratch = tempfile::tempdir().unwrap();
    let zip = scratch.path().join("plain.zip");
    let make = "import sys, zipfile; zipfile.ZipFile(sys.argv[1], 'w').writestr('a.txt', 'a')";
    assert!(
        Command::new("/usr/bin/python3")
            .args(["-c", make])
            .arg(&zip)
            .status()
            .unwrap()
            .success()
    );
    refused(&fs::read(&zip).unwrap(), 1, "PEX-INFO");
}

#[test]
fn malformed_pex_info_is_refused() {
    for text in [
        "",
        "{",
        "[]",
        "null",
        "{\"requirements\": 7}",
        "{\"venv\": \"yes\"}",
    ] {
        let pex = Pex::app("info", "def main():\n    pass\n")
            .edit_info_text(text)
            .build();
        refused(&fs::read(pex.path).unwrap(), 1, "PEX-INFO");
    }
}

/// A download that broke off, at every interesting place.
#[test]
fn a_truncated_pex_is_refused() {
    let pex = Pex::app("cut", "def main():\n    pass\n").dep(Wheel::new("dep", "1.0"));
    let whole = fs::read(pex.build().path).unwrap();
    let size = whole.len();
    let central = whole
        .windows(4)
        .rposition(|bytes| bytes == b"PK\x01\x02")
        .unwrap();
    for cut in [
        10,
        size / 2,
        central,
        central + 20,
        size - 23,
        size - 22,
        size - 21,
        size - 4,
        size - 1,
    ] {
        refused(&whole[..cut], 65, "");
    }
}

#[test]
fn a_truncated_embedded_file_says_so_when_it_is_started() {
    let stage = Stage::new(Way::Embedded, &App::cowsay().build());
    let whole = fs::read(&stage.pex).unwrap();
    let archive = fs::read(App::cowsay().build().path).unwrap();
    let head = whole
        .windows(archive.len())
        .position(|bytes| bytes == archive)
        .unwrap();
    for cut in [
        head + 100,
        head + archive.len() / 2,
        whole.len() - archive.len() / 100 - 40_000,
    ] {
        let cut_off = stage.path("draft");
        fs::write(&cut_off, &whole[..cut]).unwrap();
        let _ = fs::remove_file(&stage.pex);
        // Another process writes it, so that no child of this one holds it open for writing.
        assert!(
            Command::new("/bin/cp")
                .arg(&cut_off)
                .arg(&stage.pex)
                .status()
                .unwrap()
                .success()
        );
        assert!(
            Command::new("/bin/chmod")
                .arg("755")
                .arg(&stage.pex)
                .status()
                .unwrap()
                .success()
        );
        let outcome = stage.start().args(["-t", "moo"]).run();
        outcome.exits(65).says("app.pex");
        assert_eq!(outcome.stderr.lines().count(), 1, "{outcome}");
    }
}

#[test]
fn without_a_python_it_says_what_it_looked_for() {
    let stage = Stage::new(Way::Embedded, &App::cowsay().build());
    let empty = stage.path("nothing");
    fs::create_dir(&empty).unwrap();
    let outcome = stage.start().env("PATH", &empty).run();
    outcome
        .refused()
        .says("Failed to find compatible interpreter on path")
        .says("nothing");
}

#[test]
fn a_file_that_may_be_executed_but_not_read_says_so() {
    if !crate::harness::is_root() {
        return crate::harness::coverage::left_out(
            "a file that may not be read",
            "root, to become another user",
        );
    }
    let stage = Stage::new(Way::Embedded, &App::cowsay().build());
    let open = |path: &Path, mode: &str| {
        assert!(
            Command::new("/bin/chmod")
                .arg(mode)
                .arg(path)
                .status()
                .unwrap()
                .success()
        );
    };
    open(&stage.root(), "755");
    open(&stage.pex, "711");
    let user = [
        "/usr/bin/setpriv",
        "--reuid=65534",
        "--regid=65534",
        "--clear-groups",
    ];
    let outcome = stage.start().before(user).run();
    assert_ne!(outcome.code, Some(0), "{outcome}");
    outcome.says("app.pex").says("ermission denied");
}

#[test]
fn where_no_home_can_be_written_the_private_root_serves() {
    let stage = Stage::new(Way::Embedded, &App::cowsay().build());
    // One after the other, in a place of their own where that can be had.
    let start = crate::trust::own_var_tmp(stage.start().env("HOME", "/proc/self"));
    let twice = start.before(["/bin/sh", "-c", "\"$@\" && exec \"$@\"", "sh"]);
    let outcome = twice.args(["-t", "moo"]).run();
    let said = outcome.ok().stdout.matches("| moo |").count();
    assert_eq!(said, 2, "{outcome}");
}

#[test]
fn a_pex_that_is_not_there_is_named() {
    let output = run("run", Path::new("/nowhere/app.pex"));
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(message.contains("/nowhere/app.pex"), "{message}");
}

/// Any byte of a small PEX may be wrong: it starts, or it is refused, but nothing worse happens.
#[test]
fn a_damaged_byte_leads_to_a_start_or_a_message() {
    let pex =
        Pex::app("bytes", "def main():\n    print('started')\n").dep(Wheel::new("dep", "1.0"));
    let whole = fs::read(pex.build().path).unwrap();
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("bad.pex");
    let step = whole.len() / 40;
    for at in (0..whole.len()).step_by(step) {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x55;
        fs::write(&path, &bytes).unwrap();
        let output = run("run", &path);
        let (out, message) = (
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
        let code = output.status.code();
        assert!(!message.contains("panicked"), "byte {at}: {message}");
        match code {
            Some(0) => assert_eq!(out, "started\n", "byte {at}"),
            Some(1 | 65 | 66 | 74) => assert!(!message.is_empty(), "byte {at}"),
            _ => panic!("byte {at}: {code:?} {message}"),
        }
    }
}

/// Both checks of a wheel: what a member's checksum tells, and what PEX-INFO promises.
#[test]
fn a_wheel_that_is_not_what_pex_info_promises_is_refused() {
    let pex = Pex::app("promise", "import dep\ndef main():\n    print(dep.WHO)\n")
        .dep(Wheel::new("dep", "1.0"));
    let forged = pex.edit_entry(
        ".deps/dep-1.0-py3-none-any.whl/dep.py",
        "WHO = 'another'\n",
        0o100_644,
        false,
    );
    let Built { path } = forged.build();
    let output = run("run", &path);
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(65), "{message}");
    assert!(
        message.contains("dep-1.0-py3-none-any.whl") && message.contains("promises"),
        "{message}"
    );
}
