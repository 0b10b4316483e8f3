//! A second PEX with the wheels of a first that has run, and one more: how much its first start writes, against the same
//! start in an empty root. A file counts once, however many names it has. Bytecode, which Python writes when it
//! imports, and the launch pack, which is a copy of that, are counted apart from what is unpacked.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use pexboot::internals::bench::{Subject, embed, execute, plain};

use super::process::run;
use super::{Stage, app, figures};
use crate::peers::{Bench, extra};
use crate::record::Figures;

/// Whose wheels both have.
const FIRST: &str = "scikit-learn";
/// What the second one has beside them.
const MORE: &str = "cowsay";

/// The second PEX, embedded.
pub fn second(bench: &Bench) -> Result<PathBuf, Box<dyn Error>> {
    super::prepared(bench, FIRST)?;
    let (first, more) = (app(FIRST), app(MORE));
    let workshop = &bench.workshop;
    let (wheels, others) = (workshop.wheels(first)?, workshop.wheels(more)?);
    let pex = extra(bench, first, "second.pex", |out| {
        let mut command = plain(&workshop.tool("pex"), first.wanted());
        command.args(more.wanted());
        command.args(["--no-pypi", "--find-links"]).arg(&wheels);
        command.arg("--find-links").arg(&others);
        command.arg("--python").arg(workshop.python());
        command.args(["--console-script", first.script]);
        execute(command.arg("--output-file").arg(out))
    })?;
    let name = format!("second-{}", bench.build);
    Ok(extra(bench, first, &name, |out| {
        embed(&bench.pexboot, &pex, out, &[])
    })?)
}

/// Files and bytes written, and seconds, by the second alone and after the first.
pub fn measure(stage: &mut Stage) -> Result<Figures, Box<dyn Error>> {
    let first = stage.embedded(FIRST)?;
    let second = Subject::new("second", second(stage.bench)?, &first.args);
    let mut samples = [const { Vec::new() }; 10];
    for _ in 0..stage.repetitions {
        let empty = stage.session.new_place()?;
        let alone = start(stage, &second, &empty)?;
        let shared = stage.session.new_place()?;
        start(stage, &first, &shared)?;
        let after = start(stage, &second, &shared)?;
        let all = [alone, after].into_iter().flatten();
        for (samples, figure) in samples.iter_mut().zip(all) {
            samples.push(figure);
        }
    }
    let [
        files,
        bytes,
        bytecode,
        pack,
        wall,
        files_after,
        bytes_after,
        bytecode_after,
        pack_after,
        wall_after,
    ] = samples;
    Ok(figures([
        ("alone: files", files),
        ("alone: bytes", bytes),
        ("alone: files of bytecode", bytecode),
        ("alone: bytes of the launch pack", pack),
        ("alone: wall s", wall),
        ("after the first: files", files_after),
        ("after the first: bytes", bytes_after),
        ("after the first: files of bytecode", bytecode_after),
        ("after the first: bytes of the launch pack", pack_after),
        ("after the first: wall s", wall_after),
    ]))
}

/// What a start adds below its place: files and their bytes, files of bytecode, bytes of the launch pack; and its wall
/// time.
fn start(stage: &mut Stage, subject: &Subject, place: &Path) -> Result<[f64; 5], Box<dyn Error>> {
    let before = files(place)?;
    let cost = run(&mut [stage.session.command(subject, place)])?;
    let mut added = files(place)?;
    added.retain(|inode, _| !before.contains_key(inode));
    let of = |what: What| added.values().filter(move |file| file.what == what);
    let bytes = |what: What| of(what).map(|file| file.bytes).sum::<u64>() as f64;
    Ok([
        of(What::Unpacked).count() as f64,
        bytes(What::Unpacked),
        of(What::Bytecode).count() as f64,
        bytes(What::Pack),
        cost.wall,
    ])
}

/// A regular file.
struct File {
    bytes: u64,
    what: What,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum What {
    Unpacked,
    Bytecode,
    Pack,
}

impl What {
    fn of(path: &Path) -> What {
        let above = path.ancestors().nth(2).and_then(Path::file_name);
        if path.extension().is_some_and(|extension| extension == "pyc") {
            What::Bytecode
        } else if path.ends_with("pack") && above.is_some_and(|name| name == "launches") {
            What::Pack
        } else {
            What::Unpacked
        }
    }
}

/// All regular files below a directory, by inode.
fn files(directory: &Path) -> std::io::Result<BTreeMap<u64, File>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let metadata = fs::symlink_metadata(&path)?;
        if metadata.is_dir() {
            found.extend(files(&path)?);
        } else if metadata.is_file() {
            let file = File {
                bytes: metadata.len(),
                what: What::of(&path),
            };
            found.insert(metadata.ino(), file);
        }
    }
    Ok(found)
}
