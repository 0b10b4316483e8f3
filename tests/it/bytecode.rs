//! `pexboot embed --compile`: a first start that compiles nothing, and bytecode that can serve no other file.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::fixtures::{Built, Pex, Wheel};
use crate::harness::{PEXBOOT, Stage, Way};

/// An application of user code and one wheel.
fn sample() -> Built {
    let wheel = Wheel::empty("lib", "1.0")
        .file("lib/__init__.py", "from lib.inner import word\n")
        .file("lib/inner.py", "word = 'inner'\n")
        .file("lib/template.py", "{{ no Python }}\n");
    Pex::empty("bytecode")
        .dep(wheel)
        .source("app/__init__.py", "")
        .source(
            "app/main.py",
            "import lib.inner, sys\n\ndef main():\n    \
             code = lib.inner.__spec__.loader.get_code('lib.inner')\n    \
             print(lib.word, code.co_filename == lib.inner.__file__, main.__code__.co_filename == __file__)\n    \
             print(lib.inner.__cached__)\n",
        )
        .entry("app.main:main")
        .build()
}

fn embed(pex: &Path, to: &Path, options: &[&str]) {
    let output = Command::new(PEXBOOT)
        .arg("embed")
        .args(options)
        .arg("-o")
        .args([to, pex])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
}

/// The bytecode in the cache, and whether it is the unchecked kind that an appendix brings.
fn bytecode(stage: &Stage) -> Vec<(PathBuf, bool)> {
    let found = stage.cached_files().into_iter();
    found
        .filter(|path| path.extension().is_some_and(|end| end == "pyc"))
        .map(|path| {
            let path = stage.home().join(".cache").join(path);
            let shipped = fs::read(&path).unwrap()[4..8] == [1, 0, 0, 0];
            (path, shipped)
        })
        .collect()
}

#[test]
fn a_first_start_compiles_nothing() {
    let pex = sample();
    let stage = Stage::new(Way::Embedded, &pex);
    embed(&pex.path, &stage.pex, &["--compile"]);
    for _ in 0..2 {
        let run = stage.start().run();
        assert!(run.ok().stdout.starts_with("inner True True\n"), "{run}");
    }
    let found = bytecode(&stage);
    assert!(found.iter().all(|(_, shipped)| *shipped), "{found:?}");
    let names: Vec<String> = found
        .iter()
        .map(|(path, _)| path.file_name().unwrap().to_string_lossy().into_owned())
        .collect();
    for module in ["inner", "main"] {
        let start = format!("{module}.");
        assert!(
            names.iter().any(|name| name.starts_with(&start)),
            "{names:?}"
        );
    }
    assert!(!names.iter().any(|name| name.starts_with("template")));
    // None of it is in a wheel of the store, or in user code that other files share.
    let wheels = stage.cached_files();
    assert!(wheels.iter().any(|path| path.ends_with("lib/inner.py")));
    assert!(
        found
            .iter()
            .all(|(path, _)| !path.to_string_lossy().contains("/v1/wheels/")),
        "{found:?}"
    );
}

#[test]
fn the_same_file_comes_out_every_time_and_strips_to_the_original() {
    let pex = sample();
    let scratch = tempfile::tempdir().unwrap();
    let at = |name: &str| scratch.path().join(name);
    embed(&pex.path, &at("one"), &["--compile"]);
    embed(&pex.path, &at("two"), &["--compile"]);
    assert!(fs::read(at("one")).unwrap() == fs::read(at("two")).unwrap());
    // What was embedded before is embedded anew.
    embed(&at("one"), &at("plain"), &[]);
    embed(&pex.path, &at("two"), &[]);
    assert!(fs::read(at("plain")).unwrap() == fs::read(at("two")).unwrap());
    let stripped = Command::new(PEXBOOT)
        .arg("strip")
        .arg(at("one"))
        .status()
        .unwrap();
    assert!(stripped.success());
    assert!(fs::read(at("one")).unwrap() == fs::read(&pex.path).unwrap());
}

#[test]
fn bytecode_that_is_not_what_was_sealed_is_refused() {
    let pex = sample();
    let stage = Stage::new(Way::Embedded, &pex);
    embed(&pex.path, &stage.pex, &["--compile"]);
    let mut bytes = fs::read(&stage.pex).unwrap();
    let name = b"lib/inner.pyc";
    let at = bytes
        .windows(name.len())
        .position(|window| window == name)
        .unwrap();
    // In its data, which follow the name.
    bytes[at + name.len() + 20] ^= 0xff;
    fs::write(&stage.pex, bytes).unwrap();
    let run = stage.start().run();
    run.exits(65).says("inner.pyc");
    // Whatever else was checked and kept: neither that module's bytecode nor the site it belongs to.
    let kept: Vec<PathBuf> = bytecode(&stage).into_iter().map(|(path, _)| path).collect();
    assert!(
        !kept
            .iter()
            .any(|path| path.to_string_lossy().contains("/v1/sites/")),
        "{kept:?}"
    );
}

#[test]
fn an_interpreter_that_is_not_there_is_told() {
    let pex = sample();
    let output = Command::new(PEXBOOT)
        .args(["embed", "--compile=/no/such/python", "-o", "/dev/null/x"])
        .arg(&pex.path)
        .output()
        .unwrap();
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("cannot be compiled ahead"), "{said}");
}
