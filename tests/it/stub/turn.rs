//! Whose turn it is to prepare: the lock of a key, and what stands in a launch while its first start imports.

use std::process::Child;
use std::time::Instant;

use fs2::FileExt;

use super::*;

/// Prints what the engine is told of the lock.
const TOLD: &str = "echo ${_PEXBOOT_LOCK-nothing}";

impl Scene {
    /// Where the lock of `app` lies.
    fn lock(&self) -> PathBuf {
        let plans = self.plans_at(&self.path("elsewhere"), &self.app, b"");
        let key = plans.file_name().unwrap();
        let name = format!("plans-{}", key.to_str().unwrap());
        self.root().join("v2/locks").join(name)
    }

    /// The lock as somebody else holds it.
    fn held(&self) -> File {
        fs::create_dir_all(self.root().join("v2/locks")).unwrap();
        let file = File::create(self.lock()).unwrap();
        file.lock_exclusive().unwrap();
        file
    }

    /// A start that waits for somebody: with the lock's file open, or no longer.
    fn waiting(&self, script: &str, open: bool) -> Child {
        let child = self
            .command(&self.app)
            .args(["-c", script, "a", "b"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        waits(&child, &self.lock(), open);
        child
    }
}

/// Waits until the stub waits: it sleeps nowhere else.
pub fn waits(child: &Child, lock: &Path, open: bool) {
    let process = PathBuf::from(format!("/proc/{}", child.id()));
    let begin = Instant::now();
    loop {
        let status = fs::read_to_string(process.join("stat")).unwrap();
        let sleeps = status.rsplit(") ").next().unwrap().starts_with('S');
        let found = fs::read_dir(process.join("fd")).unwrap().flatten();
        let has = found
            .into_iter()
            .any(|entry| fs::read_link(entry.path()).is_ok_and(|target| target == lock));
        if sleeps && has == open {
            return;
        }
        assert!(begin.elapsed() < Duration::from_secs(60), "{status}");
        std::thread::yield_now();
    }
}

#[test]
fn the_first_start_leaves_its_lock_to_the_engine() {
    let scene = Scene::new();
    let script = "number=${_PEXBOOT_LOCK%%:*}; readlink /proc/self/fd/$number; echo ${_PEXBOOT_LOCK#*:}; flock -n ${_PEXBOOT_LOCK#*:} true || echo held";
    let output = scene.run(script);
    let lock = scene.lock();
    let text = format!("{0}\n{0}\nheld\n", lock.display());
    check(&output, 0, &text, "");
    // This engine has left it behind, as one that was killed: it is nobody's.
    check(&scene.run(script), 0, &text, "");
    assert_eq!(
        fs::metadata(&lock).unwrap().permissions().mode() & 0o7777,
        0o644
    );
}

#[test]
fn it_does_not_get_the_number_of_a_standard_descriptor_that_is_closed() {
    let scene = Scene::new();
    let output = scene
        .command(Path::new("/bin/sh"))
        .args(["-c", "exec \"$0\" -c \"$1\" <&-"])
        .arg(&scene.app)
        .arg("readlink /proc/self/fd/0 || readlink /proc/self/fd/${_PEXBOOT_LOCK%%:*}")
        .output()
        .unwrap();
    check(&output, 0, &format!("{}\n", scene.lock().display()), "");
}

#[test]
fn who_comes_second_waits_for_the_plan_of_the_first() {
    // No engine could be started.
    let scene = Scene::with_engine(b"\0");
    let lock = scene.held();
    let child = scene.waiting("echo engine", true);
    scene.plan(&plan(SAY));
    drop(lock);
    let output = child.wait_with_output().unwrap();
    check(&output, 0, "replayed -c echo engine a b\n", "");
}

#[test]
fn all_who_wait_go_on_when_the_first_has_failed() {
    let scene = Scene::new();
    let lock = scene.held();
    let waiting: Vec<Child> = (0..4).map(|_| scene.waiting(TOLD, true)).collect();
    drop(lock);
    for child in waiting {
        check(&child.wait_with_output().unwrap(), 0, "nothing\n", "");
    }
}

#[test]
fn nobody_waits_for_ever() {
    let scene = Scene::new();
    let _lock = scene.held();
    check(&scene.run(TOLD), 0, "nothing\n", "");
}

#[test]
fn who_has_waited_waits_for_the_imports_of_the_first_too() {
    let scene = Scene::with_engine(b"\0");
    let lock = scene.held();
    let mut child = scene.waiting("echo engine", true);
    let marker = scene.importing();
    drop(lock);
    waits(&child, &scene.lock(), false);
    assert!(child.try_wait().unwrap().is_none());
    fs::remove_file(&marker).unwrap();
    let output = child.wait_with_output().unwrap();
    check(&output, 0, "replayed -c echo engine a b\n", "");
}

#[test]
fn imports_that_never_end_are_waited_for_once() {
    let scene = Scene::with_engine(b"\0");
    let lock = scene.held();
    let child = scene.waiting("echo engine", true);
    let marker = scene.importing();
    drop(lock);
    let output = child.wait_with_output().unwrap();
    check(&output, 0, "replayed -c echo engine a b\n", "");
    assert!(!marker.exists());
}

#[test]
fn a_start_that_finds_a_plan_looks_at_neither() {
    let scene = Scene::with_engine(b"\0");
    let _lock = scene.held();
    let marker = scene.importing();
    check(&scene.run("x"), 0, "replayed -c x a b\n", "");
    assert!(marker.exists());
}

#[test]
fn what_is_no_lock_of_the_users_is_not_respected() {
    let scene = Scene::new();
    fs::create_dir_all(scene.root().join("v2/locks")).unwrap();
    let lock = scene.lock();
    symlink("target", &lock).unwrap();
    check(&scene.run(TOLD), 0, "nothing\n", "");
    assert!(!lock.with_file_name("target").exists());
    fs::remove_file(&lock).unwrap();
    nix::unistd::mkfifo(&lock, nix::sys::stat::Mode::S_IRWXU).unwrap();
    check(&scene.run(TOLD), 0, "nothing\n", "");
    fs::remove_file(&lock).unwrap();
    fs::create_dir(&lock).unwrap();
    check(&scene.run(TOLD), 0, "nothing\n", "");
    fs::remove_dir(&lock).unwrap();
    let file = scene.held();
    fs::set_permissions(&lock, fs::Permissions::from_mode(0o666)).unwrap();
    check(&scene.run(TOLD), 0, "nothing\n", "");
    if crate::harness::is_root() {
        fs::set_permissions(&lock, fs::Permissions::from_mode(0o644)).unwrap();
        std::os::unix::fs::chown(&lock, Some(65_534), None).unwrap();
        check(&scene.run(TOLD), 0, "nothing\n", "");
    }
    drop(file);
    fs::remove_dir_all(scene.root().join("v2/locks")).unwrap();
    fs::write(scene.root().join("v2/locks"), "").unwrap();
    check(&scene.run(TOLD), 0, "nothing\n", "");
}

#[test]
fn nobody_waits_in_a_seed() {
    let scene = Scene::new();
    let seed = scene.path("seed");
    fs::create_dir_all(seed.join("v2/locks")).unwrap();
    let scene = scene.with("PEXBOOT_SEEDS", &seed);
    let script = "echo ${_PEXBOOT_LOCK#*:}";
    let output = scene.run(script);
    check(&output, 0, &format!("{}\n", scene.lock().display()), "");
    assert_eq!(fs::read_dir(seed.join("v2/locks")).unwrap().count(), 0);
}

#[test]
fn a_first_start_that_comes_to_no_engine_leaves_no_lock() {
    let scene = Scene::with_engine(b"\0");
    assert_eq!(scene.run("x").status.code(), Some(65));
    assert!(!scene.lock().exists());
}
