//! Which directories become roots, and with what modes.

use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt;
use std::process::Stdio;

use super::*;

#[test]
fn any_usual_umask_will_do() {
    if let Some(root) = child_root() {
        let umask = std::env::var("STORE_TEST_UMASK").unwrap();
        nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(
            u32::from_str_radix(&umask, 8).unwrap(),
        ));
        let store = silent(&root);
        publish(&store, "ab/x.whl");
        store
            .executable(Kind::Engine, "digest", &mut |out| {
                out.write_all(b"engine").map(|()| true)
            })
            .unwrap();
        return;
    }
    for (umask, directory_mode, file_mode) in [
        ("000", 0o755, 0o644),
        ("022", 0o755, 0o644),
        ("077", 0o700, 0o600),
    ] {
        let temp = directory();
        let root = temp.path().join("above/root");
        let status = child("roots::any_usual_umask_will_do", &root)
            .env("STORE_TEST_UMASK", umask)
            .stdout(Stdio::null())
            .status();
        assert!(status.unwrap().success());
        assert_eq!(mode(&temp.path().join("above")), 0o700);
        assert_eq!(mode(&root), 0o700);
        assert_eq!(
            mode(&root.join("v2/wheels/ab/x.whl/package")),
            directory_mode,
            "umask {umask}"
        );
        assert_eq!(
            mode(&root.join("v2/wheels/ab/x.whl/package/1.py")),
            file_mode,
            "umask {umask}"
        );
        assert_eq!(
            mode(&root.join("v2/engine/digest")),
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
    use pexboot_core::roots::{self, Kind};
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
        let theirs = roots::candidates(get, b"", euid, || None);
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
        }
        assert_eq!(of(Kind::Fallback), [ours.fallback]);
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
        let status = child(
            "roots::the_stub_looks_where_the_engine_does",
            Path::new("/"),
        )
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
            Some(root.join("v2/wheels/ab/x.whl"))
        );
        assert_eq!(store.root(), fallback);
        assert_eq!(publish(&store, "ab/x.whl"), root.join("v2/wheels/ab/x.whl"));
        assert_eq!(
            publish(&store, "ab/y.whl"),
            fallback.join("v2/wheels/ab/y.whl")
        );
        // With nowhere to write at all, what is there can still be had.
        let from = Candidates {
            explicit: Some(root.clone()),
            fallback: root.clone(),
            ..Candidates::default()
        };
        let store = Store::open_candidates(from, &mut |_| {}).unwrap();
        assert_eq!(publish(&store, "ab/x.whl"), root.join("v2/wheels/ab/x.whl"));
        let error = store
            .directory(Kind::Wheels, "ab/z.whl", &mut fill)
            .unwrap_err()
            .to_string();
        assert!(error.contains("set PEX_ROOT"), "{error}");
        return;
    }
    // Another user may have no way to where this program lies, nor to the caller's temporary directory.
    let temp = tempfile::tempdir_in("/tmp").unwrap();
    chmod(temp.path(), 0o1777);
    let program = temp.path().join("program");
    std::fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    chmod(&program, 0o755);
    let root = temp.path().join("root");
    publish(&silent(&root), "ab/x.whl");
    for path in ["v2/tmp", "v2/locks", "v2/wheels/ab", "v2/wheels", "v2", ""] {
        chmod(&root.join(path), 0o555);
    }
    let mut process = child_of(
        &program,
        "roots::a_read_only_root_is_read_and_the_next_is_written",
        &root,
    );
    process
        .env("STORE_TEST_FALLBACK", temp.path().join("fallback"))
        .stdout(Stdio::null());
    if nix::unistd::geteuid().is_root() {
        // Nothing is read-only to root.
        process.uid(12345).gid(12345);
    }
    assert!(process.status().unwrap().success());
    for path in ["", "v2", "v2/wheels", "v2/wheels/ab", "v2/tmp", "v2/locks"] {
        chmod(&root.join(path), 0o755);
    }
}

#[test]
fn seeds_are_looked_into_first_and_never_written() {
    let temp = directory();
    let (seed, root) = (temp.path().join("seed"), temp.path().join("root"));
    publish(&silent(&seed), "ab/x.whl");
    let before = names(&seed.join("v2"));
    let (store, said) = open(Candidates {
        seeds: vec![seed.clone(), temp.path().join("none")],
        ..candidates(&root)
    });
    let store = store.unwrap();
    assert_eq!(said.len(), 1, "{said:?}");
    assert_eq!(publish(&store, "ab/x.whl"), seed.join("v2/wheels/ab/x.whl"));
    assert_eq!(publish(&store, "ab/y.whl"), root.join("v2/wheels/ab/y.whl"));
    assert_eq!(names(&seed.join("v2")), before);
}
