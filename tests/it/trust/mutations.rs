//! Bytes from others, mutated: a bounded run of what the fuzz targets do (`fuzz/`), on the same corpus, and our unpacking
//! against Python's `zipfile` on archives made at random. A failure prints the seed that shows it again.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{Command, Stdio};

use pexboot::fuzzing;

use super::*;
use crate::harness::coverage;

/// A small generator (SplitMix64): the same numbers from the same seed on every machine.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut value = self.0;
        value = (value ^ value >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        value = (value ^ value >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        value ^ value >> 31
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end.max(1) as u64).unwrap()
    }
}

/// Changes some bytes: flips, numbers that lie at edges, pieces cut out, doubled, or taken from another.
fn mutate(bytes: &mut Vec<u8>, other: &[u8], random: &mut Random) {
    const EDGES: [u8; 8] = [0, 1, 0x7f, 0x80, 0xff, b'\n', b'/', b'.'];
    for _ in 0..=random.below(4) {
        let at = random.below(bytes.len());
        let length = random.below(16).min(bytes.len() - at);
        match random.below(6) {
            0 if !bytes.is_empty() => bytes[at] ^= 1 << random.below(8),
            1 => bytes[at..at + length].fill(EDGES[random.below(8)]),
            2 => drop(bytes.drain(at..at + length)),
            3 => {
                let piece = bytes[at..at + length].to_vec();
                bytes.splice(at..at, piece);
            }
            4 if !other.is_empty() => {
                let from = random.below(other.len());
                let piece = other[from..(from + length).min(other.len())].to_vec();
                bytes.splice(at..at + length, piece);
            }
            _ => bytes.truncate(bytes.len() - random.below(8).min(bytes.len())),
        }
    }
}

/// The committed corpus of a target.
fn corpus(target: &str) -> Vec<Vec<u8>> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/corpus")
        .join(target);
    let mut files: Vec<_> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files.iter().map(|file| fs::read(file).unwrap()).collect()
}

#[track_caller]
fn survives(target: &str, usual: usize, thorough: usize, run: impl Fn(&[u8])) {
    let corpus = corpus(target);
    assert!(!corpus.is_empty(), "no corpus for {target}");
    let count = rounds(usual, thorough);
    for seed in 0..count as u64 {
        let mut random = Random(seed);
        let mut bytes = corpus[random.below(corpus.len())].clone();
        let other = &corpus[random.below(corpus.len())];
        if seed >= corpus.len() as u64 {
            mutate(&mut bytes, other, &mut random);
        }
        let result = catch_unwind(AssertUnwindSafe(|| run(&bytes)));
        assert!(
            result.is_ok(),
            "{target} panics at seed {seed}: {:?}",
            String::from_utf8_lossy(&bytes)
        );
    }
    coverage::note(&format!("trust: {count} mutations of {target}"));
}

#[test]
fn archives() {
    // In memory where that can be had: each is written to a file.
    let directory = tempfile::tempdir_in("/dev/shm")
        .or_else(|_| tempfile::tempdir())
        .unwrap();
    survives("archive", 5_000, 200_000, |bytes| {
        fuzzing::archive(bytes, &directory.path().join("x"))
    });
}

#[test]
fn pex_infos() {
    survives("pex_info", 20_000, 2_000_000, fuzzing::pex_info);
}

#[test]
fn metadata_and_requirements() {
    survives("metadata", 5_000, 500_000, fuzzing::metadata);
}

#[test]
fn plans() {
    survives("plan", 20_000, 2_000_000, fuzzing::plan);
}

#[test]
fn interpreter_records() {
    survives("record", 5_000, 500_000, fuzzing::record);
}

/// Makes archives at random and says what `zipfile` extracts from them: path, x bit, content.
const DIFFERENTIAL: &str = r##"
import hashlib, json, os, random, stat, sys, warnings, zipfile, tempfile
warnings.simplefilter("ignore")
seed, out = int(sys.argv[1]), sys.argv[2]
pick = random.Random(seed)
PARTS = ["a", "b", "C", "c", "..", ".", "", "d d", "é", "日本", "x.py", "-", "e\\f", "~", "n" * 40]
def name():
    text = "/".join(pick.choice(PARTS) for _ in range(pick.randint(1, 4)))
    return pick.choice(["", "", "", "/"]) + text
with open(out, "wb") as file:
    file.write(b"#!/usr/bin/env python3\n")
with zipfile.ZipFile(out, "a") as archive:
    archive.writestr("PEX-INFO", json.dumps({"entry_point": "m"}))
    for _ in range(pick.randint(1, 12)):
        info = zipfile.ZipInfo("x")
        info.filename = info.orig_filename = "u" + name()
        info.create_system = 3
        info.external_attr = pick.choice([0o100644, 0o100755, 0o120777, 0o104711, 0]) << 16
        info.compress_type = pick.choice([0, 8])
        data = pick.choice([b"", os.urandom(pick.randint(1, 99)), b"abc" * pick.randint(1, 9999)])
        archive.writestr(info, data)
found = {}
with tempfile.TemporaryDirectory() as directory:
    try:
        with zipfile.ZipFile(out) as archive:
            for info in archive.infolist():
                if info.filename != "PEX-INFO":
                    archive.extract(info, directory)
        for above, _, files in os.walk(directory):
            for file in files:
                path = os.path.join(above, file)
                found[os.path.relpath(path, directory)] = hashlib.sha256(open(path, "rb").read()).hexdigest()
    except OSError:
        found = None
print(json.dumps(found))
"##;

#[test]
fn what_we_unpack_is_what_zipfile_extracts() {
    use sha2::Digest;
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().canonicalize().unwrap();
    let count = rounds(25, 2_000);
    let mut agreed = 0;
    for seed in 0..count {
        let path = root.join(format!("{seed}.pex"));
        let output = Command::new(crate::fixtures::PYTHON)
            .args(["-c", DIFFERENTIAL, &seed.to_string()])
            .arg(&path)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "seed {seed}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        let truth: Option<std::collections::BTreeMap<String, String>> =
            serde_json::from_slice(&output.stdout).unwrap();
        let own = root.join(format!("root{seed}"));
        let store = pexboot::internals::store::Store::scratch(&own).unwrap();
        let unpacked = pexboot::internals::pex::Pex::open(&path)
            .map_err(|e| e.to_string())
            .and_then(|pex| {
                let fingerprint = pex.fingerprint().map_err(|e| e.to_string())?;
                pexboot::internals::unpack::code(&pex, &fingerprint, &store)
                    .map_err(|e| e.to_string())
            });
        match (truth, unpacked) {
            // A name that is both file and directory: neither can lay that out.
            (None, Err(_)) => {}
            (Some(truth), Ok(code)) => {
                let found = crate::fixtures::files_below(&code).into_iter().map(|file| {
                    let digest = sha2::Sha256::digest(fs::read(&file).unwrap());
                    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
                    (
                        file.strip_prefix(&code)
                            .unwrap()
                            .to_str()
                            .unwrap()
                            .to_owned(),
                        hex,
                    )
                });
                assert_eq!(
                    found.collect::<std::collections::BTreeMap<_, _>>(),
                    truth,
                    "seed {seed}"
                );
                agreed += 1;
            }
            (truth, ours) => panic!("seed {seed}: zipfile {truth:?}, ours {ours:?}"),
        }
    }
    assert!(
        agreed * 3 > count,
        "only {agreed} of {count} could be laid out"
    );
    coverage::note(&format!(
        "trust: {count} archives against zipfile, {agreed} of them laid out"
    ));
}
