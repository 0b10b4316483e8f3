//! Other Linuxes than this machine's, made by `tests/userlands` and kept outside the clone, and aarch64 under qemu-user.
//! Entered by user and mount namespaces of one's own: no root is needed, and the machine's handlers of foreign programs
//! stay as they are.

mod conformance;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use pexboot::internals::parts::HEADS;

use crate::fixtures::{App, Built, Pex, Wheel, numpy_for_both};
use crate::harness::{Outcome, PEXBOOT, Stage, Start, Way, coverage, long, ways};

/// Mounts what a start needs of the machine, and enters: ROOT BOX USER, then the command. With READ_ONLY there is no place
/// that can be written.
const ENTER: &str = r#"
set -e
root=$1 box=$2 user=$3
shift 3
mount --rbind "$root" "$root"
mount -t tmpfs -o mode=1777 none "$root/tmp"
mount -t tmpfs none "$root/root"
mkdir -p "$root$box"
mount --bind "$box" "$root$box"
mount --rbind /proc "$root/proc"
mount --rbind /dev "$root/dev"
if [ -e "$root/usr/bin/qemu-aarch64-static" ]; then
    mount -t binfmt_misc none "$root/root"
    printf ':aarch64:M::\\x7fELF\\x02\\x01\\x01\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x02\\x00\\xb7\\x00:\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\x00\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xfe\\xff\\xff\\xff:%s:FP' \
        "$root/usr/bin/qemu-aarch64-static" > "$root/root/register"
fi
if [ -n "$READ_ONLY" ]; then
    for place in "" /tmp /root /dev/shm "$box"; do mount -o remount,ro,bind "$root$place" || true; done
fi
exec unshare --user --map-user="$user" --map-group="$user" --root="$root" --wd="$box/work" "$@"
"#;

/// What `tests/userlands` makes by this name, unless it can't be made here.
pub fn tools(name: &str) -> Option<PathBuf> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/userlands");
    let made = Command::new(script).arg(name).stdin(Stdio::null()).output();
    let Some(made) = made.ok().filter(|made| made.status.success()) else {
        coverage::left_out(name, "Debian's packages, by apt (tests/userlands)");
        return None;
    };
    Some(String::from_utf8(made.stdout).unwrap().trim().into())
}

/// A root file system.
pub struct Userland {
    name: &'static str,
    root: PathBuf,
}

impl Userland {
    /// The one that `tests/userlands` knows by this name, unless it can't be made or entered here.
    pub fn find(name: &'static str) -> Option<Userland> {
        let root = tools(name)?;
        let userland = Userland { name, root };
        let scratch = tempfile::tempdir().unwrap();
        fs::create_dir(scratch.path().join("work")).unwrap();
        let mut command = Command::new("unshare");
        command.args(&userland.entered(scratch.path(), 0)[1..]);
        let works = command.args(["/usr/bin/python3", "-c", "pass"]).output();
        if works.is_ok_and(|works| works.status.success()) {
            return Some(userland);
        }
        coverage::left_out(
            name,
            "user namespaces with mounts and handlers of their own",
        );
        None
    }

    /// The words that enter it with what lies at `place`, as this user.
    pub fn entered(&self, place: &Path, user: u32) -> Vec<String> {
        let namespaces = [
            "unshare",
            "--user",
            "--map-root-user",
            "--mount",
            "bash",
            "-c",
        ];
        let mut words: Vec<String> = namespaces.map(Into::into).into();
        words.extend([ENTER, "enter"].map(Into::into));
        words.extend([&self.root, place].map(|path| path.display().to_string()));
        words.push(user.to_string());
        words
    }

    /// A start in it of what lies on the machine `stage` as `file`.
    fn start<'s>(&self, stage: &'s Stage, file: &str, user: u32) -> Start<'s> {
        stage
            .start()
            .before(self.entered(&stage.root(), user))
            .program(stage.path("work").join(file))
    }

    /// Two starts, the second of them warm, that print the same; gives the first.
    #[track_caller]
    fn twice(&self, stage: &Stage, start: &Start<'_>) -> Outcome {
        // Who replays a plan writes none.
        let plans = || -> BTreeSet<u64> {
            let plans = stage.path("home/.cache/pexboot/v2/plans");
            let plans = fs::read_dir(plans).into_iter().flatten();
            let plans = plans.map(|plan| plan.unwrap().metadata().unwrap().ino());
            plans.collect()
        };
        let first = start.run();
        let made = plans();
        let second = start.run();
        first.ok();
        second.ok();
        let name = self.name;
        assert_eq!(first.stdout, second.stdout, "{name}: {first}\n{second}");
        assert!(!made.is_empty(), "{name}: {first}");
        assert_eq!(plans(), made, "{name} is cold again: {second}");
        first
    }
}

/// The PEX on a machine, embedded for both as `x86_64-linux` and `aarch64-linux` in `work`.
fn for_both(pex: &Built, options: &[&str]) -> Stage {
    let stage = Stage::new(Way::Original, pex);
    let run = embed(
        &stage,
        &[&["--target=x86_64-linux,aarch64-linux"], options].concat(),
    );
    run.ok();
    stage
}

fn embed(stage: &Stage, options: &[&str]) -> Outcome {
    stage
        .start()
        .before([PEXBOOT, "embed"])
        .args(["--no-host-site", "--no-compile", "-o", "{target}"])
        .args(options)
        .run()
}

/// Whether the command under test carries the heads of both machines.
fn has_both(case: &str) -> bool {
    if HEADS.len() == 1 {
        coverage::left_out(
            case,
            "a command with both heads (./cross, then PEXBOOT_PARTS)",
        );
    }
    HEADS.len() > 1 && ways().contains(&Way::Embedded)
}

#[test]
fn on_aarch64_the_head_for_it_starts_what_the_original_does() {
    if !has_both("aarch64") {
        return;
    }
    let Some(arm) = Userland::find("arm64") else {
        return;
    };
    let cowsay = App::cowsay().build();
    // The original, emulated, takes a minute; what it prints is the same everywhere.
    let original = Stage::new(Way::Original, &cowsay)
        .start()
        .args(["-t", "moo"])
        .run();
    for (options, user) in [(vec![], 0), (vec!["--venv"], 1000)] {
        let stage = for_both(&cowsay, &options);
        let run = arm.twice(
            &stage,
            &arm.start(&stage, "aarch64-linux", user).args(["-t", "moo"]),
        );
        assert_eq!(run.stdout, original.stdout, "{run}");
    }
}

/// One PEX with wheels for both machines, embedded for both, in a root of each: the interpreter's machine decides.
#[test]
fn one_pex_for_two_machines_starts_on_both() {
    if !has_both("one PEX for two machines") {
        return;
    }
    let (Some(arm), Some(intel)) = (Userland::find("arm64"), Userland::find("bare")) else {
        return;
    };
    let pex = numpy_for_both();
    let text = "import numpy, platform; print(numpy.arange(6).reshape(2, 3) @ numpy.ones(3), platform.machine())";
    let original = Stage::new(Way::Original, &pex)
        .start()
        .args(["-c", text])
        .run();
    original.ok().prints("[ 3. 12.] x86_64");
    let stage = for_both(&pex, &[]);
    let run = intel.twice(
        &stage,
        &intel.start(&stage, "x86_64-linux", 1000).args(["-c", text]),
    );
    assert_eq!(run.stdout, original.stdout, "{run}");
    let run = arm.twice(
        &stage,
        &arm.start(&stage, "aarch64-linux", 1000).args(["-c", text]),
    );
    assert_eq!(
        run.stdout,
        original.stdout.replace("x86_64", "aarch64"),
        "{run}"
    );
}

/// The kernel says x86-64, the Python aarch64: wheels are the Python's.
#[test]
fn under_emulation_the_machine_is_the_interpreters() {
    let Some(arm) = Userland::find("arm64") else {
        return;
    };
    let wheel = |machine: &str| {
        Wheel::empty("dep", "1.0")
            .tag(&format!("py3-none-linux_{machine}"))
            .file("dep.py", &format!("WHO = '{machine}'\n"))
    };
    let text = "import dep, platform\ndef main():\n    print(dep.WHO, platform.machine())\n";
    let pex = Pex::app("emulated", text)
        .wheel(wheel("x86_64"))
        .wheel(wheel("aarch64"))
        .requires("dep")
        .build();
    if ways().contains(&Way::Embedded) {
        // The head is this machine's, which the kernel runs without an emulator.
        let stage = Stage::new(Way::Embedded, &pex);
        let run = arm.twice(&stage, &arm.start(&stage, "app.pex", 0));
        run.prints("aarch64 aarch64");
    }
}

#[test]
fn a_head_for_another_machine_is_started_by_a_python() {
    if !has_both("a head that does not fit") {
        return;
    }
    let stage = for_both(&App::cowsay().build(), &[]);
    let other = stage.start().program(stage.path("work/aarch64-linux"));
    let run = other.clone().python(Path::new("/usr/bin/python3"));
    let run = run.args(["-t", "moo"]);
    let original = stage.start().args(["-t", "moo"]).run();
    assert_eq!(run.run().ok().stdout, original.stdout);
    let run = run.env("PEX_VERBOSE", "1").run();
    run.ok()
        .says("Exec format error")
        .says("its own bootstrap starts it");
}

/// A PEX of a project with native wheels for these machines, required like this.
fn native(name: &str, machines: &[&str], requires: &str) -> Built {
    let pex = Pex::app(name, "def main():\n    print('ran')\n");
    let add = |pex: Pex, machine: &&str| {
        let wheel = Wheel::new("dep", "1.0").tag(&format!("py3-none-manylinux2014_{machine}"));
        pex.wheel(wheel)
    };
    machines.iter().fold(pex, add).requires(requires).build()
}

#[test]
fn what_lacks_a_wheel_for_a_machine_is_not_embedded_for_it() {
    let pex = native("targets-one", &["x86_64"], "dep");
    let stage = Stage::new(Way::Original, &pex);
    let run = embed(&stage, &["--target", "aarch64-linux"]);
    run.exits(65).says("has no wheel for aarch64-linux");
    run.says("`dep-1.0-py3-none-manylinux2014_x86_64.whl`");
    assert!(!stage.path("work/aarch64-linux").exists());
    // That one was asked for besides: no file is left.
    embed(&stage, &["--target", "x86_64-linux,aarch64-linux"]).exits(65);
    assert!(!stage.path("work/x86_64-linux").exists());
    embed(&stage, &["--target", "x86_64-linux"]);
    // What a marker keeps to one machine is not missing on another.
    if has_both("a marker for a machine") {
        let pex = native(
            "targets-marked",
            &["x86_64"],
            "dep ; platform_machine == 'x86_64'",
        );
        embed(
            &Stage::new(Way::Original, &pex),
            &["--target", "aarch64-linux"],
        )
        .ok();
    }
}

#[test]
fn a_target_is_remembered_and_warned_of_by_its_own_wheels() {
    let (true, [own, other, ..]) = (has_both("a target that is remembered"), &HEADS[..]) else {
        return;
    };
    let [own, other] = [own, other].map(|head| head.target);
    let machine = own.trim_end_matches("-linux");
    let marked = format!("dep ; platform_machine == '{machine}'");
    let stage = Stage::new(
        Way::Original,
        &native("targets-marked", &[machine], &marked),
    );
    let embedded = |options: &[&str]| {
        let start = stage.start().program(PEXBOOT).args(["embed", "app.pex"]);
        start
            .args(["--no-compile", "--no-host-site"])
            .args(options)
            .run()
    };
    let lacks = "has no wheel of dep for Linux on";
    let first = embedded(&["--target", other]);
    first
        .ok()
        .says(&format!("{lacks} {}", other.trim_end_matches("-linux")));
    let again = embedded(&["--json"]);
    again.ok().says(&format!("keeps --target={other}"));
    let told: serde_json::Value = serde_json::from_str(&again.stdout).unwrap();
    assert_eq!(told["target"], other);
    assert_eq!(told["kept"][0], format!("--target={other}"));
    embedded(&["--check"]).ok();
    let back = embedded(&["--forget"]);
    assert!(
        !back.ok().stderr.contains("keeps") && !back.stderr.contains(lacks),
        "{back}"
    );
    embedded(&["--check", "--target", other]).exits(1);
    embedded(&["--check", "--target", "host"]).ok();
    // The host's own is nothing to speak of.
    assert!(!embedded(&[]).ok().stderr.contains("--target"));
}

#[test]
fn auto_embeds_for_the_machines_of_the_wheels() {
    let of = |pex: &Built| {
        let stage = Stage::new(Way::Original, pex);
        let run = embed(&stage, &["--target", "auto"]);
        let there =
            ["x86_64-linux", "aarch64-linux"].map(|name| stage.path("work").join(name).exists());
        (run, there)
    };
    let own = HEADS[0].target == "x86_64-linux";
    let (run, there) = of(&native(
        "targets-none",
        &[],
        "wheelless ; python_version < '3'",
    ));
    run.ok();
    assert_eq!(there, [own, !own]);
    let (run, there) = of(&native("targets-both", &["x86_64", "aarch64"], "dep"));
    if HEADS.len() == 1 {
        run.exits(2).says("./cross").says("carries no head for");
        assert_eq!(there, [false, false]);
    } else {
        run.ok();
        assert_eq!(there, [true, true]);
    }
}

#[test]
fn several_targets_need_several_names() {
    if has_both("names of outputs") {
        let stage = Stage::new(Way::Original, &App::cowsay().build());
        for output in [&["-o", "one.pex"][..], &[]] {
            let run = stage.start().before([PEXBOOT, "embed"]);
            let run = run
                .args(["--target", "x86_64-linux,aarch64-linux"])
                .args(output)
                .run();
            run.exits(2).says("{target}");
        }
    }
}

#[test]
fn other_userlands_start_it_as_root_and_as_a_user() {
    let names: &[&str] = if long() {
        &[
            "debian-11",
            "debian-12",
            "debian-13",
            "debian-sid",
            "bare",
            "musl",
        ]
    } else {
        &["debian-13", "bare"]
    };
    let cowsay = App::cowsay().build();
    let original = Stage::new(Way::Original, &cowsay)
        .start()
        .args(["-t", "moo"])
        .run();
    for &name in names {
        let Some(userland) = Userland::find(name) else {
            continue;
        };
        for user in [0, 1000] {
            if ways().contains(&Way::Embedded) {
                let stage = Stage::new(Way::Embedded, &cowsay);
                let run = userland.twice(
                    &stage,
                    &userland.start(&stage, "app.pex", user).args(["-t", "moo"]),
                );
                assert_eq!(run.stdout, original.stdout, "{name}: {run}");
            }
        }
    }
}
