//! What holds and what does not, on a machine of a few files.

use alloc::collections::BTreeMap;
use alloc::vec;
use core::cell::RefCell;

use super::*;
use crate::note::Note;
use crate::plan::Content;

/// A machine of a few files; notes what it was asked.
#[derive(Default)]
struct Fake {
    files: BTreeMap<&'static str, Identity>,
    executables: Vec<&'static str>,
    links: BTreeMap<&'static str, &'static str>,
    cwd: Option<&'static str>,
    boot_id: Option<[u8; 16]>,
    asked: RefCell<Vec<Vec<u8>>>,
}

impl Fake {
    /// The path as text: in these tests all of them are.
    fn note<'p>(&self, path: &'p [u8]) -> &'p str {
        self.asked.borrow_mut().push(path.to_vec());
        str::from_utf8(path).unwrap()
    }
}

impl World for Fake {
    fn stat(&self, path: &[u8]) -> Option<Identity> {
        self.files.get(self.note(path)).copied()
    }

    fn executable(&self, path: &[u8]) -> bool {
        self.executables.contains(&self.note(path))
    }

    fn link(&self, path: &[u8]) -> Option<Vec<u8>> {
        self.links
            .get(self.note(path))
            .map(|target| target.as_bytes().to_vec())
    }

    fn cwd(&self) -> Option<Vec<u8>> {
        self.note(b"cwd");
        self.cwd.map(|cwd| cwd.as_bytes().to_vec())
    }

    fn boot_id(&self) -> Option<[u8; 16]> {
        self.note(b"boot_id");
        self.boot_id
    }

    fn sum(&self, path: &[u8], size: u64) -> Option<[u8; 8]> {
        self.note(path);
        Some(size.to_le_bytes())
    }

    fn kernel(&self) -> Vec<u8> {
        b"kernel".to_vec()
    }
}

const FILE: Identity = Identity {
    ino: 1,
    size: 2,
    mtime: 3,
    mtime_nsec: 4,
    ctime: 5,
    ctime_nsec: 6,
};

fn launch<'a>(env: &'a [&'a [u8]]) -> Launch<'a> {
    Launch {
        pex: b"/dir/app",
        real: b"/real/app",
        args: &[],
        env,
    }
}

fn one(input: Input, env: &[&[u8]], world: &Fake) -> bool {
    let plan = Plan {
        inputs: vec![input],
        ..Plan::default()
    };
    holds(&plan, launch(env), world)
}

fn place(anchor: Anchor, path: &str) -> Place {
    Place {
        anchor,
        path: path.into(),
    }
}

#[test]
fn an_identity_is_compared_in_full() {
    let world = Fake {
        files: [("/dir/app", FILE)].into(),
        ..Fake::default()
    };
    assert!(one(
        Input::File(place(Anchor::Root, "/dir/app"), FILE),
        &[],
        &world
    ));
    for other in [
        Identity { ino: 9, ..FILE },
        Identity { size: 9, ..FILE },
        Identity { mtime: 9, ..FILE },
        Identity {
            mtime_nsec: 9,
            ..FILE
        },
        Identity { ctime: 9, ..FILE },
        Identity {
            ctime_nsec: 9,
            ..FILE
        },
    ] {
        assert!(
            !one(
                Input::File(place(Anchor::Root, "/dir/app"), other),
                &[],
                &world
            ),
            "{other:?}"
        );
    }
}

#[test]
fn any_file_of_that_size_and_time_or_content_will_do_elsewhere() {
    let world = Fake {
        files: [("/dir/app", FILE)].into(),
        ..Fake::default()
    };
    let holds = |size, mtime, sum: u64| {
        let sum = sum.to_le_bytes();
        let content = Content { size, mtime, sum };
        one(
            Input::Content(place(Anchor::Root, "/dir/app"), content),
            &[],
            &world,
        )
    };
    assert!(holds(2, 3, 9), "by its time");
    assert!(holds(2, 9, 2), "by its content");
    assert!(!holds(2, 9, 9));
    assert!(!holds(9, 3, 2));
    assert!(holds(Content::DIRECTORY, 3, 9), "a directory, by its time");
    assert!(holds(Content::DIRECTORY, 9, u64::MAX), "by its names");
    assert!(!holds(Content::DIRECTORY, 9, 2));
}

#[test]
fn a_plan_that_names_the_file_is_for_that_path() {
    let world = Fake::default();
    assert!(one(Input::Pex(b"/dir/app".to_vec()), &[], &world));
    assert!(!one(Input::Pex(b"/copy/app".to_vec()), &[], &world));
}

#[test]
fn a_plan_that_looked_from_a_directory_is_for_that_directory() {
    let world = Fake {
        cwd: Some("/job"),
        ..Fake::default()
    };
    assert!(one(Input::Cwd(b"/job".to_vec()), &[], &world));
    assert!(!one(Input::Cwd(b"/other".to_vec()), &[], &world));
}

#[test]
fn the_kernel_is_an_input_by_its_name() {
    let world = Fake::default();
    assert!(one(Input::Kernel(b"kernel".to_vec()), &[], &world));
    assert!(!one(Input::Kernel(b"other".to_vec()), &[], &world));
}

#[test]
fn places_follow_what_they_are_anchored_to() {
    let world = Fake {
        cwd: Some("/job"),
        ..Fake::default()
    };
    let at = |anchor, path, env: &[&[u8]]| {
        locate(&place(anchor, path), launch(env), &world)
            .map(|path| alloc::string::String::from_utf8(path).unwrap())
    };
    assert_eq!(at(Anchor::Root, "/a/../b", &[]).as_deref(), Some("/a/../b"));
    assert_eq!(
        at(Anchor::PexDir, "../.pexrc", &[]).as_deref(),
        Some("/dir/../.pexrc")
    );
    assert_eq!(
        at(Anchor::Home, ".pexrc", &[b"HOME=/home/u"]).as_deref(),
        Some("/home/u/.pexrc")
    );
    assert_eq!(at(Anchor::Home, ".pexrc", &[b"HOME="]), None);
    assert_eq!(at(Anchor::Home, ".pexrc", &[]), None);
    assert_eq!(at(Anchor::Cwd, "x", &[]).as_deref(), Some("/job/x"));
    let top = Launch {
        pex: b"/app",
        ..launch(&[])
    };
    assert_eq!(
        locate(&place(Anchor::PexDir, "x"), top, &world).as_deref(),
        Some(b"/x".as_slice())
    );
}

#[test]
fn presence_absence_and_links() {
    let world = Fake {
        files: [("/there", FILE)].into(),
        links: [("/link", "target")].into(),
        ..Fake::default()
    };
    let root = |path| place(Anchor::Root, path);
    assert!(one(Input::Present(root("/there"), 0), &[], &world));
    assert!(one(Input::Present(root("/there"), 1), &[], &world));
    assert!(!one(Input::Present(root("/there"), 2), &[], &world));
    assert!(!one(Input::Present(root("/gone"), 0), &[], &world));
    assert!(one(Input::Absent(root("/gone")), &[], &world));
    assert!(!one(Input::Absent(root("/there")), &[], &world));
    assert!(one(Input::File(root("/there"), FILE), &[], &world));
    assert!(!one(Input::File(root("/gone"), FILE), &[], &world));
    assert!(one(
        Input::Link(root("/link"), b"target".to_vec()),
        &[],
        &world
    ));
    assert!(!one(
        Input::Link(root("/link"), b"other".to_vec()),
        &[],
        &world
    ));
    assert!(!one(
        Input::Link(root("/there"), b"target".to_vec()),
        &[],
        &world
    ));
}

#[test]
fn a_home_that_is_none_holds_nothing_and_an_unknown_working_directory_may() {
    let world = Fake::default();
    let absent = || Input::Absent(place(Anchor::Home, ".pexrc"));
    for env in [&[][..], &[b"HOME=".as_slice()], &[b"HOME=relative"]] {
        assert!(one(absent(), env, &world));
    }
    assert!(!one(Input::Absent(place(Anchor::Cwd, "x")), &[], &world));
}

#[test]
fn variables_are_compared_by_value_and_presence() {
    let world = Fake::default();
    let variable = |value: Option<&str>| Input::Variable(b"A".to_vec(), value.map(Into::into));
    assert!(one(variable(Some("1")), &[b"A=1"], &world));
    assert!(!one(variable(Some("1")), &[b"A=2"], &world));
    assert!(!one(variable(Some("")), &[], &world));
    assert!(one(variable(None), &[], &world));
    assert!(!one(variable(None), &[b"A="], &world));
}

#[test]
fn path_is_walked_as_execvp_walks_it() {
    let world = Fake {
        executables: vec!["/b/py", "/c/py", "/job/py", "/job/sub/py", "/bin/py"],
        cwd: Some("/job"),
        ..Fake::default()
    };
    let first = |path: Option<&str>, name: &str| {
        first_on_path(name.as_bytes(), path.map(str::as_bytes), &world)
            .map(|hit| alloc::string::String::from_utf8(hit).unwrap())
    };
    assert_eq!(first(Some("/a:/b:/c"), "py").as_deref(), Some("/b/py"));
    assert_eq!(first(Some("/a:/c/:/b"), "py").as_deref(), Some("/c/py"));
    assert_eq!(
        first(Some("/a:"), "py").as_deref(),
        Some("/job/py"),
        "an empty item at the end"
    );
    assert_eq!(
        first(Some(""), "py").as_deref(),
        Some("/job/py"),
        "nothing but an empty item"
    );
    assert_eq!(
        first(Some("sub"), "py").as_deref(),
        Some("/job/sub/py"),
        "a relative item"
    );
    assert_eq!(first(Some("/a"), "py"), None);
    assert_eq!(first(None, "py").as_deref(), Some("/bin/py"), "no PATH");
    assert_eq!(
        first(Some("/b"), "sub/py").as_deref(),
        Some("/job/sub/py"),
        "a path"
    );
    assert_eq!(first(Some("/b"), ""), None);
}

#[test]
fn a_lookup_on_path_is_repeated_and_its_hit_compared() {
    let world = Fake {
        executables: vec!["/b/py"],
        ..Fake::default()
    };
    let lookup = |hit: Option<&str>| Input::FirstOnPath(b"py".to_vec(), hit.map(Into::into));
    assert!(one(lookup(Some("/b/py")), &[b"PATH=/a:/b"], &world));
    assert!(!one(lookup(Some("/a/py")), &[b"PATH=/a:/b"], &world));
    assert!(!one(lookup(None), &[b"PATH=/a:/b"], &world));
    assert!(one(lookup(None), &[b"PATH=/a"], &world));
}

#[test]
fn the_nearest_upward_is_the_nearest() {
    let world = |files: &[&'static str], cwd| Fake {
        files: files.iter().map(|path| (*path, FILE)).collect(),
        cwd: Some(cwd),
        ..Fake::default()
    };
    let upward = |world: &Fake| first_upward(b".v", world);
    assert_eq!(
        upward(&world(&["/a/.v", "/.v"], "/a/b")).as_deref(),
        Some(b"/a/.v".as_slice())
    );
    assert_eq!(
        upward(&world(&["/.v"], "/a/b")).as_deref(),
        Some(b"/.v".as_slice())
    );
    assert_eq!(
        upward(&world(&["/.v"], "/")).as_deref(),
        Some(b"/.v".as_slice())
    );
    let nothing = world(&[], "/a/b");
    assert_eq!(upward(&nothing), None);
    assert_eq!(
        nothing.asked.borrow().len(),
        4,
        "the working directory, then /a/b, /a and /"
    );
    assert_eq!(upward(&Fake::default()), None, "no working directory");
    assert!(one(
        Input::FirstUpward(b".v".to_vec(), None),
        &[],
        &world(&[], "/a")
    ));
    assert!(!one(
        Input::FirstUpward(b".v".to_vec(), None),
        &[],
        &world(&["/.v"], "/a")
    ));
}

#[test]
fn a_plan_of_another_boot_does_not_hold() {
    let plan = Plan {
        boot_id: [1; 16],
        ..Plan::default()
    };
    let boots = |boot_id| {
        holds(
            &plan,
            launch(&[]),
            &Fake {
                boot_id,
                ..Fake::default()
            },
        )
    };
    assert!(boots(Some([1; 16])));
    assert!(!boots(Some([2; 16])));
    assert!(!boots(None));
    let world = Fake::default();
    assert!(holds(&Plan::default(), launch(&[]), &world));
    assert!(
        world.asked.borrow().is_empty(),
        "what is on disk needs no boot_id"
    );
}

#[test]
fn every_input_counts_and_the_first_that_fails_ends_it() {
    let world = Fake {
        cwd: Some("/job"),
        ..Fake::default()
    };
    let absent = |path| Input::Absent(place(Anchor::Cwd, path));
    let plan = |inputs| Plan {
        inputs,
        ..Plan::default()
    };
    assert!(holds(
        &plan(vec![absent("x"), absent("y")]),
        launch(&[]),
        &world
    ));
    let asked = |world: &Fake| {
        world
            .asked
            .take()
            .into_iter()
            .map(|path| path.leak() as &[u8])
            .collect::<Vec<_>>()
    };
    assert_eq!(asked(&world), [b"cwd".as_slice(), b"/job/x", b"/job/y"]);
    let broken = plan(vec![
        Input::Variable(b"A".to_vec(), Some(Vec::new())),
        absent("x"),
    ]);
    assert!(!holds(&broken, launch(&[]), &world));
    assert!(asked(&world).is_empty());
}

#[test]
fn a_command_is_the_plan_filled_in() {
    let exec = Exec {
        program: b"/bin/python".to_vec(),
        argv: vec![b"python".to_vec(), b"-S".to_vec()],
        interpreter: false,
        env: vec![
            crate::plan::EnvChange::RemovePrefix(b"PEX_".to_vec()),
            crate::plan::EnvChange::Set(b"PEX".to_vec(), Value::RealPex),
            crate::plan::EnvChange::Set(b"_PEXBOOT".to_vec(), Value::Note(Note::default())),
        ],
    };
    let launch = Launch {
        args: &[b"a", b"", b"\xff"],
        env: &[
            b"_PEXBOOT_FILE=/x",
            b"PEX_MODULE=m",
            b"_PEXBOOT_CURRENT=/y",
            b"_PEXBOOT_LOCK=3:/z",
            b"A=1",
            b"_PEXBOOT_REPAIR=1",
            b"_PEXBOOT=junk",
        ],
        ..launch(&[])
    };
    assert_eq!(
        command(&exec, launch),
        Command {
            program: b"/bin/python".to_vec(),
            argv: [b"python".as_slice(), b"-S", b"a", b"", b"\xff"]
                .map(Vec::from)
                .into(),
            env: [b"A=1".as_slice(), b"PEX=/real/app", b"_PEXBOOT=/dir/app"]
                .map(Vec::from)
                .into(),
        }
    );
}

#[test]
fn a_plan_without_a_program_is_an_answer() {
    let mut exec = Exec {
        argv: vec![b"".to_vec(), b"/seed/launch/app".to_vec()],
        ..Exec::default()
    };
    let answer = |exec: &Exec| command(exec, launch(&[])).answer();
    assert_eq!(answer(&exec), Some(b"\0/seed/launch/app\0".to_vec()));
    exec.program = b"/bin/python".to_vec();
    assert_eq!(answer(&exec), None);
}
