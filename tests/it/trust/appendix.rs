//! An appendix whose bytecode belongs to another PEX. It may be refused; it is never served by a file that did not seal it,
//! and whatever a forger does to a file of his own, no other file gets to see it.

use std::process::{Command, Stdio};

use pexboot_core::seal::{SEAL_SIZE, Seal};

use super::*;
use crate::harness::PEXBOOT;

/// An application whose wheel says this word.
fn sample(word: &str) -> Built {
    let wheel = Wheel::empty("lib", "1.0").file("lib/__init__.py", &format!("word = '{word}'\n"));
    Pex::app(
        &format!("appendix-{word}"),
        &format!("import lib\ndef main():\n    print(lib.word, '{word}')\n"),
    )
    .dep(wheel)
    .build()
}

/// `pexboot embed --compile`.
fn compiled(pex: &Built, to: &Path) {
    let mut command = Command::new(PEXBOOT);
    command
        .args(["embed", "--compile", "-o"])
        .args([to, &pex.path]);
    assert!(command.stdin(Stdio::null()).status().unwrap().success());
}

/// Puts into the zip `to` what embedding has added to the PEX `from`: its bytecode, whatever that is called.
const GRAFT: &str = "
import sys, warnings, zipfile
warnings.simplefilter('ignore')
original, embedded, to = sys.argv[1:]
with zipfile.ZipFile(original) as before, zipfile.ZipFile(embedded) as after, zipfile.ZipFile(to, 'a') as out:
    added = set(after.namelist()) - set(before.namelist())
    assert added
    for info in after.infolist():
        if info.filename in added:
            out.writestr(info, after.read(info))
";

fn seal(file: &Path, change: impl FnOnce(&mut Seal)) {
    let mut bytes = fs::read(file).unwrap();
    let place =
        pexboot::internals::parts::SEAL_OFFSET..pexboot::internals::parts::SEAL_OFFSET + SEAL_SIZE;
    let raw: [u8; SEAL_SIZE] = bytes[place.clone()].try_into().unwrap();
    let mut seal = Seal::decode(&raw).unwrap();
    change(&mut seal);
    bytes[place].copy_from_slice(&seal.encode().unwrap());
    fs::write(file, bytes).unwrap();
}

fn sealed_bytecode(file: &Path) -> [u8; 32] {
    let mut found = [0; 32];
    seal(file, |seal| found = seal.bytecode);
    found
}

/// How well the forger covers his tracks.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Forgery {
    /// The seal is as it was.
    OldSeal,
    /// The seal knows the file's new size.
    Size,
    /// And commits to the bytecode that was put in: the file is consistent, and another file.
    Consistent,
}

#[test]
fn bytecode_of_another_pex_reaches_nobody() {
    let (honest, other) = (sample("good"), sample("evil"));
    for forgery in [Forgery::OldSeal, Forgery::Size, Forgery::Consistent] {
        let stage = Stage::new(Way::Embedded, &honest);
        let (forged, evil) = (stage.path("work/forged.pex"), stage.path("work/evil.pex"));
        compiled(&honest, &stage.pex);
        compiled(&other, &evil);
        fs::copy(&stage.pex, &forged).unwrap();
        let graft = Command::new(crate::fixtures::PYTHON)
            .args(["-c", GRAFT])
            .args([&other.path, &evil, &forged])
            .stdin(Stdio::null())
            .status();
        assert!(graft.unwrap().success());
        let size = fs::metadata(&forged).unwrap().len();
        let bytecode = sealed_bytecode(&evil);
        seal(&forged, |seal| match forgery {
            Forgery::OldSeal => {}
            Forgery::Size => seal.file_size = size,
            Forgery::Consistent => (seal.file_size, seal.bytecode) = (size, bytecode),
        });
        let run = |file: &Path| stage.start().program(file).run();
        for forged_first in [true, false] {
            upkeep::cache(&stage, &["clear"]).ok();
            if !forged_first {
                silent(&run(&stage.pex), "good good");
                silent(&run(&evil), "evil evil");
            }
            for _ in 0..2 {
                let run = run(&forged);
                let refused = run.code != Some(0) && run.stdout.is_empty();
                let itself = run.stdout.trim() == "good good";
                // Consistent, it is a file of the forger's own: what it does is his affair.
                assert!(
                    refused || itself || forgery == Forgery::Consistent,
                    "{forgery:?}\n{run}"
                );
            }
            for _ in 0..2 {
                silent(&run(&stage.pex), "good good");
                silent(&run(&evil), "evil evil");
            }
            is_sound(&home(&stage), false);
            for pex in [&stage.pex, &evil] {
                let pexboot = stage.start().program(env!("CARGO_BIN_EXE_pexboot"));
                pexboot.args(["verify", "--cache"]).args([pex]).run().ok();
            }
        }
    }
}

#[test]
fn an_honest_file_of_the_same_wheels_is_as_it_would_be_alone() {
    // The same wheel and the same user code; only the bytecode was exchanged, and sealed.
    let honest = sample("same");
    let stage = Stage::new(Way::Embedded, &honest);
    let (compiled_one, forged) = (
        stage.path("work/compiled.pex"),
        stage.path("work/forged.pex"),
    );
    let evil = stage.path("work/evil.pex");
    compiled(&honest, &compiled_one);
    let other = sample("evil");
    compiled(&other, &evil);
    fs::copy(&compiled_one, &forged).unwrap();
    let graft = Command::new(crate::fixtures::PYTHON)
        .args(["-c", GRAFT])
        .args([&other.path, &evil, &forged])
        .stdin(Stdio::null())
        .status();
    assert!(graft.unwrap().success());
    let (size, bytecode) = (fs::metadata(&forged).unwrap().len(), sealed_bytecode(&evil));
    seal(&forged, |seal| {
        (seal.file_size, seal.bytecode) = (size, bytecode)
    });
    stage.start().program(&forged).run();
    stage.start().program(&forged).run();
    // With bytecode of its own, and without any.
    for file in [&compiled_one, &stage.pex] {
        for _ in 0..2 {
            silent(&stage.start().program(file).run(), "same same");
        }
    }
}
