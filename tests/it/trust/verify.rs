//! `pexboot verify` finds what is damaged, in the file and in the cache.

use std::os::unix::fs::symlink;

use super::*;
use crate::fixtures::{App, legacy};

fn verify<'s>(stage: &'s Stage, args: &[&str]) -> Outcome {
    let start: Start<'s> = stage.start().program(env!("CARGO_BIN_EXE_pexboot"));
    start.args(["verify"]).args(args).args([&stage.pex]).run()
}

#[test]
fn a_whole_file_and_a_whole_cache_are_whole() {
    for way in [Way::Original, Way::Embedded] {
        let stage = Stage::new(way, &app("verify-whole"));
        let run = verify(&stage, &[]);
        assert!(run.ok().stdout.starts_with("whole: "), "{run}");
        assert!(run.stdout.contains("3 other hashes"), "{run}");
    }
    for pex in [
        Pex::app("verify-whole", APP),
        Pex::app("verify-venv", APP).venv(),
    ] {
        let stage = used(pex);
        let run = verify(&stage, &["--cache"]);
        assert!(run.ok().stdout.starts_with("whole: "), "{run}");
        assert!(run.stdout.contains("entries of the cache"), "{run}");
        // Nothing was changed by looking.
        is_sound(&home(&stage), false);
        silent(&stage.start().run(), SAYS);
    }
}

/// A machine on which this application has run, natively and by its own bootstrap.
fn used(pex: Pex) -> Stage {
    let pile = Wheel::new("deep", "1.0").file("pile/m39.py", "WHO = 39\n");
    let pex = pex
        .source("helper.py", "NAME = 'helper'\n")
        .dep(Wheel::new("dep", "1.0"))
        .dep(pile)
        .build();
    let stage = Stage::new(Way::Embedded, &pex);
    starts(&stage.start(), SAYS);
    stage.start().env("PEX_COVERAGE", "1").run();
    stage
}

/// After `harm` the cache is said to be damaged, in words that contain `says`; with what was there put back, it is whole.
#[track_caller]
fn found(stage: &Stage, file: &Path, says: &str, harm: impl Fn(&Path)) {
    let aside = stage.path("work/aside");
    let is_there = file.symlink_metadata().is_ok();
    if is_there {
        // A copy that keeps links; what is shared by hard links is damaged in all its places.
        fs::rename(file, &aside).unwrap();
        if aside.is_symlink() {
            symlink(fs::read_link(&aside).unwrap(), file).unwrap();
        } else {
            fs::copy(&aside, file).unwrap();
        }
    }
    harm(file);
    let run = verify(stage, &["--cache"]);
    run.exits(65);
    assert!(
        run.stdout.contains(says),
        "{}: `{says}`\n{run}",
        file.display()
    );
    let _ = fs::remove_file(file);
    if is_there {
        fs::rename(&aside, file).unwrap();
    }
    verify(stage, &["--cache"]).ok();
}

fn flip(file: &Path) {
    let mut bytes = fs::read(file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(file, bytes).unwrap();
}

/// The first file below a kind of entry whose path ends so.
fn file(stage: &Stage, kind: &str, end: &str) -> PathBuf {
    let all = below(&home(stage).join(kind));
    all.iter()
        .find(|path| path.to_string_lossy().ends_with(end) && !path.is_dir())
        .unwrap_or_else(|| panic!("{kind}: {end} in {all:#?}"))
        .clone()
}

fn remove(file: &Path) {
    fs::remove_file(file).unwrap();
}

/// One byte changed, one file missing, one too many: in each kind of entry.
#[test]
fn damage_in_each_kind_of_entry_is_found() {
    let stage = used(Pex::app("verify-kinds", APP));
    for (kind, end) in [("wheels", "/dep.py"), ("code", "/helper.py")] {
        let file = file(&stage, kind, end);
        found(&stage, &file, "has other content", flip);
        found(&stage, &file, "is missing", remove);
        found(
            &stage,
            &file.with_file_name("extra.py"),
            "should not be there",
            |path| fs::write(path, "").unwrap(),
        );
    }
    let plan = file(&stage, "plans", "");
    found(&stage, &plan, "is damaged", flip);
    let boot = file(&stage, "launches", "/app.pex");
    found(&stage, &boot, "no interpreter's boot", flip);
    found(&stage, &boot, "has no boot", remove);
    found(&stage, &boot.with_file_name("data"), "is missing", remove);
    found(
        &stage,
        &boot.with_file_name("extra"),
        "should not be there",
        |path| fs::write(path, "").unwrap(),
    );
    let record = file(&stage, "interpreters", "");
    found(&stage, &record, "is damaged", flip);
    let engine = file(&stage, "engine", "");
    found(&stage, &engine, "is not what its name says", flip);
    let original = file(&stage, "originals", "/PEX-INFO");
    found(&stage, &original, "is missing", remove);
    found(
        &stage,
        &original.with_file_name("extra"),
        "should not be there",
        |path| fs::write(path, "").unwrap(),
    );
}

#[test]
fn damage_in_a_site_is_found() {
    let stage = used(Pex::app("verify-site", APP));
    let link = file(&stage, "sites", "/dep.py");
    found(&stage, &link, "is missing", remove);
    found(&stage, &link, "leads elsewhere", |path| {
        remove(path);
        symlink("/etc/passwd", path).unwrap();
    });
    // Of the same length, so that the size does not tell.
    let nowhere = fs::read_link(&link).unwrap().with_file_name("eep.py");
    found(&stage, &link, "leads nowhere", |path| {
        remove(path);
        symlink(&nowhere, path).unwrap();
    });
    found(&stage, &link, "of another type", |path| {
        remove(path);
        fs::write(path, "WHO = 'forged'\n").unwrap();
    });
    found(
        &stage,
        &link.with_file_name("extra.py"),
        "should not be there",
        |path| fs::write(path, "").unwrap(),
    );
}

#[test]
fn damage_in_a_virtual_environment_is_found() {
    let stage = used(Pex::app("verify-damaged-venv", APP).venv());
    for end in ["/pyvenv.cfg", "/bin/activate", "/helper.py", "/__main__.py"] {
        let file = file(&stage, "venvs", end);
        found(&stage, &file, "has other content", flip);
        found(&stage, &file, "is missing", remove);
    }
    let extra = file(&stage, "venvs", "/helper.py").with_file_name("extra.py");
    found(&stage, &extra, "should not be there", |path| {
        fs::write(path, "").unwrap()
    });
}

#[test]
fn a_damaged_member_and_a_broken_promise_are_found() {
    let promise = Pex::app("verify-promise", "def main(): pass\n")
        .dep(Wheel::new("dep", "1.0"))
        .edit_entry(
            ".deps/dep-1.0-py3-none-any.whl/dep.py",
            "WHO = 'forged'\n",
            0o100_644,
            false,
        )
        .build();
    let said = |pex: &Built, text: &str| {
        let run = verify(&Stage::new(Way::Original, pex), &[]);
        run.exits(65);
        assert!(run.stdout.contains(text), "{text}\n{run}");
    };
    said(&promise, "PEX-INFO promises");
    let edited = |name: &str, entry: &str, text: &str| {
        Pex::app("verify-edited", "def main(): pass\n")
            .source("named.txt", name)
            .edit_entry(entry, text, 0o100_644, false)
            .build()
    };
    let code = edited("code", "app.py", "def main(): print(1)\n");
    said(&code, "user code has hash");
    let bootstrap = edited(
        "bootstrap",
        ".bootstrap/pex/pex_bootstrapper.py",
        "forged\n",
    );
    said(&bootstrap, "the bootstrap has hash");
    // A field more than pex had counted.
    let pex = app("verify-info");
    let text = pex_info(&pex.path).replacen('{', "{\"a\":1,", 1);
    let info = Pex::app("verify-info-edited", "def main(): pass\n")
        .edit_entry("PEX-INFO", &text, 0o100_644, false)
        .build();
    said(&info, "PEX-INFO has hash");
}

fn pex_info(pex: &Path) -> String {
    let output = std::process::Command::new("unzip")
        .args(["-p".as_ref(), pex.as_os_str(), "PEX-INFO".as_ref()])
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// What releases of some years wrote is whole, as is every layout.
#[test]
fn pexes_of_all_ages_and_layouts_are_whole() {
    let old = ["pex-2.1.24", "pex-2.1.60", "pex-2.1.137", "pex-2.33.4"];
    let made = |layout: &'static str| {
        Pex::app("verify-layout", APP)
            .dep(Wheel::new("dep", "1.0"))
            .layout(layout)
            .build()
    };
    let mut all: Vec<Built> = old.into_iter().map(legacy).collect();
    all.extend(["packed", "loose"].map(made));
    all.push(App::cowsay().build());
    for pex in all {
        let run = verify(&Stage::new(Way::Original, &pex), &[]);
        assert!(
            run.ok().stdout.starts_with("whole: "),
            "{}\n{run}",
            pex.path.display()
        );
    }
}
