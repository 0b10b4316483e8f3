//! One rule, written twice: the hand-over script finds and judges roots as `pexboot_core` does. Both are asked about the
//! same real directories, in the same surroundings.

use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::process::{Command, Stdio};

use pexboot_core::machine;
use pexboot_core::roots::safety::User;
use pexboot_core::roots::{self, Kind};

use super::*;

const ME: u32 = 1000;
const OTHER: u32 = 1001;
const GROUP: u32 = 3000;

/// Directories: path, mode, owner, group.
const DIRECTORIES: &[(&str, u32, u32, u32)] = &[
    ("mine", 0o700, ME, ME),
    ("mine/below", 0o755, ME, ME),
    ("roots", 0o755, 0, 0),
    ("group", 0o770, ME, GROUP),
    ("private", 0o775, ME, ME),
    ("private/below", 0o2775, ME, ME),
    ("others", 0o707, ME, ME),
    ("all", 0o777, ME, ME),
    ("all/below", 0o700, ME, ME),
    ("sticky", 0o1777, 0, 0),
    ("sticky/mine", 0o700, ME, ME),
    ("sticky/theirs", 0o755, OTHER, OTHER),
    ("sticky/theirs/mine", 0o700, ME, ME),
    ("their-sticky", 0o1777, OTHER, OTHER),
    ("their-sticky/mine", 0o700, ME, ME),
    ("their-sticky/theirs", 0o1777, OTHER, OTHER),
    ("theirs", 0o755, OTHER, OTHER),
    ("theirs/mine", 0o700, ME, ME),
    ("shift", 0o775, 0, 0),
    ("shift/mine", 0o770, ME, 0),
    ("rootgroup", 0o775, 0, ME),
    ("volume", 0o2777, 0, GROUP),
    ("volume/mine", 0o700, ME, GROUP),
    ("volume/group", 0o2775, 0, GROUP),
    ("volume/group/mine", 0o2770, ME, GROUP),
    ("volume/theirs", 0o755, OTHER, GROUP),
    ("volume/all", 0o777, ME, GROUP),
    ("seed", 0o770, OTHER, 0),
    ("seed/v2", 0o770, OTHER, 0),
    ("bare", 0o777, 0, 0),
    ("bare/v2", 0o777, OTHER, OTHER),
    ("acl", 0o775, ME, ME),
    ("acl/below", 0o700, ME, ME),
];

/// Links: path, owner, target; `BOX` is the directory in which all of this lies.
const LINKS: &[(&str, u32, &str)] = &[
    ("to-mine", ME, "mine"),
    ("to-all", ME, "all/below"),
    ("to-far", ME, "BOX/sticky/mine"),
    ("their-link", OTHER, "mine"),
    ("sticky/planted", OTHER, "BOX/mine"),
    ("sticky/roots", 0, "BOX/mine"),
    ("volume/out", ME, "../all/below"),
    ("volume/far", ME, "BOX/all/below"),
    ("volume/back", ME, "BOX/volume/mine"),
    ("volume/their-link", OTHER, "mine"),
    ("loop", ME, "loop"),
    ("gone", ME, "nowhere"),
    ("seen-volume", OTHER, "volume"),
];

/// Paths beside those of all directories and links.
const PATHS: &[&str] = &[
    "file",
    "file/below",
    "nowhere",
    "mine/../mine/./below//",
    "all/../mine",
    "seen-volume/mine",
    "volume/../all/below",
    "volume/back/../group/mine",
];

/// Who asks, and what is trusted.
const ASKERS: &[(u32, u32, &str)] = &[
    (ME, ME, ""),
    (ME, GROUP, ""),
    (OTHER, OTHER, ""),
    (0, 0, ""),
    (1_000_650_000, 0, ""),
    (ME, ME, "BOX/volume"),
    (ME, ME, "BOX/seen-volume"),
    (ME, ME, "volume:BOX/nowhere:BOX/theirs/:BOX/seed:BOX/bare"),
    (1_000_650_000, 0, "BOX/seed"),
    (ME, ME, "BOX/their-sticky:BOX/all:BOX/acl"),
    (ME, ME, "/"),
];

/// The script with the constants that `embed` writes, and a question behind it.
fn script(pex_root: &str, question: &str) -> String {
    let script = include_str!("../../../src/embed/original.py");
    format!(
        "HEAD = ARCHIVE = ADDED = 0\nDIGEST = ''\nPEX_ROOT = {pex_root:?}\n{script}\n{question}"
    )
}

/// For each line of standard input, a path: the path that passed, or an empty line.
const JUDGE: &str = "import sys\n\
                     for line in sys.stdin:\n    \
                         try:\n        print(safe(line.rstrip('\\n')))\n    \
                         except OSError:\n        print()\n";

/// The answers of the script to an asker.
fn judged(words: &[String], trust: &str, paths: &[PathBuf]) -> Vec<String> {
    let mut child = Command::new(&words[0])
        .args(&words[1..])
        .args([PYTHON, "-c", &script("", JUDGE)])
        .env("PEXBOOT_TRUST", trust)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let asked: String = paths
        .iter()
        .map(|path| format!("{}\n", path.display()))
        .collect();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(asked.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    let said = String::from_utf8(output.stdout).unwrap();
    said.lines().map(str::to_owned).collect()
}

fn as_ids(uid: u32, gid: u32) -> Vec<String> {
    let words = [
        "setpriv",
        "--reuid",
        &uid.to_string(),
        "--regid",
        &gid.to_string(),
    ];
    let words = words.iter().chain(&["--clear-groups"]);
    words.map(|word| (*word).to_owned()).collect()
}

/// The directory with all that is asked about.
fn scene() -> tempfile::TempDir {
    let scene = tempfile::tempdir().unwrap();
    let here = scene.path();
    fs::set_permissions(here, fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(here.join("file"), "").unwrap();
    for (path, ..) in DIRECTORIES {
        fs::create_dir(here.join(path)).unwrap();
    }
    // Ownership first: changing it takes bits away.
    for (path, mode, uid, gid) in DIRECTORIES {
        chown(here.join(path), Some(*uid), Some(*gid)).unwrap();
        fs::set_permissions(here.join(path), fs::Permissions::from_mode(*mode)).unwrap();
    }
    for (path, uid, target) in LINKS {
        let target = target.replace("BOX", here.to_str().unwrap());
        symlink(target, here.join(path)).unwrap();
        std::os::unix::fs::lchown(here.join(path), Some(*uid), Some(*uid)).unwrap();
    }
    give_acl(&here.join("acl"));
    scene
}

/// Lets one more user write to the directory; false where the file system has no such lists.
pub(super) fn give_acl(directory: &Path) -> bool {
    // Version 2; owner rwx, user 12345 rwx, group r-x, mask rwx, others r-x (linux/posix_acl_xattr.h).
    let script = "import os, struct, sys\nentries = [(1, 7, -1), (2, 7, 12345), (4, 5, -1), (16, 7, -1), (32, 5, -1)]\n\
                  value = struct.pack('<I', 2) + b''.join(struct.pack('<HHi', *entry) for entry in entries)\n\
                  os.setxattr(sys.argv[1], 'system.posix_acl_access', value)";
    let mut command = Command::new(PYTHON);
    let output = command
        .args(["-c", script])
        .arg(directory)
        .output()
        .unwrap();
    output.status.success()
}

#[test]
fn the_hand_over_script_trusts_what_core_trusts() {
    if !root("the table of directories") {
        return;
    }
    let scene = scene();
    let here = scene.path().canonicalize().unwrap();
    let mut paths: Vec<PathBuf> = vec![here.join(""), PathBuf::from("/"), PathBuf::from("mine")];
    let directories = DIRECTORIES.iter().map(|(path, ..)| *path);
    let all = directories.chain(LINKS.iter().map(|(path, ..)| *path));
    paths.extend(all.chain(PATHS.iter().copied()).map(|path| here.join(path)));
    let (mut safe, mut unsafe_ones) = (0, 0);
    for (uid, gid, trust) in ASKERS {
        let trust = trust.replace("BOX", here.to_str().unwrap());
        let user = User {
            uid: *uid,
            gid: *gid,
            trust: trust.as_bytes(),
        };
        let judged = judged(&as_ids(*uid, *gid), &trust, &paths);
        assert_eq!(judged.len(), paths.len());
        for (path, theirs) in paths.iter().zip(judged) {
            // What a user cannot look at, root can; but such a place is no root for it either.
            let ours = match machine::safe(path.as_os_str().as_bytes(), user) {
                Ok(found) => String::from_utf8(found.path).unwrap(),
                Err(_) => String::new(),
            };
            let hidden = theirs.is_empty() && is_hidden(path, *uid, *gid);
            assert!(
                ours == theirs || hidden,
                "{} for {uid}:{gid} trusting `{trust}`: core says `{ours}`, the script `{theirs}`",
                path.display()
            );
            *(if ours.is_empty() {
                &mut unsafe_ones
            } else {
                &mut safe
            }) += 1;
        }
    }
    assert!(safe > 100 && unsafe_ones > 200, "{safe} and {unsafe_ones}");
}

/// Whether this user cannot look at the path at all.
fn is_hidden(path: &Path, uid: u32, gid: u32) -> bool {
    let words = as_ids(uid, gid);
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]).args(["stat", "-L"]).arg(path);
    !command.output().unwrap().status.success()
}

/// The same in a user namespace that has no number for the user, nor for anybody.
#[test]
fn the_hand_over_script_asks_the_system_where_numbers_say_nothing() {
    if !root("a user without a number") {
        return;
    }
    let scene = tempfile::tempdir().unwrap();
    let here = scene.path().canonicalize().unwrap();
    chown(&here, Some(ME), Some(ME)).unwrap();
    let mut words = as_ids(ME, ME);
    words.extend(["unshare", "--user"].map(str::to_owned));
    let probe = Command::new(&words[0])
        .args(&words[1..])
        .arg("true")
        .status();
    if !probe.unwrap().success() {
        return coverage::left_out("a script in a user namespace", "user namespaces");
    }
    let paths = ["own", "foreign"].map(|name| here.join(name));
    for (path, owner) in paths.iter().zip([ME, OTHER]) {
        fs::create_dir(path).unwrap();
        chown(path, Some(owner), Some(owner)).unwrap();
    }
    let own = paths[0].display().to_string();
    assert_eq!(judged(&words, "", &paths), [own, String::new()]);
}

#[test]
fn the_hand_over_script_looks_where_core_looks() {
    let check = |pex_root: &str, env: &[(&str, &str)]| {
        let output = Command::new(PYTHON)
            .args(["-c", &script(pex_root, "print('\\n'.join(roots()))")])
            .current_dir("/usr")
            .env_clear()
            .envs(env.iter().copied())
            .output()
            .unwrap();
        let theirs = String::from_utf8(output.stdout).unwrap();
        let value = |wanted: &str| {
            let found = env.iter().find(|(name, _)| *name == wanted);
            found.map(|(_, value)| value.as_bytes())
        };
        let euid = nix::unistd::geteuid().as_raw();
        let cwd = || Some(b"/usr".to_vec());
        let ours: Vec<String> = roots::candidates(value, pex_root.as_bytes(), euid, cwd)
            .into_iter()
            .filter(|root| root.kind != Kind::Seed)
            .map(|root| String::from_utf8(root.path).unwrap())
            .collect();
        let mut theirs: Vec<&str> = theirs.lines().collect();
        // To try a place twice is a waste alone.
        theirs.dedup();
        assert_eq!(theirs, ours, "{pex_root} {env:?}");
    };
    for pex_root in ["", "/info", "~/info", "info"] {
        for env in [
            &[][..],
            &[("HOME", "")],
            &[("HOME", "/h/")],
            &[("HOME", "h")],
            &[("HOME", "/h"), ("XDG_CACHE_HOME", "/x")],
            &[("HOME", "/h"), ("XDG_CACHE_HOME", "x")],
            &[("XDG_RUNTIME_DIR", "/run/u"), ("TMPDIR", "/job")],
            &[("XDG_RUNTIME_DIR", "run"), ("TMPDIR", "job")],
            &[("HOME", "/h"), ("PEX_ROOT", "/r"), ("PEXBOOT_SEEDS", "/s")],
            &[("HOME", "/h"), ("PEX_ROOT", "")],
            &[("HOME", "/h"), ("PEX_ROOT", "~")],
            &[("HOME", ""), ("PEX_ROOT", "~/r1")],
            &[("HOME", ""), ("PEX_ROOT", "~")],
            &[("PEX_ROOT", "~/r1")],
            &[("HOME", "/h"), ("PEX_ROOT", "~root/r")],
            &[("PEX_ROOT", "r/../s")],
            &[("PEX_ROOT", "/r"), ("PEX_DISABLE_VARIABLES", "True")],
            &[("PEX_ROOT", "/r"), ("PEX_DISABLE_VARIABLES", "0")],
            &[("PEX_ROOT", "/r"), ("PEX_DISABLE_VARIABLES", "yes")],
        ] {
            check(pex_root, env);
        }
    }
}
