//! Whom a root may belong to: each row of the table in `docs/reliability.md`.

use std::os::unix::fs::{MetadataExt, symlink};

use super::*;

/// A group that is nobody's own.
const GROUP: u32 = 3000;

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// A start whose root was named; it is used, or passed over for the cache directory with a line that says this.
#[track_caller]
fn named(stage: &Stage, root: &Path, fault: Option<&str>) {
    let run = stage.start().env("PEX_ROOT", root).run();
    match fault {
        None => silent(&run, SAYS),
        Some(text) => {
            passed_over(&run, text);
            run.says(".cache/pexboot` is used");
        }
    }
}

/// A start that passes over a root for another, in one line.
#[track_caller]
fn passed_over(run: &Outcome, text: &str) {
    run.ok().prints(SAYS).says(text).says("passed over");
    assert_eq!(run.stderr.lines().count(), 1, "{run}");
}

#[test]
fn a_root_that_others_can_write_to_is_passed_over() {
    for mode in [0o770, 0o707, 0o777, 0o1777] {
        if mode == 0o770 && !root("a group that is not the user's own") {
            continue;
        }
        let stage = stage("owner-mode");
        let root = stage.path("named/pexboot");
        fs::create_dir_all(&root).unwrap();
        if mode == 0o770 {
            chown(&root, None, Some(GROUP)).unwrap();
        }
        chmod(&root, mode);
        named(
            &stage,
            &stage.path("named"),
            Some("can be written by others"),
        );
        assert_eq!(
            fs::read_dir(&root).unwrap().count(),
            0,
            "nothing was put there"
        );
        empty(&stage);
        let cache = stage.path("home/.cache/pexboot");
        if mode == 0o770 {
            chown(&cache, None, Some(GROUP)).unwrap();
        }
        chmod(&cache, mode);
        passed_over(
            &own_var_tmp(stage.start()).run(),
            "can be written by others",
        );
        assert_eq!(
            fs::read_dir(&cache).unwrap().count(),
            0,
            "nothing was put there"
        );
    }
}

/// With user private groups, umask 002 is usual: what the original made then has mode 0775.
#[test]
fn the_users_private_group_is_no_other() {
    if !root("a user's private group") {
        return;
    }
    let stage = stage("owner-group");
    give_away(&stage);
    let above = stage.path("home/.pex");
    fs::create_dir(&above).unwrap();
    chmod(&above, 0o775);
    let start = stage.start().env("PEX_ROOT", &above);
    for (group, own) in [(NOBODY, true), (GROUP, false)] {
        chown(&above, Some(NOBODY), Some(group)).unwrap();
        let run = start.clone().before(as_nobody()).run();
        match own {
            true => silent(&run, SAYS),
            false => passed_over(&run, "can be written by others"),
        }
    }
    // The owner in another group, which the directory has, too.
    let id = NOBODY.to_string();
    let group = GROUP.to_string();
    let words = [
        "setpriv",
        "--reuid",
        &id,
        "--regid",
        &group,
        "--clear-groups",
    ];
    empty(&stage);
    passed_over(&start.before(words).run(), "can be written by others");
}

/// The mode shows the mask of an access control list, which may let anybody write.
#[test]
fn an_access_control_list_is_no_private_group() {
    if !root("access control lists") {
        return;
    }
    let stage = stage("owner-acl");
    let named_root = stage.path("named");
    fs::create_dir(&named_root).unwrap();
    chmod(&named_root, 0o775);
    named(&stage, &named_root, None);
    if !rule::give_acl(&named_root) {
        return crate::harness::coverage::left_out("a root with an access control list", "them");
    }
    named(&stage, &named_root, Some("can be written by others"));
}

#[test]
fn so_is_one_below_a_directory_that_others_can_write_to_unless_it_is_sticky() {
    let stage = stage("owner-parent");
    let above = stage.path("above");
    fs::create_dir(&above).unwrap();
    for (mode, fault) in [
        (0o777, Some("can be written by others")),
        (0o757, Some("can be written by others")),
        (0o1777, None),
        (0o755, None),
    ] {
        chmod(&above, mode);
        named(&stage, &above.join(format!("root{mode:o}")), fault);
        empty(&stage);
    }
}

#[test]
fn a_link_to_a_safe_place_will_do_and_one_to_another_will_not() {
    let stage = stage("owner-link");
    let (safe, open) = (stage.path("safe"), stage.path("open"));
    for directory in [&safe, &open] {
        fs::create_dir(directory).unwrap();
    }
    chmod(&open, 0o777);
    symlink(&safe, stage.path("to-safe")).unwrap();
    symlink(&open, stage.path("to-open")).unwrap();
    named(&stage, &stage.path("to-safe"), None);
    named(
        &stage,
        &stage.path("to-open"),
        Some("can be written by others"),
    );
}

#[test]
fn somebody_elses_root() {
    if !root("roots of another user") {
        return;
    }
    let stage = stage("owner-other");
    let theirs = stage.path("theirs");
    fs::create_dir_all(theirs.join("pexboot")).unwrap();
    for path in [theirs.join("pexboot"), theirs.clone()] {
        std::os::unix::fs::chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
    }
    named(&stage, &theirs, Some("belongs to user 65534"));
    // What belongs to root may be used by anybody who can write there; who cannot passes over it.
    give_away(&stage);
    let ours = stage.path("ours");
    fs::create_dir_all(&ours).unwrap();
    let start = own_var_tmp(stage.start()).env("PEX_ROOT", &ours);
    passed_over(&start.before(as_nobody()).run(), "passed over");
}

#[test]
fn sudo_leaves_the_users_home_alone() {
    if !root("sudo") {
        return;
    }
    let stage = stage("owner-sudo");
    give_away(&stage);
    // Root with HOME of the user, as `sudo` without -H has it.
    passed_over(&own_var_tmp(stage.start()).run(), "belongs to user 65534");
    assert!(
        !stage.path("home/.cache").exists(),
        "nothing that the user could not remove"
    );
    // And the user's own start is not troubled by it.
    starts(&stage.start().before(as_nobody()), SAYS);
}

#[test]
fn a_home_that_belongs_to_another_or_cannot_be_written() {
    if !root("starts as another user") {
        return;
    }
    let stage = stage("owner-home");
    give_away(&stage);
    let home = stage.path("home");
    for owner in [0, 12_345] {
        std::os::unix::fs::chown(&home, Some(owner), Some(owner)).unwrap();
        let start = own_var_tmp(stage.start()).before(as_nobody());
        let run = start.run();
        run.ok().prints(SAYS).says("passed over");
        assert_eq!(run.stderr.lines().count(), 1, "{run}");
    }
}

#[test]
fn a_user_without_an_entry_in_passwd() {
    if !root("a random user") {
        return;
    }
    let stage = stage("owner-random");
    let id = 1_234_567;
    fs::set_permissions(stage.root(), fs::Permissions::from_mode(0o755)).unwrap();
    for directory in ["home", "work", "tmp"] {
        std::os::unix::fs::chown(stage.path(directory), Some(id), Some(id)).unwrap();
    }
    starts(&stage.start().before(as_user(id)), SAYS);
    starts(&stage.start().before(as_user(id)), SAYS);
    assert_eq!(fs::metadata(home(&stage)).unwrap().uid(), id);
    let start = stage.start().before(as_user(id)).without_env("HOME");
    start.run().ok().prints(SAYS);
    let fallback = PathBuf::from(format!("/var/tmp/pexboot-{id}"));
    assert_eq!(fs::metadata(&fallback).unwrap().mode() & 0o7777, 0o700);
    fs::remove_dir_all(fallback).unwrap();
}

#[test]
fn a_squatted_fallback_is_passed_over() {
    if !root("a squatted fallback") {
        return;
    }
    let stage = stage("owner-squat");
    let squat = |make: &str| {
        let script = format!("mount -t tmpfs -o mode=1777 none /var/tmp; {make}; exec \"$@\"");
        let start = stage.start().without_env("HOME");
        start
            .before(["unshare", "--mount", "sh", "-c", &script, "sh"])
            .run()
    };
    for (make, says) in [
        (
            "mkdir /var/tmp/pexboot-0; chown 65534 /var/tmp/pexboot-0",
            "belongs to user 65534",
        ),
        (
            "mkdir -m 777 /var/tmp/pexboot-0",
            "can be written by others",
        ),
        (
            "mkdir -m 700 /var/tmp/x; ln -s x /var/tmp/pexboot-0; chown -h 65534 /var/tmp/pexboot-0",
            "belongs to user 65534",
        ),
    ] {
        passed_over(&squat(make), says);
        let _ = fs::remove_dir_all(stage.path("tmp/pexboot-0"));
    }
    passed_over(&squat("touch /var/tmp/pexboot-0"), "/var/tmp/pexboot-0");
    fs::remove_dir_all(stage.path("tmp/pexboot-0")).unwrap();
    silent(&squat("true"), SAYS);
}

#[test]
fn in_a_user_namespace_root_shows_another_owner() {
    if !root("user namespaces") {
        return;
    }
    let stage = stage("owner-namespace");
    give_away(&stage);
    // What belongs to root shows no owner there, and is not trusted in a directory like /tmp.
    std::os::unix::fs::chown(stage.root(), Some(NOBODY), Some(NOBODY)).unwrap();
    let probe = std::process::Command::new("setpriv")
        .args(&as_nobody()[1..])
        .args(["unshare", "--user", "true"])
        .status();
    if !probe.unwrap().success() {
        return crate::harness::coverage::left_out(
            "a start in a user namespace",
            "user namespaces",
        );
    }
    // Mapped to root of its own, and not mapped at all.
    for map in [&["--map-root-user"][..], &["--map-current-user"]] {
        let start = stage
            .start()
            .before(as_nobody())
            .before(["unshare", "--user"])
            .before(map);
        starts(&start, SAYS);
        starts(&start, SAYS);
    }
}

#[test]
fn a_foreign_rc_file_chooses_nothing() {
    if !root("a foreign rc file") {
        return;
    }
    let stage = stage("owner-rc");
    let rc = stage.write("work/.pexrc", "PEX_PYTHON=/nowhere/python\n");
    stage.start().run().refused();
    std::os::unix::fs::chown(&rc, Some(NOBODY), Some(NOBODY)).unwrap();
    stage.start().run().ok().prints(SAYS);
    std::os::unix::fs::chown(&rc, Some(0), Some(0)).unwrap();
    chmod(&rc, 0o666);
    stage.start().run().ok().prints(SAYS);
}

#[test]
fn a_plan_that_others_could_have_written_is_none() {
    let stage = stage("owner-plan");
    starts(&stage.start(), SAYS);
    let plan = below(&home(&stage).join("plans")).remove(0);
    let mut forged = Plans::of(&fs::read(&plan).unwrap()).next().unwrap();
    forged.exec.program = b"/bin/echo".to_vec();
    fs::write(&plan, encode(&[forged])).unwrap();
    chmod(&plan, 0o666);
    // Where the engine replays, too.
    stage
        .start()
        .env("PEX_VERBOSE", "1")
        .run()
        .ok()
        .prints(SAYS);
    starts(&stage.start(), SAYS);
}
