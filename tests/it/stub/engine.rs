//! The way to the engine when no plan holds.

use super::*;

#[test]
fn without_a_plan_the_engine_is_started_with_the_arguments_unchanged() {
    let scene = Scene::new();
    let output = scene.run("echo $0 $*; echo $_PEXBOOT_FILE; exit 5");
    check(&output, 5, &format!("a b\n{}\n", scene.app.display()), "");
    let left = |name: &str| fs::read_dir(scene.root().join(name)).map(Iterator::count);
    assert!(
        left("v2").unwrap() == 1 && left("v2/locks").unwrap() == 1,
        "an engine that runs from memory leaves nothing behind"
    );
}

#[test]
fn the_engine_sees_what_its_caller_told_the_stub() {
    let scene = Scene::new().with("_PEXBOOT_CURRENT", "/py");
    scene.plan(&plan(SAY));
    let start = |number: &str| {
        let line = format!("_PEXBOOT_REPAIR={number} exec \"$0\" -c \"$1\"");
        let mut command = scene.command(Path::new("/bin/sh"));
        let told = "test $$ = $_PEXBOOT_REPAIR && echo $_PEXBOOT_CURRENT";
        command.args(["-c", &line]).arg(&scene.app).arg(told);
        command.output().unwrap()
    };
    // The boot of this very process asks for a repair.
    check(&start("$$"), 0, "/py\n", "");
    // Somebody has exported it, or another process has asked.
    for number in ["1", "", "0", "$$0"] {
        let text = "replayed -c test $$ = $_PEXBOOT_REPAIR && echo $_PEXBOOT_CURRENT\n";
        check(&start(number), 0, text, "");
    }
}

#[test]
fn an_engine_in_the_root_is_used_as_it_is() {
    // The one in the file is damaged, so that it can't be that one.
    let scene = Scene::with_engine(b"\0");
    let directory = scene.root().join("v2/engine");
    fs::create_dir_all(&directory).unwrap();
    let engine = directory.join(hex(&scene.seal.engine_digest));
    write_program(&engine, &shell());
    check(&scene.run("echo engine"), 0, "engine\n", "");
}

#[test]
fn an_engine_in_the_root_that_was_cut_short_is_passed_over() {
    let scene = Scene::new();
    let directory = scene.root().join("v2/engine");
    fs::create_dir_all(&directory).unwrap();
    let engine = directory.join(hex(&scene.seal.engine_digest));
    write_program(&engine, b"#!/bin/false\n");
    check(&scene.run("echo engine"), 0, "engine\n", "");
    // The right size, but nothing in it: what a power cut leaves.
    write_program(&engine, &vec![0; shell().len()]);
    check(&scene.run("echo engine"), 0, "engine\n", "");
}

#[test]
fn a_damaged_engine_is_refused_in_one_line() {
    let good = lz4_flex::block::compress(&shell());
    let cases: [(&[u8], &str); 2] = [
        (&good[..good.len() / 2], "can't be unpacked"),
        (b"\xff\xff\xff\xff", "can't be unpacked"),
    ];
    for (packed, what) in cases {
        let scene = Scene::with_engine(packed);
        let stderr = format!(
            "pexboot: `{}`: the engine in it {what}; the file is damaged, get it again\n",
            scene.app.display()
        );
        check(&scene.run("echo engine"), 65, "", &stderr);
    }
    let scene = Scene::new();
    let mut bytes = fs::read(&scene.app).unwrap();
    bytes[STUB.len() + good.len() / 2] ^= 1;
    let other = scene.path("other");
    write_program(&other, &bytes);
    let output = scene.command(&other).output().unwrap();
    let stderr = format!(
        "pexboot: `{}`: the engine in it is not the one that was put there; the file is damaged, get it again\n",
        other.display()
    );
    check(&output, 65, "", &stderr);
    let short = scene.path("short");
    write_program(&short, &bytes[..bytes.len() - 1]);
    let output = scene.command(&short).output().unwrap();
    let stderr = format!(
        "pexboot: `{}`: the engine in it is cut short, as `strip -R` does it; the file is damaged, get it again\n",
        short.display()
    );
    check(&output, 65, "", &stderr);
}

#[test]
fn a_bare_stub_says_what_it_is() {
    let scene = Scene::new();
    let bare = scene.path("bare");
    write_program(&bare, STUB);
    let stderr = "pexboot: this is a bare stub without an application; `pexboot embed` puts it in front of one\n";
    check(&scene.command(&bare).output().unwrap(), 70, "", stderr);
}
