//! What others do to a cache: each kind of entry deleted, emptied or cut short, and the power going off.

use super::*;

/// What is done to a file.
#[derive(Debug, Clone, Copy)]
enum Harm {
    Delete,
    Empty,
    Halve,
}

fn harm(path: &Path, harm: Harm) {
    if path.is_dir() {
        return fs::remove_dir_all(path).unwrap();
    }
    match harm {
        Harm::Delete => fs::remove_file(path).unwrap(),
        Harm::Empty => cut(path, 0),
        Harm::Halve => cut(path, fs::metadata(path).unwrap().len() / 2),
    }
}

/// Shortens a file in place, though it may be a program that another test's child still holds.
fn cut(path: &Path, length: u64) {
    let file = fs::OpenOptions::new().write(true).open(path).unwrap();
    file.set_len(length).unwrap();
}

/// The files below `kind` whose path ends so.
fn find(stage: &Stage, kind: &str, end: &str) -> PathBuf {
    let all = below(&home(stage).join(kind));
    all.iter()
        .find(|path| path.to_string_lossy().ends_with(end))
        .unwrap_or_else(|| panic!("{kind}: {end} in {all:#?}"))
        .clone()
}

/// Damages one thing after a cold start; the next start works, having said `said` times what was mended, and the one after
/// that is as if nothing had been.
#[track_caller]
fn check(name: &str, kind: &str, end: &str, how: Harm, said: usize) {
    let stage = stage(name);
    starts(&stage.start().args(["a"]), &format!("{SAYS} a"));
    let path = find(&stage, kind, end);
    harm(&path, how);
    let run = stage.start().args(["a"]).run();
    run.ok().prints(&format!("{SAYS} a"));
    let lines: Vec<_> = run.stderr.lines().collect();
    assert_eq!(lines.len(), said, "{kind}/{end} {how:?}\n{run}");
    assert!(
        lines.iter().all(|line| line.starts_with("pexboot: ")),
        "{run}"
    );
    starts(&stage.start().args(["a"]), &format!("{SAYS} a"));
}

#[test]
fn a_launch_plan() {
    for how in [Harm::Delete, Harm::Empty, Harm::Halve] {
        check("damage-plan", "plans", "", how, 0);
    }
}

#[test]
fn what_the_boot_reads() {
    for how in [Harm::Delete, Harm::Empty, Harm::Halve] {
        check("damage-data", "launches", "/data", how, 1);
    }
}

#[test]
fn the_boot() {
    check("damage-boot", "launches", "/app.pex", Harm::Delete, 0);
}

#[test]
fn a_file_of_a_wheel_that_one_stat_does_not_see() {
    check("damage-wheel", "wheels", "/dep.py", Harm::Delete, 1);
    check("damage-wheel", "wheels", "/pile/m39.py", Harm::Delete, 1);
}

#[test]
fn a_whole_wheel() {
    check("damage-wheels", "wheels", ".whl", Harm::Delete, 0);
}

#[test]
fn the_site() {
    let stage = stage("damage-site");
    starts(&stage.start(), SAYS);
    let site = entries(&home(&stage))
        .into_iter()
        .find(|path| path.starts_with(home(&stage).join("sites")));
    fs::remove_dir_all(site.unwrap()).unwrap();
    starts(&stage.start(), SAYS);
}

#[test]
fn a_link_of_the_site() {
    check("damage-link", "sites", "/dep.py", Harm::Delete, 1);
}

#[test]
fn user_code() {
    check("damage-code", "code", "/helper.py", Harm::Delete, 1);
    check("damage-code", "code", "/app.py", Harm::Delete, 1);
    check("damage-code", "code", "/app.py", Harm::Empty, 1);
}

#[test]
fn all_of_the_user_code() {
    let stage = stage("damage-codes");
    starts(&stage.start(), SAYS);
    fs::remove_dir_all(home(&stage).join("code")).unwrap();
    starts(&stage.start(), SAYS);
}

/// Seen only where they are needed: at the next cold start.
#[test]
fn what_only_a_cold_start_reads() {
    for (kind, end) in [
        ("engine", ""),
        ("interpreters", ""),
        ("wheels", ".manifest"),
        ("code", ".manifest"),
    ] {
        for how in [Harm::Delete, Harm::Empty, Harm::Halve] {
            let stage = stage("damage-cold");
            starts(&stage.start(), SAYS);
            harm(&find(&stage, kind, end), how);
            fs::remove_dir_all(home(&stage).join("launches")).unwrap();
            starts(&stage.start(), SAYS);
            // Half a manifest still says which boot wrote the entry, which is all that a start in that boot asks.
            if end.is_empty() {
                is_sound(&home(&stage), false);
            }
        }
    }
}

#[test]
fn the_whole_root() {
    let stage = stage("damage-root");
    starts(&stage.start(), SAYS);
    fs::remove_dir_all(home(&stage)).unwrap();
    starts(&stage.start(), SAYS);
    fs::remove_dir_all(stage.home()).unwrap();
    starts(&stage.start(), SAYS);
}

#[test]
fn any_one_file() {
    let stage = stage("damage-any");
    starts(&stage.start(), SAYS);
    let files: Vec<PathBuf> = below(&home(&stage))
        .into_iter()
        .filter(|path| !path.is_dir() && !path.to_string_lossy().contains("__pycache__"))
        .collect();
    let step = if long() { 1 } else { files.len() / 12 };
    for file in files.iter().step_by(step) {
        // A file of another round may have gone with its entry.
        if file.symlink_metadata().is_ok() {
            fs::remove_file(file).unwrap();
            stage.start().run().ok().prints(SAYS);
        }
    }
}

/// Another boot wrote everything, and some of it did not reach the disk.
#[test]
fn a_power_cut_that_took_data_away() {
    for (kind, end, how) in [
        ("wheels", "/dep.py", Harm::Empty),
        ("wheels", "/pile/m3.py", Harm::Halve),
        ("code", "/helper.py", Harm::Empty),
        ("wheels", ".manifest", Harm::Empty),
        ("launches", "/data", Harm::Empty),
        ("launches", "/app.pex", Harm::Empty),
        ("plans", "", Harm::Empty),
        ("engine", "", Harm::Halve),
        ("interpreters", "", Harm::Halve),
    ] {
        let stage = stage("damage-power");
        starts(&stage.start(), SAYS);
        reboot(&stage);
        harm(&find(&stage, kind, end), how);
        // Without a word: nobody did anything wrong.
        starts(&stage.start(), SAYS);
        starts(&stage.start(), SAYS);
        is_sound(&home(&stage), false);
    }
}

#[test]
fn a_power_cut_that_took_nothing_away() {
    let stage = stage("damage-none");
    starts(&stage.start(), SAYS);
    let wheel = find(&stage, "wheels", "/dep.py");
    let before = fs::metadata(&wheel).unwrap();
    reboot(&stage);
    starts(&stage.start(), SAYS);
    use std::os::unix::fs::MetadataExt;
    assert_eq!(
        fs::metadata(&wheel).unwrap().ino(),
        before.ino(),
        "it was unpacked again"
    );
}

/// Makes another boot the writer of everything in the root: what a plan or manifest says of its boot is changed.
pub fn reboot(stage: &Stage) {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    let hex: String = boot.trim().replace('-', "");
    let raw: Vec<u8> = (0..16)
        .map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap())
        .collect();
    for path in below(&home(stage)) {
        if path.extension().is_some_and(|end| end == "manifest") {
            let text = fs::read(&path).unwrap();
            let found = text.windows(32).position(|window| window == hex.as_bytes());
            // What was warmed is on disk whatever the boot.
            let Some(at) = found else { continue };
            let mut text = text;
            text[at..at + 32].copy_from_slice(&[b'1'; 32]);
            fs::write(&path, text).unwrap();
        } else if path.ends_with("boot_id") {
            if fs::read(&path).unwrap() == raw {
                fs::write(&path, [0x11; 16]).unwrap();
            }
        } else if path.parent().is_some_and(|above| above.ends_with("plans")) {
            let mut plans: Vec<Plan> = Plans::of(&fs::read(&path).unwrap()).collect();
            for plan in plans.iter_mut().filter(|plan| plan.boot_id.to_vec() == raw) {
                plan.boot_id = [0x11; 16];
            }
            fs::write(&path, encode(&plans)).unwrap();
        }
    }
}
