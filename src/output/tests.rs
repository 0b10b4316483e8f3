//! What is replaced by what, and what stays of it.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::Path;

use super::*;

const PLAIN: Rights = Rights::Usual {
    new: 0o600,
    executable: false,
};

fn put(target: &Path, rights: Rights) -> Result<(), OutputError> {
    let mut draft = Draft::new(target, rights)?;
    draft.write(b"new")?;
    assert_eq!(std::fs::read(draft.path()).unwrap(), b"new");
    draft.publish()
}

fn file(path: &Path, mode: u32) {
    std::fs::write(path, "old").unwrap();
    std::fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

fn mode(path: &Path) -> u32 {
    path.symlink_metadata().unwrap().mode() & 0o7777
}

#[test]
fn the_mode_of_what_is_replaced_stays_and_x_is_added_where_it_is_needed() {
    let directory = tempfile::tempdir().unwrap();
    let target = directory.path().join("target");
    for (before, executable, after) in [
        (0o640, false, 0o640),
        (0o640, true, 0o750),
        (0o755, false, 0o755),
        (0o4755, true, 0o755),
    ] {
        file(&target, before);
        let new = 0o600;
        put(&target, Rights::Usual { new, executable }).unwrap();
        assert_eq!(mode(&target), after, "{before:o}");
        put(&target, Rights::InPlace(0o705)).unwrap();
        assert_eq!(mode(&target), 0o705);
    }
    assert_eq!(std::fs::read_dir(&directory).unwrap().count(), 1);
}

#[test]
fn a_link_is_replaced_and_what_it_leads_to_stays() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    file(&at("precious"), 0o644);
    std::fs::hard_link(at("precious"), at("other name")).unwrap();
    symlink("precious", at("link")).unwrap();
    symlink("nowhere", at("dangling")).unwrap();
    for name in ["link", "dangling", "other name"] {
        put(&at(name), PLAIN).unwrap();
        assert_eq!(std::fs::read(at(name)).unwrap(), b"new");
        assert!(at(name).symlink_metadata().unwrap().is_file());
    }
    assert_eq!(std::fs::read(at("precious")).unwrap(), b"old");
    assert!(!at("nowhere").exists());
    assert_eq!((mode(&at("link")), mode(&at("other name"))), (0o600, 0o644));
    assert_eq!(std::fs::read_dir(&directory).unwrap().count(), 4);
}

#[test]
fn what_is_no_regular_file_is_refused_and_stays() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    std::fs::create_dir(at("directory")).unwrap();
    nix::unistd::mkfifo(&at("pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
    for (name, text) in [
        ("to-pipe", "pipe"),
        ("to-directory", "directory"),
        ("to-device", "/dev/null"),
        ("to-stream", "/proc/self/fd/0"),
    ] {
        symlink(text, at(name)).unwrap();
    }
    for (name, what) in [
        ("directory", "a directory"),
        ("directory/", "a directory"),
        ("directory/..", "a directory"),
        ("new/", "a directory"),
        ("pipe", "a pipe"),
        ("socket", "a socket"),
        ("to-pipe", "a pipe"),
        ("to-directory", "a directory"),
        ("to-device", "a device"),
        ("to-stream", "a process's own open file"),
    ] {
        for error in [put(&at(name), PLAIN), link("text", &at(name))] {
            let error = error.unwrap_err().to_string();
            assert!(
                error.contains(&format!("` is {what} and is left alone")),
                "{error}"
            );
        }
    }
    let left = std::fs::read_dir(&directory).unwrap().count();
    assert_eq!(left, 7, "something was left beside them");
    assert!(at("to-device").is_symlink());
}

#[test]
fn what_comes_to_the_place_meanwhile_is_looked_at() {
    let directory = tempfile::tempdir().unwrap();
    let target = directory.path().join("target");
    let draft = Draft::new(&target, PLAIN).unwrap();
    std::fs::create_dir(&target).unwrap();
    draft.publish().unwrap_err();
    std::fs::remove_dir(&target).unwrap();
    let draft = Draft::new(&target, PLAIN).unwrap();
    file(&target, 0o640);
    draft.publish().unwrap();
    assert_eq!(
        (mode(&target), std::fs::read(&target).unwrap().len()),
        (0o640, 0)
    );
    assert_eq!(std::fs::read_dir(&directory).unwrap().count(), 1);
}

/// As on a file system without `O_TMPFILE`, or without /proc.
#[test]
fn a_draft_with_a_name_goes_when_it_is_dropped() {
    let directory = tempfile::tempdir().unwrap();
    let target = directory.path().join("target");
    let named = |target: &Path| {
        let create = &mut |name: &Path| File::create_new(name);
        let (file, name) = free_name(target, create).unwrap();
        Draft {
            file,
            name: Some(name),
            target: target.to_owned(),
            rights: PLAIN,
        }
    };
    // Left by a process that had this number and was killed.
    let draft = named(&target);
    let path = draft.path();
    assert!(path.exists());
    drop(draft);
    assert!(!path.exists());
    named(&target).publish().unwrap();
    std::fs::remove_file(&target).unwrap();
    std::fs::create_dir(&target).unwrap();
    named(&target).publish().unwrap_err();
    assert_eq!(std::fs::read_dir(&directory).unwrap().count(), 1);
}
