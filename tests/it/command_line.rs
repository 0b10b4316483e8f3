//! The command line as packagers and CI use it: many files, pipes, checks, options that are remembered, JSON, and what is
//! generated for packages.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::fixtures::{Pex, Wheel};
use crate::harness::{Outcome, PEXBOOT, Stage, Way};

pub fn app() -> Pex {
    Pex::app("command-line", "def main():\n    print('ran')\n").dep(Wheel::new("dep", "1.0"))
}

pub fn stage() -> Stage {
    Stage::new(Way::Original, &app().build())
}

pub fn pexboot(stage: &Stage, words: &[&str]) -> Outcome {
    stage.start().program(PEXBOOT).args(words).run()
}

pub fn json(run: &Outcome) -> Value {
    serde_json::from_str(&run.ok().stdout).unwrap_or_else(|error| panic!("{error}\n{run}"))
}

#[test]
fn many_are_embedded_and_a_bad_one_does_not_keep_the_others_from_it() {
    let stage = stage();
    for copy in ["one.pex", "two.pex"] {
        fs::copy(&stage.pex, stage.path("work").join(copy)).unwrap();
    }
    stage.write("work/none", "no pex\n");
    let run = pexboot(
        &stage,
        &["embed", "--no-compile", "one.pex", "none", "two.pex"],
    );
    run.exits(65)
        .says("/none` is not a zip")
        .says("one.pex` is embedded")
        .says("two.pex` is embedded");
    assert_eq!(run.stderr.lines().count(), 3, "one line each\n{run}");
    let quiet = pexboot(
        &stage,
        &["embed", "--no-compile", "--quiet", "one.pex", "two.pex"],
    );
    assert!(
        quiet.ok().stderr.is_empty() && quiet.stdout.is_empty(),
        "{quiet}"
    );
    let run = pexboot(&stage, &["verify", "one.pex", "two.pex"]);
    assert_eq!(run.ok().stdout.matches(".pex: whole").count(), 2, "{run}");
    assert_eq!(
        pexboot(&stage, &["verify", "-q", "one.pex"]).ok().stdout,
        ""
    );
    let run = pexboot(&stage, &["info", "--json", "one.pex", "two.pex"]);
    let both = serde_json::Deserializer::from_str(&run.ok().stdout).into_iter::<Value>();
    let embedded = both.map(|value| value.unwrap()["embedded"].clone());
    assert_eq!(embedded.collect::<Vec<_>>(), [true, true]);
    pexboot(&stage, &["strip", "one.pex", "two.pex"])
        .ok()
        .says("one.pex` is as it was before");
    assert!(fs::read(&stage.pex).unwrap() == fs::read(stage.path("work/two.pex")).unwrap());
    pexboot(&stage, &["embed", "one.pex", "two.pex", "-o", "x"])
        .exits(2)
        .says("`-o` names one file");
}

/// What `pexboot` makes of bytes on its standard input.
fn piped(words: &[&str], input: &Path) -> Vec<u8> {
    let input = fs::File::open(input).unwrap();
    let mut command = Command::new(PEXBOOT);
    let output = command
        .args(words)
        .stdin(input)
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    output.stdout
}

#[test]
fn standard_input_and_output_are_files_like_any_other() {
    let stage = stage();
    pexboot(
        &stage,
        &["embed", "--no-compile", "app.pex", "-o", "embedded"],
    )
    .ok();
    let embedded = stage.path("work/embedded");
    let through = piped(&["embed", "--no-compile", "-"], &stage.pex);
    assert!(through == fs::read(&embedded).unwrap());
    assert!(piped(&["strip", "-"], &embedded) == fs::read(&stage.pex).unwrap());
    let whole = String::from_utf8(piped(&["verify", "-"], &embedded)).unwrap();
    assert!(whole.starts_with("whole: "), "{whole}");
    let told = String::from_utf8(piped(&["info", "-"], &embedded)).unwrap();
    assert!(told.contains("pex          -\n"), "{told}");
    let run = stage
        .start()
        .program(PEXBOOT)
        .args(["verify", "-"])
        .stdin("none")
        .run();
    run.exits(65).says("`-` is not a zip");
    pexboot(&stage, &["warm", "-"]).exits(2);
    pexboot(&stage, &["embed", "--json", "-"])
        .exits(2)
        .says("both go to standard output");
}

#[test]
fn a_check_tells_what_is_not_embedded_so_and_writes_nothing() {
    let stage = stage();
    let check = |words: &[&str]| {
        pexboot(
            &stage,
            &[&["embed", "--check"], words, &["app.pex"]].concat(),
        )
    };
    let before = fs::read(&stage.pex).unwrap();
    check(&["--no-compile"])
        .exits(1)
        .says("`app.pex` is not embedded by this version");
    assert!(before == fs::read(&stage.pex).unwrap());
    pexboot(&stage, &["embed", "--no-compile", "--venv", "app.pex"]).ok();
    assert_eq!(check(&[]).ok().stderr, "");
    check(&["--venv", "--no-compile"]).ok();
    check(&["--no-venv"]).exits(1);
    check(&["--host-site"]).exits(1);
    let run = pexboot(&stage, &["embed", "--check", "--json", "app.pex"]);
    assert_eq!(json(&run)["embedded_so"], true);
    // By another version.
    let other = stage.path("work/app.pex");
    let mut bytes = fs::read(&other).unwrap();
    bytes[9] ^= 1;
    fs::write(&other, bytes).unwrap();
    check(&[]).exits(1);
}

#[test]
fn options_are_remembered_until_they_are_told_otherwise() {
    let stage = stage();
    pexboot(
        &stage,
        &["embed", "--no-host-site", "--no-compile", "app.pex"],
    )
    .ok();
    let first = fs::read(&stage.pex).unwrap();
    let again = pexboot(&stage, &["embed", "app.pex"]);
    again
        .ok()
        .says("`app.pex` keeps --no-host-site --no-compile of its earlier embedding");
    assert!(first == fs::read(&stage.pex).unwrap());
    let run = pexboot(&stage, &["embed", "--json", "--venv", "app.pex"]);
    let told = json(&run);
    assert_eq!(told["host_site"], false);
    assert_eq!(told["venv"], true);
    assert_eq!(told["compile"], "none");
    assert_eq!(told["schema"], 1);
    let run = pexboot(
        &stage,
        &["embed", "--no-venv", "--host-site", "--quiet", "app.pex"],
    );
    assert_eq!(run.ok().stderr, "");
    let info = json(&pexboot(&stage, &["info", "--json", "app.pex"]));
    assert_eq!(
        (&info["venv"], &info["host_site"]),
        (&Value::Bool(false), &Value::Bool(true))
    );
    let run = pexboot(&stage, &["embed", "--forget", "--no-compile", "app.pex"]);
    assert!(!run.ok().stderr.contains("keeps"), "{run}");
    let info = json(&pexboot(&stage, &["info", "--json", "app.pex"]));
    assert_eq!(info["host_site"], Value::Null);
}

#[test]
fn what_will_surprise_is_said_when_it_is_embedded() {
    let check = |pex: Pex, says: &str| {
        let stage = Stage::new(Way::Original, &pex.build());
        let run = pexboot(&stage, &["embed", "--no-compile", "app.pex"]);
        run.ok().says(says);
    };
    let foreign = Wheel::new("native", "1.0").tag("cp311-cp311-manylinux_2_17_s390x");
    check(app().wheel(foreign), "has no wheel of native for Linux on");
    let member = Pex::empty("command-line-member").dep(Wheel::new("dep", "1.0"));
    check(member, "has no entry point");
    let stage = stage();
    let run = pexboot(&stage, &["embed", "--no-compile", "app.pex"]);
    assert_eq!(run.ok().stderr.lines().count(), 1, "{run}");
}

#[test]
fn completions_and_manual_pages_are_generated() {
    let stage = stage();
    pexboot(&stage, &["generate", "prefix"]).ok();
    let share = stage.path("work/prefix/share");
    for file in [
        "bash-completion/completions/pexboot",
        "zsh/site-functions/_pexboot",
        "fish/vendor_completions.d/pexboot.fish",
        "man/man1/pexboot.1",
        "man/man1/pexboot-explain.1",
    ] {
        let text = fs::read_to_string(share.join(file)).unwrap_or_else(|_| panic!("{file}"));
        assert!(text.contains("explain"), "{file}");
    }
    let commands = pexboot(&stage, &["--help"]);
    assert!(
        !commands.ok().stdout.contains("generate"),
        "it is for packagers\n{commands}"
    );
}

#[test]
fn every_command_has_examples_in_its_help() {
    let stage = stage();
    for command in [
        "bench", "cache", "embed", "explain", "info", "path", "sbom", "strip", "venv", "verify",
        "warm",
    ] {
        let run = pexboot(&stage, &[command, "--help"]);
        assert!(run.ok().stdout.contains("Examples:"), "{command}\n{run}");
    }
}

#[test]
fn paths_of_a_pex_that_was_started_are_told_to_other_tools() {
    let stage = stage();
    let run = pexboot(&stage, &["path", "app.pex"]);
    run.exits(1).says("run `pexboot warm app.pex` first");
    pexboot(&stage, &["warm", "app.pex"]).ok();
    let told = json(&pexboot(&stage, &["path", "--json", "app.pex"]));
    let python = told["python"].as_str().unwrap();
    for what in ["code", "site"] {
        let line = pexboot(&stage, &["path", "app.pex", what])
            .ok()
            .stdout
            .clone();
        let paths: Vec<&str> = line.trim().split(':').collect();
        assert_eq!(told[what], serde_json::json!(paths));
    }
    let site = pexboot(&stage, &["path", "app.pex", "site"])
        .ok()
        .stdout
        .clone();
    let import = stage.start().program(python).env("PYTHONPATH", site.trim());
    import
        .args(["-c", "import dep; print(dep.WHO)"])
        .run()
        .ok()
        .prints("dep 1.0");
}

#[test]
fn a_bill_of_materials_names_each_wheel() {
    let wheel = Wheel::new("Free_Lib", "2.0").metadata("License-Expression: MIT");
    let stage = Stage::new(Way::Original, &app().dep(wheel).build());
    let spdx = json(&pexboot(&stage, &["sbom", "app.pex"]));
    let packages = spdx["packages"].as_array().unwrap();
    let free = packages
        .iter()
        .find(|package| package["name"] == "Free_Lib");
    let free = free.unwrap_or_else(|| panic!("{spdx:#}"));
    assert_eq!(free["licenseDeclared"], "MIT");
    assert_eq!(
        free["externalRefs"][0]["referenceLocator"],
        "pkg:pypi/free-lib@2.0"
    );
    assert_eq!(packages.len(), 3, "the application and two wheels");
    let run = pexboot(&stage, &["sbom", "--format", "cyclonedx", "app.pex"]);
    let cyclone = json(&run);
    assert_eq!(cyclone["components"].as_array().unwrap().len(), 2);
    let again = pexboot(&stage, &["sbom", "--format", "cyclonedx", "app.pex"]);
    assert_eq!(run.stdout, again.stdout, "the same bytes each time");
}
