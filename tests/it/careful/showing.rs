//! What a file, a name or the environment says reaches no terminal as a command, and a stream that takes nothing is told.

use std::path::Path;

use super::{app, pexboot, pexboot_after, stage};
use crate::fixtures::{Built, PYTHON, Pex, Wheel};
use crate::harness::{Outcome, PEXBOOT, Stage, Way};

/// A terminal takes none of these for what it is.
#[track_caller]
fn is_harmless(run: &Outcome) {
    for text in [&run.stdout, &run.stderr] {
        let bad = text.chars().find(|&c| {
            (c.is_control() && c != '\n' && c != '\t')
                || ('\u{202a}'..='\u{202e}').contains(&c)
                || ('\u{2066}'..='\u{2069}').contains(&c)
                || ['\u{2028}', '\u{2029}', '\u{200b}', '\u{feff}'].contains(&c)
        });
        assert_eq!(bad, None, "{run}");
        assert!(
            !text.lines().any(|line| line == "pexboot: all is well"),
            "{run}"
        );
    }
}

/// Clears a screen, in two ways; turns the order of what follows; begins a line.
const EVIL: &str = "évil\u{1b}[2J\u{9b}2J\u{202e}\u{2066}\u{2028}\u{200b}\npexboot: all is well\n";

#[test]
fn what_a_file_says_reaches_no_terminal_as_a_command() {
    let pex = app()
        .edit_entry(EVIL, "text", 0o644, true)
        .edit_info("entry_point", EVIL)
        .edit_info("requirements", vec![EVIL])
        .edit_info("code_hash", "0".repeat(40))
        .build();
    let (_directory, damaged) = pex.altered(|mut bytes| {
        let at = bytes
            .windows(4)
            .position(|window| window == b"text")
            .unwrap();
        bytes[at] ^= 1;
        bytes
    });
    let stage = Stage::named(Way::Original, &damaged, &format!("{}.pex", EVIL.trim_end()));
    let name = stage.pex.file_name().unwrap().to_str().unwrap();
    let file = Path::new("./").join(name).to_str().unwrap().to_owned();
    let evil_root = format!("{}/{EVIL}", stage.path("home").display());
    for words in [
        &["info", &file][..],
        &["info", "--json", &file],
        &["info", "--python", EVIL, &file],
        &["info", EVIL],
        &["verify", &file],
        &["verify", "--cache", &file],
        &["run", &file],
        &["warm", &file],
        &["strip", &file],
        &["embed", &file, "-o", "/nowhere/\u{1b}c"],
        &["embed", "--python=\u{1b}c", &file],
        &["cache", "path"],
        &["explain", &file],
        &["explain", "--json", &file],
        &["path", &file],
        &["sbom", &file],
        &["cache", "ls"],
        &["cache", "ls", "--entries"],
        &["bench", EVIL],
        &["\u{1b}c"],
    ] {
        for verbose in ["0", "9"] {
            let start = stage.start().program(PEXBOOT).args(words);
            let start = start
                .env("PEX_ROOT", &evil_root)
                .env("PEX_VERBOSE", verbose);
            is_harmless(&start.run());
        }
    }
    let stage = Stage::new(Way::Original, &pex);
    let run = pexboot(&stage, &["info", "app.pex"]);
    assert!(
        run.ok().stdout.contains("évil\u{fffd}[2J"),
        "letters stay: {run}"
    );
    // What a program is told it is told exactly.
    let run = pexboot(&stage, &["info", "--json", "app.pex"]);
    is_harmless(&run);
    let value: serde_json::Value = serde_json::from_str(&run.ok().stdout).unwrap();
    assert_eq!(value["pex_info"]["entry_point"], EVIL);
}

#[test]
fn what_an_interpreter_or_a_resolve_says_makes_no_line_of_ours() {
    let wheel = Wheel::new("dep", "1.0").tag("cp27-cp27m-linux_x86_64");
    let check = |pex: Built, env: &[(&str, &str)]| {
        for way in [Way::Original, Way::Embedded] {
            let Ok(stage) = Stage::attempt(way, &pex, "app.pex") else {
                continue;
            };
            let broken =
                "#!/bin/sh\nprintf 'broken\\033[2J\\302\\2332J\\342\\200\\256\\n' >&2\nexit 1\n";
            stage.script("bin/python3", broken);
            let mut start = stage.start().env("PATH", stage.path("bin"));
            if way == Way::Original {
                start = start.before([PEXBOOT, "run"]);
            }
            for (name, value) in env {
                start = start.env(name, value);
            }
            let run = start.run();
            assert_ne!(run.code, Some(0), "{run}");
            is_harmless(&run);
        }
    };
    check(app().build(), &[]);
    check(
        app().build(),
        &[("PEX_PYTHON", PYTHON), ("PEX_SCRIPT", "\u{1b}[2J\u{202e}")],
    );
    check(app().build(), &[("PEX_INHERIT_PATH", EVIL)]);
    check(
        app().edit_info("requirements", vec![EVIL]).build(),
        &[("PEX_PYTHON", PYTHON)],
    );
    check(
        app()
            .edit_info("interpreter_constraints", vec![EVIL])
            .build(),
        &[("PEX_PYTHON", PYTHON)],
    );
    check(
        Pex::app("tags", "").wheel(wheel).requires("dep").build(),
        &[("PEX_PYTHON", PYTHON)],
    );
}

#[test]
fn every_command_that_prints_survives_a_full_or_closed_stdout() {
    let stage = stage(&app());
    pexboot(&stage, &["embed", "app.pex", "-o", "embedded"]).ok();
    stage.start().before([PEXBOOT, "run"]).run().ok();
    for words in [
        &["info", "app.pex"][..],
        &["info", "--json", "app.pex"],
        &["verify", "app.pex"],
        &["verify", "--cache", "app.pex"],
        &["cache", "ls"],
        &["cache", "ls", "--entries"],
        &["cache", "du"],
        &["cache", "path"],
        &["cache", "prune"],
        &["run", "--help"],
        &["--help"],
        &["--version"],
        &["embed", "--help"],
        &["embed", "app.pex", "-o", "-"],
        &["strip", "embedded", "-o", "-"],
        &["bench", "embedded", "--runs", "1", "--warmup", "0"],
        &["demo", "--offline", "--runs", "1"],
    ] {
        for (to, why) in [
            (">/dev/full", "No space left"),
            (">&-", "Bad file descriptor"),
        ] {
            // Whether it is measured there is no matter here.
            if to == ">&-" && ["bench", "demo"].contains(&words[0]) {
                continue;
            }
            let run = pexboot_after(&stage, &format!("exec {to}"), words);
            run.exits(74).says("pexboot: standard output: ").says(why);
            assert_eq!(run.stderr.lines().count(), 1, "{run}");
        }
        if ["bench", "demo"].contains(&words[0]) {
            continue;
        }
        // A reader that has seen enough.
        for (trap, ignored) in [("", false), ("trap '' PIPE; ", true)] {
            let pipe = format!("{trap}exec 3> >(exec 0<&-); wait $!; exec >&3 3>&-");
            let run = pexboot_after(&stage, &pipe, words);
            assert_eq!(run.stderr, "", "{run}");
            let data = words.last() == Some(&"-");
            let expect = match (ignored, data) {
                (false, _) => None,
                (true, false) => Some(0),
                (true, true) => Some(74),
            };
            assert_eq!(run.code, expect, "{run}");
        }
    }
    // Nothing to print is no failure.
    pexboot_after(&stage, "exec >&-", &["embed", "app.pex"]).ok();
    for words in [
        &["info", "missing"][..],
        &["--no-such-option"],
        &["run", "missing"],
        &["warm", "missing"],
    ] {
        let code = pexboot(&stage, words).code;
        for to in ["2>/dev/full", "2>&-"] {
            let run = pexboot_after(&stage, &format!("exec {to}"), words);
            assert_eq!(run.code, code, "{run}");
        }
    }
}
