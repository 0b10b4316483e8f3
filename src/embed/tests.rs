//! Embedding and stripping: the same bytes back, the same bytes every time, nothing half-written.

use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::process::Command;

use pexboot_core::seal::Note;

use super::*;
use crate::archive::testing::{Member, Shape, build, deflated, stored};

/// An ELF with nothing but a seal, as [`seal::offset`] and [`Sections::of`] understand it.
fn stub() -> Vec<u8> {
    const NOTE_AT: usize = 64 + 56;
    let note: Note = Note::UNSEALED;
    let size = std::mem::size_of::<Note>();
    let names = b"\0.note.pexboot\0.shstrtab\0";
    let names_at = NOTE_AT + size;
    let table_at = names_at + names.len();
    let mut elf = b"\x7fELF\x02\x01\x01".to_vec();
    elf.resize(32, 0);
    elf.extend(64u64.to_le_bytes());
    elf.extend((table_at as u64).to_le_bytes());
    elf.resize(54, 0);
    for value in [56u16, 1, 64, 3, 2] {
        elf.extend(value.to_le_bytes());
    }
    // Its one program header: a note.
    elf.extend(4u64.to_le_bytes());
    for value in [NOTE_AT, 0, 0, size, size, 4] {
        elf.extend((value as u64).to_le_bytes());
    }
    elf.extend(note.header());
    elf.extend(note.seal);
    elf.extend(names);
    let mut section = |name: u32, kind: u32, flags: u64, offset: usize, size: usize| {
        elf.extend(name.to_le_bytes());
        elf.extend(kind.to_le_bytes());
        for value in [flags, 0, offset as u64, size as u64, 0, 4, 0] {
            elf.extend(value.to_le_bytes());
        }
    };
    section(0, 0, 0, 0, 0);
    section(1, 7, 2, NOTE_AT, size);
    section(15, 3, 0, names_at, names.len());
    elf
}

fn with_parts<T>(act: impl FnOnce(&Parts<'_>) -> T) -> T {
    let stub = stub();
    act(&Parts {
        stub: &stub,
        engine: b"an engine",
        engine_full_size: 100,
        engine_digest: [3; 32],
    })
}

fn embedded(path: &Path) -> Result<Embedded, EmbedError> {
    with_parts(|parts| embed(path, None, Options::default(), &Bytecode::default(), parts))
}

fn members() -> Vec<Member> {
    vec![
        stored(".bootstrap/", b""),
        stored(".deps/w.whl/w.py", b"w = 1\n"),
        stored("PEX-INFO", br#"{"pex_root":"~/\"r\u00fc\""}"#),
        deflated("__main__.py", b"print('the original')\n"),
        stored("__main__.pyc", b"dead"),
        deflated("__pex__/__init__.py", b"raise SystemExit('the hook')\n"),
        deflated("app.py", &b"x = 1\n".repeat(500)),
        stored("d\u{fc}.txt", b"umlaut"),
    ]
}

fn shapes() -> Vec<Shape> {
    let shebang = b"#!/usr/bin/env python3.11\n".to_vec();
    vec![
        Shape::default(),
        Shape {
            prefix: shebang.clone(),
            ..Shape::default()
        },
        Shape {
            prefix: shebang.clone(),
            not_rebased: true,
            ..Shape::default()
        },
        Shape {
            prefix: shebang.clone(),
            comment: b"a comment".to_vec(),
            ..Shape::default()
        },
        Shape {
            prefix: shebang.clone(),
            trailing: b"junk".repeat(99),
            ..Shape::default()
        },
        Shape {
            prefix: shebang,
            zip64: true,
            ..Shape::default()
        },
    ]
}

/// Runs the system's Python; `None` on a machine without one.
fn python(args: &[&str]) -> Option<(bool, String)> {
    let output = Command::new("python3")
        .env_clear()
        .args(args)
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    Some((output.status.success(), text))
}

fn write(directory: &Path, bytes: &[u8], mode: u32) -> PathBuf {
    let path = directory.join("app.pex");
    std::fs::write(&path, bytes).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    path
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn strip_gives_the_original_back() {
    for zip64 in [false, true] {
        for shape in shapes() {
            let temp = tempfile::tempdir().unwrap();
            let members: Vec<_> = members()
                .into_iter()
                .map(|member| Member { zip64, ..member })
                .collect();
            let original = build(&members, &shape);
            let path = write(temp.path(), &original, 0o755);
            let done = embedded(&path).unwrap();
            let bytes = std::fs::read(&path).unwrap();
            assert_eq!(done.seal.file_size, bytes.len() as u64);
            assert_eq!(done.seal.archive_size, original.len() as u64);
            assert_eq!(done.seal.pex_root, "~/\"r\u{fc}\"".as_bytes());
            assert_eq!(
                done.seal.fingerprint,
                Pex::open(&path).unwrap().fingerprint().unwrap()
            );
            strip(&path, None).unwrap();
            assert_eq!(std::fs::read(&path).unwrap(), original);
            assert_eq!(
                done.seal.fingerprint,
                Pex::open(&path).unwrap().fingerprint().unwrap()
            );
            assert_eq!(
                std::fs::read_dir(temp.path()).unwrap().count(),
                1,
                "nothing is left behind"
            );
        }
    }
}

#[test]
fn other_zip_readers_see_a_sound_file() {
    let temp = tempfile::tempdir().unwrap();
    for shape in shapes() {
        let path = write(temp.path(), &build(&members(), &shape), 0o755);
        embedded(&path).unwrap();
        let text = path.to_str().unwrap();
        let check = "import sys, zipfile, zipimport\n\
                     z = zipfile.ZipFile(sys.argv[1])\n\
                     assert z.testzip() is None\n\
                     print(' '.join(z.namelist()))\n\
                     assert zipimport.zipimporter(sys.argv[1]).get_source('app') == 'x = 1\\n' * 500\n";
        let Some((fine, output)) = python(&["-c", check, text]) else {
            return;
        };
        assert!(fine, "{output}");
        assert_eq!(
            output.trim(),
            ".bootstrap/ .deps/w.whl/w.py PEX-INFO app.py d\u{fc}.txt __main__.py __pex__/__init__.py __pex__original.py"
        );
        if let Ok(output) = Command::new("unzip").args(["-tqq", text]).output() {
            assert!(output.status.success(), "{output:?}");
        }
    }
}

#[test]
fn the_same_bytes_every_time() {
    let temp = tempfile::tempdir().unwrap();
    let original = build(&members(), &shapes()[1]);
    let path = write(temp.path(), &original, 0o755);
    let (a, b) = (temp.path().join("a"), temp.path().join("b"));
    with_parts(|parts| {
        embed(
            &path,
            Some(&a),
            Options::default(),
            &Bytecode::default(),
            parts,
        )
        .unwrap();
        // Not even a mode that differs by umask makes a difference, nor having been embedded before.
        write(temp.path(), &original, 0o700);
        embed(
            &path,
            None,
            Options {
                host_site: Some(true),
                venv: false,
            },
            &Bytecode::default(),
            parts,
        )
        .unwrap();
        embed(
            &path,
            Some(&b),
            Options::default(),
            &Bytecode::default(),
            parts,
        )
        .unwrap();
    });
    assert!(std::fs::read(&a).unwrap() == std::fs::read(&b).unwrap());
    strip(&b, None).unwrap();
    assert_eq!(std::fs::read(&b).unwrap(), original);
}

#[test]
fn the_mode_comes_back() {
    let temp = tempfile::tempdir().unwrap();
    for (before, while_embedded, after) in [
        (0o755, 0o755, 0o755),
        (0o644, 0o755, 0o644),
        (0o600, 0o700, 0o600),
        (0o744, 0o755, 0o744),
        (0o4755, 0o755, 0o755),
    ] {
        let path = write(temp.path(), &build(&members(), &Shape::default()), before);
        embedded(&path).unwrap();
        embedded(&path).unwrap();
        assert_eq!(mode(&path), while_embedded);
        strip(&path, None).unwrap();
        assert_eq!(mode(&path), after);
    }
}

#[test]
fn a_link_stays_a_link() {
    let temp = tempfile::tempdir().unwrap();
    let path = write(temp.path(), &build(&members(), &Shape::default()), 0o755);
    let link = temp.path().join("link");
    symlink("app.pex", &link).unwrap();
    embedded(&link).unwrap();
    assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
    assert!(Archive::open(&path).unwrap().seal().is_some());
}

#[test]
fn more_entries_than_a_plain_end_record_counts() {
    let temp = tempfile::tempdir().unwrap();
    for count in [65_526, 65_527] {
        let many = (0..count).map(|n| stored(&format!("m/{n}.py"), b""));
        let original = build(
            &members().into_iter().chain(many).collect::<Vec<_>>(),
            &Shape {
                zip64: true,
                ..Shape::default()
            },
        );
        let path = write(temp.path(), &original, 0o755);
        embedded(&path).unwrap();
        assert_eq!(Archive::open(&path).unwrap().entries().len(), count + 8);
        let text = path.to_str().unwrap();
        if let Some((fine, output)) = python(&["-m", "zipfile", "-t", text]) {
            assert!(fine, "{output}");
        }
        strip(&path, None).unwrap();
        assert!(std::fs::read(&path).unwrap() == original);
    }
}

#[test]
fn what_is_not_embedded_cannot_be_stripped() {
    let temp = tempfile::tempdir().unwrap();
    let path = write(temp.path(), &build(&members(), &Shape::default()), 0o755);
    assert!(matches!(
        strip(&path, None),
        Err(EmbedError::NotEmbedded { .. })
    ));
    let no_pex = write(
        temp.path(),
        &build(&[stored("a", b"")], &Shape::default()),
        0o755,
    );
    assert!(matches!(
        embedded(&no_pex),
        Err(EmbedError::Pex(crate::pex::PexError::NotAPex { .. }))
    ));
    assert_eq!(
        embedded(&no_pex).unwrap_err().exit_code(),
        crate::exit::ExitCode::BadFile
    );
}

#[test]
fn a_file_changed_after_embedding_is_neither_stripped_nor_embedded_again() {
    let temp = tempfile::tempdir().unwrap();
    let original = build(&members(), &shapes()[1]);
    let path = write(temp.path(), &original, 0o755);
    let head = {
        let seal = embedded(&path).unwrap().seal;
        (seal.head_size()) as usize
    };
    let mut bytes = std::fs::read(&path).unwrap();
    // In the shebang line, which no checksum of the zip covers.
    bytes[head + 5] ^= 1;
    write(temp.path(), &bytes, 0o755);
    assert!(matches!(
        strip(&path, None),
        Err(EmbedError::Changed { .. })
    ));
    assert!(matches!(embedded(&path), Err(EmbedError::Changed { .. })));
    assert_eq!(
        std::fs::read(&path).unwrap(),
        bytes,
        "the input is untouched"
    );
    // What only stands behind does no harm.
    bytes[head + 5] ^= 1;
    bytes.extend(b"junk");
    write(temp.path(), &bytes, 0o755);
    strip(&path, None).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), original);
}

#[test]
fn a_file_updated_by_zip_is_told_from_an_intact_one() {
    let temp = tempfile::tempdir().unwrap();
    let path = write(temp.path(), &build(&members(), &shapes()[1]), 0o755);
    embedded(&path).unwrap();
    std::fs::write(temp.path().join("app.py"), "y = 2\n").unwrap();
    let zip = Command::new("zip")
        .current_dir(temp.path())
        .args(["-q", "app.pex", "app.py"])
        .status();
    if !zip.is_ok_and(|status| status.success()) {
        return;
    }
    assert!(matches!(
        strip(&path, None),
        Err(EmbedError::Changed { .. })
    ));
    assert!(matches!(embedded(&path), Err(EmbedError::Changed { .. })));
    // It still is a PEX with a seal, whose size no longer holds.
    assert!(!state(&path).unwrap().as_sealed);
}

#[test]
fn an_embedded_file_cut_anywhere_is_an_error_and_no_panic() {
    let temp = tempfile::tempdir().unwrap();
    let path = write(
        temp.path(),
        &build(&[stored("PEX-INFO", b"{}")], &Shape::default()),
        0o755,
    );
    let seal = embedded(&path).unwrap().seal;
    let bytes = std::fs::read(&path).unwrap();
    let archive_end = (seal.head_size() + seal.archive_size) as usize;
    for length in 0..bytes.len() {
        let path = write(temp.path(), &bytes[..length], 0o755);
        match state(&path) {
            // With the archive whole it is the zip it was, and known to be cut.
            Ok(state) => assert!(length >= archive_end && !state.as_sealed, "cut at {length}"),
            Err(_) => assert!(length < archive_end, "cut at {length}"),
        }
        assert!(strip(&path, None).is_err() || length >= archive_end);
    }
}

#[test]
fn a_directory_gets_the_head_for_its_link() {
    for packed in [false, true] {
        let temp = tempfile::tempdir().unwrap();
        let root = temp.path();
        std::fs::write(root.join("PEX-INFO"), "{}").unwrap();
        std::fs::write(root.join("__main__.py"), "#!/usr/bin/env python3\n").unwrap();
        std::fs::write(root.join("app.py"), "").unwrap();
        if packed {
            std::fs::write(root.join(".bootstrap"), "").unwrap();
        }
        let starter = root.join("pex");
        symlink("__main__.py", &starter).unwrap();
        let before = Pex::open(root).unwrap().fingerprint().unwrap();
        for input in [root, &starter, &root.join("__main__.py")] {
            let done = embedded(input).unwrap();
            assert_eq!(done.path, starter);
            assert_eq!(
                (done.seal.archive_size, done.seal.file_size),
                (0, std::fs::metadata(&starter).unwrap().len())
            );
            assert_eq!(done.seal.fingerprint, before);
            assert_eq!(Pex::open(&starter).unwrap().path, root);
            assert_eq!(state(input).unwrap().seal, Some(done.seal));
            assert_eq!(
                mode(&starter) & 0o111,
                0o111 & (mode(&root.join("__main__.py")) >> 2)
            );
        }
        strip(&starter, None).unwrap();
        assert_eq!(
            std::fs::read_link(&starter).unwrap(),
            Path::new("__main__.py")
        );
        assert!(matches!(
            strip(root, None),
            Err(EmbedError::NotEmbedded { .. })
        ));
        std::fs::remove_file(&starter).unwrap();
        std::fs::write(&starter, "mine").unwrap();
        assert!(matches!(embedded(root), Err(EmbedError::Starter { .. })));
        let out = root.join("out");
        assert!(matches!(
            with_parts(|parts| embed(
                root,
                Some(&out),
                Options::default(),
                &Bytecode::default(),
                parts
            )),
            Err(EmbedError::DirectoryOutput { .. })
        ));
    }
}
