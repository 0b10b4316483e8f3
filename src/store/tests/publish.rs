//! What is published is whole, whatever happens meanwhile.

use std::io::{self, BufRead, BufReader};
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::process::Stdio;
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use nix::errno::Errno;

use super::*;
use crate::store::error::at;
use crate::store::manifest::Manifest;

#[test]
fn a_directory_is_published_once_and_found_again() {
    let temp = directory();
    let root = temp.path().join("root");
    let store = silent(&root);
    assert_eq!(store.find(Kind::Wheels, "ab/x.whl"), None);
    let path = publish(&store, "ab/x.whl");
    assert_eq!(path, root.join("v2/wheels/ab/x.whl"));
    assert!(is_whole(&path));
    let again = silent(&root)
        .directory(Kind::Wheels, "ab/x.whl", &mut |_| panic!("filled twice"))
        .unwrap();
    assert_eq!(again, path);
    assert_eq!(leftovers(&root), [""; 0]);
    assert_eq!(names(&root.join("v2/locks")), [""; 0]);
}

#[test]
fn a_failed_fill_publishes_nothing_and_gives_the_space_back() {
    let temp = directory();
    let store = silent(&temp.path().join("root"));
    let error = store
        .directory(Kind::Code, "c", &mut |path| {
            fill(path)?;
            Err("disk full".into())
        })
        .unwrap_err();
    assert_eq!(error.to_string(), "disk full");
    assert_eq!(store.find(Kind::Code, "c"), None);
    assert_eq!(leftovers(store.root()), [""; 0]);
}

#[test]
fn an_error_names_the_path_and_the_way_out() {
    let error = at(Path::new("/x/tmp"))(io::Error::from(Errno::ENOSPC)).to_string();
    assert!(
        error.starts_with("`/x/tmp`: ")
            && error.ends_with("set PEX_ROOT to a directory that has some"),
        "{error}"
    );
}

#[test]
fn sixteen_threads_and_one_entry_make_one_fill() {
    let temp = directory();
    let root = temp.path().join("root");
    let fills = AtomicUsize::new(0);
    let start = Barrier::new(16);
    std::thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                let store = silent(&root);
                start.wait();
                let path = store.directory(Kind::Wheels, "ab/x.whl", &mut |path| {
                    fills.fetch_add(1, Ordering::Relaxed);
                    fill(path)
                });
                assert!(is_whole(&path.unwrap()));
            });
        }
    });
    assert_eq!(fills.load(Ordering::Relaxed), 1);
    assert_eq!(leftovers(&root), [""; 0]);
}

#[test]
fn one_at_a_time_has_the_turn() {
    let temp = directory();
    let store = silent(temp.path());
    let turn = store.turn_now(Kind::Engine, "digest").unwrap();
    assert!(store.turn_now(Kind::Engine, "digest").is_none());
    assert!(store.turn_now(Kind::Engine, "another").is_some());
    let mut asked = 0;
    let mut done = || {
        asked += 1;
        asked > 2
    };
    assert!(store.turn(Kind::Engine, "digest", &mut done).is_none());
    drop(turn);
    assert!(store.turn(Kind::Engine, "digest", &mut || false).is_some());
    assert!(store.turn(Kind::Engine, "digest", &mut || true).is_none());
    assert_eq!(names(&temp.path().join("v2/locks")), [""; 0]);
}

#[test]
fn where_locks_do_not_work_the_rename_decides() {
    let temp = directory();
    let root = temp.path().join("root");
    silent(&root);
    // Nobody can lock what is a directory.
    std::fs::create_dir(root.join("v2/locks/wheels-ab-x.whl")).unwrap();
    let filling = Barrier::new(8);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let path = silent(&root).directory(Kind::Wheels, "ab/x.whl", &mut |path| {
                    filling.wait();
                    fill(path)
                });
                assert!(is_whole(&path.unwrap()));
            });
        }
    });
    assert_eq!(leftovers(&root), [""; 0]);
}

/// A start that publishes without end, until it is killed.
#[test]
fn a_root_survives_kill_9_at_any_moment_without_a_word() {
    if let Some(root) = child_root() {
        let store = silent(&root);
        for round in 0.. {
            let name = format!("ab/{}-{round}.whl", std::process::id());
            println!("entry {name}");
            publish(&store, &name);
            let files = [("data", name.as_bytes()), ("app", name.as_bytes())];
            store.launch("id", &files, None).unwrap().unwrap();
        }
    }
    let temp = directory();
    let root = temp.path().join("root");
    for round in 0..12 {
        let mut process = child(
            "publish::a_root_survives_kill_9_at_any_moment_without_a_word",
            &root,
        )
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let wanted: Vec<String> = lines
            .by_ref()
            .map_while(Result::ok)
            .filter_map(|line| Some(line.split_once("entry ")?.1.to_owned()))
            .take(1 + round % 3)
            .collect();
        // Somewhere in the work, wherever the scheduler has got it to.
        (0..round * 997).for_each(|_| std::thread::yield_now());
        process.kill().unwrap();
        process.wait().unwrap();

        let store = silent(&root);
        for name in wanted {
            assert!(
                store
                    .find(Kind::Wheels, &name)
                    .is_none_or(|path| is_whole(&path)),
                "{name} is half there"
            );
            assert!(is_whole(&publish(&store, &name)));
        }
        if let Some(launch) = store.find(Kind::Launches, "id") {
            let data = std::fs::read(launch.join("data")).unwrap();
            assert_eq!(data, std::fs::read(launch.join("app")).unwrap());
        }
        publish(&store, &format!("ab/after-{round}.whl"));
        assert_eq!(leftovers(&root), [""; 0]);
    }
}

#[test]
fn work_of_the_living_is_not_swept() {
    let temp = directory();
    let root = temp.path().join("root");
    let store = silent(&root);
    let path = store.directory(Kind::Wheels, "ab/x.whl", &mut |path| {
        std::fs::write(path.join("begun"), "")?;
        // Another start comes along and cleans up.
        publish(&silent(&root), "ab/y.whl");
        assert!(path.join("begun").exists());
        Ok(())
    });
    assert!(path.unwrap().join("begun").exists());
}

#[test]
fn leftovers_of_another_boot_go_by_age() {
    let temp = directory();
    let root = temp.path().join("root");
    let store = silent(&root);
    let left = |name: &str, age: Duration| {
        let path = root.join("v2/tmp").join(name);
        std::fs::create_dir(&path).unwrap();
        let time = std::time::SystemTime::now() - age;
        std::fs::File::open(&path)
            .unwrap()
            .set_modified(time)
            .unwrap();
    };
    left("00000000-1-0-0", Duration::from_secs(60));
    left("00000000-1-1-0", Duration::from_secs(60 * 60 * 48));
    publish(&store, "ab/x.whl");
    assert_eq!(leftovers(&root), ["00000000-1-0-0"]);
}

#[test]
fn after_a_power_cut_what_fell_short_is_made_again_and_the_rest_is_kept() {
    let temp = directory();
    let root = temp.path().join("root");
    let mut store = silent(&root);
    let (whole, short) = (
        publish(&store, "ab/whole.whl"),
        publish(&store, "ab/short.whl"),
    );
    std::fs::write(short.join("package/3.py"), "").unwrap();
    std::fs::create_dir(whole.join("package/__pycache__")).unwrap();
    assert_eq!(
        store.find(Kind::Wheels, "ab/short.whl"),
        Some(short.clone()),
        "trusted in the boot that wrote it"
    );
    assert!(!store.verify(Kind::Wheels, "ab/short.whl"));
    store.boot = BootId([7; 16]);
    assert_eq!(
        store.find(Kind::Wheels, "ab/whole.whl"),
        Some(whole.clone())
    );
    assert_eq!(store.find(Kind::Wheels, "ab/short.whl"), None);
    assert!(is_whole(&publish(&store, "ab/short.whl")));
    // The one that was checked is known to be on disk now: later boots do not look again.
    store.boot = BootId([8; 16]);
    std::fs::remove_file(whole.join("package/3.py")).unwrap();
    assert_eq!(store.find(Kind::Wheels, "ab/whole.whl"), Some(whole));
}

#[test]
fn an_entry_without_a_whole_manifest_is_no_entry() {
    let temp = directory();
    let root = temp.path().join("root");
    let store = silent(&root);
    for damage in [&b""[..], b"pexboot manifest 1\n", &[0; 300]] {
        let path = publish(&store, "ab/x.whl");
        std::fs::write(manifest::path_of(&path), damage).unwrap();
        assert_eq!(store.find(Kind::Wheels, "ab/x.whl"), None);
    }
    assert!(is_whole(&publish(&store, "ab/x.whl")));
}

#[test]
fn repair_finds_what_is_damaged() {
    let temp = directory();
    let root = temp.path().join("root");
    let mut store = silent(&root);
    let path = publish(&store, "ab/x.whl");
    std::fs::remove_file(path.join("package/0.py")).unwrap();
    store.distrust();
    assert!(is_whole(&publish(&store, "ab/x.whl")));
    assert_eq!(leftovers(&root), [""; 0]);
}

#[test]
fn what_was_set_aside_is_made_again() {
    let temp = directory();
    let store = silent(&temp.path().join("root"));
    publish(&store, "ab/x.whl");
    store.set_aside(Kind::Wheels, "ab/x.whl").unwrap();
    assert_eq!(store.find(Kind::Wheels, "ab/x.whl"), None);
    store.set_aside(Kind::Wheels, "ab/x.whl").unwrap();
}

#[test]
fn something_else_in_the_place_of_an_entry_goes() {
    let temp = directory();
    let root = temp.path().join("root");
    let store = silent(&root);
    std::fs::create_dir_all(root.join("v2/wheels/ab")).unwrap();
    std::fs::write(root.join("v2/wheels/ab/x.whl"), "a file").unwrap();
    assert!(is_whole(&publish(&store, "ab/x.whl")));
    std::fs::create_dir_all(root.join("v2/interpreters/key/in/the/way")).unwrap();
    let path = store.file(Kind::Interpreters, "key", b"record").unwrap();
    assert_eq!(std::fs::read(path).unwrap(), b"record");
}

#[test]
fn a_launch_is_what_belongs_there_and_nothing_in_use_is_replaced() {
    let temp = directory();
    let store = silent(&temp.path().join("root"));
    let files: [(&str, &[u8]); 2] = [("app", b"boot"), ("data", b"data")];
    let launch = store.launch("id", &files, Some("importing"));
    let launch = launch.unwrap().unwrap();
    assert!(launch.join("importing").is_file());
    let inode = |path: &Path| std::fs::metadata(path).unwrap().ino();
    let before = inode(&launch);
    std::fs::remove_file(launch.join("importing")).unwrap();
    std::fs::write(launch.join("pack"), "pack").unwrap();
    assert_eq!(
        store.launch("id", &files, Some("importing")).unwrap(),
        Some(launch.clone())
    );
    assert_eq!(inode(&launch), before);
    assert!(launch.join("pack").is_file() && !launch.join("importing").exists());
    // Of another boot the small files are compared, and the pack is made again.
    std::fs::write(launch.join("boot_id"), [9; 16]).unwrap();
    store.launch("id", &files, None).unwrap();
    assert_eq!(inode(&launch), before);
    assert!(!launch.join("pack").exists());
    // What a power cut has left of it is none.
    std::fs::write(launch.join("data"), "").unwrap();
    store.launch("id", &files, None).unwrap();
    assert_eq!(std::fs::read(launch.join("data")).unwrap(), b"data");
    assert_eq!(store.discarded(), [launch]);
    assert_eq!(leftovers(store.root()), [""; 0]);
}

#[test]
fn a_launch_that_many_make_at_once_is_one() {
    let temp = directory();
    let root = temp.path().join("root");
    let root = &root;
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(move || {
                let store = silent(root);
                for round in 0..50_u32 {
                    let text = round.to_string();
                    let files = [("data", text.as_bytes()), ("app", text.as_bytes())];
                    let launch = store.launch(&text, &files, None).unwrap().unwrap();
                    assert_eq!(std::fs::read_to_string(launch.join("app")).unwrap(), text);
                }
            });
        }
    });
    assert_eq!(leftovers(root), [""; 0]);
}

#[test]
fn a_manifest_reads_back_and_nothing_else_does() {
    let temp = directory();
    fill(temp.path()).unwrap();
    symlink("package", temp.path().join("link")).unwrap();
    std::fs::write(temp.path().join("with\nnewline and blank"), "x").unwrap();
    let manifest = Manifest::of_directory(temp.path(), BootId([3; 16])).unwrap();
    let bytes = manifest.encode();
    assert_eq!(Manifest::decode(&bytes), Some(manifest.clone()));
    assert!(manifest.holds(temp.path()));
    for length in 0..bytes.len() {
        assert_eq!(Manifest::decode(&bytes[..length]), None, "cut at {length}");
    }
    std::fs::remove_file(temp.path().join("link")).unwrap();
    std::fs::write(temp.path().join("link"), "package").unwrap();
    assert!(
        !manifest.holds(temp.path()),
        "a file of a link's size is no link"
    );
}

#[test]
fn a_tree_takes_safe_paths_only_and_follows_no_link() {
    let temp = directory();
    let mut tree = Tree::new(temp.path()).unwrap();
    for path in ["", "/x", "..", "a/..", "a/../b", "../x", "a//b", "./a"] {
        assert!(tree.write(path, b"", false).is_err(), "{path:?}");
    }
    tree.write("a/b/c.py", b"c", false).unwrap();
    tree.write("a/b/run", b"r", true).unwrap();
    assert!(tree.write("a/b/c.py", b"again", false).is_err());
    tree.link("a/out", Path::new("/tmp")).unwrap();
    assert!(tree.write("a/out/x", b"", false).is_err());
    assert!(tree.write("a/out/deep/x", b"", false).is_err());
    tree.hard_link("d", &temp.path().join("a/b/c.py")).unwrap();
    assert_eq!(std::fs::read(temp.path().join("d")).unwrap(), b"c");
}

#[test]
fn what_was_settled_is_trusted_in_every_later_boot() {
    let temp = directory();
    let mut store = silent(&temp.path().join("root"));
    let (one, two) = (
        publish(&store, "ab/x.whl"),
        store.directory(Kind::Sites, "key", &mut fill).unwrap(),
    );
    store.settle().unwrap();
    store.boot = BootId([7; 16]);
    for (path, kind, name) in [(one, Kind::Wheels, "ab/x.whl"), (two, Kind::Sites, "key")] {
        // Nobody looks: even a damaged one is taken on trust.
        std::fs::remove_file(path.join("package/0.py")).unwrap();
        assert_eq!(store.find(kind, name), Some(path));
    }
}

#[test]
fn settling_vouches_for_nothing_of_an_earlier_boot() {
    let temp = directory();
    let mut store = silent(&temp.path().join("root"));
    let path = publish(&store, "ab/x.whl");
    std::fs::write(path.join("package/0.py"), "").unwrap();
    store.boot = BootId([7; 16]);
    store.settle().unwrap();
    assert_eq!(store.find(Kind::Wheels, "ab/x.whl"), None);
}

#[test]
fn two_boots_that_are_not_known_are_not_the_same() {
    let temp = directory();
    let mut store = silent(&temp.path().join("root"));
    store.boot = BootId([0xff; 16]);
    let path = publish(&store, "ab/x.whl");
    assert_eq!(store.find(Kind::Wheels, "ab/x.whl"), Some(path.clone()));
    store.boot = BootId([0xff; 16]);
    let another = publish(&store, "ab/y.whl");
    std::fs::write(another.join("package/0.py"), "").unwrap();
    assert_eq!(store.find(Kind::Wheels, "ab/y.whl"), None);
}
