//! What comes out of a PEX, and that nobody can bring in under another's name what was not promised.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use sha2::{Digest as _, Sha256};

use super::*;
use crate::archive::testing::{self, Shape, build, deflated, stored};

const WHEEL: &str = "foo-1.0-py3-none-any.whl";
const LAYOUT: &str =
    r#"{"fingerprint":"x","record_relpath":"r","stash_dir":".prefix","sys_path_entries":["."]}"#;

/// Files of a chroot: path, content, and mode (0644 where it is 0).
type Files<'a> = &'a [(&'a str, &'a str, u32)];

/// The hash that pex takes of these files, in the order given here.
fn promise(files: &[(&str, &str)]) -> String {
    let mut hash = Sha256::new();
    files.iter().for_each(|(path, _)| hash.update(path));
    files.iter().for_each(|(_, content)| hash.update(content));
    hex(&hash.finalize())
}

struct World {
    temp: tempfile::TempDir,
    store: Store,
}

impl World {
    fn new() -> World {
        let temp = tempfile::tempdir().unwrap();
        let store = Store::scratch(temp.path()).unwrap();
        World { temp, store }
    }

    /// A PEX of one wheel, with this fingerprint in PEX-INFO.
    fn pex(&self, wheel: Vec<testing::Member>, fingerprint: &str, wheel_files: bool) -> Pex {
        let info = format!(
            r#"{{"distributions":{{"{WHEEL}":"{fingerprint}"}},"deps_are_wheel_files":{wheel_files}}}"#
        );
        let mut members = wheel;
        members.push(stored("PEX-INFO", info.as_bytes()));
        members.push(stored("app.py", b"code"));
        members.push(testing::Member {
            mode: 0o100_755,
            ..stored("bin/.run", b"run")
        });
        let directory = tempfile::tempdir_in(self.temp.path()).unwrap().keep();
        Pex::open(&testing::file(
            &directory,
            &build(&members, &Shape::default()),
        ))
        .unwrap()
    }

    fn chroot(&self, files: Files<'_>, fingerprint: &str) -> Pex {
        let members = files.iter().map(|(path, content, mode)| testing::Member {
            mode: if *mode == 0 { 0o100_644 } else { *mode },
            ..deflated(&format!(".deps/{WHEEL}/{path}"), content.as_bytes())
        });
        self.pex(members.collect(), fingerprint, false)
    }

    fn unpack(&self, pex: &Pex) -> Result<Unpacked, UnpackError> {
        let selected = Selected::all(&pex.info);
        wheels(pex, &selected, &self.store, false).map(|mut wheels| wheels.remove(0))
    }

    /// Unpacks a chroot of these files, promised as they are listed in `promised`.
    fn unpack_chroot(&self, files: Files<'_>, promised: &[(&str, &str)]) -> Unpacked {
        self.unpack(&self.chroot(files, &promise(promised)))
            .unwrap()
    }
}

/// Every file below, with an `x` behind the executable ones.
fn listing(root: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut left = vec![root.to_owned()];
    while let Some(directory) = left.pop() {
        for entry in std::fs::read_dir(&directory).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_dir() {
                left.push(entry.path());
                continue;
            }
            let mode = entry.metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o7022, 0, "{:?}", entry.path());
            let path = entry
                .path()
                .strip_prefix(root)
                .unwrap()
                .display()
                .to_string();
            found.push(if mode & 0o100 != 0 { path + " x" } else { path });
        }
    }
    found.sort();
    found
}

#[test]
fn a_chroot_comes_out_as_it_is_with_the_modes_that_count() {
    let world = World::new();
    let files: Files<'_> = &[
        ("foo/__init__.py", "init", 0),
        ("foo/run", "run", 0o100_755),
        ("foo/typeless", "t", 0o755),
        ("foo/set-id", "s", 0o104_711),
        ("foo/secret", "s", 0o100_600),
        ("foo/link", "target", 0o120_777),
        (".layout.json", LAYOUT, 0),
    ];
    let promised = [
        ("foo/__init__.py", "init"),
        ("foo/link", "target"),
        ("foo/run", "run"),
        ("foo/secret", "s"),
        ("foo/set-id", "s"),
        ("foo/typeless", "t"),
    ];
    let wheel = world.unpack_chroot(files, &promised);
    assert_eq!(
        listing(&wheel.path),
        [
            ".layout.json",
            "foo/__init__.py",
            "foo/link",
            "foo/run x",
            "foo/secret",
            "foo/set-id x",
            "foo/typeless"
        ]
    );
    assert_eq!(
        std::fs::read_to_string(wheel.path.join("foo/link")).unwrap(),
        "target"
    );
    assert_eq!(wheel.path.file_name().unwrap(), WHEEL);
    assert_eq!(
        (wheel.name.as_str(), wheel.entries),
        (WHEEL, vec![".".to_owned()])
    );
}

#[test]
fn two_pexes_share_a_wheel_that_is_the_same() {
    let world = World::new();
    let one = world.unpack_chroot(
        &[("a.py", "a", 0), ("b.py", "b", 0)],
        &[("a.py", "a"), ("b.py", "b")],
    );
    let other = world.unpack_chroot(
        &[("b.py", "b", 0), ("a.py", "a", 0)],
        &[("a.py", "a"), ("b.py", "b")],
    );
    assert_eq!(one, other);
}

#[test]
fn a_broken_promise_publishes_nothing() {
    let world = World::new();
    let pex = world.chroot(&[("a.py", "tampered", 0)], &promise(&[("a.py", "honest")]));
    let error = world.unpack(&pex).unwrap_err();
    assert!(
        matches!(&error, UnpackError::Promise { wheel, .. } if wheel == WHEEL),
        "{error}"
    );
    assert!(
        error.to_string().contains("damaged or was tampered with"),
        "{error}"
    );
    let root = world.store.root().join("v2");
    assert_eq!(std::fs::read_dir(root.join("tmp")).unwrap().count(), 0);
    assert!(!root.join("wheels").exists());
}

#[test]
fn what_hashes_the_same_but_is_another_tree_is_kept_apart() {
    // Names and contents are run together in the hash: here a byte moves from one file to the next, and from one name to
    // the next; and x bits are not in it at all.
    let world = World::new();
    let promised = [("a.py", "12"), ("b.py", "3")];
    let honest = world.unpack_chroot(&[("a.py", "12", 0), ("b.py", "3", 0)], &promised);
    for forged in [
        &[("a.py", "1", 0), ("b.py", "23", 0)][..],
        &[("a.py", "12", 0o100_755), ("b.py", "3", 0)],
        &[("a.pyb.py", "123", 0)],
    ] {
        let forged = world.unpack_chroot(forged, &promised);
        assert_ne!(forged.path, honest.path);
    }
    assert_eq!(
        std::fs::read_to_string(honest.path.join("a.py")).unwrap(),
        "12"
    );
}

#[test]
fn bytecode_that_nobody_promised_is_left_out_or_kept_apart() {
    let world = World::new();
    let promised = [("a.py", "a")];
    let dead: Files<'_> = &[
        ("a.py", "a", 0),
        ("a.pyc", "evil", 0),
        ("__pycache__/a.cpython-311.pyc", "evil", 0),
    ];
    let plain = world.unpack_chroot(&[("a.py", "a", 0)], &promised);
    assert_eq!(world.unpack_chroot(dead, &promised), plain);
    assert_eq!(listing(&plain.path), ["a.py"]);
    // Without source it runs, so it stays; and makes another wheel of it.
    let one = world.unpack_chroot(&[("a.py", "a", 0), ("b.pyc", "one", 0)], &promised);
    let two = world.unpack_chroot(&[("a.py", "a", 0), ("b.pyc", "two", 0)], &promised);
    assert_eq!(listing(&one.path), ["a.py", "b.pyc"]);
    assert!(one.path != plain.path && two.path != plain.path && one.path != two.path);
}

#[test]
fn a_layout_decides_for_its_own_pex_alone() {
    let world = World::new();
    let files = [("a.py", "a"), (".prefix/platlib/b.py", "b")];
    let promised = [(".prefix/platlib/b.py", "b"), ("a.py", "a")];
    let entries = |listed: &str| {
        let layout = format!(r#"{{"fingerprint":"x","sys_path_entries":{listed}}}"#);
        let files: Vec<_> = files
            .iter()
            .map(|(path, content)| (*path, *content, 0))
            .chain([(".layout.json", layout.as_str(), 0)])
            .collect();
        world.unpack_chroot(&files, &promised).entries
    };
    assert_eq!(
        entries(r#"[".",".prefix/platlib"]"#),
        [".", ".prefix/platlib"]
    );
    assert_eq!(entries(r#"[""]"#), ["."]);
    assert_eq!(
        entries(r#"[".","../../evil","/tmp",".prefix/../..","missing",".",1]"#),
        ["."]
    );
    assert_eq!(entries(r#""no list""#), ["."]);
    assert_eq!(entries("null"), ["."]);
}

#[test]
fn a_layout_of_old_is_part_of_the_promise() {
    // 2.1.137 wrote it before it took the hash.
    let layout = r#"{"record_relpath":"r","stash_dir":".prefix"}"#;
    let world = World::new();
    let files: Files<'_> = &[("a.py", "a", 0), (".layout.json", layout, 0)];
    let wheel = world.unpack_chroot(files, &[(".layout.json", layout), ("a.py", "a")]);
    assert_eq!(wheel.entries, ["."]);
    assert!(
        world
            .unpack(&world.chroot(files, &promise(&[("a.py", "a")])))
            .is_err()
    );
}

#[test]
fn a_promise_that_cannot_be_checked_is_replaced_by_the_content() {
    let world = World::new();
    let sha1 = "0".repeat(40);
    let unpack = |content| {
        world
            .unpack(&world.chroot(&[("a.py", content, 0)], &sha1))
            .unwrap()
    };
    let (one, two) = (unpack("one"), unpack("two"));
    assert_ne!(one.path, two.path);
    assert_eq!(unpack("one"), one);
    assert_eq!(
        world.unpack_chroot(&[("a.py", "one", 0)], &[("a.py", "one")]),
        one
    );
}

#[test]
fn a_large_member_streams_and_is_checked_all_the_same() {
    let world = World::new();
    let large = "x".repeat(usize::try_from(item::WHOLE).unwrap() + 1);
    let wheel = world.unpack_chroot(
        &[("a.py", "a", 0), ("big", &large, 0)],
        &[("a.py", "a"), ("big", &large)],
    );
    assert_eq!(
        std::fs::metadata(wheel.path.join("big")).unwrap().len(),
        large.len() as u64
    );
    assert!(
        world
            .unpack(&world.chroot(&[("big", &large, 0)], &promise(&[("big", "y")])))
            .is_err()
    );
}

#[test]
fn a_wheel_file_is_checked_as_a_whole() {
    let world = World::new();
    let wheel = build(
        &[
            deflated("foo.py", b"foo"),
            deflated("foo-1.0.dist-info/METADATA", b"Name: foo\nVersion: 1.0\n"),
            deflated(
                "foo-1.0.dist-info/WHEEL",
                b"Root-Is-Purelib: true\nTag: py3-none-any\n",
            ),
            deflated(
                "foo-1.0.dist-info/RECORD",
                b"foo.py,,\nfoo-1.0.dist-info/RECORD,,\n",
            ),
        ],
        &Shape::default(),
    );
    let fingerprint = hex(&Sha256::digest(&wheel));
    let member = || vec![stored(&format!(".deps/{WHEEL}"), &wheel)];
    let good = world
        .unpack(&world.pex(member(), &fingerprint, true))
        .unwrap();
    assert_eq!(std::fs::read(good.path.join("foo.py")).unwrap(), b"foo");
    let bad = world.pex(member(), &"0".repeat(64), true);
    assert!(matches!(
        world.unpack(&bad),
        Err(UnpackError::Promise { .. })
    ));
    let old = world
        .unpack(&world.pex(member(), &"0".repeat(40), true))
        .unwrap();
    assert_eq!(old, good);
}

#[test]
fn user_code_is_kept_under_its_fingerprint() {
    let world = World::new();
    let pex = world.chroot(&[("a.py", "a", 0)], &promise(&[("a.py", "a")]));
    let fingerprint = pex.fingerprint().unwrap();
    let path = code(&pex, &fingerprint, &world.store).unwrap();
    assert_eq!(listing(&path), ["app.py", "bin/.run x"]);
    assert_eq!(
        path.file_name().unwrap().to_str().unwrap(),
        hex(&fingerprint)
    );
    let error = code(&pex, &[1; 32], &world.store).unwrap_err();
    assert!(matches!(error, UnpackError::Code { .. }), "{error}");
    assert_eq!(world.store.find(Kind::Code, &hex(&[1; 32])), None);
}

#[test]
fn many_wheels_come_back_in_the_order_asked_for() {
    let world = World::new();
    let names: Vec<String> = (0..40)
        .map(|number| format!("w{number}-1-py3-none-any.whl"))
        .collect();
    let content = "x".repeat(100_000);
    let members: Vec<_> = names
        .iter()
        .map(|name| stored(&format!(".deps/{name}/a.py"), content.as_bytes()))
        .chain([stored("PEX-INFO", b"{}")])
        .collect();
    let pex = Pex::open(&testing::file(
        world.temp.path(),
        &build(&members, &Shape::default()),
    ))
    .unwrap();
    let promised = promise(&[("a.py", &content)]);
    let selected: Vec<Selected> = names
        .iter()
        .map(|name| Selected {
            name: name.clone(),
            fingerprint: promised.clone(),
        })
        .collect();
    for _ in 0..2 {
        let unpacked = wheels(&pex, &selected, &world.store, false).unwrap();
        assert!(unpacked.iter().map(|wheel| &wheel.name).eq(&names));
        assert!(
            unpacked
                .iter()
                .all(|wheel| wheel.path.join("a.py").exists())
        );
    }
}

#[test]
fn every_job_is_done_once_until_one_fails() {
    use std::sync::atomic::{AtomicU32, Ordering};
    let sizes: Vec<Option<u64>> = (0..50)
        .map(|number| (number % 3 > 0).then_some(1 << 20))
        .collect();
    let done: Vec<AtomicU32> = (0..50).map(|_| AtomicU32::new(0)).collect();
    pool::each::<()>(&sizes, |index, _| {
        done[index].fetch_add(1, Ordering::Relaxed);
        Ok(())
    })
    .unwrap();
    for (index, done) in done.iter().enumerate() {
        assert_eq!(
            done.load(Ordering::Relaxed),
            u32::from(index % 3 > 0),
            "{index}"
        );
    }
    assert!(pool::each(&sizes, |index, _| Err(index)).is_err_and(|index| index % 3 > 0));
}

/// Files of all sizes: many small ones, some that fill what may be held, one that streams or is held alone.
fn mixed() -> Vec<(String, String)> {
    let whole = usize::try_from(item::WHOLE).unwrap();
    (0..200)
        .map(|number| {
            (
                format!("a/{number:03}.py"),
                format!("{number}\n").repeat(number * 7),
            )
        })
        .chain((0..3).map(|number| (format!("b/{number}"), "b".repeat(whole - number))))
        .chain([("c/large".to_owned(), "c".repeat(whole + 1))])
        .chain((0..50).map(|number| (format!("d/{number:03}.py"), "d".repeat(number))))
        .collect()
}

#[test]
fn many_hands_on_one_wheel_do_what_one_does() {
    use hasher::DirectoryHash;
    use item::{Bytes, Item};
    let temp = tempfile::tempdir().unwrap();
    let files = mixed();
    let members: Vec<_> = files
        .iter()
        .map(|(path, content)| deflated(path, content.as_bytes()))
        .collect();
    let path = crate::archive::testing::file(temp.path(), &build(&members, &Shape::default()));
    let archive = crate::archive::Archive::open(&path).unwrap();
    // Every third as a loose PEX has it.
    let loose: Vec<PathBuf> = (0..files.len())
        .map(|number| temp.path().join(number.to_string()))
        .collect();
    for ((_, content), path) in files.iter().zip(&loose).step_by(3) {
        std::fs::write(path, content).unwrap();
    }
    let items = |damage: bool| -> Vec<Item<'_>> {
        let mut items: Vec<Item<'_>> = (files.iter().zip(archive.entries()).zip(&loose))
            .enumerate()
            .map(|(number, (((path, content), entry), loose))| Item {
                path: path.clone(),
                executable: false,
                hashed: true,
                bytes: match number % 3 {
                    0 => Bytes::File(loose, content.len() as u64),
                    _ => Bytes::Entry(&archive, entry),
                },
            })
            .collect();
        if damage {
            // A file where a directory has to be.
            items[100].path = "b".to_owned();
        }
        items
    };
    let files: Vec<(&str, &str)> = (files.iter())
        .map(|(path, content)| (path.as_str(), content.as_str()))
        .collect();
    let progress = progress::Progress::new("", 0, false);
    for hands in [1, 2, 5] {
        for damage in [false, true] {
            let root = tempfile::tempdir().unwrap();
            let items = items(damage);
            let hash = DirectoryHash::new(&items);
            let work = work::Work::new(root.path(), &items, hash, &progress);
            let result = std::thread::scope(|scope| {
                for _ in 1..hands {
                    scope.spawn(|| work::Shared::help(&work));
                }
                work.finish()
            });
            if damage {
                assert!(result.is_err(), "{hands}");
                continue;
            }
            assert_eq!(result.unwrap().finish(), promise(&files), "{hands}");
            for (path, content) in &files {
                let found = std::fs::read(root.path().join(path)).unwrap();
                assert!(found == content.as_bytes(), "{path} by {hands}");
            }
        }
    }
}

#[test]
fn a_loose_file_that_changes_meanwhile_is_told() {
    use hasher::DirectoryHash;
    use item::{Bytes, Item};
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join("loose");
    std::fs::write(&path, "content").unwrap();
    let progress = progress::Progress::new("", 0, false);
    for (size, is_right) in [(6, false), (7, true), (8, false)] {
        let root = tempfile::tempdir().unwrap();
        let items = [Item {
            path: "a.py".to_owned(),
            executable: false,
            hashed: true,
            bytes: Bytes::File(&path, size),
        }];
        let hash = DirectoryHash::new(&items);
        let result = work::Work::new(root.path(), &items, hash, &progress).finish();
        assert_eq!(result.is_ok(), is_right, "{size}");
        let told = result.err().map(|error| error.to_string());
        assert!(told.is_none_or(|told| told.contains("changed while it was read")));
    }
}

#[test]
fn what_is_noted_is_what_is_there() {
    let world = World::new();
    let wheel = world.unpack_chroot(
        &[
            ("a.py", "a", 0),
            ("p/q/b.py", "bb", 0o100_755),
            ("p-q.py", "", 0),
        ],
        &[("a.py", "a"), ("p-q.py", ""), ("p/q/b.py", "bb")],
    );
    let manifest = std::fs::read(format!("{}.manifest", wheel.path.display())).unwrap();
    let text = String::from_utf8(manifest).unwrap();
    let listed: Vec<&str> = text.split('\0').collect();
    assert!(listed[0].ends_with("f 1 a.py"), "{text}");
    assert_eq!(listed[1..], ["f 0 p-q.py", "f 2 p/q/b.py", "end\n"]);
}

#[test]
fn what_is_unpacked_ahead_is_not_unpacked_again() {
    let world = World::new();
    let pex = world.chroot(&[("a.py", "a", 0)], &promise(&[("a.py", "a")]));
    let certain = Selected::all(&pex.info);
    let stopped = ahead(&pex, &certain, &world.store, false, &AtomicBool::new(true));
    assert_eq!(stopped, []);
    let found = ahead(&pex, &certain, &world.store, false, &AtomicBool::new(false));
    // With one processor nothing is done ahead.
    assert_eq!(found.len(), usize::from(processors::processors() > 1));
    let unpacked = world.unpack(&pex).unwrap();
    assert!(found.iter().all(|found| *found == unpacked));
    let selected = Selected::all(&pex.info);
    std::fs::remove_dir_all(&unpacked.path).unwrap();
    let known = std::slice::from_ref(&unpacked);
    let again = rest(&pex, &selected, known, &world.store, false).unwrap();
    assert_eq!(again, known);
    assert!(!unpacked.path.exists(), "it was known to be there");
    // What is wrong with it is told where it is needed.
    let pex = world.chroot(&[("a.py", "a", 0)], &promise(&[("a.py", "b")]));
    assert_eq!(
        ahead(
            &pex,
            &Selected::all(&pex.info),
            &world.store,
            false,
            &AtomicBool::new(false)
        ),
        []
    );
    assert!(world.unpack(&pex).is_err());
}
