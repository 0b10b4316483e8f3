//! `pexboot cache`: whose caches it looks at, what it tells of them, and what it leaves alone.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::Path;

use serde_json::Value;

use crate::command_line::{app, json, pexboot, stage};
use crate::harness::{PEXBOOT, coverage, is_root};

#[test]
fn a_cache_is_named_by_its_root_and_no_other_is_touched() {
    let stage = stage();
    pexboot(&stage, &["warm", "--root", "here", "app.pex"]).ok();
    let told = json(&pexboot(
        &stage,
        &["cache", "--root", "here", "--json", "ls"],
    ));
    assert!(
        told["entries"]
            .as_array()
            .is_some_and(|entries| !entries.is_empty()),
        "{told}"
    );
    assert_eq!(told["schema"], 1);
    let list = pexboot(&stage, &["cache", "--root", "here", "ls"])
        .ok()
        .stdout
        .clone();
    assert!(
        list.lines()
            .next()
            .unwrap()
            .contains("size  fingerprint   application"),
        "{list}"
    );
    assert!(list.lines().last().unwrap().contains("total"), "{list}");
    stage.write("work/away/pexboot", "no directory\n");
    let run = pexboot(&stage, &["cache", "--root", "away", "clear"]);
    run.exits(2)
        .says("cannot be used as a root; nothing was done");
    let run = pexboot(
        &stage,
        &["cache", "--root", "here", "prune", "--older-than", "0"],
    );
    let said = &run.ok().stdout;
    assert!(
        said.contains("given back by a prune after 10 min"),
        "{said}"
    );
}

#[test]
fn files_of_one_name_and_different_content_have_a_row_each() {
    let stage = stage();
    let other = app()
        .dep(crate::fixtures::Wheel::new("dep2", "1.0"))
        .build();
    fs::create_dir(stage.path("work/other")).unwrap();
    stage.place(&other, &stage.path("work/other/app.pex"));
    let both = ["app.pex", "other/app.pex"];
    for pex in both {
        pexboot(&stage, &["warm", "--root", "here", pex]).ok();
    }
    let run = pexboot(&stage, &["cache", "--root", "here", "ls"]);
    let rows = run.ok().stdout.lines();
    let rows: Vec<&str> = rows.filter(|row| row.ends_with("  app.pex")).collect();
    for pex in both {
        let info = json(&pexboot(&stage, &["info", "--json", pex]));
        let short = &info["fingerprint"].as_str().unwrap()[..12];
        let of = rows.iter().filter(|row| row.contains(short));
        assert_eq!(of.count(), 1, "{short}\n{run}");
    }
    assert_eq!(rows.len(), 2, "{run}");
}

#[test]
fn a_dry_run_is_marked_as_one_and_takes_nothing_out() {
    let stage = stage();
    pexboot(&stage, &["warm", "--root", "here", "app.pex"]).ok();
    let cache = |words: &[&str]| pexboot(&stage, &[&["cache", "--root", "here"], words].concat());
    let before = cache(&["ls", "--entries"]).ok().stdout.clone();
    let prune = ["prune", "--older-than", "0", "--grace", "0", "--dry-run"];
    let run = cache(&prune);
    let lines: Vec<&str> = run.ok().stdout.lines().collect();
    assert!(lines[0].starts_with("dry run: "), "{run}");
    let last = lines[lines.len() - 1];
    assert!(
        last.starts_with("dry run: ") && last.ends_with("; nothing was"),
        "{run}"
    );
    assert_eq!(
        json(&cache(&[&["--json"], &prune[..]].concat()))["dry_run"],
        true
    );
    assert_eq!(cache(&["ls", "--entries"]).ok().stdout, before);
    let real = json(&cache(&[&["--json"], &prune[..5]].concat()));
    assert_eq!(real["dry_run"], false);
    assert_ne!(cache(&["ls", "--entries"]).ok().stdout, before);
}

#[test]
fn root_sees_and_prunes_the_cache_of_each_user_as_that_user() {
    let stage = stage();
    if !is_root() {
        pexboot(&stage, &["cache", "--all-users", "ls"])
            .exits(1)
            .says("is for root");
        return coverage::left_out("caches of all users", "root");
    }
    fs::set_permissions(stage.root(), fs::Permissions::from_mode(0o755)).unwrap();
    let command = stage.command_for_all();
    let users = [("one", 61_001), ("two", 61_002), ("none", 61_003)];
    let mut passwd = String::new();
    for (name, uid) in users {
        let home = stage.path(name);
        fs::create_dir(&home).unwrap();
        chown(&home, Some(uid), Some(uid)).unwrap();
        passwd += &format!("{name}:x:{uid}:{uid}::{}:/bin/sh\n", home.display());
        if name != "none" {
            let id = uid.to_string();
            let warm = ["setpriv", "--clear-groups", "--reuid", &id, "--regid", &id];
            let warm = stage
                .start()
                .before(warm)
                .env("HOME", &home)
                .program(&command);
            warm.args(["warm", "app.pex"]).run().ok();
        }
    }
    let passwd = stage.write("passwd", &passwd);
    // In mounts of its own: with these users alone, and no roots of others.
    let all = |words: &[&str]| {
        let script =
            "mount --bind \"$1\" /etc/passwd; mount -t tmpfs none /var/tmp; shift; exec \"$@\"";
        let start = stage
            .start()
            .before(["unshare", "--mount", "sh", "-euc", script, "sh"]);
        let start = start
            .before([passwd.as_path(), Path::new(PEXBOOT)])
            .program("cache");
        start.args([&["--all-users"], words].concat()).run()
    };
    let run = all(&["ls"]);
    let owners = run
        .ok()
        .stdout
        .lines()
        .filter(|line| line.ends_with("/.cache/pexboot"));
    let owners: Vec<&str> = owners.map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(owners, ["one", "two"], "{run}");
    let run = all(&["--json", "prune", "--older-than", "0", "--grace", "0"]);
    let told = serde_json::Deserializer::from_str(&run.ok().stdout).into_iter::<Value>();
    let told: Vec<Value> = told.map(Result::unwrap).collect();
    assert_eq!(told.len(), 2, "{run}");
    for ((name, uid), told) in users.iter().zip(&told) {
        assert_eq!(told["user"], *name);
        assert_ne!(told["freed"], 0, "{run}");
        let root = stage.path(name).join(".cache/pexboot/v2");
        for entry in fs::read_dir(&root).unwrap() {
            let status = entry.unwrap().metadata().unwrap();
            assert_eq!(std::os::unix::fs::MetadataExt::uid(&status), *uid);
        }
    }
}
