//! `pexboot cache` as a user meets it.

use std::process::{Command, Stdio};

use super::*;

/// `pexboot cache` on the machine's root.
pub fn command(stage: &Stage, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pexboot"));
    command
        .arg("cache")
        .args(args)
        .env_clear()
        .env("HOME", stage.home())
        .stdin(Stdio::null());
    command
}

/// The same, run.
pub fn cache<'s>(stage: &'s Stage, args: &[&str]) -> Outcome {
    let start: Start<'s> = stage.start().program(env!("CARGO_BIN_EXE_pexboot"));
    start.args(["cache"]).args(args).run()
}

#[test]
fn the_cache_is_listed_by_application_and_told_where_it_is() {
    let stage = stage("upkeep-ls");
    starts(&stage.start(), SAYS);
    let root = home(&stage).parent().unwrap().to_owned();
    cache(&stage, &["path"]).ok().prints(root.to_str().unwrap());
    let list = cache(&stage, &["ls"]);
    let line = list
        .ok()
        .stdout
        .lines()
        .find(|line| line.ends_with("app.pex"));
    let line = line.unwrap_or_else(|| panic!("{list}"));
    assert!(line.contains("now") && line.contains("KiB"), "{line}");
    let all = cache(&stage, &["ls", "--entries"]);
    for kind in [
        "launches/",
        "wheels/",
        "code/",
        "sites/",
        "engine/",
        "interpreters/",
    ] {
        assert!(all.stdout.contains(kind), "{kind}\n{all}");
    }
    let sizes = cache(&stage, &["du"]);
    assert!(
        sizes.stdout.lines().last().unwrap().ends_with("  total"),
        "{sizes}"
    );
}

#[test]
fn what_runs_is_spared_by_clear() {
    let text = "import sys\ndef main():\n    print('up', flush=True)\n    sys.stdin.read()\n    import dep\n    print(dep.WHO)\n";
    let pex = Pex::app("upkeep-runs", text)
        .dep(Wheel::new("dep", "1.0"))
        .dep(Wheel::new("other", "1.0"))
        .build();
    let stage = Stage::new(Way::Embedded, &pex);
    let mut child = stage
        .start()
        .command()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdout = std::io::BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    std::io::BufRead::read_line(&mut stdout, &mut line).unwrap();
    assert_eq!(line, "up\n");
    cache(&stage, &["clear"]).ok();
    let kinds: Vec<_> = entries(&home(&stage));
    assert!(
        kinds
            .iter()
            .any(|entry| entry.starts_with(home(&stage).join("sites"))),
        "{kinds:?}"
    );
    drop(child.stdin.take());
    line.clear();
    std::io::BufRead::read_line(&mut stdout, &mut line).unwrap();
    assert_eq!(line, "dep 1.0\n", "it imports what was not yet imported");
    assert!(child.wait().unwrap().success());
    cache(&stage, &["clear"]).ok();
    assert!(entries(&home(&stage)).is_empty());
}

#[test]
fn only_what_is_old_is_pruned_and_a_dry_run_prunes_nothing() {
    let stage = stage("upkeep-old");
    starts(&stage.start(), SAYS);
    let before = below(&home(&stage));
    cache(&stage, &["prune"]).ok();
    let dry = cache(&stage, &["prune", "--older-than", "0", "--dry-run"]);
    assert!(dry.ok().stdout.contains("would be taken out"), "{dry}");
    assert_eq!(below(&home(&stage)), before);
    starts(&stage.start(), SAYS);
    cache(&stage, &["prune", "--older-than", "x"]).exits(2);
}

#[test]
fn a_plan_is_stamped_once_a_day_and_never_sooner() {
    use std::time::{Duration, SystemTime};
    let stage = stage("upkeep-stamp");
    starts(&stage.start(), SAYS);
    let plan = below(&home(&stage).join("plans")).remove(0);
    let stamp = |age: u64| {
        let then = SystemTime::now() - Duration::from_secs(age);
        fs::File::open(&plan).unwrap().set_modified(then).unwrap();
        fs::metadata(&plan).unwrap().modified().unwrap()
    };
    let recent = stamp(3600);
    starts(&stage.start(), SAYS);
    assert_eq!(fs::metadata(&plan).unwrap().modified().unwrap(), recent);
    let old = stamp(200_000);
    starts(&stage.start(), SAYS);
    assert!(fs::metadata(&plan).unwrap().modified().unwrap() > old + Duration::from_secs(100_000));
}

#[test]
fn without_proc_nothing_is_pruned() {
    if !root("prune without /proc") {
        return;
    }
    let stage = stage("upkeep-no-proc");
    starts(&stage.start(), SAYS);
    let run = stage
        .start()
        .program(env!("CARGO_BIN_EXE_pexboot"))
        .args(["cache", "clear"])
        .before([
            "unshare",
            "--mount",
            "sh",
            "-c",
            "umount -l /proc && exec \"$@\"",
            "sh",
        ])
        .run();
    run.exits(74).says("/proc");
    starts(&stage.start(), SAYS);
}

#[test]
fn the_cache_is_the_one_that_rc_files_and_the_pex_name() {
    let pex = Pex::app("upkeep-named", "def main():\n    print('started')\n");
    let stage = Stage::new(
        Way::Embedded,
        &pex.edit_info("pex_root", "~/of-info").build(),
    );
    let is = |args: &[&str], root: &str| {
        let root = stage.root().join(root).display().to_string();
        cache(&stage, args).ok().prints(&root);
    };
    let of_pex = ["path", "--for", "app.pex"];
    is(&["path"], "home/.cache/pexboot");
    starts(&stage.start(), "started");
    is(&of_pex, "home/of-info/pexboot");
    let list = cache(&stage, &["ls", "--for", "app.pex"]);
    assert!(list.ok().stdout.contains("app.pex"), "{list}");
    stage.write("home/.pexrc", "PEX_ROOT=~/of-home\n");
    is(&["path"], "home/of-home/pexboot");
    is(&of_pex, "home/of-home/pexboot");
    stage.write("work/.pexrc", "PEX_ROOT=~/beside\n");
    is(&["path"], "home/of-home/pexboot");
    is(&of_pex, "home/beside/pexboot");
    let disabled = |start: Start<'_>| start.env("PEX_DISABLE_VARIABLES", "1").run();
    let pexboot = stage.start().program(env!("CARGO_BIN_EXE_pexboot"));
    let told = disabled(pexboot.args(["cache"]).args(of_pex));
    let root = stage.root().join("home/of-info/pexboot");
    told.ok().prints(&root.display().to_string());
}
