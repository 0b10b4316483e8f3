//! How long others are waited for: long for those that work, hardly for those that do not.

use std::fs::File;
use std::time::{Duration, Instant, SystemTime};

use fs2::FileExt;

use super::*;
use crate::store::lock::{self, Turn};
use crate::store::patience::Patience;

const LONG: Duration = Duration::from_secs(600);

/// A lock that somebody else holds, in a directory of its own.
fn held(temp: &Path, name: &str) -> (PathBuf, File) {
    let path = temp.join(name);
    let file = File::create(&path).unwrap();
    file.lock_exclusive().unwrap();
    (path, file)
}

/// How many looks it takes to give a lock up.
fn looks(path: &Path, patience: &Patience) -> usize {
    let mut looks = 0;
    let turn = lock::acquire::<()>(path.to_owned(), patience, LONG, || {
        looks += 1;
        None
    });
    assert!(matches!(turn, Turn::Work(None)));
    looks
}

#[test]
fn a_lock_that_shows_no_sign_of_life_is_waited_for_once_and_not_again() {
    let temp = directory();
    let silence = Duration::from_millis(200);
    let patience = Patience::new(silence, LONG);
    let (first, one) = held(temp.path(), "first");
    let (second, other) = held(temp.path(), "second");
    // Fresh, and the other is just as fresh when its turn comes.
    for file in [&one, &other] {
        file.set_modified(SystemTime::now() + LONG).unwrap();
    }
    assert!(looks(&first, &patience) > 1);
    assert_eq!(looks(&second, &patience), 1);
}

#[test]
fn one_that_has_shown_none_for_as_long_already_is_not_waited_for() {
    let temp = directory();
    let patience = Patience::new(Duration::from_secs(3), LONG);
    let (path, file) = held(temp.path(), "stopped");
    file.set_modified(SystemTime::now() - Duration::from_secs(4))
        .unwrap();
    assert_eq!(looks(&path, &patience), 1);
}

#[test]
fn one_that_works_is_waited_for_though_it_takes_longer() {
    let temp = directory();
    let patience = Patience::new(Duration::from_secs(2), LONG);
    let (path, file) = held(temp.path(), "works");
    let begin = Instant::now();
    // It beats at each look: on a machine that stalls, too, the sign is there before the look that follows.
    let turn = lock::acquire(path, &patience, LONG, || {
        file.set_modified(SystemTime::now()).unwrap();
        (begin.elapsed() > Duration::from_secs(3)).then_some("done")
    });
    assert!(matches!(turn, Turn::Done("done")));
}

#[test]
fn one_that_works_for_ever_is_not_waited_for_for_ever() {
    let temp = directory();
    let patience = Patience::new(LONG, Duration::from_millis(200));
    let (first, _first) = held(temp.path(), "first");
    let (second, _second) = held(temp.path(), "second");
    assert!(looks(&first, &patience) > 1);
    assert_eq!(
        looks(&second, &patience),
        1,
        "of the process, not of a lock"
    );
}

#[test]
fn several_threads_that_wait_at_once_share_the_time() {
    let temp = directory();
    let patience = Patience::new(LONG, Duration::from_secs(2));
    let locks: Vec<_> = (0..8)
        .map(|number| held(temp.path(), &number.to_string()))
        .collect();
    let begin = std::sync::Barrier::new(locks.len());
    std::thread::scope(|scope| {
        for (path, _) in &locks {
            scope.spawn(|| {
                begin.wait();
                // Were it the sum, each would have an eighth: ten looks, and not forty.
                assert!(looks(path, &patience) > 15);
            });
        }
    });
}

#[test]
fn work_that_lasts_moves_the_time_of_its_lock() {
    let temp = directory();
    let store = silent(&temp.path().join("root"));
    let lock = temp.path().join("root/v2/locks/wheels-ab-x.whl");
    let long_ago = SystemTime::UNIX_EPOCH + LONG;
    let moved = |path: &Path| path.metadata().unwrap().modified().unwrap() > long_ago;
    // What a killed process has left.
    std::fs::write(&lock, "").unwrap();
    let file = File::options().write(true).open(&lock).unwrap();
    file.set_modified(long_ago).unwrap();
    let path = store.directory(Kind::Wheels, "ab/x.whl", &mut |path| {
        assert!(moved(&lock), "since it was taken");
        file.set_modified(long_ago)?;
        // More than a moment's work by its size alone.
        Tree::new(path)?.write("large", &vec![0; 2 << 20], false)?;
        let begin = Instant::now();
        while !moved(&lock) {
            assert!(begin.elapsed() < Duration::from_secs(60));
            std::thread::yield_now();
        }
        Ok(())
    });
    path.unwrap();
}
