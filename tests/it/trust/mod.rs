//! A cache that can be trusted: what `docs/reliability.md` promises, held by real processes on real file systems.
//!
//! Two sizes: a run of some dozens of starts and kills in every `cargo test`, thousands in the long tier. What needs root
//! (mounts, other users) says so where it is left out; CI is root.

mod answers;
mod appendix;
mod containers;
mod damage;
mod faults;
mod filesystems;
mod filters;
mod hostile;
mod kills;
mod machines;
mod mounts;
mod mutations;
mod owners;
mod races;
mod rights;
mod rule;
mod settings;
mod upkeep;
mod verify;
mod waits;

use pexboot_core::plan::{Plan, Plans, encode};
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use crate::fixtures::{Built, PYTHON, Pex, Wheel};
use crate::harness::{Outcome, Stage, Start, Way, coverage, is_root, long};

/// An application with two wheels, one of them of some dozens of files, that says what it found.
fn app(name: &str) -> Built {
    described(name).build()
}

/// The same before it is built.
fn described(name: &str) -> Pex {
    let mut wheel = Wheel::new("deep", "1.0");
    for number in 0..40 {
        wheel = wheel.file(&format!("pile/m{number}.py"), &format!("WHO = {number}\n"));
    }
    Pex::app(name, APP)
        .source("helper.py", "NAME = 'helper'\n")
        .dep(Wheel::new("dep", "1.0"))
        .dep(wheel)
}

const APP: &str = "import sys\nimport dep, pile.m39, helper\ndef main():\n    \
                   print(dep.WHO, pile.m39.WHO, helper.NAME, *sys.argv[1:])\n";

/// What [`app`] prints.
const SAYS: &str = "dep 1.0 39 helper";

/// A machine with [`app`], embedded.
fn stage(name: &str) -> Stage {
    Stage::new(Way::Embedded, &app(name))
}

/// The format directory of the machine's root.
fn home(stage: &Stage) -> PathBuf {
    stage.path("home/.cache/pexboot/v2")
}

/// Starts without a word on stderr.
#[track_caller]
fn starts(start: &Start<'_>, says: &str) {
    silent(&start.run(), says);
}

#[track_caller]
fn silent(run: &Outcome, says: &str) {
    run.ok().prints(says);
    assert!(run.stderr.is_empty(), "something was said\n{run}");
}

/// How often: in every run, and in the long tier.
fn rounds(usual: usize, thorough: usize) -> usize {
    if long() { thorough } else { usual }
}

/// Shares rounds out: in the long tier to two that work beside each other, and it is told how far they are.
fn shared_out(what: &str, rounds: usize, work: impl Fn(&mut dyn Iterator<Item = usize>) + Sync) {
    let next = AtomicUsize::new(0);
    let begin = Instant::now();
    let step = (rounds / 20).max(1);
    thread::scope(|scope| {
        for _ in 0..if long() { 2 } else { 1 } {
            scope.spawn(|| {
                work(&mut std::iter::from_fn(|| {
                    let round = next.fetch_add(1, Ordering::Relaxed);
                    if long() && round > 0 && round.is_multiple_of(step) {
                        // Past the capture of tests that pass.
                        let seconds = begin.elapsed().as_secs();
                        let _ = writeln!(
                            std::io::stderr(),
                            "{what}: {round} of {rounds} after {seconds} s"
                        );
                    }
                    (round < rounds).then_some(round)
                }));
            });
        }
    });
    coverage::note(&format!("trust: {rounds} {what}, failures: none"));
}

/// Takes everything out of the machine's root, as nobody runs who needs it: `cache clear` looks, waits and syncs.
fn empty(stage: &Stage) {
    match fs::remove_dir_all(home(stage)) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => panic!("{error}"),
        _ => {}
    }
}

/// Whether these tests are root; notes what is left out where they are not.
pub fn root(case: &str) -> bool {
    if !is_root() {
        coverage::left_out(case, "root");
    }
    is_root()
}

/// The user that another user is.
const NOBODY: u32 = 65_534;

/// Gives the machine to [`NOBODY`].
fn give_away(stage: &Stage) {
    fs::set_permissions(stage.root(), fs::Permissions::from_mode(0o755)).unwrap();
    for directory in ["home", "work", "tmp"] {
        chown(stage.path(directory), Some(NOBODY), Some(NOBODY)).unwrap();
    }
}

/// The words that make a command one of [`NOBODY`]'s.
fn as_nobody() -> [String; 6] {
    as_user(NOBODY)
}

fn as_user(id: u32) -> [String; 6] {
    let id = id.to_string();
    ["setpriv", "--reuid", &id, "--regid", &id, "--clear-groups"].map(str::to_owned)
}

/// The start with an empty `/var/tmp` of its own where that can be had, so that no private root stays behind.
pub fn own_var_tmp(start: Start<'_>) -> Start<'_> {
    if !is_root() {
        return start;
    }
    let script = "mount -t tmpfs -o mode=1777 none /var/tmp && exec \"$@\"";
    start.before(["unshare", "--mount", "sh", "-c", script, "sh"])
}

/// Everything below a directory, links not followed; what goes meanwhile is left out.
fn below(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        found.push(entry.path());
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            found.extend(below(&entry.path()));
        }
    }
    found.sort();
    found
}

/// Every published entry, by kind.
fn entries(home: &Path) -> Vec<PathBuf> {
    let list = |directory: PathBuf| {
        let mut found: Vec<PathBuf> = fs::read_dir(directory)
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| path.extension().is_none_or(|end| end != "manifest"))
            .collect();
        found.sort();
        found
    };
    let kinds = [
        "engine",
        "interpreters",
        "finders",
        "code",
        "bytecode",
        "sites",
        "venvs",
        "originals",
        "launches",
    ];
    let mut found: Vec<PathBuf> = kinds
        .iter()
        .flat_map(|kind| list(home.join(kind)))
        .collect();
    found.extend(list(home.join("wheels")).into_iter().flat_map(list));
    found
}

/// Holds a root to its invariants: every entry that has a manifest is what that says, nothing lies about in `tmp/` but
/// what `leftovers` allows, nobody else can write to anything.
#[track_caller]
fn is_sound(home: &Path, leftovers: bool) {
    for entry in entries(home) {
        let manifest = PathBuf::from(format!("{}.manifest", entry.display()));
        if entry.is_dir() && !entry.starts_with(home.join("launches")) {
            let text =
                fs::read(&manifest).unwrap_or_else(|e| panic!("{}: {e}", manifest.display()));
            holds(&text, &entry);
        }
    }
    for path in below(&home.join("plans")) {
        let bytes = fs::read(&path).unwrap();
        let plans: Vec<Plan> = Plans::of(&bytes).collect();
        assert_eq!(encode(&plans), bytes, "{}", path.display());
    }
    for path in below(home) {
        let Ok(status) = fs::symlink_metadata(&path) else {
            continue;
        };
        // Python makes these as the umask has it; the root keeps others out.
        let cached = path
            .components()
            .any(|part| part.as_os_str() == "__pycache__");
        let open = !cached && !status.is_symlink() && status.permissions().mode() & 0o022 != 0;
        assert!(!open, "others can write to {}", path.display());
    }
    if !leftovers {
        let left: Vec<_> = fs::read_dir(home.join("tmp")).unwrap().flatten().collect();
        assert!(left.is_empty(), "{left:?}");
    }
}

/// Compares an entry with its manifest (see `src/store/manifest.rs`).
#[track_caller]
fn holds(manifest: &[u8], entry: &Path) {
    use std::os::unix::ffi::OsStrExt;
    let body = manifest.splitn(3, |&byte| byte == b'\n').nth(2).unwrap();
    let body = body.strip_suffix(b"end\n").expect("a whole manifest");
    for record in body
        .split(|&byte| byte == 0)
        .filter(|record| !record.is_empty())
    {
        let mut fields = record.splitn(3, |&byte| byte == b' ').skip(1);
        let size: u64 = std::str::from_utf8(fields.next().unwrap())
            .unwrap()
            .parse()
            .unwrap();
        let path = entry.join(std::ffi::OsStr::from_bytes(fields.next().unwrap()));
        let found =
            fs::symlink_metadata(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        assert_eq!(found.len(), size, "{}", path.display());
    }
}
