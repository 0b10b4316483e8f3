//! What packaging does to a program: it is stripped, and put into a package by default rules. The file starts after it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::fixtures::{App, Built, PYTHON, Pex};
use crate::harness::{PEXBOOT, Stage, Way, coverage, long_tier};

/// Commands that strip the file whose path comes last, and the Debian package of each.
const TOOLS: &[(&[&str], &str)] = &[
    (&["strip"], "binutils"),
    (&["strip", "--strip-unneeded"], "binutils"),
    (&["strip", "-g"], "binutils"),
    (&["strip", "-R", ".comment", "-R", ".note"], "binutils"),
    (&["objcopy", "--strip-all"], "binutils"),
    (&["eu-strip"], "elfutils"),
    (&["llvm-strip"], "llvm"),
    (&["llvm-strip", "--strip-unneeded"], "llvm"),
];

/// Whether there is such a program; notes what is left out without it.
fn has(program: &str, package: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).any(|directory| directory.join(program).is_file());
    if !found {
        coverage::left_out(program, &format!("the package {package}"));
    }
    found
}

fn ran(command: &mut Command) -> Output {
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(
        output.status.success(),
        "{command:?}\n{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

/// The file starts, Python runs it, it is whole, and the original comes back.
#[track_caller]
fn is_itself(stage: &Stage, file: &Path, original: &Path, what: &str) {
    let says = |start: crate::harness::Start| {
        let run = start.args(["-t", "moo"]).run();
        assert!(run.ok().stdout.contains("| moo |"), "{what}\n{run}");
    };
    says(stage.start().program(file));
    says(stage.start().program(PYTHON).args([file]));
    ran(Command::new(PEXBOOT).arg("verify").arg(file));
    let back = stage.path("work/back.pex");
    ran(Command::new(PEXBOOT)
        .arg("strip")
        .arg(file)
        .arg("-o")
        .arg(&back));
    assert!(
        fs::read(&back).unwrap() == fs::read(original).unwrap(),
        "{what}"
    );
}

#[test]
fn the_file_starts_after_every_tool_that_strips_programs() {
    let Built { path: original } = App::cowsay().build();
    let stage = Stage::new(
        Way::Embedded,
        &Built {
            path: original.clone(),
        },
    );
    let file = stage.path("work/app");
    let before = fs::read(&stage.pex).unwrap();
    for (words, package) in TOOLS {
        if !has(words[0], package) {
            continue;
        }
        fs::copy(&stage.pex, &file).unwrap();
        ran(Command::new(words[0]).args(&words[1..]).arg(&file));
        let after = fs::read(&file).unwrap();
        // LLVM writes the names of the sections in an order of its own.
        if words[0] == "llvm-strip" {
            assert_eq!(after.len(), before.len(), "{words:?}");
            is_itself(&stage, &file, &original, "llvm-strip");
        } else {
            assert!(after == before, "{words:?} changes bytes");
        }
    }
    fs::remove_file(&file).unwrap();
    ran(Command::new("install")
        .args(["-s", "-m", "755"])
        .args([&stage.pex, &file]));
    assert!(
        fs::read(&file).unwrap() == before,
        "install -s changes bytes"
    );
    is_itself(&stage, &file, &original, "install -s");
    // The headers of the sections, in the zip's comment, reach no terminal.
    let list = ran(Command::new("unzip").arg("-l").arg(&file)).stdout;
    assert!(
        list.iter()
            .all(|byte| (b' '..0x7f).contains(byte) || b"\n\t".contains(byte))
    );
}

#[test]
fn what_starts_a_directory_can_be_stripped() {
    let pex = Pex::app("stripping", "def main():\n    print('ran')\n").layout("packed");
    let stage = Stage::new(Way::Embedded, &pex.build());
    let starter = stage.pex.join("pex");
    let before = fs::read(&starter).unwrap();
    ran(Command::new("strip").arg(&starter));
    assert!(fs::read(&starter).unwrap() == before);
    if has("llvm-strip", "llvm") {
        ran(Command::new("llvm-strip").arg(&starter));
        stage.start().program(&starter).run().ok().prints("ran");
    }
}

/// Options that ask for the application's section, or all of them, to go get what they ask for: the file says what is missing.
#[test]
fn a_file_without_its_application_names_what_took_it() {
    let stage = Stage::new(Way::Embedded, &App::cowsay().build());
    for words in [
        &["objcopy", "-R", ".gnu.warning.pexboot"][..],
        &["llvm-strip", "--strip-sections"],
    ] {
        if words[0] == "llvm-strip" && !has(words[0], "llvm") {
            continue;
        }
        let file = stage.path("work/app");
        fs::copy(&stage.pex, &file).unwrap();
        ran(Command::new(words[0]).args(&words[1..]).arg(&file));
        stage
            .start()
            .program(&file)
            .run()
            .exits(65)
            .says("`strip -R`");
        let verify = Command::new(PEXBOOT)
            .arg("verify")
            .arg(&file)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&verify.stderr).into_owned();
        assert!(
            !verify.status.success() && said.contains("`strip -R`"),
            "{said}"
        );
        fs::remove_file(&file).unwrap();
    }
}

/// Writes a text file below `directory`, with its parents.
fn write(directory: &Path, name: &str, text: &str) -> PathBuf {
    let path = directory.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, text).unwrap();
    path
}

/// `docs/packaging.md` shows these files.
#[test]
fn packages_made_by_default_rules_hold_the_file_as_it_was() {
    if !long_tier("packages by dh and rpmbuild") {
        return;
    }
    let Built { path: original } = App::cowsay().build();
    let stage = Stage::new(
        Way::Embedded,
        &Built {
            path: original.clone(),
        },
    );
    let documented = include_str!("../../docs/packaging.md");
    let file = |name: &str| {
        let start = format!("<!-- {name} -->\n\n```");
        let (_, rest) = documented.split_once(&start).unwrap();
        let (_, rest) = rest.split_once('\n').unwrap();
        rest.split_once("```").unwrap().0
    };
    let before = fs::read(&stage.pex).unwrap();
    if has("dh", "debhelper") {
        let source = stage.path("work/deb/app-1.0");
        for name in ["control", "changelog", "rules", "install"] {
            write(
                &source,
                &format!("debian/{name}"),
                file(&format!("debian/{name}")),
            );
        }
        let rules = source.join("debian/rules");
        fs::set_permissions(&rules, fs::Permissions::from_mode(0o755)).unwrap();
        fs::copy(&stage.pex, source.join("app")).unwrap();
        ran(Command::new("dpkg-buildpackage")
            .args(["-b", "-us", "-uc"])
            .current_dir(&source));
        let root = stage.path("work/deb/root");
        let package = stage.path("work/deb/app_1.0_amd64.deb");
        ran(Command::new("dpkg-deb").arg("-x").args([&package, &root]));
        let installed = root.join("usr/bin/app");
        assert!(fs::read(&installed).unwrap() == before);
        is_itself(&stage, &installed, &original, "dh");
    }
    if has("rpmbuild", "rpm") {
        let top = stage.path("work/rpm");
        let spec = write(&top, "app.spec", file("app.spec"));
        fs::create_dir_all(top.join("SOURCES")).unwrap();
        fs::copy(&stage.pex, top.join("SOURCES/app")).unwrap();
        let defined = format!("_topdir {}", top.display());
        ran(Command::new("rpmbuild")
            .args(["--define", &defined, "-bb"])
            .arg(&spec));
        let package = top.join("RPMS/x86_64/app-1.0-1.x86_64.rpm");
        let unpacked = top.join("unpacked");
        fs::create_dir(&unpacked).unwrap();
        ran(Command::new("sh")
            .args(["-c", "rpm2archive -n - <\"$0\" | tar x"])
            .arg(&package)
            .current_dir(&unpacked));
        let installed = unpacked.join("usr/bin/app");
        assert!(fs::read(&installed).unwrap() == before);
        is_itself(&stage, &installed, &original, "rpmbuild");
    }
}
