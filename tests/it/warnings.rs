//! The warnings of the original's bootstrap, measured: which situations it speaks of, and whether it can be told not to.
//! An embedded PEX says nothing of them (docs/compatibility.md, "Warnings"), and runs the same.

use serde_json::json;

use crate::fixtures::{Pex, Wheel};
use crate::harness::{Stage, Way, stated};

/// A situation, and what the original makes of it.
struct Situation {
    name: &'static str,
    pex: Pex,
    env: &'static [(&'static str, &'static str)],
    /// What its warning contains; none where it says nothing.
    says: Option<&'static str>,
    /// Whether `PEX_EMIT_WARNINGS=0` silences it.
    silenced: bool,
}

const APP: &str = "import dep\ndef main():\n    print(dep.WHO)\n";

fn app(name: &str) -> Pex {
    Pex::app(&format!("warnings-{name}"), APP).dep(Wheel::new("dep", "1.0"))
}

fn variable(env: &'static [(&'static str, &'static str)], says: &'static str) -> Situation {
    Situation {
        name: says,
        pex: app("plain"),
        env,
        says: Some(says),
        // It speaks before it looks at that variable.
        silenced: false,
    }
}

fn situations() -> Vec<Situation> {
    let quiet = |name, pex, env| Situation {
        name,
        pex,
        env,
        says: None,
        silenced: true,
    };
    let declares = "__import__('pkg_resources').declare_namespace(__name__)\n";
    let portion = |name: &str, module: &str| {
        Wheel::empty(name, "1.0")
            .file("old/__init__.py", declares)
            .file(&format!("old/{module}.py"), &format!("WHO = '{module}'\n"))
            .file("INFO/namespace_packages.txt", "old\n")
    };
    let namespace = app("namespace")
        .dep(portion("old-one", "one"))
        .dep(portion("old-two", "two"));
    let requires = Wheel::empty("legacy", "1.0")
        .file("legacy.py", "")
        .metadata("Requires: something");
    vec![
        variable(&[("PEX_UNZIP", "1")], "`PEX_UNZIP` env var is deprecated"),
        variable(
            &[("PEX_ALWAYS_CACHE", "1")],
            "`PEX_ALWAYS_CACHE` env var is deprecated",
        ),
        variable(
            &[("PEX_FORCE_LOCAL", "1")],
            "`PEX_FORCE_LOCAL` env var is deprecated",
        ),
        variable(
            &[("PEX_TEARDOWN_VERBOSE", "1")],
            "`PEX_TEARDOWN_VERBOSE` env var is deprecated",
        ),
        Situation {
            name: "namespaces without setuptools",
            pex: namespace,
            env: &[],
            says: Some("`pkg_resources` package was loaded from a pex vendored version"),
            silenced: true,
        },
        Situation {
            name: "requirements of before 0.8",
            pex: app("tuples").edit_info("requirements", json!([["dep", false, null]])),
            env: &[],
            says: Some("deprecated PEX feature"),
            silenced: false,
        },
        Situation {
            name: "legacy Requires",
            pex: app("requires").dep(requires),
            env: &[],
            says: Some("Ignoring 1 `Requires`"),
            silenced: true,
        },
        quiet("nothing", app("plain"), &[]),
        quiet(
            "a variable that nobody knows",
            app("plain"),
            &[("PEX_NO_SUCH", "1")],
        ),
        quiet(
            "old keys",
            app("old-keys")
                .edit_info("zip_safe", false)
                .edit_info("always_write_cache", true)
                .edit_info("unzip", true),
            &[],
        ),
    ]
}

#[test]
fn the_original_warns_where_an_embedded_pex_does_not() {
    for situation in situations() {
        let built = situation.pex.build();
        for &way in stated() {
            let told = |emit: Option<&str>| {
                let stage = Stage::new(way, &built);
                let start = stage.start();
                let start = situation
                    .env
                    .iter()
                    .fold(start, |start, (name, value)| start.env(name, value));
                let start = match emit {
                    Some(value) => start.env("PEX_EMIT_WARNINGS", value),
                    None => start,
                };
                let run = start.run();
                run.ok().prints("dep 1.0");
                run.stderr.clone()
            };
            let (usual, silent) = (told(None), told(Some("0")));
            let expected = situation.says.filter(|_| way == Way::Original);
            let contains = |text: &str| expected.is_none_or(|says| text.contains(says));
            assert!(contains(&usual), "{}: {usual}", situation.name);
            if expected.is_none() {
                assert_eq!(usual, "", "{}", situation.name);
            }
            if expected.is_none() || situation.silenced {
                assert_eq!(silent, "", "{}", situation.name);
            } else {
                assert!(contains(&silent), "{}: {silent}", situation.name);
            }
        }
    }
}
