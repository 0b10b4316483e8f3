//! The virtual environment of a PEX, held against the one that the original makes: its tree, its settings, what its
//! Python and its scripts are, under every option that shapes it; and what differs is what docs/compatibility.md lists.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::fixtures::{Pex, Wheel};
use crate::harness::pythons::{self, Python};
use crate::harness::{Case, Stage, Way, long, ways};

/// Describes its environment, one fact a line.
const APP: &str = r##"
import os, site, sys
def main():
    venv = os.environ["VIRTUAL_ENV"]
    packages = [path for path in site.getsitepackages() if path.startswith(sys.prefix)][0]
    packages = os.path.relpath(packages, sys.prefix)
    say = lambda *words: print(*[str(word).replace(venv, "[V]") for word in words])
    for above, directories, files in os.walk(venv, followlinks=True):
        here = os.path.relpath(above, venv)
        if here == "lib64" or here.startswith(packages + "/") and not here.endswith(".dist-info"):
            directories[:] = []
            continue
        for name in directories + files:
            path = os.path.join(above, name)
            relative = os.path.relpath(path, venv)
            if name == "__pycache__" or name.endswith(".pyc"):
                continue
            if os.path.islink(path) and (here.startswith("bin") or name in ("lib64", "pex")):
                target = os.readlink(path)
                say(relative, "->", "the wheel's" if "/.prefix/" in target else target)
            elif here.startswith("bin"):
                with open(path, "rb") as file:
                    lines = file.read(1000).splitlines()
                # A path that is too long for the system stands in a line for the shell.
                line = [line for line in lines[:6] if b"/python" in line] or lines[:1]
                words = [word.strip(b"\"'").rpartition(b"/")[2] for word in line[0].split()]
                words = [b"python" if word.startswith(b"python") else word for word in words]
                runs = [word.decode() for word in words if word in (b"python", b"-I", b"sh")]
                say(relative, "executable" if os.access(path, os.X_OK) else "text", *runs)
            else:
                say(relative)
    for line in open(os.path.join(venv, "pyvenv.cfg")):
        key, _, value = line.strip().partition(" = ")
        say("pyvenv.cfg", key, "" if key in ("command", "location") else value)
    say("state isolated", sys.flags.isolated, "no user site", sys.flags.no_user_site)
    say("state python", os.path.islink(os.path.join(venv, "bin", "python")), sys.prefix != sys.base_prefix)
    say("state path", [os.path.basename(path) for path in sys.path if "packages" in path])
    say("state PATH", [("bin of it" if path == os.path.join(venv, "bin") else path) for path in os.environ["PATH"].split(":")])
"##;

/// What differs: the rows of the table in docs/compatibility.md, "Files of a virtual environment", to the letter, and the
/// facts that each is about.
const DIFFERENCES: &[(&str, &[&str])] = &[
    ("`bin/Activate.ps1`", &["bin/Activate.ps1 text"]),
    (
        "`.last-access`, `command` in `pyvenv.cfg`",
        &[".last-access", "pyvenv.cfg command "],
    ),
    ("`location` in `pyvenv.cfg`", &["pyvenv.cfg location "]),
    (
        "`executable` in `pyvenv.cfg` before Python 3.11",
        &["pyvenv.cfg executable "],
    ),
    (
        "`PEX_EXTRA_SYS_PATH.py` in `site-packages`",
        &["PEX_EXTRA_SYS_PATH.py"],
    ),
];

/// What shapes an environment.
const OPTIONS: &[(&str, &str)] = &[
    ("plain", ""),
    ("venv_copies", "true"),
    ("venv_site_packages_copies", "true"),
    ("venv_system_site_packages", "true"),
    ("venv_hermetic_scripts", "false"),
    ("venv_bin_path", "append"),
    ("venv_bin_path", "prepend"),
];

fn pex(option: &str, value: &str) -> Pex {
    let scripts = Wheel::empty("tools", "1.0")
        .file("tools.py", "def main():\n    print('tools')\n")
        .file("DATA/headers/tools.h", "#define TOOLS\n")
        .file("DATA/data/share/tools/text", "text\n")
        .file_with_mode(
            "DATA/scripts/tool-python",
            "#!python\nprint('python')\n",
            0o755,
        )
        .file_with_mode("DATA/scripts/tool-sh", "#!/bin/sh\necho sh\n", 0o755)
        .entry_points("[console_scripts]\ntools = tools:main\n");
    let pex = Pex::app(&format!("environment-{option}-{value}"), APP).venv();
    let pex = pex.dep(scripts).dep(Wheel::new("dep", "1.0"));
    let value = match value {
        "" => return pex,
        "true" | "false" => Value::from(value == "true"),
        word => json!(word),
    };
    pex.info(option, value)
}

fn facts(way: Way, pex: &Pex, python: &Python) -> BTreeSet<String> {
    let stage = Stage::new(way, &pex.build());
    let run = stage.start().python(&python.path).run();
    run.ok().stdout.lines().map(str::to_owned).collect()
}

#[test]
fn its_files_are_the_originals_but_for_what_is_documented() {
    let named: Vec<&str> = DIFFERENCES.iter().map(|(row, _)| *row).collect();
    let documented = crate::state::documented("Files of a virtual environment");
    assert_eq!(documented, named, "docs/compatibility.md and this test");
    if ways().len() < 2 {
        return;
    }
    let allowed: Vec<&str> = DIFFERENCES
        .iter()
        .flat_map(|(_, facts)| *facts)
        .copied()
        .collect();
    let mut unknown = Vec::new();
    let on: Vec<&Python> = if long() {
        pythons::cpythons().collect()
    } else {
        vec![pythons::debian()]
    };
    for python in on {
        for (option, value) in OPTIONS {
            let pex = pex(option, value);
            let (original, ours) = (
                facts(Way::Original, &pex, python),
                facts(Way::Embedded, &pex, python),
            );
            for fact in original.symmetric_difference(&ours) {
                if !allowed.iter().any(|known| fact.contains(known)) {
                    let whose = if ours.contains(fact) {
                        "ours"
                    } else {
                        "the original's"
                    };
                    unknown.push(format!(
                        "{}, {option} {value}: {whose}: {fact}",
                        python.xy()
                    ));
                }
            }
        }
    }
    assert!(unknown.is_empty(), "{unknown:#?}");
}

/// `module:function`, in every place that takes an entry point.
#[test]
fn entry_points_may_be_callables() {
    let app = "import sys\nclass A:\n    @staticmethod\n    def b():\n        print('b', sys.argv[1:])\n        return 4\n\
               def main():\n    print('main', sys.argv[1:])\n";
    let called = Pex::app("environment-callable", app)
        .venv()
        .entry("app:A.b")
        .build();
    Case::new(&called)
        .args(["x"])
        .agrees()
        .exits(4)
        .prints("b ['x']");
    let case = Case::new(&called).env("PEX_MODULE", "app:main").args(["x"]);
    case.agrees().ok().prints("main ['x']");
    // An environment's own script takes one behind `-m`, too; as an interpreter and where `pex` itself is started.
    let interpreter = Pex::empty("environment-interpreter")
        .source("app.py", app)
        .venv();
    let interpreter = interpreter.dep(Wheel::new("dep", "1.0")).build();
    let case = Case::new(&interpreter).args(["-m", "app:A.b", "x"]);
    case.agrees().exits(4).prints("b ['x']");
    let direct = "V=$(\"$0\" -c 'import os; print(os.environ[\"VIRTUAL_ENV\"])') && PEX= exec \"$V/pex\" \"$@\"";
    let case = Case::new(&interpreter).args(["-m", "app:A.b", "x"]);
    let case = case.with(move |start, _| start.before(["/bin/sh", "-c", direct]));
    case.agrees().exits(4).prints("b ['x']");
}
