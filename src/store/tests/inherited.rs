//! The lock that the stub leaves to the engine is taken for what it is, and nothing else is.

use std::ffi::OsString;
use std::fs::File;
use std::os::fd::AsFd;

use nix::fcntl::{FcntlArg, FdFlag, fcntl};

use super::*;
use crate::store::Inherited;

/// An open file as a process inherits it.
fn inheritable(path: &Path) -> &'static File {
    let file = Box::leak(Box::new(File::create(path).unwrap()));
    fcntl(file.as_fd(), FcntlArg::F_SETFD(FdFlag::empty())).unwrap();
    file
}

fn is_inherited(file: &File) -> bool {
    fcntl(file.as_fd(), FcntlArg::F_GETFD).unwrap() == 0
}

/// What becomes of a descriptor that the stub is said to have left, for the lock at `path`.
fn told(path: &Path, file: &'static File) -> Option<Inherited> {
    let told = OsString::from(format!("5:{}", path.display()));
    Inherited::new(&told, |number| (number == 5).then(|| file.as_fd()))
}

#[test]
fn the_lock_of_a_launch_is_where_the_stub_looks_for_it() {
    let key = [0xab; 32];
    let theirs = pexboot_core::paths::lock(b"/r/v2/locks", &key);
    let name = "ab".repeat(32);
    let ours = lock::path(Path::new("/r"), Kind::Plans, Path::new(&name));
    assert_eq!(ours.as_os_str().as_encoded_bytes(), theirs);
}

#[test]
fn a_lock_that_was_left_goes_with_the_process_and_its_file_before() {
    let temp = directory();
    let locks = temp.path().join("v2/locks");
    std::fs::create_dir_all(&locks).unwrap();
    let path = locks.join("launches-x");
    let file = inheritable(&path);
    let lock = told(&path, file).unwrap();
    assert!(!is_inherited(file) && path.exists());
    drop(lock);
    assert!(!path.exists());
    // Somebody has removed it meanwhile.
    let file = inheritable(&path);
    std::fs::remove_file(&path).unwrap();
    assert!(told(&path, file).is_some() && !is_inherited(file));
}

#[test]
fn what_is_no_lock_stays_as_it_is() {
    let temp = directory();
    let locks = temp.path().join("v2/locks");
    std::fs::create_dir_all(&locks).unwrap();
    let [lock, other, elsewhere] = [
        locks.join("a"),
        locks.join("b"),
        temp.path().join("elsewhere"),
    ];
    let file = inheritable(&lock);
    std::fs::write(&other, "").unwrap();
    assert!(told(&other, file).is_none(), "another file");
    let file = inheritable(&elsewhere);
    assert!(told(&elsewhere, file).is_none(), "no directory of locks");
    assert!(is_inherited(file));
    for text in ["", "5", "x:/y", ":", "6:/v2/locks/a"] {
        let given = |number| (number == 5).then(|| file.as_fd());
        assert!(Inherited::new(text.as_ref(), given).is_none(), "{text}");
    }
    assert!(lock.exists() && other.exists() && elsewhere.exists());
}
