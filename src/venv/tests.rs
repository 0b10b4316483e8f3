//! Environments from small trees, tried with the Python of this machine.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use super::{Request, Venv, assemble};
use crate::interpreter::Record;
use crate::pex_info::PexInfo;
use crate::store::{Store, StoreError};
use crate::unpack::Unpacked;

const PYTHON: &str = "/usr/bin/python3";

/// A root, wheels and user code in a directory of their own.
struct Fixture {
    directory: tempfile::TempDir,
    wheels: Vec<Unpacked>,
    info: String,
    copies: bool,
    prompt: &'static str,
}

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn python_version() -> (u32, u32, u32) {
    let output = Command::new(PYTHON)
        .args(["-c", "import sys; print(*sys.version_info[:3])"])
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let mut parts = text.split_whitespace().map(|part| part.parse().unwrap());
    (
        parts.next().unwrap(),
        parts.next().unwrap(),
        parts.next().unwrap(),
    )
}

impl Fixture {
    fn new() -> Fixture {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("code")).unwrap();
        Fixture {
            directory,
            wheels: Vec::new(),
            info: "{}".to_owned(),
            copies: false,
            prompt: "app.pex",
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn code(&self, path: &str, text: &str) {
        write(&self.path("code").join(path), text);
    }

    /// A wheel of that project at version 1.0 with these files, unpacked as today's releases do.
    fn wheel(&mut self, project: &str, files: &[(&str, &str)]) {
        let name = format!("{project}-1.0-py3-none-any.whl");
        let path = self.path("wheels").join(project).join(&name);
        for (file, text) in files {
            write(&path.join(file), text);
        }
        let dist_info = path.join(format!("{project}-1.0.dist-info"));
        write(
            &dist_info.join("METADATA"),
            &format!("Metadata-Version: 2.1\nName: {project}\nVersion: 1.0\n"),
        );
        write(&path.join(".layout.json"), "{}");
        self.wheels.push(Unpacked {
            name,
            path,
            entries: vec![".".to_owned()],
        });
    }

    fn assemble(&self) -> Venv {
        self.try_assemble().unwrap()
    }

    fn try_assemble(&self) -> Result<Venv, StoreError> {
        let root = self.path("root");
        fs::create_dir_all(&root).unwrap();
        let store = Store::scratch(&root).unwrap();
        let info = PexInfo::parse(self.info.as_bytes()).unwrap();
        assemble(
            &Request {
                interpreter: &record(),
                fingerprint: &[7; 32],
                info: &info,
                info_bytes: self.info.as_bytes(),
                wheels: &self.wheels,
                code: &self.path("code"),
                copies: self.copies,
                prompt: self.prompt.as_ref(),
            },
            &store,
        )
    }
}

fn record() -> Record {
    let version = python_version();
    Record {
        binary: fs::canonicalize(PYTHON).unwrap(),
        implementation: "cpython".to_owned(),
        version,
        abi: format!("cp{}{}", version.0, version.1),
        prefix: "/usr".into(),
        base_prefix: "/usr".into(),
        ..Record::default()
    }
}

fn run(program: &Path, args: &[&str]) -> Output {
    Command::new(program)
        .args(args)
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .output()
        .unwrap()
}

fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone())
        .unwrap()
        .trim_end()
        .to_owned()
}

/// What that Python prints.
fn said(venv: &Venv, code: &str) -> String {
    stdout(&run(&venv.python, &["-I", "-c", code]))
}

#[test]
fn python_takes_it_for_a_virtual_environment() {
    let mut fixture = Fixture::new();
    fixture.wheel("alpha", &[("alpha/__init__.py", "who = 'alpha'\n")]);
    fixture.code(
        "app.py",
        "import alpha\n\ndef main():\n    print('ran', alpha.who)\n",
    );
    fixture.info = r#"{"venv": true, "entry_point": "app:main"}"#.to_owned();
    let venv = fixture.assemble();
    assert_eq!(
        said(
            &venv,
            "import sys; print(sys.prefix != sys.base_prefix, sys.prefix)"
        ),
        format!("True {}", venv.path.display())
    );
    assert_eq!(
        said(&venv, "import sys; print(sys.path[-1])"),
        venv.entries[0].display().to_string()
    );
    assert_eq!(said(&venv, "import app; app.main()"), "ran alpha");
    assert_eq!(stdout(&run(&venv.path.join("pex"), &[])), "ran alpha");
    let code = fs::symlink_metadata(venv.entries[0].join("app.py")).unwrap();
    assert!(code.is_file(), "user code is copied");
    assert!(
        venv.entries[0].join("alpha").is_symlink(),
        "wheels are linked"
    );
    assert_eq!(fixture.assemble(), venv, "made once");
}

#[test]
fn a_shared_namespace_is_spilled_and_user_code_wins() {
    let mut fixture = Fixture::new();
    fixture.wheel("one", &[("ns/one.py", "at = 1\n")]);
    fixture.wheel(
        "two",
        &[
            ("ns/two.py", "at = 2\n"),
            ("mine/__init__.py", "who = 'wheel'\n"),
        ],
    );
    fixture.wheel("three", &[("three.py", "at = 3\n")]);
    fixture.code("mine/__init__.py", "who = 'user'\n");
    let venv = fixture.assemble();
    assert_eq!(
        said(
            &venv,
            "import ns.one, ns.two, three, mine; print(ns.one.at, ns.two.at, three.at, mine.who)"
        ),
        "1 2 3 user"
    );
    assert_eq!(
        said(&venv, "import sys; print(sys.path[-1])"),
        venv.entries[1].display().to_string()
    );
    assert!(venv.entries[1].ends_with("pex-ns-pkgs/1"));
    assert_eq!(
        said(
            &venv,
            "import importlib.metadata as m; print(*sorted(d.metadata['Name'] for d in m.distributions()))"
        ),
        "one three two"
    );
}

#[test]
fn parts_of_a_regular_package_are_joined_even_of_a_wheel_that_is_spilled() {
    let mut fixture = Fixture::new();
    fixture.wheel(
        "core",
        &[
            ("wind/__init__.py", ""),
            ("wind/data/x.txt", "x"),
            ("ns/one.py", ""),
            ("odd/__init__.py", "who = 'core'\n"),
        ],
    );
    fixture.wheel("sdk", &[("wind/sdk/__init__.py", ""), ("ns/two.py", "")]);
    fixture.wheel(
        "odd",
        &[("odd/__init__.py", "who = 'odd'\n"), ("odd/more.py", "")],
    );
    let venv = fixture.assemble();
    let code = venv.entries[0].join("wind/sdk/__init__.py");
    assert_eq!(
        fs::canonicalize(&code).unwrap(),
        fs::canonicalize(&venv.entries[0])
            .unwrap()
            .join("wind/sdk/__init__.py")
    );
    assert!(!venv.entries[0].join("wind/data").is_symlink());
    assert_eq!(venv.clashes, Vec::<String>::new());
    assert_eq!(
        said(
            &venv,
            "import wind.sdk, ns.one, ns.two, odd; print(len(wind.__path__), odd.who)"
        ),
        "1 core"
    );
    // Metadata of the spilled wheel leads to its files.
    assert_eq!(
        said(
            &venv,
            "import importlib.metadata as m; print(*[f.locate().resolve().is_file() for f in m.files('sdk') if 'init' in f.name])"
        ),
        "True"
    );
    assert_eq!(venv.entries.len(), 2);
}

#[test]
fn copies_merge_into_one_tree_without_links() {
    let mut fixture = Fixture::new();
    fixture.wheel("one", &[("ns/one.py", "at = 1\n")]);
    fixture.wheel(
        "two",
        &[("ns/two.py", "at = 2\n"), ("ns/one.py", "at = 'other'\n")],
    );
    fixture.copies = true;
    let venv = fixture.assemble();
    assert_eq!(
        said(&venv, "import ns.one, ns.two; print(ns.one.at, ns.two.at)"),
        "1 2"
    );
    assert_eq!(venv.entries.len(), 1);
    assert!(!venv.entries[0].join("ns").is_symlink());
    assert!(!venv.entries[0].join("ns/one.py").is_symlink());
    assert_eq!(venv.clashes.len(), 1, "{:?}", venv.clashes);
    assert!(venv.clashes[0].contains("ns/one.py"), "{:?}", venv.clashes);
    assert_eq!(
        fixture.assemble().clashes,
        Vec::<String>::new(),
        "told once"
    );
}

#[test]
fn both_libraries_of_one_wheel_and_the_data_of_two_meet() {
    let mut fixture = Fixture::new();
    fixture.wheel(
        "alpha",
        &[
            ("alpha/__init__.py", ""),
            (".prefix/platlib/alpha/native.py", "at = 'platlib'\n"),
            (".prefix/data/share/doc/alpha.txt", "a"),
            (".prefix/data/lib64/here.txt", "b"),
            (".prefix/data/bin/python", "evil"),
            (".prefix/include/site/pythonX.Y/alpha/alpha.h", "h"),
        ],
    );
    fixture.wheel(
        "beta",
        &[("beta.py", ""), (".prefix/data/share/doc/beta.txt", "b")],
    );
    let venv = fixture.assemble();
    assert_eq!(
        said(&venv, "import alpha.native; print(alpha.native.at)"),
        "platlib"
    );
    let (major, minor, _) = python_version();
    for file in [
        "share/doc/alpha.txt",
        "share/doc/beta.txt",
        "lib/here.txt",
        &format!("include/site/python{major}.{minor}/alpha/alpha.h"),
    ] {
        assert!(venv.path.join(file).is_file(), "{file}");
    }
    assert_eq!(
        venv.clashes.len(),
        1,
        "the interpreter is not replaced: {:?}",
        venv.clashes
    );
    let source = &fixture.wheels[0].path;
    assert!(
        !source.join("alpha/native.py").exists(),
        "nothing is written into a wheel"
    );
}

#[test]
fn scripts_run_with_the_environments_python() {
    let mut fixture = Fixture::new();
    fixture.wheel(
        "tool",
        &[
            ("tool.py", "import sys\n\nclass A:\n    def run():\n        print(sys.argv[1:], sys.flags.isolated)\n        return 3\n\nif __name__ == '__main__':\n    print('module')\n"),
            ("tool-1.0.dist-info/entry_points.txt", "[console_scripts]\ntool = tool:A.run\nmod = tool\n"),
            (".prefix/bin/tool", "#!python\nraise SystemExit('stale')\n"),
            (".prefix/bin/script", "#!python\nimport tool, sys; print(sys.prefix)\n"),
            (".prefix/bin/shell", "#!/bin/sh\necho shell \"$0\"\n"),
        ],
    );
    for name in ["tool", "script", "shell"] {
        let path = fixture.wheels[0].path.join(".prefix/bin").join(name);
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let venv = fixture.assemble();
    let tool = run(&venv.bin.join("tool"), &["a"]);
    assert_eq!(
        (tool.status.code(), tool.stdout.as_slice()),
        (Some(3), b"['a'] 1\n".as_slice())
    );
    assert_eq!(stdout(&run(&venv.bin.join("mod"), &[])), "module");
    assert_eq!(
        stdout(&run(&venv.bin.join("script"), &[])),
        venv.path.display().to_string()
    );
    let shell = venv.bin.join("shell");
    assert_eq!(
        stdout(&run(&shell, &[])),
        format!("shell {}", shell.display())
    );
    assert!(shell.is_symlink());

    // Every row of RECORD leads to a file with that hash and size.
    let check = "import base64, hashlib, importlib.metadata as m\n\
                 files = m.files('tool')\n\
                 print(len(files), m.distribution('tool').read_text('INSTALLER').strip())\n\
                 for f in files:\n    data = f.locate().read_bytes()\n    \
                 assert not f.size or f.size == len(data), f\n    \
                 digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b'=').decode()\n    \
                 assert not f.hash or f.hash.value == digest, f\n\
                 print(*sorted(str(f) for f in files if 'bin' in str(f)))";
    assert_eq!(
        said(&venv, check),
        "10 pex\n../../../bin/mod ../../../bin/script ../../../bin/shell ../../../bin/tool"
    );
}

#[test]
fn what_cannot_be_read_of_a_wheel_is_an_error() {
    for (file, text, said) in [
        ("RECORD", "odd.py,\n", "line `odd.py,` has not three fields"),
        ("entry_points.txt", "[o]\nodd\n", "has `odd`"),
        (
            "entry_points.txt",
            "[console_scripts]\n../odd = a:b\n",
            "a script with the name `../odd`",
        ),
    ] {
        let mut fixture = Fixture::new();
        fixture.wheel("odd", &[(&format!("odd-1.0.dist-info/{file}"), text)]);
        let error = fixture.try_assemble().unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
    }
}

#[test]
fn non_hermetic_scripts_run_without_isolation() {
    let mut fixture = Fixture::new();
    fixture.wheel(
        "tool",
        &[
            (
                "tool.py",
                "import sys\n\ndef run():\n    print(sys.flags.isolated)\n",
            ),
            (
                "tool-1.0.dist-info/entry_points.txt",
                "[console_scripts]\ntool = tool:run\n",
            ),
        ],
    );
    fixture.info = r#"{"venv_hermetic_scripts": false}"#.to_owned();
    let venv = fixture.assemble();
    assert_eq!(stdout(&run(&venv.bin.join("tool"), &[])), "0");
}

#[test]
fn activation_in_a_shell_comes_and_goes() {
    let mut fixture = Fixture::new();
    fixture.prompt = "it's a $(pex).pex";
    let venv = fixture.assemble();
    let script = format!(
        ". '{}/bin/activate'; command -v python; echo \"$VIRTUAL_ENV\"; echo \"$VIRTUAL_ENV_PROMPT\"; deactivate; echo \"$PATH\" \"${{VIRTUAL_ENV-unset}}\"",
        venv.path.display()
    );
    assert_eq!(
        stdout(&run(Path::new("/bin/sh"), &["-eu", "-c", &script])),
        format!(
            "{0}/bin/python\n{0}\n(it's a $(pex).pex) \n/usr/bin:/bin unset",
            venv.path.display()
        )
    );
}

#[test]
fn an_environment_that_was_moved_is_not_used() {
    let fixture = Fixture::new();
    let venv = fixture.assemble();
    let moved = fixture.path("elsewhere");
    fs::rename(fixture.path("root"), &moved).unwrap();
    // The root is back under another name: what lies there speaks of the old one.
    let elsewhere = Fixture {
        directory: tempfile::tempdir().unwrap(),
        ..Fixture::new()
    };
    fs::create_dir(elsewhere.path("code")).unwrap();
    fs::rename(&moved, elsewhere.path("root")).unwrap();
    let anew = elsewhere.assemble();
    assert_ne!(anew.path.file_name(), venv.path.file_name());
    assert_eq!(
        said(&anew, "import sys; print(sys.prefix)"),
        anew.path.display().to_string()
    );
}

#[test]
fn what_pex_extra_sys_path_names_comes_last_and_once() {
    let fixture = Fixture::new();
    let venv = fixture.assemble();
    let output = Command::new(&venv.python)
        .args(["-I", "-c", "import sys; print(sys.path[-2:])"])
        .env_clear()
        .env("PEX_EXTRA_SYS_PATH", "/x:/y")
        .env("__PEX_EXTRA_SYS_PATH__", "/x")
        .output()
        .unwrap();
    assert_eq!(stdout(&output), "['/x', '/y']");
}
