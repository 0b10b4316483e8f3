//! Records of the Pythons of this machine, against what they say themselves; and of fabricated ones.

use std::cell::Cell;
use std::os::unix::fs::symlink;
use std::process::Command;

use super::*;

/// A store of one test: files in a directory, and a count of what was saved.
struct Shelf {
    directory: tempfile::TempDir,
    saved: Cell<usize>,
}

impl Shelf {
    fn new() -> Shelf {
        Shelf {
            directory: tempfile::tempdir().unwrap(),
            saved: Cell::new(0),
        }
    }

    /// Looks all of them up with fresh memory; says how many were newly saved.
    fn get(&self, path: &Path) -> (Result<Rc<Record>, String>, usize) {
        self.get_bringing(path, None)
    }

    /// The same for a file that brings these boots.
    fn get_bringing(
        &self,
        path: &Path,
        boots: Option<&Boots>,
    ) -> (Result<Rc<Record>, String>, usize) {
        let find = |key: &str| Some(self.directory.path().join(key)).filter(|path| path.exists());
        let save = |key: &str, bytes: &[u8]| {
            self.saved.set(self.saved.get() + 1);
            fs::write(self.directory.path().join(key), bytes).unwrap();
        };
        let before = self.saved.get();
        let machine = Platform::here(&|name| std::env::var_os(name));
        let record = Records::new(machine, &find, &save)
            .bringing(boots)
            .get(path);
        (record, self.saved.get() - before)
    }
}

/// Writes a program. Another process does it: a descriptor of ours that is open for writing could be inherited by a
/// child that another test starts at that moment, and the program could not be run (ETXTBSY).
pub(in super::super) fn program(path: &Path, text: &str, mode: u32) {
    let status = Command::new("sh")
        .args([
            "-c",
            "printf %s \"$1\" > \"$2\" && chmod \"$3\" \"$2\"",
            "sh",
            text,
        ])
        .arg(path)
        .arg(format!("{mode:o}"))
        .status()
        .unwrap();
    assert!(status.success());
}

/// Debian's Python and whatever else this machine has.
pub(in super::super) fn pythons() -> Vec<PathBuf> {
    let mut found = vec![PathBuf::from("/usr/bin/python3")];
    let versions = std::env::var_os("PYENV_ROOT").map(|root| PathBuf::from(root).join("versions"));
    for entry in versions
        .into_iter()
        .flat_map(|versions| fs::read_dir(versions).into_iter().flatten().flatten())
    {
        found.push(entry.path().join("bin/python"));
    }
    found.push("/usr/bin/pypy3".into());
    found.retain(|path| path.exists());
    found
}

fn python(binary: &Path, code: &str) -> String {
    let output = Command::new(binary)
        .args(["-I", "-c", code])
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}: {}",
        binary.display(),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout)
        .unwrap()
        .trim_end()
        .to_owned()
}

#[test]
fn records_say_what_the_interpreters_say() {
    let shelf = Shelf::new();
    for path in pythons() {
        let record = shelf.get(&path).0.unwrap();
        if record.version < (3, 8, 0) {
            continue;
        }
        let code = "import sys, importlib.util, site, platform, os\n\
                    paths = [p for p in sys.path if 'packages' not in p]\n\
                    v = sys.implementation.version\n\
                    for x in ['%d.%d.%d' % sys.version_info[:3], sys.implementation.name, sys.prefix, sys.base_prefix, \
                    importlib.util.MAGIC_NUMBER.hex(), sys.implementation.cache_tag, ':'.join(paths), \
                    ':'.join(site.getsitepackages()), site.getusersitepackages(), platform.python_version(), \
                    platform.python_implementation(), platform.machine(), platform.release(), platform.system(), \
                    platform.version(), os.name, sys.platform, '%d.%d.%d' % v[:3]]: print(x)";
        let said: Vec<String> = python(&path, code).lines().map(str::to_owned).collect();
        let join = |paths: &[PathBuf]| {
            paths
                .iter()
                .map(|path| path.to_str().unwrap())
                .collect::<Vec<_>>()
                .join(":")
        };
        let (major, minor, patch) = record.version;
        let learned = [
            format!("{major}.{minor}.{patch}"),
            record.implementation.clone(),
            record.prefix.display().to_string(),
            record.base_prefix.display().to_string(),
            hex(&record.magic),
            record.cache_tag.clone().unwrap(),
            join(&record.stdlib),
            join(&record.site_packages),
            record.user_site.as_ref().unwrap().display().to_string(),
            record.markers["python_full_version"].clone(),
            record.markers["platform_python_implementation"].clone(),
            record.markers["platform_machine"].clone(),
            record.markers["platform_release"].clone(),
            record.markers["platform_system"].clone(),
            record.markers["platform_version"].clone(),
            record.markers["os_name"].clone(),
            record.markers["sys_platform"].clone(),
            record.markers["implementation_version"].clone(),
        ];
        assert_eq!(said, learned, "{}", path.display());
        assert!(
            record
                .depends
                .iter()
                .any(|file| file.to_string_lossy().contains("libc.so")),
            "{:?}",
            record.depends
        );
    }
}

#[test]
fn the_boot_is_bytecode_that_runs() {
    let shelf = Shelf::new();
    for path in pythons() {
        let record = shelf.get(&path).0.unwrap();
        if record.version < (3, 8, 0) {
            continue;
        }
        let boot = record.compiled.boot(&record.magic);
        assert_eq!(boot[..4], record.magic[..]);
        assert_eq!(boot[4..16], [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(boot[16..], record.compiled.code[0]);
        let file = shelf.directory.path().join("code");
        for (code, name) in record.compiled.code.iter().zip(crate::boot::FILES) {
            fs::write(&file, code).unwrap();
            let code = format!(
                "import marshal; print(marshal.loads(open('{}', 'rb').read()).co_filename)",
                file.display()
            );
            assert_eq!(python(&path, &code), name);
        }
    }
}

/// What came with a file serves that file: it is in no record, and a file that brings nothing has the interpreter asked
/// once more.
#[test]
fn a_boot_that_came_compiled_gets_into_no_record() {
    let path = Path::new("/usr/bin/python3");
    let own = Shelf::new().get(path).0.unwrap();
    let came = Compiled {
        code: [b"boot".to_vec(), b"finder".to_vec(), b"recorder".to_vec()],
        came: Some([7; 32]),
    };
    let boots = Boots::from([(own.tag().unwrap(), came.clone())]);
    let shelf = Shelf::new();
    for saved in [1, 0] {
        let (record, found) = shelf.get_bringing(path, Some(&boots));
        let expected = Record {
            compiled: came.clone(),
            ..(*own).clone()
        };
        assert_eq!((*record.unwrap()).clone(), expected);
        assert_eq!(found, saved);
    }
    let other = Boots::from([("cpython-38-00".to_owned(), came)]);
    for (boots, saved) in [(Some(&other), 1), (None, 0)] {
        let (record, found) = shelf.get_bringing(path, boots);
        assert_eq!((record.unwrap(), found), (Rc::clone(&own), saved));
    }
    // And then everybody has the interpreter's own.
    assert_eq!(shelf.get_bringing(path, Some(&boots)).0.unwrap(), own);
}

#[test]
fn an_interpreter_is_asked_once() {
    let shelf = Shelf::new();
    let (first, saved) = shelf.get(Path::new("/usr/bin/python3"));
    assert_eq!(saved, 1);
    let (second, saved) = shelf.get(Path::new("/usr/bin/python3"));
    assert_eq!(saved, 0);
    assert_eq!(first, second);
}

#[test]
fn who_has_waited_for_another_process_takes_what_that_one_learned() {
    let shelf = Shelf::new();
    let path = Path::new("/usr/bin/python3");
    let learned = shelf.get(path).0.unwrap();
    let hidden = shelf.directory.path().join("hidden");
    let find = |key: &str| Some(shelf.directory.path().join(key)).filter(|path| path.exists());
    let save = |_: &str, _: &[u8]| panic!("it was asked once more");
    let machine = || Platform::here(&|name| std::env::var_os(name));
    let record = shelf
        .directory
        .path()
        .join(key(&binary::canonical(path), &machine().machine).unwrap());
    fs::rename(&record, &hidden).unwrap();
    let turn = |_: &str, done: &mut dyn FnMut() -> bool| {
        assert!(!done(), "there is no record yet");
        fs::rename(&hidden, &record).unwrap();
        assert!(done(), "now there is");
        None
    };
    let records = Records::new(machine(), &find, &save).in_turn(&turn);
    assert_eq!(*records.get(path).unwrap(), *learned);
}

#[test]
fn a_damaged_record_is_made_again() {
    let shelf = Shelf::new();
    let first = shelf.get(Path::new("/usr/bin/python3")).0.unwrap();
    let file = fs::read_dir(shelf.directory.path())
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    let whole = fs::read(&file).unwrap();
    for damage in [0, 10, whole.len() / 2, whole.len() - 1] {
        let mut flipped = whole.clone();
        flipped[damage] ^= 1;
        for bytes in [&whole[..damage], &flipped] {
            fs::write(&file, bytes).unwrap();
            let (again, saved) = shelf.get(Path::new("/usr/bin/python3"));
            assert_eq!(
                (again.unwrap(), saved),
                (Rc::clone(&first), 1),
                "at {damage}"
            );
        }
    }
    assert_eq!(fs::read(&file).unwrap(), whole);
}

#[test]
fn a_virtual_environment_is_kept_apart_from_its_base() {
    let root = tempfile::tempdir().unwrap();
    let root = fs::canonicalize(root.path()).unwrap();
    let bin = root.join("venv/bin");
    fs::create_dir_all(&bin).unwrap();
    symlink("/usr/bin/python3", bin.join("python3")).unwrap();
    let shelf = Shelf::new();
    assert_eq!(
        shelf.get(&bin.join("python3")).0.unwrap().binary,
        fs::canonicalize("/usr/bin/python3").unwrap()
    );

    fs::write(
        root.join("venv/pyvenv.cfg"),
        "home = /usr/bin\ninclude-system-site-packages = false\n",
    )
    .unwrap();
    let venv = shelf.get(&bin.join("python3")).0.unwrap();
    assert_eq!(venv.binary, bin.join("python3"));
    assert_eq!(venv.prefix, root.join("venv"));
    assert_eq!(venv.base_prefix, Path::new("/usr"));
    assert!(
        venv.site_packages
            .iter()
            .all(|path| path.starts_with(&venv.prefix)),
        "{:?}",
        venv.site_packages
    );
    assert_eq!(venv.user_site, None);
    assert!(venv.depends.contains(&root.join("venv/pyvenv.cfg")));

    fs::write(
        root.join("venv/pyvenv.cfg"),
        "home = /usr/bin\ninclude-system-site-packages = true\n",
    )
    .unwrap();
    let (open, saved) = shelf.get(&bin.join("python3"));
    assert_eq!(saved, 1, "pyvenv.cfg has changed");
    assert!(
        open.unwrap()
            .site_packages
            .iter()
            .any(|path| path.starts_with("/usr/lib"))
    );
}

#[test]
fn a_wrapper_gives_the_record_of_what_it_runs() {
    let root = tempfile::tempdir().unwrap();
    let wrapper = root.path().join("python3");
    program(
        &wrapper,
        "#!/bin/sh\necho welcome\nexec /usr/bin/python3 \"$@\"\n",
        0o755,
    );
    let shelf = Shelf::new();
    let record = shelf.get(&wrapper).0.unwrap();
    assert_eq!(record.binary, fs::canonicalize("/usr/bin/python3").unwrap());
    let (_, saved) = shelf.get(Path::new("/usr/bin/python3"));
    assert_eq!(saved, 0, "what is behind the wrapper is remembered");
}

#[test]
fn what_is_no_python_is_refused_with_its_own_words_and_not_remembered() {
    let root = tempfile::tempdir().unwrap();
    let shelf = Shelf::new();
    let check = |name: &str, text: &str, mode, expected: &str| {
        let path = root.path().join(name);
        program(&path, text, mode);
        let (record, saved) = shelf.get(&path);
        let error = record.unwrap_err();
        assert!(error.contains(expected), "{name}: {error}");
        assert_eq!(saved, 0);
    };
    check(
        "failing",
        "#!/bin/sh\necho no such library >&2\nexit 127\n",
        0o755,
        "no such library",
    );
    check("silent", "#!/bin/sh\n", 0o755, "did not run the script");
    check(
        "plain",
        "not a program",
        0o644,
        "could not be started: Permission denied",
    );
    check(
        "garbage",
        "\u{7f}ELF garbage",
        0o755,
        "could not be started: Exec format error",
    );
    let lie = "printf 'pexboot probe 1\\nversion 3\\n3 x\\n'";
    check(
        "lying",
        &format!("#!/bin/sh\n{lie}\n"),
        0o755,
        "version makes no sense",
    );
    check(
        "endless",
        "#!/bin/sh\nexec yes\n",
        0o755,
        "more than a Python has to say",
    );
    let other = format!(
        "#!/bin/sh\nexec {} \"$@\"\n",
        root.path().join("failing").display()
    );
    check("wrapper", &other, 0o755, "no such library");
    assert!(shelf.get(&root.path().join("missing")).0.is_err());
}

#[test]
fn tags_and_markers_are_those_of_packaging() {
    let shelf = Shelf::new();
    // pip carries a copy; where there is none, the expectations in `tags` have to do.
    let code = "try:\n  from pip._vendor.packaging import markers, tags\nexcept ImportError:\n  pass\nelse:\n  \
                print('\\n'.join(map(str, tags.sys_tags())))\n  \
                print('\\n'.join('%s=%s' % item for item in sorted(markers.default_environment().items())))";
    for path in pythons() {
        let record = shelf.get(&path).0.unwrap();
        if record.version < (3, 8, 0) {
            continue;
        }
        let said = python(&path, code);
        let (markers, tags): (Vec<&str>, Vec<&str>) =
            said.lines().partition(|line| line.contains('='));
        if tags.is_empty() || said.contains("abi3t") {
            continue;
        }
        // Copies from before 21.3 and 23.0 do not know `pp3-none-any` and `cp311-none-any`.
        let own = |tag: &str| tag.ends_with("-none-any") && !tag.starts_with("py");
        let mine = record
            .tags
            .iter()
            .map(String::as_str)
            .filter(|tag| !own(tag));
        let theirs = tags.into_iter().filter(|tag| !own(tag));
        assert_eq!(
            mine.clone().count(),
            theirs.clone().count(),
            "{}",
            path.display()
        );
        let different = mine.zip(theirs).find(|(mine, theirs)| mine != theirs);
        assert_eq!(different, None, "{}", path.display());
        let learned: Vec<String> = record
            .markers
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        assert_eq!(learned, markers, "{}", path.display());
    }
}
