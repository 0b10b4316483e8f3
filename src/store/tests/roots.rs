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

/// The root is passed over in one line that says this; the next is used.
#[track_caller]
fn passed_over(root: &Path, text: &str) {
    let (store, said) = open(&candidates(root));
    assert!(said.len() == 1 && said[0].contains(text), "{said:?}");
    assert_eq!(store.root(), root.with_extension("fallback"));
}

#[test]
fn a_named_root_that_others_may_write_to_is_passed_over_with_the_way_out() {
    let temp = directory();
    let root = temp.path().join("root");
    silent(&root);
    chmod(&root, 0o777);
    let way_out = format!("(mode 777); run `chmod go-w {}`", root.display());
    passed_over(&root, &format!("can be written by others {way_out}"));
    // The sticky bit is no excuse for the root itself, only above it.
    chmod(&root, 0o1777);
    passed_over(&root, "can be written by others (mode 1777)");
    chmod(&root, 0o700);
    let above = temp.path().join("above");
    std::fs::create_dir(&above).unwrap();
    chmod(&above, 0o777);
    let below = candidate(Origin::Explicit, &above.join("root"));
    let behind = candidate(Origin::Cache, &root);
    let (store, said) = open(&[below, behind]);
    assert_eq!((store.root(), said.len()), (root.as_path(), 1), "{said:?}");
    chmod(temp.path(), 0o1777);
    silent(&root);
    chmod(temp.path(), 0o700);
}

#[test]
fn several_roots_that_cannot_be_used_are_one_line_about_the_one_that_matters() {
    let temp = directory();
    let path = |name: &str| temp.path().join(name);
    std::fs::write(path("file"), "").unwrap();
    std::fs::create_dir(path("open")).unwrap();
    chmod(&path("open"), 0o777);
    let unusable = candidate(Origin::Cache, &path("file/cache"));
    let unsafe_one = candidate(Origin::Fallback, &path("open"));
    let last = candidate(Origin::Fallback, &path("last"));
    let (_, said) = open(&[unusable.clone(), unsafe_one.clone(), last]);
    assert_eq!(
        said,
        [format!(
            "root `{open}` is passed over: `{open}` can be written by others (mode 777); run `chmod go-w {open}`; so is \
             `{}`; `{}` is used",
            path("file/cache").display(),
            path("last").display(),
            open = path("open").display(),
        )]
    );
    let (store, said) = open(&[unusable, unsafe_one]);
    let end = "; nothing is kept for the next start";
    assert!(said.len() == 1 && said[0].ends_with(end), "{said:?}");
    assert_eq!((store.lasting(), store.temporary()), (None, None));
}

#[test]
fn without_a_lasting_root_the_first_write_makes_one_for_this_start_alone() {
    if let Some(place) = child_root() {
        let store = open(&[]).0;
        assert_eq!((store.lasting(), store.temporary()), (None, None));
        assert!(store.turn_now(Kind::Engine, "digest").is_none());
        assert_eq!(names(&place), [""; 0]);
        let path = publish(&store, "ab/x.whl");
        let root = store.temporary().unwrap();
        assert!(is_whole(&path) && path.starts_with(root) && root.starts_with(&place));
        assert_eq!((store.root(), mode(root)), (root, 0o700));
        assert_eq!(store.find(Kind::Wheels, "ab/x.whl"), Some(path));
        return;
    }
    // A place where strangers could exchange it will do when there is no other.
    let temp = directory();
    let status = child(
        "roots::without_a_lasting_root_the_first_write_makes_one_for_this_start_alone",
        temp.path(),
    )
    .env("TMPDIR", temp.path())
    .stdout(Stdio::null())
    .status();
    assert!(status.unwrap().success());
}

#[test]
fn a_scratch_store_has_no_root_but_its_own() {
    let temp = directory();
    chmod(temp.path(), 0o777);
    let store = Store::scratch(temp.path()).unwrap();
    assert_eq!(store.lasting(), Some(temp.path()));
    let missing = temp.path().join("missing");
    assert_eq!(Store::scratch(&missing).unwrap().root(), missing);
}

#[test]
fn a_cache_that_others_may_write_to_is_passed_over_with_one_line() {
    let temp = directory();
    let cache = temp.path().join("cache");
    std::fs::create_dir(&cache).unwrap();
    chmod(&cache, 0o707);
    let fallback = temp.path().join("fallback");
    let (store, said) = open(&[
        candidate(Origin::Cache, &cache.join("pexboot")),
        candidate(Origin::Fallback, &fallback),
    ]);
    assert_eq!(store.root(), fallback);
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
    passed_over(
        &root,
        "belongs to user 12345, not to you or root; set PEXBOOT_TRUST to",
    );
    std::os::unix::fs::chown(&root, Some(0), None).unwrap();
    // Nor is a link that another user has laid, to a directory that is fine by itself.
    let link = temp.path().join("link");
    symlink(&root, &link).unwrap();
    assert_eq!(silent(&link).root(), root);
    std::os::unix::fs::lchown(&link, Some(12345), None).unwrap();
    passed_over(&link, "belongs to user 12345");
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
    let (store, said) = open(&candidates(&temp.path().join("loop/root")));
    assert!(store.lasting().is_none(), "the other lies in the loop too");
    assert_eq!(said.len(), 1, "{said:?}");
}

#[test]
fn a_read_only_root_is_read_and_the_next_is_written() {
    if let Some(root) = child_root() {
        let fallback = PathBuf::from(std::env::var_os("STORE_TEST_FALLBACK").unwrap());
        let mut said = Vec::new();
        let named = candidate(Origin::Explicit, &root);
        let from = [named.clone(), candidate(Origin::Fallback, &fallback)];
        let store = Store::open_candidates(&from, &mut |line| said.push(line.to_owned()));
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
        // Where nothing lasts, what is there can still be had.
        let store = Store::open_candidates(&[named], &mut |_| {});
        assert_eq!(publish(&store, "ab/x.whl"), root.join("v2/wheels/ab/x.whl"));
        assert_eq!(store.temporary(), None);
        let error = store.kept().unwrap_err().to_string();
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
    let seeds = [&seed, &temp.path().join("none")].map(|path| candidate(Origin::Seed, path));
    let (store, said) = open(&[seeds.as_slice(), &candidates(&root)].concat());
    assert_eq!(said.len(), 1, "{said:?}");
    assert_eq!(publish(&store, "ab/x.whl"), seed.join("v2/wheels/ab/x.whl"));
    assert_eq!(publish(&store, "ab/y.whl"), root.join("v2/wheels/ab/y.whl"));
    assert_eq!(names(&seed.join("v2")), before);
}
