//! Items 113-120: odd builds and odd hosts, where the launcher once knew better than the original or asked the wrong one.

use std::path::Path;
use std::process::Command;

use crate::fixtures::{App, Pex, Wheel};
use crate::harness::subject::{about_each, no_oracle, on_each, subject};
use crate::harness::{Case, Outcome, PEXBOOT, Stage, Way, coverage, is_root, stated, ways};

/// What a start was told by, in which both ways agree.
const WHO: &str = "import os, sys, cowsay; print(sys.argv[0], os.environ['PEX'], cowsay.__name__)";

#[test]
fn item_113_a_directory_with_a_shell_script_in_front_starts_natively() {
    about_each(|| {
        let python = subject().path.display().to_string();
        for (layout, venv) in [
            ("packed", &[][..]),
            ("loose", &[]),
            ("packed", &["--venv"]),
            ("loose", &["--venv"]),
        ] {
            let options = ["--sh-boot", "--layout", layout];
            let pex = App::cowsay().with(&options).with(venv).build();
            let case = Case::new(&pex)
                .env("PEX_PYTHON", &python)
                .env("PEX_INTERPRETER", "1")
                .args(["-c", WHO]);
            case.agrees().ok();
            if ways().contains(&Way::Embedded) {
                let stage = Stage::new(Way::Embedded, &pex);
                let start = stage.start().env("PEX_PYTHON", &python);
                let run = start.args(["-t", "x"]).env("PEX_VERBOSE", "1").run();
                assert!(run.ok().stdout.contains("| x |"), "{layout}\n{run}");
                assert!(!run.stderr.contains("is left to"), "{layout}\n{run}");
            }
        }
    });
}

/// An entry point that says by which name it was started.
const SAYS_NAME: &str = "import os, sys\ndef main():\n    print(sys.argv[0], os.environ['PEX'])\n";

#[test]
fn item_114_a_loose_directory_with_a_shell_script_is_started_by_its_pex() {
    about_each(|| {
        let python = subject().path.display().to_string();
        let stage = Stage::new(Way::Original, &Pex::app("item114", SAYS_NAME).build());
        let code = stage.write("code/app.py", SAYS_NAME);
        let code = code.parent().unwrap().to_str().unwrap().to_owned();
        for layout in ["packed", "loose"] {
            let options = [
                "--sh-boot",
                "--layout",
                layout,
                "-D",
                &code,
                "-e",
                "app:main",
            ];
            let pex = App::new("cowsay", &["cowsay"]).with(&options);
            let built = pex.build_in(&stage.path(layout));
            // The first start of the original comes by way of `./`, which it keeps.
            for &way in stated() {
                let stage = Stage::new(way, &built);
                for _ in 0..2 {
                    let run = stage.start().env("PEX_PYTHON", &python).run();
                    let at = stage.root().join("work/app.pex");
                    run.ok().prints(&format!("{0}/pex {0}", at.display()));
                }
            }
        }
    });
}

/// Runs the PEX twice by itself and twice by a Python, in a mount namespace in which `/dev` is empty, and `/proc` too if
/// that is asked for.
fn on_a_bare_host(stage: &Stage, without: &[&str]) -> Outcome {
    let mut script = String::from("set -e\n");
    for directory in without {
        script += &format!("mount -t tmpfs -o mode=755 none {directory}\n");
    }
    script += "for way in \"\" \"$PYTHON\"; do $way ./app.pex a; $way ./app.pex b; done";
    let start = stage.start().program("/bin/bash");
    start
        .before(["unshare", "--mount"])
        .env("PYTHON", &subject().path)
        .args(["-c", &script])
        .run()
}

#[test]
fn item_115_no_device_is_needed() {
    on_each(|| {
        if !is_root() {
            return coverage::left_out("item 115", "root");
        }
        let text = "import sys, dep\ndef main():\n    print(dep.WHO, *sys.argv[1:])\n";
        let pex = |name| Pex::app(name, text).dep(Wheel::new("dep", "1.0"));
        let expected = "dep 1.0 a\ndep 1.0 b\ndep 1.0 a\ndep 1.0 b";
        for pex in [pex("item115").build(), pex("item115v").venv().build()] {
            for &way in stated() {
                if way == Way::Original && subject().implementation == "pypy" {
                    no_oracle("its bootstrap asks `os.urandom`, which is a device to PyPy");
                    continue;
                }
                let stage = Stage::new(way, &pex);
                let run = on_a_bare_host(&stage, &["/dev"]);
                run.ok().prints(expected);
                assert!(run.stderr.is_empty(), "{run}");
            }
            if ways().contains(&Way::Embedded) {
                let stage = Stage::new(Way::Embedded, &pex);
                let run = on_a_bare_host(&stage, &["/dev", "/proc"]);
                run.ok().prints(expected);
            }
        }
    });
}

#[test]
fn item_116_the_machine_is_the_one_that_the_interpreter_sees() {
    about_each(|| {
        let python = subject();
        let wheel = |machine: &str, who: &str| {
            Wheel::empty("dep", who)
                .tag(&format!("py3-none-linux_{machine}"))
                .file("dep.py", &format!("WHO = '{who}'\n"))
        };
        let text = "import dep, platform\ndef main():\n    print(dep.WHO, platform.machine())\n";
        let pex = Pex::app("item116", text)
            .wheel(wheel("x86_64", "1.0"))
            .wheel(wheel("aarch64", "1.0"))
            .wheel(wheel("i686", "2.0"))
            .requires("dep")
            .requires("nothing ; platform_machine == 'x86_64'")
            .build();
        no_oracle("pex knows no i686, the one machine that can be shown without an emulator");
        if ways().contains(&Way::Embedded) {
            let stage = Stage::new(Way::Embedded, &pex);
            // What an emulated Python sees: the launcher goes on seeing the real machine.
            let emulated = stage.script(
                "emulated/python",
                &format!(
                    "#!/bin/bash\n[ \"$(uname -m)\" = i686 ] || exec setarch i686 \"$0\" \"$@\"\nexec -a \"$0\" {} \"$@\"\n",
                    python.path.display()
                ),
            );
            let names = "import sys, platform; print(platform.machine(), sys.executable)";
            let said = Command::new(&emulated)
                .args(["-c", names])
                .output()
                .unwrap();
            let said = String::from_utf8_lossy(&said.stdout).trim().to_owned();
            if said != format!("i686 {}", emulated.display()) {
                return coverage::left_out("item 116", "a Python that runs under another name");
            }
            for _ in 0..2 {
                let run = stage.start().env("PEX_PYTHON", &emulated).run();
                run.ok().prints("2.0 i686");
            }
        }
    });
}

/// A PEX with wheels that meet in one directory, native code and a script of its own.
fn of_all_kinds(name: &str) -> Pex {
    let text = "import apart, nested.one, nested.two, native.sub, own.mine\ndef main():\n    \
                print(apart.WHO, nested.one.WHO, nested.two.WHO, native.sub.WHO, own.mine.WHO)\n";
    let native = Wheel::empty("native", "1.0")
        .tag("py3-none-linux_x86_64")
        .file("native/__init__.py", "")
        .file("native/sub.py", "WHO = 'native'\n")
        .file("native/lib.so", "\u{7f}ELF");
    Pex::app(name, text)
        .source("own/mine.py", "WHO = 'own'\n")
        .dep(Wheel::new("apart", "1.0"))
        .dep(Wheel::empty("one", "1.0").file("nested/one.py", "WHO = 'one'\n"))
        .dep(Wheel::empty("two", "1.0").file("nested/two.py", "WHO = 'two'\n"))
        .dep(native)
}

#[test]
fn item_117_a_file_system_without_symbolic_links_will_do() {
    on_each(|| {
        let works = |command: &mut Command| command.output().is_ok_and(|o| o.status.success());
        if !works(Command::new("strace").args(["-f", "-o", "/dev/null", "/bin/true"])) {
            return coverage::left_out("item 117", "strace that may trace");
        }
        no_oracle("its bootstrap ends with a traceback");
        if !ways().contains(&Way::Embedded) {
            return;
        }
        for pex in [of_all_kinds("item117"), of_all_kinds("item117v").venv()] {
            for error in ["EPERM", "ENOSYS"] {
                let stage = Stage::new(Way::Embedded, &pex.build());
                let inject = format!("--inject=symlink,symlinkat:error={error}");
                let start = stage.start().before(["strace", "-f", "-qq", "-o"]);
                let start = start.before([stage.path("trace")]);
                let start = start.before(["-e", "trace=symlink,symlinkat", &inject]);
                let run = start.run();
                run.ok().prints("apart 1.0 one two native own");
                assert!(run.stderr.is_empty(), "{run}");
                let links = stage.cached_files();
                let is_link = |file: &&std::path::PathBuf| {
                    stage.home().join(".cache").join(file).is_symlink()
                };
                assert_eq!(links.iter().find(is_link), None, "{run}");
                // What was made so serves every later start, and is what it should be.
                let run = stage.start().run();
                run.ok().prints("apart 1.0 one two native own");
                let start = stage.start().program(PEXBOOT);
                start
                    .args(["verify", "--cache"])
                    .args([&stage.pex])
                    .run()
                    .ok();
            }
        }
    });
}

/// A program that installs a wheel over what is there as pip does it: remove the file, write a new one of its name.
const REPLACES: &str = "import os, sys\ndef main():\n    import dep\n    if 'replace' in sys.argv:\n        \
                        text = \"WHO = 'dep' + ' 2.0'\\n\"\n        path = dep.__file__\n        os.unlink(path)\n        \
                        open(path, 'w').write(text)\n        more = os.path.join(os.path.dirname(path), 'more.py')\n        \
                        open(more, 'w').write(text)\n    print(dep.WHO)\n";

#[test]
fn item_118_what_is_installed_in_one_environment_stays_out_of_the_others() {
    on_each(|| {
        let dep = || Wheel::empty("dep", "1.0").file("dep/__init__.py", "WHO = 'dep 1.0'\n");
        let pex = |name: &str| Pex::app(name, REPLACES).venv().dep(dep());
        let other = pex("item118").source("other.py", "").build();
        for manager in ["pip", "uv", "installer", "unknown"] {
            let one = pex("item118m").dep(Wheel::new(manager, "1.0")).build();
            no_oracle(
                "its environments are links to the shared wheels, and let everything through",
            );
            if !ways().contains(&Way::Embedded) {
                return;
            }
            let stage = Stage::new(Way::Embedded, &one);
            let another = stage.path("work/other.pex");
            stage.place(&other, &another);
            let start = |pex: &Path| stage.start().program(pex);
            // Both have been started before: what they import is known, and in the environment of a package manager stays.
            start(&stage.pex).run().ok().prints("dep 1.0");
            start(&stage.pex).args(["replace"]).run().ok();
            start(&stage.pex).run().ok().prints("dep 2.0");
            let run = start(&another).run();
            run.ok().prints("dep 1.0");
            if manager == "unknown" {
                run.says("was changed in the cache")
                    .says("dep-1.0-py3-none-any.whl");
            } else {
                assert!(run.stderr.is_empty(), "{run}");
                start(&stage.pex).run().ok().prints("dep 2.0");
            }
            start(&another).run().ok().prints("dep 1.0");
        }
    });
}

#[test]
fn pip_itself_replaces_a_package_of_its_own_environment_alone() {
    let app = |options: &[&str]| App::new("httpie", &["httpie"]).with(options).build();
    let (one, other) = (app(&["pip", "--venv"]), app(&["-c", "http", "--venv"]));
    if !ways().contains(&Way::Embedded) {
        return;
    }
    let stage = Stage::new(Way::Embedded, &one);
    let another = stage.path("work/other.pex");
    stage.place(&other, &another);
    let version = |pex: &Path| {
        let start = stage.start().program(pex).env("PEX_INTERPRETER", "1");
        let run = start
            .args(["-c", "import idna; print(idna.__version__)"])
            .run();
        run.ok().stdout.trim().to_owned()
    };
    let before = version(&another);
    let make = "import zipfile\n\
                info = 'idna-99.0.dist-info'\n\
                files = {'idna/__init__.py': \"__version__ = '99.0'\\n\", info + '/METADATA': \
                'Metadata-Version: 2.1\\nName: idna\\nVersion: 99.0\\n', info + '/WHEEL': \
                'Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n'}\n\
                files[info + '/RECORD'] = ''.join(name + ',,\\n' for name in files) + info + '/RECORD,,\\n'\n\
                with zipfile.ZipFile('idna-99.0-py3-none-any.whl', 'w') as wheel:\n    \
                [wheel.writestr(*item) for item in files.items()]\n";
    let start = stage.start();
    start.args(["-c", make]).run().ok();
    let install = [
        "-m",
        "pip",
        "install",
        "--no-index",
        "--no-deps",
        "idna-99.0-py3-none-any.whl",
    ];
    stage.start().args(install).run().ok();
    assert_eq!(
        (version(&stage.pex).as_str(), version(&another)),
        ("99.0", before.clone())
    );
    stage
        .start()
        .args(["-m", "pip", "uninstall", "-y", "idna"])
        .run()
        .ok();
    assert_eq!(version(&another), before);
}
