//! Bytecode that `pexboot embed` puts into a file: a first start that compiles nothing, and bytecode that can serve no other
//! file.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::fixtures::{Built, Pex, Wheel};
use crate::harness::{PEXBOOT, Stage, Way};

/// An application of user code and one wheel.
fn sample() -> Built {
    let wheel = Wheel::empty("lib", "1.0")
        .file("lib/__init__.py", "from lib.inner import word\n")
        .file("lib/inner.py", "word = 'inner'\ndef f(): pass\n")
        .file("lib/rare.py", "word = 'rare'\n")
        .file("lib/template.py", "{{ no Python }}\n");
    Pex::empty("bytecode")
        .dep(wheel)
        .source("app/__init__.py", "")
        .source(
            "app/main.py",
            "import lib.inner, sys\n\ndef main():\n    \
             code = lib.inner.f.__code__\n    \
             print(lib.word, code.co_filename == lib.inner.__file__, main.__code__.co_filename == __file__)\n    \
             if len(sys.argv) > 1:\n        \
                 from lib import rare\n        \
                 print(rare.word, rare.__spec__.loader.__dict__.keys() == {'name', 'path'})\n",
        )
        .entry("app.main:main")
        .build()
}

fn embed(pex: &Path, to: &Path, options: &[&str]) {
    let path = std::env::var("PATH").unwrap();
    embed_says(pex, to, options, &path);
}

/// `pexboot embed` under this PATH.
fn embedding(pex: &Path, to: &Path, options: &[&str], path: &str) -> Output {
    let mut command = Command::new(PEXBOOT);
    command.env("PATH", path).arg("embed").args(options);
    command.arg("-o").args([to, pex]).output().unwrap()
}

/// What `embed` said.
fn embed_says(pex: &Path, to: &Path, options: &[&str], path: &str) -> String {
    let output = embedding(pex, to, options, path);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    said
}

/// The bytecode in the cache that Python wrote, and the files of bytecode that were brought.
fn bytecode(stage: &Stage) -> (Vec<PathBuf>, Vec<PathBuf>) {
    let files = stage.cached_files();
    let ends = |end: &'static str| {
        let found = files
            .iter()
            .filter(move |path| path.to_string_lossy().ends_with(end));
        found.cloned().collect::<Vec<_>>()
    };
    (ends(".pyc"), ends("/modules"))
}

#[test]
fn a_first_start_compiles_nothing() {
    let pex = sample();
    let stage = Stage::new(Way::Embedded, &pex);
    embed(&pex.path, &stage.pex, &["--compile=all"]);
    for _ in 0..2 {
        let run = stage.start().run();
        assert!(run.ok().stdout.starts_with("inner True True\n"), "{run}");
    }
    // What the launch pack does not know was brought all the same.
    let run = stage.start().args(["rare"]).run();
    run.ok().prints("inner True True\nrare True");
    let (written, brought) = bytecode(&stage);
    assert_eq!(written, Vec::<PathBuf>::new());
    assert_eq!(brought.len(), 1, "{brought:?}");
    // The site is the one that the PEX has without bytecode.
    let plain = Stage::new(Way::Embedded, &pex);
    plain.start().run().ok();
    let sites = |stage: &Stage| {
        let sites = fs::read_dir(stage.home().join(".cache/pexboot/v2/code")).unwrap();
        let mut names: Vec<_> = sites.map(|site| site.unwrap().file_name()).collect();
        names.sort();
        names
    };
    assert_eq!(sites(&stage), sites(&plain));
}

/// A first start leaves a launch pack, which says where the bytecode lies that came with the file: it is not written again.
#[test]
fn the_pack_of_a_first_start_copies_nothing_that_came_with_the_file() {
    let large = format!("word = '{}'\n", "large ".repeat(20_000));
    let app = "import large, sys\ndef main():\n    print(large.word[:5], large.__spec__.loader.__dict__.keys() == {'name', 'path'})\n";
    let wheel = Wheel::empty("large", "1.0").file("large.py", &large);
    let pex = Pex::app("bytecode-large", app).dep(wheel).build();
    let stage = Stage::new(Way::Embedded, &pex);
    embed(&pex.path, &stage.pex, &[]);
    stage.start().run().ok().prints("large True");
    let pack = super::pack::the_pack(&stage);
    let holds = |file: &Path| {
        let bytes = fs::read(file).unwrap();
        bytes.windows(12).any(|window| window == b"large large ")
    };
    let brought = stage.home().join(".cache").join(&bytecode(&stage).1[0]);
    assert!(!holds(&pack) && holds(&brought));
    // Not the source, but for its status, and not the finder's own data.
    let log = stage.path("trace");
    let words = ["/usr/bin/strace", "-f", "-e", "trace=openat,open", "-o"];
    let words = words.into_iter().chain([log.to_str().unwrap()]);
    let run = stage.start().before(words).run();
    run.ok().prints("large True");
    let text = fs::read_to_string(&log).unwrap();
    assert!(text.contains("/modules\""), "{text}");
    assert!(
        !text.contains("/large.py\"") && !text.contains("/shipped\""),
        "{text}"
    );
    // Where it is gone or cut short, the source serves.
    fs::write(&brought, "").unwrap();
    stage.start().run().ok().prints("large True");
}

/// The boot came compiled with the file: Python was not asked for it, and no other file gets it.
#[test]
fn a_boot_that_came_with_the_file_serves_that_file() {
    let pex = sample();
    let stage = Stage::new(Way::Embedded, &pex);
    embed(&pex.path, &stage.pex, &[]);
    let records = || {
        let place = stage.home().join(".cache/pexboot/v2/interpreters");
        let all = fs::read_dir(place)
            .unwrap()
            .map(|file| file.unwrap().path());
        let all: Vec<_> = all.filter(|path| path.extension().is_none()).collect();
        let [record] = all.as_slice() else {
            panic!("{all:?}");
        };
        fs::read(record).unwrap()
    };
    // Every boot says that it is from there.
    let has_boot = |record: &[u8]| record.windows(9).any(|window| window == b"<pexboot>");
    let checked = || {
        let verify = Command::new(PEXBOOT)
            .args(["verify", "--cache"])
            .arg(&stage.pex)
            .env("HOME", stage.home())
            .output()
            .unwrap();
        assert!(verify.status.success(), "{verify:?}");
    };
    stage.start().run().ok();
    assert!(!has_boot(&records()));
    checked();
    let plain = stage.path("plain");
    embed(&pex.path, &plain, &["--no-compile"]);
    let run = stage.start().program(plain).run();
    assert!(run.ok().stdout.starts_with("inner True True\n"), "{run}");
    assert!(has_boot(&records()));
    checked();
}

#[test]
fn without_the_finder_python_compiles_as_ever() {
    let pex = sample();
    let stage = Stage::new(Way::Embedded, &pex);
    embed(&pex.path, &stage.pex, &["--compile=all"]);
    let run = stage.start().env("PEXBOOT_PACK", "0").run();
    assert!(run.ok().stdout.starts_with("inner True True\n"), "{run}");
    assert!(!bytecode(&stage).0.is_empty());
}

#[test]
fn what_is_edited_counts_for_bytecode_that_was_brought() {
    let pex = sample();
    let stage = Stage::new(Way::Embedded, &pex);
    embed(&pex.path, &stage.pex, &["--compile=all"]);
    stage.start().run().ok();
    let files = stage.cached_files();
    let rare = files
        .iter()
        .find(|path| path.ends_with("lib/rare.py"))
        .unwrap();
    fs::write(stage.home().join(".cache").join(rare), "word = 'edited'\n").unwrap();
    let run = stage.start().args(["rare"]).run();
    run.ok().prints("inner True True\nedited True");
}

#[test]
fn the_same_file_comes_out_every_time_and_strips_to_the_original() {
    let pex = sample();
    let scratch = tempfile::tempdir().unwrap();
    let at = |name: &str| scratch.path().join(name);
    embed(&pex.path, &at("one"), &["--compile=all"]);
    embed(&pex.path, &at("two"), &["--compile=all"]);
    assert!(fs::read(at("one")).unwrap() == fs::read(at("two")).unwrap());
    // What was embedded before is embedded anew.
    embed(&at("one"), &at("plain"), &["--forget"]);
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
    embed(&pex.path, &stage.pex, &["--compile=all"]);
    let mut bytes = fs::read(&stage.pex).unwrap();
    let name = b"/modules";
    let at = bytes
        .windows(name.len())
        .position(|window| window == name)
        .unwrap();
    // In its data, which follow the name.
    bytes[at + name.len() + 60] ^= 0xff;
    fs::write(&stage.pex, bytes).unwrap();
    let run = stage.start().run();
    run.exits(65).says("/modules");
    // Whatever else was checked and kept: none of the bytecode.
    assert_eq!(bytecode(&stage), (Vec::new(), Vec::new()));
}

#[test]
fn an_interpreter_that_is_not_there_is_told() {
    let pex = sample();
    let output = Command::new(PEXBOOT)
        .args(["embed", "--python=/no/such/python", "-o", "/dev/null/x"])
        .arg(&pex.path)
        .output()
        .unwrap();
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("cannot be compiled ahead"), "{said}");
}

/// The modules that an embedded file brings, without what stands before a wheel's or the code's own paths.
fn brought(file: &Path) -> Vec<String> {
    let script = "import sys, zipfile\n\
        zip = zipfile.ZipFile(sys.argv[1])\n\
        for name in zip.namelist():\n    \
            if name.startswith('__pex__bytecode/') and name.endswith('/names'):\n        \
                for record in zip.read(name).decode().split('\\0')[:-1]:\n            \
                    print(record.partition(' ')[2])\n";
    let output = Command::new(crate::fixtures::PYTHON)
        .args(["-c", script])
        .arg(file)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let bare = |line: &str| {
        let (_, path) = line.split_once('/').unwrap();
        match line.starts_with("wheels/") {
            true => path.split_once('/').unwrap().1.to_owned(),
            false => path.to_owned(),
        }
    };
    text.lines().map(bare).collect()
}

/// An application that comes by its modules in every way that can be followed, and leaves some alone.
fn winding() -> Built {
    let wheel = Wheel::empty("lib", "1.0")
        .file("lib/__init__.py", "")
        .file("lib/late.py", "from .deep import inner as other\n")
        .file("lib/deep/__init__.py", "")
        .file("lib/deep/inner.py", "")
        .file("lib/named.py", "")
        .file("lib/beside.py", "")
        .file("lib/plugin.py", "")
        .file("lib/hook.py", "")
        .file("lib/command.py", "")
        .file("lib/never.py", "from lib import never_either\n")
        .file("lib/never_either.py", "")
        .file("lib.pth", "import lib.hook\n")
        .file(
            "lib-1.0.dist-info/entry_points.txt",
            "[console_scripts]\ncommand = lib.command:main\n[some.group]\nplugin = lib.plugin:Plugin\n",
        );
    Pex::empty("winding")
        .dep(wheel)
        .source("app/__init__.py", "")
        .source(
            "app/side.py",
            "from importlib import import_module\nBESIDE = '.relative'\n",
        )
        .source("app/relative.py", "")
        .source("app/unused.py", "")
        .source(
            "app/main.py",
            "from . import side\n\
             NAMES = ('lib.named', 'lib.beside:function', 'some.group', 'never')\n\n\
             def main():\n    \
                 def inner():\n        \
                     import lib.late\n    \
                 inner()\n    \
                 print('went')\n",
        )
        .entry("app.main:main")
        .build()
}

#[test]
fn what_the_entry_point_can_reach_is_compiled_without_being_asked_for() {
    let pex = winding();
    let stage = Stage::new(Way::Embedded, &pex);
    let said = embed_says(&pex.path, &stage.pex, &[], "/usr/bin:/bin");
    assert!(
        said.contains("brings bytecode of 12 modules for `/usr/bin/python3"),
        "{said}"
    );
    assert_eq!(
        brought(&stage.pex),
        [
            "app/__init__.py",
            "app/main.py",
            "app/relative.py",
            "app/side.py",
            "lib/__init__.py",
            "lib/beside.py",
            "lib/deep/__init__.py",
            "lib/deep/inner.py",
            "lib/hook.py",
            "lib/late.py",
            "lib/named.py",
            "lib/plugin.py",
        ]
    );
    stage.start().run().ok().prints("went");
    let (written, brought) = bytecode(&stage);
    assert_eq!((written, brought.len()), (Vec::<PathBuf>::new(), 1));
}

/// What is put together from pieces no look at the code finds; one run does.
#[test]
fn what_a_run_imports_is_compiled_where_that_is_asked_for() {
    let lib = Wheel::empty("pieces", "1.0")
        .file("pieces/__init__.py", "")
        .file("pieces/far.py", "word = 'far'\n")
        .file("pieces/never.py", "");
    let pex = Pex::empty("recorded")
        .dep(lib)
        .source("app/__init__.py", "")
        .source(
            "app/main.py",
            "import importlib, sys\n\ndef main():\n    \
             print(importlib.import_module('pie' + 'ces.' + sys.argv[1]).word)\n    sys.exit(3)\n",
        )
        .entry("app.main:main")
        .build();
    let stage = Stage::new(Way::Embedded, &pex);
    let path = std::env::var("PATH").unwrap();
    embed_says(&pex.path, &stage.pex, &[], &path);
    assert!(
        !brought(&stage.pex)
            .iter()
            .any(|name| name.ends_with("far.py"))
    );

    let embed = |arguments: &[&str]| {
        let mut command = Command::new(PEXBOOT);
        command
            .arg("embed")
            .arg(&pex.path)
            .arg("-o")
            .arg(&stage.pex);
        command.args(["--record", "--"]).args(arguments);
        // Its cache is none of the run's business.
        command.env("HOME", stage.home()).output().unwrap()
    };
    let output = embed(&["far"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && output.stdout.is_empty(),
        "{said}"
    );
    assert!(
        said.contains("far\n") && said.contains("exit status: 3"),
        "{said}"
    );
    let names = brought(&stage.pex);
    assert!(
        names.iter().any(|name| name.ends_with("pieces/far.py")),
        "{names:?}"
    );
    assert!(
        !names.iter().any(|name| name.ends_with("never.py")),
        "{names:?}"
    );
    assert_eq!(stage.cached_files(), Vec::<PathBuf>::new());

    stage.start().args(["far"]).run().exits(3).prints("far");
    assert_eq!(bytecode(&stage).0, Vec::<PathBuf>::new());
}

#[test]
fn every_module_is_compiled_where_that_is_asked_for_and_none_where_that_is() {
    let pex = winding();
    let scratch = tempfile::tempdir().unwrap();
    let file = scratch.path().join("file");
    embed_says(&pex.path, &file, &["--compile=all"], "/usr/bin:/bin");
    assert_eq!(brought(&file).len(), 16);
    let said = embed_says(&pex.path, &file, &["--no-compile", "-q"], "/usr/bin:/bin");
    assert_eq!((brought(&file), &*said), (Vec::<String>::new(), ""));
}

#[test]
fn without_an_entry_point_what_lies_at_the_top_is_compiled() {
    let wheel = Wheel::empty("lib", "1.0")
        .file("lib/__init__.py", "from lib import used\n")
        .file("lib/used.py", "")
        .file("lib/unused.py", "")
        .file("other.py", "");
    let pex = Pex::empty("interpreter").dep(wheel).build();
    let stage = Stage::new(Way::Embedded, &pex);
    embed(&pex.path, &stage.pex, &[]);
    assert_eq!(
        brought(&stage.pex),
        ["lib/__init__.py", "lib/used.py", "other.py"]
    );
    let run = stage
        .start()
        .args(["-c", "import lib; print(lib.used.__name__)"]);
    run.run().ok().prints("lib.used");
    assert_eq!(bytecode(&stage).0, Vec::<PathBuf>::new());
}

#[test]
fn where_no_interpreter_is_found_a_line_says_that_there_is_no_bytecode() {
    let pex = sample();
    let stage = Stage::new(Way::Embedded, &pex);
    let said = embed_says(&pex.path, &stage.pex, &[], "/nowhere");
    assert!(
        said.contains("gets no bytecode, its first start compiles"),
        "{said}"
    );
    let run = stage.start().run();
    assert!(run.ok().stdout.starts_with("inner True True\n"), "{run}");
}

#[test]
fn a_virtual_environment_keeps_bytecode_of_its_own() {
    let pex = sample();
    let scratch = tempfile::tempdir().unwrap();
    let file = scratch.path().join("file");
    let said = embed_says(&pex.path, &file, &["--venv", "-q"], "/usr/bin:/bin");
    assert_eq!((brought(&file), &*said), (Vec::<String>::new(), ""));
    let options = ["--venv", "--compile"];
    let output = embedding(&pex.path, &file, &options, "/usr/bin:/bin");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("leave out --compile"), "{said}");
    assert_eq!(output.status.code(), Some(2));
}
