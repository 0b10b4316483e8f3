//! Items 93-98: the cache, under parallel starts, kills and odd settings.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::fixtures::{Pex, Wheel};
use crate::harness::subject::{no_oracle, on_each, subject};
use crate::harness::{Stage, Way, coverage, is_root, stated};

/// A PEX whose unpacking takes a while: some hundred files.
fn many_files(name: &str) -> Pex {
    let mut wheel = Wheel::new("dep", "1.0");
    for number in 0..400 {
        wheel = wheel.file(
            &format!("deep/module_{number}.py"),
            &format!("WHO = {number}\n"),
        );
    }
    Pex::app(
        name,
        "def main():\n    import dep, deep.module_399\n    print(dep.WHO, deep.module_399.WHO)\n",
    )
    .dep(wheel)
}

#[test]
fn item_93_eight_cold_starts_at_once() {
    on_each(|| {
        let pex = many_files("item93").build();
        for &way in stated() {
            let stage = Stage::new(way, &pex);
            thread::scope(|scope| {
                let runs: Vec<_> = (0..8)
                    .map(|_| scope.spawn(|| stage.start().run()))
                    .collect();
                for run in runs {
                    run.join().unwrap().ok().prints("dep 1.0 399");
                }
            });
            let partial: Vec<_> = stage
                .cached_files()
                .into_iter()
                .filter(|file| {
                    let text = file.to_string_lossy();
                    text.contains(".lck.work") || text.contains("/tmp/")
                })
                .collect();
            assert!(partial.is_empty(), "{way:?}: {partial:?}");
        }
    });
}

#[test]
fn item_94_a_start_killed_while_unpacking_does_no_harm() {
    on_each(|| {
        let pex = many_files("item94").build();
        for &way in stated() {
            // Killed as soon as so many files are there: at the beginning, in the middle, towards the end.
            for files in [1, 60, 300] {
                let stage = Stage::new(way, &pex);
                let mut child = stage
                    .start()
                    .command()
                    .stdin(Stdio::null())
                    .stdout(Stdio::null())
                    .stderr(Stdio::null())
                    .spawn()
                    .unwrap();
                let start = Instant::now();
                while child.try_wait().unwrap().is_none()
                    && count_files(&stage) < files
                    && start.elapsed() < Duration::from_secs(60)
                {
                    thread::yield_now();
                }
                child.kill().unwrap();
                child.wait().unwrap();
                for _ in 0..2 {
                    stage.start().run().ok().prints("dep 1.0 399");
                }
            }
        }
    });
}

/// How many files the cache has; what disappears under the walk is not counted.
fn count_files(stage: &Stage) -> usize {
    fn below(directory: &std::path::Path) -> usize {
        let Ok(entries) = fs::read_dir(directory) else {
            return 0;
        };
        let entries = entries.flatten().map(|entry| match entry.file_type() {
            Ok(kind) if kind.is_dir() => below(&entry.path()),
            _ => 1,
        });
        entries.sum()
    }
    below(&stage.home().join(".cache"))
}

/// Whether the user that these words make may execute the Python.
fn lets_in(become_another: &[&str], python: &Path) -> bool {
    Command::new(become_another[0])
        .args(&become_another[1..])
        .arg(python)
        .args(["-c", ""])
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

#[test]
fn item_95_an_unwritable_root_is_passed_over_with_a_warning() {
    on_each(|| {
        let pex = Pex::app("item95", "def main():\n    print('ran')\n    return 5\n").build();
        for &way in stated() {
            let stage = Stage::new(way, &pex);
            let locked = stage.path("locked");
            fs::create_dir(&locked).unwrap();
            fs::set_permissions(&locked, fs::Permissions::from_mode(0o555)).unwrap();
            let mut start = stage.start().env("PEX_ROOT", locked.join("root"));
            if is_root() {
                // Permission bits do not stop root: become someone whom they do.
                let nobody = 65_534;
                fs::set_permissions(stage.root(), fs::Permissions::from_mode(0o755)).unwrap();
                for directory in ["home", "tmp"] {
                    chown(stage.path(directory), Some(nobody), Some(nobody)).unwrap();
                }
                let id = nobody.to_string();
                let become_nobody = ["setpriv", "--reuid", &id, "--regid", &id, "--clear-groups"];
                if !lets_in(&become_nobody, &subject().path) {
                    return coverage::left_out("item 95", "a Python that other users may execute");
                }
                start = start.before(become_nobody);
            }
            let run = start.run();
            run.exits(5).prints("ran").says(locked.to_str().unwrap());
            let left: Vec<_> = fs::read_dir(stage.path("tmp")).unwrap().flatten().collect();
            assert!(left.is_empty(), "{left:?}\n{run}");
        }
    });
}

#[test]
fn item_96_the_root_expands_a_tilde_and_follows_xdg() {
    on_each(|| {
        let pex = Pex::probe("item96").dep(Wheel::new("dep", "1.0")).build();
        for &way in stated() {
            let stage = Stage::new(way, &pex);
            stage.start().env("PEX_ROOT", "~/x").run().ok();
            assert!(
                fs::read_dir(stage.path("home/x")).unwrap().count() > 0,
                "{way:?}"
            );
            assert!(!stage.path("work/~").exists(), "{way:?}");

            let stage = Stage::new(way, &pex);
            stage
                .start()
                .env("XDG_CACHE_HOME", stage.path("xdg"))
                .run()
                .ok();
            assert!(
                fs::read_dir(stage.path("xdg")).unwrap().count() > 0,
                "{way:?}"
            );
            no_oracle("its wheels lie where XDG_CACHE_HOME pointed to when the PEX was built");
            assert!(way == Way::Original || !stage.path("home/.cache").exists());
        }
    });
}

#[test]
fn item_97_the_environments_root_beats_the_built_in_one() {
    on_each(|| {
        let pex = Pex::probe("item97")
            .dep(Wheel::new("dep", "1.0"))
            .info("pex_root", "~/built")
            .build();
        for &way in stated() {
            let stage = Stage::new(way, &pex);
            stage.start().run().ok();
            assert!(stage.path("home/built").exists(), "{way:?}");

            let stage = Stage::new(way, &pex);
            stage
                .start()
                .env("PEX_ROOT", stage.path("home/env"))
                .run()
                .ok();
            assert!(
                stage.path("home/env").exists() && !stage.path("home/built").exists(),
                "{way:?}"
            );
        }
    });
}

#[test]
fn item_98_a_shared_wheel_is_stored_once() {
    on_each(|| {
        let pex = |name| {
            Pex::probe(name)
                .source(&format!("{name}.py"), "")
                .dep(Wheel::new("dep", "1.0"))
                .build()
        };
        let (one, other) = (pex("item98a"), pex("item98b"));
        for &way in stated() {
            let stage = Stage::new(way, &one);
            stage.place(&other, &stage.path("work/other.pex"));
            stage.start().run().ok();
            stage
                .start()
                .program(stage.path("work/other.pex"))
                .run()
                .ok();
            let stored: BTreeSet<String> = stage
                .cached_files()
                .iter()
                .filter_map(|file| {
                    let (above, _) = file.to_str()?.split_once("/dep-1.0-py3-none-any.whl/")?;
                    Some(above.to_string())
                })
                .collect();
            assert_eq!(stored.len(), 1, "{way:?}: {stored:?}");
        }
    });
}
