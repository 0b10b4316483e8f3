//! Archives of every shape: read, refused, cut short.

use super::testing::{Member, Shape, build, deflated, file, stored};
use super::*;

fn open(bytes: &[u8]) -> Result<Archive, ArchiveError> {
    let directory = tempfile::tempdir().unwrap();
    Archive::open(&file(directory.path(), bytes))
}

fn members() -> Vec<Member> {
    vec![
        stored("PEX-INFO", b"{}"),
        deflated("a/b.py", &b"import this\n".repeat(1000)),
        Member {
            mode: 0o100_755,
            ..stored("bin/x", b"#!")
        },
        Member {
            mode: 0o755,
            ..stored("y", b"")
        },
        stored("d\u{fc}", b"umlaut"),
    ]
}

#[track_caller]
fn check_members(archive: &Archive) {
    let names: Vec<&str> = archive
        .entries()
        .iter()
        .map(|entry| entry.name.as_str())
        .collect();
    assert_eq!(names, ["PEX-INFO", "a/b.py", "bin/x", "y", "d\u{fc}"]);
    let read = |name: &str| archive.read(archive.find(name).unwrap(), u64::MAX).unwrap();
    assert_eq!(read("PEX-INFO"), b"{}");
    assert_eq!(read("a/b.py"), b"import this\n".repeat(1000));
    assert_eq!(read("d\u{fc}"), b"umlaut");
    assert!(archive.find("bin/x").unwrap().is_executable());
    // Without the type bits it is not (reference 9.1).
    assert!(!archive.find("y").unwrap().is_executable());
    assert!(archive.find("a").is_none());
    let mut copied = Vec::new();
    archive
        .copy(archive.find("a/b.py").unwrap(), &mut copied)
        .unwrap();
    assert_eq!(copied, b"import this\n".repeat(1000));
}

#[test]
fn reads_members_whatever_surrounds_them() {
    let shebang = b"#!/usr/bin/env python3.11\n".to_vec();
    let fake_end = b"PK\x05\x06 nothing of the kind, but long enough to be one".to_vec();
    for shape in [
        Shape::default(),
        Shape {
            prefix: shebang.clone(),
            ..Shape::default()
        },
        Shape {
            prefix: shebang,
            not_rebased: true,
            ..Shape::default()
        },
        Shape {
            comment: b"a comment".to_vec(),
            ..Shape::default()
        },
        Shape {
            comment: fake_end.clone(),
            ..Shape::default()
        },
        Shape {
            trailing: vec![0; 5000],
            ..Shape::default()
        },
        Shape {
            trailing: fake_end,
            ..Shape::default()
        },
        Shape {
            zip64: true,
            ..Shape::default()
        },
        Shape {
            zip64: true,
            prefix: vec![7; 100],
            not_rebased: true,
            comment: b"c".to_vec(),
            ..Shape::default()
        },
    ] {
        for zip64 in [false, true] {
            let members: Vec<Member> = members()
                .into_iter()
                .map(|member| Member { zip64, ..member })
                .collect();
            check_members(&open(&build(&members, &shape)).unwrap());
        }
    }
}

#[test]
fn an_empty_zip_has_no_members() {
    assert!(
        open(&build(&[], &Shape::default()))
            .unwrap()
            .entries()
            .is_empty()
    );
}

#[test]
fn reads_data_behind_extra_fields() {
    let mut members = members();
    for member in &mut members {
        member.local_extra = vec![9; 300];
    }
    check_members(&open(&build(&members, &Shape::default())).unwrap());
}

#[test]
fn the_last_of_a_name_counts() {
    let archive = open(&build(
        &[
            stored("a", b"1"),
            stored("b", b"2"),
            stored("a", b"3"),
            stored("a", b"4"),
        ],
        &Shape::default(),
    ))
    .unwrap();
    let names: Vec<&str> = archive
        .entries()
        .iter()
        .map(|entry| entry.name.as_str())
        .collect();
    assert_eq!(names, ["b", "a"]);
    assert_eq!(archive.read(archive.find("a").unwrap(), 10).unwrap(), b"4");
}

#[test]
fn finds_every_member_below_a_directory() {
    let names = ["z", "a/1", "a-b", "a/0", "a", "a/x/y"];
    let members: Vec<Member> = names.iter().map(|name| stored(name, b"")).collect();
    let archive = open(&build(&members, &Shape::default())).unwrap();
    let found = |prefix| {
        archive
            .beginning_with(prefix)
            .iter()
            .map(|entry| entry.name.as_str())
            .collect::<Vec<_>>()
    };
    assert_eq!(found("a/"), ["a/1", "a/0", "a/x/y"]);
    assert_eq!(found("a/x/"), ["a/x/y"]);
    assert!(found("b").is_empty());
}

#[test]
fn large_members_are_streamed() {
    let noise: Vec<u8> = (0..3u32 << 20)
        .flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes())
        .collect();
    let archive = open(&build(
        &[deflated("d", &noise), stored("s", &noise)],
        &Shape::default(),
    ))
    .unwrap();
    for name in ["d", "s"] {
        let mut hash = libdeflater::Crc::new();
        struct Out<'a>(&'a mut libdeflater::Crc, usize);
        impl Write for Out<'_> {
            fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
                self.0.update(bytes);
                self.1 = self.1.max(bytes.len());
                Ok(bytes.len())
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        let mut out = Out(&mut hash, 0);
        archive.copy(archive.find(name).unwrap(), &mut out).unwrap();
        assert!(
            out.1 <= 1 << 20,
            "{name} came in one piece of {} bytes",
            out.1
        );
        assert_eq!(hash.sum(), libdeflater::crc32(&noise));
        assert_eq!(
            archive.read(archive.find(name).unwrap(), 1 << 30).unwrap(),
            noise
        );
    }
}

#[test]
fn a_wheel_file_is_read_in_place() {
    let wheel = build(
        &members(),
        &Shape {
            comment: b"w".to_vec(),
            ..Shape::default()
        },
    );
    let bytes = build(
        &[
            stored("x", b"x"),
            stored(".deps/w.whl", &wheel),
            deflated("c.whl", &wheel),
        ],
        &Shape::default(),
    );
    let archive = open(&bytes).unwrap();
    let wheel = archive
        .open_member(archive.find(".deps/w.whl").unwrap())
        .unwrap();
    check_members(&wheel);
    assert!(wheel.path().ends_with("t.pex/.deps/w.whl"));
    let refused = archive
        .open_member(archive.find("c.whl").unwrap())
        .unwrap_err();
    assert!(matches!(
        refused,
        ArchiveError::Member {
            fault: MemberFault::NotStored,
            ..
        }
    ));
}

#[test]
fn the_shebang_is_the_first_line() {
    for (prefix, expect) in [
        (
            &b"#!/usr/bin/env python3.11\nrest"[..],
            Some(&b"/usr/bin/env python3.11"[..]),
        ),
        (b"#!/bin/sh\r\n", Some(b"/bin/sh")),
        (b"", None),
        (b" #!/bin/sh\n", None),
    ] {
        let bytes = build(
            &members(),
            &Shape {
                prefix: prefix.to_vec(),
                ..Shape::default()
            },
        );
        assert_eq!(open(&bytes).unwrap().shebang().unwrap().as_deref(), expect);
    }
}

#[track_caller]
fn refused(members: &[Member], shape: &Shape, expect: impl Fn(&ArchiveError) -> bool) {
    let bytes = build(members, shape);
    let result = open(&bytes).and_then(|archive| {
        let first = archive.entries().first().cloned();
        first.map_or(Ok(Vec::new()), |entry| archive.read(&entry, 1 << 20))
    });
    let error = result.expect_err("must be refused");
    assert!(expect(&error), "{error}");
}

#[test]
fn every_lie_has_its_own_error() {
    use MemberFault as F;
    let plain = Shape::default();
    let fault = |fault: F| move |error: &ArchiveError| matches!(error, ArchiveError::Member { fault: found, .. } if *found == fault);
    let a = stored("a", b"hello");
    let z = deflated("a", &[b'x'; 3000]);
    let differs = |what| fault(F::LocalDiffers { what });

    refused(
        &[Member {
            flags: 1,
            ..a.clone()
        }],
        &plain,
        fault(F::Encrypted),
    );
    refused(
        &[Member {
            method: 12,
            ..a.clone()
        }],
        &plain,
        fault(F::Method(12)),
    );
    refused(
        &[Member {
            method: 14,
            size: 0,
            ..a.clone()
        }],
        &plain,
        fault(F::Method(14)),
    );
    refused(
        &[Member {
            name: b"a\0b".to_vec(),
            ..a.clone()
        }],
        &plain,
        fault(F::NameNul),
    );
    refused(
        &[Member {
            name: vec![],
            ..a.clone()
        }],
        &plain,
        fault(F::NameEmpty),
    );
    refused(
        &[Member {
            name: vec![0xff],
            flags: 1 << 11,
            ..a.clone()
        }],
        &plain,
        fault(F::NameEncoding),
    );
    refused(
        &[Member {
            size: 6,
            ..a.clone()
        }],
        &plain,
        fault(F::StoredSize {
            compressed: 5,
            size: 6,
        }),
    );
    refused(
        &[Member {
            offset: Some(1 << 30),
            ..a.clone()
        }],
        &plain,
        fault(F::Bounds),
    );
    refused(
        &[Member {
            offset: Some(3),
            ..a.clone()
        }],
        &plain,
        fault(F::Bounds),
    );
    refused(
        &[Member {
            offset: Some(u64::MAX),
            zip64: true,
            ..a.clone()
        }],
        &plain,
        fault(F::Bounds),
    );
    refused(
        &[Member {
            crc32: 7,
            ..a.clone()
        }],
        &plain,
        |error| {
            matches!(
                error,
                ArchiveError::Member {
                    fault: F::Crc { promised: 7, .. },
                    ..
                }
            )
        },
    );
    refused(
        &[Member {
            local_name: Some(b"b".to_vec()),
            ..a.clone()
        }],
        &plain,
        differs("name"),
    );
    refused(
        &[Member {
            local_name: Some(vec![b'b'; 999]),
            ..a.clone()
        }],
        &plain,
        differs("name"),
    );
    refused(
        &[Member {
            local_method: Some(8),
            ..a.clone()
        }],
        &plain,
        differs("method"),
    );
    refused(
        &[Member {
            size: 1 << 40,
            zip64: true,
            ..z.clone()
        }],
        &plain,
        |error| {
            matches!(
                error,
                ArchiveError::Member {
                    fault: F::Bomb { .. },
                    ..
                }
            )
        },
    );
    refused(
        &[Member {
            size: 2999,
            ..z.clone()
        }],
        &plain,
        fault(F::Size { promised: 2999 }),
    );
    refused(
        &[Member {
            size: 3001,
            ..z.clone()
        }],
        &plain,
        fault(F::Size { promised: 3001 }),
    );
    refused(
        &[Member {
            data: vec![0xff; 20],
            ..z.clone()
        }],
        &plain,
        fault(F::Inflate),
    );
    let twice = Member {
        name: b"b".to_vec(),
        offset: Some(0),
        central_only: true,
        ..a.clone()
    };
    refused(
        &[a.clone(), twice],
        &plain,
        fault(F::Overlap { other: "a".into() }),
    );
}

#[test]
fn every_broken_directory_has_its_own_error() {
    use DirectoryFault as F;
    let fault = |fault: F| move |error: &ArchiveError| matches!(error, ArchiveError::Directory { fault: found, .. } if *found == fault);
    let a = stored("a", b"hello");
    let shape = |count, skew| Shape {
        count,
        skew,
        ..Shape::default()
    };
    refused(
        std::slice::from_ref(&a),
        &shape(Some(2), 0),
        fault(F::Count {
            promised: 2,
            found: 1,
        }),
    );
    refused(
        std::slice::from_ref(&a),
        &shape(Some(0), 0),
        fault(F::Count {
            promised: 0,
            found: 1,
        }),
    );
    refused(
        std::slice::from_ref(&a),
        &shape(None, 1),
        fault(F::BehindItself),
    );
    refused(
        std::slice::from_ref(&a),
        &Shape {
            zip64: true,
            ..shape(Some(1 << 60), 0)
        },
        |error| {
            matches!(
                error,
                ArchiveError::Directory {
                    fault: F::Count { .. },
                    ..
                }
            )
        },
    );
    for bytes in [&b""[..], b"x", b"#!/bin/sh\necho no zip\n", &[0; 70_000]] {
        assert!(matches!(open(bytes), Err(ArchiveError::NotAZip { .. })));
    }
    // Offsets that leave a prefix out shift with it; a member before the file's start can't be said.
    let mut cut = build(std::slice::from_ref(&a), &Shape::default());
    cut.drain(..1);
    assert!(matches!(
        open(&cut),
        Err(ArchiveError::Directory {
            fault: F::BehindItself,
            ..
        })
    ));
    let mut broken = build(&[a], &Shape::default());
    let at = broken.len() - 22 - 47;
    broken[at] = b'X';
    assert!(matches!(
        open(&broken),
        Err(ArchiveError::Directory {
            fault: F::Header { index: 0, .. },
            ..
        })
    ));
}

#[test]
fn a_file_cut_anywhere_is_refused() {
    for zip64 in [false, true] {
        let bytes = build(
            &members(),
            &Shape {
                zip64,
                comment: b"comment".to_vec(),
                ..Shape::default()
            },
        );
        // A comment that is cut off does no harm to Python either.
        for length in 0..bytes.len() - 7 {
            assert!(
                open(&bytes[..length]).is_err(),
                "cut at {length} of {}",
                bytes.len()
            );
        }
    }
}

#[test]
fn no_single_damaged_byte_leads_to_a_panic() {
    let bytes = build(
        &members(),
        &Shape {
            zip64: true,
            ..Shape::default()
        },
    );
    let directory = tempfile::tempdir().unwrap();
    for at in 0..bytes.len() {
        for value in [0, 0x7f, 0xff] {
            let mut damaged = bytes.clone();
            damaged[at] = value;
            if let Ok(archive) = Archive::open(&file(directory.path(), &damaged)) {
                for entry in archive.entries() {
                    let _ = archive.read(entry, 1 << 20);
                }
            }
        }
    }
}

#[test]
fn too_large_for_memory_is_said() {
    let archive = open(&build(&members(), &Shape::default())).unwrap();
    let error = archive
        .read(archive.find("PEX-INFO").unwrap(), 1)
        .unwrap_err();
    assert!(matches!(
        error,
        ArchiveError::TooLarge {
            size: 2,
            limit: 1,
            ..
        }
    ));
}

#[test]
fn an_unsealed_elf_is_a_prefix_like_any_other() {
    let mut prefix = b"\x7fELF\x02\x01".to_vec();
    prefix.resize(64, 0xff);
    check_members(
        &open(&build(
            &members(),
            &Shape {
                prefix,
                ..Shape::default()
            },
        ))
        .unwrap(),
    );
}

#[test]
fn reads_behind_four_gigabytes() {
    use std::os::unix::fs::FileExt as _;
    const PREFIX: u64 = 5 << 30;
    for shape in [
        Shape {
            not_rebased: true,
            ..Shape::default()
        },
        Shape {
            zip64: true,
            ..Shape::default()
        },
    ] {
        // Nothing but a hole in front.
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("t.pex");
        let file = File::create(&path).unwrap();
        file.write_all_at(&build(&members(), &shape), PREFIX)
            .unwrap();
        let archive = Archive::open(&path).unwrap();
        assert!(archive.find("PEX-INFO").unwrap().header_offset >= PREFIX);
        check_members(&archive);
    }
}
