//! The original and the embedded file beside each other in other roots, musl and emulated aarch64 among them: a subset of
//! the conformance checklist, each start compared. Long tier: emulated, the original takes most of a minute.

use serde_json::json;

use super::*;
use crate::harness::long_tier;

/// Says what it was given, and what it can import, without a name of a place.
const TELLS: &str = r#"
import json, os, sys
from importlib.metadata import distributions
import dep, native
def more():
    try:
        import more
        return more.WHO
    except ImportError:
        return None
def tell(*which):
    print(json.dumps([
        which, sys.argv[1:], os.path.basename(sys.argv[0]), dep.WHO, native.WHO, more(), sys.stdin.read(), "PEX" in os.environ,
        sorted(name for name in os.environ if name.startswith("PEX_")), os.environ.get("GIVEN"), os.environ.get("INJECTED"),
        sorted(found.metadata["Name"] for found in distributions()), sys.flags.optimize, sys.flags.dev_mode,
        sys.version_info[:2], __name__]))
    sys.stdout.flush()
    sys.exit(3)
def main():
    tell("main")
def other():
    tell("other")
"#;

/// How a start differs from the plain one: what it is called, Python's options, arguments, variables (`WORK` is the working
/// directory).
type Variant = (
    &'static str,
    &'static [&'static str],
    &'static [&'static str],
    &'static [(&'static str, &'static str)],
);

const PLAIN: Variant = ("plain", &[], &["a", "--b", "c d"], &[]);

const VARIANTS: &[Variant] = &[
    PLAIN,
    ("Python's options", &["-O", "-X", "dev"], &["a"], &[]),
    (
        "variables",
        &[],
        &[],
        &[("GIVEN", "x"), ("INJECTED", "mine")],
    ),
    ("function", &[], &["a"], &[("PEX_MODULE", "app:other")]),
    ("module", &[], &["a"], &[("PEX_MODULE", "told")]),
    ("script", &[], &["a"], &[("PEX_SCRIPT", "tool")]),
    (
        "interpreter",
        &[],
        &["-c", "import app; app.tell(__name__)", "a"],
        &[("PEX_INTERPRETER", "1")],
    ),
    ("file", &[], &["file.py", "a"], &[("PEX_INTERPRETER", "1")]),
    ("PEX_PATH", &[], &[], &[("PEX_PATH", "WORK/more.pex")]),
    (
        "PEX_INHERIT_PATH",
        &[],
        &[],
        &[
            ("PEX_INHERIT_PATH", "prefer"),
            ("PYTHONPATH", "WORK/inherited"),
        ],
    ),
];

/// The name of each wheel's `native` is the platform that it is for.
fn tells() -> Pex {
    let native = |platform: &str| {
        Wheel::empty("native", "1.0")
            .tag(&format!("py3-none-{platform}"))
            .file("native.py", &format!("WHO = '{platform}'\n"))
    };
    let dep = Wheel::empty("dep", "1.0")
        .file(
            "dep.py",
            "WHO = 'dep'\ndef tool():\n    import app\n    app.tell('tool')\n",
        )
        .entry_points("[console_scripts]\ntool = dep:tool\n");
    Pex::app("tells", TELLS)
        .source("told.py", "import app\napp.tell(__name__)\n")
        .dep(dep)
        .wheel(native("manylinux2014_x86_64"))
        .wheel(native("manylinux2014_aarch64"))
        .wheel(native("musllinux_1_1_x86_64"))
        .requires("native")
}

/// Compares these starts of a PEX in the root; gives what the original printed first.
#[track_caller]
fn compares(userland: &Userland, pex: &Built, variants: &[Variant]) -> String {
    let head = if userland.name == "arm64" {
        "aarch64-linux"
    } else {
        "x86_64-linux"
    };
    let stage = for_both(pex, &[]);
    let more =
        Pex::empty("tells-more").dep(Wheel::empty("more", "1.0").file("more.py", "WHO = 'more'\n"));
    stage.place(&more.build(), &stage.path("work/more.pex"));
    stage.write("work/file.py", "import app\napp.tell(__name__)\n");
    stage.write("work/inherited/more.py", "WHO = 'inherited'\n");
    let work = stage.root().join("work");
    let mut first = None;
    for (called, options, args, variables) in variants {
        // The scripts of an environment begin with a line for a shell, in either's.
        if *called == "script" && !userland.root.join("bin/sh").exists() {
            continue;
        }
        let run = |file: &str, by_python: bool| {
            let start = userland
                .start(&stage, file, 1000)
                .args(*args)
                .stdin("given");
            let start = variables.iter().fold(start, |start, (name, value)| {
                start.env(name, value.replace("WORK", work.to_str().unwrap()))
            });
            let start = if by_python {
                start.before(["/usr/bin/python3"]).before(*options)
            } else {
                start
            };
            // What it is called by is no difference.
            start.run().exits(3).stdout.replace(file, "FILE")
        };
        let original = run("app.pex", true);
        // Options are Python's alone.
        let ways: &[bool] = if options.is_empty() {
            &[true, false, false]
        } else {
            &[true, true]
        };
        for &by_python in ways {
            assert_eq!(
                run(head, by_python),
                original,
                "{}: {called}",
                userland.name
            );
        }
        first.get_or_insert(original);
    }
    first.unwrap()
}

/// Each root but one takes minutes; they are separate so that they run beside each other.
fn conforms(name: &'static str, platform: &str) {
    if !long_tier(&format!("conformance in other roots: {name}"))
        || !has_both("conformance in other roots")
    {
        return;
    }
    let Some(userland) = Userland::find(name) else {
        return;
    };
    let inject = |pex: Pex| {
        pex.info("inject_args", json!(["--injected"]))
            .info("inject_env", json!({"INJECTED": "by the PEX"}))
    };
    let pex = tells();
    let plain = pex.clone().info("deps_are_wheel_files", true).build();
    let said = compares(&userland, &plain, &[PLAIN]);
    assert!(said.contains(&format!("\"{platform}\"")), "{name}: {said}");
    compares(&userland, &inject(pex.clone()).build(), VARIANTS);
    compares(&userland, &inject(pex.venv()).build(), VARIANTS);
}

#[test]
fn what_the_original_does_on_aarch64() {
    conforms("arm64", "manylinux2014_aarch64");
}

#[test]
fn what_the_original_does_with_musl() {
    conforms("musl", "musllinux_1_1_x86_64");
}

#[test]
fn what_the_original_does_in_other_userlands() {
    for name in ["debian-11", "debian-13", "debian-sid", "bare"] {
        conforms(name, "manylinux2014_x86_64");
    }
}
