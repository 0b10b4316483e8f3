//! One PEX in its layouts looks the same.

use std::os::unix::fs::{PermissionsExt, symlink};

use super::*;
use crate::archive::testing::{self, Shape, build, deflated, stored};

const WHEEL: &str = "Foo_Bar-1.0-py3-none-any.whl";
const SHEBANG: &[u8] = b"#!/usr/bin/env python3.11\n";

fn info(wheel_files: bool) -> String {
    format!(r#"{{"distributions":{{"{WHEEL}":"00"}},"deps_are_wheel_files":{wheel_files}}}"#)
}

/// The files of the wheel, as a chroot.
fn chroot() -> Vec<(&'static str, &'static [u8])> {
    vec![
        ("foo/__init__.py", b"x = 1\n"),
        ("foo/_vendor/other-2.0.dist-info/METADATA", b"not this one"),
        ("another-1.0.dist-info/METADATA", b"nor this one"),
        ("foo_bar-1.0.dist-info/METADATA", b"Name: foo-bar\n"),
        (
            "foo_bar-1.0.dist-info/entry_points.txt",
            b"[console_scripts]\n",
        ),
    ]
}

fn user_code() -> Vec<testing::Member> {
    vec![
        stored("app/", b""),
        deflated("app/__init__.py", b""),
        testing::Member {
            mode: 0o100_755,
            ..stored("app/run.sh", b"#!/bin/sh\n")
        },
        stored(".hidden", b"h"),
    ]
}

fn reserved(wheel_files: bool) -> Vec<testing::Member> {
    vec![
        stored("PEX-INFO", info(wheel_files).as_bytes()),
        stored("__main__.py", b"#!/usr/bin/env python3.11\nmain"),
        stored("__main__.pyc", b"dead"),
        stored("__pex__/__init__.py", b"hook"),
        stored("__pex__helper.py", b"never extracted"),
        stored(".bootstrap/pex/__init__.py", b""),
        stored(".deps-notes/x", b"never extracted"),
    ]
}

fn zipapp(directory: &Path, deps: Vec<testing::Member>, wheel_files: bool) -> PathBuf {
    let members: Vec<_> = deps
        .into_iter()
        .chain(reserved(wheel_files))
        .chain(user_code())
        .collect();
    testing::file(
        directory,
        &build(
            &members,
            &Shape {
                prefix: SHEBANG.to_vec(),
                ..Shape::default()
            },
        ),
    )
}

fn zipapp_with_chroot(directory: &Path) -> PathBuf {
    let deps = chroot()
        .into_iter()
        .map(|(name, bytes)| deflated(&format!(".deps/{WHEEL}/{name}"), bytes))
        .collect();
    zipapp(directory, deps, false)
}

fn write(root: &Path, name: &str, bytes: &[u8]) {
    let path = root.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
}

/// What packed and loose have in common.
fn directory(root: &Path, wheel_files: bool) {
    write(root, "PEX-INFO", info(wheel_files).as_bytes());
    write(root, "__main__.py", b"#!/usr/bin/env python3.11\nmain");
    write(root, "__pex__/__init__.py", b"hook");
    write(root, "app/__init__.py", b"");
    write(root, "app/run.sh", b"#!/bin/sh\n");
    write(root, ".hidden", b"h");
    std::fs::set_permissions(root.join("app/run.sh"), PermissionsExt::from_mode(0o755)).unwrap();
    symlink("__main__.py", root.join("pex")).unwrap();
}

fn packed(root: &Path, wheel_files: bool) {
    directory(root, wheel_files);
    let zip = |members: &[(&str, &[u8])]| {
        let members: Vec<_> = members
            .iter()
            .map(|(name, bytes)| deflated(name, bytes))
            .collect();
        build(&members, &Shape::default())
    };
    write(root, ".bootstrap", &zip(&[("pex/__init__.py", b"")]));
    write(root, &format!(".deps/{WHEEL}"), &zip(&chroot()));
}

fn loose(root: &Path) {
    directory(root, false);
    write(root, ".bootstrap/pex/__init__.py", b"");
    for (name, bytes) in chroot() {
        write(root, &format!(".deps/{WHEEL}/{name}"), bytes);
    }
}

fn paths(members: &[Member]) -> Vec<(&str, bool)> {
    members
        .iter()
        .map(|member| (member.path.as_str(), member.executable))
        .collect()
}

#[track_caller]
fn check_wheel(pex: &Pex) {
    assert_eq!(pex.metadata(WHEEL).unwrap(), b"Name: foo-bar\n");
    assert_eq!(
        pex.entry_points(WHEEL).unwrap().unwrap(),
        b"[console_scripts]\n"
    );
    assert!(matches!(
        pex.metadata("no-1-py3-none-any.whl"),
        Err(PexError::NoWheel { .. })
    ));
    assert!(matches!(
        pex.metadata("../x"),
        Err(PexError::NoWheel { .. })
    ));
    let (archive, members) = match pex.wheel(WHEEL).unwrap() {
        WheelSource::Chroot { archive, members } => (archive, members),
        WheelSource::WheelFile { wheel, .. } => {
            let members = tree::of_entries(wheel.path(), wheel.entries(), 0).unwrap();
            (Some(wheel), members)
        }
    };
    let mut found: Vec<(String, Vec<u8>)> = Vec::new();
    for member in members {
        let mut bytes = Vec::new();
        member.content.copy(archive.as_deref(), &mut bytes).unwrap();
        assert_eq!(member.size, bytes.len() as u64);
        found.push((member.path, bytes));
    }
    found.sort();
    let mut expect: Vec<_> = chroot()
        .into_iter()
        .map(|(name, bytes)| (name.to_owned(), bytes.to_vec()))
        .collect();
    expect.sort();
    assert_eq!(found, expect);
}

#[test]
fn a_zipapp_with_chroots() {
    let temp = tempfile::tempdir().unwrap();
    let pex = Pex::open(&zipapp_with_chroot(temp.path())).unwrap();
    assert_eq!(pex.layout, Layout::Zipapp);
    assert_eq!(pex.shebang().unwrap().unwrap(), b"/usr/bin/env python3.11");
    assert_eq!(
        paths(&pex.user_code().unwrap()),
        [
            ("app/__init__.py", false),
            ("app/run.sh", true),
            (".hidden", false)
        ]
    );
    check_wheel(&pex);
}

#[test]
fn a_zipapp_with_wheel_files() {
    let temp = tempfile::tempdir().unwrap();
    let members: Vec<_> = chroot()
        .into_iter()
        .map(|(name, bytes)| deflated(name, bytes))
        .collect();
    let wheel = build(&members, &Shape::default());
    let pex = Pex::open(&zipapp(
        temp.path(),
        vec![stored(&format!(".deps/{WHEEL}"), &wheel)],
        true,
    ))
    .unwrap();
    check_wheel(&pex);
    let WheelSource::WheelFile {
        content, archive, ..
    } = pex.wheel(WHEEL).unwrap()
    else {
        panic!("a wheel file")
    };
    let mut bytes = Vec::new();
    content.copy(archive.as_deref(), &mut bytes).unwrap();
    assert_eq!(bytes, wheel);
}

#[test]
fn packed_and_loose_directories() {
    let makes: [fn(&Path); 3] = [|root| packed(root, false), |root| packed(root, true), loose];
    for make in makes {
        let temp = tempfile::tempdir().unwrap();
        make(temp.path());
        // What Python leaves in a directory that runs in place is not the PEX's.
        write(temp.path(), "app/__pycache__/x.pyc", b"");
        for path in [
            temp.path().to_path_buf(),
            temp.path().join("pex"),
            temp.path().join("__main__.py"),
        ] {
            let pex = Pex::open(&path).unwrap();
            assert_eq!(pex.path, temp.path());
            assert_eq!(pex.shebang().unwrap().unwrap(), b"/usr/bin/env python3.11");
            let code = pex.user_code().unwrap();
            assert_eq!(
                paths(&code),
                [
                    (".hidden", false),
                    ("app/__init__.py", false),
                    ("app/run.sh", true)
                ]
            );
            check_wheel(&pex);
        }
        let expect = if temp.path().join(".bootstrap").is_file() {
            Layout::Packed
        } else {
            Layout::Loose
        };
        assert_eq!(Pex::open(temp.path()).unwrap().layout, expect);
    }
}

#[test]
fn a_directory_is_found_through_a_link_to_what_starts_it() {
    let temp = tempfile::tempdir().unwrap();
    let root = temp.path().join("dir");
    loose(&root);
    symlink("dir/pex", temp.path().join("tool")).unwrap();
    assert_eq!(
        Pex::open(&temp.path().join("tool")).unwrap().path,
        root.canonicalize().unwrap()
    );
}

#[test]
fn links_to_files_are_files_and_links_to_directories_are_passed_over() {
    let temp = tempfile::tempdir().unwrap();
    loose(temp.path());
    symlink("app", temp.path().join("link")).unwrap();
    symlink("app/run.sh", temp.path().join("run")).unwrap();
    let code = Pex::open(temp.path()).unwrap().user_code().unwrap();
    assert_eq!(paths(&code).last(), Some(&("run", true)));
    assert!(
        !paths(&code)
            .iter()
            .any(|(path, _)| path.starts_with("link"))
    );
}

#[test]
fn the_fingerprint_commits_to_code_and_info_alone() {
    let temp = tempfile::tempdir().unwrap();
    let of = |members: Vec<testing::Member>| {
        Pex::open(&testing::file(
            temp.path(),
            &build(&members, &Shape::default()),
        ))
        .unwrap()
        .fingerprint()
        .unwrap()
    };
    let all = || {
        reserved(false)
            .into_iter()
            .chain(user_code())
            .collect::<Vec<_>>()
    };
    let plain = of(all());
    assert_eq!(plain, of(all()));
    // Reserved entries other than PEX-INFO do not count: embedding replaces some of them.
    assert_eq!(
        plain,
        of(all()
            .into_iter()
            .filter(|member| !member.name.starts_with(b"__"))
            .collect())
    );
    for change in [
        |member: &mut testing::Member| *member = stored("PEX-INFO", b"{\"a\":1}"),
        |member: &mut testing::Member| *member = stored(".hidden", b"i"),
        |member: &mut testing::Member| member.mode = 0o100_755,
        |member: &mut testing::Member| *member = stored(".hidden2", b"h"),
    ] {
        let mut members = all();
        let index = members
            .iter()
            .position(|member| member.name == b".hidden")
            .unwrap();
        let mut replaced = members[index].clone();
        change(&mut replaced);
        let index = if replaced.name == b"PEX-INFO" {
            0
        } else {
            index
        };
        members[index] = replaced;
        assert_ne!(plain, of(members));
    }
}

#[test]
fn what_is_no_pex_is_said() {
    let temp = tempfile::tempdir().unwrap();
    let open = |bytes: &[u8]| Pex::open(&testing::file(temp.path(), bytes)).unwrap_err();
    assert!(matches!(
        open(b"text"),
        PexError::Archive(ArchiveError::NotAZip { .. })
    ));
    assert!(matches!(
        open(&build(&[], &Shape::default())),
        PexError::NotAPex { .. }
    ));
    assert!(matches!(
        open(&build(&[stored("PEX-INFO", b"[]")], &Shape::default())),
        PexError::Info { .. }
    ));
    assert!(matches!(
        Pex::open(temp.path()),
        Err(PexError::NotAPex { .. })
    ));
    assert!(matches!(
        Pex::open(Path::new("/nonexistent")),
        Err(PexError::Io { .. })
    ));
}

#[test]
fn entries_that_leave_the_tree_stay_inside() {
    let temp = tempfile::tempdir().unwrap();
    let members = [
        stored("PEX-INFO", b"{}"),
        stored("../up", b""),
        stored("/root", b""),
        stored("a/../../b", b""),
    ];
    let pex = Pex::open(&testing::file(
        temp.path(),
        &build(&members, &Shape::default()),
    ))
    .unwrap();
    assert_eq!(
        paths(&pex.user_code().unwrap()),
        [("up", false), ("root", false), ("a/b", false)]
    );
    let members = [
        stored("PEX-INFO", b"{}"),
        stored("a", b""),
        stored("a/b", b""),
    ];
    let pex = Pex::open(&testing::file(
        temp.path(),
        &build(&members, &Shape::default()),
    ))
    .unwrap();
    assert!(matches!(pex.user_code(), Err(PexError::Layout { .. })));
}
