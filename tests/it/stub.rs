//! The stub as it ships, sealed by these tests: replay of plans written by hand, and the way to the engine. A shell stands
//! in for Python and for the engine, since it can tell what it was started with.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, SystemTime};

use pexboot::parts;
use pexboot_stub::key::{Subject, hex, key};
use pexboot_stub::plan::{Anchor, EnvChange, Exec, Identity, Input, Place, Plan, Value};
use pexboot_stub::seal::{SEAL_SIZE, Seal};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

/// A directory with an embedded file, and a root.
struct Scene {
    directory: TempDir,
    seal: Seal,
    /// The embedded file.
    app: PathBuf,
    env: Vec<(OsString, OsString)>,
}

/// What stands in for the engine: says so, and with what it was started.
fn shell() -> Vec<u8> {
    fs::read("/bin/sh").unwrap()
}

fn deflated(bytes: &[u8]) -> Vec<u8> {
    let mut compressor = libdeflater::Compressor::new(libdeflater::CompressionLvl::fastest());
    let mut out = vec![0; compressor.deflate_compress_bound(bytes.len())];
    let size = compressor.deflate_compress(bytes, &mut out).unwrap();
    out.truncate(size);
    out
}

impl Scene {
    /// An embedded file whose engine is a shell.
    fn new() -> Scene {
        Scene::with_engine(&deflated(&shell()))
    }

    fn with_engine(packed: &[u8]) -> Scene {
        let directory = tempfile::tempdir().unwrap();
        let shell = shell();
        let seal = Seal {
            sealed: true,
            fingerprint: [7; 32],
            stub_size: parts::STUB.len() as u64,
            engine_size: packed.len() as u64,
            engine_full_size: shell.len() as u64,
            engine_digest: Sha256::digest(&shell).into(),
            ..Seal::default()
        };
        let mut bytes = parts::STUB.to_vec();
        let place = parts::SEAL_OFFSET..parts::SEAL_OFFSET + SEAL_SIZE;
        bytes[place].copy_from_slice(&seal.encode().unwrap());
        bytes.extend_from_slice(packed);
        let app = directory.path().join("app");
        write_program(&app, &bytes);
        let env = vec![
            ("PATH".into(), "/usr/bin:/bin".into()),
            ("PEX_ROOT".into(), directory.path().join("pex").into()),
        ];
        Scene {
            directory,
            seal,
            app,
            env,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn root(&self) -> PathBuf {
        self.path("pex/pexboot")
    }

    fn with(mut self, name: &str, value: impl Into<OsString>) -> Scene {
        self.env.push((name.into(), value.into()));
        self
    }

    /// Puts a plan for `app` under `root`; the result is its path.
    fn plan_at(&self, root: &Path, app: &Path, seed: bool, bytes: &[u8]) -> PathBuf {
        let subject = Subject {
            seal: &self.seal,
            name: app.file_name().unwrap().as_bytes(),
            ino: if seed {
                0
            } else {
                fs::metadata(app).unwrap().ino()
            },
        };
        let key = key(subject, |name| {
            self.env
                .iter()
                .find(|(n, _)| n == name)
                .map(|(_, value)| value.as_bytes())
        });
        let directory = root.join("v1/launches").join(OsStr::from_bytes(&hex(&key)));
        fs::create_dir_all(&directory).unwrap();
        let plan = directory.join("plan");
        fs::write(&plan, bytes).unwrap();
        plan
    }

    fn plan(&self, plan: &Plan) -> PathBuf {
        self.plan_at(&self.root(), &self.app, false, &plan.encode())
    }

    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .envs(self.env.iter().map(|(name, value)| (name, value)));
        command
            .current_dir(self.directory.path())
            .stdin(Stdio::null());
        command
    }

    /// Starts the file as `app -c SCRIPT a b`: an engine that is a shell runs the script.
    fn run(&self, script: &str) -> Output {
        self.command(&self.app)
            .args(["-c", script, "a", "b"])
            .output()
            .unwrap()
    }
}

/// Writes a program without ever holding it open for writing while another test forks: a copy of the descriptor in that
/// child would make it busy (ETXTBSY). So a process of its own writes it.
fn write_program(path: &Path, bytes: &[u8]) {
    let mut child = Command::new("sh")
        .args(["-c", "cat > \"$0\" && chmod 755 \"$0\""])
        .arg(path)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(bytes).unwrap();
    assert!(child.wait().unwrap().success());
}

/// A plan that has a shell run `script`.
fn plan(script: &str) -> Plan {
    Plan {
        exec: Exec {
            program: b"/bin/sh".to_vec(),
            argv: ["sh", "-c", script, "replayed"].map(Into::into).into(),
            interpreter: false,
            env: Vec::new(),
        },
        ..Plan::default()
    }
}

fn identity(path: &Path) -> Identity {
    let found = fs::metadata(path).unwrap();
    Identity {
        ino: found.ino(),
        size: found.size(),
        mtime: found.mtime(),
        mtime_nsec: u32::try_from(found.mtime_nsec()).unwrap(),
        ctime: found.ctime(),
        ctime_nsec: u32::try_from(found.ctime_nsec()).unwrap(),
    }
}

fn place(path: &Path) -> Place {
    Place {
        anchor: Anchor::Root,
        path: path.as_os_str().as_bytes().to_vec(),
    }
}

/// What a start is expected to end in: exit code, stdout, stderr.
#[track_caller]
fn check(output: &Output, code: i32, stdout: &str, stderr: &str) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let got = (
        output.status.code(),
        text(&output.stdout),
        text(&output.stderr),
    );
    assert_eq!(got, (Some(code), stdout.into(), stderr.into()));
}

const SAY: &str = "echo $0 $*";

#[test]
fn a_plan_that_holds_is_executed_with_the_callers_arguments() {
    let scene = Scene::new();
    let mut plan = plan("echo $0 \"$@\"; exit 9");
    plan.inputs = vec![
        Input::Pex(identity(&scene.app)),
        Input::File(place(&scene.app), identity(&scene.app)),
    ];
    scene.plan(&plan);
    let output = scene
        .command(&scene.app)
        .args(["x y", "", "z"])
        .output()
        .unwrap();
    check(&output, 9, "replayed x y  z\n", "");
}

#[test]
fn the_environment_is_the_callers_with_the_plans_changes() {
    let scene = Scene::new()
        .with("_PEXBOOT", "stale")
        .with("GONE", "1")
        .with("KEPT", "2");
    let real = scene.app.canonicalize().unwrap();
    let link = scene.path("link");
    symlink("app", &link).unwrap();
    let mut plan = plan("env");
    plan.exec.env = vec![
        EnvChange::Remove(b"GONE".to_vec()),
        EnvChange::RemovePrefix(b"PEX_".to_vec()),
        EnvChange::Set(b"PEX".to_vec(), Value::RealPex),
        EnvChange::Set(b"INVOKED".to_vec(), Value::InvokedPex(b"0".to_vec())),
    ];
    scene.plan_at(&scene.root(), &link, false, &plan.encode());
    let output = scene.command(&link).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let mut lines: Vec<&str> = text
        .lines()
        .filter(|line| !line.starts_with("PWD=") && !line.starts_with("_="))
        .collect();
    lines.retain(|line| !line.starts_with("SHLVL=") && !line.starts_with("OLDPWD"));
    lines.sort_unstable();
    let expect = [
        format!("INVOKED=0{}", link.display()),
        "KEPT=2".into(),
        "PATH=/usr/bin:/bin".into(),
        format!("PEX={}", real.display()),
    ];
    assert_eq!(lines, expect);
}

#[test]
fn the_process_stays_the_same() {
    let scene = Scene::new();
    scene.plan(&plan("echo $$; kill -TERM $$"));
    let child = scene
        .command(&scene.app)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let pid = child.id();
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), format!("{pid}\n"));
    assert_eq!(
        std::os::unix::process::ExitStatusExt::signal(&output.status),
        Some(15)
    );
}

/// Which of the first descriptors are open, as a shell finds them; written to `$OUT`.
const DESCRIPTORS: &str = "for n in 0 1 2 3 4 5 6 7 8 9 10 11 12; do
    [ -e /proc/$$/fd/$n ] && open=\"$open $n\"; done; echo \"open:$open\" > \"$OUT\"";

/// The descriptors that a shell sees when `start` (a shell command line) starts it with `-c DESCRIPTORS`.
fn descriptors(scene: &Scene, start: &str, program: &Path) -> String {
    let out = scene.path("out");
    let status = scene
        .command(Path::new("/bin/sh"))
        .args(["-c", start])
        .arg(program)
        .args(["-c", DESCRIPTORS])
        .env("OUT", &out)
        .status()
        .unwrap();
    assert!(status.success());
    fs::read_to_string(out).unwrap()
}

#[test]
fn descriptors_are_those_of_the_caller() {
    for start in [
        "exec \"$0\" \"$@\"",
        "exec \"$0\" \"$@\" <&- >&- 2>&-",
        "exec \"$0\" \"$@\" <&- 7</dev/null",
    ] {
        let warm = Scene::new();
        warm.plan(&plan(DESCRIPTORS));
        let bare = descriptors(&warm, start, Path::new("/bin/sh"));
        assert_eq!(
            descriptors(&warm, start, &warm.app),
            bare,
            "replay, {start}"
        );
        let cold = Scene::new();
        assert_eq!(
            descriptors(&cold, start, &cold.app),
            bare,
            "engine, {start}"
        );
    }
}

#[test]
fn without_a_plan_the_engine_is_started_with_the_arguments_unchanged() {
    let scene = Scene::new();
    let output = scene.run("echo $0 $*; echo $_PEXBOOT_FILE; exit 5");
    check(&output, 5, &format!("a b\n{}\n", scene.app.display()), "");
    assert!(
        !scene.root().exists(),
        "an engine that runs from memory leaves nothing behind"
    );
}

#[test]
fn the_engine_sees_what_its_caller_told_the_stub() {
    let scene = Scene::new()
        .with("_PEXBOOT_CURRENT", "/py")
        .with("_PEXBOOT_REPAIR", "1");
    scene.plan(&plan(SAY));
    check(
        &scene.run("echo $_PEXBOOT_CURRENT $_PEXBOOT_REPAIR"),
        0,
        "/py 1\n",
        "",
    );
}

#[test]
fn a_plan_that_does_not_hold_is_passed_over() {
    let scene = Scene::new();
    let mut broken = plan(SAY);
    broken.inputs = vec![Input::Absent(place(&scene.app))];
    scene.plan(&broken);
    check(&scene.run("echo engine"), 0, "engine\n", "");
}

#[test]
fn a_damaged_plan_is_no_plan() {
    let good = plan(SAY).encode();
    let mut flipped = good.clone();
    flipped[40] ^= 1;
    for bytes in [&good[..good.len() - 1], &flipped, b"", b"pexplan\0"] {
        let scene = Scene::new();
        scene.plan_at(&scene.root(), &scene.app, false, bytes);
        check(&scene.run("echo engine"), 0, "engine\n", "");
    }
}

#[test]
fn a_plan_whose_program_is_gone_leads_to_the_engine() {
    let scene = Scene::new();
    let mut plan = plan(SAY);
    plan.exec.program = b"/nonexistent/python".to_vec();
    scene.plan(&plan);
    check(&scene.run("echo engine"), 0, "engine\n", "");
}

#[test]
fn a_plan_of_another_boot_is_passed_over() {
    let text = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    let digits: Vec<u8> = text
        .chars()
        .filter_map(|c| c.to_digit(16))
        .map(|d| u8::try_from(d).unwrap())
        .collect();
    let mut boot_id = [0; 16];
    for (byte, pair) in boot_id.iter_mut().zip(digits.chunks(2)) {
        *byte = pair[0] << 4 | pair[1];
    }
    let scene = Scene::new();
    scene.plan(&Plan {
        boot_id,
        ..plan(SAY)
    });
    check(
        &scene.run("echo engine"),
        0,
        "replayed -c echo engine a b\n",
        "",
    );
    boot_id[0] ^= 1;
    scene.plan(&Plan {
        boot_id,
        ..plan(SAY)
    });
    check(&scene.run("echo engine"), 0, "engine\n", "");
}

#[test]
fn a_root_that_others_may_write_to_is_not_trusted() {
    let scene = Scene::new();
    scene.plan(&plan(SAY));
    for directory in [scene.root(), scene.path("pex")] {
        fs::set_permissions(&directory, fs::Permissions::from_mode(0o777)).unwrap();
        check(&scene.run("echo engine"), 0, "engine\n", "");
        fs::set_permissions(&directory, fs::Permissions::from_mode(0o700)).unwrap();
    }
    let plan = scene.plan(&plan(SAY));
    fs::set_permissions(plan, fs::Permissions::from_mode(0o666)).unwrap();
    check(&scene.run("echo engine"), 0, "engine\n", "");
}

#[test]
fn a_seed_is_used_and_left_alone() {
    let scene = Scene::new();
    let seed = scene.path("seed");
    let scene = scene.with("PEXBOOT_SEEDS", &seed);
    let path = scene.plan_at(&seed, &scene.app, true, &plan(SAY).encode());
    let old = SystemTime::now() - Duration::from_secs(3 * 24 * 3600);
    File::options()
        .write(true)
        .open(&path)
        .unwrap()
        .set_modified(old)
        .unwrap();
    check(
        &scene.run("echo engine"),
        0,
        "replayed -c echo engine a b\n",
        "",
    );
    assert_eq!(fs::metadata(path).unwrap().modified().unwrap(), old);
}

#[test]
fn a_plan_in_use_is_stamped_once_a_day() {
    let scene = Scene::new();
    let path = scene.plan(&plan(SAY));
    let stamp = |age: u64| {
        let before = SystemTime::now() - Duration::from_secs(age);
        File::options()
            .write(true)
            .open(&path)
            .unwrap()
            .set_modified(before)
            .unwrap();
        check(&scene.run(""), 0, "replayed -c a b\n", "");
        before != fs::metadata(&path).unwrap().modified().unwrap()
    };
    assert!(!stamp(3600), "an hour old: left alone");
    assert!(stamp(25 * 3600), "a day old: stamped");
}

#[test]
fn the_file_is_known_by_the_path_it_was_invoked_by() {
    let scene = Scene::new();
    let mut say = plan("echo $FILE $REAL");
    say.exec.env = vec![
        EnvChange::Set(b"FILE".to_vec(), Value::InvokedPex(Vec::new())),
        EnvChange::Set(b"REAL".to_vec(), Value::RealPex),
    ];
    scene.plan(&say);
    let real = scene.app.canonicalize().unwrap();
    let expect = |invoked: &Path| format!("{} {}\n", invoked.display(), real.display());

    for relative in ["./app", ".//app", "././/app"] {
        let mut command = scene.command(Path::new("/bin/sh"));
        let output = command
            .args(["-c", "exec \"$0\""])
            .arg(relative)
            .output()
            .unwrap();
        check(&output, 0, &expect(&scene.path("app")), "");
    }

    let outside = tempfile::tempdir().unwrap();
    let link = outside.path().join("app");
    symlink(&scene.app, &link).unwrap();
    check(
        &scene.command(&link).output().unwrap(),
        0,
        &expect(&link),
        "",
    );

    // As the interpreter of a script the stub is the file, not the script.
    let script = outside.path().join("script");
    write_program(&script, format!("#!{}\n", scene.app.display()).as_bytes());
    check(
        &scene.command(&script).output().unwrap(),
        0,
        &expect(&real),
        "",
    );

    // Out of a copy, for a caller that names the file.
    let copy = outside.path().join("copy");
    write_program(&copy, &fs::read(&scene.app).unwrap());
    let output = scene
        .command(&copy)
        .env("_PEXBOOT_FILE", &link)
        .output()
        .unwrap();
    check(&output, 0, &expect(&link), "");
}

#[test]
fn two_megabytes_of_arguments_and_environment_are_no_trouble() {
    let scene = Scene::new();
    scene.plan(&plan("echo $# ${#LARGE}"));
    let start = |program: &Path| {
        let mut command = scene.command(program);
        for n in 0..8 {
            command.env(format!("LARGE{n}"), "x".repeat(120_000));
        }
        command.env("LARGE", "x".repeat(120_000));
        command.args(["-c", "echo engine $# ${#LARGE}", "0"]);
        command
            .args(std::iter::repeat_n("y".repeat(1000), 900))
            .output()
            .unwrap()
    };
    check(&start(&scene.app), 0, "903 120000\n", "");
    let cold = scene.path("cold");
    write_program(&cold, &fs::read(&scene.app).unwrap());
    check(&start(&cold), 0, "engine 900 120000\n", "");
}

#[test]
fn an_engine_in_the_root_is_used_as_it_is() {
    // The one in the file is damaged, so that it can't be that one.
    let scene = Scene::with_engine(b"\0");
    let directory = scene.root().join("v1/engine");
    fs::create_dir_all(&directory).unwrap();
    let engine = directory.join(OsStr::from_bytes(&hex(&scene.seal.engine_digest)));
    write_program(&engine, &shell());
    check(&scene.run("echo engine"), 0, "engine\n", "");
}

#[test]
fn an_engine_in_the_root_that_was_cut_short_is_passed_over() {
    let scene = Scene::new();
    let directory = scene.root().join("v1/engine");
    fs::create_dir_all(&directory).unwrap();
    let engine = directory.join(OsStr::from_bytes(&hex(&scene.seal.engine_digest)));
    write_program(&engine, b"#!/bin/false\n");
    check(&scene.run("echo engine"), 0, "engine\n", "");
    // The right size, but nothing in it: what a power cut leaves.
    write_program(&engine, &vec![0; shell().len()]);
    check(&scene.run("echo engine"), 0, "engine\n", "");
}

#[test]
fn a_damaged_engine_is_refused_in_one_line() {
    let good = deflated(&shell());
    let another = deflated(&[b'x'].repeat(shell().len()));
    let cases: [(&[u8], &str); 3] = [
        (&good[..good.len() / 2], "can't be unpacked"),
        (b"\xff\xff\xff\xff", "can't be unpacked"),
        (&another, "is not the one that was put there"),
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
    let bytes = fs::read(&scene.app).unwrap();
    let short = scene.path("short");
    write_program(&short, &bytes[..bytes.len() - 1]);
    let output = scene.command(&short).output().unwrap();
    let stderr = format!(
        "pexboot: `{}`: the engine in it is cut short; the file is damaged, get it again\n",
        short.display()
    );
    check(&output, 65, "", &stderr);
}

#[test]
fn a_bare_stub_says_what_it_is() {
    let scene = Scene::new();
    let bare = scene.path("bare");
    write_program(&bare, parts::STUB);
    let stderr = "pexboot: this is a bare stub without an application; `pexboot embed` puts it in front of one\n";
    check(&scene.command(&bare).output().unwrap(), 70, "", stderr);
}

/// Program headers of a 64-bit ELF file: type and flags.
fn segments(elf: &[u8]) -> Vec<(u32, u32)> {
    let word = |at: usize| u32::from_le_bytes(elf[at..at + 4].try_into().unwrap());
    let half = |at: usize| usize::from(u16::from_le_bytes(elf[at..at + 2].try_into().unwrap()));
    let (table, size, count) = (word(0x20) as usize, half(0x36), half(0x38));
    (0..count)
        .map(|i| table + i * size)
        .map(|at| (word(at), word(at + 4)))
        .collect()
}

#[test]
fn both_parts_need_nothing_of_the_machine_but_its_kernel() {
    const PT_DYNAMIC: u32 = 2;
    const PT_INTERP: u32 = 3;
    const PT_GNU_STACK: u32 = 0x6474_e551;
    const PF_X: u32 = 1;
    let mut engine = vec![0; usize::try_from(parts::ENGINE_SIZE).unwrap()];
    let size = libdeflater::Decompressor::new()
        .deflate_decompress(parts::ENGINE, &mut engine)
        .unwrap();
    assert_eq!(size, engine.len());
    let digest: [u8; 32] = Sha256::digest(&engine).into();
    assert_eq!(digest, parts::ENGINE_DIGEST);
    for (name, elf) in [("stub", parts::STUB), ("engine", &engine)] {
        let segments = segments(elf);
        let has = |kind| segments.iter().any(|&(k, _)| k == kind);
        assert!(!has(PT_INTERP), "{name} has an interpreter");
        assert!(!has(PT_DYNAMIC), "{name} is linked dynamically");
        let stack = segments.iter().find(|&&(kind, _)| kind == PT_GNU_STACK);
        assert!(
            stack.is_some_and(|(_, flags)| flags & PF_X == 0),
            "{name} has an executable stack"
        );
    }
}

#[test]
fn the_parts_stay_small() {
    assert!(
        parts::STUB.len() <= 50_000,
        "stub: {} bytes",
        parts::STUB.len()
    );
    let both = parts::STUB.len() + parts::ENGINE.len();
    assert!(both <= 1_500_000, "stub and engine: {both} bytes");
}

#[test]
fn no_path_of_the_building_machine_is_in_the_stub() {
    let workspace = env!("CARGO_MANIFEST_DIR").as_bytes();
    assert!(
        !parts::STUB
            .windows(workspace.len())
            .any(|window| window == workspace)
    );
}

#[test]
fn the_seal_of_the_build_is_empty() {
    let seal = &parts::STUB[parts::SEAL_OFFSET..][..SEAL_SIZE];
    assert_eq!(Seal::decode(seal), Some(Seal::default()));
}
