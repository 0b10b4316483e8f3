//! Any number of processes on one root at once.

use std::process::Stdio;
use std::thread;

use super::*;
use crate::harness::coverage;

/// How many start at once.
const AT_ONCE: usize = 64;

#[test]
fn cold_starts_of_one_pex_at_once() {
    let pex = app("race-one");
    let rounds = rounds(1, 80);
    for _ in 0..rounds {
        let stage = Stage::new(Way::Embedded, &pex);
        let start = stage.start();
        at_once(AT_ONCE, |_| silent(&start.run(), SAYS));
        is_sound(&home(&stage), false);
        assert_eq!(
            below(&home(&stage).join("locks")),
            [""; 0].map(PathBuf::from)
        );
        starts(&start, SAYS);
    }
    coverage::note(&format!(
        "trust: {} racing cold starts of one PEX",
        rounds * AT_ONCE
    ));
}

#[test]
fn cold_starts_of_eight_pexes_that_share_wheels_at_once() {
    let shared = |name: &str| {
        let mut pex = Pex::app(
            name,
            "def main():\n    import one, two, mine\n    print(one.WHO, two.WHO, mine.WHO)\n",
        );
        pex = pex.source("mine.py", &format!("WHO = '{name}'\n"));
        pex.dep(Wheel::new("one", "1"))
            .dep(Wheel::new("two", "2"))
            .build()
    };
    let pexes: Vec<Built> = (0..8)
        .map(|number| shared(&format!("race{number}")))
        .collect();
    let rounds = rounds(1, 80);
    for _ in 0..rounds {
        let stage = Stage::new(Way::Embedded, &pexes[0]);
        let path = |number: usize| stage.path(&format!("work/race{number}"));
        for (number, pex) in pexes.iter().enumerate() {
            stage.place(pex, &path(number));
        }
        at_once(AT_ONCE, |number| {
            let number = number % pexes.len();
            let run = stage.start().program(path(number)).run();
            silent(&run, &format!("one 1 two 2 race{number}"));
        });
        let home = home(&stage);
        is_sound(&home, false);
        let wheels = entries(&home)
            .iter()
            .filter(|entry| entry.starts_with(home.join("wheels")))
            .count();
        assert_eq!(wheels, 2, "each is stored once");
    }
    coverage::note(&format!(
        "trust: {} racing cold starts of eight PEXes",
        rounds * AT_ONCE
    ));
}

/// Runs this so many times at once.
pub fn at_once(count: usize, run: impl Fn(usize) + Sync) {
    let run = &run;
    thread::scope(|scope| {
        for number in 0..count {
            scope.spawn(move || run(number));
        }
    });
}

#[test]
fn prune_and_clear_go_on_under_a_load_of_launches() {
    let stage = stage("race-prune");
    let rounds = rounds(6, 400);
    starts(&stage.start(), SAYS);
    thread::scope(|scope| {
        let running: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn(|| {
                    for _ in 0..rounds {
                        // What was pulled from under a start is made again, and that may be said.
                        stage.start().run().ok().prints(SAYS);
                    }
                })
            })
            .collect();
        while running.iter().any(|thread| !thread.is_finished()) {
            upkeep::cache(&stage, &["clear"]).ok();
            upkeep::cache(&stage, &["prune", "--max-size", "1K", "--grace", "0"]).ok();
        }
    });
    is_sound(&home(&stage), false);
    starts(&stage.start(), SAYS);
}

#[test]
fn who_waits_for_the_first_of_many_starts_no_engine() {
    use fs2::FileExt;
    let stage = stage("race-first");
    let home = home(&stage);
    starts(&stage.start(), SAYS);
    let plans = below(&home.join("plans")).remove(0);
    let key = plans.file_name().unwrap().to_str().unwrap();
    // As another start has it that is not done yet.
    let lock = fs::File::create(home.join(format!("locks/plans-{key}"))).unwrap();
    lock.lock_exclusive().unwrap();
    let aside = stage.path("plans");
    fs::rename(&plans, &aside).unwrap();
    // An engine that runs puts itself there.
    fs::remove_dir_all(home.join("engine")).unwrap();
    let mut waiting: Vec<_> = (0..16)
        .map(|_| {
            let mut command = stage.start().command();
            command.stdout(Stdio::piped()).stderr(Stdio::piped());
            command.spawn().unwrap()
        })
        .collect();
    for child in &waiting {
        crate::stub::turn::waits(child, &home.join(format!("locks/plans-{key}")), true);
    }
    fs::rename(&aside, &plans).unwrap();
    drop(lock);
    for child in waiting.drain(..) {
        let output = child.wait_with_output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stderr), "");
        assert_eq!(String::from_utf8_lossy(&output.stdout).trim_end(), SAYS);
    }
    assert!(!home.join("engine").exists(), "an engine was started");
}

#[test]
fn many_starts_of_what_cannot_be_prepared_all_say_why() {
    let pex = Pex::app("race-broken", APP).requires("missing==1").build();
    let stage = Stage::new(Way::Embedded, &pex);
    at_once(AT_ONCE, |_| {
        stage.start().run().refused().says("missing");
    });
    assert_eq!(
        below(&home(&stage).join("locks")),
        [""; 0].map(PathBuf::from)
    );
    assert!(!home(&stage).join("launches").exists());
}

/// What an application finds in its launch's directory while it is imported, and when it is called.
const MARKED: &str = "import glob, os\n\
    def marked():\n    \
        return bool(glob.glob(os.environ['HOME'] + '/.cache/pexboot/v2/launches/*/importing'))\n\
    FOUND = marked()\n\
    def main():\n    \
        print(FOUND, marked())\n";

#[test]
fn only_the_first_start_is_marked_and_only_until_it_is_imported() {
    let pex = Pex::app("race-marked", MARKED).build();
    for (env, first) in [
        ("X", "True False"),
        ("PYTHONDONTWRITEBYTECODE", "False False"),
    ] {
        let stage = Stage::new(Way::Embedded, &pex);
        let start = stage.start().env(env, "1");
        silent(&start.run(), first);
        silent(&start.run(), "False False");
    }
    let module = Pex::app("race-module", &format!("{MARKED}main()\n"));
    let stage = Stage::new(Way::Embedded, &module.entry("app").build());
    silent(&stage.start().run(), "False False");
}

#[test]
fn an_import_that_fails_leaves_no_mark() {
    let pex = Pex::app("race-failing", "import nothing_at_all\n").build();
    let stage = Stage::new(Way::Embedded, &pex);
    stage.start().run().exits(1).says("nothing_at_all");
    let left = below(&home(&stage).join("launches"));
    assert!(
        !left.is_empty() && !left.iter().any(|path| path.ends_with("importing")),
        "{left:?}"
    );
}

#[test]
fn a_mark_that_a_killed_start_has_left_is_nobodys_fault() {
    let pex = Pex::app("race-killed", "import os, signal\ndef main():\n    print('again')\nif os.environ.get('DIE'):\n    os.kill(os.getpid(), signal.SIGKILL)\n").build();
    let stage = Stage::new(Way::Embedded, &pex);
    let run = stage.start().env("DIE", "1").run();
    assert_eq!(run.signal, Some(9), "{run}");
    let marks = || {
        let all = below(&home(&stage).join("launches"));
        all.iter()
            .filter(|path| path.ends_with("importing"))
            .count()
    };
    assert_eq!(marks(), 1);
    silent(&stage.start().run(), "again");
    assert_eq!(marks(), 1, "it costs no warm start a look");
    let verify = stage.start().program(crate::harness::PEXBOOT);
    let run = verify.args(["verify", "--cache"]).args([&stage.pex]).run();
    assert!(run.ok().stdout.starts_with("whole: "), "{run}");
}

#[test]
fn a_lock_that_somebody_keeps_holds_nobody_up_for_ever() {
    use fs2::FileExt;
    let stage = stage("race-lock");
    starts(&stage.start(), SAYS);
    // The same root, all locks taken by a process that sleeps on them: nothing to wait for where entries are there.
    let locks: Vec<_> = entries(&home(&stage))
        .iter()
        .filter_map(|entry| {
            let name = entry
                .strip_prefix(home(&stage))
                .ok()?
                .to_str()?
                .replace('/', "-");
            let lock = fs::File::create(home(&stage).join("locks").join(name)).ok()?;
            lock.lock_exclusive().ok()?;
            Some(lock)
        })
        .collect();
    assert!(locks.len() > 4);
    fs::remove_dir_all(home(&stage).join("plans")).unwrap();
    starts(&stage.start(), SAYS);
}
