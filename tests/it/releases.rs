//! What `./release` makes, used as a stranger would: in clean Debians with nothing but Python and pip, under qemu for
//! aarch64, and in a root that holds nothing else. All of it is of the long tier.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::fixtures::{App, Built, Pex, Wheel};
use crate::harness::{coverage, is_root, long_tier};
use crate::userlands::Userland;

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

/// The sources.
const CLONE: &str = env!("CARGO_MANIFEST_DIR");
/// What a release is made for unless it is said.
const HOST: &str = "x86_64-unknown-linux-gnu";

/// `./release` of the sources at `clone` for a target; the directory with what it makes.
fn release(clone: &Path, out: &Path, target: &str) -> PathBuf {
    ran(Command::new("./release")
        .args(["--target", target, "--out"])
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

/// What README says, in order: install, embed, run, and back. `$1` is the wheel, `$2` a PEX.
const STRANGER: &str = r#"
set -eu
export HOME=$PWD/home PYTHONDONTWRITEBYTECODE=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INDEX=1
export PIP_FIND_LINKS=/usr/share/python-wheels
python3 -m venv venv
venv/bin/pip install --quiet "$1"
for page in man/man1/pexboot.1 man/man1/pexboot-venv.1 bash-completion/completions/pexboot \
    zsh/site-functions/_pexboot fish/vendor_completions.d/pexboot.fish
do
    test -s "venv/share/$page"
done
if command -v pipx >said; then
    pipx install "$1" >said 2>&1 || { cat said; exit 1; }
    home/.local/bin/pexboot --version
else
    venv/bin/pexboot --version
fi
export PATH="$PWD/venv/bin:$PATH"
pexboot --version
python -m pexboot --version
pexboot embed "$2" -o app 2>said
./app -t moo
./app -t moo
pexboot verify app
pexboot info app >said
pexboot venv -q app env
env/pex -t moo
pexboot strip app -o back
cmp back "$2"
# Without HOME a static C library would look for what it can't load.
status=0
env -u HOME -u XDG_CACHE_HOME pexboot demo 2>said || status=$?
grep -q 'set HOME' said
test $status -lt 128
"#;

/// Three that don't start: a file of settings that names a wrong Python, no fitting wheel, no place to write to. What
/// `explain` says of each, and that alone, has the way out. `$1` is a PEX whose one wheel is for another machine.
const UNRUNNABLE: &str = r#"
set -eu
export HOME=$PWD/home PATH="$PWD/venv/bin:$PATH"
unrunnable() {
    status=0
    pexboot explain "$1" || status=$?
    test $status -eq 1
}
if [ -n "${READ_ONLY:-}" ]; then
    HOME=$PWD/none
    unrunnable app
else
    mkdir -p settings
    cp app settings/app
    echo PEX_PYTHON=/usr/bin/python2.7 > settings/.pexrc
    unrunnable settings/app
    unrunnable "$1"
fi
"#;

/// The command that enters a place whose working directory is `work` in it, given behind it what to run there.
type Enter = dyn Fn(&Path) -> Vec<String>;

/// What a release is tried in: a Linux with nothing but Python and pip, entered by `words`.
struct Room {
    name: &'static str,
    words: Box<Enter>,
}

impl Room {
    /// One that `tests/userlands` makes.
    fn find(name: &'static str) -> Option<Room> {
        let root = Userland::find(name)?;
        let words = Box::new(move |place: &Path| root.entered(place, 0));
        Some(Room { name, words })
    }

    /// Installs the wheel there and uses it.
    fn try_out(&self, wheel: &Path, pex: &Path, foreign: &Path) {
        let stage = tempfile::tempdir().unwrap();
        let work = stage.path().join("work");
        fs::create_dir(&work).unwrap();
        for file in [wheel, pex, foreign] {
            fs::copy(file, work.join(file.file_name().unwrap())).unwrap();
        }
        let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
        let words = (self.words)(&stage.path().canonicalize().unwrap());
        let sh = |script: &str, files: &[&Path], read_only: &str| {
            let files = files.iter().map(|file| format!("./{}", name(file)));
            let mut command = Command::new(&words[0]);
            command
                .args(&words[1..])
                .args(["/bin/sh", "-c", script, "sh"]);
            command.args(files).env_clear().env("PATH", "/usr/bin:/bin");
            ran(command.env("READ_ONLY", read_only))
        };
        let (of, version) = (self.name, env!("CARGO_PKG_VERSION"));
        let said = sh(STRANGER, &[wheel, pex], "");
        let version = format!("pexboot {version}\n");
        assert_eq!(said.matches(&version).count(), 3, "{of}\n{said}");
        assert_eq!(said.matches("| moo |").count(), 3, "{of}\n{said}");
        let said = sh(UNRUNNABLE, &[foreign], "");
        for text in [
            "settings/.pexrc",
            "PEX_PYTHON",
            "without the setting",
            "dep-1.0-py3-none-manylinux2014_s390x.whl",
        ] {
            assert!(said.contains(text), "{of}: {text}\n{said}");
        }
        assert_eq!(said.matches("WOULD NOT START").count(), 2, "{of}\n{said}");
        let said = sh(UNRUNNABLE, &[foreign], "1");
        for text in [
            "no place can be written",
            "Read-only file system",
            "set PEX_ROOT",
        ] {
            assert!(said.contains(text), "{of}: {text}\n{said}");
        }
    }
}

#[test]
fn a_release_is_installed_and_used_in_clean_rooms() {
    if !long_tier("a release in clean rooms") {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let dist = release(Path::new(CLONE), &scratch.path().join("dist"), HOST);
    ran(Command::new("sha256sum")
        .args(["--check", "SHA256SUMS"])
        .current_dir(&dist));
    let wheel = one(&dist, ".whl");
    let name = wheel.file_name().unwrap().to_str().unwrap();
    for tag in ["manylinux2014_x86_64", "musllinux_1_1_x86_64", "-py3-none-"] {
        assert!(name.contains(tag), "{name}");
    }
    let Built { path: pex } = App::cowsay().build();
    in_an_empty_root(&dist, &pex);
    let foreign = Wheel::new("dep", "1.0").tag("py3-none-manylinux2014_s390x");
    let foreign = Pex::app("releases-foreign", "def main(): pass\n").wheel(foreign);
    let foreign = foreign.requires("dep").build();
    let copies = [("cowsay.pex", &pex), ("foreign.pex", &foreign.path)].map(|(name, from)| {
        let copy = scratch.path().join(name);
        fs::copy(from, &copy).unwrap();
        copy
    });
    in_a_root_of_musl(&wheel, &pex);
    // What `tests/userlands` makes with Python, venv and pip.
    for name in ["pip-11", "pip-12", "pip-13"] {
        if let Some(room) = Room::find(name) {
            room.try_out(&wheel, &copies[0], &copies[1]);
        }
    }
}

/// Another C library, and no shell: pip is a wheel, which Python runs.
fn in_a_root_of_musl(wheel: &Path, pex: &Path) {
    let Some(root) = Userland::find("musl") else {
        return;
    };
    let stage = tempfile::tempdir().unwrap();
    let work = stage.path().join("work");
    fs::create_dir(&work).unwrap();
    let pip = wheel_of_pip();
    let [wheel_here, pex_here, pip_here] = [wheel, pex, &pip].map(|file| {
        let name = file.file_name().unwrap();
        fs::copy(file, work.join(name)).unwrap();
        format!("./{}", name.to_str().unwrap())
    });
    let words = root.entered(&stage.path().canonicalize().unwrap(), 0);
    let run = |program: &[&str]| {
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).args(program).env_clear();
        ran(command.env("PATH", "/usr/bin:/bin"))
    };
    run(&["python3", "-m", "venv", "--without-pip", "venv"]);
    let pip = format!("{pip_here}/pip");
    run(&[
        "venv/bin/python",
        &pip,
        "install",
        "--quiet",
        "--no-index",
        &wheel_here,
    ]);
    let pexboot = "venv/bin/pexboot";
    let version = format!("pexboot {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(run(&[pexboot, "--version"]), version);
    assert_eq!(
        run(&["venv/bin/python", "-m", "pexboot", "--version"]),
        version
    );
    run(&[pexboot, "embed", &pex_here, "-o", "app"]);
    for _ in 0..2 {
        assert!(run(&["./app", "-t", "moo"]).contains("| moo |"));
    }
    run(&[pexboot, "verify", "app"]);
    run(&[pexboot, "strip", "app", "-o", "back"]);
    assert!(fs::read(work.join("back")).unwrap() == fs::read(pex).unwrap());
}

/// As Debian's `python3-venv` has it.
fn wheel_of_pip() -> PathBuf {
    let wheels = fs::read_dir("/usr/share/python-wheels").unwrap();
    let mut wheels = wheels.map(|wheel| wheel.unwrap().path());
    let pip = wheels.find(|path| {
        path.file_name()
            .unwrap()
            .to_str()
            .unwrap()
            .starts_with("pip-")
    });
    pip.expect("a wheel of pip")
}

/// Nothing but the command: neither Python nor shell nor any library.
fn in_an_empty_root(dist: &Path, pex: &Path) {
    if !is_root() {
        coverage::left_out("the command in an empty root", "root");
        return;
    }
    let bare = tempfile::tempdir().unwrap();
    ran(Command::new("tar")
        .args(["xz", "--strip-components=1", "-f"])
        .arg(one(dist, "-linux.tar.gz"))
        .arg("-C")
        .arg(bare.path()));
    fs::copy(pex, bare.path().join("app.pex")).unwrap();
    let embed = ["embed", "--no-compile", "/app.pex", "-o", "/app"];
    for words in [&embed[..], &["strip", "/app", "-o", "/back"]] {
        let mut command = Command::new("chroot");
        ran(command
            .arg(bare.path())
            .arg("/pexboot")
            .args(words)
            .env("HOME", "/"));
    }
    assert!(fs::read(bare.path().join("back")).unwrap() == fs::read(pex).unwrap());
}

/// The wheel for aarch64, made on x86-64 by `./cross`'s tools, in an aarch64 Debian under qemu.
#[test]
fn a_release_for_aarch64_is_made_here_and_runs_there() {
    if !long_tier("a release for aarch64") || cfg!(target_arch = "aarch64") {
        return;
    }
    let Some(arm) = Userland::find("arm64") else {
        return;
    };
    let scratch = tempfile::tempdir().unwrap();
    let dist = release(
        Path::new(CLONE),
        &scratch.path().join("dist"),
        "aarch64-unknown-linux-gnu",
    );
    let wheel = one(&dist, ".whl");
    let name = wheel.file_name().unwrap().to_str().unwrap();
    assert!(name.contains("manylinux2014_aarch64"), "{name}");
    // No pip is there: a wheel is a zip.
    let work = scratch.path().join("work");
    ran(Command::new("unzip")
        .args(["-q", "-d"])
        .arg(&work)
        .arg(&wheel));
    fs::copy(App::cowsay().build().path, work.join("cowsay.pex")).unwrap();
    let share = one(&work, ".data").join("data/share");
    assert!(share.join("man/man1/pexboot.1").is_file());
    let script = "set -eu
        export HOME=$PWD
        pexboot=$(echo ./*.data/scripts/pexboot)
        $pexboot --version
        $pexboot embed --no-compile cowsay.pex -o app
        $pexboot verify app
        ./app -t moo
        ./app -t moo
        $pexboot strip app -o back
        python3 -c 'assert open(\"back\", \"rb\").read() == open(\"cowsay.pex\", \"rb\").read()'";
    let words = arm.entered(&scratch.path().canonicalize().unwrap(), 0);
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]).args(["/bin/sh", "-c", script]);
    let said = ran(command.env_clear().env("PATH", "/usr/bin:/bin"));
    assert_eq!(said.matches("| moo |").count(), 2, "{said}");
}

#[test]
fn a_release_of_the_same_sources_has_the_same_bytes_wherever_they_lie() {
    if !long_tier("a release, twice") {
        return;
    }
    let clone = Path::new(CLONE);
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
        let dist = release(clone, &scratch.path().join(out), HOST);
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
        // Stub and engine are built from the packages, too.
        .env_remove("PEXBOOT_PARTS")
        .current_dir(CLONE));
}
