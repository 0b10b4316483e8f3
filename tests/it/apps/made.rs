//! Applications of our own that lean on one thing each: plugins found by entry points, processes, data, scripts. The
//! original and the embedded PEX give the same output, as zipapps and as virtual environments.

use crate::fixtures::sources;
use crate::fixtures::{Built, Pex, Wheel};
use crate::harness::{Case, Way};

fn text(name: &str) -> String {
    std::fs::read_to_string(sources().join(name)).unwrap()
}

/// The PEX as it runs by default, and with a virtual environment.
fn both_modes(pex: impl Fn(&str) -> Pex, name: &str) -> [Built; 2] {
    [
        pex(name).build(),
        pex(&format!("{name}-venv")).venv().build(),
    ]
}

/// A plugin for the group that `tests/fixtures/plugins.py` looks into.
fn plugin(name: &str, entry: &str) -> Wheel {
    let module = name.replace('-', "_");
    let text = format!("def render(text):\n    return '{name} ' + text\n");
    Wheel::empty(name, "1.0")
        .file(&format!("{module}/__init__.py"), &text)
        .entry_points(&format!("[press.plugins]\n{entry}\n"))
}

fn press(name: &str) -> Pex {
    let host = Wheel::empty("press", "2.0")
        .file("press.py", &text("plugins.py"))
        .entry_points(
            "[console_scripts]\npress = press:main\n[press.plugins]\nbase = press_plain.base:render\n",
        );
    let plain = plugin("press-plain", "plain = press_plain:render").file(
        "press_plain/base.py",
        "def render(text):\n    return 'base ' + text\n",
    );
    let loud = plugin("press-loud", "loud = press_loud.strong:render [strong]")
        .metadata("Provides-Extra: strong")
        .requires("loudness; extra == \"strong\"")
        .file(
            "press_loud/strong.py",
            "import loudness\nrender = loudness.shout\n",
        );
    let loudness = Wheel::empty("loudness", "3.0")
        .file("loudness.py", "def shout(text):\n    return text.upper()\n");
    Pex::empty(name)
        .source("press_own.py", "WHO = 'own'\n")
        .dep(host)
        .dep(plain)
        .wheel(loud)
        .wheel(loudness)
        .info("script", "press")
}

#[test]
fn plugins_are_found_by_their_entry_points() {
    let strong = |name: &str| press(name).requires("press-loud[strong]");
    for pex in both_modes(strong, "press") {
        let outcome = Case::new(&pex).args(["--own"]).every_python().agrees();
        let told = &outcome.ok().stdout;
        for line in [
            "base press_plain.base:render base text\n",
            "loud press_loud.strong:render [strong] TEXT\n",
            "plain press_plain:render press-plain text\n",
            "press-member is not installed\n",
            "own\n",
        ] {
            assert!(told.contains(line), "{line}{outcome}");
        }
    }
    // Without the extra its requirement is not there, and the entry point is.
    let weak = |name: &str| press(name).requires("press-loud");
    for pex in both_modes(weak, "press-weak") {
        let outcome = Case::new(&pex).every_python().agrees();
        assert!(outcome.ok().stdout.contains("not there: loudness\n"));
        assert!(outcome.stdout.contains("loudness is not installed\n"));
    }
}

#[test]
fn plugins_come_from_members_of_pex_path() {
    let quiet = plugin("press-quiet", "quiet = press_quiet:render");
    let outside = Pex::empty("press-outside")
        .dep(plugin("press-member", "member = press_member:render"))
        .source("press_own.py", "WHO = 'member'\n")
        .build();
    let inside = Pex::empty("press-inside").dep(quiet).build();
    let members = |name: &str| {
        let pex = press(name).requires("press-loud[strong]");
        pex.info("pex_paths", serde_json::json!(["inside.pex"]))
    };
    for pex in both_modes(members, "press-members") {
        let (outside, inside) = (outside.clone(), inside.clone());
        let case = Case::new(&pex).args(["--own"]).with(move |start, stage| {
            for (member, place) in [(&outside, "work/outside.pex"), (&inside, "work/inside.pex")] {
                let to = stage.path(place);
                if !to.exists() {
                    stage.place(member, &to);
                }
            }
            start.env("PEX_PATH", "outside.pex")
        });
        let outcome = case.every_python().agrees();
        let told = &outcome.ok().stdout;
        for line in [
            "member press_member:render press-member text\n",
            "quiet press_quiet:render press-quiet text\n",
            "plain press_plain:render press-plain text\n",
        ] {
            assert!(told.contains(line), "{line}{outcome}");
        }
    }
}

/// How the application that spreads its work is started: the name of the way, and its key and value of PEX-INFO.
const STARTS: [(&str, &str, &str); 4] = [
    ("callable", "entry_point", "spread.work:main"),
    ("module", "entry_point", "spread.work"),
    ("console", "script", "spread"),
    ("script", "script", "spread-file"),
];

const METHODS: [&str; 3] = ["fork", "spawn", "forkserver"];

fn mill() -> Wheel {
    let grind = "def grind(number):\n    import dep\n    return number * number, dep.WHO\n";
    Wheel::empty("mill", "1.0").file("mill.py", grind)
}

/// What `processes.py` prints of one method; `here` is where its own functions say that they are.
fn spread(method: &str, here: &str) -> String {
    format!(
        "{method} wheel [(0, 'dep 1.0'), (1, 'dep 1.0'), (4, 'dep 1.0')]\n\
         {method} here [(1, 'dep 1.0', {here}), (2, 'dep 1.0', {here})]\n\
         {method} queue [(0, (0, 'dep 1.0')), (1, (1, 'dep 1.0'))]\n\
         {method} codes [0, 0]\n\
         {method} executor [(0, 'dep 1.0'), (1, 'dep 1.0')]\n"
    )
}

#[test]
fn work_is_spread_over_processes_by_every_start_method() {
    let work = text("processes.py");
    let pex = |name: &str, key: &str, value: &str| {
        let wheel = Wheel::empty("spread", "1.0")
            .file("spread/__init__.py", "")
            .file("spread/work.py", &work)
            .file_with_mode(
                "DATA/scripts/spread-file",
                &format!("#!python\n{work}"),
                0o755,
            )
            .entry_points("[console_scripts]\nspread = spread.work:main\n");
        let pex = Pex::empty(name).dep(wheel).dep(mill());
        pex.dep(Wheel::new("dep", "1.0")).info(key, value)
    };
    for (name, key, value) in STARTS {
        let [zipapp, venv] = both_modes(|name| pex(name, key, value), &format!("spread-{name}"));
        // A notice of the resource tracker's may come on stderr.
        let methods = METHODS.join(",");
        let case = |pex: &Built, words: &[&str]| {
            let case = Case::new(pex).args([methods.as_str()]).args(words);
            case.ignore_stderr().every_python().agrees()
        };
        let here = match name {
            "callable" | "console" => "'spread.work'",
            _ => "True",
        };
        let expected: String = METHODS.map(|method| spread(method, here)).concat();
        let mut whole = vec![&venv];
        if name == "script" {
            // The original runs its text in a module that no name leads to; functions of wheels are all it can send.
            case(&zipapp, &[]).ok();
        } else {
            whole.push(&zipapp);
        }
        for pex in whole {
            let outcome = case(pex, &["here"]);
            assert!(outcome.ok().stdout.starts_with(&expected), "{outcome}");
            assert!(outcome.stdout.contains("counter 0 3\n"), "{outcome}");
        }
    }
}

/// A file that an interpreter PEX is given. The original runs it in a module that no name leads to, so it can send
/// functions of wheels alone; here the file's own go as well, as under `python FILE`.
#[test]
fn a_file_that_a_pex_runs_spreads_its_work() {
    let pex = |name: &str| Pex::empty(name).dep(mill()).dep(Wheel::new("dep", "1.0"));
    for pex in both_modes(pex, "spread-interpreter") {
        let case = |words: &'static [&str]| {
            let work = text("processes.py");
            let methods = METHODS.join(",");
            Case::new(&pex).with(move |start, stage| {
                stage.write("work/work.py", &work);
                start.args(["work.py", &methods]).args(words)
            })
        };
        case(&[]).ignore_stderr().every_python().agrees().ok();
        let expected: String = METHODS.map(|method| spread(method, "True")).concat();
        case(&["here"]).every_python().holds(|run| {
            if run.way == Some(Way::Embedded) {
                assert!(run.ok().stdout.starts_with(&expected), "{run}");
            }
        });
    }
}

#[test]
fn data_is_found_by_every_api() {
    let app = text("resources.py");
    let pex = |name: &str| {
        let wheel = Wheel::empty("atlas", "1.0")
            .file("atlas/__init__.py", "")
            .file("atlas/towns.txt", "town a\n")
            .file("atlas/maps/__init__.py", "")
            .file("atlas/maps/towns.txt", "town b\n")
            .file("atlas/maps/north.bin", "NORTH")
            .file("atlas/nowhere/lost.txt", "lost\n")
            .file("DATA/data/share/atlas/legend.txt", "legend\n")
            .file("DATA/data/etc/atlas.conf", "conf\n")
            .file("DATA/headers/atlas.h", "#define ATLAS\n");
        Pex::empty(name)
            .source("app.py", &app)
            .source("guide/__init__.py", "")
            .source("guide/towns.txt", "town c\n")
            .entry("app:main")
            .dep(wheel)
    };
    for (index, pex) in both_modes(pex, "atlas").iter().enumerate() {
        let outcome = Case::new(pex).every_python().agrees();
        let told = &outcome.ok().stdout;
        for line in [
            "  files town a False\n",
            "  as_file towns.txt b'town c\\n' True\n",
        ] {
            assert!(told.contains(line), "{line}{outcome}");
        }
        let venv = if index == 1 { "True" } else { "False" };
        assert!(
            told.contains(&format!("prefix {venv} {venv}\n")),
            "{outcome}"
        );
    }
}

fn scripts() -> Wheel {
    let python =
        "import sys, dep\nprint('python', dep.WHO, sys.argv[1:], __name__, sys.flags.isolated)\n";
    let calls = "import subprocess, sys\nprint('calls', flush=True)\n\
                 sys.exit(subprocess.call(['tool-sh', 'from', 'python']))\n";
    Wheel::empty("tools", "1.0")
        .file_with_mode(
            "DATA/scripts/tool-python",
            &format!("#!python\n{python}"),
            0o755,
        )
        .file_with_mode(
            "DATA/scripts/tool-env",
            &format!("#!/usr/bin/env python3\n{python}"),
            0o755,
        )
        .file_with_mode(
            "DATA/scripts/tool-sh",
            "#!/bin/sh\necho sh \"$@\" ${VIRTUAL_ENV:+in a venv}\nexit 5\n",
            0o755,
        )
        .file_with_mode(
            "DATA/scripts/tool-calls",
            &format!("#!python\n{calls}"),
            0o755,
        )
        .file_with_mode("DATA/scripts/tool-text", "no script\n", 0o755)
}

#[test]
fn scripts_of_wheels_run_by_their_names() {
    let pex = |name: &str| {
        let pex = Pex::empty(name)
            .dep(scripts())
            .dep(Wheel::new("dep", "1.0"));
        pex.info("script", "tool-python")
            .info("venv_bin_path", "prepend")
    };
    for pex in both_modes(pex, "tools") {
        let case = || Case::new(&pex).args(["a", "b c"]).every_python();
        let outcome = case().agrees();
        assert!(
            outcome
                .ok()
                .stdout
                .starts_with("python dep 1.0 ['a', 'b c'] __main__ ")
        );
        for (name, code) in [("tool-env", 0), ("tool-sh", 5)] {
            case().env("PEX_SCRIPT", name).agrees().exits(code);
        }
    }
    // A script is on PATH in a virtual environment that says so, and its children find the others there.
    let venv = pex("tools-path").venv().build();
    let outcome = Case::new(&venv).env("PEX_SCRIPT", "tool-calls").agrees();
    outcome.exits(5).prints("calls\nsh from python in a venv");
}

/// Whoever goes into the environment itself finds scripts that run its Python, in the original's and in ours.
#[test]
fn the_scripts_of_a_virtual_environment_run_from_its_bin() {
    let app = "import os\ndef main():\n    print(os.environ['VIRTUAL_ENV'])\n";
    let pex = Pex::app("tools-bin", app).venv().dep(scripts());
    let pex = pex.dep(Wheel::new("dep", "1.0")).build();
    for (script, words, code) in [
        ("tool-python", "python dep 1.0 ['a'] __main__ 1", 0),
        ("tool-env", "python dep 1.0 ['a'] __main__ 1", 0),
        ("tool-sh", "sh a", 5),
        ("pex", "again", 0),
        ("python", "dep 1.0", 0),
    ] {
        let args = match script {
            "python" => "-c 'import dep; print(dep.WHO)'",
            _ => "a",
        };
        let line = match script {
            "pex" => "V=$(\"$0\"); test \"$(PEX= \"$V/pex\")\" = \"$V\" && echo again".to_owned(),
            _ => format!("V=$(\"$0\"); \"$V/bin/{script}\" {args}"),
        };
        let case = Case::new(&pex).with(move |start, _| start.before(["/bin/sh", "-c", &line]));
        case.agrees().exits(code).prints(words);
    }
}
