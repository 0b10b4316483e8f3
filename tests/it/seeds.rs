//! `pexboot warm`: a root that is filled ahead, read by others, and never written.

use pexboot_core::plan::{Input, Plan, Plans};
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, lchown};
use std::path::Path;
use std::process::Command;

use crate::fixtures::{Pex, Wheel};
use crate::harness::host::Host;
use crate::harness::{PEXBOOT, Stage, Way, is_root, pythons};

/// Everything below a directory.
fn walk(root: &Path, visit: &mut dyn FnMut(&Path)) {
    visit(root);
    if root.is_symlink() || !root.is_dir() {
        return;
    }
    for entry in fs::read_dir(root).unwrap() {
        walk(&entry.unwrap().path(), visit);
    }
}

#[test]
fn a_warmed_root_serves_another_user_who_writes_nothing() {
    let wheel = Wheel::empty("lib", "1.0").file("lib/__init__.py", "word = 'hello'\n");
    let pex = Pex::empty("warm")
        .dep(wheel)
        .source(
            "main.py",
            "import lib\ndef run(): print(lib.word, lib.__cached__)\n",
        )
        .entry("main:run")
        .build();
    let stage = Stage::new(Way::Embedded, &pex);
    let seed = stage.path("image");
    fs::create_dir(&seed).unwrap();
    let warmed = Command::new(PEXBOOT)
        .arg("warm")
        .args(["--root".as_ref(), seed.as_os_str(), stage.pex.as_os_str()])
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("HOME", stage.path("nobody"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&warmed.stderr);
    assert!(warmed.status.success(), "{said}");

    // As an image has it: read by all, written by none; other inodes.
    let copy = stage.path("copy");
    let copied = Command::new("cp").arg("-a").args([&seed, &copy]).status();
    assert!(copied.unwrap().success());
    fs::remove_dir_all(&seed).unwrap();
    fs::rename(&copy, &seed).unwrap();
    walk(&seed, &mut |path| {
        if !path.is_symlink() {
            let mode = fs::metadata(path).unwrap().permissions().mode();
            let x = if path.is_dir() { 0o111 } else { mode & 0o111 };
            fs::set_permissions(path, fs::Permissions::from_mode(0o444 | x)).unwrap();
        }
    });

    let log = stage.path("trace");
    let mut words = Vec::new();
    if is_root() {
        // Another user than the one who filled it.
        walk(&stage.path("."), &mut |path| {
            if !path.starts_with(stage.path("./image")) {
                lchown(path, Some(4242), Some(4242)).unwrap();
            }
        });
        words.extend([
            "/usr/bin/setpriv",
            "--reuid=4242",
            "--regid=4242",
            "--clear-groups",
        ]);
    }
    words.extend(["/usr/bin/strace", "-f", "-o", log.to_str().unwrap()]);
    let run = stage
        .start()
        .before(words)
        .env("PEXBOOT_SEEDS", seed.join("pexboot"))
        .run();
    let out = &run.ok().stdout;
    assert!(out.starts_with("hello "), "{run}");
    let cached = out.trim_end().split_once(' ').unwrap().1;
    assert!(Path::new(cached).is_file(), "{run}");
    let text = fs::read_to_string(&log).unwrap();
    // The file, then Python: no engine.
    assert_eq!(text.matches("execve(").count(), 2, "{text}");
    for call in [
        "O_WRONLY", "O_RDWR", "O_CREAT", "mkdir", "rename", "unlink", "link(",
    ] {
        let written = text.lines().filter(|line| {
            line.contains(call) && !line.contains("readlink") && !line.contains("/dev/")
        });
        assert_eq!(written.collect::<Vec<_>>(), Vec::<&str>::new(), "{call}");
    }
    assert_eq!(stage.cached_files(), Vec::<std::path::PathBuf>::new());
}

/// What `warm --import` leaves serves a Python that imports the PEX: nothing is prepared, and nothing written.
#[test]
fn a_seed_serves_an_import() {
    let pex = Pex::empty("seed-import").dep(Wheel::new("dep", "1.0"));
    let stage = Stage::new(Way::Embedded, &pex.build());
    let seed = stage.path("image");
    let python = &pythons::debian().path;
    let by_variable = "import __pex__, dep; print(dep.__file__)";
    let by_path = format!("import sys; sys.path.append(sys.argv[1]); {by_variable}");
    let imports = |seeds: &Path, code: &str| {
        let start = stage.start().env("PEXBOOT_SEEDS", seeds);
        let start = match code == by_variable {
            true => start.env("PYTHONPATH", &stage.pex),
            false => start,
        };
        let words = [python.as_os_str(), "-c".as_ref(), code.as_ref()];
        start
            .before(words)
            .program(&stage.pex)
            .run()
            .ok()
            .stdout
            .clone()
    };
    let warm = stage.start().program(PEXBOOT).args(["warm", "--root"]);
    let warm = warm.args([&seed, Path::new("--import"), python, &stage.pex]);
    warm.run().ok();
    for code in [by_variable, &by_path] {
        let found = imports(&seed.join("pexboot"), code);
        assert!(found.starts_with(seed.to_str().unwrap()), "{found}");
        assert_eq!(stage.cached_files(), Vec::<std::path::PathBuf>::new());
    }
    // Without it the import prepares.
    imports(&stage.path("none"), by_variable);
    assert_ne!(stage.cached_files(), Vec::<std::path::PathBuf>::new());
}

/// Builders of images set the times of all files to one that they like, and a plain `cp` sets them to now.
#[test]
fn a_seed_serves_a_file_whatever_its_times_and_nothing_else_of_that_name() {
    for way in [Way::Embedded, Way::Original] {
        let app = |text: &str| {
            let text = format!("def main():\n    print('{text}')\n");
            Pex::app("seed-times", &text).stored().build()
        };
        let stage = Stage::new(way, &app("old"));
        let seed = stage.path("image");
        let warm = stage.start().program(PEXBOOT).args(["warm", "--root"]);
        warm.args([&seed, &stage.pex]).run().ok();
        let start = stage.start().env("PEXBOOT_SEEDS", seed.join("pexboot"));
        let start = match way {
            Way::Embedded => start,
            Way::Original => start
                .program(PEXBOOT)
                .args(["run".as_ref(), stage.pex.as_os_str()]),
        };
        let touch = |date: &str| {
            let touched = Command::new("touch")
                .args(["-d", date])
                .arg(&stage.pex)
                .status();
            assert!(touched.unwrap().success());
        };
        for date in ["1980-01-01", "now"] {
            touch(date);
            start.run().ok().prints("old");
            assert_eq!(stage.cached_files(), Vec::<std::path::PathBuf>::new());
        }
        // Another file of that size and time is told by its content: by its seal, or its fingerprint.
        let before = fs::metadata(&stage.pex).unwrap();
        stage.place(&app("new"), &stage.pex);
        use std::os::unix::fs::MetadataExt as _;
        touch(&format!("@{}", before.mtime()));
        if way == Way::Original {
            assert_eq!(fs::metadata(&stage.pex).unwrap().len(), before.len());
        }
        start.run().ok().prints("new");
    }
}

/// The plans that warming this PEX leaves: the one for where it was made, and the one for anywhere.
fn warmed(pex: &Pex) -> [Plan; 2] {
    let stage = Stage::new(Way::Embedded, &pex.build());
    let mut warm = Command::new(PEXBOOT);
    warm.arg("warm").arg(&stage.pex).env_clear();
    let warmed = warm.env("PATH", "/usr/bin:/bin").env("HOME", stage.home());
    assert!(warmed.status().unwrap().success());
    let plans = stage.cached_files().into_iter();
    let mut plans =
        plans.filter(|file| file.parent().is_some_and(|above| above.ends_with("plans")));
    let bytes = fs::read(stage.home().join(".cache").join(plans.next().unwrap())).unwrap();
    assert_eq!(plans.next(), None);
    let plans: Vec<Plan> = Plans::of(&bytes).collect();
    plans.try_into().unwrap()
}

#[test]
fn what_asks_for_the_kernel_is_resolved_again_by_the_next() {
    let pex = |marker: &str| {
        let wheel = Wheel::new("lib", "1.0").requires(&format!("other; {marker}"));
        Pex::app("kernel", "def main():\n    pass\n").dep(wheel)
    };
    let asks = |marker: &str| {
        let [strict, portable] = warmed(&pex(marker));
        assert!(portable.portable && !strict.portable);
        [strict, portable].map(|plan| {
            assert_eq!(plan.boot_id, [0; 16], "it outlives this boot");
            let kernel = |input: &Input| matches!(input, Input::Kernel(_));
            plan.inputs.iter().any(kernel)
        })
    };
    assert_eq!(asks("python_version < '3'"), [false; 2]);
    assert_eq!(asks("platform_release == 'none'"), [true; 2]);
    assert_eq!(asks("'none' in platform_version"), [true; 2]);
}

/// The directories that hooks lie in are told by the names in them.
#[test]
fn a_seed_serves_a_host_whatever_its_times_until_a_hook_comes() {
    let text = "import builtins, sys\ndef main():\n    print(sys.flags.no_site, getattr(builtins, 'HOOK', None))\n";
    let mut stage = Stage::with_hooks(Way::Embedded, &Pex::app("seed-hooks", text).build());
    let Some(host) = Host::new(&stage, "a seed on a host of its own") else {
        return;
    };
    stage.search = host.search();
    let seed = stage.path("image");
    let warm = stage.start().program(PEXBOOT).args(["warm", "--root"]);
    warm.args([&seed, &stage.pex]).run().ok();
    let start = stage.start().env("PEXBOOT_SEEDS", seed.join("pexboot"));
    let touch = |date: &str| {
        let library = host
            .site_packages
            .iter()
            .flat_map(|site| site.ancestors().take(2));
        let touched = Command::new("touch")
            .args(["-d", date])
            .args(library)
            .status();
        assert!(touched.unwrap().success());
    };
    touch("1980-01-01");
    start.run().ok().prints("1 None");
    assert_eq!(stage.cached_files(), Vec::<std::path::PathBuf>::new());
    host.install(0, &[("hook.pth", "import builtins; builtins.HOOK = 'x'\n")]);
    touch("1990-01-01");
    start.run().ok().prints("0 x");
}
