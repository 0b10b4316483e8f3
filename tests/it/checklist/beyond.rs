//! Items 119-124: where the original fails its users and an embedded file need not (docs/compatibility.md, "Better than
//! the original"): packages that several wheels bring parts of, and children of `sys.executable`.

use std::process::Command;

use crate::fixtures::{Built, Pex, Wheel};
use crate::harness::subject::{no_oracle, on_each};
use crate::harness::{Case, Outcome, PEXBOOT, Stage, Way, ways};

/// The PEX as it runs by default, and with a virtual environment.
fn both_modes(name: &str, pex: impl Fn(&str) -> Pex) -> [Built; 2] {
    [
        pex(name).build(),
        pex(&format!("{name}-venv")).venv().build(),
    ]
}

#[test]
fn item_119_parts_of_a_package_find_each_others_files() {
    let extends =
        "__path__ = __import__('pkgutil').extend_path(__path__, __name__)\nNAME = 'wind'\n";
    let sdk = "import os\n\
               def read():\n    \
               here = [__file__, os.path.realpath(__file__)]\n    \
               return [open(os.path.join(os.path.dirname(os.path.dirname(file)), 'data', 'config.yml')).read()\n            \
               for file in here]\n";
    let app = "def main():\n    import wind, wind.core\n    from wind.sdk import read\n    \
               print(wind.NAME, wind.core.WHO, read())\n";
    let pex = |name: &str| {
        let core = Wheel::empty("wind-core", "1.0")
            .file("wind/__init__.py", extends)
            .file("wind/core/__init__.py", "WHO = 'core'\n")
            .file("wind/data/config.yml", "config");
        let sdk = Wheel::empty("wind-sdk", "1.0").file("wind/sdk/__init__.py", sdk);
        Pex::app(name, app).dep(core).dep(sdk)
    };
    on_each(|| {
        for pex in both_modes("item119", pex) {
            Case::new(&pex).holds(|run| match run.way {
                Some(Way::Original) => {
                    no_oracle("one path entry per wheel keeps the parts apart");
                    assert_eq!(run.code, Some(1), "{run}");
                }
                _ => {
                    run.ok().prints("wind core ['config', 'config']");
                }
            });
        }
    });
}

#[test]
fn item_120_wheels_that_bring_the_same_package_share_it() {
    let pex = |name: &str| {
        let one = Wheel::empty("one", "1.0")
            .file("both/__init__.py", "# one's licence\nWHO = 'both'\n")
            .file("both/one.py", "WHO = 'one'\n");
        let two = Wheel::empty("two", "1.0")
            .file("both/__init__.py", "# two's licence\n\nWHO = 'both'\n")
            .file("both/two.py", "WHO = 'two'\n");
        Pex::probe(name).dep(one).dep(two)
    };
    on_each(|| {
        for pex in both_modes("item120", pex) {
            let case = Case::new(&pex).env("PROBE_IMPORT", "both,both.one,both.two");
            case.holds(|run| {
                let state = run.state();
                assert_eq!(
                    (state.who("both"), state.who("both.one")),
                    ("both", "one"),
                    "{run}"
                );
                match run.way {
                    Some(Way::Original) => {
                        no_oracle("it finds the modules of the first wheel alone");
                        let error = state.text("/imports/both.two/error");
                        assert_eq!(error, "ModuleNotFoundError", "{run}");
                    }
                    _ => assert_eq!(state.who("both.two"), "two", "{run}"),
                }
            });
        }
    });
}

#[test]
fn item_121_of_wheels_that_clash_the_first_one_counts() {
    let pex = |name: &str| {
        let one = Wheel::empty("one", "1.0")
            .file("both/__init__.py", "WHO = 'one'\n")
            .file("both/one.py", "WHO = 'one'\n")
            .file("each/__init__.py", "")
            .file("each/x.py", "WHO = 'one'\n");
        let two = Wheel::empty("two", "1.0")
            .file("both/__init__.py", "WHO = 'two'\n")
            .file("both/two.py", "WHO = 'two'\n")
            .file("each/__init__.py", "")
            .file("each/x.py", "WHO = 'two'\n")
            .file("each/y.py", "WHO = 'two'\n");
        Pex::probe(name).dep(one).dep(two)
    };
    on_each(|| {
        for pex in both_modes("item121", pex) {
            let names = "both,both.one,both.two,each.x,each.y";
            Case::new(&pex).env("PROBE_IMPORT", names).holds(|run| {
                let state = run.state();
                let found = ["both", "both.one", "each.x"].map(|name| state.who(name).to_owned());
                assert_eq!(found, ["one", "one", "one"], "{run}");
                for name in ["both.two", "each.y"] {
                    let error = state.text(&format!("/imports/{name}/error"));
                    assert_eq!(error, "ModuleNotFoundError", "{run}");
                }
            });
        }
    });
}

/// An application that starts `sys.executable`, and says what its child says.
fn parent(name: &str) -> Pex {
    let app = "import subprocess, sys\ndef main():\n    \
               code = 'import own, dep; print(own.WHO, dep.WHO)'\n    \
               sys.exit(subprocess.call([sys.executable, '-c', code]))\n";
    Pex::app(name, app)
        .source("own.py", "WHO = 'own'\n")
        .dep(Wheel::new("dep", "1.0"))
}

fn has_its_packages(run: &Outcome) {
    run.ok().prints("own dep 1.0");
}

#[test]
fn item_122_pexboot_venv_gives_children_the_packages() {
    on_each(|| {
        let [zipapp, venv] = both_modes("item122", parent);
        for (pex, ours, pexs, is_venv) in [
            (&zipapp, "1", None, true),
            (&zipapp, "", None, false),
            (&venv, "0", None, false),
            (&venv, "", None, true),
            // pex's own variable goes before ours.
            (&venv, "1", Some("0"), false),
            (&venv, "0", Some("1"), true),
        ] {
            let case = Case::new(pex).env("PEXBOOT_VENV", ours);
            let case = match pexs {
                Some(value) => case.env("PEX_VENV", value),
                None => case,
            };
            case.holds(|run| match (run.way, is_venv) {
                (Some(Way::Original), _) => no_oracle("it has no such variable"),
                (_, true) => has_its_packages(run),
                (_, false) => {
                    run.exits(1).says("No module named 'own'");
                }
            });
        }
    });
}

#[test]
fn item_123_embed_venv_gives_children_the_packages() {
    on_each(|| {
        for layout in ["zipapp", "packed", "loose"] {
            let pex = parent(&format!("item123-{layout}")).layout(layout).build();
            let stage = Stage::new(Way::Embedded, &pex);
            no_oracle("`embed` is asked for it");
            stage.start().run().exits(1);
            embed_venv(&stage);
            for _ in 0..3 {
                has_its_packages(&stage.start().run());
            }
            stage.start().env("PEX_VENV", "0").run().exits(1);
            stage.start().env("PEXBOOT_VENV", "0").run().exits(1);
        }
    });
}

fn embed_venv(stage: &Stage) {
    let mut embed = Command::new(PEXBOOT);
    embed.args(["embed", "--venv"]).arg(&stage.pex);
    assert!(embed.env("HOME", stage.home()).status().unwrap().success());
}

#[test]
fn item_124_embed_venv_is_what_pex_builds_with_venv() {
    on_each(|| {
        let probe = |name: &str| {
            Pex::probe(name)
                .source("own.py", "WHO = 'own'\n")
                .dep(Wheel::new("dep", "1.0"))
        };
        let [zipapp, venv] = both_modes("item124", probe);
        let state = |way: Way| {
            let stage = Stage::new(way, if way == Way::Original { &venv } else { &zipapp });
            if way == Way::Embedded {
                embed_venv(&stage);
            }
            // From the second start on the original is at the place where it stays.
            let run = || stage.start().env("PROBE_IMPORT", "own,dep").run();
            run();
            let run = run();
            let state = run.state();
            let prefix = state.text("/sys/prefix").to_owned();
            let named = state.env("VIRTUAL_ENV").unwrap().to_owned();
            // The original gets to its own by a shorter link.
            let real = |path: &str| std::fs::canonicalize(path).unwrap();
            assert_eq!(real(&prefix), real(&named), "{run}");
            let path: Vec<String> = state
                .texts("/path")
                .iter()
                .map(|entry| entry.replace(&prefix, "V").replace(&named, "V"))
                .collect();
            assert_ne!(prefix, state.text("/sys/base_prefix"), "{run}");
            let who = [state.who("own").to_owned(), state.who("dep").to_owned()];
            (state.get("/flags").clone(), who, path)
        };
        let states: Vec<_> = ways().iter().map(|&way| state(way)).collect();
        assert!(states.windows(2).all(|two| two[0] == two[1]), "{states:#?}");
    });
}
