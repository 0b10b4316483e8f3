//! Archives made after a recipe, laid out by us and by Python's `zipfile`: what both accept must come out the same, and
//! what Python extracts and we refuse must be one of the shapes that `docs/reliability.md` refuses.
//!
//! A Python is kept running and told one path after another; starting one for each archive would cost a hundred times what
//! the comparison does.
#![no_main]

#[path = "../recipe.rs"]
mod recipe;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use pexboot::internals::pex::Pex;
use pexboot::internals::store::Store;
use sha2::Digest;

/// Path below the directory and SHA-256 of each file; `Err` says why there is none.
type Files = Result<BTreeMap<String, String>, String>;

/// Where archives are put and laid out, and who gives the second opinion.
struct Bench {
    root: PathBuf,
    store: Store,
    _python: Child,
    ask: ChildStdin,
    answers: BufReader<ChildStdout>,
    _directory: tempfile::TempDir,
}

thread_local! {
    static BENCH: RefCell<Bench> = RefCell::new(Bench::new());
}

/// Extracts what it is told of, as pex does, and says what came of it.
const PYTHON: &str = r#"
import hashlib, json, os, shutil, sys, warnings, zipfile
warnings.simplefilter("ignore")
out = sys.argv[1]
def extracted(path):
    found = {}
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            if info.filename != "PEX-INFO":
                archive.extract(info, out)
    for above, _, files in os.walk(out):
        for file in files:
            full = os.path.join(above, file)
            with open(full, "rb") as content:
                name = os.fsencode(os.path.relpath(full, out)).decode("latin-1")
                found[name] = hashlib.sha256(content.read()).hexdigest()
    return found
for line in sys.stdin:
    try:
        answer = {"Ok": extracted(line.rstrip("\n"))}
    except Exception as error:
        answer = {"Err": repr(error)}
    shutil.rmtree(out, ignore_errors=True)
    print(json.dumps(answer), flush=True)
"#;

impl Bench {
    fn new() -> Bench {
        // In memory where that can be had.
        let directory = tempfile::tempdir_in("/dev/shm")
            .or_else(|_| tempfile::tempdir())
            .expect("a temporary directory");
        let root = directory.path().canonicalize().expect("a path");
        let mut python = Command::new("/usr/bin/python3")
            .args(["-I", "-c", PYTHON])
            .arg(root.join("python"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("/usr/bin/python3 starts");
        let ask = python.stdin.take().expect("piped");
        let answers = BufReader::new(python.stdout.take().expect("piped"));
        let store = Store::scratch(&root.join("root")).expect("a root");
        Bench {
            root,
            store,
            _python: python,
            ask,
            answers,
            _directory: directory,
        }
    }

    fn theirs(&mut self, path: &Path) -> Files {
        writeln!(self.ask, "{}", path.display()).expect("python listens");
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("python answers");
        let answer: serde_json::Value = serde_json::from_str(&line).expect("an answer");
        match answer["Ok"].as_object() {
            Some(files) => Ok(files
                .iter()
                .map(|(name, digest)| (name.clone(), digest.as_str().unwrap_or("").to_owned()))
                .collect()),
            None => Err(answer["Err"].to_string()),
        }
    }

    fn ours(&mut self, path: &Path) -> Files {
        let pex = Pex::open(path).map_err(|error| error.to_string())?;
        let fingerprint = pex.fingerprint().map_err(|error| error.to_string())?;
        let code = pexboot::internals::unpack::code(&pex, &fingerprint, &self.store);
        let mut found = BTreeMap::new();
        let code = code.map_err(|error| error.to_string())?;
        collect(&code, &code, &mut found);
        let _ = fs::remove_dir_all(code);
        Ok(found)
    }
}

fn collect(root: &Path, directory: &Path, found: &mut BTreeMap<String, String>) {
    use std::os::unix::ffi::OsStrExt;
    for entry in fs::read_dir(directory).expect("readable").flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(root, &path, found);
        } else {
            let name = path.strip_prefix(root).expect("below it").as_os_str();
            let name = name.as_bytes().iter().map(|&byte| char::from(byte));
            let digest = sha2::Sha256::digest(fs::read(&path).expect("readable"));
            let hex = digest.iter().map(|byte| format!("{byte:02x}"));
            found.insert(name.collect(), hex.collect());
        }
    }
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let made = recipe::make(bytes);
    BENCH.with_borrow_mut(|bench| {
        let path = bench.root.join("x.pex");
        fs::write(&path, &made.bytes).expect("room for an archive");
        match (bench.ours(&path), bench.theirs(&path)) {
            (Ok(ours), Ok(theirs)) => assert_eq!(ours, theirs, "{made:?}"),
            (Err(_), Err(_)) => {}
            // Python asks less of an archive than we do, save where it gives up on something that does not touch content.
            (Err(why), Ok(theirs)) => assert!(
                made.odd || REFUSED.iter().any(|known| why.contains(known)),
                "refused: {why}; zipfile: {theirs:?}; {made:?}"
            ),
            (Ok(ours), Err(why)) => {
                assert!(made.odd, "zipfile refuses: {why}; ours: {ours:?}; {made:?}");
            }
        }
    });
});

/// What we refuse of a well-formed archive: the rows "refused" of the table in `docs/reliability.md`.
const REFUSED: [&str; 4] = [
    "needs a directory of that name",
    "it has no name",
    "NUL byte",
    "file systems take 255",
];
