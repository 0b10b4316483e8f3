//! Against what the original makes of the same wheel (tried with pex 2.105.2: the texts below are its).

use super::*;
use crate::archive::testing::{self, Shape, build, deflated};

fn metadata(path: &str, text: &str) -> testing::Member {
    deflated(&format!("syn-1.0.dist-info/{path}"), text.as_bytes())
}

/// Installs a wheel of these members beside the metadata that every wheel has.
fn install(root: &Path, mut members: Vec<testing::Member>, pure: bool, tag: &str) -> Vec<String> {
    members.push(metadata(
        "METADATA",
        "Metadata-Version: 2.1\nName: syn\nVersion: 1.0\n\nName: no\n",
    ));
    members.push(metadata(
        "WHEEL",
        &format!("Wheel-Version: 1.0\n\nRoot-Is-Purelib: {pure}\nTag: {tag}\n"),
    ));
    let file = testing::file(root, &build(&members, &Shape::default()));
    let target = root.join("chroot");
    std::fs::create_dir(&target).unwrap();
    let wheel = Archive::open(&file).unwrap();
    let progress = super::Progress::new("", 0, false);
    let plan = Plan::new("syn-1.0-py3-none-any.whl", &wheel, &|why| panic!("{why}")).unwrap();
    plan.install(&target, &progress, &Crew::new(0)).unwrap();
    let mut found = Vec::new();
    let mut left = vec![target.clone()];
    while let Some(directory) = left.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                left.push(path);
            } else {
                found.push(
                    path.strip_prefix(&target)
                        .unwrap()
                        .to_str()
                        .unwrap()
                        .to_owned(),
                );
            }
        }
    }
    found.retain(|path| !path.contains("-info/") && path != ".layout.json");
    found.sort();
    found
}

fn read(root: &Path, path: &str) -> String {
    std::fs::read_to_string(root.join("chroot").join(path)).unwrap()
}

#[test]
fn files_are_spread_as_record_lists_them() {
    let temp = tempfile::tempdir().unwrap();
    let record = "syn/__init__.py,sha256=abc,4\r\n\
                  \"syn/with,comma\",,\r\n\
                  syn/old.pyc,,\r\n\
                  syn/,,\r\n\
                  missing.py,,\r\n\
                  syn-1.0.dist-info/INSTALLER,,\r\n\
                  syn-1.0.data/platlib/p.py,,01\r\n\
                  syn-1.0.data/headers/h.h,,\r\n\
                  syn-1.0.data/data/share/d,,\r\n\
                  syn-1.0.data/scripts/run,,\r\n\
                  syn-1.0.data/scripts/made,,\r\n\
                  syn-1.0.dist-info/RECORD,,\r\n";
    let members = vec![
        deflated("syn/__init__.py", b"init"),
        deflated("syn/with,comma", b""),
        deflated("syn/old.pyc", b""),
        deflated("syn/not-listed", b""),
        deflated("syn-1.0.data/platlib/p.py", b"p"),
        deflated("syn-1.0.data/platlib/not-listed.py", b""),
        deflated("syn-1.0.data/purelib/lost.py", b""),
        deflated("syn-1.0.data/headers/h.h", b"h"),
        deflated("syn-1.0.data/data/share/d", b"d"),
        deflated("syn-1.0.data/scripts/run", b"#!python -u\nbody\n"),
        deflated("syn-1.0.data/scripts/made", b"#!python\nold\n"),
        metadata("INSTALLER", "pip\n"),
        metadata("entry_points.txt", "[console_scripts]\nmade = syn:main\n"),
        metadata("RECORD", record),
    ];
    let found = install(temp.path(), members, true, "cp311-cp311-any");
    assert_eq!(
        found,
        [
            ".prefix/bin/made",
            ".prefix/bin/run",
            ".prefix/data/share/d",
            ".prefix/include/site/python3.11/syn/h.h",
            ".prefix/platlib/p.py",
            "syn/__init__.py",
            "syn/not-listed",
            "syn/old.pyc",
            "syn/with,comma",
        ]
    );
    assert_eq!(read(temp.path(), ".prefix/bin/run"), "#!python\nbody\n");
    assert!(
        read(temp.path(), ".prefix/bin/made")
            .contains("importlib.import_module('syn')\nfor attr in ('main',):")
    );
    let record = read(temp.path(), "syn-1.0.dist-info/RECORD");
    let rows: Vec<&str> = record.split_terminator("\r\n").collect();
    assert_eq!(
        rows[..8],
        [
            "syn/__init__.py,sha256=abc,4",
            "\"syn/with,comma\",,",
            "syn/,,",
            ".prefix/platlib/p.py,,1",
            ".prefix/include/site/python3.11/syn/h.h,,",
            ".prefix/data/share/d,,",
            ".prefix/bin/run,sha256=yAs2_q7v10oYUOssDKtSfEOazTQY9nRyccMXM5smfmU,14",
            "syn-1.0.dist-info/RECORD,,",
        ]
    );
    assert!(rows[8].starts_with(".prefix/bin/made,sha256="));
    assert!(rows[9].starts_with("syn-1.0.pex-info/original-whl-info.json,sha256="));
    assert_eq!(rows.len(), 10);
    let layout = read(temp.path(), ".layout.json");
    assert!(layout.ends_with(
        r#""record_relpath":"syn-1.0.dist-info/RECORD","root_is_purelib":true,"stash_dir":".prefix","sys_path_entries":[".",".prefix/platlib"]}"#
    ));
    assert_eq!(
        entries(&temp.path().join("chroot")),
        [".", ".prefix/platlib"]
    );
}

#[test]
fn a_platlib_wheel_has_purelib_for_its_other_library() {
    let temp = tempfile::tempdir().unwrap();
    let members = vec![
        deflated("syn.py", b""),
        deflated("syn-1.0.data/purelib/p.py", b""),
        metadata("RECORD", "syn.py,,\nsyn-1.0.data/purelib/p.py,,\n"),
    ];
    let found = install(temp.path(), members, false, "py2.py3-none-any");
    assert_eq!(found, [".prefix/purelib/p.py", "syn.py"]);
}

#[test]
fn a_record_that_is_missing_or_of_no_use_is_made_up() {
    for record in [None, Some("/abs/syn.py,,\n")] {
        let temp = tempfile::tempdir().unwrap();
        let mut members = vec![
            deflated("z/a.py", b""),
            deflated("syn.py", b""),
            deflated("b/c.py", b""),
            deflated("syn-1.0.data/scripts/s", b"#!python\nx\n"),
        ];
        members.extend(record.map(|record| metadata("RECORD", record)));
        let found = install(temp.path(), members, true, "py3-none-any");
        assert_eq!(
            found,
            [".prefix/bin/s", "b/c.py", "syn.py", "z/a.py"],
            "{record:?}"
        );
        let record = read(temp.path(), "syn-1.0.dist-info/RECORD");
        assert!(
            record.starts_with("syn.py,,\nb/c.py,,\n.prefix/bin/s,sha256="),
            "{record}"
        );
    }
}

#[test]
fn the_original_wheel_is_noted_down() {
    let temp = tempfile::tempdir().unwrap();
    install(
        temp.path(),
        vec![deflated("ü😀\"\n.py", b""), metadata("RECORD", "")],
        true,
        "py3-none-any",
    );
    let info = read(temp.path(), "syn-1.0.pex-info/original-whl-info.json");
    assert!(
        info.starts_with(r#"{"entries":[["\u00fc\ud83d\ude00\"\n.py",["#),
        "{info}"
    );
    assert!(
        info.ends_with(r#"],"filename":"syn-1.0-py3-none-any.whl"}"#),
        "{info}"
    );
}
