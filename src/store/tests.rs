//! What the store promises, seen from outside: nothing half-published, no leftovers, no trust in others' directories.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::*;

const FILES: usize = 24;

fn candidates(root: &Path) -> Candidates {
    Candidates {
        explicit: Some(root.to_owned()),
        fallback: root.with_extension("fallback"),
        ..Candidates::default()
    }
}

/// The store at `root`; says anything, and the test fails.
fn silent(root: &Path) -> Store {
    Store::open_candidates(candidates(root), &mut |line| panic!("said: {line}")).unwrap()
}

/// The store, and what it said.
fn open(candidates: Candidates) -> (Result<Store, StoreError>, Vec<String>) {
    let mut said = Vec::new();
    let store = Store::open_candidates(candidates, &mut |line| said.push(line.to_owned()));
    (store, said)
}

fn fill(path: &Path) -> Result<(), FillError> {
    let mut tree = Tree::new(path)?;
    for number in 0..FILES {
        tree.write(&format!("package/{number}.py"), b"content", false)?;
    }
    Ok(())
}

fn publish(store: &Store, name: &str) -> PathBuf {
    store.directory(Kind::Wheels, name, &mut fill).unwrap()
}

fn is_whole(path: &Path) -> bool {
    (0..FILES).all(|number| {
        std::fs::read(path.join("package").join(format!("{number}.py")))
            .is_ok_and(|bytes| bytes == b"content")
    })
}

fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn leftovers(root: &Path) -> Vec<String> {
    names(&root.join("v1/tmp"))
}

fn mode(path: &Path) -> u32 {
    path.metadata().unwrap().permissions().mode() & 0o7777
}

fn chmod(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

fn directory() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

/// Runs the test of this name again in a process of its own, where `is_child` holds.
fn child(test: &str, root: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "--nocapture", &format!("store::tests::{test}")])
        .env("STORE_TEST_ROOT", root);
    command
}

fn child_root() -> Option<PathBuf> {
    std::env::var_os("STORE_TEST_ROOT").map(PathBuf::from)
}

#[test]
fn a_directory_is_published_once_and_found_again() {
    let temp = directory();
    let root = temp.path().join("root");
    let store = silent(&root);
    assert_eq!(store.find(Kind::Wheels, "ab/x.whl"), None);
    let path = publish(&store, "ab/x.whl");
    assert_eq!(path, root.join("v1/wheels/ab/x.whl"));
    assert!(is_whole(&path));
    let again = silent(&root)
        .directory(Kind::Wheels, "ab/x.whl", &mut |_| panic!("filled twice"))
        .unwrap();
    assert_eq!(again, path);
    assert_eq!(leftovers(&root), [""; 0]);
    assert_eq!(names(&root.join("v1/locks")), [""; 0]);
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
fn where_locks_do_not_work_the_rename_decides() {
    let temp = directory();
    let root = temp.path().join("root");
    silent(&root);
    // Nobody can lock what is a directory.
    std::fs::create_dir(root.join("v1/locks/wheels-ab-x.whl")).unwrap();
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
            store
                .replace(
                    Kind::Launches,
                    "key",
                    &[("data", name.as_bytes()), ("plan", name.as_bytes())],
                )
                .unwrap();
        }
    }
    let temp = directory();
    let root = temp.path().join("root");
    for round in 0..20 {
        let mut process = child("a_root_survives_kill_9_at_any_moment_without_a_word", &root)
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
        if let Some(launch) = store.find(Kind::Launches, "key") {
            let data = std::fs::read(launch.join("data")).unwrap();
            assert_eq!(data, std::fs::read(launch.join("plan")).unwrap());
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
        let path = root.join("v1/tmp").join(name);
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
    std::fs::create_dir_all(root.join("v1/wheels/ab")).unwrap();
    std::fs::write(root.join("v1/wheels/ab/x.whl"), "a file").unwrap();
    assert!(is_whole(&publish(&store, "ab/x.whl")));
    std::fs::create_dir_all(root.join("v1/interpreters/key/in/the/way")).unwrap();
    let path = store.file(Kind::Interpreters, "key", b"record").unwrap();
    assert_eq!(std::fs::read(path).unwrap(), b"record");
}

#[test]
fn a_launch_is_replaced_whole() {
    let temp = directory();
    let store = silent(&temp.path().join("root"));
    for (data, plan) in [("1", "1"), ("1", "2"), ("3", "3"), ("3", "3")] {
        let path = store
            .replace(
                Kind::Launches,
                "key",
                &[("data", data.as_bytes()), ("plan", plan.as_bytes())],
            )
            .unwrap();
        assert_eq!(store.find(Kind::Launches, "key").as_ref(), Some(&path));
        assert_eq!(std::fs::read_to_string(path.join("data")).unwrap(), data);
        assert_eq!(std::fs::read_to_string(path.join("plan")).unwrap(), plan);
    }
    assert_eq!(leftovers(store.root()), [""; 0]);
}

#[test]
fn a_launch_that_many_replace_at_once_is_never_mixed() {
    let temp = directory();
    let root = temp.path().join("root");
    let root = &root;
    std::thread::scope(|scope| {
        for number in 0..8 {
            scope.spawn(move || {
                let store = silent(root);
                let text = number.to_string();
                let files = [("data", text.as_bytes()), ("plan", text.as_bytes())];
                for _ in 0..50 {
                    store.replace(Kind::Launches, "key", &files).unwrap();
                }
            });
        }
    });
    let launch = root.join("v1/launches/key");
    assert_eq!(
        std::fs::read(launch.join("data")).unwrap(),
        std::fs::read(launch.join("plan")).unwrap()
    );
    assert_eq!(leftovers(root), [""; 0]);
}

#[test]
fn any_usual_umask_will_do() {
    if let Some(root) = child_root() {
        let umask = std::env::var("STORE_TEST_UMASK").unwrap();
        nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(
            u32::from_str_radix(&umask, 8).unwrap(),
        ));
        let store = silent(&root);
        publish(&store, "ab/x.whl");
        store.executable(Kind::Engine, "digest", b"engine").unwrap();
        return;
    }
    for (umask, directory_mode, file_mode) in [
        ("000", 0o755, 0o644),
        ("022", 0o755, 0o644),
        ("077", 0o700, 0o600),
    ] {
        let temp = directory();
        let root = temp.path().join("above/root");
        let status = child("any_usual_umask_will_do", &root)
            .env("STORE_TEST_UMASK", umask)
            .stdout(Stdio::null())
            .status();
        assert!(status.unwrap().success());
        assert_eq!(mode(&temp.path().join("above")), 0o700);
        assert_eq!(mode(&root), 0o700);
        assert_eq!(
            mode(&root.join("v1/wheels/ab/x.whl/package")),
            directory_mode,
            "umask {umask}"
        );
        assert_eq!(
            mode(&root.join("v1/wheels/ab/x.whl/package/1.py")),
            file_mode,
            "umask {umask}"
        );
        assert_eq!(
            mode(&root.join("v1/engine/digest")),
            directory_mode,
            "umask {umask}"
        );
        assert!(is_whole(&publish(&silent(&root), "ab/y.whl")));
    }
}

#[test]
fn a_named_root_that_others_may_write_to_is_refused_with_the_way_out() {
    let temp = directory();
    let root = temp.path().join("root");
    silent(&root);
    chmod(&root, 0o777);
    let error = open(candidates(&root)).0.unwrap_err().to_string();
    assert!(
        error.contains("can be written by others (mode 777)") && error.contains("chmod go-w"),
        "{error}"
    );
    // The sticky bit is no excuse for the root itself, only above it.
    chmod(&root, 0o1777);
    assert!(open(candidates(&root)).0.is_err());
    chmod(&root, 0o700);
    chmod(temp.path(), 0o777);
    assert!(open(candidates(&root)).0.is_err());
    chmod(temp.path(), 0o1777);
    silent(&root);
    chmod(temp.path(), 0o700);
}

#[test]
fn a_cache_that_others_may_write_to_is_passed_over_with_one_line() {
    let temp = directory();
    let cache = temp.path().join("cache");
    std::fs::create_dir(&cache).unwrap();
    chmod(&cache, 0o770);
    let fallback = temp.path().join("fallback");
    let (store, said) = open(Candidates {
        cache: Some(cache.join("pexboot")),
        fallback: fallback.clone(),
        ..Candidates::default()
    });
    assert_eq!(store.unwrap().root(), fallback);
    assert_eq!(said.len(), 1);
    assert!(said[0].contains("can be written by others"), "{said:?}");
    assert!(!cache.join("pexboot").exists());
}

#[test]
fn others_directories_are_not_trusted() {
    if !nix::unistd::geteuid().is_root() {
        // Only root can give a directory away.
        return;
    }
    let temp = directory();
    let root = temp.path().join("root");
    silent(&root);
    std::os::unix::fs::chown(&root, Some(12345), None).unwrap();
    let error = open(candidates(&root)).0.unwrap_err().to_string();
    assert!(error.contains("belongs to user 12345"), "{error}");
    // Nor is a link that another user has laid, to a directory that is fine by itself.
    std::os::unix::fs::chown(&root, Some(0), None).unwrap();
    let link = temp.path().join("link");
    symlink(&root, &link).unwrap();
    assert_eq!(silent(&link).root(), root);
    std::os::unix::fs::lchown(&link, Some(12345), None).unwrap();
    assert!(open(candidates(&link)).0.is_err());
}

#[test]
fn links_lead_to_a_root_that_is_known_by_its_real_path() {
    let temp = directory();
    let real = temp.path().join("real");
    std::fs::create_dir(&real).unwrap();
    symlink("real", temp.path().join("relative")).unwrap();
    symlink(
        temp.path().join("relative/../real"),
        temp.path().join("absolute"),
    )
    .unwrap();
    assert_eq!(
        silent(&temp.path().join("absolute/root")).root(),
        real.join("root")
    );
    symlink("loop", temp.path().join("loop")).unwrap();
    let (store, said) = open(candidates(&temp.path().join("loop/root")));
    assert!(store.is_err(), "the fallback lies in the loop too");
    assert_eq!(said.len(), 2, "{said:?}");
}

#[test]
fn the_stub_looks_where_the_engine_does() {
    use pexboot_stub::paths::{self, Kind};
    use std::os::unix::ffi::OsStrExt;
    if child_root().is_some() {
        let env: Vec<(String, Vec<u8>)> = std::env::vars_os()
            .map(|(name, value)| (name.into_string().unwrap(), value.as_bytes().to_vec()))
            .collect();
        let get = |wanted: &str| {
            env.iter()
                .find(|(name, _)| name == wanted)
                .map(|(_, value)| value.as_slice())
        };
        let euid = nix::unistd::geteuid().as_raw();
        let theirs = paths::candidates(get, b"", euid, || None);
        let ours = Candidates::of_process(
            get("PEX_ROOT").map(|root| Path::new(std::ffi::OsStr::from_bytes(root))),
        );
        let of = |kind| {
            theirs
                .iter()
                .filter(move |candidate| candidate.kind == kind)
                .map(|candidate| PathBuf::from(std::ffi::OsStr::from_bytes(&candidate.path)))
                .collect::<Vec<_>>()
        };
        assert_eq!(of(Kind::Seed), ours.seeds);
        assert_eq!(of(Kind::Explicit), Vec::from_iter(ours.explicit.clone()));
        if ours.explicit.is_none() {
            assert_eq!(of(Kind::Cache), Vec::from_iter(ours.cache));
            assert_eq!(of(Kind::Fallback), [ours.fallback]);
        }
        return;
    }
    for env in [
        &[][..],
        &[("HOME", "")],
        &[("HOME", "/h")],
        &[("HOME", "h")],
        &[("HOME", "/h"), ("XDG_CACHE_HOME", "/x")],
        &[("HOME", "/h"), ("XDG_CACHE_HOME", "x")],
        &[("XDG_CACHE_HOME", "/x")],
        &[
            ("HOME", "/h"),
            ("PEXBOOT_SEEDS", "/a::b:/c"),
            ("PEX_ROOT", "/r"),
        ],
    ] {
        let status = child("the_stub_looks_where_the_engine_does", Path::new("/"))
            .env_remove("HOME")
            .env_remove("XDG_CACHE_HOME")
            .envs(env.iter().copied())
            .stdout(Stdio::null())
            .status();
        assert!(status.unwrap().success(), "{env:?}");
    }
}

#[test]
fn a_read_only_root_is_read_and_the_next_is_written() {
    if let Some(root) = child_root() {
        let fallback = PathBuf::from(std::env::var_os("STORE_TEST_FALLBACK").unwrap());
        let mut said = Vec::new();
        let from = Candidates {
            explicit: Some(root.clone()),
            fallback: fallback.clone(),
            ..Candidates::default()
        };
        let store = Store::open_candidates(from, &mut |line| said.push(line.to_owned())).unwrap();
        assert_eq!(said.len(), 1);
        assert_eq!(
            store.find(Kind::Wheels, "ab/x.whl"),
            Some(root.join("v1/wheels/ab/x.whl"))
        );
        assert_eq!(store.root(), fallback);
        assert_eq!(publish(&store, "ab/x.whl"), root.join("v1/wheels/ab/x.whl"));
        assert_eq!(
            publish(&store, "ab/y.whl"),
            fallback.join("v1/wheels/ab/y.whl")
        );
        // With nowhere to write at all, what is there can still be had.
        let from = Candidates {
            explicit: Some(root.clone()),
            fallback: root.clone(),
            ..Candidates::default()
        };
        let store = Store::open_candidates(from, &mut |_| {}).unwrap();
        assert_eq!(publish(&store, "ab/x.whl"), root.join("v1/wheels/ab/x.whl"));
        let error = store
            .directory(Kind::Wheels, "ab/z.whl", &mut fill)
            .unwrap_err()
            .to_string();
        assert!(error.contains("set PEX_ROOT"), "{error}");
        return;
    }
    let temp = directory();
    chmod(temp.path(), 0o1777);
    let root = temp.path().join("root");
    publish(&silent(&root), "ab/x.whl");
    for path in ["v1/tmp", "v1/locks", "v1/wheels/ab", "v1/wheels", "v1", ""] {
        chmod(&root.join(path), 0o555);
    }
    let mut process = child("a_read_only_root_is_read_and_the_next_is_written", &root);
    process
        .env("STORE_TEST_FALLBACK", temp.path().join("fallback"))
        .stdout(Stdio::null());
    if nix::unistd::geteuid().is_root() {
        // Nothing is read-only to root.
        process.uid(12345).gid(12345);
    }
    assert!(process.status().unwrap().success());
    for path in ["", "v1", "v1/wheels", "v1/wheels/ab", "v1/tmp", "v1/locks"] {
        chmod(&root.join(path), 0o755);
    }
}

#[test]
fn seeds_are_looked_into_first_and_never_written() {
    let temp = directory();
    let (seed, root) = (temp.path().join("seed"), temp.path().join("root"));
    publish(&silent(&seed), "ab/x.whl");
    let before = names(&seed.join("v1"));
    let (store, said) = open(Candidates {
        seeds: vec![seed.clone(), temp.path().join("none")],
        ..candidates(&root)
    });
    let store = store.unwrap();
    assert_eq!(said.len(), 1, "{said:?}");
    assert_eq!(publish(&store, "ab/x.whl"), seed.join("v1/wheels/ab/x.whl"));
    assert_eq!(publish(&store, "ab/y.whl"), root.join("v1/wheels/ab/y.whl"));
    assert_eq!(names(&seed.join("v1")), before);
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
