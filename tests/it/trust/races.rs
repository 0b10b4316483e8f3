//! Any number of processes on one root at once.

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
fn at_once(count: usize, run: impl Fn(usize) + Sync) {
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
    fs::remove_dir_all(home(&stage).join("launches")).unwrap();
    starts(&stage.start(), SAYS);
}
