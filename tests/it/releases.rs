//! What `./release` makes, used as a stranger would: in clean Debians with nothing but Python and pip, and in a root that
//! holds nothing else. All of it is of the long tier.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::fixtures::{App, Built, cache};
use crate::harness::{coverage, is_root, long_tier};

/// Runs to success; gives standard output.
#[track_caller]
fn ran(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(
        output.status.success(),
        "{command:?}\n{}{}",
        text(&output.stdout),
        text(&output.stderr)
    );
    text(&output.stdout)
}

/// `./release` of the sources at `clone`; the directory with what it makes.
fn release(clone: &Path, out: &Path) -> PathBuf {
    ran(Command::new("./release")
        .arg("--out")
        .arg(out)
        .env("SOURCE_DATE_EPOCH", "1700000000")
        .current_dir(clone));
    out.to_path_buf()
}

/// The file there that ends so.
fn one(directory: &Path, end: &str) -> PathBuf {
    let mut found = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_str().unwrap().ends_with(end));
    let path = found.next().unwrap_or_else(|| panic!("no `{end}`"));
    assert_eq!(found.next(), None);
    path
}

/// A minimal Debian with Python and pip, made once and kept beside the fixtures. `None` where it can't be had.
fn debian(suite: &str) -> Option<PathBuf> {
    let kept = cache().with_file_name("pexboot-userlands").join(suite);
    if !kept.exists() {
        fs::create_dir_all(kept.parent().unwrap()).unwrap();
        let draft = tempfile::tempdir_in(kept.parent().unwrap()).unwrap();
        let root = draft.path().join("root");
        let made = Command::new("debootstrap")
            .args([
                "--variant=minbase",
                "--include=python3,python3-pip,python3-venv",
                suite,
            ])
            .arg(&root)
            .stdin(Stdio::null())
            .output();
        if !made.is_ok_and(|output| output.status.success()) {
            coverage::left_out(suite, "root, debootstrap and Debian's archive");
            return None;
        }
        fs::rename(&root, &kept).unwrap();
    }
    Some(kept)
}

/// What README says, in order: install, embed, run, and back. `$1` is the wheel, `$2` a PEX; all is below /try.
const STRANGER: &str = r#"
set -eu
cd /try
export HOME=/try/home PYTHONDONTWRITEBYTECODE=1
python3 -m venv venv
venv/bin/pip --disable-pip-version-check install --quiet --no-index "$1"
PATH=/try/venv/bin:$PATH
pexboot --version
python -m pexboot --version
pexboot embed "$2" -o app 2>said
./app -t moo
./app -t moo
pexboot verify app
pexboot info app
pexboot strip app -o back
cmp back "$2"
# Without HOME a static C library would look for what it can't load.
status=0
env -u HOME -u XDG_CACHE_HOME pexboot demo 2>said || status=$?
grep -q 'set HOME' said
test $status -lt 128
"#;

#[test]
fn a_release_is_installed_and_used_in_clean_rooms() {
    if !long_tier("a release in clean rooms") {
        return;
    }
    let clone = Path::new(env!("CARGO_MANIFEST_DIR"));
    let scratch = tempfile::tempdir().unwrap();
    let dist = release(clone, &scratch.path().join("dist"));
    ran(Command::new("sha256sum")
        .args(["--check", "SHA256SUMS"])
        .current_dir(&dist));
    let wheel = one(&dist, ".whl");
    let name = wheel.file_name().unwrap().to_str().unwrap();
    for tag in ["manylinux2014_x86_64", "musllinux_1_1_x86_64", "-py3-none-"] {
        assert!(name.contains(tag), "{name}");
    }
    let Built { path: pex } = App::cowsay().build();

    // Nothing but the command: neither Python nor shell nor any library.
    let bare = scratch.path().join("bare");
    fs::create_dir(&bare).unwrap();
    ran(Command::new("tar")
        .args(["xz", "--strip-components=1", "-f"])
        .arg(one(&dist, "-linux.tar.gz"))
        .arg("-C")
        .arg(&bare));
    fs::copy(&pex, bare.join("app.pex")).unwrap();
    if is_root() {
        for words in [
            &[
                "/pexboot",
                "embed",
                "--no-compile",
                "/app.pex",
                "-o",
                "/app",
            ][..],
            &["/pexboot", "strip", "/app", "-o", "/back"],
        ] {
            ran(Command::new("chroot")
                .arg(&bare)
                .args(words)
                .env("HOME", "/"));
        }
        assert!(fs::read(bare.join("back")).unwrap() == fs::read(&pex).unwrap());
    } else {
        coverage::left_out("a release in clean rooms", "root");
        return;
    }

    for suite in ["bullseye", "bookworm", "trixie"] {
        let Some(root) = debian(suite) else { continue };
        let room = tempfile::tempdir_in(&root).unwrap();
        let inside = Path::new("/").join(room.path().file_name().unwrap());
        fs::copy(&wheel, room.path().join(name)).unwrap();
        fs::copy(&pex, room.path().join("cowsay.pex")).unwrap();
        let script = STRANGER.replace("/try", inside.to_str().unwrap());
        let said = ran(Command::new("chroot")
            .arg(&root)
            .args(["/bin/sh", "-c", &script, "sh"])
            .args([inside.join(name), inside.join("cowsay.pex")])
            .env_clear()
            .env("PATH", "/usr/bin:/bin"));
        let version = env!("CARGO_PKG_VERSION");
        assert_eq!(
            said.matches(&format!("pexboot {version}\n")).count(),
            3,
            "{suite}\n{said}"
        );
        assert_eq!(said.matches("| moo |").count(), 2, "{suite}\n{said}");
    }
}

#[test]
fn a_release_of_the_same_sources_has_the_same_bytes_wherever_they_lie() {
    if !long_tier("a release, twice") {
        return;
    }
    let clone = Path::new(env!("CARGO_MANIFEST_DIR"));
    let scratch = tempfile::tempdir().unwrap();
    let copy = scratch.path().join("elsewhere/copy");
    fs::create_dir_all(&copy).unwrap();
    ran(Command::new("sh")
        .args([
            "-c",
            "tar c --exclude=./target --exclude=./.git --exclude=./dist . | tar x -C \"$0\"",
        ])
        .arg(&copy)
        .current_dir(clone));
    let sums = |clone: &Path, out: &str| {
        let dist = release(clone, &scratch.path().join(out));
        fs::read_to_string(dist.join("SHA256SUMS")).unwrap()
    };
    assert_eq!(sums(clone, "one"), sums(&copy, "two"));
}

/// What crates.io would take: each package is built from what it holds, without the workspace beside it.
#[test]
fn every_package_builds_from_what_it_holds() {
    if !long_tier("packages for crates.io") {
        return;
    }
    ran(Command::new(env!("CARGO"))
        .args([
            "publish",
            "--workspace",
            "--dry-run",
            "--locked",
            "--allow-dirty",
        ])
        .current_dir(env!("CARGO_MANIFEST_DIR")));
}
